//! Which part of the traffic somebody wants to see.

use serde::{Deserialize, Serialize};

use super::names::{Person, Tail};

/// Values to keep, by label; an empty list keeps all. Values of one list are alternatives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Filter {
    /// `main_account`.
    #[serde(default)]
    pub main_account: Vec<String>,
    /// `subaccount_id`.
    #[serde(default)]
    pub subaccount_id: Vec<String>,
    /// `service`.
    #[serde(default)]
    pub service: Vec<String>,
    /// `handler`.
    #[serde(default)]
    pub handler: Vec<String>,
}

/// The step of the charts, and so how far they reach back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Range {
    /// Every sample of the last ten minutes.
    TenMinutes,
    /// Every sixth of the last hour.
    #[default]
    Hour,
}

impl Filter {
    /// Whether accounts are chosen.
    pub fn by_account(&self) -> bool {
        !self.main_account.is_empty() || !self.subaccount_id.is_empty()
    }

    /// Whether the account passes; `None` is everybody who is not named.
    pub fn account(&self, person: Option<&Person>) -> bool {
        match person {
            Some(person) => keeps(&self.main_account, &person.main) && keeps(&self.subaccount_id, &person.sub),
            None => !self.by_account(),
        }
    }

    /// Whether labels pass that have a handler.
    pub fn place(&self, tail: &Tail) -> bool {
        self.service(&tail.service) && keeps(&self.handler, &tail.what)
    }

    /// Whether a service passes.
    pub fn service(&self, service: &str) -> bool {
        keeps(&self.service, service)
    }
}

fn keeps(wanted: &[String], value: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|wanted| wanted == value)
}
