//! What the commands that work on records start from: an engine over the project, and whether a daemon works beside them.

use std::sync::Arc;

use secrecy::ExposeSecret as _;

use super::{
    context::Context,
    error::{Error, Result},
    project::unknown,
};
use crate::{
    core::{mapping::Mapping, problem::nearest, status::Side},
    settings::Settings,
    store::{self, Access, Store},
    sync::Engine,
    worker::{assembly, quota, recover},
};

/// A project that can work.
pub(super) struct Work {
    /// What works on records.
    pub(super) engine: Engine,
    /// Whether a daemon works on the same database.
    pub(super) has_daemon: bool,
    order: Vec<Arc<Mapping>>,
}

impl Work {
    /// Opens everything, beside a daemon that may be running.
    pub(super) async fn open(context: &Context) -> Result<Self> {
        let settings = context.settings()?;
        let catalog = context.catalog(&settings)?;
        let store = shared(context, &settings).await?;
        let url = settings.store.url.read(&settings.variables)?;
        let has_daemon = store.has_daemon(url.expose_secret()).await?;
        let engine = assembly::engine(&settings, &catalog, store, context.clock.clone()).map_err(|error| {
            Error::from(error).with_hint("`syncline doctor` shows which secrets and settings of systems are missing")
        })?;
        let cut_off = recover::recover_commands(engine.store()).await?;
        if cut_off.runs > 0 {
            context.output.talk(
                "an earlier command was ended in the middle: its run is closed as failed, `syncline runs` shows it",
            );
        }
        let order = catalog.in_order().cloned().collect();
        Ok(Self {
            engine,
            has_daemon,
            order,
        })
    }

    /// Every mapping, each after those whose links it needs.
    pub(super) fn in_order(&self) -> Vec<Arc<Mapping>> {
        self.order.clone()
    }

    /// A mapping by name.
    pub(super) fn mapping(&self, name: &str) -> Result<Arc<Mapping>> {
        let known = || self.engine.mappings().map(|mapping| mapping.name.as_str());
        self.engine
            .mapping(name)
            .cloned()
            .ok_or_else(|| unknown("mapping", name, known().collect::<Vec<_>>().into_iter()))
    }

    /// Gives everything back.
    pub(super) async fn close(self) {
        quota::give_back(&self.engine).await;
        self.engine.store().close().await;
    }
}

/// Opens the store beside a daemon. On a developer's machine the first command that works makes the database, as the daemon
/// would; elsewhere a missing one is more likely a wrong address.
pub(super) async fn shared(context: &Context, settings: &Settings) -> Result<Store> {
    match context.store(settings, Access::Shared).await {
        Err(error) if settings.is_dev() && is_absent(&error) => {
            context.store(settings, Access::Daemon).await?.close().await;
            context.output.talk("made a new database");
            context.store(settings, Access::Shared).await
        }
        other => other,
    }
}

fn is_absent(error: &Error) -> bool {
    matches!(error.cause::<store::Error>(), Some(store::Error::Absent { .. }))
}

/// A record as it is written on the command line: `erp:7`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecordArg {
    system: String,
    id: String,
}

impl RecordArg {
    /// The side of the mapping that the record is on, and its id.
    pub(super) fn of<'a>(&'a self, mapping: &Mapping) -> Result<(Side, &'a str)> {
        if let Some(side) = mapping.ends.side_of_system(&self.system) {
            return Ok((side, &self.id));
        }
        let ends = [Side::Left, Side::Right].map(|side| mapping.end(side).system.as_str());
        let error = Error::usage(format!("mapping `{}` has no system `{}`", mapping.name, self.system));
        Err(match nearest(&self.system, ends) {
            Some(near) => error.with_hint(format!("did you mean `{near}:{}`?", self.id)),
            None => error.with_hint(format!("it is between `{}` and `{}`", ends[0], ends[1])),
        })
    }
}

impl std::str::FromStr for RecordArg {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text.split_once(':') {
            Some((system, id)) if !system.is_empty() && !id.is_empty() => Ok(Self {
                system: system.to_owned(),
                id: id.to_owned(),
            }),
            _ => Err("a record is written SYSTEM:ID, as in `erp:7`".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_may_hold_colons_and_a_record_without_a_system_is_refused() {
        let record: RecordArg = "crm:urn:acc:7".parse().unwrap();
        assert_eq!((record.system.as_str(), record.id.as_str()), ("crm", "urn:acc:7"));
        assert!("7".parse::<RecordArg>().is_err() && "crm:".parse::<RecordArg>().is_err());
    }
}
