//! Accounts from the Hippius database: the owner of a bucket, and (2026) the account of a subaccount's token.

use super::Fault;
use super::backoff::Backoff;
use crate::attribute::{Account, Secret, account_id};
use crate::connect::postgres::Address;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

/// 2026: names are unique among buckets that are not deleted. 2025: a name may stand for several accounts.
const OWNER_2026: &str =
    "SELECT DISTINCT main_account_id::text FROM buckets WHERE bucket_name = $1 AND deleted_at IS NULL LIMIT 2";
const OWNER_2025: &str = "SELECT DISTINCT main_account_id::text FROM buckets WHERE bucket_name = $1 LIMIT 2";
const TOKEN_2026: &str = "SELECT DISTINCT account_id::text FROM sub_token_scopes WHERE access_key_id = $1 LIMIT 2";

/// A schema that lacked a table is looked at again after this time.
const SCHEMA_BELIEVED: Duration = Duration::from_secs(60);

/// A connection to the database, made when it is first needed and made anew, after a pause, when it broke.
pub(super) struct PostgresLink {
    address: Address,
    timeout: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    session: Option<Arc<Session>>,
    backoff: Backoff,
}

struct Session {
    client: Client,
    owner: Option<Statement>,
    token: Option<Statement>,
    since: Instant,
}

impl Session {
    fn is_good(&self) -> bool {
        let complete = self.owner.is_some() && self.token.is_some();
        !self.client.is_closed() && (complete || self.since.elapsed() < SCHEMA_BELIEVED)
    }
}

impl PostgresLink {
    /// `None` where `url` cannot be read. It may hold a password, so no error text is taken from it.
    pub(super) fn new(url: &Secret, timeout: Duration) -> Option<Self> {
        let mut address = Address::parse(url.expose())?;
        address.config_mut().connect_timeout(timeout);
        Some(Self { address, timeout, state: Mutex::default() })
    }

    /// The main account that owns the bucket of this name; [`Fault::Ambiguous`] where several do.
    pub(super) async fn owner_of(&self, bucket: &str) -> Result<Option<Arc<str>>, Fault> {
        self.one(bucket, |session| session.owner.as_ref()).await
    }

    /// The account of a `hip_…` token that belongs to a subaccount.
    pub(super) async fn of_access_key(&self, access_key: &Secret) -> Result<Option<Account>, Fault> {
        let found = self.one(access_key.expose(), |session| session.token.as_ref()).await?;
        Ok(found.map(|account| Account { main: account.clone(), sub: account }))
    }

    async fn one(
        &self,
        parameter: &str,
        statement: impl Fn(&Session) -> Option<&Statement>,
    ) -> Result<Option<Arc<str>>, Fault> {
        let session = self.session().await?;
        let Some(statement) = statement(&session) else { return Ok(None) };
        let rows = match timeout(self.timeout, session.client.query(statement, &[&parameter])).await {
            Ok(Ok(rows)) => rows,
            Ok(Err(error)) => {
                // A table that was altered needs new statements; anything else is not worth keeping either.
                self.broke(&session).await;
                return Err(if error.as_db_error().is_some() { Fault::Error } else { fault_of(&error) });
            }
            Err(_) => {
                self.broke(&session).await;
                return Err(Fault::Timeout);
            }
        };
        self.state.lock().await.backoff.worked();
        match rows.as_slice() {
            [] => Ok(None),
            [row] => match row.try_get::<_, Option<&str>>(0) {
                Ok(None) => Ok(None),
                Ok(Some(id)) => account_id(id.as_bytes()).map(|id| Some(id.into())).ok_or(Fault::Malformed),
                Err(_) => Err(Fault::Malformed),
            },
            _ => Err(Fault::Ambiguous),
        }
    }

    async fn session(&self) -> Result<Arc<Session>, Fault> {
        let mut state = self.state.lock().await;
        match &state.session {
            Some(session) if session.is_good() => return Ok(session.clone()),
            _ => state.session = None,
        }
        if !state.backoff.allows(Instant::now()) {
            return Err(Fault::Error);
        }
        let opened = match timeout(self.timeout, self.open()).await {
            Ok(Ok(session)) => Ok(Arc::new(session)),
            Ok(Err(fault)) => Err(fault),
            Err(_) => Err(Fault::Timeout),
        };
        match &opened {
            Ok(session) => state.session = Some(session.clone()),
            Err(_) => state.backoff.failed(Instant::now()),
        }
        opened
    }

    async fn open(&self) -> Result<Session, Fault> {
        // Read anew for each connection, because certificates are renewed.
        let tls = self.address.tls(None).map_err(|_| Fault::Error)?;
        self.log_in(tls).await.map_err(|error| fault_of(&error))
    }

    async fn log_in(&self, tls: MakeRustlsConnect) -> Result<Session, tokio_postgres::Error> {
        let (client, connection) = self.address.config().connect(tls).await?;
        // Ends by itself when the client is dropped or the server goes away.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        let limits =
            format!("SET default_transaction_read_only = on; SET statement_timeout = {}", self.timeout.as_millis());
        client.batch_execute(&limits).await?;
        let owner = match prepare(&client, OWNER_2026).await? {
            Some(statement) => Some(statement),
            None => prepare(&client, OWNER_2025).await?,
        };
        let token = prepare(&client, TOKEN_2026).await?;
        Ok(Session { client, owner, token, since: Instant::now() })
    }

    async fn broke(&self, session: &Arc<Session>) {
        let mut state = self.state.lock().await;
        if state.session.as_ref().is_some_and(|current| Arc::ptr_eq(current, session)) {
            state.session = None;
            state.backoff.failed(Instant::now());
        }
    }
}

/// A statement, or `None` where this generation's schema has no such table or column.
async fn prepare(client: &Client, sql: &str) -> Result<Option<Statement>, tokio_postgres::Error> {
    match client.prepare(sql).await {
        Ok(statement) => Ok(Some(statement)),
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Ok(None),
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_COLUMN) => Ok(None),
        Err(error) => Err(error),
    }
}

fn fault_of(error: &tokio_postgres::Error) -> Fault {
    let timed_out = std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<std::io::Error>())
        .is_some_and(|io| io.kind() == std::io::ErrorKind::TimedOut);
    if timed_out { Fault::Timeout } else { Fault::Error }
}
