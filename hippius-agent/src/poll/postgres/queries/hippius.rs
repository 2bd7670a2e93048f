//! What the Hippius API keeps in its tables, by main account.
//!
//! These read whole tables, so they run every five minutes. Accounts beyond the budget are added up under __other__ by
//! the server, so that the sums stay exact and the answer small.
//!
//! Every simple upload leaves a row in `multipart_uploads` that is never completed. Its `upload_id` is that of the
//! object; only a real multipart upload has one of its own.

use crate::poll::family::Spec;
use crate::poll::postgres::query::{Every, Query, gauge};

const ACCOUNT: &[&str] = &["main_account"];

const STORED: &[&[Spec]] = &[
    &[gauge("hippius_stored_bytes", ACCOUNT, "Bytes of the objects that the account has stored.")],
    &[gauge("hippius_stored_objects", ACCOUNT, "Objects that the account has stored.")],
    &[gauge("hippius_buckets", ACCOUNT, "Buckets of the account.")],
];
const UPLOADS: &[&[Spec]] =
    &[&[gauge("s3_multipart_uploads_active", ACCOUNT, "Multipart uploads that are neither completed nor aborted.")]];

/// September 2025: sizes stand with the objects, deleted rows are gone.
pub(super) static QUERIES_2025: &[Query] = &[
    Query {
        collector: "hippius_stored",
        every: Every::Accounts,
        labels: ACCOUNT,
        values: STORED,
        sql: &[(
            13,
            "WITH o AS (SELECT bucket_id, count(*) AS objects, sum(size_bytes) AS bytes FROM objects GROUP BY 1), \
             a AS (SELECT b.main_account_id::text AS account, coalesce(sum(o.bytes), 0) AS bytes, \
             coalesce(sum(o.objects), 0) AS objects, count(*) AS buckets FROM buckets b LEFT JOIN o USING (bucket_id) \
             GROUP BY 1), n AS (SELECT a.*, row_number() OVER (ORDER BY bytes DESC, account) AS place FROM a) \
             SELECT CASE WHEN place <= {accounts} THEN account ELSE '__other__' END, sum(bytes), sum(objects), \
             sum(buckets) FROM n GROUP BY 1",
        )],
    },
    Query {
        collector: "hippius_uploads",
        every: Every::Accounts,
        labels: ACCOUNT,
        values: UPLOADS,
        sql: &[(
            13,
            "WITH a AS (SELECT b.main_account_id::text AS account, count(*) AS uploads FROM multipart_uploads m \
             JOIN buckets b USING (bucket_id) WHERE NOT m.is_completed AND m.upload_id <> m.object_id GROUP BY 1), \
             n AS (SELECT a.*, row_number() OVER (ORDER BY uploads DESC, account) AS place FROM a) \
             SELECT CASE WHEN place <= {accounts} THEN account ELSE '__other__' END, sum(uploads) FROM n GROUP BY 1",
        )],
    },
];

/// August 2026: sizes stand with the versions of which the current one counts, deleted rows are marked.
pub(super) static QUERIES_2026: &[Query] = &[
    Query {
        collector: "hippius_stored",
        every: Every::Accounts,
        labels: ACCOUNT,
        values: STORED,
        sql: &[(
            13,
            "WITH o AS (SELECT o.bucket_id, count(*) AS objects, sum(v.size_bytes) AS bytes FROM objects o \
             LEFT JOIN object_versions v ON v.object_id = o.object_id AND v.object_version = o.current_object_version \
             WHERE o.deleted_at IS NULL GROUP BY 1), \
             a AS (SELECT b.main_account_id::text AS account, coalesce(sum(o.bytes), 0) AS bytes, \
             coalesce(sum(o.objects), 0) AS objects, count(*) AS buckets FROM buckets b LEFT JOIN o USING (bucket_id) \
             WHERE b.deleted_at IS NULL GROUP BY 1), \
             n AS (SELECT a.*, row_number() OVER (ORDER BY bytes DESC, account) AS place FROM a) \
             SELECT CASE WHEN place <= {accounts} THEN account ELSE '__other__' END, sum(bytes), sum(objects), \
             sum(buckets) FROM n GROUP BY 1",
        )],
    },
    Query {
        collector: "hippius_uploads",
        every: Every::Accounts,
        labels: ACCOUNT,
        values: UPLOADS,
        sql: &[(
            13,
            "WITH a AS (SELECT b.main_account_id::text AS account, count(*) AS uploads FROM multipart_uploads m \
             JOIN buckets b USING (bucket_id) WHERE NOT m.is_completed AND m.upload_id <> m.object_id \
             AND b.deleted_at IS NULL GROUP BY 1), \
             n AS (SELECT a.*, row_number() OVER (ORDER BY uploads DESC, account) AS place FROM a) \
             SELECT CASE WHEN place <= {accounts} THEN account ELSE '__other__' END, sum(uploads) FROM n GROUP BY 1",
        )],
    },
];
