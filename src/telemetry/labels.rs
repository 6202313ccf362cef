//! The closed sets of label values. Each value is a promise: dashboards and alerts name them.

use crate::sql::StatementKind;

macro_rules! labels {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $label:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// All of them, in the order of their discriminants.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The label's value.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }
        }
    };
}

labels! {
    /// Who answered a statement.
    TargetLabel {
        /// The primary.
        Primary = "primary",
        /// A replica.
        Replica = "replica",
        /// pointsman itself.
        Proxy = "proxy",
    }
}

labels! {
    /// A protocol command that is no statement. PREPARE and EXECUTE count as the statement they are about.
    Command {
        /// COM_PING.
        Ping = "com_ping",
        /// COM_INIT_DB.
        InitDb = "com_init_db",
        /// COM_FIELD_LIST.
        FieldList = "com_field_list",
        /// COM_STMT_PREPARE.
        StmtPrepare = "com_stmt_prepare",
        /// COM_STMT_CLOSE.
        StmtClose = "com_stmt_close",
        /// COM_STMT_RESET.
        StmtReset = "com_stmt_reset",
        /// COM_STMT_FETCH.
        StmtFetch = "com_stmt_fetch",
        /// COM_STMT_SEND_LONG_DATA.
        StmtLongData = "com_stmt_send_long_data",
        /// COM_SET_OPTION.
        SetOption = "com_set_option",
        /// COM_RESET_CONNECTION.
        ResetConnection = "com_reset_connection",
        /// COM_CHANGE_USER.
        ChangeUser = "com_change_user",
        /// COM_STATISTICS.
        Statistics = "com_statistics",
        /// COM_PROCESS_KILL.
        ProcessKill = "com_process_kill",
        /// COM_BINLOG_DUMP and COM_BINLOG_DUMP_GTID.
        BinlogDump = "com_binlog_dump",
        /// COM_REGISTER_SLAVE.
        RegisterSlave = "com_register_slave",
        /// COM_REFRESH.
        Refresh = "com_refresh",
        /// COM_PROCESS_INFO.
        ProcessInfo = "com_process_info",
        /// COM_DEBUG.
        Debug = "com_debug",
        /// COM_SHUTDOWN.
        Shutdown = "com_shutdown",
        /// COM_QUIT.
        Quit = "com_quit",
        /// Any other.
        Other = "com_other",
    }
}

labels! {
    /// A version of TLS.
    TlsVersion {
        /// 1.2.
        V12 = "1.2",
        /// 1.3.
        V13 = "1.3",
    }
}

labels! {
    /// What came of looking at the files of TLS, when it was worth a word.
    TlsReload {
        /// They had changed, and serve now.
        Changed = "changed",
        /// They are not good, and those before serve on.
        Failed = "failed",
    }
}

labels! {
    /// Whose error a client got.
    Origin {
        /// A server's, forwarded.
        Server = "server",
        /// pointsman's own.
        Proxy = "proxy",
    }
}

labels! {
    /// Why a connection was refused before its login.
    ClientRefusal {
        /// `proxy.max_connections` is reached.
        MaxConnections = "max_connections",
        /// `users.max_connections` is reached.
        UserConnections = "user_connections",
        /// The proxy is shutting down.
        Draining = "draining",
    }
}

labels! {
    /// Why a login failed.
    LoginFailure {
        /// There is no such user.
        UnknownUser = "unknown_user",
        /// The password is wrong.
        WrongPassword = "wrong_password",
        /// The client speaks an authentication or a protocol version that is not supported.
        Unsupported = "unsupported",
        /// It was not complete within `proxy.login_timeout`.
        Timeout = "timeout",
        /// The client left before its end.
        Gone = "gone",
        /// The client broke the protocol.
        Protocol = "protocol",
        /// The schema in the login could not be used.
        Schema = "schema",
        /// The TLS handshake failed.
        Tls = "tls",
        /// The client came without TLS, which is required.
        Insecure = "insecure",
        /// The server refuses the account: locked, expired, over its limits, changed.
        Refused = "refused",
        /// The account must come by TLS and did not.
        TlsRequired = "tls_required",
    }
}

labels! {
    /// Which peer: of those that broke the protocol, and of TLS.
    ProtocolSide {
        /// A client.
        Client = "client",
        /// A server.
        Server = "server",
    }
}

labels! {
    /// How an attempt to connect to a server ended.
    ConnectResult {
        /// Connected and logged in.
        Ok = "ok",
        /// No TCP connection, or it broke.
        Network = "network",
        /// Not complete within `pools.connect_timeout`.
        Timeout = "timeout",
        /// There was no TLS as `servers.tls` demands it.
        Tls = "tls",
        /// The server refused the account.
        Denied = "denied",
        /// The server has too many connections (1040, 1203, 1226).
        Full = "full",
        /// Any other error of the server, or a broken protocol.
        Error = "error",
    }
}

labels! {
    /// Why a statement ran a second time.
    RetryCause {
        /// The server could not be connected to; nothing was sent.
        Connect = "connect",
        /// A connection from the pool turned out to be closed before the server took the command.
        StaleConnection = "stale_connection",
        /// The connection broke during a read whose client had no byte of the result yet.
        ReadLost = "read_lost",
        /// A replica refused a read because it writes (1290, 1792, 1836).
        ReplicaRefused = "replica_refused",
        /// A prepared statement had to be prepared anew (1243, 1615).
        Reprepare = "reprepare",
        /// The server is no longer the primary, or is shutting down.
        Failover = "failover",
    }
}

/// What a statement is, as a label: a statement's kind or, for what is none, the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A statement, also when it is prepared or executed by the binary protocol.
    Statement(StatementKind),
    /// A command without a statement.
    Command(Command),
}

/// The number of values of [`kind_label`].
const STATEMENT_KINDS: usize = 22;

impl Kind {
    /// The number of kinds.
    pub const COUNT: usize = STATEMENT_KINDS + Command::ALL.len();

    /// `0 <= index < COUNT`.
    pub(super) const fn index(self) -> usize {
        match self {
            Self::Statement(kind) => statement(kind).0,
            Self::Command(command) => STATEMENT_KINDS + command as usize,
        }
    }

    /// The label's value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Statement(kind) => kind_label(kind),
            Self::Command(command) => command.as_str(),
        }
    }
}

/// The label of a statement's kind.
#[must_use]
pub const fn kind_label(kind: StatementKind) -> &'static str {
    statement(kind).1
}

/// A dense index and the label. `BEGIN` is one label, read-only or not: the reason tells them apart.
const fn statement(kind: StatementKind) -> (usize, &'static str) {
    match kind {
        StatementKind::Empty => (0, "empty"),
        StatementKind::Select => (1, "select"),
        StatementKind::Show => (2, "show"),
        StatementKind::Write => (3, "write"),
        StatementKind::Ddl => (4, "ddl"),
        StatementKind::Call => (5, "call"),
        StatementKind::Do => (6, "do"),
        StatementKind::Begin { .. } => (7, "begin"),
        StatementKind::Commit => (8, "commit"),
        StatementKind::Rollback => (9, "rollback"),
        StatementKind::Savepoint => (10, "savepoint"),
        StatementKind::Set => (11, "set"),
        StatementKind::SetTransaction => (12, "set_transaction"),
        StatementKind::Use => (13, "use"),
        StatementKind::Kill => (14, "kill"),
        StatementKind::LockTables => (15, "lock_tables"),
        StatementKind::UnlockTables => (16, "unlock_tables"),
        StatementKind::Handler => (17, "handler"),
        StatementKind::Prepare => (18, "prepare"),
        StatementKind::Xa => (19, "xa"),
        StatementKind::Multi => (20, "multi"),
        StatementKind::Opaque => (21, "opaque"),
    }
}
