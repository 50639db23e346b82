//! `syncline sandbox`: two invented business systems over real HTTP, to try mappings on.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use clap::ValueEnum;
use secrecy::SecretString;
use serde::Serialize;

use super::{
    Exit,
    context::{Context, block_on},
    error::{Error, Result},
};
use crate::sandbox::{
    crm, erp,
    fault::{Fault, Faults, Order},
    seed::Plan,
};

/// The addresses and secrets of `config/dev.toml`: `syncline sandbox` and the environment `dev` fit without a word.
const ERP_PORT: u16 = 8321;
const CRM_PORT: u16 = 8322;
const ERP_KEY: &str = "sandbox-erp-key";
const CRM_CLIENT: &str = "syncline";
const CRM_SECRET: &str = "sandbox-crm-secret";
const ERP_HOOK: &str = "sandbox-erp-webhook-secret";
const CRM_HOOK: &str = "whsec_c2FuZGJveC1jcm0td2ViaG9vay1zZWNyZXQ=";

/// Two invented business systems over real HTTP, to try mappings on; everything is forgotten when they stop.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline sandbox                                      both, as config/dev.toml expects them
  syncline sandbox erp --port 9000 --companies 50       the ERP alone
  syncline sandbox --faults lose_webhook:20% --faults crm.status=503:5%
  syncline sandbox --faults 'erp.{\"fault\":{\"kind\":\"html\"},\"times\":3}'

A fault is KIND, KIND=NUMBER (a status, milliseconds, bytes) or a JSON order as docs/sandbox.md writes it; `:20%` makes it
strike that share of all requests or events, else it strikes once; `erp.` or `crm.` in front orders it from one system.")]
pub struct Args {
    /// Which of them
    #[arg(value_enum, default_value_t = Which::Pair)]
    which: Which,
    /// The port of the first; of a pair, the CRM takes the next one; 0 takes free ones [default: 8321 and 8322]
    #[arg(long)]
    port: Option<u16>,
    /// Companies in the ERP; four of five are in the CRM too
    #[arg(long, default_value_t = 200, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    companies: u32,
    /// Decides every value and what faults strike; equal seeds give equal systems
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What is to go wrong from the start
    #[arg(long, value_name = "FAULT")]
    faults: Vec<Wanted>,
    /// Send webhooks to the daemon at this address
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8320")]
    webhooks: String,
    /// Send no webhooks
    #[arg(long, conflicts_with = "webhooks")]
    no_webhooks: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    /// Nordwind ERP
    Erp,
    /// Acme CRM
    Crm,
    /// Both, over related records
    Pair,
}

/// A fault to order, and from whom.
#[derive(Debug, Clone, PartialEq)]
struct Wanted {
    from: Which,
    order: Order,
}

/// What a program needs to know of one system.
#[derive(Serialize)]
struct View {
    system: &'static str,
    connector: &'static str,
    base_url: String,
    credentials: serde_json::Value,
    webhook_secret: &'static str,
    webhooks_to: Option<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    block_on(async {
        let systems = Systems::start(args).await?;
        for view in systems.views(args) {
            context.output.json(&view)?;
        }
        systems.introduce(context, args)?;
        stopped().await?;
        context.output.talk("stopped; everything is forgotten");
        systems.stop().await;
        Ok(Exit::Done)
    })
}

#[derive(Default)]
struct Systems {
    erp: Option<erp::Handle>,
    crm: Option<crm::Handle>,
}

impl Systems {
    async fn start(args: &Args) -> Result<Self> {
        let plan = Plan {
            seed: args.seed,
            companies: args.companies,
            overlap: 0.8,
            crm_only: args.companies / 20,
            contacts: 1,
            products: 20,
            deals: 1,
        };
        let mut systems = Self::default();
        if args.which != Which::Crm {
            let bind = address(args.port.unwrap_or(ERP_PORT));
            let options = erp::Options {
                bind,
                api_key: ERP_KEY.into(),
                seed: args.seed,
                plan: plan.clone(),
                ..erp::Options::default()
            };
            let handle = erp::start(options).await.map_err(|error| taken(&error, bind))?;
            order(handle.faults(), Which::Erp, &args.faults)?;
            if let Some(url) = hook(args, "erp") {
                handle.subscribe(&url, &SecretString::from(ERP_HOOK))?;
            }
            systems.erp = Some(handle);
        }
        if args.which != Which::Erp {
            let next = |port: u16| match (args.which, port) {
                (Which::Pair, 1..) => port.saturating_add(1),
                _ => port,
            };
            let bind = address(args.port.map_or(CRM_PORT, next));
            let options = crm::Options {
                bind,
                client_id: CRM_CLIENT.to_owned(),
                client_secret: CRM_SECRET.into(),
                seed: args.seed,
                plan,
                ..crm::Options::default()
            };
            let handle = crm::start(options).await.map_err(|error| taken(&error, bind))?;
            order(handle.faults(), Which::Crm, &args.faults)?;
            if let Some(url) = hook(args, "crm") {
                handle.subscribe(&url, &SecretString::from(CRM_HOOK))?;
            }
            systems.crm = Some(handle);
        }
        Ok(systems)
    }

    fn views(&self, args: &Args) -> Vec<View> {
        let erp = self.erp.as_ref().map(|erp| View {
            system: "erp",
            connector: "sandbox-erp",
            base_url: erp.base_url().to_owned(),
            credentials: serde_json::json!({ "api_key": ERP_KEY }),
            webhook_secret: ERP_HOOK,
            webhooks_to: hook(args, "erp"),
        });
        let crm = self.crm.as_ref().map(|crm| View {
            system: "crm",
            connector: "sandbox-crm",
            base_url: crm.base_url().to_owned(),
            credentials: serde_json::json!({ "client_id": CRM_CLIENT, "client_secret": CRM_SECRET }),
            webhook_secret: CRM_HOOK,
            webhooks_to: hook(args, "crm"),
        });
        erp.into_iter().chain(crm).collect()
    }

    /// Tells a person what is there, and what to do with it.
    fn introduce(&self, context: &Context, args: &Args) -> Result<()> {
        let out = context.output;
        let views = self.views(args);
        let mut counts = [
            self.erp.as_ref().map(|erp| {
                records(&["customer", "contact", "product", "order"], |name| {
                    erp.all(name).map(|all| all.len()).unwrap_or_default()
                })
            }),
            self.crm.as_ref().map(|crm| {
                records(&["account", "contact", "opportunity"], |name| {
                    crm.all(name).map(|all| all.len()).unwrap_or_default()
                })
            }),
        ]
        .into_iter()
        .flatten();
        for view in &views {
            let title = if view.system == "erp" {
                "Nordwind ERP"
            } else {
                "Acme CRM"
            };
            out.line(format!(
                "{title:<13} {}   {}",
                view.base_url,
                counts.next().unwrap_or_default()
            ))?;
        }
        out.line("\nAs settings (config/dev.toml has them for the usual ports):\n")?;
        for view in &views {
            out.line(settings(view))?;
        }
        match &views
            .iter()
            .filter_map(|view| view.webhooks_to.as_deref())
            .collect::<Vec<_>>()[..]
        {
            [] => out.line("No webhooks are sent.")?,
            urls => out.line(format!("Webhooks go to {}.", urls.join(" and ")))?,
        }
        for view in &views {
            out.line(commands(view))?;
        }
        out.line("docs/sandbox.md has the rest. Ctrl-C ends it.")?;
        Ok(())
    }

    async fn stop(self) {
        if let Some(erp) = self.erp {
            erp.stop().await;
        }
        if let Some(crm) = self.crm {
            crm.stop().await;
        }
    }
}

fn records(objects: &[&str], count: impl Fn(&str) -> usize) -> String {
    let counts: Vec<String> = objects
        .iter()
        .map(|object| format!("{} {object}", count(object)))
        .collect();
    counts.join(", ")
}

fn settings(view: &View) -> String {
    let credentials: Vec<String> = view
        .credentials
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    format!(
        "  [systems.{}]\n  connector = \"{}\"\n  settings = {{ base_url = \"{}\" }}\n  credentials = {{ {} }}\n  \
         webhook_secrets = [\"{}\"]\n  allow_networks = [\"127.0.0.0/8\"]\n",
        view.system,
        view.connector,
        view.base_url,
        credentials.join(", "),
        view.webhook_secret
    )
}

/// What to try on one system.
fn commands(view: &View) -> String {
    let (object, id, fields) = match view.system {
        "erp" => ("customer", "1", r#"{"name":"A new name"}"#),
        _ => ("account", "ACC-000001", r#"{"Phone":"+55 11 4002-0000"}"#),
    };
    let url = &view.base_url;
    format!(
        "\nEdit the {0} as a person would, lose its next 3 webhooks, see what happened:\n  \
         curl -X POST {url}/_sandbox/edit -d '{{\"op\":\"patch\",\"object\":\"{object}\",\"id\":\"{id}\",\"fields\":{fields}}}'\n  \
         curl -X POST {url}/_sandbox/faults -d '{{\"fault\":{{\"kind\":\"lose_webhook\"}},\"times\":3}}'\n  \
         curl {url}/_sandbox/history/commits",
        view.system.to_uppercase()
    )
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn taken(error: &io::Error, bind: SocketAddr) -> Error {
    let told = Error::failed(format!("cannot listen on {bind}: {error}"));
    if error.kind() == io::ErrorKind::AddrInUse {
        return told.with_hint("another sandbox may be running; `--port` takes another port, 0 a free one");
    }
    told
}

fn hook(args: &Args, system: &str) -> Option<String> {
    let base = args.webhooks.trim_end_matches('/');
    (!args.no_webhooks).then(|| format!("{base}/webhooks/{system}"))
}

fn order(faults: &Faults, system: Which, wanted: &[Wanted]) -> Result<()> {
    for one in wanted
        .iter()
        .filter(|one| one.from == Which::Pair || one.from == system)
    {
        faults.order(one.order.clone())?;
    }
    Ok(())
}

/// Ctrl-C, or the signal that a service manager sends.
async fn stopped() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut asked = signal(SignalKind::terminate())?;
        tokio::select! {
            pressed = tokio::signal::ctrl_c() => pressed,
            _ = asked.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

impl std::str::FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (from, rest) = match text.split_once('.') {
            Some(("erp", rest)) => (Which::Erp, rest),
            Some(("crm", rest)) => (Which::Crm, rest),
            _ => (Which::Pair, text),
        };
        let order = if rest.starts_with('{') {
            serde_json::from_str(rest).map_err(|error| error.to_string())?
        } else {
            short(rest)?
        };
        Ok(Self { from, order })
    }
}

/// An order in its short form: `kind`, `kind=number`, each with `:share` if it is to strike more than once.
fn short(text: &str) -> std::result::Result<Order, String> {
    let (fault, share) = match text.split_once(':') {
        Some((fault, share)) => (fault, Some(share)),
        None => (text, None),
    };
    let (kind, number) = match fault.split_once('=') {
        Some((kind, number)) => (kind, Some(number)),
        None => (fault, None),
    };
    let mut json = serde_json::json!({ "kind": kind });
    if let Some(number) = number {
        let number: u64 = number.parse().map_err(|_| format!("`{number}` is no whole number"))?;
        let key = match kind {
            "status" => "status",
            "enormous_body" => "bytes",
            "deep_json" => "depth",
            _ => "ms",
        };
        if let Some(json) = json.as_object_mut() {
            json.insert(key.to_owned(), number.into());
        }
    }
    let fault: Fault = serde_json::from_value(json).map_err(|error| error.to_string())?;
    let Some(share) = share else {
        return Ok(Order::next(1, fault));
    };
    let percent = share
        .strip_suffix('%')
        .and_then(|number| number.parse::<f64>().ok())
        .filter(|percent| (0.0..=100.0).contains(percent))
        .ok_or_else(|| format!("`{share}` is no share such as `20%`"))?;
    Ok(Order::share(percent / 100.0, fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(text: &str) -> Wanted {
        text.parse().unwrap()
    }

    #[test]
    fn faults_read_in_their_short_form_and_as_the_documentation_writes_them() {
        assert_eq!(wanted("html").order, Order::next(1, Fault::Html));
        let some = wanted("crm.status=503:5%");
        assert_eq!(
            (some.from, some.order),
            (Which::Crm, Order::share(0.05, Fault::status(503)))
        );
        assert_eq!(wanted("slow_answer=800").order.fault, Fault::SlowAnswer { ms: 800 });
        let json = wanted(r#"erp.{"fault":{"kind":"html"},"times":3}"#);
        assert_eq!((json.from, json.order.times), (Which::Erp, Some(3)));
    }

    #[test]
    fn a_fault_that_is_none_is_refused_with_what_is_wrong() {
        for (text, told) in [
            ("htlm", "htlm"),
            ("status=often", "often"),
            ("lose_webhook:20", "20"),
            ("status", "status"),
        ] {
            let error = text.parse::<Wanted>().unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
