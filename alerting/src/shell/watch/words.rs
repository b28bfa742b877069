//! What an operator would write in the logbook.

use model::registry::Registry;
use store::{Body, EscalationNote};
use tracing::{error, info, warn};

use crate::{
    desk::{Changes, Desk},
    metrics::Metrics,
    shell::outbox::Outbox,
};

/// Says what of the registry is not watched, and who cannot be told.
pub(super) fn tell_of_plan(desk: &Desk, registry: &Registry, outbox: &Outbox) {
    for contact in registry.contacts.values() {
        for reach in contact.reach.iter().filter(|reach| !outbox.has(&reach.channel)) {
            let (contact, channel) = (&contact.id, &reach.channel);
            error!(%contact, %channel, "contact has a channel that was not in the settings when this server started; start it again");
        }
    }
    let plan = desk.plan();
    for (rule, section) in &plan.underived {
        warn!(%rule, %section, "alarm rule cannot watch a section whose flow a formula makes");
    }
    for rule in &plan.unbuilt {
        warn!(%rule, "alarm rule is of a kind that is not evaluated yet");
    }
    info!(conditions = plan.conditions.len(), stations = plan.stations.len(), "keeping watch");
}

/// What happened to alarms and messages, in the log and in the metrics.
pub(super) fn tell_of(changes: &Changes, metrics: &Metrics) {
    metrics.stray_receipts.inc_by(changes.strays);
    metrics.chattering.inc_by(changes.chattering);
    for body in &changes.bodies {
        if let Body::AlarmChanged(changed) = body {
            metrics.alarm_steps.with_label_values(&[changed.what.word()]).inc();
            let (alarm, what, subject) = (changed.alarm, changed.what, &changed.subject);
            info!(%alarm, %what, %subject, rule = %changed.rule, "alarm changed");
        } else if let Body::MessageChanged(changed) = body {
            metrics.message_steps.with_label_values(&[changed.state.word()]).inc();
        } else if let Body::EscalationNoted { what, alarm } = body {
            match what {
                EscalationNote::LadderEnded => {
                    warn!(%alarm, "ladder ended and nobody has taken the alarm on");
                }
                EscalationNote::RemindersEnded => {
                    error!(%alarm, "reminders ended and nobody has taken the alarm on");
                }
                EscalationNote::NobodyReached => {
                    error!(%alarm, "nobody of the ladder can be reached");
                }
            }
        } else if let Body::BreachFound { rule, subject, .. } = body {
            info!(%rule, %subject, "breach found that was over when it became known");
        }
    }
}
