//! Foreign objects and their kinds.

use model::extension::{Extension, Resource};

use super::twins;
use crate::proto;

twins!(Extension, proto::Extension { id, meta!, annotations!, description, });
twins!(Resource, proto::Resource { id, meta!, annotations!, kind, payload, });
