//! Why a statement went where it went: one closed enum, counted in `/metrics`, printed by `pointsman explain`, logged.

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $label:literal, $explain:literal;)*) => {
        /// Why a statement went where it went. The labels are a promise: dashboards and alerts name them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum RouteReason {
            $(#[doc = $explain] $(#[$doc])* $name,)*
        }

        impl RouteReason {
            /// All of them, in the order of their discriminants.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The label in metrics, logs and `explain`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }

            /// One sentence for people.
            #[must_use]
            pub const fn explain(self) -> &'static str {
                match self { $(Self::$name => $explain,)* }
            }
        }
    };
}

reasons! {
    Read = "read", "A proven read: any healthy and fresh replica may answer it.";
    ReadOnlyTransaction = "read_only_transaction", "START TRANSACTION READ ONLY: the whole transaction runs on one replica.";
    NoReplica = "no_replica", "A read, but no replica is configured for it.";
    ReplicasDown = "replicas_down", "A read, but no replica is up.";
    ReplicasLagging = "replicas_lagging", "A read, but every replica that is up and whose lag is known lags more than the limit.";
    LagUnknown = "lag_unknown", "A read, but the lag of no replica that is up is known: the monitor's account may lack a privilege.";
    ReplicasIncapable = "replicas_incapable", "A read, but no replica that is up can do what was agreed on with this client when it logged in.";
    ReplicasStopped = "replicas_stopped", "A read, but replication is stopped on every replica that is up.";
    Sticky = "sticky", "A read soon after a write of this session: it must see that write.";
    StickyGlobal = "sticky_global", "A read soon after a write of anyone through this proxy (consistency = global).";
    HintPrimary = "hint_primary", "The hint in the statement's comment asks for the primary.";
    HintReplica = "hint_replica", "The hint in the statement's comment asks for a replica.";
    HintPool = "hint_pool", "The hint in the statement's comment names a replica pool.";
    RulePrimary = "rule_primary", "A rule of the configuration sends it to the primary.";
    RuleReplica = "rule_replica", "A rule of the configuration sends it to a replica.";
    RulePool = "rule_pool", "A rule of the configuration sends it to a replica pool.";
    Write = "write", "It writes.";
    Ddl = "ddl", "It changes definitions or administers the server.";
    Call = "call", "A stored procedure may do anything.";
    Transaction = "transaction", "It begins or ends a transaction.";
    SessionState = "session_state", "It changes the session's state, which the primary checks.";
    LockingRead = "locking_read", "FOR UPDATE, FOR SHARE or LOCK IN SHARE MODE: locks exist on the primary only.";
    SelectInto = "select_into", "SELECT ... INTO writes a file or a variable.";
    AssignsUserVariable = "assigns_user_variable", "It sets a user variable.";
    UnknownFunction = "unknown_function", "It calls a function that is not known to only read; see routing.read_functions.";
    SessionFunction = "session_function", "It calls a function with side effects or bound to one session.";
    Sequence = "sequence", "It uses a sequence.";
    SystemVariable = "system_variable", "It asks for a system variable, which is one server's own.";
    ServerTable = "server_table", "It reads a table that describes one server.";
    ServerState = "server_state", "It asks for one server's own state.";
    ExecutableComment = "executable_comment", "An executable comment makes it something else than a read on some server.";
    MultiStatement = "multi_statement", "Several statements in one, and not all are proven reads.";
    Unparsed = "unparsed", "It did not parse, so it is not proven a read.";
    Unreadable = "unreadable", "The session's character set or SQL mode keeps its text from being read safely.";
    Empty = "empty", "It holds no statement.";
    Command = "command", "A protocol command that is not a statement.";
    AutocommitOff = "autocommit_off", "With autocommit off every statement belongs to a transaction.";
    Serializable = "serializable", "At isolation level SERIALIZABLE every read locks.";
    Remembered = "remembered", "A PREPARE, or a SET of plain values, that a server answered before in the same state: pointsman gives the same answer.";
    PreviousStatement = "previous_statement", "It asks about the previous statement: it goes to the connection that ran it.";
    PinnedTransaction = "pinned_transaction", "The session is in a transaction.";
    PinnedNextTransaction = "pinned_next_transaction", "SET TRANSACTION waits for the next transaction.";
    PinnedXa = "pinned_xa", "The session is in an XA transaction.";
    PinnedTableLock = "pinned_table_lock", "The session holds LOCK TABLES or a global read lock.";
    PinnedUserLock = "pinned_user_lock", "The session holds a GET_LOCK lock.";
    PinnedTemporaryTable = "pinned_temporary_table", "The session has a temporary table.";
    PinnedHandler = "pinned_handler", "The session has an open HANDLER.";
    PinnedCursor = "pinned_cursor", "The session has an open cursor.";
    PinnedTextPrepared = "pinned_text_prepared", "The session has a text-protocol prepared statement.";
    PinnedUserVariable = "pinned_user_variable", "The session has a user variable that cannot be replayed elsewhere.";
    PinnedSessionVariable = "pinned_session_variable", "The session set a variable that must not be shared.";
    PinnedLongData = "pinned_long_data", "The session has sent long data for a prepared statement.";
    PinnedReplication = "pinned_replication", "The client is a replica that has registered, or reads the binary log.";
    PinnedExpiredPassword = "pinned_expired_password", "The session's password has expired, and only its connection can get a new one.";
    PinnedConnectAttributes = "pinned_connect_attributes", "The session asked for its connection's attributes, and has a connection of its own that carries them.";
    PinnedUnknownState = "pinned_unknown_state", "The server reported a change of session state that cannot be replayed.";
    Proxy = "proxy", "pointsman answered it.";
}

impl RouteReason {
    /// The number of reasons.
    pub const COUNT: usize = Self::ALL.len();
}
