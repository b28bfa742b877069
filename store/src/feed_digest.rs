//! What a row of the feed brought, as one digest: the row and its spans, as they were written.

use model::wire::batch_v1::Digest;
use sha2::{Digest as _, Sha256};

/// A row of the feed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FedRow {
    pub(crate) position: i64,
    pub(crate) station: i64,
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) batch: i64,
    pub(crate) received_at: i64,
    pub(crate) kind: i64,
}

/// A span of it.
#[derive(Debug, Clone)]
pub(crate) struct FedSpan {
    pub(crate) gauge: i64,
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) batch: i64,
    pub(crate) points: u32,
    pub(crate) decimals: u8,
    pub(crate) offset_ms: i64,
    pub(crate) qc: Option<Vec<u8>>,
}

/// SHA-256 over all columns but the digest itself; spans by gauge and first moment, whatever their
/// order here.
pub(crate) fn digest(row: FedRow, spans: &mut [FedSpan]) -> Digest {
    spans.sort_unstable_by_key(|span| (span.gauge, span.from));
    let mut hash = Sha256::new();
    let FedRow { position, station, from, to, batch, received_at, kind } = row;
    for number in [position, station, from, to, batch, received_at, kind] {
        hash.update(number.to_be_bytes());
    }
    for span in spans {
        let FedSpan { gauge, from, to, batch, points, decimals, offset_ms, qc } = span;
        for number in [*gauge, *from, *to, *batch, i64::from(*points), i64::from(*decimals)] {
            hash.update(number.to_be_bytes());
        }
        hash.update(offset_ms.to_be_bytes());
        // no flags and an empty text are not alike
        let length = qc.as_ref().map_or(-1, |qc| i64::try_from(qc.len()).unwrap_or(i64::MAX));
        hash.update(length.to_be_bytes());
        hash.update(qc.as_deref().unwrap_or_default());
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: FedRow =
        FedRow { position: 1, station: 2, from: 3, to: 9, batch: 4, received_at: 5, kind: 1 };

    fn span(gauge: i64, from: i64) -> FedSpan {
        let qc = Some(vec![2, 1]);
        FedSpan { gauge, from, to: from + 5, batch: 4, points: 2, decimals: 3, offset_ms: 0, qc }
    }

    #[test]
    fn every_column_counts_and_the_order_does_not() {
        let whole = digest(ROW, &mut [span(1, 3), span(2, 3)]);
        assert_eq!(digest(ROW, &mut [span(2, 3), span(1, 3)]), whole);
        let changes: [fn(&mut FedSpan); 8] = [
            |span| span.gauge += 1,
            |span| span.from += 1,
            |span| span.to += 1,
            |span| span.batch += 1,
            |span| span.points += 1,
            |span| span.decimals += 1,
            |span| span.offset_ms += 1,
            |span| span.qc = None,
        ];
        for change in changes {
            let mut changed = span(2, 3);
            change(&mut changed);
            assert_ne!(digest(ROW, &mut [span(1, 3), changed]), whole);
        }
        assert_ne!(digest(ROW, &mut [span(1, 3)]), whole);
        for row in [
            FedRow { position: 9, ..ROW },
            FedRow { station: 9, ..ROW },
            FedRow { from: 9, ..ROW },
            FedRow { to: 8, ..ROW },
            FedRow { batch: 9, ..ROW },
            FedRow { received_at: 9, ..ROW },
            FedRow { kind: 9, ..ROW },
        ] {
            assert_ne!(digest(row, &mut [span(1, 3), span(2, 3)]), whole);
        }
    }

    #[test]
    fn no_flags_are_not_empty_flags() {
        let flagged = |qc| digest(ROW, &mut [FedSpan { qc, ..span(1, 3) }]);
        assert_ne!(flagged(None), flagged(Some(Vec::new())));
    }
}
