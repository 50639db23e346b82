//! Settings: one base, one layer an environment, variables on top.
//!
//! [`load`] merges the layers (the defaults in the program, `default.toml` and `<environment>.toml` of the config folder,
//! variables `SYNCLINE__SECTION__KEY`), reads them into [`Settings`] and names everything that is wrong at once, each
//! problem with its key and the file or variable it came from. Secrets are only referred to; [`Reference::read`] gets them.
//!
//! This is the only place that reads the environment.

mod bounds;
mod check;
mod form;
mod layer;
mod notify;
mod oidc;
mod problem;
mod secret;
mod show;
mod tree;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use chrono::{DateTime, Utc};

pub use form::{
    Console, Folders, Keys, Limits, Log, LogFormat, Node, Requests, Retention, Schedule, SensitiveValues, Server,
    Settings, Store, System,
};
pub use notify::{Mail, Notify, Of, Webhook};
pub use oidc::Oidc;
pub use problem::{Origin, Problem, Severity};
pub use secret::{ReadError, Reference, Variables, WebhookSecret};
pub use show::{Entry, entries};

/// The defaults, which are also the reference.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// The environment where no other is named, and the only one that may hold secrets in clear text.
pub const DEV: &str = "dev";

/// Which settings are to be loaded.
#[derive(Debug, Clone)]
pub struct Source {
    /// The folder with `<environment>.toml`.
    pub folder: PathBuf,
    /// The environment.
    pub environment: String,
    /// The variables.
    pub variables: Variables,
}

/// Loads and checks the settings. Warnings come with them, errors instead of them (together with the warnings).
pub fn load(source: &Source, now: DateTime<Utc>) -> Result<(Settings, Vec<Problem>), Vec<Problem>> {
    let (layers, mut problems) = layer::Layers::read(source);
    let settings = layers.settings(&mut problems);
    let Some(mut settings) = settings else {
        return Err(problems);
    };
    settings.environment.clone_from(&source.environment);
    settings.variables = source.variables.clone();
    settings.shown = show::of(&layers);
    check::all(&settings, &layers, now, &mut problems);
    if problems.iter().all(Problem::is_warning) {
        Ok((settings, problems))
    } else {
        Err(problems)
    }
}

impl Settings {
    /// Whether these are settings of a developer's own machine.
    #[must_use]
    pub fn is_dev(&self) -> bool {
        self.environment == DEV
    }

    /// The name of this process in runs and leases.
    #[must_use]
    pub fn node_name(&self) -> String {
        if !self.node.name.is_empty() {
            return self.node.name.clone();
        }
        // A hardened unit hides /proc/sys.
        ["/proc/sys/kernel/hostname", "/etc/hostname"]
            .into_iter()
            .filter_map(|file| std::fs::read_to_string(file).ok())
            .chain(self.variables.get("HOSTNAME").map(str::to_owned))
            .map(|name| name.trim().to_owned())
            .find(|name| !name.is_empty())
            .unwrap_or_else(|| "node".to_owned())
    }

    /// Every secret that cannot be read, as a problem that names system, key and place.
    #[must_use]
    pub fn missing_secrets(&self) -> Vec<Problem> {
        check::missing_secrets(self)
    }

    /// The JSON Schema of the settings files.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        // Draft 7 is what editors know best.
        let generator = schemars::generate::SchemaSettings::draft07().into_generator();
        let mut schema = generator.into_root_schema_for::<Self>().to_value();
        if let Some(schema) = schema.as_object_mut() {
            // A layer says only what differs, so no section is required in a file.
            schema.remove("required");
            let definitions = schema.get_mut("definitions").and_then(serde_json::Value::as_object_mut);
            for (name, definition) in definitions.into_iter().flatten() {
                if !["System", "Webhook", "Mail", "Oidc"].contains(&name.as_str())
                    && let Some(definition) = definition.as_object_mut()
                {
                    definition.remove("required");
                }
            }
            schema.insert("title".to_owned(), "Settings of Syncline".into());
        }
        schema
    }
}
