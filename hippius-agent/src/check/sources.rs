//! Whether Redis and Postgres answer. Addresses are named by host and port only, never with a password.

use super::Finding;
use crate::config::{Attribution, SOURCES, SecretUrl, Source};
use crate::connect::postgres::Address;
use std::error::Error;
use std::time::Duration;

/// For a connection and an answer together.
const TIMEOUT: Duration = Duration::from_secs(3);
const SUBJECT: &str = "attribution";

/// Asks each configured source for a sign of life.
pub async fn checks(attribution: &Attribution) -> Vec<Finding> {
    // Both TLS users of this process share rustls; without a provider of its choice it would panic.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut findings = order(attribution);
    for (key, url) in [("auth_url", &attribution.redis_auth), ("accounts_url", &attribution.redis_accounts)] {
        if let Some(url) = url {
            findings.push(finding(format!("Redis of {key}"), redis(url).await));
        }
    }
    if let Some(url) = &attribution.postgres {
        findings.push(finding("Postgres".to_owned(), postgres(url).await));
    }
    findings
}

/// Sources that are configured but never asked, and the other way round.
fn order(attribution: &Attribution) -> Vec<Finding> {
    let configured = |source| match source {
        Source::Static => attribution.static_file.is_some(),
        Source::Redis => attribution.redis_auth.is_some() || attribution.redis_accounts.is_some(),
        Source::Postgres => attribution.postgres.is_some(),
        Source::Derive => true,
    };
    let asked: Vec<&str> = SOURCES
        .iter()
        .filter(|(_, source)| attribution.order.contains(source) && configured(*source))
        .map(|&(name, _)| name)
        .collect();
    let named = if asked.is_empty() { "none".to_owned() } else { asked.join(", ") };
    let mut findings = vec![Finding::ok(SUBJECT, format!("sources of accounts: {named}"))];
    for &(name, source) in SOURCES {
        if source != Source::Derive && configured(source) && !attribution.order.contains(&source) {
            let detail = format!("\"{name}\" is configured, but attribution.order leaves it out");
            findings.push(Finding::warn(SUBJECT, detail, "add it to attribution.order"));
        }
    }
    findings
}

/// `address` is known even where the answer is not.
struct Answer {
    address: String,
    result: Result<(), String>,
}

fn finding(name: String, answer: Answer) -> Finding {
    let Answer { address, result } = answer;
    match result {
        Ok(()) => Finding::ok(SUBJECT, format!("{name} at {address} answers")),
        Err(error) => Finding::fail(
            SUBJECT,
            format!("{name} at {address}: {error}"),
            "correct the address and its password, or start the server; until then its accounts stay unknown",
        ),
    }
}

async fn redis(url: &SecretUrl) -> Answer {
    let client = match redis::Client::open(url.expose()) {
        Ok(client) => client,
        Err(error) => return Answer { address: "?".to_owned(), result: Err(error.category().to_owned()) },
    };
    let address = client.get_connection_info().addr().to_string();
    let ping = async {
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd("PING").query_async::<String>(&mut connection).await
    };
    let result = match tokio::time::timeout(TIMEOUT, ping).await {
        Ok(Ok(_pong)) => Ok(()),
        // The category alone: a message could quote what was sent.
        Ok(Err(error)) => Err(match error.code() {
            Some(code) => format!("{} ({code})", error.category()),
            None if error.is_connection_refusal() => "connection refused".to_owned(),
            None => error.category().to_owned(),
        }),
        Err(_) => Err(no_answer()),
    };
    Answer { address, result }
}

async fn postgres(url: &SecretUrl) -> Answer {
    let Some(place) = Address::parse(url.expose()) else {
        return Answer { address: "?".to_owned(), result: Err("not an address".to_owned()) };
    };
    let address = place.shown();
    let tls = match place.tls(None) {
        Ok(tls) => tls,
        Err(error) => return Answer { address, result: Err(error.to_string()) },
    };
    let ask = async {
        let (client, connection) = place.config().connect(tls).await?;
        let driver = tokio::spawn(connection);
        let answer = client.simple_query("SELECT 1").await;
        driver.abort();
        answer.map(drop)
    };
    let result = match tokio::time::timeout(TIMEOUT, ask).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        }),
        Err(_) => Err(no_answer()),
    };
    Answer { address, result }
}

fn no_answer() -> String {
    format!("no answer in {} s", TIMEOUT.as_secs())
}
