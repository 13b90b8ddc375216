//! The other pump: a seeded world for the machines.

fn main() {}
