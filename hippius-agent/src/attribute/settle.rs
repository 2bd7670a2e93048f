//! From a claim and the server's verdict on it to the account that an exchange is counted on.

use super::store::{Resolution, Store};
use super::verdict::Verdict;
use super::{Account, Claim, PUBLIC, UNAUTHENTICATED, UNKNOWN};
use std::sync::Arc;

/// Whose exchange it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// This account's; one of the special ones where there is none.
    Account(Arc<Account>),
    /// A lookup is under way: keep the claim and settle again when [`Store::collect`] has told of an answer, or count
    /// the exchange on [`UNKNOWN`] when it has waited long enough.
    Pending,
}

/// The account on which bytes may be counted before the response is seen, if there is one: a credential that the
/// server has accepted before, or one that the gateway vouches for.
pub fn early(store: &mut Store, claim: &Claim, now_ns: u64) -> Option<Arc<Account>> {
    match claim {
        Claim::Trusted(account) => Some(account.clone()),
        Claim::Credential(credential) => proven(store.peek(&credential.key, now_ns)),
        Claim::Anonymous | Claim::Malformed => None,
    }
}

/// The account of an exchange whose response was seen. Without a response the verdict is [`Verdict::Undecided`].
///
/// `bucket` is the bucket that the request names, if any: where the credential was accepted and nobody knows its
/// account, the bucket's owner stands in as `main_account`.
pub fn settle(store: &mut Store, claim: &Claim, verdict: Verdict, bucket: Option<&str>, now_ns: u64) -> Settled {
    let account = match (claim, verdict) {
        // The gateway has decided; what the API behind it answers changes nothing about who asked.
        (Claim::Trusted(account), _) => account.clone(),
        (Claim::Credential(credential), Verdict::Accepted) => match store.resolve_accepted(credential, now_ns) {
            Resolution::Known { account, .. } if account.main == UNKNOWN.main => {
                return main_of_owner(store, &account, bucket, now_ns);
            }
            Resolution::Known { account, .. } => account,
            Resolution::Pending => return Settled::Pending,
            Resolution::Unknown(_) => return owner(store, bucket, now_ns),
        },
        (Claim::Credential(credential), Verdict::Refused) => {
            store.refused(&credential.key);
            UNAUTHENTICATED.clone()
        }
        (Claim::Credential(credential), Verdict::Undecided) => {
            proven(store.peek(&credential.key, now_ns)).unwrap_or_else(|| UNKNOWN.clone())
        }
        (Claim::Anonymous | Claim::Malformed, Verdict::Refused) => UNAUTHENTICATED.clone(),
        (Claim::Anonymous, _) => PUBLIC.clone(),
        (Claim::Malformed, _) => UNKNOWN.clone(),
    };
    Settled::Account(account)
}

fn owner(store: &mut Store, bucket: Option<&str>, now_ns: u64) -> Settled {
    match bucket.map(|bucket| store.bucket_owner(bucket, now_ns)) {
        Some(Resolution::Known { account, .. }) => Settled::Account(account),
        Some(Resolution::Pending) => Settled::Pending,
        Some(Resolution::Unknown(_)) | None => Settled::Account(UNKNOWN.clone()),
    }
}

/// The address is known, its main account is not: the owner of the bucket that it may write to stands in.
fn main_of_owner(store: &mut Store, account: &Arc<Account>, bucket: Option<&str>, now_ns: u64) -> Settled {
    match owner(store, bucket, now_ns) {
        Settled::Account(owner) if owner.main != UNKNOWN.main => {
            Settled::Account(Arc::new(Account { main: owner.main.clone(), sub: account.sub.clone() }))
        }
        Settled::Account(_) => Settled::Account(account.clone()),
        Settled::Pending => Settled::Pending,
    }
}

fn proven(resolution: Resolution) -> Option<Arc<Account>> {
    match resolution {
        Resolution::Known { account, proven: true } => Some(account),
        _ => None,
    }
}
