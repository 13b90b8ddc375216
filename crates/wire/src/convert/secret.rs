//! Secrets: bytes that only reach the tasks they are for.

use model::secret::{Secret, SecretSpec};

use super::twins;
use crate::proto;

twins!(Secret, proto::Secret { id, meta!, spec!, internal, });
twins!(SecretSpec, proto::SecretSpec { annotations!, data, templating, driver, });
