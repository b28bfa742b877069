//! `[[bus.device.register]]`: one register, its keys checked against one another.

use model::{
    ids::GaugeId,
    quantity::{Decimal, NumberError, Unit},
    tree,
};

use super::{bus::Taken, device::Addressing};
use crate::register::{Kind, Order, Register, Scaling, Table};

/// What a masked word is called in the settings; its mask stands under a key of its own.
const BITS: Kind = Kind::Bits { mask: 1 };

const KINDS: [(&str, Kind); 12] = [
    ("u16", Kind::U16),
    ("i16", Kind::I16),
    ("u32", Kind::U32),
    ("i32", Kind::I32),
    ("u64", Kind::U64),
    ("i64", Kind::I64),
    ("f32", Kind::F32),
    ("f64", Kind::F64),
    ("bcd16", Kind::Bcd16),
    ("bcd32", Kind::Bcd32),
    ("bool", Kind::Bool),
    ("bits", BITS),
];

pub(super) fn register(
    table: &tree::Table<'_>,
    addressing: Addressing,
    max_registers: u16,
    taken: &mut Taken,
) -> Option<Register> {
    let source = taken.source();
    let gauge = gauge(table, taken);
    let tables = [Table::Coil, Table::Discrete, Table::Holding, Table::Input];
    let place = table.one_of("table", &tables.map(|table| (table.name(), table))).required();
    let (written, kind) = kind(table, place);
    if let Some(kind) = kind
        && kind.width() > max_registers
    {
        let (width, key) = (kind.width(), "type");
        table.fault(key, format!("{kind} takes {width} words, max_registers is {max_registers}"));
    }
    let address = address(table, addressing, kind);
    let order = order(table, kind);
    let numbers = numbers(table, kind);
    let unit = unit(table, written);
    let numbers = numbers?;
    Some(Register {
        source,
        gauge: gauge?,
        table: place?,
        address: address?,
        kind: kind?,
        order: order?,
        scale: numbers.scale,
        offset: numbers.offset,
        decimals: numbers.decimals,
        asked_decimals: numbers.asked_decimals,
        unit: unit?,
        alert_below: numbers.alert_below,
        scaling: numbers.scaling,
    })
}

fn gauge(table: &tree::Table<'_>, taken: &mut Taken) -> Option<GaugeId> {
    let gauge: GaugeId = table.parse("gauge").required()?;
    if !taken.gauge(&gauge) {
        table.fault("gauge", format!("`{gauge}` is read from another register already"));
    }
    Some(gauge)
}

/// The type as written, and the one that all its keys agree on.
fn kind(table: &tree::Table<'_>, place: Option<Table>) -> (Option<Kind>, Option<Kind>) {
    let is_written = table.has("type");
    let written = match place {
        Some(place) if place.has_bits() && !is_written => Some(Kind::Bool),
        Some(_) | None => table.one_of("type", &KINDS).required(),
    };
    let bit = table.integer("bit", 0..=15).optional().map(|bit: u8| 1_u16 << bit);
    let mask = table.integer("mask", 1..=u16::MAX).optional();
    let masks = [("bit", table.has("bit")), ("mask", table.has("mask"))];
    let agreed = match (written, masks.map(|(_, is_written)| is_written)) {
        (Some(Kind::Bits { .. }), [true, true]) => {
            table.fault("mask", "beside `bit`; write one of both");
            None
        }
        (Some(Kind::Bits { .. }), [false, false]) => {
            table.fault("bit", "missing; write `bit`, or `mask` for several");
            None
        }
        (Some(Kind::Bits { .. }), _) => bit.or(mask).map(|mask| Kind::Bits { mask }),
        (Some(kind), _) => {
            for (key, _) in masks.iter().filter(|(_, is_written)| *is_written) {
                table.fault(key, format!("is for type \"bits\", not for {kind}"));
            }
            Some(kind)
        }
        (None, _) => None,
    };
    match (written, place.map(Table::has_bits)) {
        (Some(Kind::Bool), Some(false)) => {
            let instead = "for a bit of a word write \"bits\" and `bit`";
            table.fault("type", format!("`bool` is for coil and discrete; {instead}"));
            (written, None)
        }
        (Some(kind), Some(true)) if kind != Kind::Bool => {
            table.fault("type", "a coil or discrete input is one bit; its type is bool");
            (written, None)
        }
        (_, _) => (written, agreed),
    }
}

fn address(table: &tree::Table<'_>, addressing: Addressing, kind: Option<Kind>) -> Option<u16> {
    let first = match addressing {
        Addressing::ZeroBased => 0,
        Addressing::OneBased => 1,
    };
    let address = table.integer("address", 0..=65_536).and_then(|written: u32| {
        let Some(on_wire) = written.checked_sub(first) else {
            return Err("addressing is one_based: the first address is 1".to_owned());
        };
        let width = kind.map_or(1, Kind::width);
        let has_room = u32::from(width) + on_wire <= 65_536;
        let address = u16::try_from(on_wire).ok().filter(|_| has_room);
        let last = u32::from(u16::MAX) + first;
        address.ok_or_else(|| format!("from {written} on it ends past the last address, {last}"))
    });
    address.required()
}

fn order(table: &tree::Table<'_>, kind: Option<Kind>) -> Option<Order> {
    let Some(kind) = kind else {
        let _unchecked = table.text("order").optional(); // which ones there are hangs on the type
        return None;
    };
    let width = kind.width();
    let orders = Order::ALL.map(|order| (order.name(width), order));
    let words = match (kind, width) {
        (Kind::Bool, _) => {
            if table.has("order") {
                table.fault("order", "one bit has no order");
            }
            return Some(Order::Big);
        }
        (_, 1) => vec![("ab", Order::Big), ("ba", Order::BytesSwapped)],
        (_, _) => orders.to_vec(),
    };
    Some(table.one_of("order", &words).or(Order::Big))
}

/// The numbers of a register that belong together.
struct Numbers {
    scale: Decimal,
    offset: Decimal,
    decimals: u8,
    asked_decimals: Option<u8>,
    scaling: Scaling,
    alert_below: Option<i64>,
}

fn numbers(table: &tree::Table<'_>, kind: Option<Kind>) -> Option<Numbers> {
    let one = Decimal { units: 1, decimals: 0 };
    let scale = table.decimal("scale").and_then(|text| parsed(&text)).and_then(scale).or(one);
    let offset = table.decimal("offset").and_then(|text| parsed(&text)).or(Decimal::ZERO);
    let finest =
        if kind.is_some_and(Kind::is_float) { 6 } else { scale.decimals.max(offset.decimals) };
    let asked_decimals = table.integer("decimals", 0..=Scaling::MAX_DECIMALS).optional();
    let decimals = asked_decimals.unwrap_or(finest);
    // what scale and offset have, somebody wrote
    let is_default = asked_decimals.is_none() && kind.is_some_and(Kind::is_float);
    let asked_decimals = (!is_default).then_some(decimals);
    let alert = table.decimal("alert_below");
    let alert_below = alert.and_then(|text| Decimal::parse_exact(&text, decimals)).optional();
    let scaling = Scaling::new(scale, offset, decimals)?;
    Some(Numbers { scale, offset, decimals, asked_decimals, scaling, alert_below })
}

fn parsed(text: &str) -> Result<Decimal, String> {
    let number: Decimal = text.parse().map_err(|error: NumberError| error.to_string())?;
    let limit = Scaling::MAX_DECIMALS;
    if number.decimals > limit {
        return Err(format!("`{text}` has more than {limit} decimals"));
    }
    Ok(number)
}

fn scale(scale: Decimal) -> Result<Decimal, String> {
    if Scaling::new(scale, Decimal::ZERO, 0).is_some() {
        return Ok(scale);
    }
    let limit = Scaling::MAX_SCALE;
    Err(format!("{scale} is not a scale: not 0, and at most {limit} either way"))
}

fn unit(table: &tree::Table<'_>, kind: Option<Kind>) -> Option<Box<str>> {
    let unit = table.text("unit").and_then(|text| {
        Unit::named(&text).map(|unit| unit.name().into()).ok_or_else(|| {
            format!("`{text}` is no unit; write m3/s, l/s, m3/h, m, mm, V, degC, mg/L or another of docs/registry.md")
        })
    });
    match kind {
        Some(Kind::Bool | Kind::Bits { .. }) => Some(unit.or("1".into())),
        Some(_) | None => unit.required(),
    }
}
