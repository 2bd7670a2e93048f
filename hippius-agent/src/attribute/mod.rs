//! Whose request is it: rules (exchange → credential, pure) and store (credential → account).
//!
//! The way of one exchange through this stage:
//!
//! 1. Request head: [`Store::claim`](store::Store::claim) runs the service's [`RuleSet`](rules::RuleSet) and gives a
//!    [`Claim`]. What a client writes is only a claim until the server has accepted it.
//! 2. While a long body moves: [`settle::early`] names the account only where the credential was accepted before,
//!    because a counter cannot be taken back.
//! 3. Response: [`Verdict::of`](verdict::Verdict::of) reads what the server thought of the credential and
//!    [`settle::settle`] gives the account, or says that a lookup is under way.
//!
//! Access keys are secrets here (a seed-era key *is* the wallet's seed phrase): they live in [`Secret`] only, caches
//! know them by a keyed hash, and nothing of them reaches a log, a label or an error text.
#![forbid(unsafe_code)]

mod account;
pub mod credential;
pub mod derive;
pub mod rules;
pub mod secret;
pub mod settle;
mod ss58;
pub mod store;
pub mod verdict;

pub use account::{Account, MAX_ACCOUNT_ID_BYTES, OTHER, PUBLIC, UNAUTHENTICATED, UNKNOWN, account_id, of_address};
pub use credential::{Claim, Credential, CredentialHasher, CredentialKey};
pub use secret::Secret;
