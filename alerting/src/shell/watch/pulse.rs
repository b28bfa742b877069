//! Whether passes come to an end: one that hangs cannot say so itself.

use std::time::Duration;

use runtime::admin::Condition as ReadyCondition;
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::error;

/// How long a pass may take, with the pause before it.
pub(super) const LIMIT: Duration = Duration::from_secs(30);

/// Says so where no pass has ended within the limit; the next one that ends says how it went.
pub(super) async fn supervise(
    mut ended: watch::Receiver<()>,
    readiness: ReadyCondition,
    (stop, limit): (CancellationToken, Duration),
) {
    let mut is_told = false;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            changed = ended.changed() => match changed {
                Ok(()) => is_told = false,
                Err(_over) => return,
            },
            () = sleep(limit), if !is_told => {
                is_told = true;
                let seconds = limit.as_secs();
                error!(seconds, "keeping watch hangs");
                readiness.set(Err(format!("keeping watch hangs, for over {seconds} s")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use runtime::admin::Readiness;

    use super::*;

    #[tokio::test]
    async fn a_pass_that_does_not_end_is_shown_until_one_does() {
        let readiness = Readiness::default();
        let condition = readiness.condition("alerting");
        condition.set(Ok(()));
        let (pulse, ended) = watch::channel(());
        let stop = CancellationToken::new();
        let limit = Duration::from_millis(20);
        let supervised = supervise(ended, condition.clone(), (stop.clone(), limit));
        let shown = async {
            for _ in 0..3 {
                // as a pass does that ends well
                condition.set(Ok(()));
                pulse.send_replace(());
                while readiness.is_met("alerting") == Some(true) {
                    tokio::task::yield_now().await;
                }
            }
            stop.cancel();
        };
        let both = async { tokio::join!(supervised, shown) };
        tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();
    }
}
