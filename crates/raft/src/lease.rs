//! How the group's word is lent, so that reading what is true now costs no question.
//!
//! Who answers a heartbeat promises to elect nobody else for as long as its patience lasts at least, counted from
//! then. While a majority has promised, nobody else can lead, and the leader knows without asking what is committed.
//! A follower that wants to read asks, with its answer, to be lent this knowledge; the next heartbeat lends it. Until
//! the loan is over the leader lets nothing stand that this follower lacks. So a follower of whose log everything
//! stands knows what is true, too.
//!
//! No two clocks are compared: everyone gets back his own time with the answer to what he said. They need only run at
//! about the same speed: a leader trusts a promise for three quarters of its length, and keeps a loan for all of it.
//! What the promise rests on is kept elsewhere: no vote is given before it is over (`election`), and a leader hands
//! over only when nothing is lent (`transfer`).
//!
//! Stock replicas repeat the leader's words instead of answering them. They promise nothing, and nothing is lent to
//! them: their group asks for each read (`read_index`).

use model::{Duration, Timestamp};

use crate::election::{Reign, Role};
use crate::entry::{Index, ReplicaId};
use crate::progress::Progress;
use crate::quorum;
use crate::replica::Replica;

/// How long after its last reader a follower still wants to read, in election timeouts.
const WANTED: u32 = 4;

/// What a follower may do by the leader's word.
#[derive(Debug, Default)]
pub(crate) struct Lease {
    /// Until then it may read without asking.
    until: Timestamp,
    /// Since then it has one leader and one group: what was wished before is not granted any more.
    since: Timestamp,
    /// When somebody last wanted to read here.
    wanted: Option<Timestamp>,
}

/// What a leader and one follower owe each other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pact {
    /// Until then the follower elects nobody else.
    promised: Timestamp,
    /// It wants to read, and said so then.
    wish: Option<(Stamp, Timestamp)>,
    /// Until then nothing may stand that it lacks.
    lent: Timestamp,
}

impl Pact {
    /// Whether it may be reading without asking.
    pub(crate) fn is_lent(&self, now: Timestamp) -> bool {
        now < self.lent
    }
}

/// Someone's time, for himself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stamp {
    /// In which life; 0 in none.
    life: u64,
    at: Timestamp,
}

/// What a leader says with a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Beat {
    /// The youngest reader who waits for a majority.
    mark: u64,
    sent: Timestamp,
    /// The wish at that time is granted for so long; no wish has life 0.
    wish: Stamp,
    lent: Duration,
}

/// What a follower answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reply {
    /// The heartbeat's mark and time.
    mark: u64,
    sent: Timestamp,
    /// For how long it elects nobody else.
    promise: Duration,
    /// It wants to read; life 0 if not.
    wish: Stamp,
}

/// What both begin with. No other replica's marks do.
const BEAT: &[u8] = b"skep beat";
const REPLY: &[u8] = b"skep reply";

impl Beat {
    fn bytes(self) -> Vec<u8> {
        let Self { mark, sent, wish, lent } = self;
        framed(BEAT, [mark, bits(sent), wish.life, bits(wish.at), nanos(lent)])
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let [mark, sent, life, at, lent] = unframed(BEAT, bytes)?;
        let wish = Stamp { life, at: time(at) };
        Some(Self { mark, sent: time(sent), wish, lent: Duration::from_nanos(lent) })
    }
}

impl Reply {
    fn bytes(self) -> Vec<u8> {
        let Self { mark, sent, promise, wish } = self;
        framed(REPLY, [mark, bits(sent), nanos(promise), wish.life, bits(wish.at)])
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let [mark, sent, promise, life, at] = unframed(REPLY, bytes)?;
        let wish = Stamp { life, at: time(at) };
        Some(Self { mark, sent: time(sent), promise: Duration::from_nanos(promise), wish })
    }
}

impl Replica {
    /// What to say to each follower with the next heartbeat. Lends to those who wish it, if it can be.
    pub(crate) fn beats(&mut self) -> Vec<(ReplicaId, Vec<u8>)> {
        let (now, known, until) = (self.now, self.log.committed(), self.promised_until());
        let trusted = self.trusted(until);
        let Role::Leader(reign) = &mut self.role else { return Vec::new() };
        let mark = reign.reads.youngest_mark();
        let lends = reign.lends();
        let known = known.max(reign.begins);
        let beat = |(id, progress): (&ReplicaId, &mut Progress)| {
            let wish = progress.pact.wish.take().filter(|_| lends && progress.matched >= known);
            let (wish, heard) = wish.unwrap_or((Stamp::default(), trusted));
            let lent = trusted.since(heard);
            if !lent.is_zero() {
                progress.pact.lent = progress.pact.lent.max(until);
            }
            (*id, Beat { mark, sent: now, wish, lent }.bytes())
        };
        reign.progress.iter_mut().map(beat).collect()
    }

    /// The answer to a heartbeat: a leader of our own is promised something, another gets its mark back.
    pub(crate) fn answer_beat(&mut self, context: Vec<u8>) -> Vec<u8> {
        let Some(Beat { mark, sent, wish, lent }) = Beat::read(&context) else { return context };
        if wish.life == self.life && wish.at > self.lease.since {
            self.lease.until = self.lease.until.max(wish.at + lent);
        }
        let promise = if self.config.check_quorum { self.election_timeout() } else { Duration::ZERO };
        let wants = self.lease.wanted.is_some_and(|at| self.now < at + self.election_timeout() * WANTED);
        let wish = if wants { Stamp { life: self.life, at: self.now } } else { Stamp::default() };
        Reply { mark, sent, promise, wish }.bytes()
    }

    /// Takes in a follower's answer; the mark that was repeated with it, if it had one.
    pub(crate) fn on_beat_answered(&mut self, from: ReplicaId, context: &[u8]) -> Option<u64> {
        let Some(Reply { mark, sent, promise, wish }) = Reply::read(context) else {
            return Beat::read(context).map(|beat| beat.mark);
        };
        let promise = promise.min(self.election_timeout());
        let Role::Leader(reign) = &mut self.role else { return None };
        if let Some(progress) = reign.progress.get_mut(&from) {
            let pact = &mut progress.pact;
            pact.promised = pact.promised.max(sent.min(self.now) + promise);
            pact.wish = (wish.life != 0).then_some((wish, self.now));
        }
        Some(mark)
    }

    /// Notes that somebody wants to read here, and whether no question is needed for that: up to where everything
    /// stands.
    pub(crate) fn read_by_lease(&mut self) -> Option<Index> {
        self.lease.wanted = Some(self.now);
        let knows_all = self.log.last().index == self.log.committed();
        (self.now < self.lease.until && knows_all).then(|| self.log.committed())
    }

    /// Nothing is lent to this replica any more: there may be another leader, or another group.
    pub(crate) fn end_lease(&mut self) {
        self.lease.until = Timestamp::EPOCH;
        self.lease.since = self.now;
    }

    /// Whether a majority still promises that nobody else leads.
    pub(crate) fn is_trusted(&self) -> bool {
        match &self.role {
            Role::Leader(reign) => !reign.has_let_go && self.now < self.trusted(self.promised_until()),
            Role::Follower | Role::Candidate { .. } => false,
        }
    }

    /// How long to rely on promises that end then.
    fn trusted(&self, promised: Timestamp) -> Timestamp {
        promised - self.election_timeout() / 4
    }

    /// Until when a majority elects nobody else.
    fn promised_until(&self) -> Timestamp {
        let Role::Leader(reign) = &self.role else { return Timestamp::EPOCH };
        let own = self.now + self.election_timeout();
        let promised = |id: &ReplicaId| match reign.progress.get(id) {
            Some(progress) => progress.pact.promised,
            None if *id == self.config.id => own,
            None => Timestamp::EPOCH,
        };
        quorum::reached(self.members.voters.iter().map(promised))
    }
}

impl Reign {
    /// When nothing will be lent any more, if nothing more is.
    pub(crate) fn lent_until(&self) -> Timestamp {
        self.progress.values().map(|progress| progress.pact.lent).max().unwrap_or_default()
    }

    /// What may stand at most: what all have to whom something is lent.
    pub(crate) fn allowed(&self, now: Timestamp) -> Index {
        let lent = self.progress.values().filter(|progress| progress.pact.is_lent(now));
        lent.map(|progress| progress.matched).min().unwrap_or(Index::MAX)
    }

    /// Whether something may be lent: not on the way to a handover.
    fn lends(&self) -> bool {
        self.transfer.is_none() && !self.has_let_go
    }
}

fn framed(tag: &[u8], words: [u64; 5]) -> Vec<u8> {
    tag.iter().copied().chain(words.into_iter().flat_map(u64::to_be_bytes)).collect()
}

fn unframed(tag: &[u8], bytes: &[u8]) -> Option<[u64; 5]> {
    let (words, rest) = bytes.strip_prefix(tag)?.as_chunks();
    let words: Vec<u64> = words.iter().copied().map(u64::from_be_bytes).collect();
    words.try_into().ok().filter(|_| rest.is_empty())
}

fn bits(time: Timestamp) -> u64 {
    time.nanos().cast_unsigned()
}

fn time(bits: u64) -> Timestamp {
    Timestamp::from_nanos(bits.cast_signed())
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_can_be_read_again() {
        let (at, long) = (Timestamp::from_parts(7, 1), Duration::from_millis(300));
        let wish = Stamp { life: 9, at };
        let beat = Beat { mark: 3, sent: at, wish, lent: long };
        assert_eq!(Beat::read(&beat.bytes()), Some(beat));
        let reply = Reply { mark: 3, sent: at, promise: long, wish };
        assert_eq!(Reply::read(&reply.bytes()), Some(reply));
    }

    #[test]
    fn what_stock_replicas_say_is_no_promise() {
        let beat = Beat { mark: 3, sent: Timestamp::EPOCH, wish: Stamp::default(), lent: Duration::ZERO };
        for bytes in [vec![], vec![0; 8], vec![0; 50], beat.bytes(), beat.bytes()[..20].to_vec()] {
            assert_eq!(Reply::read(&bytes), None, "{bytes:?}");
        }
    }
}
