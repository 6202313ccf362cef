//! Settings of the servers, of who uses them, and of the connections to them.

use super::{DAY, HOUR, millis, required, setting, unset};
use crate::config::schema::{Kind, Section};

pub(super) const SERVERS: Section = Section {
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

pub(super) const USERS: Section = Section {
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

pub(super) const MONITOR: Section = Section {
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

pub(super) const POOLS: Section = Section {
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
