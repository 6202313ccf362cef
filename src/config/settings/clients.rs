//! Settings of the proxy itself: where it listens, and what it says.

use super::{DAY, HOUR, millis, millis_or_zero, setting, unset};
use crate::config::schema::{Kind, Section};

pub(super) const PROXY: Section = Section {
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

pub(super) const TLS: Section = Section {
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

pub(super) const ADMIN: Section = Section {
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

pub(super) const HTTP: Section = Section {
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

pub(super) const LOG: Section = Section {
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
