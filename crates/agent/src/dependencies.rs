//! Secrets and configs that this node's tasks need. Held in memory only, and never written.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{Config, ConfigId, Secret, SecretId};

/// Secrets and configs, as the managers assigned them.
///
/// A lock and no channel, since a task that is being prepared reads while the next assignments are taken in;
/// it is never held longer than one look.
#[derive(Debug, Default)]
pub struct Dependencies(Mutex<Shelf>);

#[derive(Debug, Default)]
struct Shelf {
    secrets: BTreeMap<SecretId, Arc<Secret>>,
    configs: BTreeMap<ConfigId, Arc<Config>>,
}

impl Dependencies {
    /// The secret, if a task of this node needs it.
    pub fn secret(&self, id: SecretId) -> Option<Arc<Secret>> {
        self.shelf().secrets.get(&id).cloned()
    }

    /// The config, if a task of this node needs it.
    pub fn config(&self, id: ConfigId) -> Option<Arc<Config>> {
        self.shelf().configs.get(&id).cloned()
    }

    /// Forgets everything: the whole is about to be told.
    pub(crate) fn clear(&self) {
        *self.shelf() = Shelf::default();
    }

    pub(crate) fn put_secret(&self, secret: Secret) {
        self.shelf().secrets.insert(secret.id, Arc::new(secret));
    }

    pub(crate) fn put_config(&self, config: Config) {
        self.shelf().configs.insert(config.id, Arc::new(config));
    }

    pub(crate) fn remove_secret(&self, id: SecretId) {
        self.shelf().secrets.remove(&id);
    }

    pub(crate) fn remove_config(&self, id: ConfigId) {
        self.shelf().configs.remove(&id);
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
