//! The command line, by running the real binary: help, exit codes, JSON, and what is never printed.

mod auth;
mod bad_input;
mod check;
mod connector;
mod decision;
mod doctor;
mod drift;
mod first_day;
mod help;
mod hostile;
mod links;
mod look;
mod sandbox;
mod subscription;
mod tenant;
mod work;

use std::{fs, path::Path};

use assert_cmd::{Command, assert::Assert};
use serde_json::Value as Json;

/// A folder with settings, and commands run in it.
pub struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// A folder with nothing in it.
    pub fn empty() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A folder whose environment `dev` has these settings.
    pub fn with(settings: &str) -> Self {
        let place = Self::empty();
        place.write("config/dev.toml", settings);
        place
    }

    /// A folder laid out as this repository is: settings, connectors and mappings of the sandbox.
    pub fn project() -> Self {
        let place = Self::empty();
        for file in [
            "config/dev.toml",
            "connectors/sandbox-erp.yaml",
            "connectors/sandbox-crm.yaml",
            "mappings/customer-account.yaml",
            "mappings/customer-account.test.yaml",
            "mappings/contact.yaml",
            "mappings/contact.test.yaml",
        ] {
            let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
            place.write(file, &text);
        }
        place
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, file: &str, text: &str) {
        let path = self.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Replaces a part of a file that must be there.
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path().join(file)).unwrap();
        assert!(text.contains(from), "{file} has no `{from}`");
        self.write(file, &text.replacen(from, to, 1));
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
        command.current_dir(self.path()).env_clear().env("USER", "ana");
        command
    }

    pub fn run(&self, args: &[&str]) -> Assert {
        self.command().args(args).assert()
    }

    /// The JSON lines of a command that ends with this exit code.
    pub fn json_of(&self, code: i32, args: &[&str]) -> Vec<Json> {
        let done = self.run(&[&["--json"], args].concat()).code(code);
        let text = stdout(&done);
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub fn json(&self, args: &[&str]) -> Vec<Json> {
        self.json_of(0, args)
    }
}

pub fn stdout(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).unwrap()
}

pub fn stderr(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stderr.clone()).unwrap()
}
