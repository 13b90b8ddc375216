//! What every object carries beside its own content.

use model::meta::{Annotations, Driver, IndexEntry, Meta, Payload, Version};

use super::twins;
use crate::proto;

twins!(Version, proto::Version { index });
twins!(Meta, proto::Meta { version!, created_at, updated_at, });
twins!(Annotations, proto::Annotations { name, labels, indices });
twins!(IndexEntry, proto::IndexEntry { key, value = val, });
twins!(Driver, proto::Driver { name, options });
twins!(Payload, prost_types::Any { type_url, value });
