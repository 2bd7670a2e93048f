//! Whether the polled servers answer, and whether the agent's user there may see what is to be shown.
//!
//! Each is asked once, all at the same time, and none for longer than its own time limit. Addresses are named by host and
//! port only; what a server says in words is not repeated.

use super::Finding;
use crate::config::{PostgresTarget, RedisTarget};
use crate::poll::source::Reason;
use crate::poll::{postgres, redis};
use std::future::Future;
use std::time::Duration;
use tokio::task::JoinHandle;

const REDIS: &str = "redis";
const POSTGRES: &str = "postgres";

/// A target whose polls may take longer is not waited for longer here.
const LONGEST: Duration = Duration::from_secs(5);

/// Asks each target for what polls need.
pub async fn checks(redis: &[RedisTarget], postgres: &[PostgresTarget]) -> Vec<Finding> {
    let redis = redis.iter().cloned().map(|target| tokio::spawn(check_redis(target)));
    let postgres = postgres.iter().cloned().map(|target| tokio::spawn(check_postgres(target)));
    let asked: Vec<JoinHandle<Vec<Finding>>> = redis.chain(postgres).collect();
    let mut findings = Vec::new();
    for answer in asked {
        findings.extend(answer.await.unwrap_or_default());
    }
    findings
}

async fn check_redis(target: RedisTarget) -> Vec<Finding> {
    let named = format!("\"{}\" at {}", target.name, redis::probe::address(&target));
    let limit = target.pace.timeout.min(LONGEST);
    match within(limit, redis::probe::ask(&target)).await {
        Err(reason) => vec![failure(REDIS, &named, reason, limit)],
        Ok(found) if found.denied.is_empty() => {
            vec![Finding::ok(REDIS, format!("{named} answers: Redis {}", printable(&found.version)))]
        }
        Ok(found) => vec![Finding::warn(
            REDIS,
            format!(
                "{named} answers: Redis {}, but the user may not send: {}",
                printable(&found.version),
                found.denied.join(", ")
            ),
            "give the user the rights that docs/operations.md lists (ACL SETUSER), or do without these families",
        )],
    }
}

async fn check_postgres(target: PostgresTarget) -> Vec<Finding> {
    let named = format!("\"{}\" at {}", target.name, postgres::probe::address(&target));
    let limit = target.pace.timeout.min(LONGEST);
    let found = match within(limit, postgres::probe::ask(&target)).await {
        Err(reason) => return vec![failure(POSTGRES, &named, reason, limit)],
        Ok(found) => found,
    };
    let statements = if found.has_statements { "" } else { "; without pg_stat_statements query times are not shown" };
    let (version, role) = (printable(&found.version), printable(&found.role));
    let mut findings = vec![Finding::ok(POSTGRES, format!("{named} answers: PostgreSQL {version}{statements}"))];
    if !found.monitors {
        findings.push(Finding::warn(
            POSTGRES,
            format!("{named}: the role {role} is not in pg_monitor, so it does not see what other roles do"),
            format!("GRANT pg_monitor TO {role}"),
        ));
    }
    if !found.missing.is_empty() {
        findings.push(Finding::warn(
            POSTGRES,
            format!("{named}: the tables of its profile are not there: {}", found.missing.join(", ")),
            "correct the database in the address, or \"profile\"",
        ));
    }
    if !found.unreadable.is_empty() {
        let tables = found.unreadable.join(", ");
        findings.push(Finding::warn(
            POSTGRES,
            format!("{named}: the role {role} may not read {tables}"),
            format!("GRANT SELECT ON {tables} TO {role}"),
        ));
    }
    findings
}

/// A server's word as far as a terminal may have it.
fn printable(word: &str) -> String {
    word.chars().filter(|character| !character.is_control()).take(64).collect()
}

async fn within<T>(limit: Duration, answer: impl Future<Output = Result<T, Reason>>) -> Result<T, Reason> {
    tokio::time::timeout(limit, answer).await.unwrap_or(Err(Reason::Timeout))
}

/// What a server that cannot be polled is said to lack.
fn failure(subject: &'static str, named: &str, reason: Reason, limit: Duration) -> Finding {
    let (what, advice) = match reason {
        Reason::Dns => ("its name has no address", "correct the host in \"url\", or this host's name server"),
        Reason::Connect => {
            ("no connection: nothing listens there, or it cannot be reached", "start it, or correct host and port")
        }
        Reason::Tls => (
            "TLS cannot be agreed on, or its certificate is not trusted",
            "correct \"tls_ca_file\", or the words about TLS in \"url\"",
        ),
        Reason::Auth => ("it refuses user or password", "correct them: \"url\", \"url_file\", \"password_file\""),
        Reason::Denied => ("the user may not ask anything that is needed", "docs/operations.md lists the rights"),
        Reason::Full => ("it has no connection left", "raise its limit of connections"),
        Reason::Starting => ("it is starting or shutting down", "ask again"),
        Reason::Closed => ("it closed the connection", "look into its log"),
        Reason::Malformed => ("what answers there is no such server", "correct host and port"),
        Reason::Error => ("it reports an error", "look into its log"),
        Reason::Timeout => {
            let what = format!("{named}: no answer in {:.1} s", limit.as_secs_f64());
            return Finding::fail(subject, what, "start it, correct host and port, or raise \"timeout_ms\"");
        }
    };
    match reason {
        // These pass by themselves.
        Reason::Full | Reason::Starting => Finding::warn(subject, format!("{named}: {what}"), advice),
        _ => Finding::fail(subject, format!("{named}: {what}"), advice),
    }
}
