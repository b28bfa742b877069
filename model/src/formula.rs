//! Formulas from gauges to a flow: which there are, and what each needs, as data.

use std::collections::BTreeMap;

use crate::{ids::GaugeName, quantity::Decimal, words::words};

words! {
    /// A formula from gauges to a flow; `docs/registry.md` lists the keys of each.
    FormulaKind {
        /// Triangular thin-plate weir (ISO 1438).
        VNotchWeir = "v_notch_weir",
        /// Triangular weir of 90° by Thomson's formula.
        ThomsonWeir = "thomson_weir",
        /// Rectangular thin-plate weir (ISO 1438, Kindsvater–Carter).
        RectangularWeir = "rectangular_weir",
        /// Trapezoidal weir with sides of 1:4.
        CipollettiWeir = "cipolletti_weir",
        /// Parshall flume (ISO 9826).
        ParshallFlume = "parshall_flume",
        /// Flat gate over a level floor.
        SluiceGate = "sluice_gate",
        /// Gate on an arm (弧形闸门).
        RadialGate = "radial_gate",
        /// Hole through a dam.
        Orifice = "orifice",
        /// Level to flow by a power law in segments.
        RatingPower = "rating_power",
        /// Level to flow by a table.
        RatingTable = "rating_table",
        /// Flow from a turbine's power and head.
        Turbine = "turbine",
        /// Full pipe by velocity and area.
        Pipe = "pipe",
        /// River section by surface velocity and level.
        SurfaceVelocity = "surface_velocity",
    }
}

/// A formula with everything it needs, each by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formula {
    /// Which one.
    pub kind: FormulaKind,
    /// What [`FormulaKind::parameters`] asks for, by name; what is optional may be missing.
    pub parameters: BTreeMap<&'static str, Parameter>,
}

/// What stands under one key of a formula.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parameter {
    /// A gauge of the same station.
    Gauge(GaugeName),
    /// A number in the unit that ends the key.
    Number(Decimal),
    /// Rows of numbers, in the columns that the key's [`Form::Rows`] names.
    Rows(Vec<Vec<Decimal>>),
}

impl Formula {
    /// The gauge under `name`.
    pub fn gauge(&self, name: &str) -> Option<&GaugeName> {
        match self.parameters.get(name)? {
            Parameter::Gauge(gauge) => Some(gauge),
            Parameter::Number(_) | Parameter::Rows(_) => None,
        }
    }

    /// The number under `name`.
    pub fn number(&self, name: &str) -> Option<Decimal> {
        match self.parameters.get(name)? {
            Parameter::Number(number) => Some(*number),
            Parameter::Gauge(_) | Parameter::Rows(_) => None,
        }
    }

    /// The rows under `name`; none where it is missing.
    pub fn rows(&self, name: &str) -> &[Vec<Decimal>] {
        match self.parameters.get(name) {
            Some(Parameter::Rows(rows)) => rows,
            Some(Parameter::Gauge(_) | Parameter::Number(_)) | None => &[],
        }
    }

    /// Every gauge that it needs.
    pub fn gauges(&self) -> impl Iterator<Item = &GaugeName> {
        self.parameters.values().filter_map(|parameter| match parameter {
            Parameter::Gauge(gauge) => Some(gauge),
            Parameter::Number(_) | Parameter::Rows(_) => None,
        })
    }
}

/// One key of a formula.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParameterSpec {
    /// The key.
    pub name: &'static str,
    /// Whether it must be there.
    pub need: Need,
    /// What may stand there.
    pub form: Form,
}

/// Whether a key must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It must.
    Required,
    /// It may.
    Optional,
    /// This decimal text stands there where nothing is written.
    Default(&'static str),
    /// It or the other one must, and not both.
    EitherOr(&'static str),
}

/// What may stand under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A gauge of the same station, of the quantity of this name.
    Gauge(&'static str),
    /// A number from the first to the second.
    Number(&'static str, &'static str),
    /// Rows in these columns, the first ascending.
    Rows(&'static [&'static str]),
}

macro_rules! parameters {
    ($($name:literal $need:expr, $form:expr;)+) => {
        &[$(ParameterSpec { name: $name, need: $need, form: $form },)+]
    };
}

const LEVEL: Form = Form::Gauge("level");
const VELOCITY: Form = Form::Gauge("velocity");
const OPENING: Form = Form::Gauge("opening");
const POWER: Form = Form::Gauge("power");
const DATUM: Form = Form::Number("-500", "9000");
const LENGTH: Form = Form::Number("0.001", "1000");
const COEFFICIENT: Form = Form::Number("0.1", "1.5");

impl FormulaKind {
    /// The keys that it takes beside `formula`, in the order in which they are written.
    pub const fn parameters(self) -> &'static [ParameterSpec] {
        match self {
            Self::VNotchWeir => V_NOTCH_WEIR,
            Self::ThomsonWeir => THOMSON_WEIR,
            Self::RectangularWeir => RECTANGULAR_WEIR,
            Self::CipollettiWeir => CIPOLLETTI_WEIR,
            Self::ParshallFlume => PARSHALL_FLUME,
            Self::SluiceGate => SLUICE_GATE,
            Self::RadialGate => RADIAL_GATE,
            Self::Orifice => ORIFICE,
            Self::RatingPower => RATING_POWER,
            Self::RatingTable => RATING_TABLE,
            Self::Turbine => TURBINE,
            Self::Pipe => PIPE,
            Self::SurfaceVelocity => SURFACE_VELOCITY,
        }
    }
}

const V_NOTCH_WEIR: &[ParameterSpec] = parameters! {
    "head" Need::Required, LEVEL;
    "zero_m" Need::Default("0"), DATUM;
    "angle_deg" Need::Required, Form::Number("20", "100");
    "crest_height_m" Need::Optional, LENGTH;
    "channel_width_m" Need::Optional, LENGTH;
    "tail" Need::Optional, LEVEL;
    "tail_zero_m" Need::Optional, DATUM;
};

const THOMSON_WEIR: &[ParameterSpec] = parameters! {
    "head" Need::Required, LEVEL;
    "zero_m" Need::Default("0"), DATUM;
};

const RECTANGULAR_WEIR: &[ParameterSpec] = parameters! {
    "head" Need::Required, LEVEL;
    "zero_m" Need::Default("0"), DATUM;
    "width_m" Need::Required, LENGTH;
    "channel_width_m" Need::Required, LENGTH;
    "crest_height_m" Need::Required, LENGTH;
    "tail" Need::Optional, LEVEL;
    "tail_zero_m" Need::Optional, DATUM;
};

const CIPOLLETTI_WEIR: &[ParameterSpec] = parameters! {
    "head" Need::Required, LEVEL;
    "zero_m" Need::Default("0"), DATUM;
    "width_m" Need::Required, LENGTH;
};

const PARSHALL_FLUME: &[ParameterSpec] = parameters! {
    "head" Need::Required, LEVEL;
    "zero_m" Need::Default("0"), DATUM;
    "throat_m" Need::Required, Form::Number("0.025", "2.4");
    "tail" Need::Optional, LEVEL;
    "tail_zero_m" Need::Optional, DATUM;
};

const SLUICE_GATE: &[ParameterSpec] = parameters! {
    "head" Need::Required, LEVEL;
    "zero_m" Need::Default("0"), DATUM;
    "opening" Need::Required, OPENING;
    "width_m" Need::Required, LENGTH;
    "coefficient" Need::Optional, COEFFICIENT;
    "tail" Need::Optional, LEVEL;
    "tail_zero_m" Need::Optional, DATUM;
};

const RADIAL_GATE: &[ParameterSpec] = parameters! {
    "head" Need::Required, LEVEL;
    "zero_m" Need::Default("0"), DATUM;
    "opening" Need::Required, OPENING;
    "width_m" Need::Required, LENGTH;
    "radius_m" Need::Required, LENGTH;
    "pivot_height_m" Need::Required, LENGTH;
    "coefficient" Need::Optional, COEFFICIENT;
    "tail" Need::Optional, LEVEL;
    "tail_zero_m" Need::Optional, DATUM;
};

const ORIFICE: &[ParameterSpec] = parameters! {
    "head" Need::Required, LEVEL;
    "zero_m" Need::Default("0"), DATUM;
    "diameter_m" Need::EitherOr("area_m2"), LENGTH;
    "area_m2" Need::EitherOr("diameter_m"), LENGTH;
    "coefficient" Need::Default("0.62"), COEFFICIENT;
    "tail" Need::Optional, LEVEL;
    "tail_zero_m" Need::Optional, DATUM;
};

const RATING_POWER: &[ParameterSpec] = parameters! {
    "head" Need::Required, LEVEL;
    "segments" Need::Required, Form::Rows(&["from_m", "to_m", "a", "zero_m", "exponent"]);
};

const RATING_TABLE: &[ParameterSpec] = parameters! {
    "head" Need::Required, LEVEL;
    "points" Need::Required, Form::Rows(&["level_m", "flow"]);
};

const TURBINE: &[ParameterSpec] = parameters! {
    "power" Need::Required, POWER;
    "head" Need::EitherOr("head_m"), LEVEL;
    "head_m" Need::EitherOr("head"), LENGTH;
    "zero_m" Need::Optional, DATUM;
    "efficiency" Need::Required, Form::Number("0.01", "1");
    "rated_kw" Need::Optional, Form::Number("0.1", "1000000");
};

const PIPE: &[ParameterSpec] = parameters! {
    "velocity" Need::Required, VELOCITY;
    "diameter_m" Need::Required, LENGTH;
};

const SURFACE_VELOCITY: &[ParameterSpec] = parameters! {
    "velocity" Need::Required, VELOCITY;
    "head" Need::Required, LEVEL;
    "coefficient" Need::Default("0.85"), COEFFICIENT;
    "points" Need::Required, Form::Rows(&["level_m", "area_m2"]);
};

/// The throat widths in metres for which Parshall flumes are rated (ISO 9826).
pub const PARSHALL_THROATS_M: &[&str] = &[
    "0.025", "0.051", "0.076", "0.152", "0.228", "0.25", "0.3", "0.45", "0.6", "0.75", "0.9", "1",
    "1.2", "1.5", "1.8", "2.1", "2.4",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_parameters_is_sound() {
        for (word, kind) in FormulaKind::WORDS {
            let specs = kind.parameters();
            for spec in specs {
                let alike = specs.iter().filter(|other| other.name == spec.name);
                assert_eq!(alike.count(), 1, "{word}.{}", spec.name);
                if let Need::EitherOr(other) = spec.need {
                    let mutual = |known: &ParameterSpec| {
                        known.name == other && known.need == Need::EitherOr(spec.name)
                    };
                    assert!(specs.iter().any(mutual), "{word}.{}", spec.name);
                }
                match spec.form {
                    Form::Gauge(quantity) => {
                        assert!(crate::quantity::Quantity::named(quantity).is_some());
                    }
                    Form::Number(low, high) => {
                        let (low, high): (Decimal, Decimal) =
                            (low.parse().unwrap(), high.parse().unwrap());
                        assert!(low.compare(high).is_lt());
                    }
                    Form::Rows(columns) => assert!(columns.len() >= 2),
                }
            }
        }
    }
}
