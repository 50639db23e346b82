//! What happens, in order.

use std::collections::BTreeSet;

use syncline::core::status::{RunKind, RunStatus};

use super::{At, LIMIT, Scene};
use crate::support::place::Daemon;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_erp_and_a_real_crm_stay_in_step_both_ways_through_kills_of_the_daemon() {
    let Some(mut scene) = Scene::start().await else { return };
    scene.first_match().await;
    let daemon = scene.place.start();
    scene.edits_travel_both_ways().await;
    scene.a_write_that_came_too_late_is_planned_again().await;
    let daemon = scene.answers_are_lost_in_kills(daemon).await;
    let daemon = scene.edits_while_down(daemon).await;
    scene.reconciliation_finds_what_nobody_told().await;
    scene.another_reconciliation_writes_nothing().await;
    daemon.stop();
}

fn code(number: u32) -> String {
    format!("C{number:05}")
}

impl Scene {
    /// 300 pairs that share a code, some of them named differently, and records that only one side has.
    async fn first_match(&mut self) {
        for number in 0..5 {
            let name = self.wanted[&code(number)].name.clone();
            self.rename(At::Crm, &code(number), &format!("CRM's own {number}"))
                .await;
            // At the first match the ERP is preferred.
            self.wanted.get_mut(&code(number)).unwrap().name = name;
        }
        for number in 0..3 {
            self.create(At::Erp, &format!("E{number:05}")).await;
            self.create(At::Crm, &format!("K{number:05}")).await;
        }
        self.place.ask(&["migrate"]);
        let report = self.place.reconcile(RunKind::Full).await;
        assert_eq!(report.status, RunStatus::Succeeded, "{report:?}");
        let done = report.counters;
        assert_eq!(
            (done.linked, done.created, done.updated, done.failed),
            (306, 6, 5, 0),
            "{report:?}"
        );
        assert_eq!(self.astray().await, BTreeSet::new());
    }

    async fn edits_travel_both_ways(&mut self) {
        for number in 0..10 {
            self.rename(At::Erp, &code(10 + number), &format!("Renamed in the ERP {number}"))
                .await;
            self.rename(
                At::Crm,
                &code(20 + number),
                &format!("Renamed in the CRM & Söhne {number}"),
            )
            .await;
        }
        for number in 0..5 {
            self.set_active(At::Erp, &code(30 + number), false).await;
            self.set_active(At::Crm, &code(35 + number), false).await;
        }
        for number in 10..13 {
            self.create(At::Erp, &format!("E{number:05}")).await;
            self.create(At::Crm, &format!("K{number:05}")).await;
        }
        self.agree("edits and creates").await;
        self.set_active(At::Erp, &code(35), true).await;
        self.set_active(At::Crm, &code(30), true).await;
        self.agree("active again").await;
    }

    /// Somebody touches the record between the daemon's read and its write: 412 from the CRM, a `ConcurrencyException`
    /// from the ERP.
    async fn a_write_that_came_too_late_is_planned_again(&mut self) {
        self.erp_gate.disturb_next_write();
        self.crm_gate.disturb_next_write();
        self.rename(At::Erp, &code(40), "Written to the CRM too late at first")
            .await;
        self.rename(At::Crm, &code(41), "Written to the ERP too late at first")
            .await;
        self.agree("writes that came too late").await;
        assert_eq!((self.erp_gate.disturbed(), self.crm_gate.disturbed()), (1, 1));
    }

    /// `kill -9` while writes of both kinds are carried out and their answers under way: once towards each system.
    async fn answers_are_lost_in_kills(&mut self, mut daemon: Daemon) -> Daemon {
        for (round, at) in [At::Crm, At::Erp].into_iter().enumerate() {
            let gate = if at == At::Crm { &self.crm_gate } else { &self.erp_gate };
            gate.hold_after(3);
            let first = 50 + 50 * u32::try_from(round).unwrap();
            for number in first..first + 20 {
                self.create(At::Erp, &format!("E{number:05}")).await;
                self.create(At::Crm, &format!("K{number:05}")).await;
                self.rename(At::Erp, &code(number), &format!("Renamed before a kill {number}"))
                    .await;
                self.rename(At::Crm, &code(number + 20), &format!("Renamed before a kill {number}"))
                    .await;
            }
            let gate = if at == At::Crm { &self.crm_gate } else { &self.erp_gate };
            gate.held(LIMIT).await;
            daemon.kill();
            gate.release();
            daemon = self.place.start();
            self.agree("after a kill").await;
        }
        daemon
    }

    /// Renames, and names edited on both sides, while the daemon is down; the ERP forgets its sessions too.
    async fn edits_while_down(&mut self, daemon: Daemon) -> Daemon {
        daemon.stop();
        self.erp.forget_sessions();
        for number in 150..160 {
            self.rename(At::Erp, &code(number), &format!("Renamed while down {number}"))
                .await;
            self.rename(At::Crm, &code(number + 10), &format!("Renamed while down {number}"))
                .await;
        }
        for number in 180..183 {
            self.rename(At::Erp, &code(number), &format!("As the ERP says {number}"))
                .await;
            self.rename(At::Crm, &code(number), &format!("As the CRM says {number}"))
                .await;
            self.apart.insert(code(number));
        }
        let daemon = self.place.start();
        self.agree("edits while the daemon was down").await;
        self.conflicts_are_listed().await;
        self.conflicts_stay_as_they_are().await;
        daemon
    }

    async fn conflicts_stay_as_they_are(&mut self) {
        let (erp, crm) = self.books().await;
        for number in 180..183 {
            let names = (&*erp[&code(number)].name, &*crm[&code(number)].name);
            assert_eq!(
                names,
                (
                    &*format!("As the ERP says {number}"),
                    &*format!("As the CRM says {number}")
                )
            );
        }
    }

    /// Names that changed without a time of change, and records deleted on one side: no poll can tell of them.
    async fn reconciliation_finds_what_nobody_told(&mut self) {
        let mut planted = BTreeSet::new();
        for number in 200..203 {
            let (erp, crm) = (code(number), code(number + 10));
            self.erp.rename_behind_its_back(&erp, "Changed in the ERP's database");
            self.crm.rename_behind_its_back(&crm, "Changed in the CRM's database");
            self.want(&erp, "Changed in the ERP's database");
            self.want(&crm, "Changed in the CRM's database");
            planted.extend([erp, crm]);
        }
        let deleted = BTreeSet::from([code(220), code(221)]);
        self.erp.delete(&self.ids[At::Erp as usize][&code(220)]).await;
        self.crm.delete(&self.ids[At::Crm as usize][&code(221)]).await;
        let astray: BTreeSet<String> = planted.union(&deleted).cloned().collect();
        assert_eq!(self.astray().await, astray);
        let report = self.place.reconcile(RunKind::Reconcile).await;
        self.apart.extend(deleted.iter().cloned());
        assert_eq!(self.astray().await, BTreeSet::new(), "{report:?}");
        assert_eq!(
            (
                report.counters.updated,
                report.counters.created,
                report.counters.deleted
            ),
            (6, 0, 0),
            "{report:?}"
        );
        assert_eq!(
            self.pending_deletes(),
            deleted,
            "a delete on one side is reported and not copied"
        );
        let (erp, crm) = self.books().await;
        assert!(crm.contains_key(&code(220)) && erp.contains_key(&code(221)));
        self.conflicts_stay_as_they_are().await;
    }

    async fn another_reconciliation_writes_nothing(&mut self) {
        let (before, writes) = (self.books().await, self.writes());
        let report = self.place.reconcile(RunKind::Reconcile).await;
        let done = report.counters;
        assert_eq!(
            (done.created, done.updated, done.deleted, done.linked),
            (0, 0, 0, 0),
            "{report:?}"
        );
        assert_eq!(self.writes(), writes);
        assert_eq!(self.books().await, before, "versions included");
        for gate in [&self.erp_gate, &self.crm_gate] {
            let mut asked = gate.created();
            let count = asked.len();
            asked.sort();
            asked.dedup();
            assert_eq!(asked.len(), count, "no record was asked to be made twice");
        }
    }
}
