//! One table: objects by id, and by their other keys.
//!
//! The maps share structure, so a clone is a snapshot. Which map it is stays hidden here.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use crate::object::{Key, Stored};

/// Objects of one kind.
#[derive(Clone, Debug)]
pub struct Table<T: Stored> {
    objects: OrdMap<T::Id, Arc<T>>,
    keys: OrdSet<(Key, T::Id)>,
}

impl<T: Stored> Default for Table<T> {
    fn default() -> Self {
        Self { objects: OrdMap::new(), keys: OrdSet::new() }
    }
}

impl<T: Stored + PartialEq> PartialEq for Table<T> {
    fn eq(&self, other: &Self) -> bool {
        self.objects == other.objects
    }
}

impl<T: Stored> Table<T> {
    /// The object with this id.
    pub fn get(&self, id: T::Id) -> Option<&Arc<T>> {
        self.objects.get(&id)
    }

    /// All objects, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        self.objects.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The objects that have this key, by id.
    pub fn with_key(&self, key: Key) -> impl Iterator<Item = &Arc<T>> {
        let from = (key.clone(), T::lowest_id());
        let ids = self.keys.range(from..).take_while(move |(found, _)| *found == key);
        ids.filter_map(|(_, id)| self.objects.get(id))
    }

    /// The objects with this name, whatever its case. Only nodes may share one.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &Arc<T>> {
        self.with_key(Key::Name(name.to_lowercase().into()))
    }

    /// Puts an object in the place of what has its id, and returns that.
    pub(crate) fn put(&mut self, object: Arc<T>) -> Option<Arc<T>> {
        let id = object.id();
        let old = self.objects.insert(id, Arc::clone(&object));
        let old_keys = old.as_ref().map(|old| old.keys()).unwrap_or_default();
        let new_keys = object.keys();
        for key in old_keys.iter().filter(|key| !new_keys.contains(key)) {
            self.keys.remove(&(key.clone(), id));
        }
        for key in new_keys.into_iter().filter(|key| !old_keys.contains(key)) {
            self.keys.insert((key, id));
        }
        old
    }

    /// Takes the object with this id out.
    pub(crate) fn take(&mut self, id: T::Id) -> Option<Arc<T>> {
        let old = self.objects.remove(&id)?;
        for key in old.keys() {
            self.keys.remove(&(key, id));
        }
        Some(old)
    }
}
