//! `syncline demo`: the whole of Syncline in a minute, on two sandbox systems, with nothing set up before.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpListener;

use super::{
    context::Context,
    daemon::Daemon,
    error::{Error, Exit, Result},
    output::Output,
};
use crate::{
    catalog,
    core::status::{RunKind, Trigger},
    sandbox::{
        Edit,
        fault::{Fault, Order},
        pair,
        seed::Plan,
    },
    server::console::user,
    settings::{self, Source, Variables},
    store::{self, Page, Store, drift::DriftFilter, failure::FailureFilter},
    sync::{
        reconcile::{self, Report, Request},
        reprocess,
    },
};

/// See it work: two systems, live sync, lost webhooks, and a reconciliation that finds and repairs the drift
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Args {
    /// Companies in the ERP
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(50..=100_000))]
    companies: u32,
    /// Keep everything in this folder instead of a temporary one
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// End when the story is told, instead of staying up
    #[arg(long)]
    once: bool,
}

const EXAMPLE: &str = "\
Examples:
  syncline demo                        the story, then everything stays up to be looked at
  syncline demo --once                 only the story
  syncline demo --folder ./demo        keep database, connectors and mappings";

/// The shipped files that the demo runs on, so that it needs no folder beside the binary.
const FILES: &[(&str, &str)] = &[
    (
        "connectors/sandbox-erp.yaml",
        include_str!("../../connectors/sandbox-erp.yaml"),
    ),
    (
        "connectors/sandbox-crm.yaml",
        include_str!("../../connectors/sandbox-crm.yaml"),
    ),
    (
        "mappings/customer-account.yaml",
        include_str!("../../mappings/customer-account.yaml"),
    ),
    ("mappings/contact.yaml", include_str!("../../mappings/contact.yaml")),
    ("config/default.toml", include_str!("../../config/default.toml")),
];

/// What to look at when the story is told, and what it shows.
const COMMANDS: &[(&str, &str)] = &[
    ("runs", "what was done"),
    ("drift", "the reports; `drift ID` shows every difference of one"),
    ("conflicts", "both values side by side"),
    ("conflicts resolve 1 erp", "decide one"),
    ("deletes", "pairs whose one record is gone"),
    ("failures", "what is left; `failures show ID` says what to do"),
    ("doctor", "is everything well?"),
];

/// This program as it was called, so that a command can be copied: it need not be on the path.
fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "syncline".to_owned())
}

/// The secret of the ERP's webhooks in the demo.
const ERP_HOOK: &str = "sandbox-erp-webhook-secret";
/// The secret of the CRM's webhooks in the demo.
const CRM_HOOK: &str = "whsec_c2FuZGJveC1jcm0td2ViaG9vay1zZWNyZXQ=";
/// The address the demo's console is tried on first.
const PORT: u16 = 8320;
/// The longest wait for live changes to arrive.
const SETTLE: Duration = Duration::from_secs(30);

pub(super) async fn run(context: &Context, args: &Args) -> Result {
    let out = &context.output;
    out.talk(format!(
        "Syncline {}: starting an ERP, a CRM and the daemon between them",
        env!("CARGO_PKG_VERSION")
    ));
    let temporary;
    let folder = if let Some(folder) = &args.folder {
        own_folder(folder)?
    } else {
        temporary = tempfile::Builder::new().prefix("syncline-demo-").tempdir()?;
        temporary.path().to_path_buf()
    };
    let story = Story::begin(context, args, &folder).await?;
    let told = story.tell(out).await;
    if told.is_ok() && !args.once {
        story.stay(out, &folder).await?;
    }
    story.end().await;
    told.map(|()| Exit::Done)
}

/// The folder that was asked for, by its whole path, so that commands work from any other folder too.
fn own_folder(folder: &Path) -> Result<PathBuf> {
    let shown = folder.display();
    let made = fs::create_dir_all(folder).and_then(|()| fs::canonicalize(folder));
    let whole = made.map_err(|error| {
        Error::failed(format!("the folder `{shown}` cannot be made: {error}")).with_hint("name another --folder")
    })?;
    if whole.join("syncline.db").exists() {
        let error = Error::failed(format!(
            "`{shown}` has the database of an earlier demo, whose systems are gone"
        ));
        return Err(error.with_hint("remove that folder, or name another --folder"));
    }
    Ok(whole)
}

struct Story {
    systems: pair::Handle,
    daemon: Daemon,
}

impl Story {
    async fn begin(context: &Context, args: &Args, folder: &Path) -> Result<Self> {
        let plan = Plan {
            companies: args.companies,
            overlap: 0.8,
            crm_only: args.companies / 100,
            contacts: 1,
            products: 0,
            deals: 0,
            ..Plan::default()
        };
        let systems = pair::start(pair::Options {
            plan,
            ..pair::Options::default()
        })
        .await?;
        let listener = match TcpListener::bind(("127.0.0.1", PORT)).await {
            Ok(listener) => listener,
            Err(_) => TcpListener::bind(("127.0.0.1", 0)).await?,
        };
        let address = listener.local_addr()?;
        write_files(folder, &systems, address)?;
        let source = Source {
            folder: folder.join("config"),
            environment: settings::DEV.to_owned(),
            variables: Variables::of_process(),
        };
        let (settings, _) = settings::load(&source, context.clock.now()).map_err(|problems| {
            Error::failed(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        })?;
        let loaded = context.loaded(&settings);
        if !loaded.is_ok() {
            return Err(Error::failed(catalog::diagnostic::to_json_lines(&loaded.diagnostics)));
        }
        let url = format!("sqlite://{}", folder.join("syncline.db").display());
        let keys = store::key::load_or_create(&folder.join("data.key"))?;
        let mut options = store::Options::new(url, keys);
        options.node = String::from("demo");
        options.clock.clone_from(&context.clock);
        let store = Store::open(&options).await?;
        let daemon = Daemon::start(
            Arc::new(settings),
            &loaded.catalog,
            store,
            context.clock.clone(),
            listener,
        )
        .await?;
        Ok(Self { systems, daemon })
    }

    async fn tell(&self, out: &Output) -> Result<()> {
        self.first_sync(out).await?;
        self.listen()?;
        self.live(out).await?;
        self.break_things(out).await?;
        self.find_and_repair(out).await?;
        self.reprocess(out).await
    }

    /// Everything that is there already: matched by tax id and e-mail, created where it is missing.
    async fn first_sync(&self, out: &Output) -> Result<()> {
        let overlap = &self.systems.overlap;
        out.line(format!(
            "\n1. First sync: {} customers in the ERP, {} accounts in the CRM, {} of them the same companies",
            overlap.customers, overlap.accounts, overlap.shared
        ))?;
        for name in ["customer-account", "contact"] {
            let report = self.reconcile(name, RunKind::Full).await?;
            let done = report.counters;
            out.line(format!(
                "   {name}: {} linked, {} created, {} updated, {} left alone, {} failed",
                done.linked, done.created, done.updated, done.unchanged, done.failed
            ))?;
        }
        Ok(())
    }

    /// From here on both systems push their changes.
    fn listen(&self) -> Result<()> {
        let hook = |system: &str| format!("http://{}/webhooks/{system}", self.daemon.address);
        self.systems
            .erp
            .subscribe(&hook("erp"), &SecretString::from(ERP_HOOK))?;
        self.systems
            .crm
            .subscribe(&hook("crm"), &SecretString::from(CRM_HOOK))?;
        Ok(())
    }

    async fn live(&self, out: &Output) -> Result<()> {
        let pairs = self.pairs(40).await?;
        let started = std::time::Instant::now();
        let person = Edit::by("user:ana");
        for (index, (left, right)) in pairs.iter().enumerate() {
            if index % 2 == 0 {
                self.systems
                    .erp
                    .patch("customer", left, r#"{"address":{"city":"Porto Alegre"}}"#, &person)?;
            } else {
                self.systems
                    .crm
                    .patch("account", right, r#"{"Phone":"+55 51 3000-0000"}"#, &person)?;
            }
        }
        self.settle().await?;
        out.line(format!(
            "\n2. Live: {} edits on both sides, pushed by webhooks and in agreement after {} ms",
            pairs.len(),
            started.elapsed().as_millis()
        ))?;
        Ok(())
    }

    /// What goes wrong in real life.
    async fn break_things(&self, out: &Output) -> Result<()> {
        let pairs = self.pairs(100).await?;
        let [lost, wrong, conflict, deleted, silent] = [5, 45, 55, 60, 65].map(|at| pairs.iter().skip(at));
        let (erp, crm) = (&self.systems.erp, &self.systems.crm);
        let person = Edit::by("user:bruno");
        erp.faults().order(Order::next(10, Fault::LoseWebhook))?;
        for (left, _) in lost.take(10) {
            erp.patch("customer", left, r#"{"name":"Renamed while nobody listened"}"#, &person)?;
        }
        let hidden = person.clone().silently();
        for (_, right) in wrong.take(5) {
            crm.patch("account", right, r#"{"CreditLimit":"999999.00"}"#, &hidden)?;
        }
        for (left, right) in conflict.take(2) {
            erp.patch("customer", left, r#"{"note":"pays late"}"#, &hidden)?;
            crm.patch("account", right, r#"{"Description":"pays early"}"#, &hidden)?;
        }
        for (_, right) in deleted.take(2) {
            crm.delete("account", right, &hidden)?;
        }
        for (left, _) in silent.take(1) {
            erp.patch("customer", left, r#"{"tax_id":"12"}"#, &hidden)?;
        }
        self.settle().await?;
        out.line("\n3. Then things go wrong: 10 webhooks lost, 5 credit limits edited in the CRM, 2 notes edited on both sides,")?;
        out.line("   2 accounts deleted, and a tax id that the CRM will refuse. Nothing of it reached Syncline.")?;
        Ok(())
    }

    async fn find_and_repair(&self, out: &Output) -> Result<()> {
        let report = self.reconcile("customer-account", RunKind::Reconcile).await?;
        let summary = &report.summary;
        let score = summary.match_score();
        out.line(format!(
            "\n4. Reconciliation (run {}): {} against {} records, match score {}.{:02} %, {} records drifted",
            report.run_id,
            summary.left_records,
            summary.right_records,
            score / 100,
            score % 100,
            summary.drifted()
        ))?;
        for (cause, count) in &summary.causes {
            out.line(format!("   {count:>4}  {cause}"))?;
        }
        let items = self
            .daemon
            .engine
            .store()
            .drift(report.run_id, &DriftFilter::default(), Page::first(500))
            .await?;
        out.line("\n   Some of them:")?;
        let mut shown = std::collections::BTreeSet::new();
        for item in items
            .iter()
            .filter(|item| shown.insert((item.cause, item.field.clone())))
            .take(8)
        {
            let failure = item.failure_id.map(|id| format!(" (failure {id})"));
            out.line(format!(
                "   {:<9} {:<11} {:<22} {:<12} {}{}",
                item.left_id.as_deref().unwrap_or("-"),
                item.right_id.as_deref().unwrap_or("-"),
                item.cause.as_str(),
                item.outcome.as_str(),
                item.note.as_deref().unwrap_or_default(),
                failure.unwrap_or_default()
            ))?;
        }
        let done = report.counters;
        out.line(format!(
            "\n   Repaired: {} records written, {} conflicts left to a person, {} refused",
            done.updated,
            done.conflicts,
            done.failed.saturating_sub(done.conflicts)
        ))?;
        Ok(())
    }

    async fn reprocess(&self, out: &Output) -> Result<()> {
        let engine = &self.daemon.engine;
        let filter = FailureFilter {
            mapping: Some("customer-account".to_owned()),
            ..FailureFilter::default()
        };
        let failures = engine.store().failures(&filter, Page::first(50)).await?;
        let rejected = failures
            .iter()
            .find(|failure| failure.class == crate::core::status::FailureClass::Rejected);
        let Some(failure) = rejected else { return Ok(()) };
        out.line(format!("\n5. Failure {}: {}", failure.failure_id, failure.message))?;
        let id = failure.left_id.clone().unwrap_or_default();
        self.systems.erp.patch(
            "customer",
            &id,
            r#"{"tax_id":"BR 99.888.777/0001-66"}"#,
            &Edit::by("user:ana").silently(),
        )?;
        let one = FailureFilter {
            record_id: Some(failure.key.record_id.clone()),
            ..filter
        };
        let count = reprocess::reprocess(engine.store(), &one, "demo").await?;
        self.settle().await?;
        let left = engine.store().failure_count(&one).await?;
        out.line(format!(
            "   The tax id is corrected in the ERP, {count} failure reprocessed, {left} left open"
        ))?;
        Ok(())
    }

    async fn stay(&self, out: &Output, folder: &Path) -> Result<()> {
        let config = folder.join("config");
        let config = config.display();
        out.line("\nEverything stays up. Look at:")?;
        out.line(format!("   the ERP      {}", self.systems.erp.base_url()))?;
        out.line(format!("   the CRM      {}", self.systems.crm.base_url()))?;
        out.line(format!(
            "   the daemon   http://{}/readyz and /metrics",
            self.daemon.address
        ))?;
        if let Some(link) = self.daemon.first_sign_in().await? {
            out.line(format!(
                "   the console  {} (sets the password of `{}`)",
                link.url,
                user::FIRST
            ))?;
        }
        out.line("and try, in another terminal:")?;
        let syncline = program();
        for (command, what) in COMMANDS {
            out.line(format!("   {syncline} --config-dir {config} {command:<30} {what}"))?;
        }
        out.line("Change something yourself, and see it arrive:")?;
        out.line(format!(
            "   curl -X POST {}/_sandbox/edit -d '{{\"op\":\"patch\",\"object\":\"customer\",\"id\":\"1\",\"fields\":{{\"name\":\"A new name\"}}}}'",
            self.systems.erp.base_url()
        ))?;
        out.line(format!(
            "   {syncline} --config-dir {config} plan customer-account --record erp:1"
        ))?;
        out.line("Ctrl-C ends it.")?;
        tokio::signal::ctrl_c().await?;
        Ok(())
    }

    async fn end(self) {
        self.daemon.stop().await;
        self.systems.stop().await;
    }

    async fn reconcile(&self, name: &str, kind: RunKind) -> Result<Report> {
        let engine = &self.daemon.engine;
        let mapping = engine
            .mapping(name)
            .cloned()
            .ok_or_else(|| Error::failed(format!("there is no mapping `{name}`")))?;
        let request = Request {
            kind,
            trigger: Trigger::Person,
            repair: true,
        };
        Ok(reconcile::reconcile(engine, &mapping, request, self.daemon.shutdown()).await?)
    }

    /// Ids of linked pairs, in the order of linking.
    async fn pairs(&self, count: u32) -> Result<Vec<(String, String)>> {
        let links = self
            .daemon
            .engine
            .store()
            .links_after("customer-account", 0, count)
            .await?;
        Ok(links
            .into_iter()
            .map(|stored| (stored.link.left_id, stored.link.right_id))
            .collect())
    }

    /// Waits until webhooks and changes are done.
    async fn settle(&self) -> Result<()> {
        let settled = async {
            self.systems.webhooks_settled().await;
            loop {
                let stats = self.daemon.engine.store().queue_stats().await?;
                if stats.due == 0 {
                    return Ok::<_, Error>(());
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(SETTLE, settled)
            .await
            .map_err(|_| Error::failed("the changes did not settle in time"))?
    }
}

/// Lays out connectors, mappings and settings in the demo's folder, as a user's own folder would look.
fn write_files(folder: &Path, systems: &pair::Handle, address: std::net::SocketAddr) -> Result<()> {
    for (name, text) in FILES {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, text)?;
    }
    let toml = format!(
        "[node]\nname = \"demo\"\n[store]\nurl = \"sqlite://{folder}/syncline.db\"\n[keys]\ndata = {{ file = \"{folder}/data.key\" }}\n\
         [folders]\nconnectors = \"{folder}/connectors\"\nmappings = \"{folder}/mappings\"\n\
         [server]\nbind = \"{address}\"\npublic_url = \"http://{address}\"\n\
         [systems.erp]\nconnector = \"sandbox-erp\"\nsettings = {{ base_url = \"{}\" }}\n\
         credentials = {{ api_key = \"{}\" }}\nwebhook_secrets = [\"{ERP_HOOK}\"]\nallow_networks = [\"127.0.0.0/8\"]\n\
         [systems.crm]\nconnector = \"sandbox-crm\"\nsettings = {{ base_url = \"{}\" }}\n\
         credentials = {{ client_id = \"{}\", client_secret = \"{}\" }}\nwebhook_secrets = [\"{CRM_HOOK}\"]\n\
         allow_networks = [\"127.0.0.0/8\"]\n",
        systems.erp.base_url(),
        systems.erp.api_key().expose_secret(),
        systems.crm.base_url(),
        systems.crm.client_id(),
        systems.crm.client_secret().expose_secret(),
        folder = folder.display(),
    );
    fs::write(folder.join("config/dev.toml"), toml)?;
    Ok(())
}
