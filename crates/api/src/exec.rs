//! Programs run inside of containers that already run.

use serde::{Deserialize, Serialize};

use crate::json::{is_zero, null_if_empty};

/// `POST /containers/{id}/exec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ExecCreate {
    /// As whom.
    pub user: String,
    /// With all rights.
    pub privileged: bool,
    /// With a terminal.
    pub tty: bool,
    /// Rows and columns of the terminal.
    #[serde(skip_serializing_if = "is_zero")]
    pub console_size: Option<[u32; 2]>,
    /// Whether its input comes from the client.
    pub attach_stdin: bool,
    /// Whether its errors go to the client.
    pub attach_stderr: bool,
    /// Whether its output goes to the client.
    pub attach_stdout: bool,
    /// Nobody waits for it.
    pub detach: bool,
    /// The keys that end the conversation.
    pub detach_keys: String,
    /// More of its environment.
    #[serde(serialize_with = "null_if_empty")]
    pub env: Vec<String>,
    /// Where it starts.
    pub working_dir: String,
    /// The program and its arguments.
    #[serde(serialize_with = "null_if_empty")]
    pub cmd: Vec<String>,
}

/// The answer to the creation of an exec.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ExecCreated {
    /// Its id.
    pub id: String,
}

/// `POST /exec/{id}/start`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ExecStart {
    /// Nobody waits for it.
    pub detach: bool,
    /// With a terminal.
    pub tty: bool,
    /// Rows and columns of the terminal.
    #[serde(skip_serializing_if = "is_zero")]
    pub console_size: Option<[u32; 2]>,
}

/// `GET /exec/{id}/json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ExecInspect {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Whether it runs.
    pub running: bool,
    /// How it ended; absent while it runs.
    pub exit_code: Option<i32>,
    /// What it runs.
    pub process_config: ProcessConfig,
    /// Whether its input comes from the client.
    pub open_stdin: bool,
    /// Whether its errors go to the client.
    pub open_stderr: bool,
    /// Whether its output goes to the client.
    pub open_stdout: bool,
    /// Whether it can be removed.
    pub can_remove: bool,
    /// The container.
    #[serde(rename = "ContainerID")]
    pub container_id: String,
    /// The keys that end the conversation.
    pub detach_keys: String,
    /// The process, 0 if there is none.
    pub pid: i32,
}

/// What an exec runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessConfig {
    /// With a terminal.
    pub tty: bool,
    /// The program.
    pub entrypoint: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// With all rights.
    pub privileged: bool,
    /// As whom.
    #[serde(skip_serializing_if = "is_zero")]
    pub user: String,
}
