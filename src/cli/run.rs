//! `syncline run`: the daemon, from settings to a graceful end.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use sd_notify::NotifyState;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};

use super::{
    context::{Context, block_on},
    daemon::Daemon,
    error::{Error, Exit, Result},
    list::time,
};
use crate::{server::console::user, settings::Settings, store::Access, telemetry};

/// The daemon: takes webhooks, keeps the systems in agreement, reconciles by schedule
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline run                          in the environment `dev`
  syncline --env prod run               as the systemd unit does
  SYNCLINE__SERVER__BIND=127.0.0.1:9000 syncline run

SIGTERM and SIGINT end it gracefully: nothing new is begun, work in flight ends within limits.shutdown_grace, the rest goes
on at the next start. A second signal ends it at once. Settings are read at the start alone: restart it to change them.")]
pub struct Args {}

pub(super) fn run(context: &Context, _: &Args) -> Result {
    let settings = context.settings()?;
    let catalog = context.catalog(&settings)?;
    telemetry::start(&settings.log)?;
    block_on(async {
        // Before anything is begun, so that no signal finds nobody listening.
        let mut signals = Signals::new()?;
        let store = context.store(&settings, Access::Daemon).await?;
        let listener = bind(settings.server.bind).await?;
        let settings = Arc::new(settings);
        let daemon = Daemon::start(Arc::clone(&settings), &catalog, store, context.clock.clone(), listener).await?;
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            address = %daemon.address,
            environment = settings.environment,
            systems = names(settings.systems.keys()),
            mappings = names(catalog.mappings.keys()),
            "ready"
        );
        notify(&[NotifyState::Ready, NotifyState::Status("keeping systems in agreement")]);
        tell_first_sign_in(context, &daemon).await;
        tell_if_nothing_to_do(&settings, catalog.mappings.is_empty());
        let ended = watch(&daemon, &mut signals).await;
        notify(&[
            NotifyState::Stopping,
            NotifyState::Status("finishing what is in flight"),
        ]);
        tokio::select! {
            () = daemon.stop() => {}
            () = signals.end() => {
                tracing::warn!("ended at once by a second signal; what was in flight goes on at the next start");
                return Ok(Exit::Failed);
            }
        }
        ended.map(|()| {
            tracing::info!("stopped");
            Exit::Done
        })
    })
}

fn names<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// At the first start nobody can sign in yet. The link goes to the terminal or the journal of the unit, never into the log.
/// Without it the daemon works all the same: a disk that is full in this moment must not end it.
async fn tell_first_sign_in(context: &Context, daemon: &Daemon) {
    match daemon.first_sign_in().await {
        Ok(Some(link)) => context.output.talk(format!(
            "nobody can sign in at the console yet: open this link once, before {}, to set the password of `{}`\n  {}",
            time(link.until),
            user::FIRST,
            link.url
        )),
        Ok(None) => {}
        Err(error) => tracing::warn!(
            %error,
            "no link for the first sign-in at the console was made; `syncline user add` makes one, or the next start does"
        ),
    }
}

fn tell_if_nothing_to_do(settings: &Settings, has_no_mappings: bool) {
    if has_no_mappings {
        tracing::warn!(
            folder = %settings.folders.mappings.display(),
            "there is no mapping between systems of this environment: webhooks are stored, and nothing is kept in agreement"
        );
    }
}

/// Waits for the end: a signal, or a part of the daemon that broke off.
async fn watch(daemon: &Daemon, signals: &mut Signals) -> Result<()> {
    // Half of the time the service manager gives us, as it recommends.
    let pulse = sd_notify::watchdog_enabled().map_or(Duration::from_hours(1), |limit| limit / 2);
    let mut pulse = tokio::time::interval(pulse);
    loop {
        tokio::select! {
            () = signals.end() => {
                tracing::info!("stopping: nothing new is begun, what is in flight ends");
                return Ok(());
            }
            () = daemon.broke() => {
                return Err(Error::failed("a part of the daemon broke off; the log says which, and why"));
            }
            _ = pulse.tick() => {
                if daemon.is_alive() {
                    notify(&[NotifyState::Watchdog]);
                } else {
                    tracing::error!("the work on changes has come to a standstill");
                }
            }
        }
    }
}

/// Tells the service manager, if there is one.
fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "the service manager cannot be told how we are");
    }
}

/// Binds the address, or says what keeps us from it.
async fn bind(address: SocketAddr) -> Result<TcpListener> {
    let error = match TcpListener::bind(address).await {
        Ok(listener) => return Ok(listener),
        Err(error) => error,
    };
    let message = format!("cannot listen on {address} (server.bind): {error}");
    Err(Error::failed(message).with_hint(match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program listens there, perhaps another daemon: stop it, or set another `server.bind`; `ss -ltnp` shows who it is"
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need a right that Syncline should not have: take another port and let a reverse proxy stand in front"
        }
        io::ErrorKind::AddrNotAvailable => "no network of this machine has that address: `ip address` shows those it has",
        _ => "set another `server.bind`",
    }))
}

/// The signals that end the daemon, and the one that does not.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits until we are told to end.
    async fn end(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => {
                    tracing::warn!("settings and definitions are read at the start alone: restart to have them read again");
                }
            }
        }
    }
}
