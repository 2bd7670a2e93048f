//! Counts keys by pattern: a walk through all of them with `SCAN`, so slow that the server does not notice.
//!
//! A step asks for as many keys as the server gives in about 80 us. After each the task sleeps so long that the steps take
//! at most the configured part of the time, and what both sides do around a step counts too ([`step`](super::step)), so the
//! share of the server's own time is far smaller. All patterns are matched here in one walk. `KEYS` is never sent, and no value is read
//! but the credit entries, where asked for.

use super::glob;
use super::info::Info;
use super::link::{Link, refusal};
use super::profile;
use super::step::Steps;
use crate::config::RedisTarget;
use crate::poll::source::Reason;
use redis::Value;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longest wait for one step.
const STEP: Duration = Duration::from_secs(5);
/// Names of one step, or how often which command ran; keys are rarely longer than 100 bytes.
const STEP_BYTES: u64 = 8 * 1024 * 1024;
/// After a sweep that failed.
const RETRY: Duration = Duration::from_secs(10);
/// Accounts that are shown.
const MOST_ACCOUNTS: usize = 10_000;
const CREDITS: &str = "hippius_main_account_credits:";

/// What the last sweeps have found.
#[derive(Debug, Default, Clone)]
pub struct Swept {
    /// The last one that came to its end.
    pub last: Option<Count>,
    /// Sweeps by result: finished, failed, too large.
    pub sweeps: [u64; 3],
}

/// Names of the results, in the order of [`Swept::sweeps`].
pub const RESULTS: [&str; 3] = ["finished", "failed", "too_large"];

/// One sweep.
#[derive(Debug, Clone)]
pub struct Count {
    /// When it ended.
    pub ended: Instant,
    /// How long it took.
    pub took: Duration,
    /// Keys that it has seen.
    pub keys: u64,
    /// Keys that fit, by pattern.
    pub patterns: Arc<[(Box<str>, u64)]>,
    /// Whether a main account has credits.
    pub credits: Arc<BTreeMap<Box<str>, bool>>,
}

/// Shared between the sweeping task and the polls.
#[derive(Debug, Default, Clone)]
pub struct Results(Arc<Mutex<Swept>>);

impl Results {
    /// What is known now.
    pub fn get(&self) -> Swept {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, result: usize, count: Option<Count>) {
        let mut swept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counter) = swept.sweeps.get_mut(result) {
            *counter += 1;
        }
        if count.is_some() {
            swept.last = count;
        }
    }
}

/// Patterns that are counted: the profile's, then the configured ones.
pub fn patterns(config: &RedisTarget) -> Vec<Box<str>> {
    let mut patterns: Vec<Box<str>> =
        profile::chunk_patterns(config.profile).iter().map(|pattern| Box::from(*pattern)).collect();
    for pattern in &config.key_patterns {
        if !patterns.contains(pattern) {
            patterns.push(pattern.clone());
        }
    }
    patterns
}

/// Whether there is anything to count.
pub fn is_wanted(config: &RedisTarget) -> bool {
    !config.sweep.interval.is_zero() && (config.account_credits || !patterns(config).is_empty())
}

/// Sweeps again and again until it is dropped.
pub async fn run(config: RedisTarget, results: Results) {
    let mut link = Link::new(&config);
    loop {
        let started = Instant::now();
        let pause = match sweep(&mut link, &config, started).await {
            Ok(Some(count)) => {
                results.note(0, Some(count));
                config.sweep.interval
            }
            Ok(None) => {
                results.note(2, None);
                config.sweep.interval
            }
            Err(_) => {
                results.note(1, None);
                config.sweep.interval.min(RETRY)
            }
        };
        // A server that is short of connections shall not spend one on a task that sleeps.
        link.close();
        tokio::time::sleep(pause).await;
    }
}

/// `None` where the database has too many keys.
async fn sweep(link: &mut Link, config: &RedisTarget, started: Instant) -> Result<Option<Count>, Reason> {
    let size = match ask(link, redis::cmd("DBSIZE")).await? {
        Value::Int(size) => u64::try_from(size).map_err(|_| Reason::Malformed)?,
        _ => return Err(Reason::Malformed),
    };
    if size > config.sweep.max_keys {
        return Ok(None);
    }
    let patterns = patterns(config);
    let mut counts = vec![0u64; patterns.len()];
    let mut accounts = BTreeMap::new();
    let mut keys = 0;
    // SCAN visits each hash slot once, and some twice while the table grows; a server that never ends is none.
    let mut steps = Steps::new(config.sweep.batch);
    let most_steps = (size / u64::from(steps.least()) + 1) * 10 + 10_000;
    let mut cursor = b"0".to_vec();
    for _ in 0..most_steps {
        if steps.looks() {
            look(link, &mut steps, config.sweep.duty_percent).await?;
        }
        let began = Instant::now();
        let mut command = redis::cmd("SCAN");
        command.arg(&cursor).arg("COUNT").arg(steps.batch());
        let (next, names) = scanned(ask(link, command).await?)?;
        let cost = steps.cost(began.elapsed());
        steps.made();
        for name in &names {
            keys += 1;
            for (count, _) in
                counts.iter_mut().zip(&patterns).filter(|(_, pattern)| glob::fits(pattern.as_bytes(), name))
            {
                *count += 1;
            }
            if config.account_credits
                && accounts.len() < MOST_ACCOUNTS
                && let Some(account) = account(name)
            {
                accounts.insert(account, false);
            }
        }
        cursor = next;
        if cursor == b"0" {
            let credits = credits(link, accounts, config.sweep.duty_percent).await?;
            let (ended, took) = (Instant::now(), started.elapsed());
            let patterns = patterns.into_iter().zip(counts).collect();
            return Ok(Some(Count { ended, took, keys, patterns, credits: Arc::new(credits) }));
        }
        rest(cost, config.sweep.duty_percent).await;
    }
    Err(Reason::Malformed)
}

/// Asks how long the steps took that were made since the last look.
async fn look(link: &mut Link, steps: &mut Steps, duty_percent: u8) -> Result<(), Reason> {
    let began = Instant::now();
    let mut command = redis::cmd("INFO");
    command.arg("commandstats");
    let Value::BulkString(text) = ask(link, command).await? else { return Err(Reason::Malformed) };
    let text = String::from_utf8_lossy(&text);
    steps.learn(Info::parse_part(&text).commands.into_iter().find(|command| command.name == "scan"));
    rest(steps.cost(began.elapsed()), duty_percent).await;
    Ok(())
}

/// Sleeps so long that what took `took` is at most `duty_percent` of the time.
async fn rest(took: Duration, duty_percent: u8) {
    tokio::time::sleep(took.mul_f64(100.0 / f64::from(duty_percent.max(1)) - 1.0)).await;
}

async fn ask(link: &mut Link, command: redis::Cmd) -> Result<Value, Reason> {
    let mut question = redis::Pipeline::new();
    question.add_command(command);
    let answers = tokio::time::timeout(STEP, link.ask(&question, STEP_BYTES)).await.unwrap_or(Err(Reason::Timeout))?;
    match answers.into_iter().next() {
        Some(Value::ServerError(error)) => Err(refusal(error.code(), error.details().unwrap_or_default())),
        Some(answer) => Ok(answer),
        None => Err(Reason::Malformed),
    }
}

fn scanned(answer: Value) -> Result<(Vec<u8>, Vec<Vec<u8>>), Reason> {
    let Value::Array(parts) = answer else { return Err(Reason::Malformed) };
    let [Value::BulkString(cursor), Value::Array(names)] =
        <[Value; 2]>::try_from(parts).map_err(|_| Reason::Malformed)?
    else {
        return Err(Reason::Malformed);
    };
    let name = |name| if let Value::BulkString(name) = name { Ok(name) } else { Err(Reason::Malformed) };
    Ok((cursor, names.into_iter().map(name).collect::<Result<_, _>>()?))
}

/// The account that a credit entry is about: an SS58 address is a label value, anything else is not.
fn account(key: &[u8]) -> Option<Box<str>> {
    let address = std::str::from_utf8(key.strip_prefix(CREDITS.as_bytes())?).ok()?;
    let base58 = |byte: u8| byte.is_ascii_alphanumeric() && !matches!(byte, b'0' | b'O' | b'I' | b'l');
    ((46..=50).contains(&address.len()) && address.bytes().all(base58)).then(|| address.into())
}

#[derive(Deserialize)]
struct Entry {
    has_credits: bool,
}

/// Reads the entries of these accounts; one that is gone or unreadable is left out.
async fn credits(
    link: &mut Link,
    accounts: BTreeMap<Box<str>, bool>,
    duty_percent: u8,
) -> Result<BTreeMap<Box<str>, bool>, Reason> {
    let mut credits = BTreeMap::new();
    for (account, _) in accounts {
        let began = Instant::now();
        let mut command = redis::cmd("GET");
        command.arg(format!("{CREDITS}{account}"));
        if let Value::BulkString(entry) = ask(link, command).await?
            && let Ok(entry) = serde_json::from_slice::<Entry>(&entry)
        {
            credits.insert(account, entry.has_credits);
        }
        rest(began.elapsed(), duty_percent).await;
    }
    Ok(credits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_become_labels() {
        let address = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
        assert_eq!(account(format!("{CREDITS}{address}").as_bytes()).as_deref(), Some(address));
        for key in [format!("{CREDITS}x"), format!("{CREDITS}{address}\n"), format!("other:{address}")] {
            assert_eq!(account(key.as_bytes()), None, "{key}");
        }
    }

    #[test]
    fn a_step_is_a_cursor_and_names() {
        let step =
            Value::Array(vec![Value::BulkString(b"17".to_vec()), Value::Array(vec![Value::BulkString(b"a".to_vec())])]);
        assert_eq!(scanned(step), Ok((b"17".to_vec(), vec![b"a".to_vec()])));
        for wrong in [Value::Nil, Value::Array(vec![Value::Int(1)]), Value::Array(vec![Value::Int(0), Value::Nil])] {
            assert_eq!(scanned(wrong), Err(Reason::Malformed));
        }
    }
}
