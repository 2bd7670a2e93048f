//! What was built, and with what.

/// Version of the agent.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Git revision that it was built from, `unknown` outside a checkout.
pub const REVISION: &str = env!("HIPPIUS_REVISION");
/// Compiler that built it.
pub const RUSTC: &str = env!("HIPPIUS_RUSTC");
/// All three, for `--version`.
pub const LONG: &str =
    concat!(env!("CARGO_PKG_VERSION"), " (revision ", env!("HIPPIUS_REVISION"), ", ", env!("HIPPIUS_RUSTC"), ")");
