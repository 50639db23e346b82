//! Webhooks on their way: lost, late, doubled, and tried again.

use axum::{body::Body, http};
use futures_util::FutureExt as _;
use syncline::sandbox::{history::Commit, webhook::Message};
use tower::ServiceExt as _;

use super::{Action, Life, Story};
use crate::simulation::scene::{CRM_HOOK, ERP_HOOK};

/// How often a sender tries.
const TRIES: u32 = 6;

/// One webhook on its way.
#[derive(Debug)]
pub struct Mail {
    /// 0 for the ERP, 1 for the CRM.
    pub system: usize,
    pub commit: Commit,
    pub event_id: String,
    /// The status of the answer that the sender took for an acknowledgement.
    pub acknowledged: bool,
}

impl Story {
    /// Makes webhooks of what the systems committed.
    pub(super) fn mail_out(&mut self, is_quiet: bool) {
        let sim = self.sim.clone();
        for system in [0, 1] {
            let from = self.mailed[system];
            let history = if system == 0 {
                sim.erp().history()
            } else {
                sim.crm().history()
            };
            let fresh = history.commits_where(|commit| commit.number >= from);
            self.mailed[system] += fresh.len();
            for commit in fresh {
                let event_id = self.message(system, &commit).event_id;
                let mail = self.mails.len();
                self.mails.push(Mail {
                    system,
                    commit,
                    event_id,
                    acknowledged: false,
                });
                if !is_quiet && sim.percent(self.lost) {
                    sim.note("a webhook is lost");
                    continue;
                }
                for _ in 0..=u32::from(!is_quiet && sim.percent(10)) {
                    let most = match sim.below(10) {
                        _ if is_quiet => 100,
                        0..7 => 100,
                        7..9 => 10_000,
                        _ => 200_000,
                    };
                    let at = sim.now() + 1 + i64::try_from(sim.below(most)).unwrap();
                    self.plan(at, Action::Deliver { mail, attempt: 1 });
                }
            }
        }
    }

    fn message(&self, system: usize, commit: &Commit) -> Message {
        if system == 0 {
            self.sim.erp().message(commit, &ERP_HOOK.into()).unwrap()
        } else {
            self.sim.crm().message(commit, &CRM_HOOK.into()).unwrap()
        }
    }

    pub(super) fn deliver(&mut self, life: &mut Life, mail: usize, attempt: u32) {
        let _the_systems_know_the_time = self.sim.time();
        let Mail { system, commit, .. } = &self.mails[mail];
        let message = self.message(*system, commit);
        let path = if *system == 0 { "/webhooks/erp" } else { "/webhooks/crm" };
        self.sim.note(&format!("{path} {attempt} {}", message.body));
        let mut request = http::Request::builder().method("POST").uri(path);
        for (name, value) in message.headers {
            request = request.header(name, value);
        }
        let request = request
            .header("content-type", "application/json")
            .body(Body::from(message.body))
            .unwrap();
        self.underway.push((mail, attempt));
        let answered = life.router.clone().oneshot(request);
        life.deliveries.push(
            answered
                .map(move |answer| (mail, attempt, answer.is_ok_and(|answer| answer.status().is_success())))
                .boxed(),
        );
    }

    pub(super) fn delivered(&mut self, (mail, attempt, is_taken): (usize, u32, bool)) {
        self.underway.retain(|underway| *underway != (mail, attempt));
        let is_heard = is_taken && !self.sim.percent(3);
        self.sim
            .note(&format!("webhook {mail} taken {is_taken} heard {is_heard}"));
        if is_heard {
            self.mails[mail].acknowledged = true;
        } else if attempt < TRIES {
            let wait = [1_000, 10_000, 30_000, 60_000, 300_000];
            let at = self.sim.now() + wait[usize::try_from(attempt).unwrap() % wait.len()];
            self.plan(
                at,
                Action::Deliver {
                    mail,
                    attempt: attempt + 1,
                },
            );
        }
    }
}
