//! A next state in the making, and the changes that lead to it.
//!
//! A draft starts from a state and is changed like one; whoever proposes it takes its changes. Several changes
//! of one object become one. An update that changes nothing is no change.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use model::limits::{DRAFT_BYTES_MAX, ENTRY_CHANGES_MAX};
use model::{Timestamp, Version};

use crate::change::Change;
use crate::object::{Kind, Stored};
use crate::state::State;

/// A next state in the making. It reads like the [`State`] it will become.
#[derive(Debug)]
pub struct Draft {
    next: State,
    base: Version,
    now: Timestamp,
    changes: Vec<Option<Change>>,
    places: BTreeMap<(Kind, String), usize>,
    /// Roughly the bytes of the changes.
    weight: usize,
}

impl Deref for Draft {
    type Target = State;

    fn deref(&self) -> &State {
        &self.next
    }
}

impl Draft {
    /// A draft upon this state. Objects it touches are stamped with the state's index and with `now`.
    pub fn of(state: &State, now: Timestamp) -> Self {
        let base = Version { index: state.index };
        Self { next: state.clone(), base, now, changes: Vec::new(), places: BTreeMap::new(), weight: 0 }
    }

    /// The time at which it is written.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The version that objects get which are touched in it.
    pub fn version(&self) -> Version {
        self.base
    }

    /// How many objects it changes so far.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// True if it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// True if nothing more should be added: what does not fit waits for the next draft.
    pub fn is_full(&self) -> bool {
        self.places.len() >= ENTRY_CHANGES_MAX || self.weight >= DRAFT_BYTES_MAX
    }

    /// True if what merely notes how things are should leave the rest to those who decide what follows from it.
    pub fn is_half_full(&self) -> bool {
        self.places.len() >= ENTRY_CHANGES_MAX / 2 || self.weight >= DRAFT_BYTES_MAX / 2
    }

    /// True if this object may be drafted: because there is room, or because it is drafted already.
    pub fn takes<T: Stored>(&self, object: &Arc<T>) -> bool {
        if !self.is_full() {
            return true;
        }
        let object = T::into_object(Arc::clone(object));
        self.places.contains_key(&(object.kind(), object.id()))
    }

    /// Adds a new object.
    pub fn create<T: Stored>(&mut self, mut object: T) {
        let meta = object.meta_mut();
        meta.version = self.base;
        meta.created_at = Some(self.now);
        meta.updated_at = Some(self.now);
        let object = T::into_object(Arc::new(object));
        let old = self.next.put(object.clone());
        debug_assert!(old.is_none(), "ids are drawn at random and never used twice");
        self.note(Change::Create(object));
    }

    /// Puts a changed object in the place of its older self.
    pub fn update<T: Stored>(&mut self, mut object: T) {
        let meta = object.meta_mut();
        meta.version = self.base;
        meta.updated_at = Some(self.now);
        let object = T::into_object(Arc::new(object));
        self.next.put(object.clone());
        self.note(Change::Update(object));
    }

    /// Changes an object as it is now; if that leaves it equal, nothing is drafted.
    pub fn edit<T: Stored + PartialEq>(&mut self, object: &Arc<T>, change: impl FnOnce(&mut T)) {
        let mut changed = T::clone(object);
        change(&mut changed);
        if changed != **object {
            self.update(changed);
        }
    }

    /// Takes an object out.
    pub fn remove<T: Stored>(&mut self, object: &Arc<T>) {
        let object = T::into_object(Arc::clone(object));
        if self.next.take(&object).is_some() {
            self.note(Change::Remove(object));
        }
    }

    /// The changes so far, in the order in which their objects were first touched.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().flatten()
    }

    /// The changes that lead from the state it started from to the state it became.
    pub fn into_changes(self) -> Vec<Change> {
        self.changes.into_iter().flatten().collect()
    }

    /// Keeps one change for each object: the last, under the verb that fits the state the draft started from.
    fn note(&mut self, change: Change) {
        let key = (change.object().kind(), change.object().id());
        let Some(&place) = self.places.get(&key) else {
            self.weight += change.weight();
            self.places.insert(key, self.changes.len());
            self.changes.push(Some(change));
            return;
        };
        let earlier = self.changes[place].take();
        self.weight -= earlier.as_ref().map_or(0, Change::weight);
        self.changes[place] = match (earlier, change) {
            (Some(Change::Create(_)), Change::Update(object)) => Some(Change::Create(object)),
            (Some(Change::Create(_)), Change::Remove(_)) => {
                self.places.remove(&key);
                None
            }
            (_, change) => Some(change),
        };
        self.weight += self.changes[place].as_ref().map_or(0, Change::weight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Chance, Secret, SecretId, SecretSpec};

    fn secret(chance: &mut Chance, name: &str) -> Secret {
        let mut spec = SecretSpec::default();
        spec.annotations.name = name.to_owned();
        Secret { id: SecretId::random(chance), meta: model::Meta::default(), spec, internal: false }
    }

    #[test]
    fn a_draft_becomes_the_state_that_its_changes_make() {
        let chance = &mut Chance::from_number(1);
        let mut state = State::default();
        let mut draft = Draft::of(&state, Timestamp::from_nanos(5));
        let mut first = secret(chance, "one");
        draft.create(first.clone());
        first.spec.annotations.name = "eins".to_owned();
        draft.update(first.clone());
        draft.create(secret(chance, "two"));
        let two = Arc::clone(draft.secrets.named("TWO").next().unwrap());
        draft.remove(&two);
        let next = draft.next.clone();

        let changes = draft.into_changes();
        assert_eq!(changes.len(), 1);
        state.apply(1, &changes);
        assert_eq!(state.secrets, next.secrets);
        assert_eq!(state.secrets.named("eins").count(), 1);
        assert_eq!(state.secrets.named("one").count(), 0);
        assert_eq!(State::from_objects(1, state.objects()), state);
    }
}
