//! Clerks: they use configs through any manager, and write down what they asked and were answered.
//!
//! In: chance, replies. Out: questions, and a history of which somebody else must judge (`linear`). No two of them
//! write the same value, so that each answer says whose it is. Nobody but clerks touches their configs.

use std::collections::BTreeMap;

use control::leader::{Answer, Request, Ticket};
use model::{Chance, Config, ConfigId, ConfigSpec, Duration, Refusal, RefusalKind, Timestamp, Version};

use crate::linear::{Op, Seen, What};
use crate::mail::{Question, Reply};
use crate::swarm::{Event, Swarm};

/// So many configs they share.
const NAMES: u64 = 3;
/// The longest pause of a clerk.
const PAUSE_MAX: Duration = Duration::from_millis(2_000);
/// How long a clerk waits for an answer.
const PATIENCE: Duration = Duration::from_secs(4);

/// What a clerk waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// The end of its pause.
    Next(u32),
    /// The end of its patience with the question of this place in the history.
    GiveUp(u32, usize),
}

/// All clerks, and what they wrote down.
#[derive(Debug, Default)]
pub struct Clerks {
    /// They ask nothing new.
    pub are_done: bool,
    history: Vec<Entry>,
    asked: BTreeMap<Ticket, usize>,
    /// What a clerk has last seen of each config.
    known: BTreeMap<(u32, u64), Known>,
    values: u64,
}

#[derive(Debug)]
struct Entry {
    clerk: u32,
    name: u64,
    op: Op,
}

/// A config, as it was seen.
#[derive(Clone, Copy, Debug)]
struct Known {
    id: ConfigId,
    version: Version,
    birth: u64,
    value: u64,
}

impl Clerks {
    /// New clerks; their first pause ends now.
    pub fn hire(&self, clerks: u32) -> impl Iterator<Item = Due> + use<> {
        (0..clerks).map(Due::Next)
    }

    /// How much was asked.
    pub fn questions(&self) -> usize {
        self.history.len()
    }

    /// What was asked and answered about each config.
    pub fn histories(&self) -> BTreeMap<String, Vec<Op>> {
        let mut all: BTreeMap<String, Vec<Op>> = BTreeMap::new();
        for Entry { clerk: _, name, op } in &self.history {
            all.entry(config_name(*name)).or_default().push(op.clone());
        }
        all
    }

    /// Takes in an answer to a clerk, and says when that clerk goes on; or gives back what is for somebody else.
    pub fn hear(&mut self, now: Timestamp, reply: Reply) -> Result<Option<(Timestamp, Due)>, Reply> {
        let ticket = match &reply {
            Reply::Answered(ticket, _) | Reply::Seen(ticket, _) => *ticket,
            Reply::Told(..) | Reply::Broken(_) | Reply::Joined(..) => return Err(reply),
        };
        let Some(place) = self.asked.remove(&ticket) else { return Err(reply) };
        let Entry { clerk, name, op } = &mut self.history[place];
        let (seen, config) = understand(reply);
        op.answered = Some(now);
        op.seen = seen;
        let key = (*clerk, *name);
        match config {
            Some(known) => drop(self.known.insert(key, known)),
            None => drop(self.known.remove(&key)),
        }
        Ok(Some((now + PAUSE_MAX / 4, Due::Next(key.0))))
    }

    /// What a clerk asks next.
    fn next(&mut self, clerk: u32, ticket: Ticket, now: Timestamp, chance: &mut Chance) -> Question {
        let name = chance.below(NAMES);
        let known = self.known.get(&(clerk, name)).copied();
        self.values += 1;
        let value = self.values;
        let (what, question) = match (known, chance.below(8)) {
            (None, 0..4) => (What::Create { value }, change(ticket, create(name, value))),
            (Some(known), 0..4) => {
                let Known { birth, value: expected, .. } = known;
                (What::Update { birth, expected, value }, change(ticket, update(name, known, value)))
            }
            (Some(Known { id, birth, .. }), 4) => {
                (What::Remove { birth }, change(ticket, Request::RemoveConfig(id)))
            }
            _ => (What::Look, Question::Look(ticket, config_name(name))),
        };
        let op = Op { what, asked: now, answered: None, seen: Seen::Nothing };
        self.asked.insert(ticket, self.history.len());
        self.history.push(Entry { clerk, name, op });
        question
    }

    /// Gives up waiting, unless the answer came.
    fn give_up(&mut self, clerk: u32, place: usize) -> bool {
        let Entry { name, op, .. } = &self.history[place];
        let waits = op.answered.is_none();
        if waits {
            let key = (clerk, *name);
            self.known.remove(&key);
            self.asked.retain(|_, asked| *asked != place);
        }
        waits
    }
}

impl Swarm {
    /// A clerk's time has come.
    pub(crate) fn clerk(&mut self, due: Due) {
        let clerk = match due {
            Due::Next(clerk) => clerk,
            Due::GiveUp(clerk, place) => {
                if self.clerks.give_up(clerk, place) {
                    self.agenda.put_after(Duration::ZERO, Event::Clerk(Due::Next(clerk)));
                }
                return;
            }
        };
        let managers = self.managers();
        if self.clerks.are_done {
            return;
        }
        if managers.is_empty() {
            return self.agenda.put_after(PAUSE_MAX, Event::Clerk(due));
        }
        let to = managers[self.chance.below(managers.len() as u64) as usize];
        let (ticket, now) = (self.ticket(), self.now());
        let place = self.clerks.history.len();
        let question = self.clerks.next(clerk, ticket, now, &mut self.chance);
        self.post_outside(to, question);
        self.agenda.put_after(PATIENCE, Event::Clerk(Due::GiveUp(clerk, place)));
    }
}

/// What an answer says, and the config as it is then.
fn understand(reply: Reply) -> (Seen, Option<Known>) {
    match reply {
        Reply::Seen(_, Ok(config)) => {
            let known = config.as_deref().map(known);
            (Seen::Found(known.map(|it| (it.birth, it.value))), known)
        }
        Reply::Answered(_, Ok(Answer::Config(config))) => (Seen::Done, Some(known(&config))),
        Reply::Answered(_, Ok(_)) => (Seen::Done, None),
        Reply::Answered(_, Err(Refusal { kind: RefusalKind::Unavailable, .. })) => (Seen::Nothing, None),
        Reply::Answered(_, Err(_)) => (Seen::Refused, None),
        Reply::Seen(_, Err(_)) | Reply::Told(..) | Reply::Broken(_) | Reply::Joined(..) => {
            (Seen::Nothing, None)
        }
    }
}

fn known(config: &Config) -> Known {
    let birth = u64::from_be_bytes(config.spec.data.as_slice().try_into().expect("clerks write numbers"));
    let value = config.spec.annotations.labels.get(LABEL).and_then(|value| value.parse().ok());
    let value = value.expect("clerks write numbers");
    Known { id: config.id, version: config.meta.version, birth, value }
}

fn create(name: u64, value: u64) -> Request {
    let spec = ConfigSpec { data: value.to_be_bytes().to_vec(), ..labelled(name, value) };
    Request::CreateConfig(Box::new(spec))
}

fn update(name: u64, known: Known, value: u64) -> Request {
    let Known { id, version, .. } = known;
    Request::UpdateConfig { id, version, spec: Box::new(labelled(name, value)) }
}

fn labelled(name: u64, value: u64) -> ConfigSpec {
    let mut spec = ConfigSpec::default();
    spec.annotations.name = config_name(name);
    spec.annotations.labels.insert(LABEL.to_owned(), value.to_string());
    spec
}

fn config_name(name: u64) -> String {
    format!("clerks-{name}")
}

fn change(ticket: Ticket, request: Request) -> Question {
    Question::Change(ticket, request)
}

/// What the label is called that holds a config's value.
const LABEL: &str = "value";
