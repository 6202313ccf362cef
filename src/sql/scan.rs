//! One pass over a statement's tokens that finds everything that keeps it from being a plain read, and everything it
//! may do to its connection.
//!
//! It looks at a window of a few tokens and knows no grammar; it errs towards finding too much. What the statement is
//! by its leading keywords is for `kind`.

use std::collections::HashSet;

use super::functions::{self, Function};
use super::lexer::{Kind, Token};
use super::shape::{Effects, PrimaryCause};

/// The functions the configuration declares as reading only: `name` or `schema.name`, lower case.
pub(super) type Declared = HashSet<Box<str>>;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// The first thing that keeps it from being a read, and its name.
    pub(super) cause: Option<(PrimaryCause, Box<str>)>,
    pub(super) effects: Effects,
}

impl Findings {
    pub(super) fn blame(&mut self, cause: PrimaryCause, culprit: &[u8]) {
        if cause == PrimaryCause::UnknownFunction {
            self.effects |= Effects::CALLS_UNKNOWN;
        }
        if self.cause.is_none() {
            self.cause = Some((cause, text(culprit)));
        }
    }
}

/// At most 128 characters of a token, for people.
pub(super) fn text(token: &[u8]) -> Box<str> {
    String::from_utf8_lossy(token.get(..128).unwrap_or(token)).into()
}

/// A name without its quotes, doubled ones undone.
pub(super) fn unquote(name: &[u8]) -> Vec<u8> {
    match name {
        [quote @ (b'`' | b'"' | b'\''), inner @ .., last] if quote == last => {
            let mut out = Vec::with_capacity(inner.len());
            let mut bytes = inner.iter();
            while let Some(&byte) = bytes.next() {
                out.push(byte);
                if byte == *quote {
                    bytes.next();
                }
            }
            out
        }
        _ => name.to_vec(),
    }
}

/// Whether this is a schema whose tables describe one server, or that replicas do not share with the primary.
#[must_use]
pub fn is_server_schema(schema: &str) -> bool {
    ["mysql", "performance_schema", "sys", "information_schema"].iter().any(|name| schema.eq_ignore_ascii_case(name))
}

/// Whether a table of `information_schema` describes the schema alone, which replicas share.
fn is_dictionary(table: &[u8]) -> bool {
    const TABLES: &[&str] = &[
        "applicable_roles",
        "character_sets",
        "check_constraints",
        "collation_character_set_applicability",
        "collations",
        "column_privileges",
        "columns",
        "enabled_roles",
        "key_column_usage",
        "keywords",
        "parameters",
        "partitions",
        "referential_constraints",
        "routines",
        "schema_privileges",
        "schemata",
        "st_geometry_columns",
        "st_spatial_reference_systems",
        "statistics",
        "table_constraints",
        "table_privileges",
        "tables",
        "triggers",
        "user_privileges",
        "view_routine_usage",
        "view_table_usage",
        "views",
        "sequences",
    ];
    TABLES.iter().any(|name| table.eq_ignore_ascii_case(name.as_bytes()))
}

/// Whether a table of a server's schema shows connections by the server's ids.
fn has_server_ids(schema: &str, table: &[u8]) -> bool {
    let is = |names: &[&str]| names.iter().any(|name| table.eq_ignore_ascii_case(name.as_bytes()));
    if schema.eq_ignore_ascii_case("mysql") { is(&["general_log", "slow_log"]) } else { is_server_schema(schema) }
}

/// Whether this is the name of a table of connection attributes.
fn is_of_attributes(name: &[u8]) -> bool {
    const TABLES: [&[u8]; 2] = [b"session_connect_attrs", b"session_account_connect_attrs"];
    matches!(name.len(), 21 | 29) && TABLES.iter().any(|table| name.eq_ignore_ascii_case(table))
}

/// A call to a function that is not known, held back because it may be the column list of a common table expression.
struct Pending {
    name: Box<str>,
    depth: usize,
    closed: u8,
}

/// The pass.
pub(super) struct Scan<'d, 'a> {
    declared: &'d Declared,
    /// The last four tokens, the newest first.
    last: [Option<Token<'a>>; 4],
    depth: usize,
    pending: Option<Pending>,
    in_set: bool,
    in_write: bool,
    findings: Findings,
}

impl<'d, 'a> Scan<'d, 'a> {
    pub(super) fn new(declared: &'d Declared) -> Self {
        Self {
            declared,
            last: [None; 4],
            depth: 0,
            pending: None,
            in_set: false,
            in_write: false,
            findings: Findings::default(),
        }
    }

    /// In a SET, variables are assigned to as a matter of course.
    pub(super) const fn in_set(mut self) -> Self {
        self.in_set = true;
        self
    }

    /// In what writes, a name before a parenthesis may be a table with its columns.
    pub(super) const fn in_write(mut self) -> Self {
        self.in_write = true;
        self
    }

    pub(super) fn run(mut self, tokens: impl Iterator<Item = Token<'a>>) -> Findings {
        for token in tokens {
            self.push(&token);
            let [a, b, c, _] = self.last;
            self.last = [Some(token), a, b, c];
        }
        self.commit();
        self.findings
    }

    /// Whether the newest token but `back` is this keyword.
    fn was(&self, back: usize, keyword: &str) -> bool {
        self.last.get(back).copied().flatten().is_some_and(|token| token.is(keyword))
    }

    fn was_operator(&self, back: usize, operator: &[u8]) -> bool {
        self.last.get(back).copied().flatten().is_some_and(|token| token.is_operator(operator))
    }

    fn commit(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.findings.blame(PrimaryCause::UnknownFunction, pending.name.as_bytes());
        }
    }

    /// `c (a, b) AS (` is no call.
    fn settle(&mut self, token: &Token<'a>) {
        let Some(pending) = &mut self.pending else { return };
        match pending.closed {
            0 if token.is_operator(b")") && self.depth == pending.depth.saturating_add(1) => pending.closed = 1,
            0 if token.is_name() || token.is_operator(b",") => {}
            1 if token.is("AS") => pending.closed = 2,
            2 if token.is_operator(b"(") => self.pending = None,
            _ => self.commit(),
        }
    }

    fn push(&mut self, token: &Token<'a>) {
        self.settle(token);
        // Both are functions as well.
        if (self.was(0, "INSERT") || self.was(0, "REPLACE")) && !token.is_operator(b"(") {
            self.findings.blame(PrimaryCause::NotARead, token.text);
        }
        match token.kind {
            Kind::Word { .. } => self.word(token),
            Kind::Quoted => self.table(token),
            Kind::UserVariable => self.user_variable(token),
            Kind::SystemVariable => self.system_variable(token),
            Kind::Operator => self.operator(token),
            Kind::Broken => self.findings.blame(PrimaryCause::Unparsed, token.text),
            Kind::Text
            | Kind::Number
            | Kind::Placeholder
            | Kind::Comment
            | Kind::OptimizerHint
            | Kind::ExecutableOpen
            | Kind::ExecutableClose => {}
        }
        // LAST_INSERT_ID's first token inside its parentheses tells whether it sets.
        let [Some(paren), Some(name), before, _] = self.last else { return };
        if paren.is_operator(b"(")
            && matches!(name.kind, Kind::Word { .. })
            && functions::lookup(name.text) == Some(Function::LastInsertId)
            && !before.is_some_and(|before| before.is_operator(b"."))
        {
            self.findings.effects |=
                if token.is_operator(b")") { Effects::ASKS_LAST_INSERT_ID } else { Effects::SETS_LAST_INSERT_ID };
        }
    }

    fn word(&mut self, token: &Token<'a>) {
        self.table(token);
        if !token.text.is_ascii() {
            self.foreign(token);
        }
        if token.kind != (Kind::Word { name: false }) {
            if token.text.eq_ignore_ascii_case(b"nextval") || token.text.eq_ignore_ascii_case(b"currval") {
                self.findings.blame(PrimaryCause::Sequence, token.text);
                self.findings.effects |= Effects::USES_SEQUENCE;
            }
            return;
        }
        // By length and first letter first: most words are none of these.
        match (token.text.len(), token.text.first().map_or(0, u8::to_ascii_uppercase)) {
            (6, b'U') if token.is("UPDATE") => {
                if self.was(0, "FOR") {
                    self.findings.blame(PrimaryCause::LockingRead, b"FOR UPDATE");
                } else {
                    self.findings.blame(PrimaryCause::NotARead, token.text);
                }
            }
            (5, b'S') if token.is("SHARE") && (self.was(0, "FOR") || (self.was(0, "IN") && self.was(1, "LOCK"))) => {
                self.findings.blame(PrimaryCause::LockingRead, b"FOR SHARE");
            }
            (4, b'L') if token.is("LOCK") => self.findings.blame(PrimaryCause::LockingRead, b"LOCK"),
            (4, b'I') if token.is("INTO") => self.findings.blame(PrimaryCause::Into, b"INTO"),
            (7 | 8, b'O' | b'D') if token.is_any(&["OUTFILE", "DUMPFILE"]) => {
                self.findings.blame(PrimaryCause::Into, token.text);
            }
            (6, b'D') if token.is("DELETE") => self.findings.blame(PrimaryCause::NotARead, token.text),
            (9, b'P') if token.is("PROCEDURE") => self.findings.blame(PrimaryCause::NotARead, token.text),
            (3, b'F')
                if token.is("FOR") && self.was(0, "VALUE") && (self.was(1, "NEXT") || self.was(1, "PREVIOUS")) =>
            {
                self.findings.blame(PrimaryCause::Sequence, b"VALUE FOR");
                self.findings.effects |= Effects::USES_SEQUENCE;
            }
            (5, b'L') if token.is("LIMIT") => self.findings.effects |= Effects::HAS_LIMIT,
            (5, b'F') if token.is("FETCH") => self.findings.effects |= Effects::HAS_LIMIT,
            (19, b'S') if token.is("SQL_CALC_FOUND_ROWS") => self.findings.effects |= Effects::CALC_FOUND_ROWS,
            _ => {}
        }
    }

    /// A word with bytes beyond ASCII: in single-byte character sets some of them are blanks (0xA0 in latin1), so its
    /// parts are looked at as if they stood alone.
    fn foreign(&mut self, token: &Token<'a>) {
        const VETO: &[&str] = &[
            "for",
            "update",
            "share",
            "lock",
            "into",
            "outfile",
            "dumpfile",
            "value",
            "next",
            "previous",
            "delete",
            "insert",
            "replace",
            "procedure",
            "union",
            "select",
            "from",
            "nextval",
            "lastval",
            "setval",
            "call",
            "sql_calc_found_rows",
            "as",
            "limit",
            "fetch",
            "information_schema",
            "performance_schema",
            "mysql",
            "sys",
        ];
        let veto = token
            .text
            .split(|byte| !byte.is_ascii())
            .any(|part| VETO.iter().any(|word| part.eq_ignore_ascii_case(word.as_bytes())));
        if veto {
            self.findings.blame(PrimaryCause::Unparsed, token.text);
        }
    }

    /// `schema.table` where the schema is the server's.
    fn table(&mut self, token: &Token<'a>) {
        let strip = |name: &Token<'a>| match (name.kind, name.text) {
            (Kind::Quoted, [_, inner @ .., _]) => inner,
            (_, text) => text,
        };
        // In whatever schema: a pin too many is no harm.
        if is_of_attributes(strip(token)) {
            self.findings.effects |= Effects::ASKS_ATTRIBUTES | Effects::NAMES_SERVER_IDS;
        }
        if [&b"session_variables"[..], b"system_variables"].iter().any(|table| strip(token).eq_ignore_ascii_case(table))
        {
            self.findings.effects |= Effects::ASKS_TRACKING;
        }
        if [&b"session_status"[..], b"global_status"].iter().any(|table| strip(token).eq_ignore_ascii_case(table)) {
            self.findings.effects |= Effects::SHOWS_STATUS;
        }
        let [Some(dot), Some(schema), ..] = self.last else { return };
        if !dot.is_operator(b".") || !schema.is_name() {
            return;
        }
        let schema = strip(&schema);
        let Ok(name) = std::str::from_utf8(schema) else { return };
        if is_server_schema(name) {
            let table = strip(token);
            if !(name.eq_ignore_ascii_case("information_schema") && is_dictionary(table)) {
                let full = [schema, b".", table].concat();
                self.findings.blame(PrimaryCause::ServerTable, &full);
                if has_server_ids(name, table) {
                    self.findings.effects |= Effects::NAMES_SERVER_IDS;
                }
            }
        }
    }

    fn user_variable(&mut self, token: &Token<'a>) {
        let assigned = self.in_set && self.depth == 0 && (self.was(0, "SET") || self.was_operator(0, b","));
        if self.was(0, "INTO") {
            self.findings.effects |= Effects::ASSIGNS_USER_VARIABLE;
            self.findings.blame(PrimaryCause::Into, token.text);
        } else if !assigned {
            self.findings.effects |= Effects::READS_USER_VARIABLE;
        }
    }

    fn system_variable(&mut self, token: &Token<'a>) {
        let name = String::from_utf8_lossy(token.text).to_ascii_lowercase().replace('`', "");
        let name = name.trim_start_matches("@@");
        let name = name.strip_prefix("session.").or_else(|| name.strip_prefix("local.")).unwrap_or(name);
        let (cause, effects) = match name {
            "warning_count" | "error_count" => (PrimaryCause::SessionFunction, Effects::ASKS_DIAGNOSTICS),
            "identity" | "last_insert_id" => (PrimaryCause::SessionFunction, Effects::ASKS_LAST_INSERT_ID),
            // With blanks around the dot the name is the next token.
            "session" | "local" => {
                (PrimaryCause::SystemVariable, Effects::ASKS_DIAGNOSTICS | Effects::ASKS_LAST_INSERT_ID)
            }
            "pseudo_thread_id" => (PrimaryCause::SystemVariable, Effects::ASKS_CONNECTION_ID),
            name if name.starts_with("session_track_") => (PrimaryCause::SystemVariable, Effects::ASKS_TRACKING),
            _ => (PrimaryCause::SystemVariable, Effects::NONE),
        };
        self.findings.effects |= effects;
        self.findings.blame(cause, token.text);
    }

    fn operator(&mut self, token: &Token<'a>) {
        match token.text {
            b"(" => {
                self.call(token);
                self.depth = self.depth.saturating_add(1);
            }
            b")" => self.depth = self.depth.saturating_sub(1),
            b":=" => {
                let plain = self.in_set && self.depth == 0 && (self.was(1, "SET") || self.was_operator(1, b","));
                if !plain {
                    self.findings.effects |= Effects::ASSIGNS_USER_VARIABLE;
                    self.findings.blame(PrimaryCause::AssignsUserVariable, b":=");
                }
            }
            _ => {}
        }
    }

    /// Whether the name before the parenthesis at hand is the table that is written to.
    fn is_target(&self, before: Option<Token<'a>>, schema: Option<Token<'a>>) -> bool {
        const HEADS: &[&str] =
            &["INTO", "INSERT", "REPLACE", "IGNORE", "LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "TABLE"];
        let qualified =
            before.is_some_and(|before| before.is_operator(b".")) && schema.is_some_and(|name| name.is_name());
        let head = if qualified { self.last[3] } else { before };
        head.is_some_and(|head| head.is_any(HEADS))
    }

    /// At an opening parenthesis: what does the name before it call?
    fn call(&mut self, paren: &Token<'a>) {
        let [Some(name), before, schema, _] = self.last else { return };
        if !name.is_name() {
            // `@@x (` and the like do not parse.
            return;
        }
        if self.in_write && self.is_target(before, schema) {
            return;
        }
        if before.is_some_and(|before| before.is_operator(b".")) {
            let qualified = [schema.map_or(&b""[..], |schema| schema.text), b".", name.text].concat();
            let key = [&*lower(schema.map_or(&[], |schema| schema.text)), ".", &*lower(name.text)].concat();
            // `a.b.c(` is no function of ours to know.
            let deeper = self.was_operator(3, b".");
            if deeper || !self.declared.contains(key.as_str()) {
                self.findings.blame(PrimaryCause::UnknownFunction, &qualified);
            }
            return;
        }
        // `AS name (` is a column list, and a type in CAST.
        if before.is_some_and(|before| before.is("AS")) {
            return;
        }
        let known = if name.kind == Kind::Quoted { None } else { functions::lookup(name.text) };
        match known {
            Some(_) if paren.gap && functions::must_touch(name.text) => {
                self.findings.blame(PrimaryCause::UnknownFunction, name.text);
            }
            Some(Function::Construct) => {
                // A keyword only where windows are known: elsewhere it must follow a call to be one.
                let stray = name.is("OVER")
                    && !before
                        .is_some_and(|token| token.is_operator(b")") || token.is_any(&["NULLS", "FIRST", "LAST"]));
                if stray {
                    self.findings.blame(PrimaryCause::UnknownFunction, name.text);
                }
            }
            Some(Function::Pure) => {}
            Some(Function::LastInsertId) => self.findings.blame(PrimaryCause::SessionFunction, name.text),
            Some(Function::Bound(cause, effects)) => {
                self.findings.effects |= effects;
                self.findings.blame(cause, name.text);
            }
            None if self.declared.contains(&*lower(name.text)) => {}
            None => {
                let list =
                    before.is_some_and(|before| before.is_operator(b",") || before.is_any(&["WITH", "RECURSIVE"]));
                self.commit();
                if list {
                    self.pending = Some(Pending { name: text(name.text), depth: self.depth, closed: 0 });
                } else {
                    self.findings.blame(PrimaryCause::UnknownFunction, name.text);
                }
            }
        }
    }
}

fn lower(name: &[u8]) -> String {
    String::from_utf8_lossy(&unquote(name)).to_lowercase()
}
