//! What is refused, word for word.

use super::parse;

/// A name, the text of a file, and what is said about it.
type Row = (&'static str, &'static str, &'static str);

#[test]
fn messages() {
    let mut wrong = Vec::new();
    for (name, text, expected) in ROWS {
        let said = parse(text).err().unwrap_or_else(|| "accepted".to_owned());
        if said != expected.trim_start() {
            wrong.push(format!("--- {name}\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "these differ, and say:\n{}", wrong.join("\n"));
}

#[test]
fn no_message_tells_a_secret() {
    for (name, text, _) in ROWS {
        let said = parse(text).err().unwrap_or_default();
        assert!(!said.contains("geheim"), "{name}: {said}");
    }
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("unknown key at the top", r##"lisen = "127.0.0.1:1""##, r##"
agent.toml:1:1: lisen: unknown key; did you mean "listen"? Allowed: listen, web_config_file, log, capture, labels, service, client, peer, operation, attribution, redis, postgres"##),
    ("unknown key in a section", r##"[capture]
ring-bytes = 1
timeout = 3"##, r##"
agent.toml:2:1: capture.ring-bytes: unknown key; did you mean "ring_bytes"? Allowed: ring_bytes, max_connections, probe_log, backend, discover, outbound, tls
agent.toml:3:1: capture.timeout: unknown key; allowed: ring_bytes, max_connections, probe_log, backend, discover, outbound, tls"##),
    ("unknown table", r##"[captures]
ring_bytes = 1"##, r##"
agent.toml:1:2: captures: unknown key; did you mean "capture"? Allowed: listen, web_config_file, log, capture, labels, service, client, peer, operation, attribution, redis, postgres"##),
    ("unknown quoted key is not shown", r##""redis://user:geheim@host" = 1"##, r##"
agent.toml:1:1: (not shown): unknown key; allowed: listen, web_config_file, log, capture, labels, service, client, peer, operation, attribution, redis, postgres"##),
    ("unknown key in an inline table", r##"labels = { max_serie = 7 }"##, r##"
agent.toml:1:12: labels.max_serie: unknown key; did you mean "max_series"? Allowed: max_series, per_family, idle_seconds, container"##),
    ("not toml", r##"listen = 127.0.0.1"##, r##"
agent.toml:1:15: not TOML: invalid float, expected nothing; allowed: each key once, as key = value, with text in quotes"##),
    ("a key twice", r##"log = "info"
log = "warn""##, r##"
agent.toml:2:1: not TOML: duplicate key; allowed: each key once, as key = value, with text in quotes"##),
    ("wrong types", r##"listen = 10187
log = true
labels = 3
service = "api"
[capture]
ring_bytes = "4 MiB"
probe_log = "no"
[attribution]
order = "redis""##, r##"
agent.toml:1:10: listen: an integer stands here; allowed: a string in quotes
agent.toml:2:7: log: a boolean stands here; allowed: a string in quotes
agent.toml:3:10: labels: an integer stands where a table is expected; allowed: [labels]
agent.toml:4:11: service: a string stands where an array of tables is expected; allowed: [[service]]
agent.toml:6:14: capture.ring_bytes: a string stands here; allowed: a whole number from 262144 to 67108864 bytes
agent.toml:7:13: capture.probe_log: a string stands here; allowed: true or false
agent.toml:9:9: attribution.order: a string stands here; allowed: an array in brackets"##),
    ("one table where many are expected", r##"[service]
name = "api""##, r##"
agent.toml:1:1: service: a table stands where an array of tables is expected; allowed: [[service]]"##),
    ("listen is no address", r##"listen = "localhost:10187""##, r##"
agent.toml:1:10: listen: "localhost:10187" is no address to listen on; allowed: IP:PORT, such as "127.0.0.1:10187" or "[::1]:10187""##),
    ("listen without a port", r##"listen = "127.0.0.1""##, r##"
agent.toml:1:10: listen: "127.0.0.1" is no address to listen on; allowed: IP:PORT, such as "127.0.0.1:10187" or "[::1]:10187""##),
    ("listen on port zero", r##"listen = "127.0.0.1:0""##, r##"
agent.toml:1:10: listen: port 0 would be another one at each start; allowed: IP:PORT, such as "127.0.0.1:10187" or "[::1]:10187""##),
    ("listen on a multicast address", r##"listen = "224.0.0.1:10187""##, r##"
agent.toml:1:10: listen: 224.0.0.1 cannot be listened on; allowed: IP:PORT, such as "127.0.0.1:10187" or "[::1]:10187""##),
    ("a secret under the wrong key is not shown", r##"listen = "redis://user:geheim@host"
log = "host=db password=geheim""##, r##"
agent.toml:1:10: listen: the value (not shown, it may hold a secret) is no address to listen on; allowed: IP:PORT, such as "127.0.0.1:10187" or "[::1]:10187"
agent.toml:2:7: log: the value (not shown, it may hold a secret) is no level; allowed: off, error, warn, info, debug, trace, and "hippius_agent::MODULE=LEVEL" after a comma"##),
    ("log level", r##"log = "inof""##, r##"
agent.toml:1:7: log: "inof" is no level; did you mean "info"? Allowed: off, error, warn, info, debug, trace, and "hippius_agent::MODULE=LEVEL" after a comma"##),
    ("log of a library", r##"log = "info,redis=trace""##, r##"
agent.toml:1:7: log: "redis" is no module of the agent; allowed: off, error, warn, info, debug, trace, and "hippius_agent::MODULE=LEVEL" after a comma"##),
    ("web config file is missing", r##"web_config_file = "/nonexistent/web.yml""##, r##"
agent.toml:1:19: web_config_file: cannot read "/nonexistent/web.yml": No such file or directory (os error 2); allowed: the path of a file that the agent may read"##),
    ("a folder is no file", r##"web_config_file = "/""##, r##"
agent.toml:1:19: web_config_file: "/" is a folder; allowed: the path of a file that the agent may read"##),
    ("ring is no power of two", r##"capture.ring_bytes = 5000000"##, r##"
agent.toml:1:22: capture.ring_bytes: 5000000 is no power of two; did you mean 4194304 or 8388608? Allowed: powers of two from 262144 to 67108864 bytes"##),
    ("ring is out of range", r##"[capture]
ring_bytes = 4096"##, r##"
agent.toml:2:14: capture.ring_bytes: 4096 is out of range; allowed: a whole number from 262144 to 67108864 bytes"##),
    ("a negative number", r##"[capture]
max_connections = -1"##, r##"
agent.toml:2:19: capture.max_connections: -1 is out of range; allowed: a whole number from 64 to 4194304"##),
    ("unknown backend", r##"[capture]
backend = "fentrys""##, r##"
agent.toml:2:11: capture.backend: "fentrys" is unknown; did you mean "fentry"? Allowed: "auto", "tracepoint", "fentry""##),
    ("nothing to watch", r##"[capture]
discover = false"##, r##"
agent.toml:2:12: capture.discover: nothing would be watched: no [[service]] is named and none may be discovered; allowed: true, or at least one [[service]]"##),
    ("more series in a family than in all", r##"[labels]
max_series = 1000
per_family = 2000
idle_seconds = 1"##, r##"
agent.toml:3:14: labels.per_family: 2000 is more than labels.max_series = 1000
agent.toml:4:16: labels.idle_seconds: 1 is out of range; allowed: a whole number from 60 to 31536000 seconds"##),
    ("a service without anything", r##"[[service]]"##, r##"
agent.toml:1:1: service: "name" is missing
agent.toml:1:1: service: nothing says which sockets are meant; allowed: "ports", "sockets", "process", "container", "pod", "namespace", or several of them"##),
    ("names of services", r##"[[service]]
name = ""
ports = [1]
[[service]]
name = "__other__"
ports = [2]
[[service]]
name = "api\nv2"
ports = [3]"##, r##"
agent.toml:2:8: service.name: "" is no name of a service; allowed: 1 to 64 letters, digits, '.', '_' and '-', not beginning with __
agent.toml:5:8: service.name: "__other__" is no name of a service; allowed: 1 to 64 letters, digits, '.', '_' and '-', not beginning with __
agent.toml:8:8: service.name: "api\nv2" is no name of a service; allowed: 1 to 64 letters, digits, '.', '_' and '-', not beginning with __"##),
    ("a name twice", r##"[[service]]
name = "api"
ports = [8000]
[[service]]
name = "api"
ports = [8001]"##, r##"
agent.toml:5:8: service.name: the name "api" is taken by the service in line 2"##),
    ("Unix sockets", r##"[[service]]
name = "api"
sockets = ["run/api.sock", "/run/api.sock", "/run/api.sock"]
[[service]]
name = "web"
sockets = ["/run/api.sock"]"##, r##"
agent.toml:3:12: service.sockets: "run/api.sock" is no name of a Unix socket; allowed: full paths such as "/run/gunicorn.sock", or abstract names such as "@gunicorn"; * and ? stand for anything
agent.toml:3:45: service.sockets: "/run/api.sock" is named twice
agent.toml:6:12: service.sockets: "/run/api.sock" belongs to the service "api" already; allowed: sockets of its own, or a different "process" or "container" for each of the two"##),
    ("ports of two services overlap", r##"[[service]]
name = "api"
ports = [8000, "8100-8110"]
[[service]]
name = "gateway"
ports = ["8105-8120"]
process = "nginx""##, r##"
agent.toml:6:10: service.ports: 8105-8110 belongs to the service "api" already; allowed: ports of its own, or a different "process" or "container" for each of the two"##),
    ("a port twice", r##"[[service]]
name = "api"
ports = [8000, "8000-8002"]"##, r##"
agent.toml:3:16: service.ports: 8000 is named twice"##),
    ("ports that are none", r##"[[service]]
name = "api"
ports = [0, 65536, -1, "0-3", "http", "8110-8100", true]"##, r##"
agent.toml:3:10: service.ports: 0 is no TCP port; allowed: ports from 1 to 65535 and ranges such as "8100-8110"
agent.toml:3:13: service.ports: 65536 is no TCP port; allowed: ports from 1 to 65535 and ranges such as "8100-8110"
agent.toml:3:20: service.ports: -1 is no TCP port; allowed: ports from 1 to 65535 and ranges such as "8100-8110"
agent.toml:3:24: service.ports: "0-3" is no range of ports; allowed: ports from 1 to 65535 and ranges such as "8100-8110"
agent.toml:3:31: service.ports: "http" is no range of ports; allowed: ports from 1 to 65535 and ranges such as "8100-8110"
agent.toml:3:39: service.ports: the range "8110-8100" runs backwards; did you mean "8100-8110"?
agent.toml:3:52: service.ports: a value of type boolean stands here; allowed: ports from 1 to 65535 and ranges such as "8100-8110""##),
    ("no port at all", r##"[[service]]
name = "api"
ports = []"##, r##"
agent.toml:3:9: service.ports: no port is named; allowed: ports from 1 to 65535 and ranges such as "8100-8110""##),
    ("ports is no array", r##"[[service]]
name = "api"
ports = 8000"##, r##"
agent.toml:3:9: service.ports: an integer stands here; allowed: an array in brackets"##),
    ("process with a folder", r##"[[service]]
name = "api"
process = "/usr/bin/nginx""##, r##"
agent.toml:3:11: service.process: "/usr/bin/nginx" is no name of a process; allowed: the process's comm or its executable's file name without a folder; * and ? stand for anything"##),
    ("unknown profile", r##"[[service]]
name = "api"
ports = [8000]
profile = "hippius-2024""##, r##"
agent.toml:4:11: service.profile: "hippius-2024" is unknown; did you mean "hippius-2025"? Allowed: "http", "s3", "hippius-2025", "hippius-2026", "hippius-2026-gateway""##),
    ("a gateway that trusts clients", r##"[[service]]
name = "gateway"
ports = [8080]
profile = "hippius-2026-gateway"
behind_gateway = true"##, r##"
agent.toml:5:18: service.behind_gateway: a gateway speaks with clients, who can write any header; allowed: false"##),
    ("virtual hosts", r##"[[service]]
name = "web"
ports = [80]
virtual_hosts = ["s3.example.com"]
[[service]]
name = "s3"
ports = [81]
profile = "s3"
virtual_hosts = ["https://s3.example.com", "*.example.com", 7]"##, r##"
agent.toml:4:17: service.virtual_hosts: profile "http" has no buckets; allowed: an S3 profile with virtual_hosts
agent.toml:9:18: service.virtual_hosts: the value (not shown, it may hold a secret) is no host name; allowed: a host name without scheme, port and wildcard, such as "s3.example.com"
agent.toml:9:44: service.virtual_hosts: "*.example.com" is no host name; allowed: a host name without scheme, port and wildcard, such as "s3.example.com"
agent.toml:9:61: service.virtual_hosts: an integer stands here; allowed: strings in quotes"##),
    ("an operation without name and path", r##"[[operation]]
method = "GET""##, r##"
agent.toml:1:1: operation: "name" is missing
agent.toml:1:1: operation: "path" is missing"##),
    ("paths of operations", r##"[[operation]]
name = "a"
path = "user"
[[operation]]
name = "b"
path = "/user/{rest*}/x"
[[operation]]
name = "c"
path = "/user/{a}/{a}"
[[operation]]
name = "d"
path = "/user/x{a}"
[[operation]]
name = "e"
path = "/user//x"
[[operation]]
name = "f"
path = "/user?x"
[[operation]]
name = "g"
path = "/user/{}""##, r##"
agent.toml:3:8: operation.path: "user" does not begin with /; allowed: a path such as "/user/{name}/files" or "/files/{rest*}"
agent.toml:6:8: operation.path: "/user/{rest*}/x": {rest*} must come last; allowed: a path such as "/user/{name}/files" or "/files/{rest*}"
agent.toml:9:8: operation.path: "/user/{a}/{a}": {a} comes twice; allowed: a path such as "/user/{name}/files" or "/files/{rest*}"
agent.toml:12:8: operation.path: "/user/x{a}": "x{a}" is neither a name nor a whole {variable}; allowed: a path such as "/user/{name}/files" or "/files/{rest*}"
agent.toml:15:8: operation.path: "/user//x": a segment is empty; allowed: a path such as "/user/{name}/files" or "/files/{rest*}"
agent.toml:18:8: operation.path: "/user?x" is more than a path (conditions on the query go under "query"); allowed: a path such as "/user/{name}/files" or "/files/{rest*}"
agent.toml:21:8: operation.path: "/user/{}": "{}" names no variable; allowed: a path such as "/user/{name}/files" or "/files/{rest*}""##),
    ("method query and name of an operation", r##"[[operation]]
name = "get-usage"
path = "/usage"
method = "get"
query = "?uploads"
[[operation]]
name = "usage"
path = "/usage"
method = "G T"
query = "a&&b""##, r##"
agent.toml:2:8: operation.name: "get-usage" is no name of an operation; allowed: 1 to 64 characters, "like_this" or "LikeThis", not beginning with __
agent.toml:4:10: operation.method: "get" is no request method; did you mean "GET"? Allowed: upper case letters and -, such as "GET"; leave it out for any method
agent.toml:5:9: operation.query: "?uploads" is no list of parameters; allowed: parameters joined by &, such as "uploads" or "list-type=2"
agent.toml:9:10: operation.method: "G T" is no request method; allowed: upper case letters and -, such as "GET"; leave it out for any method
agent.toml:10:9: operation.query: "a&&b" has a parameter without a name; allowed: parameters joined by &, such as "uploads" or "list-type=2""##),
    ("the same operation twice", r##"[[operation]]
name = "a"
path = "/x/{a}"
[[operation]]
name = "b"
path = "/x/{b}""##, r##"
agent.toml:4:1: operation: the same endpoint is named in line 1"##),
    ("operations of a service", r##"[[service]]
name = "api"
ports = [1]
[[service.operation]]
nam = "a"
path = "/""##, r##"
agent.toml:4:1: service.operation: "name" is missing
agent.toml:5:1: service.operation.nam: unknown key; did you mean "name"? Allowed: name, method, path, query, s3"##),
    ("order of sources", r##"[attribution]
order = ["redis", "redis", "postgre", 7]"##, r##"
agent.toml:2:19: attribution.order: "redis" comes twice
agent.toml:2:28: attribution.order: "postgre" is unknown; did you mean "postgres"? Allowed: "static", "redis", "postgres", "derive"
agent.toml:2:39: attribution.order: an integer stands here; allowed: strings in quotes"##),
    ("numbers of attribution", r##"[attribution]
wait_ms = 60000
cache_entries = 0
positive_ttl_s = 0
negative_ttl_s = 1.5"##, r##"
agent.toml:2:11: attribution.wait_ms: 60000 is out of range; allowed: a whole number from 0 to 10000 milliseconds
agent.toml:3:17: attribution.cache_entries: 0 is out of range; allowed: a whole number from 1 to 10000000
agent.toml:4:18: attribution.positive_ttl_s: 0 is out of range; allowed: a whole number from 1 to 86400 seconds
agent.toml:5:18: attribution.negative_ttl_s: a float stands here; allowed: a whole number from 0 to 86400 seconds"##),
    ("static file is missing", r##"[attribution.static]
file = "/nonexistent/accounts""##, r##"
agent.toml:2:8: attribution.static.file: cannot read "/nonexistent/accounts": No such file or directory (os error 2); allowed: the path of a file that the agent may read"##),
    ("an address in two ways", r##"[attribution.redis]
auth_url = "redis://user:geheim@host"
auth_url_env = "REDIS""##, r##"
agent.toml:2:12: attribution.redis.auth_url: the same address is given more than once; allowed: one of auth_url, auth_url_env, auth_url_file"##),
    ("addresses that are none", r##"[attribution.redis]
auth_url = "http://user:geheim@host"
accounts_url_env = "WRONG"
[attribution.postgres]
url = "mysql://user:geheim@host""##, r##"
agent.toml:2:12: attribution.redis.auth_url: not a Redis URL (not shown); allowed: redis://[user:password@]host[:port][/db], rediss://… or unix:///path
agent.toml:3:20: attribution.redis.accounts_url_env: not a Redis URL (not shown); allowed: redis://[user:password@]host[:port][/db], rediss://… or unix:///path
agent.toml:5:7: attribution.postgres.url: not a Postgres address (not shown); allowed: postgres://[user[:password]@]host[:port][/database] or host=… user=… dbname=…"##),
    ("an address from nowhere", r##"[attribution.redis]
auth_url_env = "NOT_SET"
accounts_url_env = "redis://user:geheim@host"
[attribution.postgres]
url_file = "/nonexistent/url""##, r##"
agent.toml:2:16: attribution.redis.auth_url_env: the environment variable NOT_SET is not set
agent.toml:3:20: attribution.redis.accounts_url_env: not the name of an environment variable; allowed: letters, digits and _
agent.toml:5:12: attribution.postgres.url_file: cannot read "/nonexistent/url": No such file or directory (os error 2); allowed: the path of a file that the agent may read"##),
    ("everything at once in the order of the file", r##"[[service]]
name = "api"
ports = ["9-1"]
profil = "s3"

[capture]
backend = 7

[labels]
max_series = 0"##, r##"
agent.toml:3:10: service.ports: the range "9-1" runs backwards; did you mean "1-9"?
agent.toml:4:1: service.profil: unknown key; did you mean "profile"? Allowed: name, ports, sockets, process, container, pod, namespace, profile, behind_gateway, client_facing, virtual_hosts, operation
agent.toml:7:11: capture.backend: an integer stands here; allowed: a string in quotes
agent.toml:10:14: labels.max_series: 0 is out of range; allowed: a whole number from 100 to 10000000 series"##),
    ("a long value is not shown", r##"log = "bGVnYWwgd2lubmVyIHRoYW5rIHllYXIgd2F2ZSBzYXVzYWdlIHdvcnRoIHVzZWZ1bCBsZWdhbCB3aW5uZXI""##, r##"
agent.toml:1:7: log: a value of 83 characters is no level; allowed: off, error, warn, info, debug, trace, and "hippius_agent::MODULE=LEVEL" after a comma"##),
];
