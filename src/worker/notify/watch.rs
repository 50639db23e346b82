//! Looking: what is seen of every condition now, and what that turns.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Notifier, event_id};
use crate::{
    core::{
        mapping::Mapping,
        notice::{
            Detail, Notice, Patience, Sight, Standing,
            sight::{self, LastReport, Seen},
        },
        period::Period,
        schedule::Daily,
        status::{NoticeCondition, NoticeState},
    },
    store::{
        self,
        notice::{KnownStanding, NewNotice, Sign, Turn},
    },
};

/// How often a node says again what it sees …
const SAY_AGAIN: TimeDelta = TimeDelta::seconds(20);
/// … and how long it is believed.
const BELIEVED: Duration = Duration::from_secs(90);

/// Where conditions stand, as the store knows it.
type Known = HashMap<(NoticeCondition, String), KnownStanding>;

impl Notifier {
    /// Looks at everything once; how many notices were stored.
    pub async fn watch(&self) -> Result<usize, store::Error> {
        let store = self.engine.store();
        let now = self.engine.clock().now();
        self.say_signs(now).await?;
        let standings = store.notice_standings().await?.into_iter();
        let mut known: Known = standings
            .map(|known| ((known.condition, known.subject.clone()), known))
            .collect();
        let mut told = 0;
        for seen in self.look(&known, now).await? {
            let before = known.remove(&(seen.condition, seen.subject.clone()));
            told += usize::from(self.take(seen, before.as_ref(), now).await?);
        }
        for gone in known.into_values() {
            told += usize::from(self.settle(&gone, now).await?);
        }
        if told > 0 {
            self.told.notify_one();
        }
        Ok(told)
    }

    /// Writes down what this node alone sees.
    async fn say_signs(&self, now: DateTime<Utc>) -> Result<(), store::Error> {
        let signs = self.signs_of(now);
        {
            let own = self.own();
            let is_new = own.put != signs.len() || own.put_at.is_none();
            let is_old = own.put_at.is_some_and(|at| now - at >= SAY_AGAIN || now < at);
            if !is_new && (signs.is_empty() || !is_old) {
                return Ok(());
            }
        }
        self.engine.store().put_notice_signs(&signs).await?;
        let mut own = self.own();
        own.put_at = Some(now);
        own.put = signs.len();
        Ok(())
    }

    /// What this node alone sees: mappings that rest, systems that do not answer.
    fn signs_of(&self, now: DateTime<Utc>) -> Vec<Sign> {
        let mut found: Vec<(NoticeCondition, String, DateTime<Utc>, Option<String>)> = Vec::new();
        for pause in self.signs.pauses.all() {
            let since = now - TimeDelta::from_std(pause.lasts).unwrap_or_default();
            found.push((NoticeCondition::Paused, pause.mapping, since, Some(pause.reason)));
        }
        let dead = self
            .engine
            .systems()
            .filter(|(_, system)| system.usage().circuit.is_open());
        found.extend(dead.map(|(name, _)| (NoticeCondition::Unreachable, name.to_owned(), now, None)));
        let mut own = self.own();
        let before = std::mem::take(&mut own.since);
        let signs = found.into_iter().map(|(condition, subject, since, reason)| {
            let key = (condition, subject.clone());
            let since = before.get(&key).copied().unwrap_or(since);
            own.since.insert(key, since);
            Sign {
                condition,
                subject,
                since,
                reason,
            }
        });
        signs.collect()
    }

    /// What is seen of every condition now.
    async fn look(&self, known: &Known, now: DateTime<Utc>) -> Result<Vec<Seen>, store::Error> {
        let store = self.engine.store();
        let reports: HashMap<String, LastReport> = store.last_reports().await?.into_iter().collect();
        let held: HashMap<String, i64> = store.held_runs().await?.into_iter().collect();
        let signs = store.notice_signs(BELIEVED).await?;
        let mut seen = Vec::new();
        for mapping in self.engine.mappings() {
            let name = &mapping.name;
            let report = reports.get(name);
            if let Some(report) = report {
                let (sight, detail) = sight::drift(report, self.settings.notify.drift_above(name));
                seen.push(of(NoticeCondition::Drift, name, sight, detail));
            }
            let run_id = held.get(name).copied();
            let sight = Sight::bad_if(run_id.is_some());
            seen.push(of(NoticeCondition::Held, name, sight, Detail::Held { run_id }));
            seen.push(trouble(NoticeCondition::Paused, name, &signs));
            let standing = known.get(&(NoticeCondition::Overdue, name.clone()));
            seen.extend(self.overdue(mapping, report, standing, now));
        }
        for (name, _) in self.engine.systems() {
            seen.push(trouble(NoticeCondition::Unreachable, name, &signs));
        }
        let notice_days = self.settings.notify.secret_due.duration().as_secs() / 86_400;
        for (name, system) in &self.settings.systems {
            if let Some(date) = system.secret_rotate_by {
                let days = i64::try_from(notice_days).unwrap_or(i64::MAX);
                let both = sight::secret(date, now.date_naive(), days);
                seen.extend(both.map(|(condition, sight, detail)| of(condition, name, sight, detail)));
            }
        }
        Ok(seen)
    }

    /// What is seen of a mapping's daily reconciliation; none where it has none.
    fn overdue(
        &self,
        mapping: &Mapping,
        report: Option<&LastReport>,
        standing: Option<&KnownStanding>,
        now: DateTime<Utc>,
    ) -> Option<Seen> {
        let daily = Daily {
            at: mapping.reconcile.at?,
            timezone: mapping.reconcile.timezone,
        };
        let last_at = report.map(|report| report.at);
        let watched_since = standing.map_or(now, |standing| standing.first_at);
        let patience = period(self.settings.notify.overdue_after(&mapping.name));
        let seen = sight::overdue(daily, last_at, watched_since, now, patience);
        // Nothing was due since it is watched: it stays as it is.
        let (sight, detail) = seen.unwrap_or((Sight::Between, Detail::Held { run_id: None }));
        Some(of(NoticeCondition::Overdue, &mapping.name, sight, detail))
    }

    /// Takes what is seen in; whether that is told.
    async fn take(&self, seen: Seen, before: Option<&KnownStanding>, now: DateTime<Utc>) -> Result<bool, store::Error> {
        let standing = before.map_or_else(Standing::default, |before| before.standing);
        let patience = if seen.condition.is_fleeting() {
            let after = period(self.settings.notify.after);
            Patience {
                raise: after,
                settle: after,
            }
        } else {
            Patience::default()
        };
        let next = standing.after(seen.sight, now, patience);
        // Since when a reconciliation is waited for has to be known, whatever is seen.
        let is_first = before.is_none() && seen.condition == NoticeCondition::Overdue;
        if next == standing && !is_first {
            return Ok(false);
        }
        let has_turned = next.state != standing.state;
        let told = has_turned.then(|| {
            self.notice(
                &seen.subject,
                seen.condition,
                next.state,
                before,
                Some(seen.detail),
                now,
            )
        });
        let turn = Turn {
            condition: seen.condition,
            subject: seen.subject,
            standing: next,
            seen: before.map(|before| before.version),
            notice: told,
        };
        Ok(self.engine.store().turn_notice(&turn).await? && has_turned)
    }

    /// A condition of something that is not there any more is settled; whether that is told.
    async fn settle(&self, gone: &KnownStanding, now: DateTime<Utc>) -> Result<bool, store::Error> {
        let store = self.engine.store();
        if gone.standing.state == NoticeState::Well {
            store.forget_standing(gone).await?;
            return Ok(false);
        }
        let notice = self.notice(&gone.subject, gone.condition, NoticeState::Well, Some(gone), None, now);
        let turn = Turn {
            condition: gone.condition,
            subject: gone.subject.clone(),
            standing: Standing::default(),
            seen: Some(gone.version),
            notice: Some(notice),
        };
        store.turn_notice(&turn).await
    }

    /// What is stored of a change: the document as it is sent, and who gets it.
    fn notice(
        &self,
        subject: &str,
        condition: NoticeCondition,
        state: NoticeState,
        before: Option<&KnownStanding>,
        detail: Option<Detail>,
        now: DateTime<Utc>,
    ) -> NewNotice {
        let notice = Notice {
            event_id: event_id(now),
            environment: self.settings.environment.clone(),
            condition,
            state,
            subject: subject.to_owned(),
            occurred_at: now,
            raised_at: before
                .filter(|_| state == NoticeState::Well)
                .map(|before| before.changed_at),
            detail,
        };
        let payload = notice.payload();
        tracing::info!(
            kind = payload.kind,
            event_id = notice.event_id,
            title = payload.title,
            "a change is to be told"
        );
        NewNotice {
            payload: payload.to_json(),
            letter: payload.letter(),
            event_id: notice.event_id,
            occurred_at: now,
            targets: self.targets.of(condition, state),
            until: now + period(self.settings.notify.retry_for),
        }
    }
}

fn period(period: Period) -> TimeDelta {
    TimeDelta::from_std(period.duration()).unwrap_or(TimeDelta::MAX)
}

fn of(condition: NoticeCondition, subject: &str, sight: Sight, detail: Detail) -> Seen {
    Seen {
        condition,
        subject: subject.to_owned(),
        sight,
        detail,
    }
}

/// What the nodes see of a pause or a circuit.
fn trouble(condition: NoticeCondition, subject: &str, signs: &[Sign]) -> Seen {
    let sign = signs
        .iter()
        .find(|sign| sign.condition == condition && sign.subject == subject);
    let detail = Detail::Trouble {
        since: sign.map(|sign| sign.since),
        reason: sign.and_then(|sign| sign.reason.clone()),
    };
    of(condition, subject, Sight::bad_if(sign.is_some()), detail)
}
