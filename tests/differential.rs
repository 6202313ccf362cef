//! The same random sessions run on the primary directly and through the proxy, and every result must be the same: rows,
//! columns, counts, warnings, errors, status flags.
//!
//! `WALK_SEEDS=100..500` walks other seeds than the committed ones. A difference prints its seed and the
//! shortest sequence of steps that still shows it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a broken fixture must fail the test, and a difference must be seen"
)]

mod support;

use std::fmt::Write as _;
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder, QueryResult, Statement, Value};
use pointsman::cluster::Flavor;
use pointsman::sandbox::{APP, Sandbox, SandboxOptions};
use support::random::Random;

/// Sessions at once; the pools have as many connections, so that all of them can be pinned.
const SESSIONS: usize = 3;

/// One thing that a session does. `{s}` in texts is the session's number, `{a}` and `{b}` the two schemas.
#[derive(Debug, Clone, PartialEq)]
enum Act {
    Query(String),
    /// Prepares into a slot.
    Prepare(usize, String),
    Execute(usize, Vec<Value>),
    Close(usize),
    Reset,
    /// Leaves, and comes again as a new session.
    Reconnect,
}

#[derive(Debug, Clone, PartialEq)]
struct Step {
    session: usize,
    act: Act,
}

// --- the grammar ---

/// Reads that a replica may answer; many of them show a piece of session state.
const READS: &[&str] = &[
    "SELECT * FROM ref ORDER BY id",
    "SELECT id, v FROM t{s} ORDER BY id",
    "SELECT v, s FROM t{s} WHERE id > # ORDER BY id LIMIT 2",
    "SELECT id FROM ref ORDER BY id LIMIT 2, 3",
    "SELECT id FROM ref WHERE id > 100",
    "SELECT COUNT(*), SUM(v) FROM t{s}",
    "SELECT SQL_CALC_FOUND_ROWS id FROM ref ORDER BY id LIMIT 3",
    "SELECT SQL_CALC_FOUND_ROWS id FROM ref ORDER BY id LIMIT 3 OFFSET 10",
    "SELECT FROM_UNIXTIME(0)",
    "SELECT 10/3, 1/0",
    "SELECT CHARSET('a'), COLLATION('a'), HEX('\u{e9}')",
    "SELECT DATABASE(), SCHEMA()",
    "SELECT 'a\\tb', 'it''s'",
    "SELECT \"id\" FROM ref WHERE id = 1",
    "SELECT GROUP_CONCAT(name ORDER BY id) FROM ref",
    "SELECT DATE_FORMAT('2020-01-01', '%W')",
    "SELECT CAST('12x' AS SIGNED)",
    "SELECT id FROM nowhere",
    "SELECT nothing FROM ref",
    "SELECT 'a' || 'b'",
    "SELECT id, name FROM {b}.ref WHERE id < 3",
    "SELECT @x, @y",
    "SELECT @x + 1 AS next",
    "SELECT CHARSET(@x), COLLATION(@y)",
    "SHOW TABLES LIKE 'ref'",
    "SELECT id FROM ref UNION ALL SELECT 0 LIMIT 4",
    "(SELECT id FROM ref ORDER BY id LIMIT 1) UNION (SELECT 3) ORDER BY 1",
    "WITH c AS (SELECT id FROM ref) SELECT COUNT(*) FROM c",
    "SELECT id FROM ref WHERE name = 'one'; SELECT 2",
    "SELECT 1",
    "SELECT 1 WHERE 1 = 0",
    "SELECT 1 FROM (SELECT 0) d WHERE 0",
    "SELECT x FROM tmp",
    "SELECT * FROM tmp ORDER BY x",
    "EXPLAIN SELECT id FROM ref",
    "DESCRIBE ref",
];

const ASKS: &[&str] = &[
    "SELECT FOUND_ROWS()",
    "SELECT ROW_COUNT()",
    "SHOW WARNINGS",
    "SHOW ERRORS",
    "SHOW COUNT(*) WARNINGS",
    "SELECT LAST_INSERT_ID()",
    "SELECT @@identity, @@last_insert_id",
    "SELECT @@warning_count, @@error_count",
    "SELECT LAST_INSERT_ID(), ROW_COUNT()",
    "GET DIAGNOSTICS @n = NUMBER",
];

const WRITES: &[&str] = &[
    "INSERT INTO t{s} (v, s) VALUES (#, 'a')",
    "INSERT INTO t{s} (v, s) VALUES (#, 'a'), (#, 'b')",
    "INSERT INTO t{s} (id, v) VALUES (5#, #)",
    "INSERT IGNORE INTO t{s} (v) VALUES (1), (#)",
    "INSERT INTO t{s} (v) VALUES (1)",
    "INSERT INTO u{s} (t_id, n) VALUES (LAST_INSERT_ID(), #)",
    "INSERT INTO t{s} (v) VALUES (#) ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id), s = 'dup'",
    "INSERT INTO t{s} (v) VALUES ('x#')",
    "UPDATE t{s} SET s = 'u#' WHERE id < #",
    "UPDATE t{s} SET s = 'same'",
    "UPDATE t{s} SET v = LAST_INSERT_ID(v + 1000) WHERE id = #",
    "DELETE FROM t{s} WHERE id = #",
    "REPLACE INTO t{s} (id, v) VALUES (#, #)",
    "INSERT INTO t{s} (v) SELECT id + 700# FROM ref WHERE id < 3",
    "INSERT INTO t{s} (v) VALUES (#) RETURNING id, v",
    "INSERT INTO t{s} (v) VALUES (#); INSERT INTO t{s} (v) VALUES (#); SELECT LAST_INSERT_ID()",
    "INSERT INTO t{s} (v) VALUES (#); SELECT bad",
    "TRUNCATE TABLE u{s}",
    "CREATE TABLE IF NOT EXISTS made{s} (a INT)",
    "DROP TABLE IF EXISTS made{s}",
    "INSERT INTO made{s} VALUES (#)",
    "INSERT INTO tmp VALUES (#)",
    "SELECT v FROM t{s} ORDER BY id LIMIT 1 FOR UPDATE",
    "DO 1",
    "DO LAST_INSERT_ID(#)",
    "SELECT LAST_INSERT_ID(77#)",
];

const STATE: &[&str] = &[
    "SET @x = #",
    "SET @x = 'text', @y = 1.5",
    "SET @y = NULL",
    "SET @x = @x + 1",
    "SELECT @x := 5#",
    "SELECT MAX(id) INTO @y FROM ref",
    "SET NAMES utf8mb4",
    "SET NAMES latin1",
    "SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci",
    "SET collation_connection = utf8mb4_bin",
    "SET character_set_results = NULL",
    "SET character_set_results = utf8mb4",
    "SET sql_mode = 'ANSI_QUOTES'",
    "SET sql_mode = ''",
    "SET sql_mode = DEFAULT",
    "SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_BACKSLASH_ESCAPES'",
    "SET sql_mode = CONCAT(@@sql_mode, ',PIPES_AS_CONCAT')",
    "SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci, SESSION sql_mode='ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES'",
    "SET time_zone = '+05:30'",
    "SET time_zone = DEFAULT",
    "SET div_precision_increment = 8",
    "SET div_precision_increment = DEFAULT",
    "SET group_concat_max_len = 4#",
    "SET lc_time_names = 'de_DE'",
    "SET sql_select_limit = 2",
    "SET sql_select_limit = DEFAULT",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    "SET SESSION TRANSACTION READ ONLY",
    "SET SESSION TRANSACTION READ WRITE",
    "SET SESSION tx_isolation = DEFAULT",
    "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED",
    "SET sql_mode = 'NONSENSE'",
    "SET no_such_variable = 1",
    "SET timestamp = 1000000000",
    "SET timestamp = DEFAULT",
    "SET SESSION insert_id = 90#",
    "SET @@session.max_error_count = 1",
    "SET sql_warnings = 1, foreign_key_checks = 0",
    "SET session_track_state_change = 1",
    "SELECT @@sql_mode, @@time_zone, @@autocommit, @@tx_isolation, @@tx_read_only, @@collation_connection",
    "SELECT @@character_set_client, @@character_set_results, @@div_precision_increment, @@sql_select_limit",
    "USE {a}",
    "USE {b}",
    "USE no_such_schema",
    "FLUSH STATUS",
];

const TRANSACTIONS: &[&str] = &[
    "BEGIN",
    "START TRANSACTION",
    "START TRANSACTION READ ONLY",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    "COMMIT",
    "COMMIT",
    "COMMIT",
    "ROLLBACK",
    "ROLLBACK",
    "COMMIT AND CHAIN",
    "SET autocommit = 0",
    "SET autocommit = 1",
    "SET autocommit = 1",
    "SAVEPOINT one",
    "ROLLBACK TO SAVEPOINT one",
    "RELEASE SAVEPOINT one",
];

const HELD: &[&str] = &[
    "CREATE TEMPORARY TABLE tmp (x INT PRIMARY KEY)",
    "CREATE TEMPORARY TABLE IF NOT EXISTS tmp (x INT PRIMARY KEY)",
    "CREATE TEMPORARY TABLE ref SELECT 1 AS id, 'shadow' AS name",
    "DROP TEMPORARY TABLE tmp",
    "DROP TABLE IF EXISTS tmp",
    "DROP TEMPORARY TABLE IF EXISTS tmp, ref",
    "SELECT GET_LOCK('{a}-one', 0)",
    "SELECT GET_LOCK('{a}-two', 0)",
    "DO GET_LOCK(CONCAT('{a}', '-one'), 0)",
    "SELECT RELEASE_LOCK('{a}-one')",
    "SELECT RELEASE_LOCK('{a}-two')",
    "SELECT RELEASE_ALL_LOCKS()",
    "LOCK TABLES t{s} WRITE, ref READ",
    "UNLOCK TABLES",
    "UNLOCK TABLES",
    "HANDLER ref OPEN",
    "HANDLER ref READ FIRST",
    "HANDLER ref READ NEXT",
    "HANDLER ref CLOSE",
    "PREPARE p FROM 'SELECT id FROM ref WHERE id = ?'",
    "EXECUTE p USING @x",
    "DEALLOCATE PREPARE p",
    "CALL plain(#)",
    "CALL makes_table()",
    "CALL sets_variable()",
    "CALL into_variable()",
    "CALL takes_lock()",
    "CALL begins(#)",
    "CALL inserts(#)",
    "CALL gives(@x)",
    "CALL fails()",
    "CALL two_results()",
    "SELECT read_max(2)",
    "SELECT set_it(3)",
];

const PREPARED: &[&str] = &[
    "SELECT id, name FROM ref WHERE id > ? ORDER BY id",
    "SELECT id, name, ? AS given FROM ref ORDER BY id LIMIT 2",
    "SELECT v, s FROM t{s} WHERE id = ?",
    "INSERT INTO t{s} (v) VALUES (?)",
    "UPDATE t{s} SET s = ? WHERE id < 3",
    "SELECT LAST_INSERT_ID() + 0 * ?",
    "SELECT ?, FOUND_ROWS()",
    "SELECT ROW_COUNT(), ?",
    "SELECT \"id\", ? FROM ref WHERE id = 1",
    "SELECT ? + @x",
    "SELECT DATABASE(), ?",
    "SELECT HEX('\u{e9}'), COLLATION(?)",
    "SELECT 1/3, FROM_UNIXTIME(?)",
    "SELECT x FROM tmp WHERE x > ?",
    "SELECT missing FROM nowhere WHERE a = ?",
    "SELECT @x := ?",
    "SET @y = ?",
    "SELECT a, ? FROM made{s}",
    "CALL plain(?)",
    "SELECT id FROM ref WHERE id < ? LIMIT 2",
];

fn walk(seed: u64, family: Flavor) -> Vec<Step> {
    let mut random = Random::new(seed);
    let length = 30 + random.below(170);
    let mut prepared = [[false; 4]; SESSIONS];
    // Some seeds have more of one thing, so that rare combinations meet.
    let flavor = random.below(6);
    (0..length)
        .map(|_| {
            let session = random.below(SESSIONS);
            let weight = random.below(100);
            let bound = match flavor {
                0 => [50, 70, 80, 84, 86, 88],
                1 => [25, 45, 70, 74, 80, 86],
                2 => [20, 35, 45, 70, 76, 88],
                3 => [25, 35, 50, 60, 80, 84],
                4 => [15, 40, 50, 54, 66, 88],
                _ => [20, 32, 46, 58, 72, 86],
            };
            let list = match weight {
                w if w < bound[0] => READS,
                w if w < bound[1] => ASKS,
                w if w < bound[2] => WRITES,
                w if w < bound[3] => STATE,
                w if w < bound[4] => TRANSACTIONS,
                w if w < bound[5] => HELD,
                _ => {
                    let slot = random.below(4);
                    let act = match random.below(12) {
                        0 if prepared[session][slot] => {
                            prepared[session][slot] = false;
                            Act::Close(slot)
                        }
                        1..=8 if prepared[session][slot] => Act::Execute(slot, vec![value(&mut random, family)]),
                        9 => Act::Reset,
                        10 | 11 => Act::Reconnect,
                        _ => {
                            prepared[session][slot] = true;
                            let mut text = fill(random.of(PREPARED), &mut random);
                            if family == Flavor::MySql {
                                // Prepared anew on another connection, it is described by what the variable is then.
                                text = text.replace("+ @x", "+ CAST(@x AS SIGNED)");
                            }
                            Act::Prepare(slot, text)
                        }
                    };
                    if matches!(act, Act::Reset | Act::Reconnect) {
                        prepared[session] = [false; 4];
                    }
                    return Step { session, act };
                }
            };
            let text = random.of(list);
            let mut text = fill(text, &mut random);
            if family == Flavor::MySql {
                text = text.replace("tx_", "transaction_");
            }
            Step { session, act: Act::Query(text) }
        })
        .collect()
}

/// Each `#` becomes a small number.
fn fill(text: &str, random: &mut Random) -> String {
    let mut out = String::new();
    for part in text.split_inclusive('#') {
        match part.strip_suffix('#') {
            Some(part) => {
                let _ = write!(out, "{part}{}", random.below(12));
            }
            None => out.push_str(part),
        }
    }
    out
}

/// Numbers only on MySQL, where a parameter keeps the type of the first EXECUTE: through the proxy that of the first one on
/// each connection.
fn value(random: &mut Random, family: Flavor) -> Value {
    match random.below(6) {
        _ if family == Flavor::MySql => Value::Int(i64::try_from(random.next() % 8).unwrap()),
        0 => Value::NULL,
        1 => Value::Bytes("text".into()),
        2 => Value::Double(1.5),
        3 => Value::UInt(random.next() % 5),
        _ => Value::Int(i64::try_from(random.next() % 8).unwrap()),
    }
}

// --- running it ---

/// One side: direct, or through the proxy.
struct Side {
    name: &'static str,
    opts: mysql_async::Opts,
    sessions: Vec<Seat>,
}

struct Seat {
    conn: Conn,
    statements: [Option<Statement>; 4],
}

impl Side {
    async fn new(name: &'static str, address: std::net::SocketAddr) -> Self {
        let opts = OptsBuilder::from_opts(APP.opts(address))
            .db_name(Some(format!("{name}a")))
            .stmt_cache_size(0)
            // Nothing is asked at the login, so that a session begins with the first step.
            .max_allowed_packet(Some(16 << 20))
            .wait_timeout(Some(28800))
            .into();
        let mut side = Self { name, opts, sessions: Vec::new() };
        for _ in 0..SESSIONS {
            let seat = side.seat().await;
            side.sessions.push(seat);
        }
        side
    }

    async fn seat(&self) -> Seat {
        let conn = Conn::new(self.opts.clone()).await.expect("a login");
        Seat { conn, statements: [const { None }; 4] }
    }

    fn text(&self, text: &str, session: usize) -> String {
        text.replace("{s}", &session.to_string())
            .replace("{a}", &format!("{}a", self.name))
            .replace("{b}", &format!("{}b", self.name))
    }

    /// Takes the step; what came of it, as text without the schemas' names.
    async fn take(&mut self, step: &Step) -> String {
        let limit = Duration::from_secs(6);
        let seen = match tokio::time::timeout(limit, self.step(step)).await {
            Ok(Ok(seen)) => seen,
            Ok(Err(mysql_async::Error::Server(error))) => {
                format!("error {} {} {}", error.code, error.state, error.message)
            }
            Ok(Err(error)) => format!("broken: {error}"),
            Err(_) => {
                eprintln!("{}: no answer to {step:?}", self.name);
                "no answer".to_owned()
            }
        };
        seen.replace(&format!("{}a", self.name), "{a}").replace(&format!("{}b", self.name), "{b}")
    }

    async fn step(&mut self, step: &Step) -> Result<String, mysql_async::Error> {
        let session = step.session;
        if step.act == Act::Reconnect {
            let seat = self.seat().await;
            let old = std::mem::replace(&mut self.sessions[session], seat);
            old.conn.disconnect().await?;
            // The server has noticed.
            tokio::time::sleep(Duration::from_millis(20)).await;
            return Ok(String::new());
        }
        let prepared = match &step.act {
            Act::Prepare(_, text) | Act::Query(text) => self.text(text, session),
            _ => String::new(),
        };
        let seat = &mut self.sessions[session];
        match &step.act {
            Act::Query(_) => {
                let seen = describe(&mut seat.conn.query_iter(prepared).await?, true).await?;
                Ok(seen + &status(&seat.conn))
            }
            Act::Prepare(slot, _) => {
                if let Some(old) = seat.statements[*slot].take() {
                    seat.conn.close(old).await?;
                }
                let statement = seat.conn.prep(prepared).await?;
                let seen = format!("{} parameters, {:?}", statement.num_params(), statement.columns());
                seat.statements[*slot] = Some(statement);
                Ok(seen)
            }
            Act::Execute(slot, values) => {
                let Some(statement) = seat.statements[*slot].clone() else { return Ok("not prepared".to_owned()) };
                // Directly the library agrees with MariaDB to keep the columns as they were at PREPARE.
                let seen = describe(&mut seat.conn.exec_iter(statement, values.clone()).await?, false).await?;
                Ok(seen + &status(&seat.conn))
            }
            Act::Close(slot) => {
                if let Some(old) = seat.statements[*slot].take() {
                    seat.conn.close(old).await?;
                }
                Ok(String::new())
            }
            Act::Reset => {
                seat.statements = [const { None }; 4];
                let done = seat.conn.reset().await?;
                Ok(format!("reset {done}"))
            }
            Act::Reconnect => Ok(String::new()),
        }
    }
}

/// Everything that a client can see of a reply.
async fn describe<P: mysql_async::prelude::Protocol>(
    result: &mut QueryResult<'_, '_, P>,
    charset: bool,
) -> Result<String, mysql_async::Error> {
    let mut out = String::new();
    loop {
        for column in result.columns_ref() {
            let _ = writeln!(
                out,
                "column {}.{}.{} as {}.{} {:?} {:?} charset {} length {} decimals {}",
                column.schema_str(),
                column.org_table_str(),
                column.org_name_str(),
                column.table_str(),
                column.name_str(),
                column.column_type(),
                column.flags(),
                if charset { column.character_set() } else { 0 },
                column.column_length(),
                column.decimals(),
            );
        }
        while let Some(row) = result.next().await? {
            let _ = writeln!(out, "row {:?}", row.unwrap());
        }
        let _ = writeln!(
            out,
            "affected {} insert id {:?} warnings {} info {:?}",
            result.affected_rows(),
            result.last_insert_id(),
            result.warnings(),
            result.info(),
        );
        if result.is_empty() {
            return Ok(out);
        }
    }
}

fn status(conn: &Conn) -> String {
    conn.last_ok_packet().map(|ok| format!("status {:?}", ok.status_flags())).unwrap_or_default()
}

/// The servers, and the primary's administrator.
struct Ground {
    servers: Sandbox,
    primary: Conn,
    replicas: Vec<Conn>,
}

impl Ground {
    async fn new(flavor: Flavor) -> Option<Self> {
        let servers = support::start(flavor, SandboxOptions::default()).await?;
        let primary = servers.primary().root().await.unwrap();
        let mut replicas = Vec::new();
        for replica in servers.replicas() {
            replicas.push(replica.root().await.unwrap());
        }
        let mut ground = Self { servers, primary, replicas };
        ground.run("SET GLOBAL lock_wait_timeout = 3").await;
        ground.run("SET GLOBAL innodb_lock_wait_timeout = 3").await;
        ground.run("SET SESSION lock_wait_timeout = 5").await;
        for schema in ["dira", "dirb", "pxya", "pxyb"] {
            ground.run(&format!("GRANT ALL ON {schema}.* TO app@'%'")).await;
        }
        Some(ground)
    }

    async fn run(&mut self, statement: &str) {
        self.primary.query_drop(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    /// Both sides' schemas as at the beginning.
    async fn reset(&mut self) {
        for schema in ["dira", "dirb", "pxya", "pxyb"] {
            for statement in [
                format!("DROP DATABASE IF EXISTS {schema}"),
                format!("CREATE DATABASE {schema} DEFAULT CHARACTER SET utf8mb4"),
                format!("USE {schema}"),
                "CREATE TABLE ref (id INT PRIMARY KEY, name VARCHAR(20))".to_owned(),
                "INSERT INTO ref SELECT seq, ELT(seq, 'one', 'two', 'three', 'f\u{fc}nf') \
                 FROM (WITH RECURSIVE s AS (SELECT 1 AS seq UNION ALL SELECT seq + 1 FROM s WHERE seq < 12) SELECT seq FROM s) d"
                    .to_owned(),
                // No session locks this one, so that none waits for another.
                "CREATE TABLE p (id INT PRIMARY KEY AUTO_INCREMENT, v INT)".to_owned(),
                "CREATE PROCEDURE plain(n INT) SELECT id FROM ref WHERE id > n".to_owned(),
                "CREATE PROCEDURE makes_table() CREATE TEMPORARY TABLE IF NOT EXISTS tmp (x INT PRIMARY KEY)".to_owned(),
                "CREATE PROCEDURE sets_variable() SET @x = 70".to_owned(),
                "CREATE PROCEDURE into_variable() SELECT 71 INTO @x".to_owned(),
                format!("CREATE PROCEDURE takes_lock() DO GET_LOCK('{schema}-one', 0)"),
                "CREATE PROCEDURE begins(n INT) BEGIN START TRANSACTION; INSERT INTO p (v) VALUES (800 + n); END".to_owned(),
                "CREATE PROCEDURE inserts(n INT) INSERT INTO p (v) VALUES (900 + n)".to_owned(),
                "CREATE PROCEDURE gives(OUT o INT) SET o = 72".to_owned(),
                "CREATE PROCEDURE fails() BEGIN SET @y = 73; SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'as told'; END".to_owned(),
                "CREATE PROCEDURE two_results() BEGIN SELECT 1; SELECT id FROM ref WHERE id < 3; END".to_owned(),
                "CREATE FUNCTION read_max(n INT) RETURNS INT READS SQL DATA RETURN (SELECT MAX(id) FROM ref WHERE id < n)".to_owned(),
                "CREATE FUNCTION set_it(n INT) RETURNS INT NO SQL BEGIN SET @y = n; RETURN n; END".to_owned(),
            ] {
                self.run(&statement).await;
            }
            for session in 0..SESSIONS {
                self.run(&format!(
                    "CREATE TABLE t{session} (id INT PRIMARY KEY AUTO_INCREMENT, v INT UNIQUE, s VARCHAR(20))"
                ))
                .await;
                self.run(&format!("INSERT INTO t{session} (v) VALUES (100), (200), (300)")).await;
                self.run(&format!("CREATE TABLE u{session} (id INT PRIMARY KEY AUTO_INCREMENT, t_id INT, n INT)"))
                    .await;
            }
        }
        self.catch_up().await;
    }

    async fn catch_up(&mut self) {
        let (position, wait) = match self.servers.flavor() {
            Flavor::MySql => ("gtid_executed", "WAIT_FOR_EXECUTED_GTID_SET"),
            Flavor::MariaDb | Flavor::Unknown => ("gtid_binlog_pos", "MASTER_GTID_WAIT"),
        };
        let position: Option<String> = self.primary.query_first(format!("SELECT @@global.{position}")).await.unwrap();
        for replica in &mut self.replicas {
            let wait = format!("SELECT {wait}('{}', 10)", position.clone().unwrap());
            let reached: Option<i64> = replica.query_first(wait).await.unwrap();
            if reached != Some(0) {
                let rows: Vec<mysql_async::Row> = replica.query("SHOW FULL PROCESSLIST").await.unwrap();
                let lines: Vec<String> = rows.into_iter().map(|row| format!("{:?}", row.unwrap())).collect();
                panic!("a replica does not follow:\n{}", lines.join("\n"));
            }
        }
    }

    /// Runs the steps on both sides; the first one that differs.
    async fn compare(&mut self, steps: &[Step], eventual: bool) -> Option<Difference> {
        self.reset().await;
        let proxy = self.proxy(eventual).await;
        let mut direct = Side::new("dir", self.servers.primary().address()).await;
        let mut through = Side::new("pxy", proxy.listen()).await;
        let mut found = None;
        let mut asks_late = [true; SESSIONS];
        // A fresh connection's FOUND_ROWS() is that of whoever had its thread before (MariaDB 10.11).
        let mut selected = [false; SESSIONS];
        for (at, step) in steps.iter().enumerate() {
            let asks = asks_diagnostics(&step.act);
            if asks && asks_late[step.session] {
                continue;
            }
            if matches!(step.act, Act::Reset | Act::Reconnect) {
                selected[step.session] = false;
            }
            if matches!(&step.act, Act::Query(text) | Act::Prepare(_, text) if text.contains("FOUND_ROWS()"))
                && !selected[step.session]
            {
                continue;
            }
            if !asks {
                asks_late[step.session] = !names_table(&step.act);
            }
            let expected = direct.take(step).await;
            let seen = through.take(step).await;
            // What it cannot know any more it must refuse, not make up.
            if seen.starts_with("error 1792 25006 pointsman: ") {
                // From here on the two sides are not in the same state.
                break;
            }
            if expected != seen && !seen.starts_with("error 1105 HY000 pointsman: the connection that ran the previous")
            {
                found = Some(Difference { at, expected, seen });
                break;
            }
            selected[step.session] |=
                matches!(&step.act, Act::Query(text) if text.starts_with("SELECT") && !seen.starts_with("error"));
            if eventual {
                self.catch_up().await;
            }
        }
        for seat in direct.sessions.into_iter().chain(through.sessions) {
            let _broken = seat.conn.disconnect().await;
        }
        if found.is_none() {
            let seen = self.left_behind().await;
            let (at, expected) = (steps.len().saturating_sub(1), String::new());
            found = (!seen.is_empty()).then_some(Difference { at, expected, seen });
        }
        // A difference too, to be shrunk as any other.
        proxy.expect_mismatches();
        if found.is_none() && proxy.shared().metrics.state_mismatches() > 0 {
            let seen = format!("replies report another state than statements say: {:#?}", support::proxy::logged());
            found = Some(Difference { at: steps.len().saturating_sub(1), expected: String::new(), seen });
        }
        proxy.stop().await;
        found
    }

    /// Transactions that are open though all clients have gone.
    async fn left_behind(&mut self) -> String {
        let mut seen = String::new();
        for (server, conn) in std::iter::once(&mut self.primary).chain(&mut self.replicas).enumerate() {
            for open in support::open_transactions(conn).await {
                let _ = writeln!(seen, "server {server}: {open}");
            }
        }
        seen
    }

    /// `eventual`: every read goes to a replica, which has caught up before the next step. Otherwise a session reads the
    /// primary from its first write on.
    async fn proxy(&self, eventual: bool) -> support::Proxy {
        let consistency = if eventual { "eventual" } else { "session" };
        let extra = format!(
            "[routing]\nconsistency='{consistency}'\nsticky_window='1h'\nmax_lag='1h'\nread_functions=['read_max']\n\
             [pools]\nsize={SESSIONS}\nwait_timeout='2s'\n"
        );
        support::proxy(&self.servers, &extra).await
    }

    /// The fewest steps that still differ, found by leaving out ever smaller parts.
    async fn shrink(&mut self, mut steps: Vec<Step>, eventual: bool) -> (Vec<Step>, Difference) {
        let mut difference = self.compare(&steps, eventual).await.expect("a difference that shows again");
        steps.truncate(difference.at + 1);
        let mut part = steps.len() / 2;
        while part > 0 {
            let mut from = 0;
            while from < steps.len() {
                let mut fewer = steps.clone();
                fewer.drain(from..(from + part).min(steps.len()));
                match self.compare(&fewer, eventual).await {
                    Some(found) => {
                        fewer.truncate(found.at + 1);
                        (steps, difference) = (fewer, found);
                    }
                    None => from += part,
                }
            }
            part /= 2;
        }
        (steps, difference)
    }
}

/// MariaDB keeps the warnings of a statement while later ones name no table; MySQL does not, nor does the proxy. So they
/// are asked for only right after a statement that names one.
fn names_table(act: &Act) -> bool {
    matches!(act, Act::Query(text) if [" ref", " t{s}", "INTO u{s}"].iter().any(|table| text.contains(table)))
}

fn asks_diagnostics(act: &Act) -> bool {
    let words = ["SHOW WARNINGS", "SHOW ERRORS", "SHOW COUNT", "@@warning_count", "GET DIAGNOSTICS"];
    matches!(act, Act::Query(text) if words.iter().any(|word| text.contains(word)))
}

struct Difference {
    at: usize,
    expected: String,
    seen: String,
}

on_both!(random_sessions_see_what_they_would_see_directly);

async fn random_sessions_see_what_they_would_see_directly(flavor: Flavor) {
    let Some(mut ground) = Ground::new(flavor).await else { return };
    let asked = std::env::var("WALK_SEEDS").ok();
    let seeds = match asked.as_deref().and_then(|range| range.split_once("..")) {
        Some((from, to)) => from.parse().unwrap()..to.parse().unwrap(),
        None => 0..16,
    };
    let mut differences = Vec::new();
    for seed in seeds {
        let steps = walk(seed, flavor);
        eprintln!("seed {seed}: {} steps", steps.len());
        let eventual = seed % 4 != 0;
        if ground.compare(&steps, eventual).await.is_none() {
            continue;
        }
        let (steps, Difference { expected, seen, .. }) = ground.shrink(steps, eventual).await;
        let mut report = format!("seed {seed} (eventual: {eventual}):\n");
        for Step { session, act } in steps {
            let _ = writeln!(report, "  session {session}: {act:?}");
        }
        let _ = writeln!(report, "directly:\n{expected}\nthrough the proxy:\n{seen}");
        eprintln!("{report}");
        differences.push(report);
        if asked.is_none() {
            break;
        }
    }
    ground.servers.stop().await;
    assert!(differences.is_empty(), "{} seeds differ:\n{}", differences.len(), differences.join("\n"));
}
