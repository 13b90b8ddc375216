//! Secrets and configs: bytes for tasks.

use model::config::{Config, ConfigSpec};
use model::secret::{Secret, SecretSpec};

use super::twins;
use crate::proto;

twins!(Secret, proto::Secret { id, meta!, spec!, internal, });
twins!(SecretSpec, proto::SecretSpec { annotations!, data, templating, driver, });
twins!(Config, proto::Config { id, meta!, spec!, });
twins!(ConfigSpec, proto::ConfigSpec { annotations!, data, templating, });
