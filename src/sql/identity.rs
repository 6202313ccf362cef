//! What a session knows of itself, in the text that a server gets: its client's own connection id, where the server has another
//! for the connection that it runs on; and what FOUND_ROWS(), ROW_COUNT() and LAST_INSERT_ID() are, which may be known to other
//! connections than that.
//!
//! What stands for them is an expression of the same type, length and flags (MariaDB 10.11 and 11.8, MySQL 9.7), so that
//! no column's definition changes; where a column would be named after it, the name stays by an alias. Texts in which
//! that cannot be told for certain are left as they are.

use super::lexer::{Kind, Lexer, Token};
use super::shape::{Shape, StatementKind};
use super::{Effects, SqlContext};

/// Longer names of columns are not written as aliases, in bytes: servers cut them.
const LONGEST_NAME: usize = 250;

/// In longer statements locks' owners are not looked for, in tokens.
const LONGEST_SEARCHED: usize = 4096;

/// Words between SELECT and its first column.
const MODIFIERS: &[&str] = &[
    "ALL",
    "DISTINCT",
    "DISTINCTROW",
    "HIGH_PRIORITY",
    "STRAIGHT_JOIN",
    "SQL_SMALL_RESULT",
    "SQL_BIG_RESULT",
    "SQL_BUFFER_RESULT",
    "SQL_NO_CACHE",
    "SQL_CACHE",
    "SQL_CALC_FOUND_ROWS",
];

/// Reserved words that end a list of columns.
const ENDS: &[&str] = &[
    "FROM",
    "INTO",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "WHERE",
    "GROUP",
    "HAVING",
    "ORDER",
    "LIMIT",
    "FOR",
    "LOCK",
    "PROCEDURE",
    "WINDOW",
];

/// Words after which a word is an operand and no alias.
const OPERATORS: &[&str] = &[
    "AND", "OR", "XOR", "NOT", "DIV", "MOD", "IS", "LIKE", "RLIKE", "REGEXP", "BETWEEN", "COLLATE", "ELSE", "THEN",
    "WHEN", "CASE", "BINARY",
];

/// What is known of a session without asking a server. None: the server is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Known {
    /// CONNECTION_ID() and `@@pseudo_thread_id`.
    pub(crate) connection: Option<u32>,
    /// FOUND_ROWS().
    pub(crate) found: Option<u64>,
    /// ROW_COUNT().
    pub(crate) count: Option<i64>,
    /// LAST_INSERT_ID(), `@@last_insert_id` and `@@identity`.
    pub(crate) insert_id: Option<u64>,
    /// Whose the primary's connections are: the server's ids, and the clients'. For IS_USED_LOCK().
    pub(crate) owners: Vec<(u32, u32)>,
    /// The server is MariaDB.
    pub(crate) mariadb: bool,
}

impl Known {
    /// What a statement may ask for that can be known.
    pub(crate) const ASKED: Effects = Effects::ASKS_CONNECTION_ID
        .union(Effects::ASKS_FOUND_ROWS)
        .union(Effects::ASKS_ROW_COUNT)
        .union(Effects::ASKS_LAST_INSERT_ID);

    /// What takes the place of a call of this name.
    fn call(&self, name: &Token<'_>) -> Option<Vec<u8>> {
        let of = |text: String| text.into_bytes();
        if name.is("CONNECTION_ID") {
            return self.connection.map(|id| self.connection_id(id));
        }
        // The branch that is not taken gives the type.
        if name.is("FOUND_ROWS") {
            return self.found.map(|rows| of(format!("IF(0,FOUND_ROWS(),{rows})")));
        }
        if name.is("ROW_COUNT") {
            return self.count.map(|rows| of(format!("IF(0,ROW_COUNT(),{rows})")));
        }
        if name.is("LAST_INSERT_ID") {
            return self.insert_id.map(|id| of(format!("({id}|0)")));
        }
        None
    }

    /// What takes the place of an IS_USED_LOCK() of this argument.
    fn owner(&self, argument: &Token<'_>) -> Option<Vec<u8>> {
        if self.owners.is_empty() || !matches!(argument.kind, Kind::Text | Kind::UserVariable) {
            return None;
        }
        let call = [b"IS_USED_LOCK(", argument.text, b")"].concat();
        let mut value = [b"CASE ", &*call].concat();
        for (server, client) in &self.owners {
            value.extend_from_slice(format!(" WHEN {server} THEN {client}").as_bytes());
        }
        value.extend_from_slice(&[b" ELSE ", &*call, b" END"].concat());
        // INT on MariaDB 10.11, as its own; BIGINT UNSIGNED on MySQL 9.7.
        Some(if self.mariadb { [b"(", &*value, b")"].concat() } else { [b"CAST(", &*value, b" AS UNSIGNED)"].concat() })
    }

    /// What takes the place of this system variable.
    fn variable(&self, name: &[u8]) -> Option<Vec<u8>> {
        let is = |names: &[&str]| names.iter().any(|one| is_variable(name, one));
        let id = match () {
            () if is(&["pseudo_thread_id"]) => self.connection?,
            // Larger ones have no expression of this type.
            () if is(&["last_insert_id", "identity"]) => u32::try_from(self.insert_id?).ok()?,
            () => return None,
        };
        // BIGINT UNSIGNED that may be NULL, as all three are on either.
        let [a, b, c, d] = id.to_be_bytes();
        Some(format!("INET_ATON('{a}.{b}.{c}.{d}')").into_bytes())
    }

    /// What has CONNECTION_ID()'s type: INT UNSIGNED of ten digits on MariaDB 10.11, BIGINT UNSIGNED on MySQL 9.7.
    fn connection_id(&self, id: u32) -> Vec<u8> {
        if self.mariadb {
            format!("CRC32(X'{:08X}')", crc32_preimage(id)).into_bytes()
        } else {
            format!("CAST({id} AS UNSIGNED)").into_bytes()
        }
    }
}

/// A text in which what is known stands, and what it does not ask for any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) text: Vec<u8>,
    pub(crate) asked: Effects,
}

/// The text with what is known of it; None: it asks for nothing that is known, or is left as it is.
pub(crate) fn with_known(sql: &[u8], context: SqlContext, shape: &Shape, mut known: Known) -> Option<Answered> {
    // Definitions are for others too; of several statements one may be a definition.
    let fits = matches!(
        shape.kind,
        StatementKind::Select | StatementKind::Write | StatementKind::Do | StatementKind::Set | StatementKind::Call
    );
    // There it is compared with the server's own.
    if shape.effects.contains(Effects::NAMES_SERVER_IDS) {
        known.connection = None;
    }
    if !fits || !shape.effects.intersects(Known::ASKED | Effects::ASKS_LOCK_OWNER) {
        return None;
    }
    let mut pass = Pass {
        sql,
        known,
        set: shape.kind == StatementKind::Set,
        owners: compared_with_owners(sql, context),
        ..Pass::default()
    };
    let mut lexer = Lexer::new(sql, context.mode);
    while let Some(token) = lexer.next() {
        let end = sql.len().saturating_sub(lexer.left());
        pass.push(token, end)?;
    }
    pass.finish()
}

/// Where CONNECTION_ID() is compared with IS_USED_LOCK(), which is the server's own id of whoever holds the lock: there it must
/// be the server's too, and only the comparison's outcome is seen. Starts of both names, in bytes.
fn compared_with_owners(sql: &[u8], context: SqlContext) -> Vec<usize> {
    let mut lexer = Lexer::new(sql, context.mode);
    let mut tokens: Vec<Placed<'_>> = Vec::new();
    let mut asks = false;
    while let Some(token) = lexer.next() {
        asks |= token.is("IS_USED_LOCK");
        if !matches!(token.kind, Kind::Comment | Kind::OptimizerHint) && tokens.len() < LONGEST_SEARCHED {
            tokens.push(Placed { token, end: sql.len().saturating_sub(lexer.left()) });
        }
    }
    if !asks {
        return Vec::new();
    }
    let compares = |at: usize| {
        let is = |operator: &&[u8]| tokens.get(at).is_some_and(|placed| placed.token.is_operator(operator));
        [&b"="[..], b"<=>", b"<>", b"!="].iter().any(is)
    };
    let names = |at: usize, name: &str| tokens.get(at).is_some_and(|placed| placed.token.is(name));
    let opens = |at: usize| tokens.get(at).is_some_and(|placed| placed.token.is_operator(b"("));
    let closes = |at: usize| tokens.get(at).is_some_and(|placed| placed.token.is_operator(b")"));
    // The name before the parenthesis that is closed here.
    let called = |close: usize| {
        let mut depth = 0_usize;
        for at in (0..=close).rev() {
            depth = depth.saturating_add(usize::from(closes(at)));
            if opens(at) {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at.checked_sub(1);
                }
            }
        }
        None
    };
    let mut found = Vec::new();
    for (at, placed) in tokens.iter().enumerate() {
        if !placed.token.is("CONNECTION_ID") || !opens(at.saturating_add(1)) || !closes(at.saturating_add(2)) {
            continue;
        }
        let before = at.checked_sub(2).filter(|close| compares(close.saturating_add(1)) && closes(*close));
        let before = before.and_then(called).filter(|name| names(*name, "IS_USED_LOCK"));
        let behind =
            Some(at.saturating_add(4)).filter(|name| compares(at.saturating_add(3)) && names(*name, "IS_USED_LOCK"));
        if let Some(owner) = before.or(behind).and_then(|name| tokens.get(name)) {
            found.extend([placed.start(), owner.start()]);
        }
    }
    found
}

/// A token and where it ends.
#[derive(Clone, Copy)]
struct Placed<'a> {
    token: Token<'a>,
    end: usize,
}

impl Placed<'_> {
    const fn start(&self) -> usize {
        self.end.saturating_sub(self.token.text.len())
    }
}

/// A column of a list.
#[derive(Default)]
struct Column<'a> {
    start: Option<usize>,
    tokens: usize,
    /// Its last two tokens at its own depth, the newest first.
    last: [Option<Placed<'a>>; 2],
    /// The id was put into it.
    replaced: bool,
    /// A comment stands in it, which its name would not hold.
    comment: bool,
    /// A comment came; if it is the last thing, it does not stand in it.
    after_comment: bool,
    interval: bool,
}

/// What is open: the statement, or a parenthesis.
#[derive(Default)]
struct Frame<'a> {
    column: Option<Column<'a>>,
    modifiers: bool,
}

#[derive(Default)]
struct Pass<'a> {
    sql: &'a [u8],
    known: Known,
    set: bool,
    /// The last four tokens, the newest first.
    last: [Option<Placed<'a>>; 4],
    /// Queries in the text.
    queries: usize,
    /// What was asked for and is not known, or stands where nothing can be put.
    unanswered: Effects,
    /// What was asked for and is put in.
    shown: Effects,
    outer: Vec<Frame<'a>>,
    frame: Frame<'a>,
    first: bool,
    /// Where the server's own id must stay.
    owners: Vec<usize>,
    /// From, to, and what takes its place; in order.
    edits: Vec<(usize, usize, Vec<u8>)>,
}

impl<'a> Pass<'a> {
    /// None: the text is left as it is.
    fn push(&mut self, token: Token<'a>, end: usize) -> Option<()> {
        let placed = Placed { token, end };
        self.queries = self.queries.saturating_add(usize::from(token.is("SELECT")));
        match token.kind {
            Kind::Comment | Kind::OptimizerHint => {
                for frame in self.outer.iter_mut().chain([&mut self.frame]) {
                    if let Some(column) = &mut frame.column {
                        column.after_comment |= column.start.is_some();
                    }
                }
                return Some(());
            }
            Kind::ExecutableOpen | Kind::ExecutableClose | Kind::Broken => return None,
            _ => {}
        }
        // MariaDB names the columns of VALUES after its first row.
        if !self.first {
            self.first = true;
            if token.is("VALUES") {
                return None;
            }
        }
        if token.is_operator(b"(") {
            self.column(&placed);
            let inner = Frame::default();
            self.outer.push(std::mem::replace(&mut self.frame, inner));
        } else if token.is_operator(b")") {
            self.end_column()?;
            self.frame = self.outer.pop()?;
            let qualified = |before: Option<Placed<'_>>| before.is_some_and(|before| before.token.is_operator(b"."));
            if let [Some(argument), Some(open), Some(name), before] = self.last
                && !qualified(before)
                && open.token.is_operator(b"(")
                && name.token.is("IS_USED_LOCK")
                && !self.owners.contains(&name.start())
                && let Some(value) = self.known.owner(&argument.token)
            {
                self.replace(name.start(), end, value);
            }
            if let [Some(open), Some(name), before, _] = self.last
                && open.token.is_operator(b"(")
                && !qualified(before)
            {
                match self.known.call(&name.token).filter(|_| !self.owners.contains(&name.start())) {
                    Some(value) => {
                        self.shown |= asked_by(&name.token);
                        self.replace(name.start(), end, value);
                    }
                    None => self.unanswered |= asked_by(&name.token),
                }
            }
            self.column(&placed);
        } else if token.is("SELECT") || (token.is("RETURNING") && self.outer.is_empty()) {
            self.end_column()?;
            self.frame = Frame { column: Some(Column::default()), modifiers: true };
        } else if self.frame.column.is_some() && self.ends_list(&token) {
            self.end_column()?;
        } else if self.frame.column.is_some() && token.is_operator(b",") {
            self.end_column()?;
            self.frame.column = Some(Column::default());
        } else {
            let variable = token.kind == Kind::SystemVariable && !self.is_assigned();
            if variable {
                self.column(&placed);
                match self.known.variable(token.text) {
                    Some(value) => self.replace(placed.start(), end, value),
                    None => self.unanswered |= Effects::ASKS_LAST_INSERT_ID,
                }
            } else if !(self.frame.modifiers && token.is_any(MODIFIERS)) {
                self.column(&placed);
            }
        }
        let [a, b, c, _] = self.last;
        self.last = [Some(placed), a, b, c];
        Some(())
    }

    fn ends_list(&self, token: &Token<'_>) -> bool {
        let value_for = token.is("FOR") && self.last[0].is_some_and(|last| last.token.is("VALUE"));
        token.is_operator(b";") || (token.is_any(ENDS) && !value_for)
    }

    /// Whether the variable at hand is what a SET sets.
    fn is_assigned(&self) -> bool {
        let target = |last: Placed<'_>| last.token.is("SET") || last.token.is_operator(b",");
        self.set && self.outer.is_empty() && self.last[0].is_some_and(target)
    }

    /// A token belongs to the column that is open.
    fn column(&mut self, placed: &Placed<'a>) {
        self.frame.modifiers = false;
        let Some(column) = &mut self.frame.column else { return };
        column.start.get_or_insert_with(|| placed.start());
        column.comment |= column.after_comment;
        column.tokens = column.tokens.saturating_add(1);
        column.last = [Some(*placed), column.last[0]];
        column.interval |= placed.token.is("INTERVAL");
    }

    fn replace(&mut self, from: usize, to: usize, with: Vec<u8>) {
        self.edits.push((from, to, with));
        for frame in self.outer.iter_mut().chain([&mut self.frame]) {
            if let Some(column) = &mut frame.column {
                column.replaced = true;
            }
        }
    }

    /// The column that is open ends. None: nobody can tell whether it has an alias.
    fn end_column(&mut self) -> Option<()> {
        let Some(column) = self.frame.column.take().filter(|column| column.replaced) else { return Some(()) };
        let (Some(start), [Some(last), before]) = (column.start, column.last) else { return Some(()) };
        if has_alias(&column, &last.token, before.map(|before| before.token))? {
            return Some(());
        }
        let name = self.sql.get(start..last.end)?;
        if column.comment || name.len() > LONGEST_NAME {
            return None;
        }
        let mut alias = b" AS `".to_vec();
        for byte in name {
            alias.push(*byte);
            if *byte == b'`' {
                alias.push(b'`');
            }
        }
        alias.push(b'`');
        self.edits.push((last.end, last.end, alias));
        Some(())
    }

    fn finish(mut self) -> Option<Answered> {
        if !self.outer.is_empty() {
            return None;
        }
        self.end_column()?;
        // Of several queries each may count.
        let counts = self.queries > 1 && self.shown.intersects(Effects::ASKS_FOUND_ROWS | Effects::ASKS_ROW_COUNT);
        if self.edits.is_empty() || counts {
            return None;
        }
        let mut out = Vec::with_capacity(self.sql.len().saturating_add(64));
        let mut at = 0;
        for (from, to, with) in &self.edits {
            out.extend_from_slice(self.sql.get(at..*from)?);
            out.extend_from_slice(with);
            at = *to;
        }
        out.extend_from_slice(self.sql.get(at..)?);
        Some(Answered { text: out, asked: Known::ASKED.without(self.unanswered) })
    }
}

/// What a call of this name asks for.
fn asked_by(name: &Token<'_>) -> Effects {
    match () {
        () if name.is("FOUND_ROWS") => Effects::ASKS_FOUND_ROWS,
        () if name.is("ROW_COUNT") => Effects::ASKS_ROW_COUNT,
        () if name.is("LAST_INSERT_ID") => Effects::ASKS_LAST_INSERT_ID,
        () => Effects::NONE,
    }
}

/// Whether a column ends with an alias. None: nobody can tell.
fn has_alias(column: &Column<'_>, last: &Token<'_>, before: Option<Token<'_>>) -> Option<bool> {
    let Some(before) = before else { return Some(false) };
    if before.is("AS") {
        return Some(true);
    }
    let operand = |token: &Token<'_>| {
        token.is_operator(b")")
            || matches!(
                token.kind,
                Kind::Number | Kind::Quoted | Kind::Placeholder | Kind::UserVariable | Kind::SystemVariable
            )
    };
    match last.kind {
        Kind::Word { name: true } => Some(false),
        Kind::Word { name: false } | Kind::Quoted | Kind::Text => match before.kind {
            _ if last.is("END") => Some(false),
            _ if column.interval => None,
            _ if operand(&before) || before.is("END") => Some(true),
            Kind::Operator => Some(false),
            Kind::Word { name: false } if before.is_any(OPERATORS) => Some(false),
            _ => None,
        },
        _ => Some(false),
    }
}

/// Whether this is the session's variable of this name.
fn is_variable(variable: &[u8], name: &str) -> bool {
    ["@@", "@@session.", "@@local."].iter().any(|scope| {
        variable.split_at_checked(scope.len()).is_some_and(|(head, tail)| {
            head.eq_ignore_ascii_case(scope.as_bytes()) && tail.eq_ignore_ascii_case(name.as_bytes())
        })
    })
}

/// The four bytes whose CRC-32 (IEEE 802.3) is `crc`: over four bytes it can be run backwards.
fn crc32_preimage(crc: u32) -> u32 {
    const POLYNOMIAL: u32 = 0xEDB8_8320;
    let mut state = !crc;
    for _ in 0..32 {
        let odd = state >> 31 == 1;
        state = (if odd { state ^ POLYNOMIAL } else { state }) << 1 | u32::from(odd);
    }
    (!state).swap_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::tests::classifier;
    use super::*;

    fn crc32(bytes: [u8; 4]) -> u32 {
        let mut state = u32::MAX;
        for byte in bytes {
            state ^= u32::from(byte);
            for _ in 0..8 {
                state = if state & 1 == 1 { (state >> 1) ^ 0xEDB8_8320 } else { state >> 1 };
            }
        }
        !state
    }

    #[test]
    fn a_checksum_is_run_backwards() {
        for id in [0, 1, 7, 70_123, u32::MAX, 0x8000_0000, 0xDEAD_BEEF] {
            assert_eq!(crc32(crc32_preimage(id).to_be_bytes()), id);
        }
    }

    fn with(sql: &str) -> Option<String> {
        let shape = classifier().classify(sql.as_bytes(), SqlContext::default(), &mut Vec::new()).shape;
        let known = Known { connection: Some(7), ..Known::default() };
        with_known(sql.as_bytes(), SqlContext::default(), &shape, known)
            .map(|answered| String::from_utf8(answered.text).unwrap())
    }

    #[test]
    fn the_id_is_put_in_and_names_stay() {
        for (sql, wanted) in [
            ("SELECT CONNECTION_ID()", "SELECT ID AS `CONNECTION_ID()`"),
            ("select connection_id( ) , 1", "select ID AS `connection_id( )` , 1"),
            ("SELECT CONNECTION_ID() AS me", "SELECT ID AS me"),
            ("SELECT CONNECTION_ID() `me`, 2", "SELECT ID `me`, 2"),
            (
                "SELECT DISTINCT a, CONCAT(CONNECTION_ID(),'x') FROM t",
                "SELECT DISTINCT a, CONCAT(ID,'x') AS `CONCAT(CONNECTION_ID(),'x')` FROM t",
            ),
            (
                "SELECT CONNECTION_ID() + 1, 'CONNECTION_ID()'",
                "SELECT ID + 1 AS `CONNECTION_ID() + 1`, 'CONNECTION_ID()'",
            ),
            (
                "SELECT a FROM t WHERE b = CONNECTION_ID() OR c IN (CONNECTION_ID(), 2)",
                "SELECT a FROM t WHERE b = ID OR c IN (ID, 2)",
            ),
            (
                "SELECT `connection_id`(), CONNECTION_ID() /* CONNECTION_ID() */",
                "SELECT `connection_id`(), ID AS `CONNECTION_ID()` /* CONNECTION_ID() */",
            ),
            ("SELECT * FROM (SELECT CONNECTION_ID()) d", "SELECT * FROM (SELECT ID AS `CONNECTION_ID()`) d"),
            ("SELECT 1 UNION SELECT CONNECTION_ID();", "SELECT 1 UNION SELECT ID AS `CONNECTION_ID()`;"),
            ("INSERT INTO t VALUES (CONNECTION_ID(), 'a')", "INSERT INTO t VALUES (ID, 'a')"),
            ("UPDATE t SET a = CONNECTION_ID() WHERE b = 1", "UPDATE t SET a = ID WHERE b = 1"),
            (
                "INSERT INTO t VALUES (1) RETURNING CONNECTION_ID()",
                "INSERT INTO t VALUES (1) RETURNING ID AS `CONNECTION_ID()`",
            ),
            ("SET @x = CONNECTION_ID()", "SET @x = ID"),
            ("DO CONNECTION_ID()", "DO ID"),
            ("CALL p(CONNECTION_ID())", "CALL p(ID)"),
            (
                "SELECT CASE WHEN a THEN CONNECTION_ID() END",
                "SELECT CASE WHEN a THEN ID END AS `CASE WHEN a THEN CONNECTION_ID() END`",
            ),
            (
                "SELECT CONNECTION_ID() me FROM mysql.user u JOIN information_schema.tables t",
                "SELECT ID me FROM mysql.user u JOIN information_schema.tables t",
            ),
            ("SELECT (SELECT CONNECTION_ID()) x, b", "SELECT (SELECT ID AS `CONNECTION_ID()`) x, b"),
            ("SELECT CONNECTION_ID() = `a``b`", "SELECT ID = `a``b` AS `CONNECTION_ID() = ``a````b```"),
            ("SELECT @@pseudo_thread_id, 1", "SELECT INET_ATON('0.0.0.7') AS `@@pseudo_thread_id`, 1"),
            ("SET @x = @@session.pseudo_thread_id", "SET @x = INET_ATON('0.0.0.7')"),
        ] {
            assert_eq!(
                with(sql).as_deref(),
                Some(
                    &*wanted
                        .replace("ID", "\0")
                        .replace("CONNECTION_\0", "CONNECTION_ID")
                        .replace('\0', "CAST(7 AS UNSIGNED)")
                ),
                "{sql}"
            );
        }
    }

    fn known(sql: &str, known: Known) -> Option<(String, Effects)> {
        let shape = classifier().classify(sql.as_bytes(), SqlContext::default(), &mut Vec::new()).shape;
        with_known(sql.as_bytes(), SqlContext::default(), &shape, known)
            .map(|answered| (String::from_utf8(answered.text).unwrap(), answered.asked))
    }

    #[test]
    fn counts_that_are_known_are_put_in() {
        let all = Known { found: Some(5), count: Some(-1), insert_id: Some(9), ..Known::default() };
        for (sql, wanted) in [
            (
                "SELECT FOUND_ROWS(), ROW_COUNT() AS n",
                "SELECT IF(0,FOUND_ROWS(),5) AS `FOUND_ROWS()`, IF(0,ROW_COUNT(),-1) AS n",
            ),
            ("INSERT INTO t VALUES (LAST_INSERT_ID(), 1)", "INSERT INTO t VALUES ((9|0), 1)"),
            (
                "SELECT @@identity x, @@session.last_insert_id y",
                "SELECT INET_ATON('0.0.0.9') x, INET_ATON('0.0.0.9') y",
            ),
        ] {
            let (text, asked) = known(sql, all.clone()).unwrap();
            assert_eq!((&*text, asked), (wanted, Known::ASKED), "{sql}");
        }
        // What is not known is still asked for.
        let (text, asked) =
            known("SELECT FOUND_ROWS() f, ROW_COUNT() r", Known { found: None, ..all.clone() }).unwrap();
        assert_eq!(text, "SELECT FOUND_ROWS() f, IF(0,ROW_COUNT(),-1) r");
        assert_eq!(asked, Known::ASKED.without(Effects::ASKS_FOUND_ROWS));
        for sql in [
            "SELECT a.row_count()",
            "SELECT LAST_INSERT_ID(5)",
            "SET @@last_insert_id = 5",
            "SHOW TABLES",
            "SELECT @@identity",
        ] {
            let large = Known { insert_id: Some(1 << 40), ..all.clone() };
            assert_eq!(known(sql, large), None, "{sql}");
        }
    }

    #[test]
    fn the_owner_of_a_lock_is_named_as_clients_know_it() {
        let owners = vec![(31, 7), (32, 9)];
        let maria = Known { owners, mariadb: true, ..Known::default() };
        let (text, _) = known("SELECT IS_USED_LOCK('a'), 1", maria.clone()).unwrap();
        let value = "CASE IS_USED_LOCK('a') WHEN 31 THEN 7 WHEN 32 THEN 9 ELSE IS_USED_LOCK('a') END";
        assert_eq!(text, format!("SELECT ({value}) AS `IS_USED_LOCK('a')`, 1"));
        let (text, _) = known("SELECT IS_USED_LOCK('a') x", Known { mariadb: false, ..maria.clone() }).unwrap();
        assert_eq!(text, format!("SELECT CAST({value} AS UNSIGNED) x"));
        for sql in [
            "SELECT IS_USED_LOCK(CONCAT('a', 'b'))",
            "SELECT IS_USED_LOCK('a') = CONNECTION_ID()",
            "SELECT IS_USED_LOCK(?)",
        ] {
            assert_eq!(known(sql, maria.clone()), None, "{sql}");
        }
    }

    #[test]
    fn the_owner_of_a_lock_is_compared_with_the_servers_id() {
        let mixed = with("SELECT IS_USED_LOCK('a') = CONNECTION_ID(), CONNECTION_ID() AS me").unwrap();
        assert_eq!(mixed, "SELECT IS_USED_LOCK('a') = CONNECTION_ID(), CAST(7 AS UNSIGNED) AS me");
    }

    #[test]
    fn what_cannot_be_told_is_left() {
        for sql in [
            "SELECT IS_USED_LOCK('a') = CONNECTION_ID()",
            "SELECT 1 FROM t WHERE IS_USED_LOCK(CONCAT('a', (b))) <=> /* me */ CONNECTION_ID()",
            "DO CONNECTION_ID ( ) != IS_USED_LOCK('a')",
            "SELECT 'CONNECTION_ID()'",
            "CREATE TABLE t (a INT DEFAULT (CONNECTION_ID()))",
            "CREATE VIEW v AS SELECT CONNECTION_ID()",
            "SELECT CONNECTION_ID() /* c */ + 1",
            "SELECT /*! CONNECTION_ID() */ 1",
            "SELECT a.connection_id()",
            "SELECT CONNECTION_ID() + INTERVAL 1 DAY",
            "SET @@pseudo_thread_id = 5",
            "SELECT CONNECTION_ID(), (1",
            "SELECT * FROM performance_schema.threads WHERE processlist_id = CONNECTION_ID()",
            "SELECT * FROM `information_schema` . processlist WHERE id = CONNECTION_ID()",
            "SELECT * FROM mysql.general_log WHERE thread_id = CONNECTION_ID()",
            "SELECT * FROM session_connect_attrs WHERE processlist_id = CONNECTION_ID()",
        ] {
            assert_eq!(with(sql), None, "{sql}");
        }
    }
}
