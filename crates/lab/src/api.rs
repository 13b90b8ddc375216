//! The Engine API of one daemon, spoken with by `curl`.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::command::output;
use crate::trouble::{Result, Trouble};

/// The way to the API of one host's daemon, whether that runs or not. Clones lead to the same one.
#[derive(Clone, Debug)]
pub struct Api {
    pub(crate) host: String,
    pub(crate) socket: PathBuf,
}

impl Api {
    /// What it answers to a GET of this path, as in `/nodes`.
    ///
    /// # Errors
    /// If it refuses, or answers no JSON.
    pub fn get(&self, path: &str) -> Result<Value> {
        let text = self.say(&mut self.curl(path))?;
        serde_json::from_str(&text).map_err(|error| Trouble::new(format!("reading {path}"), error))
    }

    /// What it answers to a POST of this JSON.
    ///
    /// # Errors
    /// If it refuses; with what it answered.
    pub fn post(&self, path: &str, body: &Value) -> Result<String> {
        let kind = "Content-Type: application/json";
        self.say(self.curl(path).args(["--header", kind, "--data", &body.to_string()]))
    }

    /// Whether it answers now.
    pub fn answers(&self) -> bool {
        self.say(&mut self.curl("/_ping")).is_ok()
    }

    fn curl(&self, path: &str) -> Command {
        let mut command = Command::new("curl");
        command
            .args(["--silent", "--show-error", "--fail-with-body", "--max-time", "30", "--unix-socket"])
            .arg(&self.socket)
            .arg(format!("http://host{path}"));
        command
    }

    fn say(&self, command: &mut Command) -> Result<String> {
        output(command).map_err(|trouble| Trouble::new(format!("on {}", self.host), trouble))
    }
}
