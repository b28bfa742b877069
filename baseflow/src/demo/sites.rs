//! The stations of the demonstration. Every name, number, place and document of them is made up.

use super::river::{Mandate, Shape};

/// A simulated station with a gateway of its own.
#[derive(Debug)]
pub(super) struct Site {
    /// Its id in the registry.
    pub(super) id: &'static str,
    /// What people call it.
    pub(super) name: &'static str,
    /// The same for those who do not read it.
    pub(super) english: &'static str,
    /// Its agent is called `gw-` and this.
    pub(super) gateway: &'static str,
    /// As the registry has it.
    pub(super) kind: &'static str,
    /// Six digits.
    pub(super) county: &'static str,
    /// Longitude and latitude, only roughly in the area.
    pub(super) location: [&'static str; 2],
    /// What it owes the river, if it is a hydropower station.
    pub(super) plant: Option<Plant>,
    /// What it measures beside its released flow.
    pub(super) gauges: &'static [Gauge],
}

/// A hydropower station: what it releases is the gauge [`FLOW`].
#[derive(Debug)]
pub(super) struct Plant {
    /// On which river.
    pub(super) river: &'static str,
    /// Grows towards the mouth.
    pub(super) order: u32,
    /// What must be released.
    pub(super) mandate: Mandate,
    /// What is released of that, in thousandths, on a common day.
    pub(super) share: i64,
    /// How the meter says it.
    pub(super) meter: Meter,
}

/// What the release meter's registers hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meter {
    /// m³/h as a floating-point number, the high word first.
    Float,
    /// The same with the low word first.
    FloatSwapped,
    /// Tenths of l/s as a whole number.
    Whole,
}

/// Any other gauge.
#[derive(Debug)]
pub(super) struct Gauge {
    /// Its name within the station.
    pub(super) id: &'static str,
    /// What it measures, as the registry has it.
    pub(super) quantity: &'static str,
    /// In which unit.
    pub(super) unit: &'static str,
    /// Of its values, on the wire as in the registry.
    pub(super) decimals: u8,
    /// Which values.
    pub(super) shape: Shape,
}

/// The gauge of what a hydropower station releases.
pub(super) const FLOW: &str = "release-meter";

/// The hydropower station that falls below its mandate.
pub(super) const FALLS: &str = "BF-990121-07";
/// The one that loses its link. Its values come each minute, so that three missing ones show soon.
pub(super) const LOSES_LINK: &str = "BF-990122-01";
/// The one whose meter sticks.
pub(super) const STICKS: &str = "BF-990121-04";

impl Site {
    /// Its agent.
    pub(super) fn agent(&self) -> String {
        format!("gw-{}", self.gateway)
    }

    /// How often its history has a value, in minutes; its gauges promise no more.
    pub(super) fn minutes(&self) -> i64 {
        if self.id == LOSES_LINK { 1 } else { 5 }
    }
}

const fn gauge(
    id: &'static str,
    quantity: &'static str,
    (unit, decimals): (&'static str, u8),
    [base, daily, slow, noise]: [i64; 4],
) -> Gauge {
    Gauge { id, quantity, unit, decimals, shape: Shape { base, daily, slow, noise } }
}

/// What a generator gives, in kW with one decimal, at 62 % of its rating and more in the evening.
const fn power(rated_kw: i64) -> Gauge {
    let tenths = rated_kw * 10;
    gauge(
        "unit-power",
        "power",
        ("kW", 1),
        [tenths * 62 / 100, tenths / 5, tenths / 12, tenths / 80],
    )
}

const fn plant(
    (river, order): (&'static str, u32),
    mandate: Mandate,
    share: i64,
    meter: Meter,
) -> Plant {
    Plant { river, order, mandate, share, meter }
}

/// From October and from April on, in ml/s.
const fn seasons(winter: i64, summer: i64) -> Mandate {
    Mandate::Seasons { winter, summer }
}

const AIR: &[Gauge] = &[
    gauge("so2", "so2", ("ug/m3", 1), [82, 14, 20, 6]),
    gauge("no2", "no2", ("ug/m3", 1), [241, 80, 50, 20]),
    gauge("o3", "o3", ("ug/m3", 1), [884, 300, 120, 30]),
    gauge("co", "co", ("mg/m3", 2), [52, 12, 10, 4]),
    gauge("pm10", "pm10", ("ug/m3", 0), [74, 14, 26, 6]),
    gauge("pm2-5", "pm2_5", ("ug/m3", 0), [31, 6, 10, 3]),
    gauge("temperature", "temperature", ("degC", 1), [41, 62, 40, 4]),
    gauge("humidity", "humidity", ("%", 1), [460, -130, 80, 10]),
    gauge("pressure", "pressure", ("hPa", 1), [8_512, 18, 60, 2]),
    gauge("wind-speed", "wind_speed", ("m/s", 1), [24, 12, 8, 6]),
    gauge("wind-direction", "wind_direction", ("deg", 0), [210, 70, 40, 15]),
];

const DUST: &[Gauge] = &[
    gauge("pm10", "pm10", ("ug/m3", 0), [96, 20, 48, 8]),
    gauge("tsp", "tsp", ("ug/m3", 0), [168, 36, 80, 14]),
    gauge("visibility", "visibility", ("km", 2), [1_640, -180, -420, 40]),
    gauge("wind-speed", "wind_speed", ("m/s", 1), [38, 18, 14, 8]),
    gauge("wind-direction", "wind_direction", ("deg", 0), [300, 40, 30, 12]),
];

const SOIL: &[Gauge] = &[
    gauge("moisture-10", "soil_moisture", ("%", 1), [186, 6, 22, 2]),
    gauge("moisture-20", "soil_moisture", ("%", 1), [204, 3, 18, 1]),
    gauge("moisture-40", "soil_moisture", ("%", 1), [221, 1, 12, 1]),
    gauge("moisture-60", "soil_moisture", ("%", 1), [228, 0, 8, 1]),
    gauge("temperature-10", "temperature", ("degC", 1), [62, 24, 30, 1]),
    gauge("temperature-20", "temperature", ("degC", 1), [71, 10, 26, 1]),
    gauge("temperature-40", "temperature", ("degC", 1), [84, 3, 18, 1]),
    gauge("temperature-60", "temperature", ("degC", 1), [92, 1, 12, 1]),
];

const RIVER_WATER: &[Gauge] = &[
    gauge("ph", "ph", ("pH", 2), [802, 8, 10, 2]),
    gauge("do", "do", ("mg/L", 2), [942, 60, 70, 6]),
    gauge("temperature", "temperature", ("degC", 1), [68, 16, 30, 1]),
    gauge("conductivity", "conductivity", ("uS/cm", 0), [412, 6, 30, 3]),
    gauge("turbidity", "turbidity", ("NTU", 1), [86, 10, 40, 5]),
    gauge("codmn", "codmn", ("mg/L", 2), [164, 6, 24, 4]),
    gauge("nh3n", "nh3n", ("mg/L", 3), [82, 6, 22, 4]),
    gauge("tp", "tp", ("mg/L", 3), [21, 2, 6, 1]),
    gauge("tn", "tn", ("mg/L", 2), [92, 4, 14, 2]),
];

const GROUNDWATER: &[Gauge] = &[
    gauge("depth", "depth", ("m", 3), [12_480, 3, 140, 1]),
    gauge("temperature", "temperature", ("degC", 1), [114, 0, 3, 1]),
    gauge("conductivity", "conductivity", ("uS/cm", 0), [868, 2, 18, 2]),
];

const DRINKING_WATER: &[Gauge] = &[
    gauge("turbidity", "turbidity", ("NTU", 2), [24, 3, 6, 2]),
    gauge("free-chlorine", "free_chlorine", ("mg/L", 2), [48, 5, 4, 2]),
    gauge("ph", "ph", ("pH", 2), [764, 4, 6, 1]),
    gauge("codmn", "codmn", ("mg/L", 2), [121, 4, 12, 3]),
];

/// What is common to all stations of a kind.
const fn monitor(
    [id, name, english]: [&'static str; 3],
    (gateway, kind): (&'static str, &'static str),
    county: &'static str,
    location: [&'static str; 2],
    gauges: &'static [Gauge],
) -> Site {
    Site { id, name, english, gateway, kind, county, location, plant: None, gauges }
}

const fn hydropower(
    [id, name, english]: [&'static str; 3],
    (gateway, county): (&'static str, &'static str),
    location: [&'static str; 2],
    plant: Plant,
    gauges: &'static [Gauge],
) -> Site {
    let plant = Some(plant);
    Site { id, name, english, gateway, kind: "hydropower", county, location, plant, gauges }
}

/// Codes that no county has, and what the counties are called.
pub(super) const COUNTIES: [(&str, &str); 6] = [
    ("990102", "绿洲区（示例）"),
    ("990121", "云杉县（示例）"),
    ("990122", "松涛县（示例）"),
    ("990123", "白杨县（示例）"),
    ("990124", "湿地县（示例）"),
    ("990125", "牧歌县（示例）"),
];

/// Which river flows into which, and where on the scale of the stations there.
pub(super) const RIVERS: [(&str, &str, u32); 5] = [
    ("长峡河", "鹿鸣河", 25),
    ("双树河", "云杉河", 40),
    ("麻柳河", "云杉河", 50),
    ("奶泉河", "云杉河", 60),
    ("鹿鸣河", "云杉河", 70),
];

/// All stations: eighteen on rivers, and eleven that watch air, dust, soil and water.
pub(super) const SITES: [Site; 29] = [
    hydropower(
        ["BF-990121-01", "云杉峡一级（示例）", "Spruce Gorge I"],
        ("yunshan-1", "990121"),
        ["99.98", "38.62"],
        plant(("云杉河", 10), seasons(5_000_000, 7_500_000), 1_036, Meter::Whole),
        &[power(36_000)],
    ),
    hydropower(
        ["BF-990121-02", "云杉峡二级（示例）", "Spruce Gorge II"],
        ("yunshan-2", "990121"),
        ["100.06", "38.70"],
        plant(("云杉河", 20), seasons(5_000_000, 7_500_000), 1_120, Meter::Float),
        &[power(42_000)],
    ),
    hydropower(
        ["BF-990121-03", "红石湾（示例）", "Redstone Bend"],
        ("hongshi", "990121"),
        ["100.13", "38.77"],
        plant(("云杉河", 30), seasons(5_200_000, 7_800_000), 1_180, Meter::Whole),
        &[power(18_500)],
    ),
    hydropower(
        ["BF-990121-04", "鹿鸣滩（示例）", "Deercall Shoal"],
        ("luming", "990121"),
        ["99.80", "38.88"],
        plant(("鹿鸣河", 10), seasons(750_000, 1_200_000), 1_140, Meter::Float),
        &[power(8_000)],
    ),
    hydropower(
        ["BF-990121-05", "梨花口（示例）", "Pearblossom Mouth"],
        ("lihua", "990121"),
        ["99.90", "38.92"],
        plant(("鹿鸣河", 20), seasons(750_000, 1_200_000), 1_110, Meter::FloatSwapped),
        &[power(6_400)],
    ),
    hydropower(
        ["BF-990123-01", "白杨渡（示例）", "Poplar Ferry"],
        ("baiyang", "990123"),
        ["100.02", "39.00"],
        plant(("鹿鸣河", 30), seasons(800_000, 1_250_000), 1_130, Meter::Whole),
        &[power(3_200)],
    ),
    hydropower(
        ["BF-990121-06", "长峡沟（示例）", "Longgorge Gully"],
        ("changxia", "990121"),
        ["99.55", "38.80"],
        plant(("长峡河", 10), seasons(300_000, 480_000), 1_160, Meter::Float),
        &[power(2_500)],
    ),
    hydropower(
        [FALLS, "雪线沟（示例）", "Snowline Gully"],
        ("xuexian", "990121"),
        ["99.40", "39.00"],
        plant(("雪线河", 10), seasons(130_000, 210_000), 1_210, Meter::Whole),
        &[power(1_600)],
    ),
    hydropower(
        [LOSES_LINK, "双树坪（示例）", "Twintree Terrace"],
        ("shuangshu", "990122"),
        ["100.84", "38.25"],
        plant(("双树河", 10), seasons(400_000, 640_000), 1_170, Meter::FloatSwapped),
        &[power(3_000)],
    ),
    hydropower(
        ["BF-990122-02", "松涛口（示例）", "Pinewave Mouth"],
        ("songtao", "990122"),
        ["100.82", "38.33"],
        plant(("双树河", 20), seasons(400_000, 640_000), 1_100, Meter::Float),
        &[power(2_000)],
    ),
    hydropower(
        ["BF-990122-03", "麻柳湾（示例）", "Willow Bend"],
        ("maliu", "990122"),
        ["100.70", "38.35"],
        plant(("麻柳河", 10), seasons(280_000, 450_000), 1_150, Meter::Whole),
        &[power(1_800)],
    ),
    hydropower(
        ["BF-990122-04", "瓦房坪（示例）", "Tilehouse Terrace"],
        ("wafang", "990122"),
        ["100.66", "38.42"],
        plant(("麻柳河", 20), seasons(280_000, 450_000), 1_120, Meter::Float),
        &[power(1_200)],
    ),
    hydropower(
        ["BF-990102-01", "奶泉沟（示例）", "Milkspring Gully"],
        ("naiquan", "990102"),
        ["100.55", "38.52"],
        plant(("奶泉河", 10), seasons(140_000, 220_000), 1_140, Meter::FloatSwapped),
        &[power(800)],
    ),
    hydropower(
        ["BF-990125-01", "牧歌滩（示例）", "Herdsong Shoal"],
        ("muge", "990125"),
        ["101.10", "38.42"],
        plant(("牧歌河", 10), seasons(250_000, 400_000), 1_170, Meter::Whole),
        &[power(1_250)],
    ),
    hydropower(
        ["BF-990125-02", "西岔口（示例）", "Westfork Mouth"],
        ("xicha", "990125"),
        ["101.33", "38.08"],
        plant(("西岔河", 10), seasons(500_000, 800_000), 1_110, Meter::Float),
        &[power(4_000)],
    ),
    hydropower(
        ["BF-990125-03", "胭脂坪（示例）", "Rouge Terrace"],
        ("yanzhi", "990125"),
        ["101.40", "38.12"],
        plant(("西岔河", 20), seasons(500_000, 800_000), 1_090, Meter::Whole),
        &[power(2_400)],
    ),
    hydropower(
        ["BF-990121-08", "东谷口（示例）", "Eastvale Mouth"],
        ("donggu", "990121"),
        ["101.70", "38.00"],
        plant(("东谷河", 10), seasons(950_000, 1_400_000), 1_080, Meter::FloatSwapped),
        &[power(5_000)],
    ),
    hydropower(
        ["BF-990124-01", "湿地渠首（示例）", "Wetland Headworks"],
        ("shidi", "990124"),
        ["99.85", "39.36"],
        plant(("云杉河", 90), WETLAND, 1_130, Meter::Whole),
        &[power(5_000)],
    ),
    monitor(
        ["A01", "绿洲示例空气站", "Oasis air"],
        ("a01", "air"),
        "990102",
        ["100.45", "38.93"],
        AIR,
    ),
    monitor(
        ["A02", "云杉示例空气站", "Spruce air"],
        ("a02", "air"),
        "990121",
        ["99.62", "38.84"],
        AIR,
    ),
    monitor(
        ["D01", "松涛示例沙尘站", "Pinewave dust"],
        ("d01", "dust"),
        "990122",
        ["100.81", "38.43"],
        DUST,
    ),
    monitor(
        ["D02", "湿地示例沙尘站", "Wetland dust"],
        ("d02", "dust"),
        "990124",
        ["99.82", "39.38"],
        DUST,
    ),
    monitor(
        ["S01", "牧歌示例墒情站", "Herdsong soil"],
        ("s01", "soil"),
        "990125",
        ["101.20", "38.25"],
        SOIL,
    ),
    monitor(
        ["W01", "云杉峡下示例水质站", "below Spruce Gorge, water quality"],
        ("w01", "surface_water"),
        "990102",
        ["100.17", "38.83"],
        RIVER_WATER,
    ),
    monitor(
        ["W02", "西岔河界面示例水质站", "Westfork border, water quality"],
        ("w02", "surface_water"),
        "990125",
        ["101.42", "38.14"],
        RIVER_WATER,
    ),
    monitor(
        ["W03", "云杉河省界示例水质站", "Spruce province border, water quality"],
        ("w03", "surface_water"),
        "990121",
        ["100.10", "38.35"],
        RIVER_WATER,
    ),
    monitor(
        ["G01", "绿洲示例地下水井", "Oasis well"],
        ("g01", "groundwater"),
        "990102",
        ["100.40", "38.98"],
        GROUNDWATER,
    ),
    monitor(
        ["G02", "白杨示例地下水井", "Poplar well"],
        ("g02", "groundwater"),
        "990123",
        ["100.16", "39.15"],
        GROUNDWATER,
    ),
    monitor(
        ["P01", "松涛示例水厂", "Pinewave waterworks"],
        ("p01", "drinking_water"),
        "990122",
        ["100.80", "38.42"],
        DRINKING_WATER,
    ),
];

/// The one whose flow is fixed month by month, in ml/s.
const WETLAND: Mandate = Mandate::Monthly([
    6_000_000, 6_000_000, 6_500_000, 7_000_000, 8_000_000, 9_500_000, 12_000_000, 11_000_000,
    9_500_000, 7_500_000, 6_500_000, 6_000_000,
]);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_told_apart_and_each_story_has_its_station() {
        let ids: BTreeSet<&str> = SITES.iter().map(|site| site.id).collect();
        let gateways: BTreeSet<&str> = SITES.iter().map(|site| site.gateway).collect();
        assert_eq!((ids.len(), gateways.len()), (SITES.len(), SITES.len()));
        for id in [FALLS, LOSES_LINK, STICKS] {
            assert!(SITES.iter().any(|site| site.id == id && site.plant.is_some()), "{id}");
        }
        assert_eq!(SITES.iter().filter(|site| site.plant.is_some()).count(), 18);
        assert!(SITES.iter().all(|site| site.name.contains("示例")));
        let county = |site: &Site| COUNTIES.iter().any(|(code, _)| *code == site.county);
        assert!(SITES.iter().all(county));
    }
}
