//! `export samples`: every sample of the store as CSV, streamed page by page.

use std::io::{self, BufWriter};

use anyhow::{Context as _, bail};
use model::{ids::GaugeId, registry::Registry, time::Timestamp};
use store::{SamplesQuery, Store};

use super::open_existing;
use crate::{
    cli::{ExportSamples, Form},
    csv_file::{HEADER, Row},
    failure::Ended,
    stored,
};

/// Samples in one read of the store.
const PAGE: usize = 10_000;

/// Writes the samples that are asked for to standard output.
pub(super) fn samples(asked: &ExportSamples) -> anyhow::Result<Ended> {
    let Form::Csv = asked.format;
    let opened = open_existing(&asked.settings.config)?;
    let gauges = gauges(&opened.store, asked)?;
    // what lies outside of a gauge's range is for the registry in force to say
    let registry = opened.store.journal().registry();
    let mut out = csv::Writer::from_writer(BufWriter::new(io::stdout().lock()));
    out.write_record(HEADER).context("cannot write to standard output")?;
    let from = asked.from.unwrap_or(Timestamp::MIN);
    let to = asked.to.unwrap_or(Timestamp::MAX);
    for gauge in gauges {
        write((&opened.store, &registry), gauge, (from, to), &mut out)?;
    }
    out.flush().context("cannot write to standard output")?;
    drop(out);
    opened.store.close();
    Ok(Ended::Done)
}

/// Every gauge with samples that the options leave.
fn gauges(store: &Store, asked: &ExportSamples) -> anyhow::Result<Vec<GaugeId>> {
    let known = stored::gauges(store.samples())?.into_iter().map(|facts| facts.gauge);
    let is_wanted = |gauge: &GaugeId| {
        let is_station = asked.station.as_ref().is_none_or(|station| gauge.station == *station);
        let is_gauge = asked
            .gauge
            .as_ref()
            .is_none_or(|name| *name == gauge.to_string() || name == gauge.name.as_str());
        is_station && is_gauge
    };
    let gauges: Vec<_> = known.filter(is_wanted).collect();
    if gauges.is_empty() && (asked.station.is_some() || asked.gauge.is_some()) {
        let station =
            asked.station.as_ref().map_or_else(|| "any station".to_owned(), |id| format!("`{id}`"));
        let gauge =
            asked.gauge.as_ref().map_or_else(|| "any gauge".to_owned(), |id| format!("`{id}`"));
        bail!("the store has no samples of {gauge} at {station}");
    }
    Ok(gauges)
}

fn write<W: io::Write>(
    (store, registry): (&Store, &Registry),
    gauge: GaugeId,
    (from, to): (Timestamp, Timestamp),
    out: &mut csv::Writer<W>,
) -> anyhow::Result<()> {
    let known = registry.gauge(gauge.station.as_str(), gauge.name.as_str());
    let mut query = SamplesQuery { gauge, from, to, cursor: None, limit: PAGE };
    loop {
        let page = store.samples().read_blocking(|reader| reader.samples(&query));
        let page = page.with_context(|| format!("cannot read samples of `{}`", query.gauge))?;
        let unit = page.unit.map_or("", model::quantity::Unit::name);
        for sample in &page.samples {
            let row = Row::of(&query.gauge, unit, &sample.of_gauge(known));
            out.write_record(row.fields()).context("cannot write to standard output")?;
        }
        query.cursor = page.next;
        if query.cursor.is_none() {
            return Ok(());
        }
    }
}
