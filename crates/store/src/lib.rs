//! The book: the swarm's state as one immutable value.
