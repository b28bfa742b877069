//! Outlets: a gauge of flow, or a formula with exactly the keys that it takes.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    formula::{Form, Formula, FormulaKind, Need, PARSHALL_THROATS_M, Parameter, ParameterSpec},
    ids::{GaugeName, OutletId, SectionId},
    outlet::{Outlet, OutletFlow},
    quantity::{Decimal, Quantity},
    station::Gauge,
    tree::Table,
};

use super::{Section, field, known};

/// The section of an outlet or a mandate that names none.
pub(super) fn section(table: &Table<'_>) -> Option<SectionId> {
    let named = table.parse("section").optional();
    if table.has("section") { named } else { "dam".parse().ok() }
}

pub(super) fn outlet(
    table: &Table<'_>,
    id: Option<OutletId>,
    gauges: &Section<GaugeName, Gauge>,
    sections: &mut BTreeSet<SectionId>,
) -> Option<Outlet> {
    let section = section(table);
    sections.extend(section.clone());
    let (from, to) = field::from_to(table);
    if !table.has("flow") {
        table.fault("flow", "missing; write { gauge = … } or { formula = … }");
        return None;
    }
    let flow = flow(&table.table("flow"), gauges);
    Some(Outlet { id: id?, section: section?, flow: flow?, from, to })
}

fn flow(table: &Table<'_>, gauges: &Section<GaugeName, Gauge>) -> Option<OutletFlow> {
    match (table.has("gauge"), table.has("formula")) {
        (true, false) => gauge(table, "gauge", "flow", gauges).map(OutletFlow::Gauge),
        (false, true) => formula(table, gauges).map(OutletFlow::Formula),
        (true, true) | (false, false) => {
            table.ignore_rest();
            table.fault("", "must be either { gauge = … } or { formula = … }");
            None
        }
    }
}

/// The gauge under `key`: of this station, and of this quantity.
fn gauge(
    table: &Table<'_>,
    key: &str,
    quantity: &str,
    gauges: &Section<GaugeName, Gauge>,
) -> Option<GaugeName> {
    let name = known(table, key, &gauges.ids, table.parse(key).required())?;
    // A gauge that is itself refused has been told of.
    let measured = gauges.entries.get(&name).map(|gauge| gauge.quantity);
    if measured.is_some_and(|measured| measured.name() != quantity) {
        let measured = measured.map_or("", Quantity::name);
        table.fault(key, format!("gauge `{name}` measures {measured}, not {quantity}"));
        return None;
    }
    Some(name)
}

fn formula(table: &Table<'_>, gauges: &Section<GaugeName, Gauge>) -> Option<Formula> {
    let Some(kind) = table.one_of("formula", FormulaKind::WORDS).required() else {
        table.ignore_rest();
        return None;
    };
    let mut parameters = BTreeMap::new();
    let mut is_sound = true;
    for spec in kind.parameters() {
        match parameter(table, spec, gauges) {
            Ok(found) => parameters.extend(found.map(|parameter| (spec.name, parameter))),
            Err(Refused) => is_sound = false,
        }
    }
    (is_sound && belongs_together(table, kind, &parameters)).then_some(Formula { kind, parameters })
}

/// A parameter whose fault has been noted.
struct Refused;

fn parameter(
    table: &Table<'_>,
    spec: &ParameterSpec,
    gauges: &Section<GaugeName, Gauge>,
) -> Result<Option<Parameter>, Refused> {
    if !table.has(spec.name) {
        return match spec.need {
            Need::Required => {
                table.fault(spec.name, "missing");
                Err(Refused)
            }
            Need::EitherOr(other) if !table.has(other) => {
                table.fault(spec.name, format!("missing; or give `{other}` in its place"));
                Err(Refused)
            }
            Need::Default(text) => Ok(text.parse().ok().map(Parameter::Number)),
            Need::Optional | Need::EitherOr(_) => Ok(None),
        };
    }
    if let Need::EitherOr(other) = spec.need
        && table.has(other)
    {
        table.fault(spec.name, format!("stands beside `{other}`; only one of them can count"));
        return Err(Refused);
    }
    let found = match spec.form {
        Form::Gauge(quantity) => gauge(table, spec.name, quantity, gauges).map(Parameter::Gauge),
        Form::Number(low, high) => {
            field::number(table, spec.name, low, high).optional().map(Parameter::Number)
        }
        Form::Rows(columns) => rows(table, spec.name, columns).map(Parameter::Rows),
    };
    found.map(Some).ok_or(Refused)
}

/// Rows of numbers, each a table with exactly these columns.
fn rows(table: &Table<'_>, key: &str, columns: &[&str]) -> Option<Vec<Vec<Decimal>>> {
    let tables = table.tables(key);
    if tables.is_empty() {
        table.fault(key, format!("holds no row; each is {{ {} = … }}", columns.join(" = …, ")));
    }
    let mut rows: Vec<Vec<Decimal>> = Vec::new();
    let mut is_sound = !tables.is_empty();
    for row in &tables {
        let numbers: Vec<_> = columns
            .iter()
            .map(|column| field::number(row, column, "-100000", "100000").required())
            .collect();
        let Some(numbers) = numbers.into_iter().collect::<Option<Vec<_>>>() else {
            is_sound = false;
            continue;
        };
        let before = rows.last().and_then(|row| row.first().copied());
        let first = numbers.first().copied();
        if before.zip(first).is_some_and(|(before, first)| first.compare(before).is_le()) {
            let column = columns.first().copied().unwrap_or_default();
            row.fault(column, "must be above that of the row before");
            is_sound = false;
        }
        rows.push(numbers);
    }
    is_sound.then_some(rows)
}

/// What one key of a formula asks of another.
fn belongs_together(
    table: &Table<'_>,
    kind: FormulaKind,
    parameters: &BTreeMap<&'static str, Parameter>,
) -> bool {
    let mut problems: Vec<(&str, String)> = Vec::new();
    let number = |name: &str| match parameters.get(name) {
        Some(Parameter::Number(number)) => Some(*number),
        Some(Parameter::Gauge(_) | Parameter::Rows(_)) | None => None,
    };
    let rows = |name: &str| match parameters.get(name) {
        Some(Parameter::Rows(rows)) => rows.as_slice(),
        Some(Parameter::Gauge(_) | Parameter::Number(_)) | None => &[],
    };
    for (zero, gauge) in [("tail_zero_m", "tail"), ("zero_m", "head")] {
        if parameters.contains_key(zero) && !parameters.contains_key(gauge) {
            problems.push((zero, format!("has no meaning without `{gauge}`")));
        }
    }
    if let Some((width, channel)) = number("width_m").zip(number("channel_width_m"))
        && width.compare(channel).is_gt()
    {
        problems.push(("width_m", "is wider than `channel_width_m`".to_owned()));
    }
    if let Some(throat) = number("throat_m").filter(|throat| !is_rated_throat(*throat)) {
        let rated = PARSHALL_THROATS_M.join(", ");
        problems.push(("throat_m", format!("{throat} is not a rated width; there are {rated}")));
    }
    let points = rows("points");
    if points.len() == 1 {
        problems.push(("points", "needs two rows at least".to_owned()));
    }
    let second: Vec<_> = points.iter().filter_map(|row| row.get(1).copied()).collect();
    let falls =
        second.iter().zip(second.iter().skip(1)).any(|(low, high)| high.compare(*low).is_lt());
    if falls || second.iter().any(|number| number.units < 0) {
        problems
            .push(("points", "must neither fall nor be negative in its second column".to_owned()));
    }
    if kind == FormulaKind::RatingPower && !are_segments(rows("segments")) {
        let problem = "each must have to_m above from_m, begin where the one before ends, \
                       zero_m at most from_m, a and exponent above 0";
        problems.push(("segments", problem.to_owned()));
    }
    for (key, problem) in &problems {
        table.fault(key, problem);
    }
    problems.is_empty()
}

fn is_rated_throat(throat: Decimal) -> bool {
    let is_equal = |rated: Decimal| rated.compare(throat).is_eq();
    PARSHALL_THROATS_M.iter().any(|text| text.parse().is_ok_and(is_equal))
}

/// Whether rows of from, to, a, zero, exponent make one rating from the lowest to the highest.
fn are_segments(rows: &[Vec<Decimal>]) -> bool {
    let mut end: Option<Decimal> = None;
    rows.iter().all(|row| {
        let [from, to, a, zero, exponent] = row.as_slice() else { return false };
        let joins = end.is_none_or(|end| from.compare(end).is_eq());
        end = Some(*to);
        let is_positive = a.units > 0 && exponent.units > 0;
        joins && is_positive && to.compare(*from).is_gt() && zero.compare(*from).is_le()
    })
}

/// Refuses two outlets of one section that count the same gauge at the same time.
pub(super) fn refuse_double_counting(station: &Table<'_>, outlets: &Section<OutletId, Outlet>) {
    let mut seen: Vec<&Outlet> = Vec::new();
    for outlet in outlets.entries.values() {
        let OutletFlow::Gauge(gauge) = &outlet.flow else { continue };
        let counted = seen.iter().find(|other| {
            other.section == outlet.section
                && other.gauges() == [gauge]
                && other.to.is_none_or(|to| outlet.from.is_none_or(|from| from < to))
                && outlet.to.is_none_or(|to| other.from.is_none_or(|from| from < to))
        });
        if let Some(other) = counted {
            let (a, b) = (&other.id, &outlet.id);
            let problem = format!("outlets `{a}` and `{b}` both count gauge `{gauge}` at one time");
            station.fault("outlet", problem);
        }
        seen.push(outlet);
    }
}
