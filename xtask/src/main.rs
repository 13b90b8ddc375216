//! Every check of the project.

fn main() {}
