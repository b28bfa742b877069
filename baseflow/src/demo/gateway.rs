//! The gateway of a simulated station: the settings of its agent, and the registers that it polls.

use std::{fmt::Write as _, net::SocketAddr};

use model::{quantity::Decimal, time::Timestamp};

use super::{
    registry::m3_per_s,
    river::{self, Disturbance},
    sites::{FLOW, Gauge, Meter, Plant, Site},
};

/// Where its registers begin.
pub(super) const FIRST: u16 = 100;
/// How often hydropower stations are polled, and others.
const PLANT_PERIOD: &str = "5s";
const MONITOR_PERIOD: &str = "15s";

/// The agent's settings, without secrets. `folder` is where its spool and the password are.
pub(super) fn settings(
    site: &Site,
    (broker, meter): (SocketAddr, SocketAddr),
    folder: &str,
    now: Timestamp,
) -> String {
    let (agent, english) = (site.agent(), site.english);
    let period = if site.plant.is_some() { PLANT_PERIOD } else { MONITOR_PERIOD };
    let mut text = format!(
        "# The gateway at {name} ({english}).\n\n\
         agent = \"{agent}\"\n\n\
         [mqtt]\nurl = \"mqtt://{broker}\"\npassword_file = \"{folder}/{agent}.password\"\n\n\
         [spool]\npath = \"{folder}/{agent}.spool.db\"\nhours = 24\n\n\
         [batch]\nmax_age = \"5s\"\n\n\
         [local]\nlisten = \"127.0.0.1:0\"\n\n\
         [[bus]]\nname = \"meters\"\nurl = \"tcp://{meter}\"\n\n  \
         [[bus.device]]\n  name = \"controller\"\n  unit = 1\n  period = \"{period}\"\n",
        name = site.name
    );
    for (place, register) in (0_u16..).zip(registers(site)) {
        let address = FIRST + 2 * place;
        text += &register.settings(site, address, now);
    }
    text
}

/// One register of a station, 32 bits long.
pub(super) enum Register<'s> {
    /// What is released.
    Flow(&'s Plant),
    /// Anything else.
    Gauge(&'s Gauge),
}

/// All registers in the order of their addresses.
pub(super) fn registers(site: &Site) -> impl Iterator<Item = Register<'_>> {
    let flow = site.plant.iter().map(Register::Flow);
    flow.chain(site.gauges.iter().map(Register::Gauge))
}

impl Register<'_> {
    fn settings(&self, site: &Site, address: u16, now: Timestamp) -> String {
        let table = "holding";
        let (id, kind, unit, scale) = match self {
            Self::Flow(plant) => match plant.meter {
                Meter::Float => (FLOW, "type = \"f32\"\n    order = \"abcd\"", "m3/h", "1"),
                Meter::FloatSwapped => (FLOW, "type = \"f32\"\n    order = \"cdab\"", "m3/h", "1"),
                Meter::Whole => (FLOW, "type = \"u32\"\n    order = \"abcd\"", "m3/s", "0.0001"),
            },
            Self::Gauge(gauge) => {
                let scale = match gauge.decimals {
                    0 => "1",
                    1 => "0.1",
                    2 => "0.01",
                    _ => "0.001",
                };
                (gauge.id, "type = \"i32\"\n    order = \"abcd\"", gauge.unit, scale)
            }
        };
        let mut text = format!(
            "\n    [[bus.device.register]]\n    gauge = \"{}/{id}\"\n    table = \"{table}\"\n    \
             address = {address}\n    {kind}\n    scale = {scale}\n    unit = \"{unit}\"\n",
            site.id
        );
        if let Self::Flow(plant) = self {
            let owed = plant.mandate.at(now.as_ms());
            let limit = match plant.meter {
                Meter::Float | Meter::FloatSwapped => m3_per_h(owed),
                Meter::Whole => m3_per_s(owed),
            };
            if writeln!(text, "    alert_below = {limit}").is_err() {}
        }
        text
    }

    /// Its two words at a moment.
    fn words(&self, site: &Site, at_ms: i64, disturbed: Option<Disturbance>) -> [u16; 2] {
        match self {
            Self::Flow(plant) => {
                let flow = river::flow(site, at_ms, disturbed).unwrap_or(0);
                match plant.meter {
                    Meter::Float => float(m3_per_h(flow)),
                    Meter::FloatSwapped => {
                        let [high, low] = float(m3_per_h(flow));
                        [low, high]
                    }
                    Meter::Whole => halves(u32::try_from(flow / 100).unwrap_or(0)),
                }
            }
            Self::Gauge(gauge) => {
                let value = gauge.shape.at(river::seed(site.id, gauge.id), at_ms);
                halves(u32::try_from(value).unwrap_or(0))
            }
        }
    }
}

/// The word at an address, at a moment; none where there is no register.
pub(super) fn word(
    site: &Site,
    address: u16,
    at_ms: i64,
    disturbed: Option<Disturbance>,
) -> Option<u16> {
    let place = address.checked_sub(FIRST)?;
    let register = registers(site).nth(usize::from(place / 2))?;
    let [first, second] = register.words(site, at_ms, disturbed);
    Some(if place.is_multiple_of(2) { first } else { second })
}

/// Millilitres a second are 3.6 l/h each: exactly, with four decimals of a m³/h.
fn m3_per_h(ml_per_s: i64) -> Decimal {
    Decimal { units: ml_per_s * 36, decimals: 4 }
}

/// The nearest number that 32 bits hold.
fn float(value: Decimal) -> [u16; 2] {
    let nearest: f32 = value.to_string().parse().unwrap_or(f32::NAN);
    halves(nearest.to_bits())
}

const fn halves(bits: u32) -> [u16; 2] {
    let [a, b, c, d] = bits.to_be_bytes();
    [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]
}

#[cfg(test)]
mod tests {
    use model::tree::Origin;

    use super::*;
    use crate::demo::sites::SITES;

    fn now() -> Timestamp {
        "2026-11-26T10:00:00+08:00".parse().unwrap()
    }

    #[test]
    fn the_settings_of_every_gateway_are_sound_and_name_gauges_of_its_station() {
        let registry = store::registry::parse(&super::super::registry::text(), &Origin::Default);
        let registry = registry.unwrap();
        let address: SocketAddr = "127.0.0.1:1883".parse().unwrap();
        let folder = tempfile::tempdir().unwrap();
        for site in &SITES {
            let file = folder.path().join("gw.toml");
            std::fs::write(&file, settings(site, (address, address), "x", now())).unwrap();
            let config = edge_agent::shell::agent::load(&file).unwrap().config;
            for source in config.sources().iter() {
                let gauge = registry.gauge(site.id, source.gauge.name.as_str());
                assert!(gauge.is_some(), "{}", source.gauge);
            }
        }
    }

    #[test]
    fn words_say_the_flow_in_each_meters_own_way() {
        let at = now().as_ms();
        for site in SITES.iter().filter(|site| site.plant.is_some()) {
            let flow = river::flow(site, at, None).unwrap();
            let [first, second] =
                [FIRST, FIRST + 1].map(|address| u32::from(word(site, address, at, None).unwrap()));
            let bits = |high: u32, low: u32| high << 16 | low;
            let told = match site.plant.as_ref().unwrap().meter {
                Meter::Whole => i64::from(bits(first, second)) * 100,
                Meter::Float => ml(f32::from_bits(bits(first, second))),
                Meter::FloatSwapped => ml(f32::from_bits(bits(second, first))),
            };
            assert!((told - flow).abs() <= 100, "{}: {told} for {flow}", site.id);
        }
        assert_eq!(word(&SITES[0], FIRST - 1, at, None), None);
        assert_eq!(word(&SITES[0], FIRST + 4, at, None), None);
    }

    /// The nearest millilitre a second to m³/h.
    fn ml(m3_per_h: f32) -> i64 {
        format!("{:.0}", f64::from(m3_per_h) / 0.0036).parse().unwrap()
    }
}
