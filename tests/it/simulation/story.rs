//! What happens to a simulated daemon: people edit on both sides, webhooks come late, twice, in another order or never, the
//! weather turns, and the process ends at any step and begins anew. Then it is quiet, both systems are reconciled, and the
//! checker looks at what is left.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use axum::{Router, body::Body, http};
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use serde_json::json;
use syncline::{
    clock::Clock,
    core::status::{RunKind, Side, Trigger},
    sandbox::{Edit, Snapshot, fault, history::Commit},
    seam::{self, Bug},
    server,
    sync::{Engine, poll, reconcile},
    worker::{Signs, change, recover},
};
use tempfile::TempDir;
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::{
    check::Check,
    scene::{CRM_HOOK, ERP_HOOK, MAPPING, Scene, VARIANTS, scene},
    world::{Sim, Weather},
};

/// Who edits.
pub const PERSON: &str = "user:ana";
/// How often a sender tries.
const TRIES: u32 = 6;
/// How long quiet may take, in looks of a minute.
const QUIET: u32 = 180;

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

#[derive(Debug, Clone, Copy)]
enum Action {
    Edit,
    Deliver { mail: usize, attempt: u32 },
    Reconcile,
    Poll(Side),
    Weather(Weather),
    ShortListing,
}

/// How a life ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Crashed,
    Done,
}

/// What a seed came to.
#[derive(Debug)]
pub struct Told {
    pub trace: u64,
    pub steps: u64,
    pub crashes: u32,
    pub edits: u32,
    pub violations: Vec<String>,
    pub log: String,
}

pub struct Story {
    pub sim: Sim,
    pub variant: usize,
    pub path: PathBuf,
    _folder: TempDir,
    agenda: BTreeMap<(i64, u64), Action>,
    next: u64,
    /// Commits of each system that were made into webhooks.
    mailed: [usize; 2],
    pub mails: Vec<Mail>,
    underway: Vec<(usize, u32)>,
    values: u64,
    companies: u64,
    crashes_left: u32,
    crashes: u32,
    edits: u32,
    /// When polls of each side began that went well, in milliseconds.
    pub polled: [Vec<i64>; 2],
}

/// A place for the database, in memory where the system has such a folder.
fn place() -> TempDir {
    let shm = std::path::Path::new("/dev/shm");
    if shm.is_dir() {
        return tempfile::tempdir_in(shm).unwrap();
    }
    tempfile::tempdir().unwrap()
}

/// Plays one seed.
pub fn play(seed: u64, bug: Option<Bug>, is_told: bool) -> Told {
    let folder = place();
    let path = scene().lay_down(folder.path());
    let sim = Sim::new(seed, bug, is_told);
    let variant = usize::try_from(sim.below(VARIANTS.len() as u64)).unwrap();
    let mut story = Story {
        variant,
        path,
        _folder: folder,
        agenda: BTreeMap::new(),
        next: 0,
        mailed: [0, 0],
        mails: Vec::new(),
        underway: Vec::new(),
        values: 0,
        companies: 0,
        crashes_left: u32::try_from(sim.below(5)).unwrap(),
        crashes: 0,
        edits: 0,
        polled: [Vec::new(), Vec::new()],
        sim,
    };
    story.prepare();
    while story.live() == End::Crashed {}
    Told {
        trace: story.sim.trace(),
        steps: story.sim.steps(),
        crashes: story.crashes,
        edits: story.edits,
        violations: story.sim.violations(),
        log: story.sim.told(),
    }
}

impl Story {
    /// Puts everything on the agenda that will happen, except for what follows from it.
    fn prepare(&mut self) {
        for _ in 0..self.sim.below(4) {
            self.make_company(true);
        }
        let mut at = 0;
        for _ in 0..6 + self.sim.below(16) {
            at += self.gap();
            self.plan(at, Action::Edit);
        }
        let end = at + 60_000;
        for _ in 0..self.sim.below(4) {
            let when = self.moment(end);
            self.plan(when, Action::Reconcile);
        }
        if self.sim.percent(40) {
            for side in [Side::Left, Side::Right] {
                for _ in 0..self.sim.below(4) {
                    let when = self.moment(end);
                    self.plan(when, Action::Poll(side));
                }
            }
        }
        for _ in 0..self.sim.below(4) {
            let weather = match self.sim.below(4) {
                0 => Weather::default(),
                1 => Weather::STORM,
                _ => Weather::RAIN,
            };
            let when = self.moment(end);
            self.plan(when, Action::Weather(weather));
        }
        for _ in 0..self.sim.below(3) {
            let when = self.moment(end);
            self.plan(when, Action::ShortListing);
        }
    }

    fn plan(&mut self, at: i64, action: Action) {
        self.next += 1;
        self.agenda.insert((at, self.next), action);
    }

    fn moment(&self, end: i64) -> i64 {
        i64::try_from(self.sim.below(u64::try_from(end).unwrap())).unwrap()
    }

    /// The time between two edits: mostly short.
    fn gap(&self) -> i64 {
        let most = match self.sim.below(10) {
            0..5 => 60,
            5..8 => 3_000,
            8 => 60_000,
            _ => 400_000,
        };
        i64::try_from(1 + self.sim.below(most)).unwrap()
    }

    /// One life of the daemon, in a runtime of its own: dropping it is kill -9.
    fn live(&mut self) -> End {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let _simulated = seam::simulate(Arc::new(self.sim.clone()));
        let sim = self.sim.clone();
        let end = runtime.block_on(async {
            let fuse = (self.crashes_left > 0).then(|| {
                let most = if sim.percent(30) { 40 } else { 600 };
                sim.below(most)
            });
            sim.begin(fuse);
            let end = tokio::select! {
                biased;
                () = sim.over() => End::Crashed,
                () = self.act() => End::Done,
            };
            let pause = if sim.percent(50) {
                sim.below(500)
            } else {
                sim.below(200_000)
            };
            sim.end(i64::try_from(pause).unwrap());
            end
        });
        drop(runtime);
        if end == End::Crashed {
            self.crashes += 1;
            self.crashes_left -= 1;
            let now = self.sim.now();
            for (mail, attempt) in std::mem::take(&mut self.underway) {
                self.plan(now + 1_000, Action::Deliver { mail, attempt });
            }
        }
        end
    }

    async fn act(&mut self) {
        let sim = self.sim.clone();
        let clock = Clock::following(sim.time());
        let store = Scene::open(&self.path, &clock).await.unwrap();
        let engine = scene().engine(self.variant, store, &clock);
        recover::recover(&engine).await.unwrap();
        let router = server::router(scene().app(self.variant, &engine));
        let limits = change::Limits {
            in_flight: usize::try_from(1 + sim.below(16)).unwrap(),
            idle: Duration::from_mins(10),
            ..change::Limits::default()
        };
        let mut tasks = JoinSet::new();
        let work = change::work(engine.clone(), limits, Signs::default(), CancellationToken::new());
        tasks.spawn(work.map(|()| Did::Work));
        let mut life = Life {
            router,
            engine,
            tasks,
            deliveries: FuturesUnordered::new(),
        };
        self.busy(&mut life, false).await;
        self.calm();
        self.quiet(&mut life).await;
        Check::new(self, true).run();
        self.reconcile_once(&mut life).await;
        self.quiet(&mut life).await;
        Check::new(self, false).run();
        let before = self.written();
        self.reconcile_once(&mut life).await;
        self.quiet(&mut life).await;
        let more = self.written() - before;
        if more > 0 {
            sim.accuse(format!("a second reconciliation wrote {more} times"));
        }
    }

    /// How often Syncline wrote into either system.
    fn written(&self) -> usize {
        let ours = |commit: &Commit| commit.actor != PERSON;
        let (erp, crm) = (self.sim.erp().history(), self.sim.crm().history());
        erp.commits_where(ours).len() + crm.commits_where(ours).len()
    }

    fn calm(&mut self) {
        self.sim.note("quiet");
        self.sim.calm();
        self.sim.erp().faults().clear();
        self.sim.crm().faults().clear();
        self.crashes_left = 0;
    }

    /// Does what is on the agenda; with `until_settled` only until nothing is left to happen at once.
    async fn busy(&mut self, life: &mut Life, is_quiet: bool) {
        let sim = self.sim.clone();
        loop {
            self.mail_out(is_quiet);
            let due = [self.agenda.keys().next().map(|(at, _)| *at), sim.next_late()];
            let Some(due) = due.into_iter().flatten().min() else {
                if life.deliveries.is_empty() {
                    return;
                }
                tokio::select! {
                    biased;
                    Some(delivered) = life.deliveries.next() => self.delivered(delivered),
                    Some(did) = life.tasks.join_next() => self.did(did),
                }
                continue;
            };
            let wait = Duration::from_millis(u64::try_from(due - sim.now()).unwrap_or_default());
            tokio::select! {
                biased;
                Some(delivered) = life.deliveries.next() => self.delivered(delivered),
                Some(did) = life.tasks.join_next() => self.did(did),
                () = sim.news() => {}
                () = tokio::time::sleep_until(Instant::now() + wait) => self.happen(life, sim.now()).await,
            }
        }
    }

    async fn happen(&mut self, life: &mut Life, now: i64) {
        for late in self.sim.late_due(now) {
            self.sim.clone().arrive(late).await;
        }
        while let Some(entry) = self.agenda.first_entry()
            && entry.key().0 <= now
        {
            let action = entry.remove();
            self.carry_out(life, action);
            self.mail_out(false);
        }
    }

    fn carry_out(&mut self, life: &mut Life, action: Action) {
        let sim = self.sim.clone();
        match action {
            Action::Edit => self.edit(),
            Action::Deliver { mail, attempt } => self.deliver(life, mail, attempt),
            Action::Weather(weather) => {
                sim.note(&format!("{weather:?}"));
                sim.set_weather(weather);
            }
            Action::ShortListing => {
                let fault = match sim.below(3) {
                    0 => fault::Fault::CutListing,
                    1 => fault::Fault::EmptyListing,
                    _ => fault::Fault::RepeatPage,
                };
                sim.note(&format!("{fault:?}"));
                let order = fault::Order::next(1, fault);
                let ordered = if sim.percent(50) {
                    sim.erp().faults().order(order.on("GET", "/api/customers"))
                } else {
                    sim.crm().faults().order(order.on("GET", "/api/v2/accounts"))
                };
                ordered.unwrap();
            }
            Action::Reconcile => {
                sim.note("reconcile");
                life.tasks.spawn(reconciled(life.engine.clone()));
            }
            Action::Poll(side) => {
                sim.note("poll");
                let (engine, at) = (life.engine.clone(), sim.now());
                life.tasks.spawn(async move {
                    let mapping = Arc::clone(engine.mapping(MAPPING).unwrap());
                    let polled = Box::pin(poll::poll(&engine, &mapping, side, Trigger::Schedule)).await;
                    Did::Poll(side, at, polled.is_ok())
                });
            }
        }
    }

    fn did(&mut self, did: Result<Did, tokio::task::JoinError>) {
        match did {
            Ok(Did::Poll(side, at, true)) => {
                self.sim.note("polled");
                self.polled[usize::from(side == Side::Right)].push(at);
            }
            Ok(Did::Poll(..)) => self.sim.note("not polled"),
            Ok(Did::Reconcile(said)) => self.sim.note(&said),
            Ok(Did::Work) => self.sim.accuse("the work on changes ended".to_owned()),
            Err(broken) => self.sim.accuse(format!("a task broke off: {broken}")),
        }
    }

    /// One reconciliation, to its end.
    async fn reconcile_once(&mut self, life: &mut Life) {
        self.sim.note("reconcile");
        let done = reconciled(life.engine.clone()).await;
        let Did::Reconcile(said) = done else { return };
        self.sim.note(&said);
        if !said.starts_with("reconciled") {
            self.sim.accuse(format!("in fine weather: {said}"));
        }
    }

    /// Waits until nothing is left to be done by itself.
    async fn quiet(&mut self, life: &mut Life) {
        for _ in 0..QUIET {
            self.busy(life, true).await;
            let stats = life.engine.store().queue_stats().await.unwrap();
            if stats.depth == stats.waiting
                && life.tasks.len() == 1
                && self.agenda.is_empty()
                && self.sim.next_late().is_none()
            {
                // What is in flight at this moment is not: an idle worker has nothing at work.
                return;
            }
            let minute = self.sim.now() + 60_000;
            while self.sim.now() < minute {
                tokio::select! {
                    biased;
                    Some(did) = life.tasks.join_next() => self.did(did),
                    () = self.sim.news() => self.mail_out(true),
                    () = tokio::time::sleep(Duration::from_secs(60)) => {}
                }
            }
        }
        self.sim.accuse("it does not become quiet".to_owned());
    }

    /// Makes webhooks of what the systems committed.
    fn mail_out(&mut self, is_quiet: bool) {
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
                if !is_quiet && sim.percent(15) {
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

    fn message(&self, system: usize, commit: &Commit) -> syncline::sandbox::webhook::Message {
        if system == 0 {
            self.sim.erp().message(commit, &ERP_HOOK.into()).unwrap()
        } else {
            self.sim.crm().message(commit, &CRM_HOOK.into()).unwrap()
        }
    }

    fn deliver(&mut self, life: &mut Life, mail: usize, attempt: u32) {
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

    fn delivered(&mut self, (mail, attempt, is_taken): (usize, u32, bool)) {
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

    fn make_company(&mut self, may_be_known: bool) {
        self.companies += 1;
        let number = self.companies;
        let sim = self.sim.clone();
        let _the_systems_know_the_time = sim.time();
        if !may_be_known || sim.percent(80) {
            let value = self.value();
            let customer = json!({
                "kind": if sim.percent(95) { "customer" } else { "supplier" },
                "name": format!("Company {number} {value}"), "tax_id": tax_id(number), "phone": format!("+49 {number}"),
            });
            sim.note(&format!("person creates customer {customer}"));
            sim.erp()
                .create("customer", &customer.to_string(), &Edit::by(PERSON))
                .unwrap();
        }
        if may_be_known && sim.percent(70) {
            self.make_account(number);
        }
    }

    fn make_account(&mut self, number: u64) {
        let value = self.value();
        let account = json!({
            "Name": format!("Account {number} {value}"), "VatNumber": tax_id(number), "Phone": format!("+49 {number}"),
            "Description": format!("from the CRM {value}"),
        });
        self.sim.note(&format!("person creates account {account}"));
        let made = self
            .sim
            .crm()
            .create("account", &account.to_string(), &Edit::by(PERSON));
        made.unwrap();
    }

    /// Something that was not there before.
    fn value(&mut self) -> u64 {
        self.values += 1;
        self.values
    }

    fn edit(&mut self) {
        self.edits += 1;
        let sim = self.sim.clone();
        let _the_systems_know_the_time = sim.time();
        let customers = sim.erp().all("customer").unwrap();
        let accounts = sim.crm().all("account").unwrap();
        match sim.below(100) {
            0..12 => self.make_company(false),
            12..18 => {
                self.companies += 1;
                self.make_account(self.companies);
            }
            18..24 => {
                if let Some(id) = self.one_of(&customers) {
                    sim.note(&format!("person deletes customer {id}"));
                    let _gone_already = sim.erp().delete("customer", &id, &Edit::by(PERSON));
                }
            }
            24..30 => {
                if let Some(id) = self.one_of(&accounts) {
                    sim.note(&format!("person deletes account {id}"));
                    let _gone_already = sim.crm().delete("account", &id, &Edit::by(PERSON));
                }
            }
            30..68 => {
                let Some(id) = self.one_of(&customers) else { return };
                let patch = self.patch(["name", "note", "city", "credit_limit"]);
                sim.note(&format!("person patches customer {id} {patch}"));
                sim.erp().patch("customer", &id, &patch, &Edit::by(PERSON)).unwrap();
            }
            _ => {
                let Some(id) = self.one_of(&accounts) else { return };
                let patch = self.patch(["Name", "Description", "BillingCity", "CreditLimit"]);
                sim.note(&format!("person patches account {id} {patch}"));
                sim.crm().patch("account", &id, &patch, &Edit::by(PERSON)).unwrap();
            }
        }
    }

    fn one_of(&self, all: &[Snapshot]) -> Option<String> {
        let at = usize::try_from(self.sim.below(all.len() as u64)).unwrap();
        all.get(at).map(|snapshot| snapshot.id.clone())
    }

    fn patch(&mut self, names: [&str; 4]) -> String {
        let value = self.value();
        let patch = match self.sim.below(8) {
            0..4 => json!({ names[0]: format!("Name {value}") }),
            4 => json!({ names[1]: format!("Note {value}") }),
            5 if names[2] == "city" => json!({ "address": { "city": format!("City {value}") } }),
            5 => json!({ names[2]: format!("City {value}") }),
            6 if names[2] == "city" => json!({ names[3]: value }),
            6 => json!({ names[3]: format!("{value}.00") }),
            _ => json!({ names[0]: format!("Name {value}"), names[1]: null }),
        };
        patch.to_string()
    }
}

/// What a task did.
enum Did {
    Work,
    Reconcile(String),
    /// The side, when it began, and whether it went well.
    Poll(Side, i64, bool),
}

/// One life of the daemon.
struct Life {
    router: Router,
    engine: Engine,
    tasks: JoinSet<Did>,
    deliveries: FuturesUnordered<BoxFuture<'static, (usize, u32, bool)>>,
}

async fn reconciled(engine: Engine) -> Did {
    let mapping = Arc::clone(engine.mapping(MAPPING).unwrap());
    let request = reconcile::Request {
        kind: RunKind::Reconcile,
        trigger: Trigger::Schedule,
        repair: true,
    };
    let done = Box::pin(reconcile::reconcile(
        &engine,
        &mapping,
        request,
        &CancellationToken::new(),
    ))
    .await;
    Did::Reconcile(match done {
        Ok(report) => format!("reconciled: {} {:?}", report.status, report.note),
        Err(error) => format!("not reconciled: {error}"),
    })
}

/// A tax id that both systems take.
fn tax_id(number: u64) -> String {
    format!("DE{number:09}")
}
