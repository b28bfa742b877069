//! Figures out of many measurements, and the table that they are printed in.

use std::fmt;

/// Median, least and greatest of several repetitions.
#[derive(Debug, Clone)]
pub struct Spread(Vec<f64>);

impl Spread {
    /// Of these repetitions, at least one.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        assert!(!values.is_empty(), "nothing was measured");
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// The value below which this share of them lies.
    pub fn at(&self, share: f64) -> f64 {
        let last = self.0.len() - 1;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to `last`")]
        let index = (share * last as f64).round() as usize;
        self.0[index.min(last)]
    }

    /// The one in the middle.
    pub fn median(&self) -> f64 {
        self.at(0.5)
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// With as many decimals as the formatter asks for: the median, and between which values all lie.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = f.precision().unwrap_or(1);
        let show = |value: f64| grouped(value, decimals);
        match self.0.as_slice() {
            [only] => f.write_str(&show(*only)),
            _ => write!(
                f,
                "{} ({} … {}, n = {})",
                show(self.median()),
                show(self.at(0.0)),
                show(self.at(1.0)),
                self.count()
            ),
        }
    }
}

/// A number with a thin mark between thousands.
pub fn grouped(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if fraction.is_empty() { format!("{sign}{out}") } else { format!("{sign}{out}.{fraction}") }
}

/// What was measured, in the order in which it is printed.
#[derive(Debug, Default)]
pub struct Report {
    lines: Vec<[String; 4]>,
}

impl Report {
    /// A line of the table; it is printed at once too, since a run may take long.
    pub fn line(&mut self, row: &str, what: &str, value: impl Into<String>, goal: &str) {
        let value = value.into();
        println!("  {what}: {value}");
        self.lines.push([row.to_owned(), what.to_owned(), value, goal.to_owned()]);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| row | measure | measured | goal |\n|---|---|---|---|")?;
        for [row, what, value, goal] in &self.lines {
            writeln!(f, "| `{row}` | {what} | {value} | {goal} |")?;
        }
        Ok(())
    }
}
