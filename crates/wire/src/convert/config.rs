//! Configs: files that every node of a task gets.

use model::config::{Config, ConfigSpec};

use super::twins;
use crate::proto;

twins!(Config, proto::Config { id, meta!, spec!, });
twins!(ConfigSpec, proto::ConfigSpec { annotations!, data, templating, });
