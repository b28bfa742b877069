//! Parameters of what is told live.

use std::collections::BTreeSet;

use model::{ids::StationId, registry::Registry};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Faults, shortened};
use crate::{live::viewer::MAX_STATIONS, problem::Problem};

/// What a viewer is told beside what everybody is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LiveParameters {
    /// Stations whose gauges are told, too: ids with commas between them, 16 at most; none where it
    /// is not said.
    #[param(example = "BF-620721-04,BF-620721-05")]
    pub stations: Option<String>,
}

impl LiveParameters {
    /// The stations that are asked for.
    pub fn checked(&self, registry: &Registry) -> Result<BTreeSet<StationId>, Problem> {
        let mut faults = Faults::default();
        let mut stations = BTreeSet::new();
        let named = self.stations.as_deref().filter(|text| !text.is_empty());
        // one more than there may be shows that there are too many
        for id in named.into_iter().flat_map(|text| text.split(',')).take(MAX_STATIONS + 1) {
            if let Some(station) = registry.station(id) {
                stations.insert(station.id.clone());
            } else {
                let id = shortened(id);
                faults.note("stations", format!("the registry has no station `{id}`"));
            }
        }
        let count = named.map_or(0, |text| text.split(',').count());
        if count > MAX_STATIONS {
            faults.note("stations", format!("{count} stations, where {MAX_STATIONS} may be named"));
        }
        faults.none()?;
        Ok(stations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(stations: &str) -> String {
        let asked = LiveParameters { stations: Some(stations.to_owned()) };
        asked.checked(&Registry::default()).unwrap_err().detail
    }

    #[test]
    fn stations_are_known_ones_and_few() {
        let nothing = LiveParameters::default().checked(&Registry::default());
        assert_eq!(nothing, Ok(BTreeSet::new()));
        assert_eq!(refused("X"), "stations: the registry has no station `X`");
        let many = vec!["X"; 40].join(",");
        assert!(refused(&many).ends_with("stations: 40 stations, where 16 may be named"));
        assert!(refused(&many).len() < 1_000, "no more faults than stations may be named");
    }
}
