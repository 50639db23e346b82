//! A configured system, for the commands that ask it something.

use crate::{
    cli::{
        context::{Context, block_on},
        doctor::Scratch,
        error::{Error, Result},
        project::{broken_connector, unknown},
    },
    client::System,
    core::connector::Object,
    settings::{self, Settings},
    store::{Access, Store},
    worker::assembly,
};

/// Does something with a system. Tokens that people have signed in for are in our own database, where there is one.
pub(in crate::cli) fn with_system<T>(
    context: &Context,
    name: &str,
    work: impl AsyncFnOnce(&System, &settings::System, &Settings) -> Result<T>,
) -> Result<T> {
    block_on(async {
        let settings = context.settings()?;
        let scratch = Scratch::open(context).await?;
        let own = context.store(&settings, Access::Shared).await.ok();
        let store = own.as_ref().unwrap_or_else(|| scratch.store());
        let done = match system(context, &settings, store, name) {
            Ok((system, given)) => {
                let done = work(&system, given, &settings).await;
                system.give_back_quota().await;
                done
            }
            Err(error) => Err(error),
        };
        if let Some(own) = own {
            own.close().await;
        }
        scratch.close().await;
        done
    })
}

fn system<'s>(
    context: &Context,
    settings: &'s Settings,
    store: &Store,
    name: &str,
) -> Result<(System, &'s settings::System)> {
    let Some(given) = settings.systems.get(name) else {
        return Err(unknown("system", name, settings.systems.keys().map(String::as_str)));
    };
    let loaded = context.loaded(settings);
    match assembly::system(settings, &loaded.catalog, store, &context.clock, name, given) {
        Ok(system) => Ok((system, given)),
        Err(assembly::Error::NoConnector { connector, .. }) => {
            let (found, next) = broken_connector(&loaded, &connector);
            Err(Error::found(found).with_hint(next))
        }
        Err(error) => Err(Error::from(error).with_hint("`syncline check` says what the connector needs")),
    }
}

/// The object with this name; without one, the first that can be listed.
pub(super) fn object<'s>(system: &'s System, name: Option<&'s str>) -> Result<&'s str> {
    let objects = &system.connector().objects;
    if let Some(name) = name {
        return known(system, name).map(|object| object.name.as_str());
    }
    let listed = objects.values().find(|object| object.list.is_some());
    let first = listed.or_else(|| objects.values().next());
    first
        .map(|object| object.name.as_str())
        .ok_or_else(|| Error::found("the connector has no object"))
}

/// What the connector says of an object.
pub(super) fn known<'s>(system: &'s System, name: &str) -> Result<&'s Object> {
    let objects = &system.connector().objects;
    objects
        .get(name)
        .ok_or_else(|| unknown("object", name, objects.keys().map(String::as_str)))
}
