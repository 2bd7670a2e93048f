//! kubo's API (<https://docs.ipfs.tech/reference/kubo/rpc/>), with what older versions had.

/// An endpoint that the table does not have.
const OTHER: &str = "other";

/// Of a peer that is known to be kubo.
pub(super) fn operation(path: &str) -> Option<&'static str> {
    Some(named(endpoint(path)?).unwrap_or(OTHER))
}

/// Of a peer of which nothing is known: the whole path must be one of the table. kubo takes POST only
/// (<https://github.com/ipfs/kubo/releases/tag/v0.5.0>).
pub(super) fn known(method: &str, path: &str) -> Option<&'static str> {
    if method == "POST" { named(endpoint(path)?) } else { None }
}

fn endpoint(path: &str) -> Option<&str> {
    let endpoint = path.strip_prefix("/api/v0/")?;
    Some(endpoint.strip_suffix('/').unwrap_or(endpoint))
}

fn named(endpoint: &str) -> Option<&'static str> {
    let at = OPERATIONS.binary_search_by(|(path, _)| path.cmp(&endpoint)).ok()?;
    OPERATIONS.get(at).map(|(_, name)| *name)
}

/// Endpoints in order, and what they are called. Pinning has the names that the guide uses.
const OPERATIONS: &[(&str, &str)] = &[
    ("add", "add"),
    ("bitswap/ledger", "bitswap_ledger"),
    ("bitswap/reprovide", "bitswap_reprovide"),
    ("bitswap/stat", "bitswap_stat"),
    ("bitswap/wantlist", "bitswap_wantlist"),
    ("block/get", "block_get"),
    ("block/put", "block_put"),
    ("block/rm", "block_rm"),
    ("block/stat", "block_stat"),
    ("bootstrap", "bootstrap"),
    ("bootstrap/add", "bootstrap_add"),
    ("bootstrap/add/default", "bootstrap_add_default"),
    ("bootstrap/list", "bootstrap_list"),
    ("bootstrap/rm", "bootstrap_rm"),
    ("bootstrap/rm/all", "bootstrap_rm_all"),
    ("cat", "cat"),
    ("cid/base32", "cid_base32"),
    ("cid/bases", "cid_bases"),
    ("cid/codecs", "cid_codecs"),
    ("cid/format", "cid_format"),
    ("cid/hashes", "cid_hashes"),
    ("commands", "commands"),
    ("config", "config"),
    ("config/edit", "config_edit"),
    ("config/profile/apply", "config_profile_apply"),
    ("config/replace", "config_replace"),
    ("config/show", "config_show"),
    ("dag/export", "dag_export"),
    ("dag/get", "dag_get"),
    ("dag/import", "dag_import"),
    ("dag/put", "dag_put"),
    ("dag/resolve", "dag_resolve"),
    ("dag/stat", "dag_stat"),
    ("dht/query", "dht_query"),
    ("diag/cmds", "diag_cmds"),
    ("diag/profile", "diag_profile"),
    ("diag/sys", "diag_sys"),
    ("files/chcid", "files_chcid"),
    ("files/chmod", "files_chmod"),
    ("files/cp", "files_cp"),
    ("files/flush", "files_flush"),
    ("files/ls", "files_ls"),
    ("files/mkdir", "files_mkdir"),
    ("files/mv", "files_mv"),
    ("files/read", "files_read"),
    ("files/rm", "files_rm"),
    ("files/stat", "files_stat"),
    ("files/touch", "files_touch"),
    ("files/write", "files_write"),
    ("filestore/dups", "filestore_dups"),
    ("filestore/ls", "filestore_ls"),
    ("filestore/verify", "filestore_verify"),
    ("get", "get"),
    ("id", "id"),
    ("key/export", "key_export"),
    ("key/gen", "key_gen"),
    ("key/import", "key_import"),
    ("key/list", "key_list"),
    ("key/rename", "key_rename"),
    ("key/rm", "key_rm"),
    ("log/level", "log_level"),
    ("log/ls", "log_ls"),
    ("log/tail", "log_tail"),
    ("ls", "ls"),
    ("multibase/decode", "multibase_decode"),
    ("multibase/encode", "multibase_encode"),
    ("multibase/list", "multibase_list"),
    ("multibase/transcode", "multibase_transcode"),
    ("name/publish", "name_publish"),
    ("name/pubsub/cancel", "name_pubsub_cancel"),
    ("name/pubsub/state", "name_pubsub_state"),
    ("name/pubsub/subs", "name_pubsub_subs"),
    ("name/resolve", "name_resolve"),
    ("object/data", "object_data"),
    ("object/diff", "object_diff"),
    ("object/get", "object_get"),
    ("object/links", "object_links"),
    ("object/new", "object_new"),
    ("object/patch/add-link", "object_patch_add_link"),
    ("object/patch/append-data", "object_patch_append_data"),
    ("object/patch/rm-link", "object_patch_rm_link"),
    ("object/patch/set-data", "object_patch_set_data"),
    ("object/put", "object_put"),
    ("object/stat", "object_stat"),
    ("pin/add", "pin"),
    ("pin/ls", "pin_ls"),
    ("pin/remote/add", "pin_remote_add"),
    ("pin/remote/ls", "pin_remote_ls"),
    ("pin/remote/rm", "pin_remote_rm"),
    ("pin/rm", "unpin"),
    ("pin/update", "pin_update"),
    ("pin/verify", "pin_verify"),
    ("ping", "ping"),
    ("provide/clear", "provide_clear"),
    ("provide/stat", "provide_stat"),
    ("pubsub/ls", "pubsub_ls"),
    ("pubsub/peers", "pubsub_peers"),
    ("pubsub/pub", "pubsub_pub"),
    ("pubsub/sub", "pubsub_sub"),
    ("refs", "refs"),
    ("refs/local", "refs_local"),
    ("repo/fsck", "repo_fsck"),
    ("repo/gc", "repo_gc"),
    ("repo/ls", "repo_ls"),
    ("repo/migrate", "repo_migrate"),
    ("repo/stat", "repo_stat"),
    ("repo/verify", "repo_verify"),
    ("repo/version", "repo_version"),
    ("resolve", "resolve"),
    ("routing/findpeer", "routing_findpeer"),
    ("routing/findprovs", "routing_findprovs"),
    ("routing/get", "routing_get"),
    ("routing/provide", "routing_provide"),
    ("routing/put", "routing_put"),
    ("routing/reprovide", "routing_reprovide"),
    ("shutdown", "shutdown"),
    ("stats/bitswap", "stats_bitswap"),
    ("stats/bw", "stats_bw"),
    ("stats/dht", "stats_dht"),
    ("stats/provide", "stats_provide"),
    ("stats/repo", "stats_repo"),
    ("stats/reprovide", "stats_reprovide"),
    ("swarm/addrs", "swarm_addrs"),
    ("swarm/addrs/listen", "swarm_addrs_listen"),
    ("swarm/addrs/local", "swarm_addrs_local"),
    ("swarm/connect", "swarm_connect"),
    ("swarm/disconnect", "swarm_disconnect"),
    ("swarm/filters", "swarm_filters"),
    ("swarm/peering/add", "swarm_peering_add"),
    ("swarm/peering/ls", "swarm_peering_ls"),
    ("swarm/peering/rm", "swarm_peering_rm"),
    ("swarm/peers", "swarm_peers"),
    ("swarm/resources", "swarm_resources"),
    ("update", "update"),
    ("urlstore/add", "urlstore_add"),
    ("version", "version"),
    ("version/check", "version_check"),
    ("version/deps", "version_deps"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_so_that_it_can_be_searched() {
        assert!(OPERATIONS.is_sorted_by(|(one, _), (other, _)| one < other));
        for (path, name) in OPERATIONS {
            assert_eq!(named(path), Some(*name));
            assert!(
                name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'),
                "{name}"
            );
        }
    }
}
