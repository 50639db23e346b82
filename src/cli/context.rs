//! What every command starts from: the settings of the environment, and where its output goes.

use std::path::PathBuf;

use super::{
    Global,
    error::{Error, Result},
    output::{Output, complain},
};
use crate::{
    clock::Clock,
    settings::{self, Problem, Settings, Source, Variables},
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

    /// The settings; warnings are told, errors end the command.
    pub fn settings(&self) -> Result<Settings> {
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

    /// The settings of a process that talks to other systems: every secret must be there.
    pub fn settings_with_secrets(&self) -> Result<Settings> {
        let settings = self.settings()?;
        let missing = settings.missing_secrets();
        if missing.is_empty() {
            Ok(settings)
        } else {
            Err(self.refuse(&missing))
        }
    }

    /// The folder with the settings.
    #[must_use]
    pub fn config_folder(&self) -> &PathBuf {
        &self.source.folder
    }

    fn refuse(&self, problems: &[Problem]) -> Error {
        for problem in problems {
            complain(problem.to_string());
        }
        let errors = problems.iter().filter(|problem| !problem.is_warning()).count();
        let what = if errors == 1 { "problem" } else { "problems" };
        Error::failed(format!(
            "{errors} {what} in the settings of `{}`",
            self.source.environment
        ))
        .with_hint(
            "`syncline check` shows everything that is wrong, `syncline config show` where each value comes from",
        )
    }
}
