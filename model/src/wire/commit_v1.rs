//! Commit notice, version 1: which batches are durable in which store (`docs/formats.md` §3).

use prost::Message;

use crate::{
    batch::CommitNotice,
    ids::{Epoch, StoreId},
};

/// The most ranges in a notice; who has more sends several.
pub const MAX_RANGES: usize = 1_024;
const MAX_BYTES: usize = 64 * 1024;

#[derive(Clone, PartialEq, Message)]
struct Raw {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(bytes = "vec", tag = "2")]
    store_id: Vec<u8>,
    #[prost(string, tag = "3")]
    agent: String,
    #[prost(fixed64, tag = "4")]
    epoch: u64,
    #[prost(message, repeated, tag = "5")]
    ranges: Vec<RawRange>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct RawRange {
    #[prost(uint64, tag = "1")]
    first: u64,
    #[prost(uint64, tag = "2")]
    last: u64,
}

/// The notice as bytes.
pub fn encode(notice: &CommitNotice) -> Vec<u8> {
    Raw {
        version: 1,
        store_id: notice.store_id.0.to_be_bytes().to_vec(),
        agent: notice.agent.to_string(),
        epoch: notice.epoch.0,
        ranges: notice
            .ranges
            .iter()
            .map(|(first, last)| RawRange { first: *first, last: *last })
            .collect(),
    }
    .encode_to_vec()
}

/// The notice in these bytes, or what is wrong with them.
pub fn decode(bytes: &[u8]) -> Result<CommitNotice, String> {
    if bytes.len() > MAX_BYTES {
        return Err(format!("a commit notice over {MAX_BYTES} bytes"));
    }
    let raw = Raw::decode(bytes).map_err(|error| format!("not a commit notice: {error}"))?;
    if raw.version != 1 {
        return Err(format!("commit notice version {} is not known", raw.version));
    }
    let store_id = raw.store_id.first_chunk::<16>().filter(|_| raw.store_id.len() == 16);
    let ranges: Vec<(u64, u64)> =
        raw.ranges.iter().map(|range| (range.first, range.last)).collect();
    let ascends =
        ranges.windows(2).all(|pair| matches!(pair, [(_, last), (first, _)] if last < first));
    if ranges.len() > MAX_RANGES || !ascends || ranges.iter().any(|(first, last)| first > last) {
        return Err("ranges that do not ascend, or too many of them".to_owned());
    }
    Ok(CommitNotice {
        store_id: StoreId(u128::from_be_bytes(*store_id.ok_or("a store id has 16 bytes")?)),
        agent: raw.agent.parse().map_err(|error| format!("{error}"))?,
        epoch: Epoch(raw.epoch),
        ranges,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn golden() -> CommitNotice {
        CommitNotice {
            store_id: StoreId(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff),
            agent: "gw-luming".parse().unwrap(),
            epoch: Epoch(0x0123_4567_89ab_cdef),
            ranges: vec![(1, 811), (813, 813)],
        }
    }

    #[test]
    fn the_golden_notice_is_read_and_written_as_ever() {
        let bytes = include_bytes!("../../../tests/fixtures/wire/commit_v1.bin");
        assert_eq!(decode(bytes), Ok(golden()));
        assert_eq!(encode(&golden()), bytes);
    }

    #[test]
    fn ranges_must_ascend() {
        for ranges in [vec![(2, 1)], vec![(1, 5), (5, 6)], vec![(3, 4), (1, 2)]] {
            let bytes = encode(&CommitNotice { ranges, ..golden() });
            assert!(decode(&bytes).is_err());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_notice_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(notice) = decode(&bytes) {
                prop_assert_eq!(decode(&encode(&notice)), Ok(notice));
            }
        }

        #[test]
        fn a_notice_comes_back(sequences in proptest::collection::vec(1_u64..60, 0..40), epoch: u64, store: u128) {
            let notice = CommitNotice {
                store_id: StoreId(store),
                epoch: Epoch(epoch),
                ranges: CommitNotice::ranges_of(sequences),
                ..golden()
            };
            prop_assert_eq!(decode(&encode(&notice)), Ok(notice));
        }
    }
}
