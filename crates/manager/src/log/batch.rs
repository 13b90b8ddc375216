//! The bytes of one batch: what a single `Persist` puts into the log, before it is sealed.
//!
//! All numbers are little-endian:
//!
//! ```text
//! number u64 | term u64 | vote u64 | commit u64 | restart u8 [index u64 | term u64] | count u32 | entries
//! entry:  term u64 | index u64 | kind u8 | length u32 | bytes       kind 0 nothing, 1 data, 2.. a change:
//! change: kind 2 add, 3 remove, 4 update, 5 learner; bytes = id u64 | replica u64 | context
//! ```
//!
//! `restart` is 1 if a snapshot replaced the log; the entries then follow that snapshot.

use raft::{ConfChange, ConfChangeKind, Entry, HardState, Payload, Position};

/// What one write holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    /// Which; they count upwards without gaps, across files.
    pub(crate) number: u64,
    /// The promises.
    pub(crate) hard_state: HardState,
    /// A snapshot took the place of everything before.
    pub(crate) restart: Option<Position>,
    /// New entries.
    pub(crate) entries: Vec<Entry>,
}

/// Writes a batch behind what is in `bytes`.
pub(crate) fn write(
    bytes: &mut Vec<u8>,
    number: u64,
    state: HardState,
    restart: Option<Position>,
    entries: &[Entry],
) {
    let HardState { term, vote, commit } = state;
    for value in [number, term, vote, commit] {
        bytes.extend(value.to_le_bytes());
    }
    bytes.push(u8::from(restart.is_some()));
    if let Some(Position { index, term }) = restart {
        bytes.extend(index.to_le_bytes());
        bytes.extend(term.to_le_bytes());
    }
    bytes.extend((entries.len() as u32).to_le_bytes());
    for entry in entries {
        write_entry(bytes, entry);
    }
}

fn write_entry(bytes: &mut Vec<u8>, entry: &Entry) {
    let Entry { term, index, payload } = entry;
    bytes.extend(term.to_le_bytes());
    bytes.extend(index.to_le_bytes());
    match payload {
        Payload::Nothing => {
            bytes.push(NOTHING);
            bytes.extend(0_u32.to_le_bytes());
        }
        Payload::Data(data) => {
            bytes.push(DATA);
            bytes.extend((data.len() as u32).to_le_bytes());
            bytes.extend(&data[..]);
        }
        Payload::Change(ConfChange { id, kind, replica, context }) => {
            bytes.push(match kind {
                ConfChangeKind::Add => ADD,
                ConfChangeKind::Remove => REMOVE,
                ConfChangeKind::Update => UPDATE,
                ConfChangeKind::AddLearner => ADD_LEARNER,
            });
            bytes.extend((context.len() as u32 + 16).to_le_bytes());
            bytes.extend(id.to_le_bytes());
            bytes.extend(replica.to_le_bytes());
            bytes.extend(&context[..]);
        }
    }
}

/// Reads a whole batch; `None` if it is not one.
pub(crate) fn read(bytes: &[u8]) -> Option<Batch> {
    let mut reader = Reader(bytes);
    let number = reader.u64()?;
    let hard_state = HardState { term: reader.u64()?, vote: reader.u64()?, commit: reader.u64()? };
    let restart = match reader.u8()? {
        0 => None,
        1 => Some(Position { index: reader.u64()?, term: reader.u64()? }),
        _ => return None,
    };
    let count = reader.u32()?;
    let entries = (0..count).map(|_| read_entry(&mut reader)).collect::<Option<Vec<_>>>()?;
    reader.0.is_empty().then_some(Batch { number, hard_state, restart, entries })
}

fn read_entry(reader: &mut Reader<'_>) -> Option<Entry> {
    let (term, index, kind) = (reader.u64()?, reader.u64()?, reader.u8()?);
    let length = reader.u32()?;
    let bytes = reader.take(length as usize)?;
    let change = |kind| {
        let mut reader = Reader(bytes);
        let (id, replica) = (reader.u64()?, reader.u64()?);
        Some(Payload::Change(ConfChange { id, kind, replica, context: reader.0.into() }))
    };
    let payload = match kind {
        NOTHING => Payload::Nothing,
        DATA => Payload::Data(bytes.into()),
        ADD => change(ConfChangeKind::Add)?,
        REMOVE => change(ConfChangeKind::Remove)?,
        UPDATE => change(ConfChangeKind::Update)?,
        ADD_LEARNER => change(ConfChangeKind::AddLearner)?,
        _ => return None,
    };
    Some(Entry { term, index, payload })
}

/// Takes numbers and bytes from the front.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }
}

const NOTHING: u8 = 0;
const DATA: u8 = 1;
const ADD: u8 = 2;
const REMOVE: u8 = 3;
const UPDATE: u8 = 4;
const ADD_LEARNER: u8 = 5;

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, proptest};
    use proptest::{collection, prop_oneof};

    use super::*;

    fn payload() -> impl Strategy<Value = Payload> {
        let bytes = || collection::vec(any::<u8>(), 1..40).prop_map(|bytes| bytes.into());
        let kind = prop_oneof![
            proptest::prelude::Just(ConfChangeKind::Add),
            proptest::prelude::Just(ConfChangeKind::Remove),
            proptest::prelude::Just(ConfChangeKind::Update),
            proptest::prelude::Just(ConfChangeKind::AddLearner),
        ];
        prop_oneof![
            proptest::prelude::Just(Payload::Nothing),
            bytes().prop_map(Payload::Data),
            (any::<u64>(), kind, any::<u64>(), bytes()).prop_map(|(id, kind, replica, context)| {
                Payload::Change(ConfChange { id, kind, replica, context })
            }),
        ]
    }

    proptest! {
        #[test]
        fn a_batch_reads_back(
            number: u64, term: u64, vote: u64, commit: u64,
            restart: Option<(u64, u64)>,
            payloads in collection::vec((payload(), any::<u64>(), any::<u64>()), 0..5),
        ) {
            let hard_state = HardState { term, vote, commit };
            let restart = restart.map(|(index, term)| Position { index, term });
            let entries: Vec<Entry> =
                payloads.into_iter().map(|(payload, term, index)| Entry { term, index, payload }).collect();
            let mut bytes = Vec::new();
            write(&mut bytes, number, hard_state, restart, &entries);
            assert_eq!(read(&bytes), Some(Batch { number, hard_state, restart, entries }));
        }

        #[test]
        fn garbage_is_no_batch_and_no_harm(bytes in collection::vec(any::<u8>(), 0..200)) {
            read(&bytes);
        }
    }
}
