//! What happens to a simulated daemon: people edit on both sides, webhooks come late, twice, in another order or never, the
//! weather turns, and the process ends at any step and begins anew. Then it is quiet, both systems are reconciled, and the
//! checker looks at what is left.

mod people;
mod post;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use axum::Router;
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use syncline::{
    clock::Clock,
    core::status::{RunKind, Side, Trigger},
    sandbox::{fault, history::Commit},
    seam::{self, Bug},
    server,
    sync::{Engine, poll, reconcile},
    worker::{Signs, change, recover},
};
use tempfile::TempDir;
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    check::Check,
    scene::{MAPPING, Scene, VARIANTS, scene},
    world::{Sim, Weather},
};

use post::Mail;

/// Who edits.
pub const PERSON: &str = "user:ana";
/// How long quiet may take, in looks of a minute.
const QUIET: u32 = 180;

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
    /// Whether a listing was short at some time.
    pub has_short_listing: bool,
    /// How many of 100 webhooks are lost.
    lost: u64,
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
        has_short_listing: false,
        lost: 15,
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
            // Where systems are polled, webhooks are not much to rely on.
            self.lost = 60;
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
        // A system that did not answer is left alone for two minutes at the most.
        for _ in 0..3 {
            self.busy(&mut life, true).await;
            self.minute(&mut life).await;
        }
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
                sim.spoil_listing(sim.percent(50), fault);
                self.has_short_listing = true;
                life.tasks.spawn(reconciled(life.engine.clone()));
            }
            Action::Reconcile => {
                sim.note("reconcile");
                life.tasks.spawn(reconciled(life.engine.clone()));
            }
            Action::Poll(side) => {
                sim.note("poll");
                let (engine, at) = (life.engine.clone(), sim.now());
                // What a list leaves out that says it is whole, a poll cannot know.
                let (is_lied_to, spoilings) = (sim.is_spoiled(side == Side::Left), sim.spoilings());
                life.tasks.spawn(async move {
                    let mapping = Arc::clone(engine.mapping(MAPPING).unwrap());
                    let polled = Box::pin(poll::poll(&engine, &mapping, side, Trigger::Schedule)).await;
                    let is_lied_to = is_lied_to || sim.spoilings() > spoilings;
                    Did::Poll(side, at, polled.is_ok() && !is_lied_to)
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
            Ok(Did::Reconcile(said, _)) => self.sim.note(&said),
            Ok(Did::Work) => self.sim.accuse("the work on changes ended".to_owned()),
            Err(broken) => self.sim.accuse(format!("a task broke off: {broken}")),
        }
    }

    /// One reconciliation that sees how things are now, to its end.
    async fn reconcile_once(&mut self, life: &mut Life) {
        loop {
            self.sim.note("reconcile");
            let done = reconciled(life.engine.clone()).await;
            let Did::Reconcile(said, is_continued) = done else {
                return;
            };
            self.sim.note(&said);
            if !said.starts_with("reconciled") {
                self.sim.accuse(format!("in fine weather: {said}"));
            }
            // One that was cut off is ended first, and knows nothing of what came after it.
            if !is_continued {
                return;
            }
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
            self.minute(life).await;
        }
        self.sim.accuse("it does not become quiet".to_owned());
    }

    /// Lets a minute pass.
    async fn minute(&mut self, life: &mut Life) {
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
}

/// What a task did.
enum Did {
    Work,
    /// What came of it, and whether it went on with one that was cut off.
    Reconcile(String, bool),
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
    match done {
        Ok(report) => {
            let said = format!("reconciled: {} {:?}", report.status, report.note);
            Did::Reconcile(said, report.is_continued)
        }
        Err(error) => Did::Reconcile(format!("not reconciled: {error}"), false),
    }
}
