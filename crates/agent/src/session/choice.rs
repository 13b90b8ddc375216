//! Which manager is spoken with next: by chance, but rather one that was good to speak with.
//!
//! In: how conversations went. Out: a manager. What was long ago counts less and less.

use std::collections::BTreeMap;

use model::Chance;

/// How a conversation went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Impression {
    /// Nothing was wrong with it.
    Good,
    /// It did not come about, or broke.
    Bad,
}

/// What is remembered of managers, by address.
#[derive(Debug, Default)]
pub(super) struct Choice {
    weights: BTreeMap<String, i64>,
    last_bad: Option<String>,
}

/// What a single impression weighs, in thousandths (`control.md` section 13).
const IMPRESSION: i64 = 10_000;
/// What even the worst manager weighs: it may have mended.
const LEAST: i64 = 1_000;

impl Choice {
    /// Notes how a conversation went. It counts as much as all before it together.
    pub(super) fn observe(&mut self, manager: &str, impression: Impression) {
        let seen = match impression {
            Impression::Good => IMPRESSION,
            Impression::Bad => -IMPRESSION,
        };
        let weight = self.weights.entry(manager.to_owned()).or_default();
        *weight = (*weight + seen) / 2;
        self.last_bad = (impression == Impression::Bad).then(|| manager.to_owned());
    }

    /// Whether the last conversation of all was a bad one with this manager.
    pub(super) fn was_last_bad(&self, manager: &str) -> bool {
        self.last_bad.as_deref() == Some(manager)
    }

    /// One of these managers; none if there are none.
    pub(super) fn choose<'a>(&self, managers: &[&'a str], chance: &mut Chance) -> Option<&'a str> {
        let weight = |manager: &str| self.weights.get(manager).copied().unwrap_or_default();
        let lowest = managers.iter().map(|manager| weight(manager)).min()?;
        let share = |manager: &str| (weight(manager) - lowest + LEAST).unsigned_abs();
        let all: u64 = managers.iter().map(|manager| share(manager)).sum();
        let mut place = chance.below(all);
        managers.iter().copied().find(|manager| match place.checked_sub(share(manager)) {
            Some(rest) => {
                place = rest;
                false
            }
            None => true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_good_are_chosen_more_often_and_the_bad_still_sometimes() {
        let chance = &mut Chance::from_number(1);
        let mut choice = Choice::default();
        choice.observe("bad", Impression::Bad);
        choice.observe("good", Impression::Good);
        let mut times: BTreeMap<&str, u32> = BTreeMap::new();
        for _ in 0..1_000 {
            *times.entry(choice.choose(&["bad", "good", "new"], chance).unwrap()).or_default() += 1;
        }
        assert!(times["good"] > times["new"] && times["new"] > times["bad"], "{times:?}");
        assert_eq!(choice.choose(&[], chance), None);
    }

    #[test]
    fn whoever_was_just_left_is_known() {
        let mut choice = Choice::default();
        choice.observe("local", Impression::Bad);
        assert!(choice.was_last_bad("local"));
        choice.observe("other", Impression::Bad);
        assert!(!choice.was_last_bad("local"));
    }
}
