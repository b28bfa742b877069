//! The past of the simulated stations as a file of samples (`docs/formats.md` §13), which goes into
//! the store by the door of `import samples`.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use model::{quantity::Decimal, time::Timestamp};

use super::{
    registry::m3_per_s,
    river,
    sites::{FLOW, SITES, Site},
};

const MINUTE_MS: i64 = 60_000;

/// Writes what was measured in the `days` before today and today, up to `now`.
pub(super) fn write(file: &Path, days: u16, now: Timestamp) -> io::Result<()> {
    let today = river::day_of(now.as_ms());
    let from = river::begin_of(today - i64::from(days));
    let mut out = BufWriter::with_capacity(1 << 18, File::create(file)?);
    out.write_all(b"station,gauge,at,value\n")?;
    let mut at_ms = from;
    while at_ms < now.as_ms() {
        let (at, minute) = (Timestamp::clamped(at_ms).to_string(), (at_ms - from) / MINUTE_MS);
        for site in SITES.iter().filter(|site| minute % site.minutes() == 0) {
            write_site(&mut out, site, (at_ms, &at), today)?;
        }
        at_ms += MINUTE_MS;
    }
    out.flush()
}

fn write_site(
    out: &mut impl Write,
    site: &Site,
    (at_ms, at): (i64, &str),
    today: i64,
) -> io::Result<()> {
    let disturbed = river::past(site, at_ms, today);
    let is_known = disturbed != Some(river::Disturbance::Missing);
    if let Some(flow) = river::flow(site, at_ms, disturbed) {
        writeln!(out, "{},{FLOW},{at},{}", site.id, m3_per_s(flow))?;
    }
    for gauge in site.gauges.iter().filter(|_| is_known) {
        let value = gauge.shape.at(river::seed(site.id, gauge.id), at_ms);
        let value = Decimal { units: value, decimals: gauge.decimals };
        writeln!(out, "{},{},{at},{value}", site.id, gauge.id)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_every_value_once_and_ends_now() {
        let now: Timestamp = "2026-11-26T10:07:00+08:00".parse().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("history.csv");
        write(&file, 2, now).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let of = |name: &str| text.lines().filter(|line| line.starts_with(name)).count();
        let minutes = 2 * 1_440 + 10 * 60 + 7;
        assert_eq!(of("BF-990122-01,release-meter,"), minutes);
        assert_eq!(of("BF-990121-01,release-meter,"), minutes.div_ceil(5));
        assert_eq!(of("A01,pm10,"), minutes.div_ceil(5));
        let last = text.lines().rfind(|line| line.starts_with("BF-990121-01,release-meter,"));
        assert!(last.unwrap().contains(",2026-11-26T02:05:00Z,5."), "{last:?}");
    }
}
