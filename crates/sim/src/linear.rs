//! Whether a history could have happened one operation after the other (Wing and Gong's search, with Lowe's memory).
//!
//! In: what was asked of one object, when, and what was answered. Out: whether there is an order in which each
//! operation takes effect at one moment between its question and its answer, and every answer is right. An operation
//! without an answer may have taken effect at any time after its question, or never.

use std::collections::BTreeSet;

use model::Timestamp;

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    /// What was asked.
    pub what: What,
    /// When.
    pub asked: Timestamp,
    /// When it was answered.
    pub answered: Option<Timestamp>,
    /// What was answered.
    pub seen: Seen,
}

/// What is asked of the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Let it be, with this value, which is also its birth.
    Create {
        /// The value.
        value: u64,
    },
    /// Give it another value, if it has the expected one.
    Update {
        /// Of the object that was born as this.
        birth: u64,
        /// The value it must have.
        expected: u64,
        /// The value it gets.
        value: u64,
    },
    /// Let it no longer be.
    Remove {
        /// The object that was born as this.
        birth: u64,
    },
    /// How is it?
    Look,
}

/// What was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing, or nothing certain.
    Nothing,
    /// That it is done.
    Done,
    /// That it is not done. Why is a leader's opinion, which may be old.
    Refused,
    /// Birth and value.
    Found(Object),
}

/// Birth and value, if it is.
pub type Object = Option<(u64, u64)>;

/// Whether the history of one object, which at first is not, could have happened one after the other.
pub fn is_linear(history: &[Op]) -> bool {
    let matters = |op: &&Op| match op.seen {
        Seen::Refused => false,
        Seen::Nothing => op.what != What::Look,
        Seen::Done | Seen::Found(_) => true,
    };
    let mut ops: Vec<&Op> = history.iter().filter(matters).collect();
    ops.sort_by_key(|op| op.asked);
    let begin = Point { done: vec![0; ops.len().div_ceil(64)], object: None };
    let mut seen = BTreeSet::from([begin.clone()]);
    let mut open = vec![begin];
    while let Some(point) = open.pop() {
        if point.is_end(&ops) {
            return true;
        }
        for next in point.nexts(&ops) {
            if seen.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    false
}

/// Which operations have taken effect, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    done: Vec<u64>,
    object: Object,
}

impl Point {
    fn is_done(&self, place: usize) -> bool {
        self.done[place / 64] & (1 << (place % 64)) != 0
    }

    fn is_end(&self, ops: &[&Op]) -> bool {
        ops.iter().enumerate().all(|(place, op)| op.seen == Seen::Nothing || self.is_done(place))
    }

    /// Where one more operation leads: any that was asked before the first open one was answered.
    fn nexts(&self, ops: &[&Op]) -> Vec<Self> {
        let open = |(place, _): &(usize, &&Op)| !self.is_done(*place);
        let certain = ops.iter().enumerate().filter(open).filter(|(_, op)| op.seen != Seen::Nothing);
        let deadline = certain.filter_map(|(_, op)| op.answered).min();
        let may = |op: &Op| deadline.is_none_or(|deadline| op.asked <= deadline);
        let next = |(place, op): (usize, &&Op)| {
            let object = after(op, self.object)?;
            let mut done = self.done.clone();
            done[place / 64] |= 1 << (place % 64);
            Some(Self { done, object })
        };
        ops.iter().enumerate().take_while(|(_, op)| may(op)).filter(open).filter_map(next).collect()
    }
}

/// The object after the operation, unless the answer would be wrong. One without an answer only matters if it
/// changes something.
fn after(op: &Op, object: Object) -> Option<Object> {
    let changed = match (op.what, object) {
        (What::Create { value }, None) => Some(Some((value, value))),
        (What::Update { birth, expected, value }, Some(now)) if now == (birth, expected) => {
            Some(Some((birth, value)))
        }
        (What::Remove { birth }, Some((born, _))) if born == birth => Some(None),
        _ => None,
    };
    match op.seen {
        Seen::Nothing | Seen::Done => changed,
        Seen::Found(found) => (found == object).then_some(object),
        Seen::Refused => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(what: What, asked: i64, answered: i64, seen: Seen) -> Op {
        let answered = (answered > 0).then(|| Timestamp::from_nanos(answered));
        Op { what, asked: Timestamp::from_nanos(asked), answered, seen }
    }

    fn look(asked: i64, answered: i64, found: Object) -> Op {
        op(What::Look, asked, answered, Seen::Found(found))
    }

    const CREATE: What = What::Create { value: 1 };
    const UPDATE: What = What::Update { birth: 1, expected: 1, value: 2 };

    #[test]
    fn what_happens_in_turn_is_linear() {
        let history = [
            op(CREATE, 1, 2, Seen::Done),
            look(3, 4, Some((1, 1))),
            op(UPDATE, 5, 6, Seen::Done),
            look(7, 8, Some((1, 2))),
            op(What::Remove { birth: 1 }, 9, 10, Seen::Done),
            look(11, 12, None),
        ];
        assert!(is_linear(&history));
    }

    #[test]
    fn an_old_value_is_not_seen_after_a_new_one_was() {
        let create = op(CREATE, 1, 2, Seen::Done);
        let update = op(UPDATE, 3, 9, Seen::Done);
        let (old, new) = (Some((1, 1)), Some((1, 2)));
        assert!(is_linear(&[create.clone(), update.clone(), look(4, 5, old), look(6, 7, new)]));
        assert!(!is_linear(&[create, update, look(4, 5, new), look(6, 7, old)]));
    }

    #[test]
    fn what_was_done_is_seen_by_whoever_asks_later() {
        assert!(!is_linear(&[op(CREATE, 1, 2, Seen::Done), look(3, 4, None)]));
        assert!(is_linear(&[op(CREATE, 1, 3, Seen::Done), look(2, 4, None)]));
    }

    #[test]
    fn what_was_not_answered_may_happen_late_or_never() {
        let create = op(CREATE, 1, 0, Seen::Nothing);
        assert!(is_linear(&[create.clone(), look(2, 3, None), look(8, 9, Some((1, 1)))]));
        assert!(is_linear(&[create.clone(), look(2, 3, None), look(8, 9, None)]));
        assert!(!is_linear(&[create, look(2, 3, Some((1, 1))), look(8, 9, None)]));
    }

    #[test]
    fn only_one_of_two_updates_of_one_version_is_done() {
        let create = op(CREATE, 1, 2, Seen::Done);
        let other = What::Update { birth: 1, expected: 1, value: 3 };
        assert!(!is_linear(&[create, op(UPDATE, 3, 9, Seen::Done), op(other, 3, 9, Seen::Done)]));
    }
}
