//! What every command starts from: the settings of the environment, and where its output goes.

use secrecy::ExposeSecret;

use super::{
    Global,
    error::{Error, Result},
    output::{self, Output, complain},
};
use crate::{
    catalog::{diagnostic, load::Catalog},
    clock::Clock,
    settings::{self, Problem, Reference, Settings, Source, Variables},
    store::{Access, Keys, Options, Store, key, presence::command_name},
};

/// What a command works with.
pub struct Context {
    /// Where output goes.
    pub output: Output,
    /// The time.
    pub clock: Clock,
    /// The layers of settings.
    pub source: Source,
}

impl Context {
    pub(super) fn new(global: &Global) -> Self {
        let source = Source {
            folder: global.config_dir.clone(),
            environment: global.env.clone(),
            variables: Variables::of_process(),
        };
        Self {
            output: Output::new(global.json, global.quiet),
            clock: Clock::system(),
            source,
        }
    }

    /// Ends a command that was called outside of a project: without any setting it would only find things missing.
    pub fn in_project(&self) -> Result<()> {
        let folder = &self.source.folder;
        let is_set = |entry: &settings::Entry| entry.origin != settings::Origin::Default;
        if folder.exists() || settings::entries(&self.source).0.iter().any(is_set) {
            return Ok(());
        }
        let error = Error::failed(format!("there is no folder `{}` with settings here", folder.display()));
        Err(error.with_hint(
            "call it in the folder of the project, name the folder with --config-dir, or lay out a first project with `syncline init FOLDER`",
        ))
    }

    /// The settings; warnings are told, errors end the command.
    pub fn settings(&self) -> Result<Settings> {
        self.in_project()?;
        match settings::load(&self.source, self.clock.now()) {
            Ok((settings, warnings)) => {
                for warning in warnings {
                    self.output.talk(warning.to_string());
                }
                Ok(settings)
            }
            Err(problems) => Err(self.refuse(&problems)),
        }
    }

    /// The catalog of these settings, if nothing is wrong with it and every secret can be read; else everything that is
    /// wrong is shown, and the command ends.
    pub fn catalog(&self, settings: &Settings) -> Result<Catalog> {
        let missing = settings.missing_secrets();
        let loaded = self.loaded(settings);
        for problem in &missing {
            complain(problem.to_string());
        }
        let style = output::style(&std::io::stderr());
        if loaded.is_ok() && missing.is_empty() {
            if !loaded.diagnostics.is_empty() {
                self.output.talk(diagnostic::render(&loaded.diagnostics, style));
            }
            return Ok(loaded.catalog);
        }
        if !loaded.diagnostics.is_empty() {
            complain(diagnostic::render(&loaded.diagnostics, style));
        }
        let errors = loaded.diagnostics.iter().filter(|problem| problem.is_error()).count() + missing.len();
        let what = if errors == 1 { "problem" } else { "problems" };
        let message = format!(
            "{errors} {what} in the secrets, connectors and mappings of `{}`",
            self.source.environment
        );
        Err(Error::found(message).with_hint("`syncline check` shows everything that is wrong"))
    }

    /// Opens our own data.
    pub async fn store(&self, settings: &Settings, access: Access) -> Result<Store> {
        let url = settings.store.url.read(&settings.variables)?;
        let node = match access {
            Access::Daemon => settings.node_name(),
            Access::Shared | Access::Read => command_name(&settings.node_name()),
        };
        let options = Options {
            node,
            access,
            sqlite_read_connections: settings.store.connections_max,
            postgres_connections: settings.store.connections_max,
            clock: self.clock.clone(),
            ..Options::new(url.expose_secret(), keys(settings, access)?)
        };
        Ok(Store::open(&options).await?)
    }

    /// Who is at the command line, as the audit shows it.
    #[must_use]
    pub fn actor(&self) -> String {
        let variables = &self.source.variables;
        let user = variables
            .get("SUDO_USER")
            .or_else(|| variables.get("USER"))
            .or_else(|| variables.get("LOGNAME"));
        format!("user:{}", user.unwrap_or("unknown"))
    }

    fn refuse(&self, problems: &[Problem]) -> Error {
        for problem in problems {
            complain(problem.to_string());
        }
        let errors = problems.iter().filter(|problem| !problem.is_warning()).count();
        let what = if errors == 1 { "problem" } else { "problems" };
        Error::found(format!(
            "{errors} {what} in the settings of `{}`",
            self.source.environment
        ))
        .with_hint(
            "`syncline check` shows everything that is wrong, `syncline config show` where each value comes from",
        )
    }
}

/// Runs `work` to its end. Commands are short; the daemon builds a runtime of its own size.
pub fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    done
}

/// The keys of the store. Only in the environment `dev` a key file that is missing is made: elsewhere a wrong path would
/// quietly give every node a key of its own.
fn keys(settings: &Settings, access: Access) -> Result<Keys> {
    match &settings.keys.data {
        // Who only looks leaves no key behind: the database, if there is one, says that this is not its own.
        Reference::File(path) if settings.is_dev() && access != Access::Daemon && !path.exists() => {
            Ok(Keys::derive(&rand::random()))
        }
        Reference::File(path) if settings.is_dev() || path.exists() => Ok(key::load_or_create(path)?),
        reference => {
            let text = reference.read(&settings.variables).map_err(|error| {
                Error::from(error).with_hint(
                    "`syncline config key` makes a data key; keep a copy outside this machine, all nodes share it (keys.data)",
                )
            })?;
            Ok(key::from_text(&text)?)
        }
    }
}
