//! Stations and their gauges: places under watch and what is measured there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use crate::{
    calendar::Date,
    contact::Personal,
    flow::Flow,
    ids::{AgentId, GaugeName, OutletId, SectionId, StationId},
    mandate::Mandate,
    outlet::Outlet,
    quantity::{Decimal, Quantity, Resolution, Unit},
    time::Zone,
    words::words,
};

/// A place under watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Station {
    /// Its id.
    pub id: StationId,
    /// What people call it; the id where the file says nothing.
    pub name: String,
    /// What stands there.
    pub kind: StationKind,
    /// What was decided about it.
    pub status: StationStatus,
    /// Where it belongs.
    pub county: Option<County>,
    /// The river.
    pub river: Option<String>,
    /// Its place along the river, growing from source to mouth, for the schematic.
    pub river_order: Option<u32>,
    /// Where it stands.
    pub location: Option<Location>,
    /// The only agent that may speak for it; none: no agent may.
    pub agent: Option<AgentId>,
    /// Who runs it.
    pub owner: Option<Personal>,
    /// The owner's telephone.
    pub phone: Option<Personal>,
    /// What other registers call it.
    pub codes: BTreeMap<CodeScheme, String>,
    /// The zone in which its days begin and end.
    pub zone: Zone,
    /// Its gauges by name.
    pub gauges: BTreeMap<GaugeName, Gauge>,
    /// Its outlets by id.
    pub outlets: BTreeMap<OutletId, Outlet>,
    /// Its mandates, by section and first day.
    pub mandates: Vec<Mandate>,
}

impl Station {
    /// Every section that an outlet or a mandate names.
    pub fn sections(&self) -> BTreeSet<&SectionId> {
        let outlets = self.outlets.values().map(|outlet| &outlet.section);
        outlets.chain(self.mandates.iter().map(|mandate| &mandate.section)).collect()
    }

    /// The mandate of `section` in force on `date`: the latest begun, unless it has ended.
    pub fn mandate_at(&self, section: &SectionId, date: Date) -> Option<&Mandate> {
        let begun = |mandate: &&Mandate| mandate.section == *section && mandate.from <= date;
        let latest = self.mandates.iter().filter(begun).max_by_key(|mandate| mandate.from)?;
        latest.to.is_none_or(|to| date < to).then_some(latest)
    }

    /// The flow that `section` must release on `date`.
    pub fn required_at(&self, section: &SectionId, date: Date) -> Option<Flow> {
        self.mandate_at(section, date)?.required_at(date)
    }

    /// The outlets of `section` that count on `date`, by id.
    pub fn outlets_at<'a>(
        &'a self,
        section: &'a SectionId,
        date: Date,
    ) -> impl Iterator<Item = &'a Outlet> {
        let counts = move |outlet: &&Outlet| outlet.section == *section && outlet.is_in_force(date);
        self.outlets.values().filter(counts)
    }
}

words! {
    /// What stands at a station.
    StationKind {
        /// 水电站
        Hydropower = "hydropower",
        /// 空气站
        Air = "air",
        /// 沙尘站
        Dust = "dust",
        /// 地表水
        SurfaceWater = "surface_water",
        /// 地下水
        Groundwater = "groundwater",
        /// 饮用水
        DrinkingWater = "drinking_water",
        /// 土壤墒情
        Soil = "soil",
    }
}

words! {
    /// What was decided about a station.
    StationStatus {
        /// 保留: it goes on.
        Retained = "retained",
        /// 整改: it goes on while something is put right.
        Rectifying = "rectifying",
        /// 退出: it is out of service; its data stay.
        Exited = "exited",
    }
}

words! {
    /// A register of stations kept elsewhere.
    CodeScheme {
        /// Ministry of Water Resources.
        Mwr = "mwr",
        /// National Energy Administration.
        Nea = "nea",
        /// Ministry of Ecology and Environment.
        Mee = "mee",
    }
}

/// A county by its administrative code (GB/T 2260), six digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct County(String);

/// Why a county was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a county; write its six-digit code, such as 620721")]
pub struct CountyError(String);

impl County {
    /// The six digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for County {
    type Err = CountyError;

    fn from_str(text: &str) -> Result<Self, CountyError> {
        if text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(CountyError(text.chars().take(48).collect()))
        }
    }
}

impl fmt::Display for County {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for County {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a station stands, in degrees of WGS 84 or CGCS2000, which agree within centimetres.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// Degrees east, −180 to 180.
    pub longitude: Decimal,
    /// Degrees north, −90 to 90.
    pub latitude: Decimal,
}

/// One measured quantity at one point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gauge {
    /// Its name within the station: `id` in the registry file.
    pub name: GaugeName,
    /// What it measures; never changes.
    pub quantity: Quantity,
    /// The unit of its values; never changes.
    pub unit: Unit,
    /// How many decimals pages show, 0 to 9; only grows.
    pub decimals: u8,
    /// How its values are stored.
    pub resolution: Resolution,
    /// How often a value is expected.
    pub interval_ms: i64,
    /// What it can reach; a value outside is doubted for as long as this is so.
    pub range: Option<ValueRange>,
}

/// The values that a gauge can reach, both ends included, in its stored resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValueRange {
    /// The lowest.
    pub low: i64,
    /// The highest.
    pub high: i64,
}

impl ValueRange {
    /// Whether a stored value lies inside.
    pub const fn contains(self, value: i64) -> bool {
        self.low <= value && value <= self.high
    }
}
