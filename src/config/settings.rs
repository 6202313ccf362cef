//! Every section and every setting, once.

use std::time::Duration;

use super::schema::{Kind, Otherwise, Section, Setting};

/// All sections, in the order of the documentation.
pub static SECTIONS: &[Section] =
    &[PROXY, TLS, ADMIN, HTTP, LOG, SERVERS, USERS, MONITOR, ROUTING, REPLICA_POOLS, RULES, POOLS];

/// The section called `name`.
#[must_use]
pub fn section(name: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|section| section.name == name)
}

const fn setting(key: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Setting {
    Setting { key, kind, otherwise: Otherwise::Default(default), doc }
}

const fn unset(
    key: &'static str,
    kind: Kind,
    effect: &'static str,
    example: &'static str,
    doc: &'static str,
) -> Setting {
    Setting { key, kind, otherwise: Otherwise::Unset { effect, example }, doc }
}

const fn required(key: &'static str, kind: Kind, example: &'static str, doc: &'static str) -> Setting {
    Setting { key, kind, otherwise: Otherwise::Required { example }, doc }
}

const fn millis(min: u64, max: u64) -> Kind {
    Kind::Duration { min: Duration::from_millis(min), max: Duration::from_millis(max), zero: None }
}

const fn millis_or_zero(min: u64, max: u64, zero: &'static str) -> Kind {
    Kind::Duration { min: Duration::from_millis(min), max: Duration::from_millis(max), zero: Some(zero) }
}

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

const PROXY: Section = Section {
    name: "proxy",
    list: false,
    doc: "The side that clients see.",
    sample: "",
    settings: &[
        setting(
            "listen",
            Kind::Listen { optional: false },
            "\"127.0.0.1:6033\"",
            "Where clients connect. The default is reachable from this machine only; write `0.0.0.0:6033` (or `[::]:6033`) \
             to serve others, and let a firewall decide which. Port 0 takes a free port.",
        ),
        unset(
            "socket",
            Kind::Socket,
            "none",
            "\"/run/pointsman/pointsman.sock\"",
            "A Unix socket where clients of this machine connect as well. Servers call such a client `localhost`, and count \
             its connection as secure. The folder must be there; the file is made at the start and removed at the end. One \
             that a dead process left is replaced; if somebody listens there, the start fails.",
        ),
        setting(
            "socket_mode",
            Kind::Mode,
            "\"0777\"",
            "The permissions of the socket's file: who may write to it may connect. The default is that of servers; \
             `\"0660\"` leaves it to the user and the group that pointsman runs as.",
        ),
        setting(
            "max_connections",
            Kind::Number { min: 1, max: 1_000_000 },
            "10000",
            "At most so many clients at once; one more gets error 1040. Each client takes one file descriptor, and each \
             server connection another: `ulimit -n` must be above this plus `pools.max_per_server` times the servers.",
        ),
        setting(
            "login_timeout",
            millis(100, HOUR),
            "\"10s\"",
            "A login must be complete within this, or the connection is closed. Lower it if port scanners hold connections.",
        ),
        setting(
            "proxy_protocol_from",
            Kind::Networks,
            "[]",
            "Load balancers that begin each connection with a header of the PROXY protocol (version 1 or 2; HAProxy: \
             `send-proxy-v2`, AWS: proxy protocol v2): addresses, networks, and `unix` for the Unix socket. The address in the \
             header is the client's from then on, in logs, errors, `SHOW PROCESSLIST` and the host parts of accounts. From those \
             listed here the header is required, also of health checks and of people, and a connection without one is closed after \
             `login_timeout`; from all others it is not believed. List nothing that clients can connect from directly: who is \
             listed can pose as any address.",
        ),
        setting(
            "idle_timeout",
            millis_or_zero(1000, 30 * DAY, "never"),
            "\"8h\"",
            "A client that is silent for so long is disconnected. Keep it above what the application's own pool keeps idle, \
             or the application sees \"server has gone away\". A session's own `wait_timeout`, as the primary has it or as it was \
             set, ends it before that, in the way in which its server ends idle clients.",
        ),
        setting(
            "kill_on_disconnect",
            Kind::Flag,
            "true",
            "A statement whose client goes away while it runs is killed on its server, and its transaction rolled back; COMMIT, \
             ROLLBACK and XA are left to finish. `false`: it runs to its end, as servers have it, which notice a client's \
             absence only when they write to it.",
        ),
        setting(
            "write_timeout",
            millis(100, DAY),
            "\"60s\"",
            "A client that takes no byte of its result for so long is disconnected, since it holds a server connection all \
             the while. Raise it for clients that stop in the middle of a large result to work on each row.",
        ),
        setting(
            "max_packet",
            Kind::Size { min: 1 << 10, max: 1 << 30 },
            "\"64MiB\"",
            "The longest command of a client; a longer one gets error 1153. It should not be less than the server's \
             `max_allowed_packet`.",
        ),
        unset(
            "server_version",
            Kind::OptionalText,
            "that of the primary, or a fixed one until it was seen",
            "\"8.0.36\"",
            "The version in the greeting. Some drivers choose their SQL by it; set it if all servers must look alike.",
        ),
        setting(
            "auth",
            Kind::Choice(&["configured", "discover"]),
            "\"configured\"",
            "Who may log in. `configured`: the users of `[[users]]`. `discover`: also every account that the primary has, by its own \
             name, host part and password; nothing has to be written here. The monitor's account needs to read the accounts: \
             `GRANT SELECT ON mysql.user` (MySQL), `GRANT SELECT ON mysql.global_priv` (MariaDB). A user of `[[users]]` goes before \
             the servers' accounts of its name.",
        ),
        setting(
            "auth_refresh",
            millis(100, HOUR),
            "\"5s\"",
            "With `auth = \"discover\"`, the accounts are read again after so long, and when a login fails. A changed password, a \
             locked or dropped account counts from then on.",
        ),
        unset(
            "default_auth",
            Kind::Choice(&["mysql_native_password", "caching_sha2_password"]),
            "that of the primary's greeting: `mysql_native_password` for MariaDB, mostly `caching_sha2_password` for MySQL",
            "\"mysql_native_password\"",
            "The authentication plugin that the greeting names. Clients that know only the old one need \
             `mysql_native_password` (PHP before 7.4, old Connector/J).",
        ),
        setting(
            "compression",
            Kind::Choice(&["any", "zlib", "zstd", "off"]),
            "\"any\"",
            "The compression that clients are offered, of what the primary offers; the client decides whether to use it \
             (`mariadb --compress`, `MYSQLI_CLIENT_COMPRESS`). It pays on slow networks; a core compresses some 50 MB/s.",
        ),
        setting(
            "drain_timeout",
            millis_or_zero(100, HOUR, "at once"),
            "\"30s\"",
            "At SIGTERM, running statements and open transactions get so long to finish. Keep it below the time after which \
             your service manager kills the process (Kubernetes: `terminationGracePeriodSeconds`, 30 s).",
        ),
    ],
};

const TLS: Section = Section {
    name: "tls",
    list: false,
    doc: "TLS towards clients, versions 1.2 and 1.3. TLS towards servers is set at each of them (`servers.tls`).",
    sample: "",
    settings: &[
        setting(
            "mode",
            Kind::Choice(&["off", "optional", "required"]),
            "\"optional\"",
            "`optional`: clients may use TLS. Without a `certificate` it is offered as soon as the primary offers it, so that \
             clients see what their server can do. `required`: a client without TLS gets error 3159 before its password is \
             asked for; clients of a Unix socket are exempt.",
        ),
        unset(
            "certificate",
            Kind::Path,
            "a self-signed certificate is made at every start, as servers do",
            "\"/etc/pointsman/server.pem\"",
            "The certificate in PEM, with the chain up to the authority that clients know. A self-signed one protects from \
             those who listen, not from those who pose as pointsman. Clients of MariaDB 11.4 and later verify it by the \
             password, where the greeting names `mysql_native_password` (`proxy.default_auth`), and else refuse it.",
        ),
        unset(
            "key",
            Kind::Path,
            "none; needed beside `certificate`",
            "\"/etc/pointsman/server.key\"",
            "The private key of `certificate` in PEM, not encrypted. Let nobody but pointsman's user read it.",
        ),
        unset(
            "client_ca",
            Kind::Path,
            "none; needed if clients are asked for certificates",
            "\"/etc/pointsman/clients-ca.pem\"",
            "The authorities whose certificates of clients are good, in PEM.",
        ),
        setting(
            "client_certificate",
            Kind::Choice(&["none", "optional", "required"]),
            "\"none\"",
            "Whether clients are asked for a certificate. `optional`: one that is shown must be good. `required`: there must be \
             one; `mode` must be `required`, too. The password is asked for in any case.",
        ),
        setting(
            "reload_interval",
            millis_or_zero(100, DAY, "at SIGHUP only"),
            "\"1m\"",
            "The files of this section and those of `servers.tls_*` are looked at so often, and at SIGHUP; changed ones serve \
             from then on, and no connection ends. Files that are not good change nothing, and the log says why.",
        ),
    ],
};

const ADMIN: Section = Section {
    name: "admin",
    list: false,
    doc: "The console, reserved: this version reads and checks the section and does not listen.",
    sample: "",
    settings: &[setting(
        "listen",
        Kind::Listen { optional: true },
        "\"127.0.0.1:6032\"",
        "Where a later version serves its console to any `mysql` client. This version does not listen there yet.",
    )],
};

const HTTP: Section = Section {
    name: "http",
    list: false,
    doc: "Metrics and health over HTTP.",
    sample: "",
    settings: &[setting(
        "listen",
        Kind::Listen { optional: true },
        "\"127.0.0.1:6070\"",
        "Where `/metrics`, `/healthz` and `/readyz` are served. In a container write `0.0.0.0:6070`, or the probes of the \
         orchestrator cannot reach it. There is no login: do not open it to the world.",
    )],
};

const LOG: Section = Section {
    name: "log",
    list: false,
    doc: "Logs, written to standard error.",
    sample: "",
    settings: &[
        setting(
            "filter",
            Kind::Filter,
            "\"info\"",
            "What is logged: a level, or levels by module such as `info,pointsman::monitor=debug`. `debug` writes a line per \
             statement.",
        ),
        setting(
            "format",
            Kind::Choice(&["text", "json"]),
            "\"text\"",
            "`text` is for people, `json` writes one object a line for a log collector.",
        ),
    ],
};

const SERVERS: Section = Section {
    name: "servers",
    list: true,
    doc: "One block for each server: exactly one primary and any number of replicas. With no replica everything runs on \
          the primary, pooled and queued.",
    sample: "#[[servers]]\n#name = \"db1\"\n#address = \"db1.internal:3306\"\n#role = \"primary\"\n",
    settings: &[
        unset("name", Kind::Name, "the address", "\"db2\"", "What logs and metrics call the server. Must be unique."),
        required(
            "address",
            Kind::Server,
            "\"db2.internal:3306\"",
            "Where the server is; the port defaults to 3306. A name is resolved at each connect, so a changed DNS entry is \
             followed. The path of a Unix socket (`/run/mysqld/mysqld.sock`, or `unix:` before it) reaches a server on this \
             machine without TCP; to the server every client is then `localhost`. Two servers may not have the same address.",
        ),
        required(
            "role",
            Kind::Choice(&["primary", "replica"]),
            "\"replica\"",
            "`primary` takes writes and reads that must be fresh, `replica` takes reads.",
        ),
        setting(
            "weight",
            Kind::Number { min: 0, max: 1000 },
            "1",
            "Its share of the reads among the replicas of a pool: one with 2 gets twice as many as one with 1, one with 0 \
             gets none. Not allowed on the primary.",
        ),
        setting(
            "compression",
            Kind::Choice(&["off", "zlib", "zstd"]),
            "\"off\"",
            "Compresses connections to this server, whatever clients do. For servers in another data centre; a server that \
             does not offer the method (MariaDB has no zstd) is used without.",
        ),
        unset(
            "compression_level",
            Kind::Number { min: 1, max: 22 },
            "6 for zlib, 3 for zstd",
            "1",
            "How hard to compress: 1 is fastest; at most 9 for zlib. The server compresses its answers by zstd at this level too.",
        ),
        setting(
            "proxy_protocol",
            Kind::Choice(&["off", "v1", "v2"]),
            "\"off\"",
            "Begins each connection to this server with a header of the PROXY protocol that names the client's address, so that the \
             server sees it: in the host parts of accounts, `SHOW PROCESSLIST`, its logs. The server must take the header from \
             pointsman's address: MariaDB with `proxy_protocol_networks`; MySQL's community server cannot. Accounts must then be for the \
             clients' addresses, and the monitor's for pointsman's own. Connections are shared by clients of one address only: with many \
             addresses lower `pools.idle_timeout`. Version 1 has no word for clients of the Unix socket, whom the server then sees at \
             pointsman's address; with version 2 they are `localhost`.",
        ),
        setting(
            "pools",
            Kind::Names,
            "[\"default\"]",
            "The replica pools it belongs to. A replica outside `default` gets only what rules and hints send to its pool. \
             Not allowed on the primary.",
        ),
        setting(
            "tls",
            Kind::Choice(&["off", "preferred", "required", "verify_ca", "verify_identity"]),
            "\"preferred\"",
            "TLS towards this server. `preferred`: if it offers it, whoever it is. `required`: always. `verify_ca`: and its \
             certificate must be of an authority in `tls_ca`. `verify_identity`: and for its name. A server that speaks only \
             versions before 1.2 needs `off`.",
        ),
        unset(
            "tls_ca",
            Kind::Path,
            "none; needed to verify",
            "\"/etc/pointsman/servers-ca.pem\"",
            "The authorities of the server's certificate, in PEM; or that certificate, if it is self-signed. For public ones name the system's file, such as \
             `/etc/ssl/certs/ca-certificates.crt`.",
        ),
        unset(
            "tls_certificate",
            Kind::Path,
            "none",
            "\"/etc/pointsman/client.pem\"",
            "The certificate that pointsman shows the server, for accounts that `REQUIRE X509`.",
        ),
        unset(
            "tls_key",
            Kind::Path,
            "none; needed beside `tls_certificate`",
            "\"/etc/pointsman/client.key\"",
            "The private key of `tls_certificate`.",
        ),
        unset(
            "tls_server_name",
            Kind::Text,
            "the host of `address`",
            "\"db2.example.com\"",
            "The name that the server's certificate must be for, with `verify_identity`. Only the certificate's alternative \
             names count, not its common name.",
        ),
    ],
};

const USERS: Section = Section {
    name: "users",
    list: true,
    doc: "The accounts that clients log in with. The proxy logs in to the servers with the same name and password, so each \
          must exist on all of them. Exactly one of `password`, `password_file` and `password_env` must be given.",
    sample: "",
    settings: &[
        required("name", Kind::Text, "\"app\"", "The account's name. Must be unique."),
        unset(
            "password",
            Kind::Secret,
            "none; one of the three is required",
            "\"secret\"",
            "The password itself. Write `\"\"` for an account without a password. Whoever reads the file reads it: prefer the \
             other two.",
        ),
        unset(
            "password_file",
            Kind::Path,
            "none; one of the three is required",
            "\"/run/secrets/app\"",
            "A file that holds the password, such as a Docker or Kubernetes secret. One newline at its end is dropped.",
        ),
        unset(
            "password_env",
            Kind::Variable,
            "none; one of the three is required",
            "\"APP_PASSWORD\"",
            "The environment variable that holds the password.",
        ),
        unset(
            "max_connections",
            Kind::Number { min: 1, max: 1_000_000 },
            "only `proxy.max_connections` counts",
            "500",
            "At most so many clients of this user at once; one more gets error 1203. Set it for batch users, so that they \
             cannot take every connection.",
        ),
        unset(
            "consistency",
            Kind::Consistency,
            "`routing.consistency`",
            "\"eventual\"",
            "How fresh the reads of this user must be; see `routing.consistency`.",
        ),
        setting(
            "require_tls",
            Kind::Flag,
            "false",
            "Clients of this user must come by TLS or a Unix socket; others get error 1045, as from a server whose account \
             says `REQUIRE SSL`.",
        ),
    ],
};

const MONITOR: Section = Section {
    name: "monitor",
    list: false,
    doc: "How the servers are watched. The account needs `REPLICATION CLIENT` (MariaDB: `REPLICA MONITOR`) to see \
          replication lag.",
    sample: "",
    settings: &[
        unset(
            "user",
            Kind::Text,
            "the first of `[[users]]`",
            "\"monitor\"",
            "The account that watches the servers. Give it one of its own, or the application's account needs the grant.",
        ),
        unset(
            "password",
            Kind::Secret,
            "none; one of the three is required if `user` is set",
            "\"secret\"",
            "The password itself; may be `\"\"`.",
        ),
        unset(
            "password_file",
            Kind::Path,
            "none; one of the three is required if `user` is set",
            "\"/run/secrets/monitor\"",
            "A file that holds the password. One newline at its end is dropped.",
        ),
        unset(
            "password_env",
            Kind::Variable,
            "none; one of the three is required if `user` is set",
            "\"MONITOR_PASSWORD\"",
            "The environment variable that holds the password.",
        ),
        setting(
            "interval",
            millis(10, 60_000),
            "\"500ms\"",
            "Time between two observations of a server. A failover or a lagging replica is noticed after one interval at the \
             earliest; each observation is one short query.",
        ),
        setting("timeout", millis(10, 60_000), "\"2s\"", "An observation that takes longer has failed."),
        setting(
            "failures",
            Kind::Number { min: 1, max: 100 },
            "2",
            "After so many failures in a row a server is down. 1 reacts fastest, and also to a single lost packet.",
        ),
    ],
};

const ROUTING: Section = Section {
    name: "routing",
    list: false,
    doc: "Where reads go. Writes always go to the primary.",
    sample: "",
    settings: &[
        setting(
            "consistency",
            Kind::Consistency,
            "\"session\"",
            "How fresh a read must be. `eventual`: any replica within the lag limit. `sticky=2s`: after a write this session \
             reads the primary for that long. `session`: a session reads its own writes. `global`: every session reads \
             everyone's writes through this proxy. Until GTIDs are followed, the last two are the window \
             `routing.sticky_window` after the session's, or anyone's, last write.",
        ),
        setting(
            "sticky_window",
            millis(1, DAY),
            "\"2s\"",
            "The window that stands in for `session` and `global` where GTIDs are not followed. It should be above the usual \
             lag of the replicas; the longer it is, the more reads the primary gets.",
        ),
        setting(
            "max_lag",
            millis(1, DAY),
            "\"1s\"",
            "The lag limit of the `default` replica pool: a replica further behind gets no new reads until it has caught up.",
        ),
        setting(
            "fallback",
            Kind::Choice(&["primary", "refuse"]),
            "\"primary\"",
            "What happens to a read when no replica of the `default` pool qualifies. `primary`: it runs there. `refuse`: it \
             gets an error, for those who would rather fail reads than load the primary with all of them.",
        ),
        setting(
            "read_functions",
            Kind::Functions,
            "[]",
            "Stored functions that only read, as `name` or `schema.name`. A SELECT that calls any other stored function runs \
             on the primary. Naming one that writes sends that write to a replica, which refuses it if it is read-only: \
             set `read_only` on replicas.",
        ),
        setting(
            "shape_cache",
            Kind::Number { min: 100, max: 1_000_000 },
            "10000",
            "How many statement shapes are remembered, about 1 KiB each. Below the number of shapes the application uses, \
             statements are classified again and again.",
        ),
    ],
};

const REPLICA_POOLS: Section = Section {
    name: "replica_pools",
    list: true,
    doc: "Replicas kept for a purpose, such as analytics. The pool `default` always exists and is set by \
          `routing.max_lag` and `routing.fallback`.",
    sample: "",
    settings: &[
        required(
            "name",
            Kind::Name,
            "\"analytics\"",
            "What `servers.pools`, rules (`pool=analytics`) and hints (`/* pointsman: pool=analytics */`) call it.",
        ),
        unset(
            "max_lag",
            millis(1, DAY),
            "`routing.max_lag`",
            "\"1m\"",
            "The lag limit of this pool. Long reports may be content with minutes.",
        ),
        unset(
            "fallback",
            Kind::Choice(&["primary", "refuse"]),
            "`routing.fallback`",
            "\"refuse\"",
            "What happens to a read when no replica of this pool qualifies. `refuse` keeps reports off the primary.",
        ),
    ],
};

const RULES: Section = Section {
    name: "rules",
    list: true,
    doc: "Exceptions, in order. All given conditions (`user`, `schema`, `table`, `fingerprint`, `regex`) must hold; the first \
          rule that holds decides. A rule needs at least one condition and at least one of `target`, `max_lag` and \
          `consistency`. A rule never sends a write to a replica.",
    sample: "",
    settings: &[
        unset("name", Kind::Text, "`rule N`, counted from 1", "\"reports\"", "For logs and `pointsman explain`."),
        unset("user", Kind::Text, "any", "\"app\"", "Condition: the user's name."),
        unset("schema", Kind::Text, "any", "\"shop\"", "Condition: the current schema of the session."),
        unset(
            "table",
            Kind::Text,
            "any",
            "\"shop.orders\"",
            "Condition: a table that the statement names, as `table` or `schema.table`.",
        ),
        unset(
            "fingerprint",
            Kind::Fingerprint,
            "any",
            "\"0123456789abcdef0123456789abcdef\"",
            "Condition: the statement's fingerprint, for one statement that needs an exception.",
        ),
        unset(
            "regex",
            Kind::Regex,
            "any",
            "'^select .* from reports\\b'",
            "Condition: a regular expression found in the normalised text. Use single quotes, so that TOML leaves \
             backslashes alone.",
        ),
        unset(
            "target",
            Kind::Target,
            "as without the rule",
            "\"pool=analytics\"",
            "Where it goes: `primary`, `replica` (the pool `default`, whatever the consistency says) or `pool=NAME`.",
        ),
        unset("max_lag", millis(1, DAY), "that of the pool", "\"5m\"", "Another lag limit for what the rule matches."),
        unset(
            "consistency",
            Kind::Consistency,
            "that of the user",
            "\"eventual\"",
            "Another consistency for what the rule matches.",
        ),
    ],
};

const POOLS: Section = Section {
    name: "pools",
    list: false,
    doc: "The pools of connections to the servers.",
    sample: "",
    settings: &[
        setting(
            "max_per_server",
            Kind::Number { min: 1, max: 100_000 },
            "200",
            "At most so many connections to one server, of all users together. Keep the sum over all proxies below the \
             server's `max_connections`, and leave some for operators.",
        ),
        setting(
            "size",
            Kind::Number { min: 1, max: 100_000 },
            "100",
            "At most so many connections to one server for one user; not above `max_per_server`. More than a few times the \
             server's cores makes it slower, not faster: waiting here is cheaper than there.",
        ),
        setting(
            "wait_timeout",
            millis(1, HOUR),
            "\"5s\"",
            "A statement waits so long for a connection, then gets error 1203. It should be below the client's own timeout.",
        ),
        setting(
            "max_waiting",
            Kind::Number { min: 0, max: 1_000_000 },
            "10000",
            "At most so many statements wait for one server; one more gets error 1203 at once.",
        ),
        setting(
            "connect_timeout",
            millis(10, 600_000),
            "\"3s\"",
            "Connecting and logging in to a server may take so long.",
        ),
        setting(
            "max_connecting",
            Kind::Number { min: 1, max: 10_000 },
            "10",
            "At most so many logins to one server at the same time, so that a storm of clients is none of logins; the others wait.",
        ),
        setting(
            "min_idle",
            Kind::Number { min: 0, max: 10_000 },
            "1",
            "So many connections are kept for each user and kind of session that is connected, however long they are idle, so that \
             the next statement finds one. `0`: none.",
        ),
        setting(
            "idle_timeout",
            millis(100, DAY),
            "\"60s\"",
            "A connection idle for so long is closed; before the server's `wait_timeout` in any case, of which pointsman asks.",
        ),
        setting(
            "max_lifetime",
            millis(1000, 30 * DAY),
            "\"1h\"",
            "A connection older than this, or than up to a tenth less, is closed when nobody uses it, so that memory the server keeps per \
             connection is freed and changed DNS entries are followed.",
        ),
        setting(
            "statements",
            Kind::Number { min: 1, max: 100_000 },
            "80",
            "At most so many prepared statements are kept on one connection; the least recently used is closed. Times the \
             connections of all proxies, it must stay below the server's `max_prepared_stmt_count` (16382 by default).",
        ),
        setting(
            "remembered",
            Kind::Size { min: 0, max: 1 << 30 },
            "\"16MiB\"",
            "What servers answered to PREPARE, and to SET of plain values, is remembered in so much memory, for all sessions: the \
             next client that prepares the same text in the same state gets it at once. `0` switches it off. Tables that are \
             changed through pointsman, and columns that turn out to have changed, make it forget.",
        ),
    ],
};
