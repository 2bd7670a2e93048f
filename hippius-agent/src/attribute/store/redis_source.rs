//! Accounts from the Redis servers of Hippius. Only `GET` of exact keys is ever sent.
//!
//! | generation | key | value |
//! |---|---|---|
//! | 2026 | `hippius_auth:<hip_ key>` | JSON with `valid`, `account_address`, `token_type` `master` or `sub` |
//! | both | `hippius_subaccount_cache:<address>` | JSON with `main_account_id` |
//! | both | `hippius_main_account_credits:<address>` | JSON with `main_account_id`: there is one for main accounts |
//!
//! A `hip_…` key must travel to be asked for. Copies of it remain unwiped in the client library's buffers until they
//! are used again; seed phrases never come here.

use super::Fault;
use super::backoff::Backoff;
use crate::attribute::{Account, Secret, account_id};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Value};
use serde::Deserialize;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// The entries have a few hundred bytes; what is much longer is something else.
const MAX_VALUE_BYTES: usize = 64 * 1024;

/// Both Redis servers that know of accounts.
pub(super) struct RedisAccounts {
    pub(super) auth: Option<RedisLink>,
    pub(super) accounts: Option<RedisLink>,
}

#[derive(Deserialize)]
struct AuthEntry {
    valid: bool,
    account_address: Option<String>,
    token_type: Option<String>,
}

#[derive(Deserialize)]
struct MainEntry {
    main_account_id: String,
}

impl RedisAccounts {
    /// The account of a `hip_…` access key, `None` where Redis has no valid entry for it.
    ///
    /// In 2026 the address of a `sub` token is that of its main account already; the subaccount cache is asked in
    /// case it knows better.
    pub(super) async fn of_access_key(&self, access_key: &Secret) -> Result<Option<Account>, Fault> {
        let Some(auth) = &self.auth else { return Ok(None) };
        let key = Zeroizing::new(format!("hippius_auth:{}", access_key.expose()));
        let Some(entry) = auth.get_json::<AuthEntry>(&key).await? else { return Ok(None) };
        if !entry.valid {
            return Ok(None);
        }
        let address = entry.account_address.as_deref().and_then(|text| account_id(text.as_bytes()));
        let address: Arc<str> = address.ok_or(Fault::Malformed)?.into();
        let main = match entry.token_type.as_deref() {
            Some("sub") => self.main_of_sub(&address).await?.unwrap_or_else(|| address.clone()),
            _ => address.clone(),
        };
        Ok(Some(Account { main, sub: address }))
    }

    /// The main account of an address: from the subaccount cache, or the address itself where it is known to be a main
    /// account; `None` where neither says anything.
    pub(super) async fn main_of(&self, address: &Arc<str>) -> Result<Option<Arc<str>>, Fault> {
        if let Some(main) = self.main_of_sub(address).await? {
            return Ok(Some(main));
        }
        let Some(accounts) = &self.accounts else { return Ok(None) };
        let credits = accounts.get_json::<MainEntry>(&format!("hippius_main_account_credits:{address}")).await?;
        Ok(credits.filter(|entry| *entry.main_account_id == **address).map(|_| address.clone()))
    }

    async fn main_of_sub(&self, address: &str) -> Result<Option<Arc<str>>, Fault> {
        let Some(accounts) = &self.accounts else { return Ok(None) };
        let entry = accounts.get_json::<MainEntry>(&format!("hippius_subaccount_cache:{address}")).await?;
        let Some(entry) = entry else { return Ok(None) };
        account_id(entry.main_account_id.as_bytes()).map(|main| Some(main.into())).ok_or(Fault::Malformed)
    }
}

/// A connection to one server, made when it is first needed and made anew, after a pause, when it broke.
pub(super) struct RedisLink {
    client: Client,
    timeout: Duration,
    state: Mutex<State>,
}

/// Why a question was not answered.
enum Trouble {
    /// The connection is gone; a new one may do.
    Dropped,
    Fault(Fault),
}

#[derive(Default)]
struct State {
    connection: Option<MultiplexedConnection>,
    /// Tells a connection that broke from the one that has replaced it.
    generation: u64,
    backoff: Backoff,
}

impl RedisLink {
    /// `None` where `url` is no Redis URL. The URL may hold a password, so no error text is taken from it.
    pub(super) fn new(url: &Secret, timeout: Duration) -> Option<Self> {
        Some(Self { client: Client::open(url.expose()).ok()?, timeout, state: Mutex::default() })
    }

    async fn get_json<T: for<'de> Deserialize<'de>>(&self, key: &str) -> Result<Option<T>, Fault> {
        let Some(value) = self.get(key).await? else { return Ok(None) };
        if value.len() > MAX_VALUE_BYTES {
            return Err(Fault::Malformed);
        }
        serde_json::from_slice(&value).map(Some).map_err(|_| Fault::Malformed)
    }

    async fn get(&self, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Fault> {
        match self.ask(key).await {
            // The server was restarted or has closed an idle connection: that is worth a second try.
            Err(Trouble::Dropped) => self.ask(key).await,
            answer => answer,
        }
        .map_err(|trouble| match trouble {
            Trouble::Dropped => Fault::Error,
            Trouble::Fault(fault) => fault,
        })
    }

    async fn ask(&self, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Trouble> {
        let (mut connection, generation) = self.connection().await.map_err(Trouble::Fault)?;
        let mut command = redis::cmd("GET");
        command.arg(key);
        let (trouble, pause) = match timeout(self.timeout, command.query_async::<Value>(&mut connection)).await {
            Ok(Ok(Value::Nil)) => {
                self.works().await;
                return Ok(None);
            }
            Ok(Ok(Value::BulkString(value))) => {
                self.works().await;
                return Ok(Some(Zeroizing::new(value)));
            }
            // The server lives and refuses: -WRONGTYPE means that the key holds something else, -LOADING, -NOAUTH,
            // -MASTERDOWN and the like that it cannot serve now.
            Ok(Err(error)) if error.code() == Some("WRONGTYPE") => return Err(Trouble::Fault(Fault::Malformed)),
            Ok(Err(error)) if error.code().is_some() => return Err(Trouble::Fault(Fault::Error)),
            Ok(Err(error)) if error.is_timeout() => (Trouble::Fault(Fault::Timeout), true),
            Ok(Err(error)) if error.is_connection_dropped() => (Trouble::Dropped, false),
            Ok(Err(error)) if error.kind() == redis::ErrorKind::Parse => (Trouble::Fault(Fault::Malformed), true),
            Ok(Err(_)) => (Trouble::Fault(Fault::Error), true),
            // No reply to GET is of another type: what is at the other end is no Redis, or is out of step.
            Ok(Ok(_)) => (Trouble::Fault(Fault::Malformed), true),
            Err(_) => (Trouble::Fault(Fault::Timeout), true),
        };
        self.broke(generation, pause).await;
        Err(trouble)
    }

    async fn connection(&self) -> Result<(MultiplexedConnection, u64), Fault> {
        let mut state = self.state.lock().await;
        if let Some(connection) = &state.connection {
            return Ok((connection.clone(), state.generation));
        }
        if !state.backoff.allows(Instant::now()) {
            return Err(Fault::Error);
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout));
        match timeout(self.timeout, self.client.get_multiplexed_async_connection_with_config(&config)).await {
            Ok(Ok(connection)) => {
                state.generation += 1;
                state.connection = Some(connection.clone());
                Ok((connection, state.generation))
            }
            failed => {
                state.backoff.failed(Instant::now());
                let timed_out = failed.map_or(true, |failed| failed.is_err_and(|error| error.is_timeout()));
                Err(if timed_out { Fault::Timeout } else { Fault::Error })
            }
        }
    }

    /// Gives up a connection, unless another lookup has done so already. The pause grows until an answer comes.
    async fn broke(&self, generation: u64, pause: bool) {
        let mut state = self.state.lock().await;
        if state.generation == generation && state.connection.take().is_some() && pause {
            state.backoff.failed(Instant::now());
        }
    }

    async fn works(&self) {
        self.state.lock().await.backoff.worked();
    }
}
