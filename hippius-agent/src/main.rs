//! Command line of the Hippius agent.

fn main() {}
