//! Sending what is due: claim, send, store what became of it. A claim that was cut off is sent once more, under the same id.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;

use super::{Notifier, Refusal, target::Message};
use crate::{
    core::{retry, status::DeliveryStatus},
    seam,
    store::{
        self,
        notice::{DueDelivery, FinishedDelivery},
    },
};

/// Deliveries that are sent at once.
const AT_ONCE: u32 = 16;
/// How long a claim outlives the time that sending may take.
const CLAIM_SPARE: Duration = Duration::from_mins(1);
/// The wait after a first failure; it doubles each time …
const RETRY_FIRST: Duration = Duration::from_secs(5);
/// … up to this.
const RETRY_LONGEST: Duration = Duration::from_hours(6);

impl Notifier {
    /// Sends what is due; how many deliveries were tried.
    pub async fn deliver(&self) -> Result<usize, store::Error> {
        let store = self.engine.store();
        let ttl = self.settings.notify.timeout.duration() + CLAIM_SPARE;
        let due = store.claim_notices(AT_ONCE, ttl).await?;
        let sent = join_all(due.iter().map(|delivery| self.send(delivery))).await;
        for (delivery, result) in due.iter().zip(sent) {
            let finished = finished(delivery, result, self.engine.clock().now());
            if !store.finish_notice(&finished).await? {
                tracing::info!(
                    target_name = delivery.target,
                    event_id = delivery.event_id,
                    "another node went on with this delivery in the meantime"
                );
            }
        }
        Ok(due.len())
    }

    async fn send(&self, delivery: &DueDelivery) -> Result<(), Refusal> {
        let message = Message {
            event_id: &delivery.event_id,
            payload: &delivery.payload,
            letter: &delivery.letter,
            occurred_at: delivery.occurred_at,
        };
        let now = self.engine.clock().now();
        let sent = self.targets.send(&delivery.target, &message, now).await;
        sent.unwrap_or_else(|| {
            Err(Refusal {
                reason: "[NT007] there is no target of this name in the settings any more".to_owned(),
                is_final: true,
                retry_after: None,
            })
        })
    }
}

/// What is stored of a try.
fn finished(delivery: &DueDelivery, result: Result<(), Refusal>, now: DateTime<Utc>) -> FinishedDelivery {
    let done = |status, next_attempt_at, last_error| FinishedDelivery {
        notice_delivery_id: delivery.notice_delivery_id,
        attempt: delivery.attempt,
        status,
        next_attempt_at,
        last_error,
    };
    let Refusal {
        reason,
        is_final,
        retry_after,
    } = match result {
        Ok(()) => return done(DeliveryStatus::Sent, now, None),
        Err(refusal) => refusal,
    };
    let tried = u32::try_from(delivery.attempt.saturating_sub(1)).unwrap_or(u32::MAX);
    let wait = RETRY_FIRST + retry::delay(tried, RETRY_FIRST, RETRY_LONGEST, seam::number());
    let wait = wait.max(retry_after.unwrap_or_default());
    let next = now + TimeDelta::from_std(wait).unwrap_or(TimeDelta::days(1));
    if is_final || next > delivery.until {
        tracing::error!(
            target_name = delivery.target, event_id = delivery.event_id, attempts = delivery.attempt, %reason,
            "a notice was given up: `syncline notices resend` sends it again"
        );
        return done(DeliveryStatus::Dead, now, Some(reason));
    }
    tracing::warn!(
        target_name = delivery.target, event_id = delivery.event_id, attempts = delivery.attempt, %reason,
        "a notice was not taken; tried again"
    );
    done(DeliveryStatus::Pending, next, Some(reason))
}
