//! The label budget: accounts beyond it fold into one series, and the totals stay exact.

use anyhow::ensure;
use hippius_tests::clients::raw::{Raw, request};
use hippius_tests::config::Config;
use hippius_tests::expect::{self, Expected};
use hippius_tests::lab;
use hippius_tests::servers::syscall::Syscall;

const ACCOUNTS: u64 = 2000;

#[test]
fn accounts_over_the_budget_fold_with_exact_totals() {
    lab::with_agent("fold", |lab| {
        let server = Syscall::start(&lab.workdir, "recv-send")?;
        let config = Config::new()
            .service_with("api", &[server.server.port], "s3", "behind_gateway = true")
            .section("[labels]\nmax_series = 1000\nper_family = 100");
        let agent = lab.agent(&config)?;
        let mut raw = Raw::connect(server.server.address())?;
        for number in 0..ACCOUNTS {
            let account = format!("X-Hippius-Main-Account: account-{number}");
            raw.send(request("GET", "/20", &[&account]))?;
            raw.read_response()?;
        }
        let expected = Expected::requests(ACCOUNTS).bytes(raw.sent, raw.received).statuses(&[("200", ACCOUNTS)]);
        let metrics = expect::exactly(lab, &agent, "api", &expected)?;
        let accounts = metrics.by("http_requests_total", &[("service", "api")], "main_account");
        ensure!(accounts.len() <= 101, "{} accounts in a family of 100 series", accounts.len());
        let other = accounts.get("__other__").copied().unwrap_or(0);
        ensure!(other + accounts.len() as u64 > ACCOUNTS, "__other__ has {other} of {ACCOUNTS} requests");
        ensure!(metrics.sum("hippius_agent_series_folded_total", &[]) > 0, "folding is not told");
        Ok(())
    });
}

#[test]
fn many_random_accounts_leave_memory_bounded() {
    lab::with_agent("many-accounts", |lab| {
        let server = Syscall::start(&lab.workdir, "recv-send")?;
        let config = Config::new().service_with("api", &[server.server.port], "s3", "behind_gateway = true");
        let agent = lab.agent(&config)?;
        let mut raw = Raw::connect(server.server.address())?;
        let count = 100_000;
        for batch in 0..count / 16 {
            let batch = (0..16).map(|number| {
                request("GET", "/1", &[&format!("X-Hippius-Main-Account: random-{}", batch * 16 + number)])
            });
            raw.send(batch.collect::<String>())?;
            for _ in 0..16 {
                raw.read_response()?;
            }
        }
        expect::exactly(lab, &agent, "api", &Expected::requests(count).bytes(raw.sent, raw.received))?;
        let (now, _) = agent.memory_bytes()?;
        ensure!(now < 160 << 20, "{now} bytes resident after {count} accounts");
        Ok(())
    });
}
