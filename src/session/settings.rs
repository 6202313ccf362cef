//! The state that a session wants and a connection has, and the difference between the two: the preamble that is sent
//! in front of a statement.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use bytes::{BufMut as _, BytesMut};

use super::plan::Replay;
use crate::sql::{Charset, SqlContext, SqlMode, charset_class};
use crate::wire::command::{code, query_head};
use crate::wire::writer::{put_packet, put_with};
use crate::wire::{Capabilities, ReplyKind, SessionTrack};

/// Session state that can be carried from one connection to another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// The schema.
    pub schema: Option<Box<[u8]>>,
    /// System variables that were set, as SQL literals by lower-case name.
    pub variables: BTreeMap<Box<str>, Box<str>>,
    /// User variables that were set to literals, by lower-case name.
    pub user_variables: BTreeMap<Box<str>, Box<str>>,
    /// COM_SET_OPTION, or what the login said.
    pub multi_statements: bool,
}

/// At most so many variables of one session are carried; one more pins it.
pub(super) const MAX_VARIABLES: usize = 256;

/// The values of the user variables of one session are carried up to so many bytes in all.
const MAX_USER_BYTES: usize = 64 << 10;

impl Settings {
    /// A system variable's value without its quotes.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(|value| unquoted(value))
    }
}

/// The variables that a PREPARE reads and its statement keeps.
const PREPARED_UNDER: [&str; 6] = [
    "sql_mode",
    NAMES,
    "character_set_client",
    "character_set_connection",
    "character_set_results",
    "collation_connection",
];

/// Among the settings, it is the list of what connections report where the client wants to be told of more than the proxy.
pub(super) const SYSTEM_VARIABLES: &str = "session_track_system_variables";

/// What SET NAMES sets.
const CHARSETS: [&str; 4] =
    ["character_set_client", "character_set_connection", "character_set_results", "collation_connection"];

/// Stands among the variables for the last SET NAMES: the collation that it gives to results, which their columns show,
/// cannot be set by variables. The four variables stand beside it only where they were set later.
const NAMES: &str = "names";

impl Settings {
    /// What is set after a client's COM_RESET_CONNECTION.
    pub(super) fn after_reset(&mut self, base: &Base) {
        for Reset { name, reset, .. } in base.resets.iter().filter(|one| one.login != one.reset) {
            self.variables.insert((*name).into(), reset.clone());
        }
        let names = ["character_set_client", "character_set_results", "collation_connection"];
        for (name, value) in names.into_iter().zip(base.reset.iter().flatten()) {
            self.variables.insert(name.into(), charset_literal(value).into());
        }
    }

    /// SET NAMES, with what stood behind it; None: something else that sets the same, reported variable by variable.
    pub(super) fn named(&mut self, names: Option<&str>) {
        if let Some(names) = names {
            for variable in CHARSETS {
                self.variables.remove(variable);
            }
            self.variables.insert(NAMES.into(), names.into());
        } else {
            self.variables.remove(NAMES);
        }
    }

    /// `@@character_set_client`, if it was set.
    fn client_charset(&self) -> Option<&str> {
        let named = || self.variable(NAMES)?.split(' ').next();
        self.variable("character_set_client").or_else(named)
    }

    /// What a statement that was prepared under these settings must be prepared under again.
    pub(super) fn prepared_under(&self) -> impl Iterator<Item = (&str, &str)> {
        PREPARED_UNDER.iter().filter_map(|name| self.variables.get(*name).map(|value| (*name, &**value)))
    }

    /// These settings, as far as a PREPARE reads them those of `prepared`. All else stays: `autocommit` among it, whose
    /// change would commit a transaction.
    #[must_use]
    pub fn for_prepare(&self, prepared: &Self) -> Self {
        let mut settings = self.clone();
        settings.variables.retain(|name, _| !PREPARED_UNDER.contains(&&**name));
        settings.variables.extend(prepared.prepared_under().map(|(name, value)| (name.into(), value.into())));
        settings.schema.clone_from(&prepared.schema);
        settings
    }
}

fn unquoted(literal: &str) -> &str {
    literal.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap_or(literal)
}

/// A variable that a login sets by the client's capabilities (CLIENT_IGNORE_SPACE, CLIENT_INTERACTIVE): DEFAULT is the
/// server's own value, and so is what MariaDB's COM_RESET_CONNECTION leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reset {
    /// Its name.
    pub name: &'static str,
    /// What a login sets, as an SQL literal.
    pub login: Box<str>,
    /// What a reset leaves, as an SQL literal.
    pub reset: Box<str>,
}

/// What a fresh connection has, before any SET: the server's defaults and what the login carried.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Base {
    /// `@@character_set_client`.
    pub character_set_client: Box<str>,
    /// `@@character_set_results`; empty: NULL.
    pub character_set_results: Box<str>,
    /// `@@collation_connection`.
    pub collation_connection: Box<str>,
    /// The login's collation, by number; 0: not known.
    pub collation: u16,
    /// What COM_RESET_CONNECTION leaves of the character sets, when that is not the login's: MySQL takes the server's own.
    /// `character_set_client`, `character_set_results`, `collation_connection`.
    pub reset: Option<[Box<str>; 3]>,
    /// What a login sets otherwise than the server's own.
    pub resets: Box<[Reset]>,
    /// `@@sql_mode`.
    pub sql_mode: Box<str>,
    /// `@@autocommit`.
    pub autocommit: bool,
    /// The server is MariaDB, not MySQL.
    pub mariadb: bool,
    /// `@@tx_isolation` or `@@transaction_isolation`.
    pub isolation: Box<str>,
    /// `@@wait_timeout`, in seconds; None: not known.
    pub wait_timeout: Option<u64>,
    /// MySQL: sessions are told of their GTIDs unasked, by the server's `session_track_gtids`.
    pub tells_gtids: bool,
}

/// The variables that have these names on one family of servers or the other.
pub const ALIASES: [[&str; 2]; 2] = [ISOLATION, ["tx_read_only", "transaction_read_only"]];

const ISOLATION: [&str; 2] = ["tx_isolation", "transaction_isolation"];

impl Base {
    /// How statement text is to be read under these defaults and the session's own settings.
    #[must_use]
    pub fn context(&self, settings: &Settings) -> SqlContext {
        let mode = settings.variable("sql_mode").unwrap_or(&self.sql_mode);
        let charset = settings.client_charset().unwrap_or(&self.character_set_client);
        SqlContext { mode: SqlMode::parse(mode), charset: charset_class(charset) }
    }

    /// How text is to be read when nothing is known of the server yet: not at all.
    #[must_use]
    pub fn unknown_context() -> SqlContext {
        SqlContext { mode: SqlMode::default(), charset: Charset::Unreadable }
    }

    /// Variables that are others in `other`, by their names on this family of servers, the first of which sets it, with the
    /// values here as SQL literals.
    pub(super) fn differing(&self, other: &Self) -> Vec<([&'static str; 2], Box<str>)> {
        let [tx, transaction] = ISOLATION;
        let isolation = if self.mariadb { [tx, transaction] } else { [transaction, tx] };
        let autocommit = |base: &Self| if base.autocommit { "ON" } else { "OFF" };
        [
            (["sql_mode"; 2], &*self.sql_mode, &*other.sql_mode),
            (isolation, &*self.isolation, &*other.isolation),
            (["autocommit"; 2], autocommit(self), autocommit(other)),
        ]
        .into_iter()
        .filter(|(_, own, others)| own != others)
        .map(|(names, own, _)| (names, literal(names[0], own.as_bytes())))
        .collect()
    }

    /// Whether this session's transactions are SERIALIZABLE.
    #[must_use]
    pub fn is_serializable(&self, settings: &Settings) -> bool {
        let isolation = ISOLATION.iter().find_map(|name| settings.variable(name)).unwrap_or(&self.isolation);
        isolation.eq_ignore_ascii_case("SERIALIZABLE")
    }
}

/// The setup of a fresh or reset connection: every change of state is to be reported. For MariaDB.
const TRACKING_MARIADB: &str = "session_track_schema=1,session_track_system_variables='*',session_track_state_change=1";

/// The same for MySQL, where `*` makes every OK packet carry `statement_id` (MySQL 9.7). What is not named here is
/// followed by the text of the SET, or pins the session.
const TRACKING_MYSQL: &str = "session_track_schema=1,session_track_system_variables='autocommit,big_tables,\
    character_set_client,character_set_connection,character_set_results,collation_connection,\
    default_storage_engine,div_precision_increment,explicit_defaults_for_timestamp,foreign_key_checks,\
    group_concat_max_len,innodb_lock_wait_timeout,interactive_timeout,lc_messages,lc_time_names,lock_wait_timeout,\
    max_execution_time,max_heap_table_size,max_join_size,max_sort_length,net_read_timeout,net_write_timeout,\
    optimizer_switch,sort_buffer_size,sql_auto_is_null,sql_big_selects,sql_buffer_result,sql_mode,sql_notes,\
    sql_quote_show_create,sql_safe_updates,sql_select_limit,sql_warnings,time_zone,tmp_table_size,\
    transaction_isolation,transaction_read_only,unique_checks,updatable_views_with_limit,wait_timeout,\
    windowing_use_high_precision',session_track_state_change=1";

/// The assignments that make a server of this family report every change of state.
#[must_use]
pub const fn tracking(mariadb: bool) -> &'static str {
    if mariadb { TRACKING_MARIADB } else { TRACKING_MYSQL }
}

/// The variables whose changes those report, as a list with commas.
pub(super) fn tracked_variables(mariadb: bool) -> &'static str {
    let list = tracking(mariadb).split_once("session_track_system_variables='").map(|(_, rest)| rest);
    list.and_then(|rest| rest.split_once('\'')).map_or("", |(list, _)| list)
}

/// The same for a session that may want to be told of more. One assignment of a variable: of two in one SET, MySQL (9.7) takes
/// the first for what it reports.
pub(super) fn tracking_of(mariadb: bool, wanted: &Settings) -> String {
    match wanted.variables.get(SYSTEM_VARIABLES) {
        Some(list) => {
            format!("session_track_schema=1,session_track_state_change=1,session_track_system_variables={list}")
        }
        None => tracking(mariadb).to_owned(),
    }
}

/// What a connection's session state is known to be.
#[derive(Debug, Clone)]
pub struct ConnectionState {
    /// What it had when fresh.
    pub base: Arc<Base>,
    /// What it has now.
    pub settings: Arc<Settings>,
    /// False: it may hold more than is known, and must be reset before another session gets it.
    pub known: bool,
}

/// What is sent in front of a statement to give a connection the session's state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preamble {
    /// COM_RESET_CONNECTION first.
    pub reset: bool,
    /// Then COM_SET_OPTION.
    pub multi_statements: Option<bool>,
    /// Then a SET of these assignments.
    pub set: String,
    /// Then COM_INIT_DB.
    pub schema: Option<Box<[u8]>>,
    /// Then statements that leave what the session's previous ones left.
    pub replay: Option<Replay>,
}

impl Preamble {
    /// What takes a connection from `held` to `wanted`.
    ///
    /// A connection cannot be taken back to having no schema; callers see to it by the pool's key.
    #[must_use]
    pub fn between(held: &ConnectionState, wanted: &Arc<Settings>) -> Self {
        let mut preamble = Self::default();
        if held.known && Arc::ptr_eq(&held.settings, wanted) {
            return preamble;
        }
        let fresh = Settings { multi_statements: held.settings.multi_statements, ..Settings::default() };
        // A user variable cannot be taken back: NULL would keep its old type.
        let foreign = |name| !wanted.user_variables.contains_key(name);
        let known = held.known && !held.settings.user_variables.keys().any(foreign);
        let have = if known { &*held.settings } else { &fresh };
        if !known {
            preamble.reset = true;
            preamble.set.push_str(&tracking_of(held.base.mariadb, wanted));
        }
        if preamble.reset {
            for Reset { name, login, .. } in
                held.base.resets.iter().filter(|one| !wanted.variables.contains_key(one.name))
            {
                preamble.assign(name, login);
            }
        }
        if have.multi_statements != wanted.multi_statements {
            preamble.multi_statements = Some(wanted.multi_statements);
        }
        let charsets = |settings: &Settings| {
            let all = settings.variables.iter().filter(|(name, _)| is_charset(name));
            all.map(|(name, value)| (name.clone(), value.clone())).collect::<Vec<_>>()
        };
        // MySQL resets to the server's character set, MariaDB to the login's.
        if preamble.reset || (have.variables != wanted.variables && charsets(have) != charsets(wanted)) {
            preamble.assign_charsets(&held.base, wanted);
        }
        if have.variables != wanted.variables {
            for name in have.variables.keys().filter(|name| !wanted.variables.contains_key(*name)) {
                if &**name == SYSTEM_VARIABLES {
                    preamble.assign(name, &format!("'{}'", tracked_variables(held.base.mariadb)));
                } else if !is_charset(name) {
                    // DEFAULT is the server's, without what the login's capabilities set.
                    let login = held.base.resets.iter().find(|one| one.name == &**name);
                    preamble.assign(name, login.map_or("DEFAULT", |one| &*one.login));
                }
            }
            for (name, value) in &wanted.variables {
                // With the tracking of a reset it is set already.
                let set = preamble.reset && &**name == SYSTEM_VARIABLES;
                if have.variables.get(name) != Some(value) && !is_charset(name) && !set {
                    preamble.assign(name, value);
                }
            }
        }
        if have.user_variables != wanted.user_variables {
            for (name, value) in &wanted.user_variables {
                if have.user_variables.get(name) != Some(value) {
                    preamble.assign_user(name, value);
                }
            }
        }
        if have.schema != wanted.schema {
            preamble.schema.clone_from(&wanted.schema);
        }
        preamble
    }

    /// Adds `name = literal` to the SET.
    pub fn assign(&mut self, name: &str, literal: &str) {
        self.comma();
        // An own SESSION each: a scope keyword holds for what follows it.
        let _ = write!(self.set, "SESSION {name}={literal}");
    }

    /// All of the character sets and collations, in the order in which one does not undo the other.
    fn assign_charsets(&mut self, base: &Base, wanted: &Settings) {
        if let Some(names) = wanted.variables.get(NAMES) {
            self.comma();
            let _ = write!(self.set, "NAMES {names}");
        } else if let Some(names) = base.names() {
            self.comma();
            self.set.push_str(&names);
        } else {
            self.assign("character_set_client", &charset_literal(&base.character_set_client));
            self.assign("character_set_results", &charset_literal(&base.character_set_results));
            self.assign("collation_connection", &charset_literal(&base.collation_connection));
        }
        for name in CHARSETS {
            if let Some(value) = wanted.variables.get(name) {
                self.assign(name, value);
            }
        }
    }

    fn assign_user(&mut self, name: &str, literal: &str) {
        self.comma();
        let _ = write!(self.set, "@`{}`={literal}", name.replace('`', "``"));
    }

    fn comma(&mut self) {
        if !self.set.is_empty() {
            self.set.push(',');
        }
    }

    /// Whether nothing is to be sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.reset
            && self.multi_statements.is_none()
            && self.set.is_empty()
            && self.schema.is_none()
            && self.replay.is_none()
    }

    /// Appends the commands, for a connection where `agreed` was agreed; returns the kinds of their replies, in order.
    pub fn encode(&self, out: &mut BytesMut, agreed: Capabilities) -> Vec<ReplyKind> {
        let mut replies = Vec::with_capacity(4);
        let mut command = |fill: &mut dyn FnMut(&mut BytesMut)| {
            put_with(out, 0, |out| fill(out));
            replies.push(ReplyKind::Simple);
        };
        if self.reset {
            command(&mut |out| out.put_u8(code::RESET_CONNECTION));
        }
        if let Some(on) = self.multi_statements {
            command(&mut |out| {
                out.put_u8(code::SET_OPTION);
                out.put_u16_le(u16::from(!on));
            });
        }
        if !self.set.is_empty() {
            let mut payload = BytesMut::with_capacity(self.set.len() + 7);
            payload.put_slice(query_head(agreed));
            payload.put_slice(b"SET ");
            payload.put_slice(self.set.as_bytes());
            put_packet(out, 0, &payload);
            replies.push(ReplyKind::Results);
        }
        let mut command = |fill: &mut dyn FnMut(&mut BytesMut)| {
            put_with(out, 0, |out| fill(out));
            replies.push(ReplyKind::Results);
        };
        if let Some(schema) = &self.schema {
            command(&mut |out| {
                out.put_u8(code::INIT_DB);
                out.put_slice(schema);
            });
        }
        if let Some(Replay { found, result }) = self.replay {
            let mut query = |text: &[u8], times: u64| {
                command(&mut |out| {
                    out.put_slice(query_head(agreed));
                    out.put_slice(text);
                    for _ in 1..times {
                        out.put_slice(b" UNION ALL SELECT 0");
                    }
                });
            };
            // What names no table leaves the warnings that others left (MariaDB 10.11).
            match found {
                Some(0) => query(b"SELECT 0 FROM (SELECT 0) d WHERE 0", 1),
                Some(rows) => query(b"SELECT 0 FROM (SELECT 0) d", rows),
                None if result => query(b"SELECT 0 FROM (SELECT 0) d", 1),
                None => query(b"DO (SELECT 0 FROM (SELECT 0) d)", 1),
            }
            if found.is_some() && !result {
                query(b"DO 0", 1);
            }
        }
        replies
    }
}

impl Base {
    /// The assignments that bring back what a login set, if they are simple.
    fn names(&self) -> Option<String> {
        let (charset, collation) = (&self.character_set_client, &self.collation_connection);
        let belongs = collation.strip_prefix(&**charset).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
        if *charset != self.character_set_results || charset.is_empty() || !belongs {
            return None;
        }
        // MySQL's NAMES takes the character set's own collation for results, whatever COLLATE says, and columns show it
        // (9.7); a login takes its own, and so does a number.
        let number = self.collation;
        Some(match (self.mariadb, number) {
            (false, 1..) => format!(
                "SESSION character_set_client={number},SESSION character_set_results={number},SESSION \
                 collation_connection={number}"
            ),
            _ => format!("NAMES {charset} COLLATE {collation}"),
        })
    }
}

/// Whether it is one of the variables of SET NAMES.
pub(super) fn is_charset(variable: &str) -> bool {
    variable == NAMES || CHARSETS.contains(&variable)
}

fn charset_literal(name: &str) -> String {
    if name.is_empty() { "NULL".to_owned() } else { name.to_owned() }
}

/// Variables that may be NULL, which is reported as an empty value.
const NULLABLE: [&str; 3] = ["character_set_results", "default_tmp_storage_engine", "enforce_storage_engine"];

/// A value that the server reported for a system variable, as an SQL literal that sets it again.
#[must_use]
pub fn literal(name: &str, value: &[u8]) -> Box<str> {
    let Ok(text) = std::str::from_utf8(value) else { return hexadecimal(value) };
    if text.is_empty() && NULLABLE.contains(&name) {
        return "NULL".into();
    }
    // MariaDB takes what it reports here for no point in time (10.11).
    if name == "system_versioning_asof" && text == "DEFAULT" {
        return text.into();
    }
    let numeric = !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-')
        && text.parse::<f64>().is_ok();
    if numeric {
        return text.into();
    }
    // Neither a quote nor a backslash: the same in every sql_mode.
    if text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') && !text.contains(['\'', '\\', '"']) {
        return format!("'{text}'").into();
    }
    hexadecimal(value)
}

fn hexadecimal(value: &[u8]) -> Box<str> {
    let mut out = String::with_capacity(value.len() * 2 + 12);
    out.push_str("_utf8mb4 X'");
    for byte in value {
        let _ = write!(out, "{byte:02X}");
    }
    out.push('\'');
    out.into()
}

impl Settings {
    /// Whether a user variable of this value can be carried beside the others.
    pub(super) fn takes(&self, name: &str, literal: &str) -> bool {
        let others = self.user_variables.iter().filter(|(other, _)| &***other != name);
        let bytes: usize = others.map(|(_, value)| value.len()).sum();
        self.user_variables.len() < MAX_VARIABLES && bytes.saturating_add(literal.len()) <= MAX_USER_BYTES
    }

    /// Takes in what a server reported. False: there are too many variables to carry.
    pub fn absorb(self: &mut Arc<Self>, track: &SessionTrack) -> bool {
        if track.schema.is_none() && track.variables.is_empty() {
            return true;
        }
        let settings = Arc::make_mut(self);
        if let Some(schema) = &track.schema {
            settings.schema = Some(schema.clone()).filter(|schema| !schema.is_empty());
        }
        for (name, value) in &track.variables {
            // Ours, or a counter of MySQL's that every statement moves.
            if super::tracking::is_hidden(name) || &**name == "statement_id" {
                continue;
            }
            if &**name == "character_set_connection" {
                settings.variables.remove("collation_connection");
            }
            settings.variables.insert(name.clone(), literal(name, value));
        }
        settings.variables.len() <= MAX_VARIABLES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Arc<Base> {
        Arc::new(Base {
            resets: Box::default(),
            character_set_client: "utf8mb4".into(),
            character_set_results: "utf8mb4".into(),
            collation_connection: "utf8mb4_general_ci".into(),
            collation: 45,
            reset: None,
            sql_mode: "".into(),
            autocommit: true,
            mariadb: true,
            isolation: "REPEATABLE-READ".into(),
            wait_timeout: Some(28_800),
            tells_gtids: false,
        })
    }

    fn wanted(variables: &[(&str, &str)], schema: Option<&str>) -> Arc<Settings> {
        Arc::new(Settings {
            schema: schema.map(|schema| schema.as_bytes().into()),
            variables: variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            ..Settings::default()
        })
    }

    #[test]
    fn equal_states_need_nothing() {
        let held =
            ConnectionState { base: base(), settings: wanted(&[("sql_mode", "'ANSI'")], Some("a")), known: true };
        assert!(Preamble::between(&held, &held.settings).is_empty());
        assert!(Preamble::between(&held, &wanted(&[("sql_mode", "'ANSI'")], Some("a"))).is_empty());
    }

    #[test]
    fn only_the_difference_is_sent() {
        let held = ConnectionState {
            base: base(),
            settings: wanted(&[("sql_mode", "'ANSI'"), ("time_zone", "'+00:00'")], Some("a")),
            known: true,
        };
        let preamble = Preamble::between(&held, &wanted(&[("sql_mode", "''"), ("max_join_size", "5")], Some("b")));
        assert_eq!(preamble.set, "SESSION time_zone=DEFAULT,SESSION max_join_size=5,SESSION sql_mode=''");
        assert_eq!(preamble.schema.as_deref(), Some(&b"b"[..]));
        assert!(!preamble.reset);
        let mut out = BytesMut::new();
        assert_eq!(preamble.encode(&mut out, Capabilities::default()).len(), 2);
    }

    #[test]
    fn an_unknown_state_is_reset_and_set_up_again() {
        let held = ConnectionState { base: base(), settings: wanted(&[("sql_mode", "'ANSI'")], None), known: false };
        let preamble = Preamble::between(&held, &wanted(&[], None));
        assert!(preamble.reset);
        assert!(preamble.set.starts_with(tracking(true)));
        assert!(!preamble.set.contains("sql_mode"));
    }

    #[test]
    fn user_variables_of_others_are_cleared() {
        let mut settings = Settings::default();
        settings.user_variables.insert("a".into(), "1".into());
        let held = ConnectionState { base: base(), settings: Arc::new(settings), known: true };
        assert!(Preamble::between(&held, &wanted(&[], None)).reset);
    }

    #[test]
    fn reported_values_become_literals() {
        assert_eq!(&*literal("sql_mode", b"ANSI"), "'ANSI'");
        assert_eq!(&*literal("max_join_size", b"1000"), "1000");
        assert_eq!(&*literal("long_query_time", b"10.500000"), "10.500000");
        assert_eq!(&*literal("sql_mode", b""), "''");
        assert_eq!(&*literal("character_set_results", b""), "NULL");
        assert_eq!(&*literal("default_tmp_storage_engine", b""), "NULL");
        assert_eq!(&*literal("system_versioning_asof", b"DEFAULT"), "DEFAULT");
        assert_eq!(&*literal("time_zone", b"+01:00"), "'+01:00'");
        assert_eq!(&*literal("init", b"it's"), "_utf8mb4 X'69742773'");
    }
}
