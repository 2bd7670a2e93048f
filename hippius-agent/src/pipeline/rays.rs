//! Accounts by ray id: the inner hop's trusted headers tell the account of the request that the gateway passed on.

use std::collections::HashMap;
use std::sync::Arc;

use crate::attribute::Account;
use crate::decode::http1::Fields;
use crate::record::exemplar::RayId;

/// The field that names a request on all its hops.
pub const FIELD: &str = "x-hippius-ray-id";

/// The ray id in a head.
pub fn ray(fields: &Fields<'_>) -> Option<RayId> {
    RayId::parse(fields.get(FIELD)?.trim())
}

/// Most rays that are remembered in each of the two generations.
const GENERATION: usize = 16_384;

/// Longest ray id; upstream's have 16 characters.
const MAX_RAY_BYTES: usize = 64;

/// Accounts of requests that were seen behind the gateway, until the gateway's response is.
#[derive(Debug, Default)]
pub struct Rays {
    young: HashMap<Box<str>, Arc<Account>>,
    old: HashMap<Box<str>, Arc<Account>>,
}

impl Rays {
    /// The inner hop has named the account of this ray.
    pub fn learn(&mut self, ray: &str, account: &Arc<Account>) {
        if ray.is_empty() || ray.len() > MAX_RAY_BYTES {
            return;
        }
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(ray.into(), Arc::clone(account));
    }

    /// The account of this ray, once.
    pub fn take(&mut self, ray: &str) -> Option<Arc<Account>> {
        self.young.remove(ray).or_else(|| self.old.remove(ray))
    }
}
