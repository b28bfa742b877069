//! What a registry file may say, and every fault that it is told of.

use expect_test::{Expect, expect};
use model::{
    formula::{Formula, FormulaKind},
    outlet::OutletFlow,
};
use proptest::prelude::*;

use super::*;
use crate::registry::{canonical, export};

const EXAMPLE: &str = include_str!("../../../../tests/fixtures/registry/example.toml");
const SMALL: &str = r#"
    contact = [{ id = "zhang", reach = [{ channel = "sms", to = "1" }] }]
    rule = [{ id = "hourly", statistic = "hourly_mean" }]
    [[station]]
    id = "BF-1"
    agent = "gw"
    gauge = [
        { id = "meter", quantity = "flow", unit = "m3/s", interval = "5s" },
        { id = "level", quantity = "level", unit = "m", interval = "1m" },
    ]
    outlet = [{ id = "pipe", flow = { gauge = "meter" } }]
    "#;

fn parsed(text: &str) -> Result<Registry, Faults> {
    parse(text, &Origin::Default)
}

/// What is said of a text; `ok` where nothing is wrong.
fn check(text: &str, expected: &Expect) {
    let said = match parsed(text) {
        Ok(_) => "ok".to_owned(),
        Err(faults) => faults.to_string().replace(" (default)", ""),
    };
    expected.assert_eq(&said);
}

/// What is said of the small registry with something added.
fn check_added(text: &str, expected: &Expect) {
    check(&format!("{SMALL}\n{text}"), expected);
}

#[test]
fn the_example_is_read_whole() {
    let registry = parsed(EXAMPLE).unwrap();
    assert_eq!(registry.stations.len(), 17);
    assert!(registry.gauge("BF-620721-04", "release-meter").is_some());
    let agent = registry.agent_of("BF-620721-01").unwrap();
    assert_eq!(registry.stations_of(agent.as_str()).count(), 2);
}

#[test]
fn the_example_uses_every_key_of_every_formula_and_every_kind_of_alarm_rule() {
    let registry = parsed(EXAMPLE).unwrap();
    let outlets = registry.stations.values().flat_map(|station| station.outlets.values());
    let formulas: Vec<_> = outlets
        .filter_map(|outlet| match &outlet.flow {
            OutletFlow::Gauge(_) => None,
            OutletFlow::Formula(formula) => Some(formula),
        })
        .collect();
    for (word, kind) in FormulaKind::WORDS {
        for spec in kind.parameters() {
            let uses = |formula: &&&Formula| {
                formula.kind == *kind && formula.parameters.contains_key(spec.name)
            };
            assert!(formulas.iter().any(|it| uses(&it)), "{word}.{}", spec.name);
        }
    }
    let kinds: BTreeSet<_> =
        registry.alarm_rules.values().map(|rule| rule.condition.word()).collect();
    assert_eq!(kinds.len(), 11);
}

#[test]
fn nothing_at_all_is_an_empty_registry() {
    check("", &expect!["ok"]);
    check_added("", &expect!["ok"]);
}

#[test]
fn faults_of_toml_itself_name_their_lines() {
    check(
        "[[station]]\nid = \nname = \"x\"\n[[station]\n",
        &expect![[r#"
            the document: line 2: string values must be quoted, expected literal string
            the document: line 4: unclosed array table, expected `]`"#]],
    );
}

#[test]
fn a_station_is_checked_throughout() {
    check(
        r#"
        [[station]]
        id = "BF 1"
        name = " "
        kind = "hydro"
        status = "gone"
        county = "62072"
        river_order = 4.5
        location = [38.88, 99.80]
        agent = "import"
        codes = { mwr = "1", other = "2" }
        zone = "Asia/Nowhere"
        colour = "red"
        [[station]]
        id = "A"
        codes = { mwr = "1" }
        [[station]]
        id = "A"
        codes = { mwr = "1" }
        "#,
        &expect![[r#"
            station[0].id: `BF 1` is not a station id: 1 to 64 of A-Z a-z 0-9 . _ -, beginning with a letter or a digit
            station[0].name: is empty
            station[0].kind: `hydro` is none of hydropower, air, dust, surface_water, groundwater, drinking_water, soil
            station[0].status: `gone` is none of retained, rectifying, exited
            station[0].county: `62072` is not a county; write its six-digit code, such as 620721
            station[0].river_order: 4.5 is not a whole number from 0 to 1000000
            station[0].location: 99.80 is not between -90 and 90; the longitude comes first
            station[0].agent: `import` is the name of the program's own imports; take another
            station[0].codes.other: unknown key
            station[0].zone: `Asia/Nowhere` is not a time zone; write it as Asia/Shanghai
            station[0].colour: unknown key
            station[1].codes.mwr: `1` is the code of station[0] already
            station[2].codes.mwr: `1` is the code of station A already
            station[2].id: another station has the id `A` already"#]],
    );
}

#[test]
fn a_gauge_is_checked_throughout() {
    check(
        r#"
        [[station]]
        id = "A"
        gauge = [
            { id = "a", quantity = "flow", unit = "m", interval = "5s" },
            { id = "b", quantity = "flow", unit = "m3/h", interval = "5s" },
            { id = "c", quantity = "flux", unit = "foot", decimals = 10, interval = 5 },
            { id = "d", quantity = "level", unit = "m", interval = "0s", range = [0, 0.00001] },
            { id = "e", quantity = "level", unit = "m", interval = "1s", range = [5, 1] },
            { id = "e", quantity = "level", unit = "m", interval = "1s", range = [5] },
            { quantity = "level", unit = "m", interval = "1s", range = [0, nan] },
        ]
        "#,
        &expect![[r#"
            station[0].gauge[0].unit: `m` is not a unit of flow
            station[0].gauge[1].unit: a gauge cannot have the unit `m3/h`, in which flow is not exact; a register can
            station[0].gauge[2].quantity: `flux` is not a quantity; docs/registry.md lists them all
            station[0].gauge[2].unit: `foot` is not a unit; docs/registry.md lists them all
            station[0].gauge[2].decimals: 10 is not a whole number from 0 to 9
            station[0].gauge[2].interval: an integer where a duration such as "5s" belongs
            station[0].gauge[3].interval: 0s is not between 100ms and 1d
            station[0].gauge[3].range: `0.00001` has more than 4 decimals
            station[0].gauge[4].range: must begin with the lower number
            station[0].gauge[5].range: must be two numbers: the lowest and the highest
            station[0].gauge[5].id: another gauge has the id `e` already
            station[0].gauge[6].id: missing
            station[0].gauge[6].range[1]: `nan` is not a decimal number; write it as 0.075"#]],
    );
}

#[test]
fn an_outlet_is_checked_throughout() {
    check(
        r#"
        [[station]]
        id = "A"
        gauge = [
            { id = "q", quantity = "flow", unit = "m3/s", interval = "5s" },
            { id = "h", quantity = "level", unit = "m", interval = "5s" },
        ]
        outlet = [
            { id = "a" },
            { id = "b", flow = { gauge = "x" } },
            { id = "c", flow = { gauge = "h" } },
            { id = "d", flow = { gauge = "q", formula = "pipe" } },
            { id = "e", flow = { formula = "magic", head = "h" } },
            { id = "f", flow = { formula = "v_notch_weir", head = "q", angle_deg = 10, width_m = 1 } },
            { id = "g", flow = { formula = "orifice", head = "h" } },
            { id = "h", flow = { formula = "orifice", head = "h", area_m2 = 1, diameter_m = 1 } },
            { id = "i", flow = { formula = "parshall_flume", head = "h", throat_m = 0.76, tail_zero_m = 1 } },
            { id = "j", flow = { formula = "rating_table", head = "h", points = [{ level_m = 1, flow = 2 }, { level_m = 1, flow = 3 }] } },
            { id = "k", flow = { formula = "rating_table", head = "h", points = [{ level_m = 1, flow = 2 }, { level_m = 2, flow = 1 }] } },
            { id = "l", flow = { formula = "rating_power", head = "h", segments = [] } },
            { id = "m", flow = { formula = "rating_power", head = "h", segments = [{ from_m = 2, to_m = 1, a = 1, zero_m = 0, exponent = 2 }] } },
            { id = "n", flow = { gauge = "q" }, from = "2024-02-30", to = "2024-01-01" },
            { id = "o", flow = { gauge = "q" }, from = "2024-02-01", to = "2024-01-01" },
            { id = "p", flow = { formula = "rectangular_weir", head = "h", width_m = 2, channel_width_m = 1, crest_height_m = 1 } },
            { id = "q", flow = { gauge = "q" }, to = "2024-02-01" },
            { id = "r", flow = { gauge = "q" } },
        ]
        "#,
        &expect![[r#"
            station[0].outlet[0].flow: missing; write { gauge = … } or { formula = … }
            station[0].outlet[1].flow.gauge: `x` is not in this file; there are h, q
            station[0].outlet[2].flow.gauge: gauge `h` measures level, not flow
            station[0].outlet[3].flow: must be either { gauge = … } or { formula = … }
            station[0].outlet[4].flow.formula: `magic` is none of v_notch_weir, thomson_weir, rectangular_weir, cipolletti_weir, parshall_flume, sluice_gate, radial_gate, orifice, rating_power, rating_table, turbine, pipe, surface_velocity
            station[0].outlet[5].flow.head: gauge `q` measures flow, not level
            station[0].outlet[5].flow.angle_deg: 10 is not between 20 and 100
            station[0].outlet[5].flow.width_m: unknown key
            station[0].outlet[6].flow.diameter_m: missing; or give `area_m2` in its place
            station[0].outlet[6].flow.area_m2: missing; or give `diameter_m` in its place
            station[0].outlet[7].flow.diameter_m: stands beside `area_m2`; only one of them can count
            station[0].outlet[7].flow.area_m2: stands beside `diameter_m`; only one of them can count
            station[0].outlet[8].flow.tail_zero_m: has no meaning without `tail`
            station[0].outlet[8].flow.throat_m: 0.76 is not a rated width; there are 0.025, 0.051, 0.076, 0.152, 0.228, 0.25, 0.3, 0.45, 0.6, 0.75, 0.9, 1, 1.2, 1.5, 1.8, 2.1, 2.4
            station[0].outlet[9].flow.points[1].level_m: must be above that of the row before
            station[0].outlet[10].flow.points: must neither fall nor be negative in its second column
            station[0].outlet[11].flow.segments: holds no row; each is { from_m = …, to_m = …, a = …, zero_m = …, exponent = … }
            station[0].outlet[12].flow.segments: each must have to_m above from_m, begin where the one before ends, zero_m at most from_m, a and exponent above 0
            station[0].outlet[13].from: `2024-02-30` is not a date; write it as 2024-01-01
            station[0].outlet[14].to: 2024-01-01 is not after `from`, 2024-02-01; it is the first day without
            station[0].outlet[15].flow.width_m: is wider than `channel_width_m`
            station[0].outlet: outlets `n` and `q` both count gauge `q` at one time
            station[0].outlet: outlets `n` and `r` both count gauge `q` at one time"#]],
    );
}

#[test]
fn a_mandate_is_checked_throughout() {
    check_added(
        r#"
        mandate = [
            { document = "1", from = "2024-01-01", rule = "hourly", seasons = [{ from = "01-01", flow = 1 }] },
            { document = "2", from = "2024-01-01", rule = "hourly", seasons = [{ from = "01-01", flow = 1 }] },
            { document = "3", from = "2025-01-01", to = "2027-01-01", rule = "hourly", seasons = [{ from = "01-01", flow = 1 }] },
            { document = "4", from = "2026-01-01", rule = "hourly", seasons = [{ from = "01-01", flow = 1 }] },
            { document = "5", from = "2024-01-01", rule = "daily", section = "tail", seasons = [] },
            { document = "6", rule = "hourly", seasons = [{ from = "04-01", flow = 1 }, { from = "04-01", flow = 2 }] },
            { from = "2029", seasons = [{ from = "02-30", flow = -1 }, { from = "2-1", flow = 0.1234567 }] },
        ]
        "#,
        &expect![[r#"
            station[0].mandate[1].from: overlaps «1», which begins on 2024-01-01 at section `dam` too
            station[0].mandate[4].section: no outlet leads to section `tail`; some lead to dam
            station[0].mandate[4].seasons: no season; give at least one, such as { from = "01-01", flow = 1.20 }
            station[0].mandate[4].rule: `daily` is not in this file; there are hourly
            station[0].mandate[5].from: missing; write it as 2024-01-01
            station[0].mandate[5].seasons: two seasons begin on 04-01
            station[0].mandate[6].document: missing
            station[0].mandate[6].from: `2029` is not a date; write it as 2024-01-01
            station[0].mandate[6].seasons[0].from: `02-30` is not a day of the year; write it as 04-01
            station[0].mandate[6].seasons[0].flow: -1 m3/s is not between 0 and 100000
            station[0].mandate[6].seasons[1].from: `2-1` is not a day of the year; write it as 04-01
            station[0].mandate[6].seasons[1].flow: `0.1234567` has more than 6 decimals
            station[0].mandate[6].rule: missing
            station[0].mandate: «3» at section `dam` ends after «4» begins on 2026-01-01; leave its `to` out"#]],
    );
    check(
        r#"
        [[station]]
        id = "A"
        mandate = [{ document = "1", from = "2024-01-01", rule = "hourly" }]
        "#,
        &expect![[r#"
            station[0].mandate[0].section: the station has no outlet, so nothing could be judged
            station[0].mandate[0].seasons: no season; give at least one, such as { from = "01-01", flow = 1.20 }
            station[0].mandate[0].rule: `hourly` is not in this file, nor is any other"#]],
    );
}

#[test]
fn a_rule_that_can_never_find_anything_short_is_refused() {
    check(
        r#"
        rule = [
            { id = "a", statistic = "below_for" },
            { id = "b", statistic = "hourly_mean", below_for = "30m" },
            { id = "c", statistic = "median", factor = 0, hour_coverage = 1.1, day_valid_hours = 25 },
            { id = "d", statistic = "hourly_mean", day_hours_met = "0/24", late_close_day = 0 },
            { id = "e", statistic = "hourly_mean", day_hours_met = "25/24", missing = "met" },
            { id = "f", statistic = "below_for", below_for = "60d", day_start = "24:00", pass_rate = 80 },
            { id = "f", statistic = "instantaneous", factor = "1e-1" },
            { id = "g", statistic = "hourly_mean", day_start = "08:30" },
            { id = "h", statistic = "daily_mean", factor = "0.3333333333333333", hour_coverage = "0.7500001" },
        ]
        "#,
        &expect![[r#"
            rule[0].below_for: missing: how long below makes it short? write it as 30m
            rule[1].below_for: belongs to statistic = "below_for" alone
            rule[2].statistic: `median` is none of instantaneous, hourly_mean, running_hour, daily_mean, below_for
            rule[2].factor: must be above 0
            rule[2].hour_coverage: 1.1 is not between 0 and 1
            rule[2].day_valid_hours: 25 is not a whole number from 1 to 24
            rule[3].day_hours_met: can never find a day short, since no hour need be met; write 22/24
            rule[3].late_close_day: 0 is not a whole number from 1 to 28
            rule[4].day_hours_met: `25/24` is not a share of counted things; write it as 22/24
            rule[4].missing: `met` is none of short, indeterminate
            rule[5].below_for: 60d is not between 1s and 31d
            rule[5].day_start: 24:00 begins no day; write 00:00
            rule[5].pass_rate: 80 is not between 0 and 1
            rule[6].factor: `1e-1` is not a decimal number; write it as 0.075
            rule[6].id: another rule has the id `f` already
            rule[7].day_start: a day is made of clock hours and begins with one; write it as 08:00
            rule[8].factor: has more than 6 decimals
            rule[8].hour_coverage: has more than 6 decimals"#]],
    );
}

#[test]
fn an_alarm_rule_that_can_never_fire_is_refused() {
    let rules = r#"alarm_rule = [
            { id = "a", kind = "below_mandate", stations = [], severity = "purple" },
            { id = "b", kind = "below_mandate", stations = ["BF-1", "BF-2", "county:999999", "kind:sky", "kind:air"], severity = "red", ladder = "duty" },
            { id = "c", kind = "below_mandate", stations = ["BF-1"], severity = "red" },
            { id = "d", kind = "forecast_short", section = "tail", severity = "red" },
            { id = "e", kind = "threshold", gauge = "ph", above = 5, below = 6, severity = "red" },
            { id = "f", kind = "threshold", gauge = "level", severity = "red" },
            { id = "g", kind = "range", gauge = "level", severity = "red" },
            { id = "h", kind = "flat_line", severity = "red", hours = 5 },
            { id = "i", kind = "rate", gauge = "level", change = 0, severity = "red" },
            { id = "j", kind = "thunder", severity = "red" },
            { id = "k", kind = "below_mandate", severity = "blue" },
        ]"#;
    check(
        &format!("{rules}\n{SMALL}"),
        &expect![[r#"
            alarm_rule[0].stations: names no station, so the rule can never fire; write ["*"]
            alarm_rule[0].severity: `purple` is none of blue, yellow, orange, red
            alarm_rule[1].stations: `BF-2` is not in this file; there are BF-1
            alarm_rule[1].stations: `county:999999` matches no station of this file
            alarm_rule[1].stations: `kind:sky` names no stations; write *, a station's id, county:620721 or kind:air
            alarm_rule[1].stations: `kind:air` matches no station of this file
            alarm_rule[1].ladder: `duty` is not in this file, nor is any other
            alarm_rule[2].stations: the rule can never fire: none of these stations has a mandate there
            alarm_rule[3].section: the rule can never fire: none of these stations has a mandate there
            alarm_rule[4].above: must be higher than `below`, else the rule always fires
            alarm_rule[4].gauge: the rule can never fire: none of its stations has this gauge
            alarm_rule[5]: can never fire without `above` or `below`
            alarm_rule[6].gauge: the rule can never fire: the gauge has no range
            alarm_rule[7].on_delay: says for how long the value may stand still; 1m at least
            alarm_rule[7].hours: unknown key
            alarm_rule[8].change: must be above 0
            alarm_rule[8].per: missing
            alarm_rule[9].kind: `thunder` is none of below_mandate, no_data, agent_offline, forecast_short, threshold, range, rate, flat_line, spool_low, clock, fork"#]],
    );
}

#[test]
fn one_limit_is_not_compared_in_two_units() {
    check(
        r#"
        alarm_rule = [{ id = "a", kind = "threshold", gauge = "h", above = 5, severity = "red" }]
        [[station]]
        id = "A"
        gauge = [{ id = "h", quantity = "level", unit = "m", interval = "5s" }]
        [[station]]
        id = "B"
        gauge = [{ id = "h", quantity = "level", unit = "cm", interval = "5s" }]
        "#,
        &expect![
            "alarm_rule[0].gauge: has the unit m at one station and cm at another; make two rules"
        ],
    );
}

#[test]
fn somebody_can_always_be_told() {
    check(
        r#"
        [[contact]]
        id = "mute"
        [[contact]]
        id = "nowhere"
        reach = [{ channel = "sms", to = "" }, { channel = "s m s" }]
        locale = "fr"
        "#,
        &expect![[r#"
            contact[0].reach: names no way to reach this contact; write { channel = …, to = … }
            contact[1].reach[0].to: is empty
            contact[1].reach[1].channel: `s m s` is not a channel id: 1 to 64 of A-Z a-z 0-9 . _ -, beginning with a letter or a digit
            contact[1].reach[1].to: missing
            contact[1].locale: `fr` is none of zh, en"#]],
    );
    check_added(
        r#"
        [[rota]]
        id = "empty"
        [[rota]]
        id = "office"
        shift = [{ contacts = ["zhang"], days = ["mon", "tue"], from = "08:00", to = "18:00" }]
        [[rota]]
        id = "ghosts"
        shift = [{ contacts = ["li", "zhang", "zhang"] }, { contacts = [] }, { contacts = ["zhang"], days = ["mon", "mon"] }, { contacts = ["zhang"], days = [], from = "24:00" }]
        rotation = [{ contacts = ["zhang"] , starts = "2026-01-05", every = "36h" }, { contacts = ["zhang"], starts = "soon", every = "0d" }]
        [[ladder]]
        id = "nobody"
        steps = []
        [[ladder]]
        id = "wrong"
        steps = [{ contact = "zhang", after = "10m" }, { rota = "city", after = "5m" }, { after = "1h" }, { contact = "li", rota = "office" }]
        "#,
        &expect![[r#"
            rota[0]: has a hole: nobody is on duty from mon 00:00 on
            rota[1]: has a hole: nobody is on duty from mon 00:00 on
            rota[2].shift[0].contacts: `li` is not in this file; there are zhang
            rota[2].shift[0].contacts: names zhang twice
            rota[2].shift[1].contacts: names nobody
            rota[2].shift[2].days: names mon twice
            rota[2].shift[3].days: names no day; leave it out for every day
            rota[2].shift[3].from: 24:00 begins nothing; write 00:00
            rota[2].rotation[0].every: a turn lasts whole days; write it as 7d
            rota[2].rotation[1].starts: `soon` is not a date; write it as 2024-01-01
            rota[2].rotation[1].every: 0s is not between 1d and 366d
            ladder[0].steps: names nobody; write { contact = …, after = "0s" }
            ladder[1].steps[1].after: is earlier than the step before; put the steps in order
            ladder[1].steps[1].rota: `city` is not in this file; there are empty, ghosts, office
            ladder[1].steps[2]: must name one to tell: either a contact or a rota
            ladder[1].steps[3].after: is earlier than the step before; put the steps in order
            ladder[1].steps[3].contact: `li` is not in this file; there are zhang
            ladder[1].steps[3]: must name one to tell: either a contact or a rota"#]],
    );
}

#[test]
fn a_rule_test_is_checked_throughout() {
    check_added(
        r#"
        [[rule_test]]
        id = "a"
        rule = "daily"
        required = 1
        interval = "1m"
        series = "45x1.20 15x-"
        [[rule_test]]
        id = "b"
        rule = "hourly"
        required = -1
        interval = "1m"
        from = "2026-04-01T00:00:00"
        series = "0x1"
        expect = [{ by = "hour", from = "2026-04-01T00:30:00+08:00", verdict = "met" }]
        [[rule_test]]
        id = "b"
        rule = "hourly"
        required = 1
        interval = "1m"
        from = "2026-04-01T00:00:00+08:00"
        series = "99999999999x1"
        samples = [{ at = "2026-04-01T00:00:00+08:00", value = 1 }, { at = "2026-04-01T00:00:00+08:00", value = 1 }]
        exempt = [{ from = "2026-04-02T00:00:00+08:00", to = "2026-04-01T00:00:00+08:00" }]
        expect = [{ by = "day", from = "2026-04-01T08:00:00+08:00", verdict = "good" }, { by = "month" }]
        "#,
        &expect![[r#"
            rule_test[0].rule: `daily` is not in this file; there are hourly
            rule_test[0].from: missing: when is the first sample of the series?
            rule_test[0].expect: expects nothing; write { by = …, from = …, verdict = … }
            rule_test[1].required: -1 m3/s is not between 0 and 100000
            rule_test[1].from: `2026-04-01T00:00:00` is not a moment; write it as 2026-11-22T08:00:00+08:00
            rule_test[1].series: `0x1` is not a run; write it as 12x0.75
            rule_test[1].expect[0].from: no clock hour begins then
            rule_test[2].series: `99999999999x1` is not a run; write it as 12x0.75
            rule_test[2].samples[1].at: is not after the sample before
            rule_test[2]: must hold either `series` with `from`, or `samples`
            rule_test[2].exempt[0].to: is not after `from`; it is the first moment without
            rule_test[2].expect[0].verdict: `good` is none of met, short, exempt, indeterminate
            rule_test[2].expect[0].from: the rule's day begins at 00:00
            rule_test[2].expect[1].by: `month` is none of hour, day
            rule_test[2].expect[1].from: missing
            rule_test[2].expect[1].verdict: missing
            rule_test[2].id: another rule_test has the id `b` already"#]],
    );
}

#[test]
fn numbers_are_read_as_they_were_written() {
    // As binary floating point, the first would be 0.3 and the second would be lost.
    for (flow, is_read) in [("0.30000000000000001", false), ("\"0.300000\"", true)] {
        let season = format!("{{ from = \"01-01\", flow = {flow} }}");
        let mandate = format!(
            "{SMALL}\nmandate = [{{ document = \"1\", from = \"2024-01-01\", rule = \"hourly\", seasons = [{season}] }}]"
        );
        assert_eq!(parsed(&mandate).is_ok(), is_read, "{flow}");
    }
}

/// Lines of the example, each kept, doubled, left out, or spoiled at one place.
fn spoiled() -> impl Strategy<Value = String> {
    let lines = EXAMPLE.lines().count();
    let change = (0..lines, 0..4_u8, 0..60_usize, "[ -~]{0,3}");
    prop::collection::vec(change, 1..6).prop_map(|changes| {
        let mut lines: Vec<String> = EXAMPLE.lines().map(str::to_owned).collect();
        for (index, what, place, text) in changes {
            let line = &mut lines[index];
            match what {
                0 => line.clear(),
                1 => *line = format!("{line}\n{line}"),
                2 => {
                    let place = line.floor_char_boundary(place);
                    line.insert_str(place, &text);
                }
                _ => {
                    let place = line.floor_char_boundary(place);
                    line.truncate(place);
                }
            }
        }
        lines.join("\n")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_text_is_a_registry_or_faults(text in any::<String>()) {
        prop_assert!(parsed(&text).map_or_else(|faults| !faults.0.is_empty(), |_| true));
    }

    #[test]
    fn a_spoiled_registry_is_read_back_the_same_or_has_faults(text in spoiled()) {
        match parsed(&text) {
            Ok(registry) => {
                let texts = canonical::personal_texts(&registry);
                let mut ids = 0..;
                let document = canonical::write(&registry, |_| {
                    ids.next().map(|id| canonical::Kept { id, digest: [0; 32] }).ok_or(())
                });
                let find = |kept: canonical::Kept| {
                    usize::try_from(kept.id).ok().and_then(|id| texts.get(id).cloned())
                };
                let read = canonical::read(&document.unwrap(), find);
                prop_assert_eq!(read.as_ref(), Ok(&registry));
                prop_assert_eq!(parsed(&export(&registry)), Ok(registry));
            }
            Err(faults) => prop_assert!(!faults.0.is_empty()),
        }
    }
}

#[test]
fn a_river_flows_into_one_that_is_known_at_a_place_and_never_in_a_circle() {
    let with = |text: &str| format!("{text}\n[[station]]\nid = \"A\"\nriver = \"黑河\"");
    let river = |name: &str, rest: &str| format!("[[river]]\nname = \"{name}\"\n{rest}\n");
    let sound =
        [river("a", "into = \"黑河\"\ninto_order = 5"), river("b", "into = \"a\"\ninto_order = 1")];
    check(&with(&sound.concat()), &expect![["ok"]]);
    check(
        &with(&[river("a", "into = \"c\"\ninto_order = 5"), river("a", "into_order = 1")].concat()),
        &expect![[r#"
            river[1].into_order: stands beside `into`, and neither without the other
            river[1].name: another river is called `a` already
            river[0].into: no station and no [[river]] names a river `c`"#]],
    );
    check(
        &with(
            &[
                river("a", "into = \"b\"\ninto_order = 5"),
                river("b", "into = \"a\"\ninto_order = 1"),
            ]
            .concat(),
        ),
        &expect!["river: the water of `a` comes back to it"],
    );
    let zone = "zone = \"UTC\"\n[[county]]\nid = \"620721\"\nname = \"肃南\"\n[[station]]\nid = \"A\"\n[[station]]\nid = \"B\"\nzone = \"Asia/Urumqi\"";
    let registry = parsed(zone).unwrap();
    assert_eq!(registry.zone.as_ref().map(model::time::Zone::name), Some("UTC"));
    let zones: Vec<_> = registry.stations.values().map(|station| station.zone.name()).collect();
    assert_eq!(zones, ["UTC", "Asia/Urumqi"]);
    assert_eq!(registry.counties.values().collect::<Vec<_>>(), ["肃南"]);
    assert_eq!(parsed(&export(&registry)).unwrap(), registry);
}
