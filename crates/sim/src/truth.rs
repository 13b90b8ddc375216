//! What is true everywhere: what was ever committed, and by whom it was led. No machine sees it.
//!
//! In: what each manager applies, what it is elected to, what it answers. Out: the first promise that was broken, the
//! book as it is committed, and the story.

use std::collections::{BTreeMap, BTreeSet};

use model::Timestamp;
use raft::{ConfState, Entry, Index, Payload, Position, ReplicaId, Term};
use store::{Change, State};

use crate::checks;
use crate::mail::Reply;
use crate::story::Story;
use crate::swarm::{Broken, NodeNumber};
use crate::tally::{Blow, Tally};

/// What one manager has just applied.
#[derive(Clone, Copy, Debug)]
pub struct Applied<'a> {
    /// Which manager.
    pub by: NodeNumber,
    /// What.
    pub entry: &'a Entry,
    /// What changes with it.
    pub changes: &'a [Change],
    /// Its book with it.
    pub book: &'a State,
    /// The group before and after what was committed with it.
    pub groups: [&'a ConfState; 2],
}

/// An entry that was just committed for the first time, and the groups that may have done it.
#[derive(Debug)]
pub struct Fresh {
    /// The entry.
    pub entry: Entry,
    /// Any of these.
    pub groups: [ConfState; 2],
}

/// What is true everywhere.
#[derive(Debug, Default)]
pub struct Truth {
    /// The book, as committed.
    pub book: State,
    /// What happened.
    pub story: Story,
    /// What was committed and not looked at yet.
    pub fresh: Vec<Fresh>,
    /// Whose managers were elected, and not looked at yet.
    pub elected: Vec<NodeNumber>,
    /// The first promise that broke.
    pub broken: Option<Broken>,
    /// What time it is.
    pub now: Timestamp,
    /// What befell the swarm.
    pub tally: Tally,
    /// The name of each machine.
    names: Vec<String>,
    is_watched: bool,
    /// Everything that was committed; the first has index 1.
    entries: Vec<Entry>,
    /// The book as of each index.
    books: BTreeMap<Index, State>,
    reigns: BTreeMap<Term, ReplicaId>,
    logs: checks::Logs,
    sessions: checks::Sessions,
    /// The ids of objects that were removed.
    removed: BTreeSet<String>,
    established: Option<NodeNumber>,
}

/// Books are compared as a whole at indexes that this divides, and change by change at others.
const WHOLE: Index = 128;

impl Truth {
    /// Nothing has happened yet to these machines.
    pub fn of(now: Timestamp, names: Vec<String>, is_watched: bool) -> Self {
        Self { now, names, is_watched, ..Self::default() }
    }

    /// Whether every promise is looked at.
    pub fn is_watched(&self) -> bool {
        self.is_watched
    }

    /// A promise is broken; only the first is kept.
    pub fn broke(&mut self, check: &'static str, what: String) {
        let at = self.now;
        self.broken.get_or_insert(Broken { check, at, what });
    }

    /// Something happened.
    pub fn tell(&mut self, what: impl Into<String>) {
        self.story.tell(self.now, what);
    }

    /// How many entries are committed.
    pub fn committed(&self) -> Index {
        self.entries.len() as Index
    }

    /// All that is committed, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// A manager has applied an entry.
    pub fn applied(&mut self, applied: &Applied<'_>) {
        let Applied { by, entry, changes, book, groups } = *applied;
        let checked = checks::order(&self.entries, entry);
        self.see("committed prefixes agree", by, checked);
        if entry.index == self.committed() + 1 {
            self.stands(entry, changes, book);
            self.fresh.push(Fresh { entry: entry.clone(), groups: groups.map(ConfState::clone) });
        }
        if let Some(truth) = self.books.get(&entry.index) {
            let checked = match entry.index.is_multiple_of(WHOLE) {
                true => checks::books(truth, book),
                false => checks::changes(changes, book),
            };
            self.see("books are equal at equal index", by, checked);
        }
    }

    /// A manager has put a snapshot in the place of its book.
    pub fn restored(&mut self, by: NodeNumber, book: &State) {
        self.tell(format!("{} takes a snapshot of {}", self.name(by), book.index));
        self.tally.count(Blow::SnapshotTaken);
        let checked = match self.books.get(&book.index) {
            Some(truth) => checks::books(truth, book),
            None if !self.is_watched => Ok(()),
            None => Err(format!("a snapshot of {} was made before that was committed", book.index)),
        };
        self.see("books are equal at equal index", by, checked);
    }

    /// A manager has put an entry on its disk, behind one of this term.
    pub fn stored(&mut self, by: NodeNumber, before: Position, entries: &[Entry]) {
        let checked = self.logs.note(before, entries);
        self.see("logs match", by, checked);
    }

    /// A replica says that it was elected.
    pub fn elected(&mut self, by: NodeNumber, replica: ReplicaId, term: Term) {
        let first = *self.reigns.entry(term).or_insert_with(|| {
            self.elected.push(by);
            self.tally.count(Blow::Election);
            replica
        });
        if first != replica {
            self.broke("one leader in each reign", format!("{first} and {replica} lead in reign {term}"));
        }
    }

    /// A manager may propose.
    pub fn established(&mut self, by: NodeNumber, term: Term) {
        if self.established.replace(by).is_some() {
            self.tell(format!("{} leads in reign {term}", self.name(by)));
        }
    }

    /// A leader answers.
    pub fn promised(&mut self, reply: &Reply) {
        let checked = checks::acknowledged(&self.book, &self.removed, reply);
        if let Err(what) = checked {
            self.broke("what is acknowledged is committed", what);
        }
        if let Err(what) = self.sessions.note(reply) {
            self.broke("no session is given twice", what);
        }
    }

    /// The machine's name.
    pub fn name(&self, number: NodeNumber) -> &str {
        self.names.get(number.0 as usize).map_or("?", String::as_str)
    }

    /// An entry is applied for the first time. Unless promises are looked at, the book of whoever applied it is the
    /// true one.
    fn stands(&mut self, entry: &Entry, changes: &[Change], book: &State) {
        self.entries.push(entry.clone());
        if !self.is_watched {
            self.book = book.clone();
            return;
        }
        let before = self.book.clone();
        self.book.apply(entry.index, changes);
        self.books.insert(entry.index, self.book.clone());
        self.removed.extend(changes.iter().filter_map(|change| match change {
            Change::Remove(object) => Some(object.id()),
            Change::Create(_) | Change::Update(_) => None,
        }));
        if matches!(entry.payload, Payload::Data(_)) {
            let view = checks::View { before: &before, now: &self.book, changes };
            let checked = checks::after_commit(&view);
            self.story.commit(self.now, &before, &self.book, changes);
            if let Err((check, what)) = checked {
                self.broke(check, what);
            }
        }
    }

    fn see(&mut self, check: &'static str, by: NodeNumber, seen: Result<(), String>) {
        if let Err(what) = seen {
            let what = format!("{}: {what}", self.name(by));
            self.broke(check, what);
        }
    }
}
