//! What the registry says beside its stations: whose clocks count, what counties are called, and how
//! rivers flow.

use model::{
    ids::StationId,
    registry::Registry,
    river::{Reach, reaches},
    time::Zone,
};
use serde::Serialize;
use utoipa::ToSchema;

/// What holds for all stations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Registry)]
pub struct RegistryView {
    /// The journal's entry that holds it, as the live stream tells it; 0: none was imported yet.
    pub entry: i64,
    /// The zone of those who watch: what is told of no station is told by its clocks.
    #[schema(example = "Asia/Shanghai")]
    pub zone: String,
    /// Counties that have a name, by their codes.
    pub counties: Vec<CountyView>,
    /// Every river that a station or another river names: those with the most stations first, each
    /// followed by what flows into it, from source to mouth.
    pub rivers: Vec<RiverView>,
}

/// A county.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = County)]
pub struct CountyView {
    /// Its six-digit code.
    #[schema(example = "620721")]
    pub id: String,
    /// What people call it.
    pub name: String,
}

/// A river.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = River)]
pub struct RiverView {
    /// Its name, as stations name it.
    pub name: String,
    /// The river that it flows into; null where it leaves what is under watch.
    pub into: Option<String>,
    /// The last station above the place where it flows into that; null where there is none.
    #[schema(value_type = Option<String>)]
    pub into_below: Option<StationId>,
    /// Through how many rivers it leaves what is under watch.
    pub depth: usize,
    /// Its stations from source to mouth.
    #[schema(value_type = Vec<String>)]
    pub stations: Vec<StationId>,
    /// How many of them, the last ones, have no place that the registry knows.
    pub unplaced: usize,
}

impl RegistryView {
    /// The registry of this entry.
    pub fn of(registry: &Registry, entry: i64) -> Self {
        let reaches = reaches(registry);
        let zone = registry.zone.as_ref().map_or(Zone::USUAL, Zone::name).to_owned();
        let counties = registry
            .counties
            .iter()
            .map(|(code, name)| CountyView { id: code.to_string(), name: name.clone() });
        let rivers = reaches.iter().map(|reach| RiverView::of(reach, &reaches)).collect();
        Self { entry, zone, counties: counties.collect(), rivers }
    }
}

impl RiverView {
    fn of(reach: &Reach<'_>, all: &[Reach<'_>]) -> Self {
        let into_below = reach.mouth.and_then(|mouth| {
            let into = all.iter().find(|other| other.name == mouth.into)?;
            let is_above = |order: u32| order <= mouth.order;
            let mut above =
                into.stations.iter().filter(|known| known.river_order.is_some_and(is_above));
            above.next_back().map(|station| station.id.clone())
        });
        let is_unplaced = |station: &&&model::station::Station| station.river_order.is_none();
        Self {
            name: reach.name.to_owned(),
            into: reach.mouth.map(|mouth| mouth.into.clone()),
            into_below,
            depth: reach.depth,
            stations: reach.stations.iter().map(|station| station.id.clone()).collect(),
            unplaced: reach.stations.iter().filter(is_unplaced).count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use model::{river::Course, tree::Origin};

    use super::*;

    fn registry() -> Registry {
        let station = |(id, river, order): (&str, &str, Option<u32>)| {
            let order = order.map_or(String::new(), |order| format!("river_order = {order}"));
            format!("[[station]]\nid = \"{id}\"\nriver = \"{river}\"\n{order}\n")
        };
        let stations = [
            ("M1", "main", Some(10)),
            ("M2", "main", Some(20)),
            ("M3", "main", Some(40)),
            ("M0", "main", None),
            ("T2", "west", Some(9)),
            ("T1", "west", Some(3)),
            ("B1", "brook", Some(1)),
            ("S1", "south", Some(1)),
        ];
        let rivers = "zone = \"UTC\"
            county = [ { id = \"620721\", name = \"肃南\" } ]
            river = [ { name = \"west\", into = \"main\", into_order = 20 },
              { name = \"brook\", into = \"dry\", into_order = 0 }, { name = \"dry\", into = \"west\", into_order = 3 } ]\n";
        let text = format!("{rivers}{}", stations.map(station).concat());
        store::registry::parse(&text, &Origin::Default).unwrap()
    }

    #[test]
    fn rivers_stand_with_what_flows_into_them() {
        let view = RegistryView::of(&registry(), 7);
        let lines: Vec<String> = view
            .rivers
            .iter()
            .map(|river| {
                let stations: Vec<_> = river.stations.iter().map(ToString::to_string).collect();
                let into = river.into.as_deref().unwrap_or("-");
                let below = river.into_below.as_ref().map_or("-".to_owned(), ToString::to_string);
                let indent = "  ".repeat(river.depth);
                format!(
                    "{indent}{}: {} into {into} below {below}, {} unplaced",
                    river.name,
                    stations.join(" "),
                    river.unplaced
                )
            })
            .collect();
        expect![[r#"
            main: M1 M2 M3 M0 into - below -, 1 unplaced
              west: T1 T2 into main below M2, 0 unplaced
                dry:  into west below T1, 0 unplaced
                  brook: B1 into dry below -, 0 unplaced
            south: S1 into - below -, 0 unplaced"#]]
        .assert_eq(&lines.join("\n"));
        assert_eq!((view.entry, view.zone.as_str(), view.counties.len()), (7, "UTC", 1));
        let empty = RegistryView::of(&Registry::default(), 0);
        assert_eq!((empty.zone.as_str(), empty.rivers.len()), (Zone::USUAL, 0));
    }

    #[test]
    fn the_next_station_downstream_may_be_on_another_river() {
        let registry = registry();
        let course = Course::of(&registry);
        let stations = registry.stations.keys();
        let shown: Vec<String> = stations
            .filter_map(|station| Some(format!("{station}>{}", course.below(station)?)))
            .collect();
        assert_eq!(shown, ["B1>T2", "M1>M2", "M2>M3", "T1>T2", "T2>M3"]);
        let above = course.above(&"M3".parse().unwrap()).iter().map(ToString::to_string);
        assert_eq!(above.collect::<Vec<_>>(), ["M2", "T2"]);
        assert!(course.above(&"M0".parse().unwrap()).is_empty());
    }
}
