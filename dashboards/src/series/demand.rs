//! What is mandated of a section through a time, step by step.

use model::{
    flow::Flow,
    quantity::Decimal,
    release::Duty,
    section::Section,
    time::{Span, Timestamp},
};

/// A stretch through which the same is demanded, or nothing is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demanded {
    /// Through which.
    pub span: Span,
    /// What; `None`: nothing.
    pub demand: Option<Demand>,
}

/// What is demanded, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// What has to be released.
    pub required: Flow,
    /// The share of it that is enough, by the rule.
    pub factor: Decimal,
    /// The document that demands it.
    pub document: String,
    /// The rule that judges it.
    pub rule: String,
}

impl Demand {
    /// The least whole flow that is enough.
    pub fn enough(&self) -> Flow {
        let required = self.required.as_ml_per_s();
        let duty = Duty { steps: &[], factor: self.factor, exempt: &[] };
        Flow::from_ml_per_s(duty.enough(required))
    }
}

/// What is demanded of a section through `span`, in stretches that adjoin.
pub fn demands(section: &Section<'_>, span: Span) -> Vec<Demanded> {
    let zone = &section.station().zone;
    let mut stretches: Vec<Demanded> = Vec::new();
    let mut date = Some(zone.date_of(span.from));
    while let Some(civil) = date.filter(|date| zone.start_of_day(*date) < span.to) {
        let next = civil.tomorrow().ok();
        let from = zone.start_of_day(civil).max(span.from);
        let to = next.map_or(Timestamp::MAX, |next| zone.start_of_day(next)).min(span.to);
        let demand = section.demand_at(from).map(|demand| Demand {
            required: demand.mandate.seasons.flow_on(civil),
            factor: demand.rule.factor,
            document: demand.mandate.document.clone(),
            rule: demand.rule.id.to_string(),
        });
        match stretches.last_mut().filter(|known| known.demand == demand) {
            Some(known) => known.span.to = to,
            None if from < to => stretches.push(Demanded { span: Span { from, to }, demand }),
            None => {}
        }
        date = next;
    }
    stretches
}

#[cfg(test)]
mod tests {
    use model::tree::Origin;

    use super::*;

    #[test]
    fn what_is_demanded_steps_at_midnight_and_is_nothing_before_the_first_mandate() {
        let text = r#"
            [[station]]
            id = "A"
            gauge = [ { id = "q", quantity = "flow", unit = "m3/s", interval = "1m" } ]
            outlet = [ { id = "q", flow = { gauge = "q" } } ]
            mandate = [ { document = "D", from = "2026-03-30", seasons = [ { from = "01-01", flow = 1 }, { from = "04-01", flow = 2 } ], rule = "r" } ]
            [[rule]]
            id = "r"
            statistic = "hourly_mean"
            factor = 0.9
        "#;
        let registry = store::registry::parse(text, &Origin::Default).unwrap();
        let section = Section::judged(&registry).next().unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let span =
            Span { from: at("2026-03-28T12:00:00+08:00"), to: at("2026-04-02T12:00:00+08:00") };
        let shown: Vec<String> = demands(&section, span)
            .iter()
            .map(|known| {
                let zone = &section.station().zone;
                let required = known
                    .demand
                    .as_ref()
                    .map(|demand| format!("{}, {} is enough", demand.required, demand.enough()));
                let required = required.unwrap_or_else(|| "nothing".to_owned());
                let [from, to] = [known.span.from, known.span.to].map(|end| end.in_zone(zone));
                format!("{from} to {to}: {required}")
            })
            .collect();
        assert_eq!(
            shown,
            [
                "2026-03-28 12:00:00 to 2026-03-30 00:00:00: nothing",
                "2026-03-30 00:00:00 to 2026-04-01 00:00:00: 1.00, 0.90 is enough",
                "2026-04-01 00:00:00 to 2026-04-02 12:00:00: 2.00, 1.80 is enough",
            ]
        );
    }
}
