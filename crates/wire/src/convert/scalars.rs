//! Texts, numbers, ids, times and lists: what every other conversion is made of.

use std::collections::BTreeMap;

use model::{
    ClusterId, ConfigId, Duration, ExtensionId, NetworkId, NodeId, ResourceId, SecretId, ServiceId,
    SessionId, TaskId, TaskState, Timestamp, VolumeId,
};

use super::{Malformed, OnWire};

macro_rules! same {
    ($($kind:ty),*) => {$(
        impl OnWire<$kind> for $kind {
            fn to_wire(&self) -> $kind {
                self.clone()
            }

            fn from_wire(wire: $kind) -> Result<Self, Malformed> {
                Ok(wire)
            }
        }
    )*};
}
same!(String, bool, u8, u32, u64, i32, i64, f32, BTreeMap<String, String>);

macro_rules! ids {
    ($($id:ty),*) => {$(
        impl OnWire<String> for $id {
            fn to_wire(&self) -> String {
                self.as_str().to_owned()
            }

            fn from_wire(wire: String) -> Result<Self, Malformed> {
                wire.parse().map_err(|_| Malformed::new("", wire))
            }
        }

        /// On the wire, no id is an empty text.
        impl OnWire<String> for Option<$id> {
            fn to_wire(&self) -> String {
                self.map(|id| id.as_str().to_owned()).unwrap_or_default()
            }

            fn from_wire(wire: String) -> Result<Self, Malformed> {
                if wire.is_empty() { Ok(None) } else { <$id>::from_wire(wire).map(Some) }
            }
        }

        #[cfg(test)]
        impl super::tests::Any for $id {
            fn any(chance: &mut model::Chance) -> Self {
                Self::random(chance)
            }
        }
    )*};
}
ids!(
    ClusterId,
    ConfigId,
    ExtensionId,
    NetworkId,
    NodeId,
    ResourceId,
    SecretId,
    ServiceId,
    SessionId,
    TaskId,
    VolumeId
);

impl<W, T: OnWire<W>> OnWire<Option<W>> for Option<T> {
    fn to_wire(&self) -> Option<W> {
        self.as_ref().map(T::to_wire)
    }

    fn from_wire(wire: Option<W>) -> Result<Self, Malformed> {
        wire.map(T::from_wire).transpose()
    }
}

impl<W, T: OnWire<W>> OnWire<Vec<W>> for Vec<T> {
    fn to_wire(&self) -> Vec<W> {
        self.iter().map(T::to_wire).collect()
    }

    fn from_wire(wire: Vec<W>) -> Result<Self, Malformed> {
        wire.into_iter().map(T::from_wire).collect()
    }
}

impl<W, T: OnWire<W>> OnWire<W> for Box<T> {
    fn to_wire(&self) -> W {
        self.as_ref().to_wire()
    }

    fn from_wire(wire: W) -> Result<Self, Malformed> {
        T::from_wire(wire).map(Self::new)
    }
}

impl OnWire<i32> for TaskState {
    fn to_wire(&self) -> i32 {
        *self as i32
    }

    fn from_wire(wire: i32) -> Result<Self, Malformed> {
        Self::from_number(wire).ok_or_else(|| Malformed::new("", wire))
    }
}

impl OnWire<prost_types::Timestamp> for Timestamp {
    fn to_wire(&self) -> prost_types::Timestamp {
        let (seconds, nanos) = self.parts();
        prost_types::Timestamp { seconds, nanos }
    }

    fn from_wire(wire: prost_types::Timestamp) -> Result<Self, Malformed> {
        let prost_types::Timestamp { seconds, nanos } = wire;
        Ok(Self::from_parts(seconds, nanos))
    }
}

impl OnWire<prost_types::Duration> for Duration {
    /// Whole seconds beyond what the wire can say become the most it can say.
    fn to_wire(&self) -> prost_types::Duration {
        let seconds = i64::try_from(self.as_secs()).unwrap_or(i64::MAX);
        prost_types::Duration { seconds, nanos: self.subsec_nanos().cast_signed() }
    }

    fn from_wire(wire: prost_types::Duration) -> Result<Self, Malformed> {
        let prost_types::Duration { seconds, nanos } = wire;
        match (u64::try_from(seconds), u32::try_from(nanos)) {
            (Ok(seconds), Ok(nanos)) if nanos < 1_000_000_000 => Ok(Self::new(seconds, nanos)),
            _ => Err(Malformed::new("", format!("{seconds}s {nanos}ns"))),
        }
    }
}
