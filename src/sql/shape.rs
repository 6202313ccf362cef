//! What is known of a statement: its [`Shape`], which holds for all statements of the same normalised text, and its
//! [`Detail`], which is read anew each time because its literals matter.

use std::ops::{BitOr, BitOrAssign};
use std::sync::Arc;
use std::time::Duration;

/// The parts of the session's `sql_mode` that change how text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SqlMode {
    /// `ANSI_QUOTES`: `"` quotes identifiers.
    pub ansi_quotes: bool,
    /// `NO_BACKSLASH_ESCAPES`: `\` is an ordinary character in strings.
    pub no_backslash_escapes: bool,
    /// MariaDB's `ORACLE`: another grammar, in which nothing is proven to be a read.
    pub oracle: bool,
}

/// How the client's character set affects reading text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Charset {
    /// ASCII bytes never occur inside a multi-byte character (utf8, latin1, ...).
    #[default]
    AsciiSafe,
    /// gbk, sjis, cp932, big5, gb18030: a backslash or quote can be the second byte of a character.
    Multibyte,
    /// utf16, ucs2, utf32 and unknown ones: the text cannot be read at all.
    Unreadable,
}

/// What a statement's normalised text is known by: in rules, `explain`, logs; the same in every process. 128 bits of
/// SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub u128);

/// What a shape is known by in the cache: a keyed 128-bit hash of the normalised text, the SQL mode and the charset class,
/// so that nobody can make two texts share a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ShapeKey(pub u128);

/// What a statement is, by its leading keywords. Closed: a new kind makes the compiler list the places to think about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatementKind {
    /// Nothing but blanks and comments.
    Empty,
    /// SELECT, TABLE, VALUES, WITH ... SELECT, also in parentheses. Whether it is proven a read: [`Shape::cause`].
    Select,
    /// SHOW, DESCRIBE, HELP, EXPLAIN and the like that change nothing.
    Show,
    /// INSERT, UPDATE, DELETE, REPLACE, LOAD, IMPORT, WITH ... UPDATE/DELETE.
    Write,
    /// CREATE, ALTER, DROP, TRUNCATE, RENAME, GRANT, ANALYZE TABLE, FLUSH, SET PASSWORD, and all other administration.
    Ddl,
    /// CALL.
    Call,
    /// DO.
    Do,
    /// BEGIN, START TRANSACTION. `read_only` as written.
    Begin {
        /// `START TRANSACTION READ ONLY`, also with other characteristics.
        read_only: bool,
    },
    /// COMMIT.
    Commit,
    /// ROLLBACK without TO.
    Rollback,
    /// SAVEPOINT, RELEASE SAVEPOINT, ROLLBACK TO.
    Savepoint,
    /// SET of variables, NAMES, CHARACTER SET (see [`Detail::Set`]).
    Set,
    /// SET TRANSACTION without SESSION or GLOBAL: holds for the next transaction only.
    SetTransaction,
    /// USE.
    Use,
    /// KILL.
    Kill,
    /// LOCK TABLES, FLUSH TABLES ... WITH READ LOCK / FOR EXPORT.
    LockTables,
    /// UNLOCK TABLES.
    UnlockTables,
    /// HANDLER ... OPEN, READ, CLOSE.
    Handler,
    /// Text-protocol PREPARE, EXECUTE, DEALLOCATE PREPARE, EXECUTE IMMEDIATE.
    Prepare,
    /// XA.
    Xa,
    /// Several statements in one text.
    Multi,
    /// Everything else, also what cannot be read.
    Opaque,
}

/// Why a statement is not proven a read. The first that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrimaryCause {
    /// Not a SELECT-like statement: writes, DDL, CALL, transaction control, ...
    NotARead,
    /// FOR UPDATE, FOR SHARE, LOCK IN SHARE MODE, anywhere in the statement.
    LockingRead,
    /// SELECT ... INTO.
    Into,
    /// `:=` or INTO @x: sets a user variable.
    AssignsUserVariable,
    /// A function that is not known to be free of side effects and bound to no session or server.
    UnknownFunction,
    /// A function with side effects or bound to a session (GET_LOCK, LAST_INSERT_ID, SLEEP is not one).
    SessionFunction,
    /// NEXT VALUE FOR, NEXTVAL, SETVAL, LASTVAL.
    Sequence,
    /// A system variable, which is one server's own.
    SystemVariable,
    /// A table that describes one server (`information_schema.processlist`, `performance_schema.*`, `mysql.*`, `sys.*`).
    ServerTable,
    /// SHOW of one server's own state.
    ServerState,
    /// An executable comment makes it something else on one of the servers.
    ExecutableComment,
    /// Several statements, one of which is not proven a read.
    Multi,
    /// It did not parse.
    Unparsed,
    /// The character set or SQL mode makes the text unreadable to us.
    Unreadable,
}

/// What a statement may do to the session's connection, as far as its text tells. A set of flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Effects(u64);

impl Effects {
    /// None.
    pub const NONE: Self = Self(0);
    /// Calls GET_LOCK.
    pub const GETS_LOCK: Self = Self(1);
    /// Calls RELEASE_LOCK.
    pub const RELEASES_LOCK: Self = Self(1 << 1);
    /// Calls RELEASE_ALL_LOCKS.
    pub const RELEASES_ALL_LOCKS: Self = Self(1 << 2);
    /// LOCK TABLES, FLUSH TABLES WITH READ LOCK.
    pub const LOCKS_TABLES: Self = Self(1 << 3);
    /// UNLOCK TABLES.
    pub const UNLOCKS_TABLES: Self = Self(1 << 4);
    /// CREATE TEMPORARY TABLE.
    pub const CREATES_TEMPORARY: Self = Self(1 << 5);
    /// DROP TEMPORARY TABLE, or a DROP TABLE that may drop one.
    pub const DROPS_TEMPORARY: Self = Self(1 << 6);
    /// HANDLER ... OPEN.
    pub const OPENS_HANDLER: Self = Self(1 << 7);
    /// HANDLER ... CLOSE.
    pub const CLOSES_HANDLER: Self = Self(1 << 8);
    /// Text-protocol PREPARE.
    pub const PREPARES: Self = Self(1 << 9);
    /// DEALLOCATE PREPARE.
    pub const DEALLOCATES: Self = Self(1 << 10);
    /// XA START / BEGIN.
    pub const XA_STARTS: Self = Self(1 << 11);
    /// XA COMMIT, XA ROLLBACK.
    pub const XA_ENDS: Self = Self(1 << 12);
    /// Sets a user variable in a way that cannot be replayed (`:=`, INTO @x, a CALL with @x).
    pub const ASSIGNS_USER_VARIABLE: Self = Self(1 << 13);
    /// Names a user variable.
    pub const READS_USER_VARIABLE: Self = Self(1 << 14);
    /// SQL_CALC_FOUND_ROWS.
    pub const CALC_FOUND_ROWS: Self = Self(1 << 15);
    /// Asks FOUND_ROWS().
    pub const ASKS_FOUND_ROWS: Self = Self(1 << 16);
    /// Asks ROW_COUNT().
    pub const ASKS_ROW_COUNT: Self = Self(1 << 17);
    /// Asks LAST_INSERT_ID(), @@last_insert_id, @@identity.
    pub const ASKS_LAST_INSERT_ID: Self = Self(1 << 18);
    /// SHOW WARNINGS / ERRORS, SHOW COUNT(*) WARNINGS, GET DIAGNOSTICS, @@warning_count, @@error_count: must not be
    /// preceded by anything on its connection.
    pub const ASKS_DIAGNOSTICS: Self = Self(1 << 19);
    /// LAST_INSERT_ID(expr).
    pub const SETS_LAST_INSERT_ID: Self = Self(1 << 20);
    /// Asks CONNECTION_ID() or @@pseudo_thread_id.
    pub const ASKS_CONNECTION_ID: Self = Self(1 << 21);
    /// Has a LIMIT by which FOUND_ROWS() may differ from the rows sent: not a plain one of a plain query.
    pub const HAS_LIMIT: Self = Self(1 << 22);
    /// LASTVAL / PREVIOUS VALUE FOR: bound to the connection that called NEXTVAL.
    pub const USES_SEQUENCE: Self = Self(1 << 23);
    /// CALL, EXECUTE, multi-statements: may do anything to the session that its text does not tell.
    pub const OPAQUE: Self = Self(1 << 24);
    /// IS_USED_LOCK, IS_FREE_LOCK and others that describe one server or one connection.
    pub const SERVER_BOUND: Self = Self(1 << 25);
    /// `SHOW [FULL] PROCESSLIST`, and nothing else.
    pub const LISTS_PROCESSES: Self = Self(1 << 26);
    /// With FULL: statements are shown whole.
    pub const LISTS_WHOLE: Self = Self(1 << 27);
    /// Names a table of connection attributes: `performance_schema.session_connect_attrs` or `session_account_connect_attrs`.
    pub const ASKS_ATTRIBUTES: Self = Self(1 << 28);
    /// Reads tables in which servers show connections by their own ids (`performance_schema`, `sys`, the process list).
    pub const NAMES_SERVER_IDS: Self = Self(1 << 29);

    /// Calls a function that is not known: a stored one may do much that no server reports.
    pub const CALLS_UNKNOWN: Self = Self(1 << 30);

    /// Takes or releases something by name.
    pub const NAMED: Self = Self::GETS_LOCK
        .union(Self::RELEASES_LOCK)
        .union(Self::OPENS_HANDLER)
        .union(Self::CLOSES_HANDLER)
        .union(Self::PREPARES)
        .union(Self::DEALLOCATES);

    /// Shows what pointsman sets on servers' connections (`session_track_*`): a variable, SHOW VARIABLES, a table of variables.
    pub const ASKS_TRACKING: Self = Self(1 << 31);
    /// Shows status variables, of which some describe the connection that it runs on: SHOW STATUS, or a table of them.
    pub const SHOWS_STATUS: Self = Self(1 << 32);
    /// No query, but it names one, whose rows FOUND_ROWS() may count (INSERT ... SELECT).
    pub const RUNS_QUERY: Self = Self(1 << 33);
    /// No query, and FOUND_ROWS() counts the rows that it found: an UPDATE or DELETE of several tables.
    pub const COUNTS_FOUND: Self = Self(1 << 34);
    /// The same on MySQL (9.7), where each UPDATE and DO counts.
    pub const COUNTS_FOUND_ON_MYSQL: Self = Self(1 << 35);
    /// EXECUTE IMMEDIATE: the server numbers a statement for it.
    pub const PREPARES_UNNAMED: Self = Self(1 << 36);
    /// Calls IS_USED_LOCK.
    pub const ASKS_LOCK_OWNER: Self = Self(1 << 37);

    /// These flags and `other`'s.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These flags without `other`'s.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of `other`'s flags are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other`'s flags is set.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether no flag is set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for Effects {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Effects {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// A table as the statement names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableName {
    /// The schema, when written; lower case.
    pub schema: Option<Box<str>>,
    /// The table; as written.
    pub table: Box<str>,
}

/// What holds for all statements of one normalised text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// What it is.
    pub kind: StatementKind,
    /// None: proven to be a read that any replica can answer.
    pub cause: Option<PrimaryCause>,
    /// What caused it, for `explain`: the function, the variable, the clause. Empty when there is nothing to name.
    pub culprit: Box<str>,
    /// What it may do to its connection.
    pub effects: Effects,
    /// The tables it names, where `sqlparser` could tell; at most 64.
    pub tables: Vec<TableName>,
    /// What the normalised text is known by.
    pub fingerprint: Fingerprint,
    /// The normalised text, for rules and top lists; at most 2 KiB.
    pub normalised: Box<str>,
}

impl Shape {
    /// Whether the literals of such a statement may say something that is read anew each time: see [`Detail`].
    #[must_use]
    pub fn has_detail(&self) -> bool {
        let tables = Effects::CREATES_TEMPORARY.union(Effects::DROPS_TEMPORARY);
        matches!(self.kind, StatementKind::Set | StatementKind::Use | StatementKind::Kill)
            || self.effects.intersects(tables.union(Effects::NAMED))
    }
}

/// A statement, classified.
#[derive(Debug, Clone)]
pub struct Classified {
    /// Its shape.
    pub shape: Arc<Shape>,
    /// Its shape's key in the cache.
    pub key: ShapeKey,
    /// Its hint.
    pub hint: Hint,
    /// What its literals say.
    pub detail: Detail,
}

/// What `/* pointsman: ... */` asks for, in a leading or trailing comment. Several may stand in one, with commas.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hint {
    /// `primary`.
    pub primary: bool,
    /// `replica`: whatever the consistency says.
    pub replica: bool,
    /// `pool=NAME`.
    pub pool: Option<Box<str>>,
    /// `max_lag=200ms`.
    pub max_lag: Option<Duration>,
    /// `consistency=eventual` and the like; as written, validated.
    pub eventual: bool,
    /// What was not understood: logged and shown by `explain`, never fatal.
    pub unknown: Option<Box<str>>,
}

/// What is read anew each time, because literals matter.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Detail {
    /// Nothing.
    #[default]
    None,
    /// The assignments of a SET, in order. None inside: it could not be read.
    Set(Option<Vec<Assignment>>),
    /// The schema of a USE, unquoted.
    Use(Vec<u8>),
    /// The target of a KILL.
    Kill(KillTarget),
    /// The tables of a CREATE or DROP TEMPORARY TABLE.
    Names(Vec<TableName>),
    /// The one thing that the statement takes or releases: the literal name of a GET_LOCK or RELEASE_LOCK, a HANDLER's
    /// table, a text-protocol prepared statement. Absent when it is not a literal, or when there are several.
    Name(Vec<u8>),
}

/// One assignment of a SET.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// Whose variable.
    pub scope: Scope,
    /// The variable, lower case, without `@`; `names` and `character set` for those forms.
    pub name: Box<str>,
    /// What it is set to.
    pub value: Value,
}

/// Whose variable a SET sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The session's (also `LOCAL`, `@@x`, `@@session.x`, and no scope at all).
    Session,
    /// `@@x` without a scope, for the isolation level and access mode: the next transaction's only (MySQL's manual, SET
    /// TRANSACTION; MariaDB 10.11 does the same).
    NextTransaction,
    /// GLOBAL, PERSIST, PERSIST_ONLY.
    Global,
    /// `@x`.
    User,
}

/// What a variable is set to.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A literal that means the same on every connection, as SQL text (`'abc'`, `42`, `ON`, `utf8mb4`, `NULL`).
    Literal(Box<str>),
    /// `DEFAULT`.
    Default,
    /// Anything else; its value is known only to the server.
    Expression,
}

/// What a KILL asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillTarget {
    /// Whom.
    pub whom: KillWhom,
    /// Only the statement that runs, not the connection.
    pub query: bool,
    /// HARD or SOFT was said, which MariaDB knows, and takes for the same here.
    pub graded: bool,
}

/// Whom a KILL names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KillWhom {
    /// A connection id.
    Id(u64),
    /// An expression, whose value is a connection id: only a server can tell it.
    Expression(Box<str>),
    /// MariaDB's `USER CURRENT_USER`: all connections of the killer's own account.
    CurrentUser,
    /// MariaDB's `USER name[@host]`: all connections of that user.
    User(Box<str>, Option<Box<str>>),
    /// MariaDB's `QUERY ID n`: a number of the server's own, which the proxy does not give out.
    ServerQuery,
}
