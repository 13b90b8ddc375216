//! Those who want to read what is true now, and the questions to the group that are put for them.
//!
//! In: readers, the time, answers. Out: when a question is to be put, and to each reader the answer. Readers who come
//! while a question is on its way share the next one: what is true now must be asked after they came.

use model::{Duration, Timestamp};
use raft::{Index, Refused, Ticket};
use tokio::sync::oneshot;

/// How long a question may be on its way before it is put again.
const PATIENCE: Duration = Duration::from_millis(300);

/// Where a reader is told how far the group has committed, or why that cannot be known now.
pub(crate) type Reader = oneshot::Sender<Result<Index, Refused>>;

/// All who wait.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    /// They came after the question at hand was put.
    new: Vec<Reader>,
    question: Option<Question>,
}

/// A question on its way.
#[derive(Debug)]
struct Question {
    ticket: Ticket,
    put: Timestamp,
    readers: Vec<Reader>,
}

impl Readers {
    /// Takes in one more.
    pub(crate) fn welcome(&mut self, reader: Reader) {
        self.new.push(reader);
    }

    /// Whether a question is to be put now, with this number.
    pub(crate) fn ask(&mut self, ticket: Ticket, now: Timestamp) -> bool {
        if let Some(lost) = self.question.take_if(|question| question.is_lost(now)) {
            self.new.extend(lost.readers);
        }
        if self.question.is_some() {
            return false;
        }
        self.new.retain(|reader| !reader.is_closed());
        if self.new.is_empty() {
            return false;
        }
        self.question = Some(Question { ticket, put: now, readers: std::mem::take(&mut self.new) });
        true
    }

    /// When to look whether a question was lost on its way.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.question.as_ref().map(|question| question.put + PATIENCE)
    }

    /// Tells those for whom the question was put. The answer to one that was given up is for nobody.
    pub(crate) fn answer(&mut self, ticket: Ticket, answer: Result<Index, Refused>) {
        let Some(question) = self.question.take_if(|question| question.ticket == ticket) else { return };
        for reader in question.readers {
            // Whoever asked may have gone.
            let _ = reader.send(answer);
        }
    }
}

impl Question {
    fn is_lost(&self, now: Timestamp) -> bool {
        now >= self.put + PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(readers: &mut Readers) -> oneshot::Receiver<Result<Index, Refused>> {
        let (reader, answer) = oneshot::channel();
        readers.welcome(reader);
        answer
    }

    #[test]
    fn who_comes_while_a_question_is_on_its_way_shares_the_next() {
        let (mut readers, now) = (Readers::default(), Timestamp::EPOCH);
        assert!(!readers.ask(1, now), "nobody wants to know");
        let mut first = reader(&mut readers);
        assert!(readers.ask(1, now));
        let (mut second, mut third) = (reader(&mut readers), reader(&mut readers));
        assert!(!readers.ask(2, now));
        readers.answer(1, Ok(7));
        assert_eq!(first.try_recv(), Ok(Ok(7)));
        assert!(second.try_recv().is_err(), "the question was put before this one came");

        assert!(readers.ask(2, now));
        readers.answer(1, Ok(8));
        assert!(second.try_recv().is_err());
        readers.answer(2, Err(Refused::NotLeader));
        assert_eq!(second.try_recv(), Ok(Err(Refused::NotLeader)));
        assert_eq!(third.try_recv(), Ok(Err(Refused::NotLeader)));
        assert_eq!(readers.due(), None);
    }

    #[test]
    fn a_question_that_was_lost_is_put_again_for_those_who_still_wait() {
        let (mut readers, now) = (Readers::default(), Timestamp::EPOCH);
        let (mut patient, gone) = (reader(&mut readers), reader(&mut readers));
        assert!(readers.ask(1, now));
        drop(gone);
        let due = readers.due().unwrap();
        assert!(!readers.ask(2, now));
        assert!(readers.ask(2, due));
        readers.answer(1, Ok(7));
        assert!(patient.try_recv().is_err(), "the first question was given up");
        readers.answer(2, Ok(8));
        assert_eq!(patient.try_recv(), Ok(Ok(8)));

        drop(reader(&mut readers));
        assert!(!readers.ask(3, due), "nobody wants to know any more");
    }
}
