//! Whose request is it: rules (exchange → credential, pure) and store (credential → account).

use std::sync::Arc;

/// The pair of account labels.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Account {
    /// `main_account`
    pub main: Arc<str>,
    /// `subaccount_id`
    pub sub: Arc<str>,
}
