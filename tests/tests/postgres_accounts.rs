//! What accounts have stored, by the tables of both generations of the Hippius API.

use anyhow::ensure;
use hippius_tests::config::Config;
use hippius_tests::metrics::Metrics;
use hippius_tests::servers::postgres::Postgres;
use hippius_tests::{lab, polled};

const SCHEMA_2025: &str = "
CREATE TABLE users (main_account_id text PRIMARY KEY, created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE buckets (bucket_id uuid PRIMARY KEY DEFAULT gen_random_uuid(), bucket_name text NOT NULL,
  main_account_id text NOT NULL REFERENCES users ON DELETE CASCADE, UNIQUE (bucket_name, main_account_id));
CREATE TABLE objects (object_id uuid PRIMARY KEY, bucket_id uuid NOT NULL REFERENCES buckets ON DELETE CASCADE,
  object_key text NOT NULL, size_bytes bigint NOT NULL, UNIQUE (bucket_id, object_key));
CREATE TABLE multipart_uploads (upload_id uuid PRIMARY KEY, bucket_id uuid NOT NULL REFERENCES buckets
  ON DELETE CASCADE, object_key text, is_completed boolean NOT NULL DEFAULT false,
  object_id uuid REFERENCES objects ON DELETE SET NULL);
INSERT INTO users (main_account_id) SELECT 'account-' || n FROM generate_series(0, 4) n;
INSERT INTO buckets (bucket_name, main_account_id)
  SELECT 'bucket-' || n, 'account-' || n % 4 FROM generate_series(1, 8) n;";

/// Account n has objects of n GiB and n bytes: beyond 32 bits, and each account differs.
const OBJECTS_2025: &str = "
INSERT INTO objects (object_id, bucket_id, object_key, size_bytes)
  SELECT gen_random_uuid(), b.bucket_id, 'key-' || k, substring(b.main_account_id from 9)::bigint * 1073741825
  FROM buckets b, generate_series(1, 3) k;
INSERT INTO multipart_uploads (upload_id, bucket_id, object_key, object_id)
  SELECT object_id, bucket_id, object_key, object_id FROM objects;
INSERT INTO multipart_uploads (upload_id, bucket_id, object_key, is_completed, object_id)
  SELECT gen_random_uuid(), bucket_id, object_key, object_key = 'key-1', object_id FROM objects
  WHERE object_key IN ('key-1', 'key-2');
DELETE FROM objects WHERE object_key = 'key-3' AND bucket_id IN (SELECT bucket_id FROM buckets WHERE bucket_name = 'bucket-1');";

const SCHEMA_2026: &str = "
CREATE TABLE users (main_account_id text PRIMARY KEY);
CREATE TABLE buckets (bucket_id uuid PRIMARY KEY DEFAULT gen_random_uuid(), bucket_name text NOT NULL,
  main_account_id text NOT NULL REFERENCES users, deleted_at timestamptz);
CREATE TABLE objects (object_id uuid PRIMARY KEY DEFAULT gen_random_uuid(), bucket_id uuid NOT NULL REFERENCES buckets,
  object_key text NOT NULL, current_object_version bigint NOT NULL, deleted_at timestamptz);
CREATE TABLE object_versions (object_id uuid REFERENCES objects, object_version bigint, size_bytes bigint NOT NULL,
  PRIMARY KEY (object_id, object_version));
CREATE TABLE multipart_uploads (upload_id uuid PRIMARY KEY, bucket_id uuid NOT NULL REFERENCES buckets,
  is_completed boolean NOT NULL DEFAULT false, object_id uuid REFERENCES objects);
INSERT INTO users SELECT 'account-' || n FROM generate_series(0, 3) n;
INSERT INTO buckets (bucket_name, main_account_id, deleted_at)
  SELECT 'bucket-' || n, 'account-' || n % 4, CASE WHEN n > 6 THEN now() END FROM generate_series(1, 8) n;
INSERT INTO objects (bucket_id, object_key, current_object_version, deleted_at)
  SELECT b.bucket_id, 'key-' || k, 2, CASE WHEN k = 3 THEN now() END FROM buckets b, generate_series(1, 3) k;
INSERT INTO object_versions SELECT o.object_id, v, v * 1000 FROM objects o, generate_series(1, 2) v;
INSERT INTO multipart_uploads (upload_id, bucket_id, object_id) SELECT object_id, bucket_id, object_id FROM objects;
INSERT INTO multipart_uploads (upload_id, bucket_id, object_id)
  SELECT gen_random_uuid(), bucket_id, object_id FROM objects WHERE object_key = 'key-1';";

fn profile(name: &str, more: &str) -> String {
    format!("profile = {name:?}\n{more}")
}

fn account(metrics: &Metrics, series: &str, account: &str) -> u64 {
    metrics.sum(series, &[("main_account", account)])
}

#[test]
fn bytes_objects_buckets_and_uploads_of_2025_are_those_of_the_tables() {
    lab::with_agent("accounts-2025", |lab| {
        let postgres = Postgres::start(&lab.workdir)?;
        let monitor = postgres.monitor()?;
        postgres.sql(SCHEMA_2025)?;
        postgres.sql(OBJECTS_2025)?;
        let config = Config::new()
            .section(&polled::postgres("all", &monitor, &profile("hippius-2025", "")))
            .section(&polled::postgres("few", &monitor, &profile("hippius-2025", "max_accounts = 2")));
        let agent = lab.agent(&config)?;
        // The right to read statistics is none to read tables.
        let refused = [("collector", "hippius_stored")];
        let metrics = polled::settle(&agent, "postgres/all", "the refusal", |metrics| {
            metrics.select("pg_scrape_collector_success", &refused).any(|sample| sample.value == 0.0)
        })?;
        ensure!(metrics.sum("pg_up", &[]) == 1 && metrics.select("hippius_stored_bytes", &[]).next().is_none());
        postgres.sql("GRANT SELECT ON buckets, objects, multipart_uploads TO watcher")?;
        let metrics = polled::settle(&agent, "postgres/all", "accounts", |metrics| {
            metrics.select("hippius_stored_bytes", &[]).next().is_some()
                && metrics.select("s3_multipart_uploads_active", &[]).next().is_some()
        })?;
        for number in 0..4 {
            let name = format!("account-{number}");
            // bucket-1 is of account 1: one of its six objects was deleted, and the upload of that one never counted.
            let objects = if number == 1 { 5 } else { 6 };
            ensure!(account(&metrics, "hippius_stored_objects", &name) == objects);
            ensure!(account(&metrics, "hippius_stored_bytes", &name) == objects * number * 1_073_741_825);
            ensure!(account(&metrics, "hippius_buckets", &name) == 2);
            let uploads = account(&metrics, "s3_multipart_uploads_active", &name);
            ensure!(uploads == 2, "{name}: {uploads} uploads; rows of simple uploads are none");
        }
        let few = polled::settle(&agent, "postgres/few", "folded accounts", |metrics| {
            metrics.select("hippius_stored_bytes", &[("main_account", "__other__")]).next().is_some()
        })?;
        for series in ["hippius_stored_bytes", "hippius_stored_objects", "hippius_buckets"] {
            ensure!(few.select(series, &[]).count() == 3, "{}", few.lines_with(series));
            ensure!(few.sum(series, &[]) == metrics.sum(series, &[]), "{series}: folding keeps sums");
        }
        // The whole page carries the target's name.
        let whole = agent.scrape()?;
        let of_all = [("pg_instance", "all"), ("main_account", "account-3")];
        ensure!(whole.sum("hippius_stored_bytes", &of_all) == 6 * 3 * 1_073_741_825);
        Ok(())
    });
}

#[test]
fn what_is_deleted_or_an_older_version_does_not_count_in_2026() {
    lab::with_agent("accounts-2026", |lab| {
        let postgres = Postgres::start(&lab.workdir)?;
        postgres.sql(SCHEMA_2026)?;
        let config = Config::new().section(&polled::postgres("main", &postgres.url(), &profile("hippius-2026", "")));
        let agent = lab.agent(&config)?;
        let metrics = polled::settle(&agent, "postgres/main", "accounts", |metrics| {
            metrics.select("s3_multipart_uploads_active", &[]).next().is_some()
        })?;
        // Buckets 7 and 8, of accounts 3 and 0, are deleted; each bucket has two objects that are not.
        for (name, buckets) in [("account-0", 1), ("account-1", 2), ("account-2", 2), ("account-3", 1)] {
            let found = [
                account(&metrics, "hippius_buckets", name),
                account(&metrics, "hippius_stored_objects", name),
                account(&metrics, "hippius_stored_bytes", name),
                account(&metrics, "s3_multipart_uploads_active", name),
            ];
            ensure!(found == [buckets, buckets * 2, buckets * 4000, buckets], "{name}: {found:?}");
        }
        Ok(())
    });
}
