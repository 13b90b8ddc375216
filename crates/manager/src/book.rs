//! This manager's copy of the book: applies what is committed, and shows it to whoever wants to read.
//!
//! In: committed entries, snapshots. Out: the latest state behind a watch, the address book of the group behind
//! another, and a feed of what each entry changed. Readers hold what they read; nobody waits for them: who reads the
//! feed too slowly is told so, and starts anew from the state.

use std::sync::Arc;

use raft::{Entry, Payload, Snapshot};
use store::{Change, Event, State};
use tokio::sync::{broadcast, watch};
use wire::{Malformed, Member};

use crate::members::Members;

/// What the feed tells.
#[derive(Clone, Debug)]
pub enum News {
    /// An entry changed something.
    Changed {
        /// What it did, in order.
        events: Arc<[Event]>,
        /// The book with it.
        state: Arc<State>,
    },
    /// The whole book was replaced: what changed is not known.
    Replaced(Arc<State>),
}

/// Reads the book. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reader {
    state: watch::Receiver<Arc<State>>,
    members: watch::Receiver<Arc<Members>>,
    feed: broadcast::WeakSender<News>,
}

impl Reader {
    /// A reader of a book that somebody else shows, without news: to try what stands on a book.
    pub fn of(state: watch::Receiver<Arc<State>>) -> Self {
        let (_, members) = watch::channel(Arc::default());
        Self { state, members, feed: broadcast::Sender::new(1).downgrade() }
    }

    /// The book as it is now.
    pub fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.borrow())
    }

    /// The book as it is now, and whenever it has changed.
    pub fn watch(&self) -> watch::Receiver<Arc<State>> {
        self.state.clone()
    }

    /// The group as it is now, and whenever it has changed.
    pub fn members(&self) -> watch::Receiver<Arc<Members>> {
        self.members.clone()
    }

    /// Everything that changes from now on. To miss nothing, first call this, then [`Reader::state`], and skip
    /// news whose state is not newer. `None` when the manager has ended.
    pub fn feed(&self) -> Option<broadcast::Receiver<News>> {
        self.feed.upgrade().map(|feed| feed.subscribe())
    }
}

/// Writes the book; only the replica's pump does.
#[derive(Debug)]
pub(crate) struct Book {
    now: State,
    members: Members,
    shown: watch::Sender<Arc<State>>,
    shown_members: watch::Sender<Arc<Members>>,
    feed: broadcast::Sender<News>,
}

impl Book {
    /// The book of a stored snapshot; an empty one without.
    pub(crate) fn open(snapshot: Option<&Snapshot>) -> Result<Self, Malformed> {
        let (now, members) = match snapshot {
            Some(snapshot) => read(snapshot)?,
            None => Default::default(),
        };
        Ok(Self {
            shown: watch::Sender::new(Arc::new(now.clone())),
            shown_members: watch::Sender::new(Arc::new(members.clone())),
            feed: broadcast::Sender::new(FEED_LENGTH),
            now,
            members,
        })
    }

    /// A reader of it.
    pub(crate) fn reader(&self) -> Reader {
        Reader {
            state: self.shown.subscribe(),
            members: self.shown_members.subscribe(),
            feed: self.feed.downgrade(),
        }
    }

    /// The book as it is shown.
    pub(crate) fn state(&self) -> Arc<State> {
        Arc::clone(&self.shown.borrow())
    }

    /// The group's address book.
    pub(crate) fn members(&self) -> &Members {
        &self.members
    }

    /// Takes in members that the log has not named yet.
    pub(crate) fn know(&mut self, members: Vec<Member>) {
        for member in members {
            self.members.present.entry(member.raft_id).or_insert(member);
        }
        self.shown_members.send_replace(Arc::new(self.members.clone()));
    }

    /// Applies an entry. `known` are its changes, if this manager proposed it and need not read them again.
    pub(crate) fn apply(&mut self, entry: &Entry, known: Option<Vec<Change>>) {
        let changes = match (&entry.payload, known) {
            (Payload::Data(_), Some(changes)) => changes,
            (Payload::Data(data), None) => match wire::entry_from_bytes(data) {
                Ok((_, changes)) => changes,
                Err(error) => {
                    // Stock managers skip it too, so the books stay equal.
                    tracing::error!(index = entry.index, %error, "an entry of the log makes no sense here");
                    Vec::new()
                }
            },
            (Payload::Change(change), _) => {
                self.members.apply(change);
                self.shown_members.send_replace(Arc::new(self.members.clone()));
                Vec::new()
            }
            (Payload::Nothing, _) => Vec::new(),
        };
        let events = self.now.apply(entry.index, &changes);
        if self.feed.receiver_count() > 0 && !events.is_empty() {
            let state = Arc::new(self.now.clone());
            let news = News::Changed { events: events.into(), state };
            // Nobody may be listening any more, and that is fine.
            let _ = self.feed.send(news);
        }
    }

    /// Shows what was applied.
    pub(crate) fn show(&mut self) -> Arc<State> {
        let state = Arc::new(self.now.clone());
        self.shown.send_replace(Arc::clone(&state));
        state
    }

    /// Puts a snapshot in the place of everything.
    pub(crate) fn restore(&mut self, snapshot: &Snapshot) -> Result<(), Malformed> {
        (self.now, self.members) = read(snapshot)?;
        self.shown_members.send_replace(Arc::new(self.members.clone()));
        let state = self.show();
        // Nobody may be listening, and that is fine.
        let _ = self.feed.send(News::Replaced(state));
        Ok(())
    }
}

/// The bytes of a snapshot of this book and group.
pub(crate) fn snapshot_bytes(state: &State, members: &Members) -> Vec<u8> {
    let Members { present, removed } = members;
    let snapshot = wire::Snapshot {
        members: present.values().cloned().collect(),
        removed: removed.iter().copied().collect(),
        objects: state.objects().collect(),
    };
    snapshot.to_bytes()
}

fn read(snapshot: &Snapshot) -> Result<(State, Members), Malformed> {
    let wire::Snapshot { members, removed, objects } = wire::Snapshot::from_bytes(&snapshot.data)?;
    Ok((State::from_objects(snapshot.index, objects), Members::of(members, removed)))
}

/// News kept for slow readers: each holds on to the objects in it.
const FEED_LENGTH: usize = 256;
