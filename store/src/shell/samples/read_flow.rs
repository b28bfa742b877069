//! The good samples of a flow gauge, as judging and alarming need them.

use model::{
    flow::Flow,
    ids::GaugeId,
    time::{Span, Timestamp},
};

use super::SamplesReader;
use crate::{page::SamplesQuery, shell::error::StoreError};

/// Samples in one page.
const PAGE: usize = 65_536;

impl SamplesReader {
    /// The good samples of a flow gauge within `span`, ascending.
    pub fn good_flow(
        &self,
        gauge: &GaugeId,
        span: Span,
    ) -> Result<Vec<(Timestamp, Flow)>, StoreError> {
        let mut good = Vec::new();
        let mut cursor = None;
        loop {
            let Span { from, to } = span;
            let query = SamplesQuery { gauge: gauge.clone(), from, to, cursor, limit: PAGE };
            let page = self.samples(&query)?;
            let water = page.samples.into_iter().map(|stored| stored.sample);
            let water = water.filter(|sample| sample.is_good());
            // a flow is stored in ml/s whatever its unit (docs/formats.md §8)
            good.extend(water.filter_map(|sample| {
                sample.value.map(|value| (sample.at, Flow::from_ml_per_s(value)))
            }));
            cursor = page.next;
            if cursor.is_none() {
                return Ok(good);
            }
        }
    }
}
