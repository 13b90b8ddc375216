//! The arithmetic of majorities.
//!
//! Plain functions over voters; a learner never gets here.

use std::collections::BTreeMap;

use crate::entry::ReplicaId;

/// How an election stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tally {
    /// A majority said yes.
    Won,
    /// A majority said no.
    Lost,
    /// Neither yet.
    Open,
}

/// How many of so many voters are a majority.
pub(crate) fn majority(voters: usize) -> usize {
    voters / 2 + 1
}

/// The highest place, or the latest time, that a majority of the voters has reached; the very first without voters.
pub(crate) fn reached<T: Ord + Copy + Default>(places: impl Iterator<Item = T>) -> T {
    let mut places: Vec<T> = places.collect();
    places.sort_unstable_by(|a, b| b.cmp(a));
    places.get(majority(places.len()) - 1).copied().unwrap_or_default()
}

/// How the election stands; `votes` may hold voices that do not count.
pub(crate) fn tally(voters: &[ReplicaId], votes: &BTreeMap<ReplicaId, bool>) -> Tally {
    let said = |word: bool| voters.iter().filter(|id| votes.get(id) == Some(&word)).count();
    if said(true) >= majority(voters.len()) {
        Tally::Won
    } else if said(false) + said(true) == voters.len() || said(false) >= majority(voters.len()) {
        Tally::Lost
    } else {
        Tally::Open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_majority_is_more_than_half() {
        assert_eq!([1, 2, 3, 4, 5].map(majority), [1, 2, 2, 3, 3]);
    }

    #[test]
    fn what_a_majority_has_reached_is_the_lower_middle() {
        for (places, expected) in
            [(vec![], 0), (vec![7], 7), (vec![7, 3], 3), (vec![1, 9, 5], 5), (vec![1, 9, 5, 7], 5)]
        {
            assert_eq!(reached(places.iter().copied()), expected, "{places:?}");
        }
    }

    #[test]
    fn voices_of_strangers_do_not_count() {
        let votes = BTreeMap::from([(1, true), (8, true), (9, true)]);
        assert_eq!(tally(&[1, 2, 3], &votes), Tally::Open);
        assert_eq!(tally(&[1], &votes), Tally::Won);
    }

    #[test]
    fn an_election_is_lost_when_it_cannot_be_won() {
        let votes = BTreeMap::from([(1, true), (2, false), (3, false)]);
        assert_eq!(tally(&[1, 2, 3], &votes), Tally::Lost);
        assert_eq!(tally(&[1, 2], &votes), Tally::Lost);
        assert_eq!(tally(&[1, 2, 3, 4, 5], &votes), Tally::Open);
        assert_eq!(tally(&[], &BTreeMap::new()), Tally::Lost);
    }
}
