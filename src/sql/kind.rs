//! What a statement is, by its leading keywords.
//!
//! It looks at the head only: whether a SELECT is proven a read is for `scan` and `tree`.

use super::lexer::Token;
use super::shape::{Effects, PrimaryCause, StatementKind};

/// So many leading tokens tell every kind.
pub(super) const HEAD: usize = 12;

/// How the rest of the statement is to be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    /// A query that starts at this token: to be proven a read by tokens and by `sqlparser`.
    Query(usize),
    /// A read if the tokens hold nothing against it.
    Tokens,
    /// No read, for this reason. What the tokens do to the connection counts.
    Never(PrimaryCause),
    /// No read, and its tokens are not run now: definitions of routines, whose bodies have semicolons of their own.
    Routine,
}

/// What the head tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: StatementKind,
    pub(super) effects: Effects,
    pub(super) judgement: Judgement,
}

const fn never(kind: StatementKind) -> Head {
    with(kind, Effects::NONE)
}

const fn with(kind: StatementKind, effects: Effects) -> Head {
    Head { kind, effects, judgement: Judgement::Never(PrimaryCause::NotARead) }
}

/// The words at the head, each compared as a keyword.
struct Words<'t, 'a>(&'t [Token<'a>]);

impl Words<'_, '_> {
    fn is(&self, at: usize, keyword: &str) -> bool {
        self.0.get(at).is_some_and(|token| token.is(keyword))
    }

    fn is_any(&self, at: usize, keywords: &[&str]) -> bool {
        self.0.get(at).is_some_and(|token| token.is_any(keywords))
    }

    fn has(&self, keyword: &str) -> bool {
        self.0.iter().any(|token| token.is(keyword))
    }

    fn ends(&self, at: usize) -> bool {
        self.0.get(at).is_none()
    }

    /// The first position from `at` that is none of these.
    fn skip(&self, at: usize, keywords: &[&str]) -> usize {
        let skipped = self.0.get(at..).unwrap_or_default().iter().take_while(|token| token.is_any(keywords)).count();
        at.saturating_add(skipped)
    }
}

/// The kind of a statement by its first [`HEAD`] tokens; `tail` are its last ones, at most [`HEAD`].
pub(super) fn of(head: &[Token<'_>], tail: &[Token<'_>]) -> Head {
    let words = Words(head);
    let Some(first) = head.first() else {
        return never(StatementKind::Empty);
    };
    let opaque = Head {
        kind: StatementKind::Opaque,
        effects: Effects::OPAQUE,
        judgement: Judgement::Never(PrimaryCause::Unparsed),
    };
    if first.is_operator(b"(") {
        let inner = head.iter().find(|token| !token.is_operator(b"("));
        return if inner.is_none_or(|token| token.is_any(&["SELECT", "WITH", "TABLE", "VALUES"])) {
            query(StatementKind::Select, 0)
        } else {
            opaque
        };
    }
    if !matches!(first.kind, super::lexer::Kind::Word { .. }) {
        return opaque;
    }
    let keyword = String::from_utf8_lossy(first.text).to_ascii_uppercase();
    match keyword.as_str() {
        "SELECT" | "WITH" | "TABLE" | "VALUES" => query(StatementKind::Select, 0),
        "INSERT" | "UPDATE" | "DELETE" | "REPLACE" | "IMPORT" | "MERGE" => never(StatementKind::Write),
        "LOAD" if words.is(1, "INDEX") => never(StatementKind::Ddl),
        "LOAD" => never(StatementKind::Write),
        "SHOW" => show(&words),
        "EXPLAIN" | "DESCRIBE" | "DESC" => explain(&words),
        "ANALYZE" => analyze(&words),
        "HELP" => tokens(),
        "CREATE" => create(&words),
        "ALTER" => {
            if !words.is(1, "TABLE") && words.0.iter().any(is_routine) {
                Head { kind: StatementKind::Ddl, effects: Effects::NONE, judgement: Judgement::Routine }
            } else {
                never(StatementKind::Ddl)
            }
        }
        "DROP" if words.is(1, "PREPARE") => with(StatementKind::Prepare, Effects::DEALLOCATES),
        "DROP" if words.is_any(1, &["TABLE", "TABLES", "TEMPORARY"]) => {
            with(StatementKind::Ddl, Effects::DROPS_TEMPORARY)
        }
        "DROP" | "TRUNCATE" | "RENAME" | "GRANT" | "REVOKE" | "OPTIMIZE" | "REPAIR" | "CHECK" | "CHECKSUM"
        | "RESET" | "PURGE" | "CHANGE" | "STOP" | "INSTALL" | "UNINSTALL" | "CACHE" | "SHUTDOWN" | "RESTART"
        | "CLONE" | "BINLOG" => never(StatementKind::Ddl),
        "FLUSH" => flush(&words, tail),
        "BACKUP" if words.is(1, "UNLOCK") || words.is(2, "END") => {
            with(StatementKind::UnlockTables, Effects::UNLOCKS_TABLES)
        }
        "BACKUP" | "LOCK" => with(StatementKind::LockTables, Effects::LOCKS_TABLES),
        "UNLOCK" => with(StatementKind::UnlockTables, Effects::UNLOCKS_TABLES),
        "BEGIN" if words.ends(1) || words.is(1, "WORK") => never(StatementKind::Begin { read_only: false }),
        "BEGIN" => Head { judgement: Judgement::Routine, ..opaque },
        "START" if words.is(1, "TRANSACTION") => {
            let read_only = head.windows(2).any(|pair| matches!(pair, [a, b] if a.is("READ") && b.is("ONLY")));
            never(StatementKind::Begin { read_only })
        }
        "START" => never(StatementKind::Ddl),
        "COMMIT" => never(StatementKind::Commit),
        "ROLLBACK" if words.is(1, "TO") || words.is(2, "TO") => never(StatementKind::Savepoint),
        "ROLLBACK" => never(StatementKind::Rollback),
        "SAVEPOINT" => never(StatementKind::Savepoint),
        "RELEASE" if words.is(1, "SAVEPOINT") => never(StatementKind::Savepoint),
        "SET" => set(&words),
        "USE" => never(StatementKind::Use),
        "KILL" => never(StatementKind::Kill),
        "HANDLER" => handler(&words),
        "PREPARE" => with(StatementKind::Prepare, Effects::PREPARES),
        "EXECUTE" if words.is(1, "IMMEDIATE") => {
            with(StatementKind::Prepare, Effects::OPAQUE | Effects::PREPARES_UNNAMED)
        }
        "EXECUTE" => with(StatementKind::Prepare, Effects::OPAQUE),
        "DEALLOCATE" => with(StatementKind::Prepare, Effects::DEALLOCATES),
        "XA" => match () {
            () if words.is_any(1, &["START", "BEGIN"]) => with(StatementKind::Xa, Effects::XA_STARTS),
            () if words.is_any(1, &["COMMIT", "ROLLBACK"]) => with(StatementKind::Xa, Effects::XA_ENDS),
            () => never(StatementKind::Xa),
        },
        "CALL" => with(StatementKind::Call, Effects::OPAQUE),
        "DO" => never(StatementKind::Do),
        "GET" if words.has("DIAGNOSTICS") => Head {
            kind: StatementKind::Opaque,
            effects: Effects::ASKS_DIAGNOSTICS | Effects::ASSIGNS_USER_VARIABLE,
            judgement: Judgement::Never(PrimaryCause::SessionFunction),
        },
        "SIGNAL" | "RESIGNAL" => never(StatementKind::Opaque),
        "IF" | "CASE" | "LOOP" | "WHILE" | "REPEAT" | "FOR" => Head { judgement: Judgement::Routine, ..opaque },
        _ => opaque,
    }
}

const fn query(kind: StatementKind, from: usize) -> Head {
    Head { kind, effects: Effects::NONE, judgement: Judgement::Query(from) }
}

const fn tokens() -> Head {
    Head { kind: StatementKind::Show, effects: Effects::NONE, judgement: Judgement::Tokens }
}

const fn show_never(cause: PrimaryCause, effects: Effects) -> Head {
    Head { kind: StatementKind::Show, effects, judgement: Judgement::Never(cause) }
}

fn is_routine(token: &Token<'_>) -> bool {
    token.is_any(&["PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "PACKAGE", "LIBRARY"])
}

fn show(words: &Words<'_, '_>) -> Head {
    let at = words.skip(1, &["EXTENDED", "FULL"]);
    if words.is_any(at, &["WARNINGS", "ERRORS"])
        || (words.is(at, "COUNT") && words.0.iter().any(|token| token.is_any(&["WARNINGS", "ERRORS"])))
    {
        return show_never(PrimaryCause::SessionFunction, Effects::ASKS_DIAGNOSTICS);
    }
    if words.is(words.skip(1, &["SESSION", "LOCAL"]), "VARIABLES") {
        return show_never(PrimaryCause::ServerState, Effects::ASKS_TRACKING);
    }
    if words.is(words.skip(1, &["GLOBAL", "SESSION", "LOCAL"]), "STATUS") {
        return show_never(PrimaryCause::ServerState, Effects::SHOWS_STATUS);
    }
    if words.is(at, "PROCESSLIST") && words.ends(at.saturating_add(1)) {
        let whole = if words.is(1, "FULL") { Effects::LISTS_WHOLE } else { Effects::NONE };
        return show_never(PrimaryCause::ServerState, Effects::LISTS_PROCESSES | whole);
    }
    // Not events: each server has its own state of them, and a replica's are disabled.
    let dictionary = words.is_any(
        at,
        &[
            "TABLES",
            "COLUMNS",
            "FIELDS",
            "INDEX",
            "INDEXES",
            "KEYS",
            "DATABASES",
            "SCHEMAS",
            "CHARACTER",
            "CHARSET",
            "COLLATION",
            "TRIGGERS",
        ],
    ) || (words.is(at, "TABLE") && words.is(at.saturating_add(1), "STATUS"))
        || (words.is_any(at, &["PROCEDURE", "FUNCTION"]) && words.is(at.saturating_add(1), "STATUS"))
        || (words.is(at, "CREATE")
            && words.is_any(
                at.saturating_add(1),
                &["TABLE", "DATABASE", "SCHEMA", "VIEW", "PROCEDURE", "FUNCTION", "TRIGGER", "SEQUENCE"],
            ));
    if dictionary { tokens() } else { show_never(PrimaryCause::ServerState, Effects::NONE) }
}

/// What is explained: a query, a write, or a table.
fn explain(words: &Words<'_, '_>) -> Head {
    let mut at = words.skip(1, &["EXTENDED", "PARTITIONS"]);
    let runs = words.is(at, "ANALYZE");
    if runs {
        at = at.saturating_add(1);
    }
    // FORMAT = JSON
    if words.is(at, "FORMAT") && words.0.get(at.saturating_add(1)).is_some_and(|token| token.is_operator(b"=")) {
        at = at.saturating_add(3);
    }
    match () {
        () if words.is_any(at, &["SELECT", "WITH", "VALUES"])
            || words.0.get(at).is_some_and(|token| token.is_operator(b"("))
            || (words.is(at, "TABLE") && !words.ends(at.saturating_add(1))) =>
        {
            query(StatementKind::Show, at)
        }
        () if words.is_any(at, &["INSERT", "UPDATE", "DELETE", "REPLACE"]) => {
            if runs {
                never(StatementKind::Write)
            } else {
                show_never(PrimaryCause::NotARead, Effects::NONE)
            }
        }
        () if words.is(at, "FOR") => show_never(PrimaryCause::ServerState, Effects::NONE),
        () if runs || words.ends(at) || at > 1 => show_never(PrimaryCause::Unparsed, Effects::OPAQUE),
        // DESCRIBE table [column | 'pattern']
        () => {
            let plain = words
                .0
                .iter()
                .skip(1)
                .all(|token| token.is_name() || token.is_operator(b".") || token.kind == super::lexer::Kind::Text);
            if plain && words.0.len() <= 6 { tokens() } else { show_never(PrimaryCause::Unparsed, Effects::OPAQUE) }
        }
    }
}

/// MariaDB's ANALYZE of a statement runs it; ANALYZE TABLE writes statistics.
fn analyze(words: &Words<'_, '_>) -> Head {
    let mut at = 1;
    if words.is(at, "FORMAT") && words.0.get(2).is_some_and(|token| token.is_operator(b"=")) {
        at = 4;
    }
    match () {
        () if words.is_any(at, &["SELECT", "WITH"]) => query(StatementKind::Show, at),
        () if words.is_any(at, &["INSERT", "UPDATE", "DELETE", "REPLACE"]) => never(StatementKind::Write),
        () if words.0.get(at).is_some_and(|token| token.is_operator(b"(")) => query(StatementKind::Show, at),
        () => never(StatementKind::Ddl),
    }
}

fn create(words: &Words<'_, '_>) -> Head {
    let at = words.skip(1, &["OR", "REPLACE"]);
    if words.is(at, "TEMPORARY") {
        // OR REPLACE may also drop one; it then makes it anew.
        return with(StatementKind::Ddl, Effects::CREATES_TEMPORARY);
    }
    if !words.is(at, "TABLE") && words.0.iter().any(is_routine) {
        return Head { kind: StatementKind::Ddl, effects: Effects::NONE, judgement: Judgement::Routine };
    }
    never(StatementKind::Ddl)
}

fn flush(words: &Words<'_, '_>, tail: &[Token<'_>]) -> Head {
    let at = words.skip(1, &["LOCAL", "NO_WRITE_TO_BINLOG"]);
    let ends_with = |keywords: &[&str]| {
        let from = tail.len().saturating_sub(keywords.len());
        tail.get(from..).is_some_and(|last| {
            last.len() == keywords.len() && last.iter().zip(keywords).all(|(token, keyword)| token.is(keyword))
        })
    };
    let locks = words.is_any(at, &["TABLE", "TABLES"])
        && (ends_with(&["WITH", "READ", "LOCK"])
            || ends_with(&["FOR", "EXPORT"])
            || ends_with(&["DISABLE", "CHECKPOINT"]));
    if locks { with(StatementKind::LockTables, Effects::LOCKS_TABLES) } else { never(StatementKind::Ddl) }
}

fn handler(words: &Words<'_, '_>) -> Head {
    let dotted = words.0.get(2).is_some_and(|token| token.is_operator(b"."));
    let verb = if dotted { 4 } else { 2 };
    match () {
        () if words.is(verb, "OPEN") => with(StatementKind::Handler, Effects::OPENS_HANDLER),
        () if words.is(verb, "CLOSE") => with(StatementKind::Handler, Effects::CLOSES_HANDLER),
        () => never(StatementKind::Handler),
    }
}

fn set(words: &Words<'_, '_>) -> Head {
    let state = with(StatementKind::Opaque, Effects::OPAQUE);
    match () {
        () if words.is(1, "PASSWORD") || (words.is(1, "DEFAULT") && words.is(2, "ROLE")) => never(StatementKind::Ddl),
        // Which roles and which threads hold for this connection, nobody could carry to another.
        () if (words.is(1, "ROLE") && !words.0.get(2).is_some_and(|token| token.is_operator(b"=")))
            || (words.is(1, "RESOURCE") && words.is(2, "GROUP"))
            || (words.is(1, "SESSION") && words.is(2, "AUTHORIZATION")) =>
        {
            state
        }
        () if words.is(1, "TRANSACTION") => never(StatementKind::SetTransaction),
        () => never(StatementKind::Set),
    }
}
