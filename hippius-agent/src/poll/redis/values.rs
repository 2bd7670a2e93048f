//! From what the server says to families.

use super::families as f;
use super::fields::FIELDS;
use super::info::{Command, Info, Meaning};
use crate::poll::draft::Draft;

/// Redis' default number of databases is 16; more than this are not padded.
const MOST_DATABASES: u64 = 256;

/// Everything that stands in `INFO`. `databases` is the number of databases where the server has told it.
pub fn add_info(out: &mut Draft, info: &Info<'_>, start_time: f64, databases: Option<u64>) {
    // A field that comes twice is none the second time: a family has one sample without labels.
    let mut told = vec![false; FIELDS.len()];
    for &Meaning { places, number } in info.fields.iter().map(|field| &field.meaning) {
        for &place in places {
            let told = told.get_mut(place).is_none_or(|told| std::mem::replace(told, true));
            if !told && let (Some(field), Some(number)) = (FIELDS.get(place), number) {
                out.add(&field.spec, &[], number * field.scale);
            }
        }
    }
    out.add(&f::START_TIME, &[], start_time);
    let labels = f::INSTANCE_INFO.labels.iter().map(|label| info.text(label)).collect::<Vec<_>>();
    out.add(&f::INSTANCE_INFO, &labels, 1.0);
    add_commands(out, info);
    for (error, count) in &info.errors {
        out.add(&f::ERRORS, &[error], *count);
    }
    add_databases(out, info, databases);
    for slave in &info.slaves {
        let labels = [slave.ip, slave.port, slave.state];
        for (family, value) in [(&f::SLAVE_OFFSET, slave.offset), (&f::SLAVE_LAG, slave.lag)] {
            if let Some(value) = value {
                out.add(family, &labels, value);
            }
        }
    }
    if info.text("role") == "slave" {
        add_replica(out, info);
    }
}

fn add_commands(out: &mut Draft, info: &Info<'_>) {
    for Command { name, calls, usec, rejected, failed } in &info.commands {
        out.add(&f::COMMANDS, &[name], *calls);
        out.add(&f::COMMANDS_DURATION, &[name], usec / 1e6);
        for (family, value) in [(&f::COMMANDS_REJECTED, rejected), (&f::COMMANDS_FAILED, failed)] {
            if let Some(value) = value {
                out.add(family, &[name], *value);
            }
        }
    }
    for (name, quantiles) in &info.latencies {
        for (quantile, usec) in quantiles {
            out.add(&f::LATENCY_PERCENTILES, &[name, quantile], *usec);
        }
        if let Some(command) = info.command(name) {
            out.add_part(&f::LATENCY_PERCENTILES, "_sum", &[name], command.usec);
            out.add_part(&f::LATENCY_PERCENTILES, "_count", &[name], command.calls);
        }
    }
}

/// A database without keys is not in `INFO`; zero is what a dashboard wants to see for it.
fn add_databases(out: &mut Draft, info: &Info<'_>, databases: Option<u64>) {
    let mut add = |name: &str, keys, expires| {
        out.add(&f::DB_KEYS, &[name], keys);
        out.add(&f::DB_KEYS_EXPIRING, &[name], expires);
    };
    for database in &info.databases {
        add(database.name, database.keys, database.expires);
    }
    for number in 0..databases.unwrap_or(1).min(MOST_DATABASES) {
        let name = format!("db{number}");
        if info.databases.iter().all(|database| database.name != name) {
            add(&name, 0.0, 0.0);
        }
    }
    for database in &info.databases {
        if let Some(ttl_ms) = database.avg_ttl_ms {
            out.add(&f::DB_AVG_TTL, &[database.name], ttl_ms / 1e3);
        }
    }
}

fn add_replica(out: &mut Draft, info: &Info<'_>) {
    let master = [info.text("master_host"), info.text("master_port")];
    out.add(&f::SLAVE_INFO, &[master[0], master[1], info.text("slave_read_only")], 1.0);
    out.add(&f::MASTER_LINK_UP, &master, if info.text("master_link_status") == "up" { 1.0 } else { 0.0 });
    for (family, field) in [
        (&f::MASTER_LAST_IO, "master_last_io_seconds_ago"),
        (&f::MASTER_SYNC, "master_sync_in_progress"),
        (&f::SLAVE_REPL_OFFSET, "slave_repl_offset"),
        (&f::SLAVE_PRIORITY, "slave_priority"),
    ] {
        if let Some(value) = info.number(field) {
            out.add(family, &master, value);
        }
    }
}

/// `CLUSTER INFO`: the same form as `INFO`, without sections.
pub fn add_cluster(out: &mut Draft, text: &str) {
    for line in text.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let family = match name {
            "cluster_state" => {
                out.add(&f::CLUSTER_STATE, &[], if value == "ok" { 1.0 } else { 0.0 });
                continue;
            }
            "cluster_slots_assigned" => &f::CLUSTER_SLOTS_ASSIGNED,
            "cluster_slots_ok" => &f::CLUSTER_SLOTS_OK,
            "cluster_slots_fail" => &f::CLUSTER_SLOTS_FAIL,
            "cluster_slots_pfail" => &f::CLUSTER_SLOTS_PFAIL,
            "cluster_known_nodes" => &f::CLUSTER_KNOWN_NODES,
            "cluster_size" => &f::CLUSTER_SIZE,
            _ => continue,
        };
        if let Ok(number) = value.parse::<u32>() {
            out.add(family, &[], f64::from(number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_in_a_cluster() {
        let text = "redis_version:7.0.15\r\nrole:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6379\r\n\
            master_link_status:up\r\nmaster_last_io_seconds_ago:3\r\nslave_read_only:1\r\nlatest_fork_usec:250\r\n\
            cmdstat_get:calls=2,usec=10\r\nlatency_percentiles_usec_get:p50=5.0\r\ndb1:keys=1,expires=0,avg_ttl=1500\r\n";
        let mut out = Draft::default();
        add_info(&mut out, &Info::parse(text).expect("a reply"), 7.0, Some(2));
        add_cluster(&mut out, "cluster_state:ok\r\ncluster_slots_fail:3\r\n");
        let out = out.finish();
        let master = r#"master_host="10.0.0.1",master_port="6379""#;
        for (name, labels, value) in [
            ("redis_master_link_up", master, 1.0),
            ("redis_master_last_io_seconds_ago", master, 3.0),
            ("redis_latest_fork_seconds", "", 0.00025),
            ("redis_commands_duration_seconds_total", r#"cmd="get""#, 0.00001),
            ("redis_db_keys", r#"db="db0""#, 0.0),
            ("redis_db_keys", r#"db="db1""#, 1.0),
            ("redis_db_avg_ttl_seconds", r#"db="db1""#, 1.5),
            ("redis_cluster_state", "", 1.0),
            ("redis_cluster_slots_fail", "", 3.0),
            ("redis_start_time_seconds", "", 7.0),
        ] {
            let found = out.value(name, labels);
            assert!(found.is_some_and(|found| (found - value).abs() < 1e-12), "{name} {labels}: {found:?}");
        }
    }
}
