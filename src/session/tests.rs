//! Plans and what replies do to a session, without a server: the replies are made by hand.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::clock;
use crate::cluster::Role;
use crate::cluster::{Cluster, Health, Lag, Replication, Server, ServerId, ServerState};
use crate::config::{Consistency, Fallback};
use crate::routing::Policy;
use crate::wire::command::code;
use crate::wire::inbox::RawCommand;
use crate::wire::statement::{PrepareOk, ServerStatementId};
use crate::wire::{ErrPacket, Outcome, SessionTrack, Status};

struct World {
    classifier: Classifier,
    policy: Policy,
    cluster: Cluster,
    now: Instant,
}

impl World {
    fn new() -> Self {
        let now = clock::now();
        let server = |id: u16, role| Server {
            id: ServerId(id),
            name: format!("s{id}").into(),
            address: "127.0.0.1:1".into(),
            role,
            weight: 1,
            pools: vec!["default".into()],
            state: ServerState {
                health: Health::Up,
                replication: Replication::Running,
                lag: Lag::Known(Duration::ZERO),
                observed: Some(now),
                seen: now.checked_add(Duration::from_secs(3600)),
                ..ServerState::default()
            },
        };
        let policy = Policy {
            consistency: Consistency::Session,
            users: std::collections::HashMap::default(),
            sticky_window: Duration::from_secs(2),
            max_lag: Duration::from_secs(1),
            fallback: Fallback::Primary,
            stale_after: Duration::from_secs(1),
            pools: Vec::new(),
            rules: Vec::new(),
        };
        Self {
            classifier: Classifier::new(100, [1, 2], &[]),
            policy,
            cluster: Cluster::new(vec![server(0, Role::Primary), server(1, Role::Replica)]),
            now,
        }
    }

    fn plan(&self, session: &mut Session, payload: Vec<u8>) -> Plan {
        let environment = Environment {
            classifier: &self.classifier,
            around: Surroundings {
                cluster: &self.cluster,
                policy: &self.policy,
                load: &|_| 0,
                able: &|_| true,
                random: 0,
                now: self.now,
            },
            last_global_write: None,
            owners: &Vec::new,
            keys: [1, 2],
            memory: None,
        };
        session.plan(&RawCommand::new(Bytes::from(payload)), &environment)
    }
}

/// A session in a world whose clock the test moves.
struct Talk {
    world: World,
    session: Session,
}

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
        wait_timeout: None,
        tells_gtids: false,
    })
}

impl Talk {
    fn new() -> Self {
        let session = Session::new(1, "app".into(), Capabilities::UNSEEN, Some(b"app"), Some(base()));
        Self { world: World::new(), session }
    }

    fn plan(&mut self, sql: &str) -> Plan {
        self.world.plan(&mut self.session, [&[code::QUERY], sql.as_bytes()].concat())
    }

    /// Plans it, and takes in what `change` makes of a plain success.
    #[track_caller]
    fn run(&mut self, sql: &str, change: impl FnOnce(&mut Outcome)) -> (String, Slot) {
        let Plan::Run(job) = self.plan(sql) else { panic!("{sql} does not run") };
        self.session.moves_on(&job);
        let slot = job.slot(self.session.pinned());
        let status = self.session.status();
        let mut outcome = Outcome { status: Some(status), ..Outcome::default() };
        change(&mut outcome);
        if outcome.error.is_some() {
            outcome.status = None;
        }
        self.session.absorb(&job, slot, &outcome, &Bytes::new(), [1, 2], self.world.now);
        if !self.session.keeps(slot) {
            self.session.let_go(slot);
        }
        (job.route.reason.as_str().to_owned(), slot)
    }

    #[track_caller]
    fn ok(&mut self, sql: &str) {
        self.run(sql, |_| {});
    }

    #[track_caller]
    fn fails(&mut self, sql: &str, code: u16) {
        self.run(sql, |outcome| outcome.error = Some(ErrPacket::new(code, b"HY000", "made up")));
    }

    #[track_caller]
    fn reads(&mut self, reason: &str) {
        let Plan::Run(job) = self.plan("SELECT v FROM t") else { panic!("a read does not run") };
        assert_eq!(job.route.reason.as_str(), reason);
    }
}

fn in_transaction(outcome: &mut Outcome) {
    outcome.status = outcome.status.map(|status| status.with(Status::IN_TRANS));
}

fn out_of_transaction(outcome: &mut Outcome) {
    outcome.status = outcome.status.map(|status| status.without(Status::IN_TRANS));
}

fn reports(name: &str, value: &str) -> impl FnOnce(&mut Outcome) {
    let (name, value) = (name.to_owned(), value.to_owned());
    move |outcome| {
        outcome.track = SessionTrack {
            variables: vec![(name.into(), value.as_bytes().into())],
            state_changed: true,
            ..SessionTrack::default()
        };
    }
}

#[test]
fn the_servers_flags_are_believed_over_the_text() {
    let mut talk = Talk::new();
    talk.run("BEGIN", in_transaction);
    talk.reads("pinned_transaction");
    // completion_type = CHAIN: it is open again.
    talk.run("COMMIT", in_transaction);
    talk.reads("pinned_transaction");
    talk.run("COMMIT", out_of_transaction);
    talk.reads("read");
    // A procedure may open one.
    talk.run("CALL p()", in_transaction);
    talk.reads("pinned_transaction");
    // An error has no flags: they are asked for.
    let Plan::Run(job) = talk.plan("UPDATE t SET a = 1") else { panic!() };
    let outcome = Outcome { error: Some(ErrPacket::new(1213, b"40001", "Deadlock found")), ..Outcome::default() };
    let absorbed = talk.session.absorb(&job, Slot::Primary, &outcome, &Bytes::new(), [1, 2], talk.world.now);
    assert!(absorbed.ask_status);
    talk.session.absorb_status(Slot::Primary, &Outcome { status: Some(Status::AUTOCOMMIT), ..Outcome::default() });
    assert!(talk.session.pins().is_empty());
}

#[test]
fn pins_are_taken_and_released() {
    let cases = [
        ("LOCK TABLES t READ", "UNLOCK TABLES", "pinned_table_lock"),
        ("FLUSH TABLES WITH READ LOCK", "UNLOCK TABLES", "pinned_table_lock"),
        ("SELECT GET_LOCK('a', 1)", "SELECT RELEASE_LOCK('A')", "pinned_user_lock"),
        ("CREATE TEMPORARY TABLE x (a INT)", "DROP TABLE app.X", "pinned_temporary_table"),
        ("HANDLER t OPEN", "HANDLER t CLOSE", "pinned_handler"),
        ("PREPARE p FROM 'x'", "DEALLOCATE PREPARE p", "pinned_text_prepared"),
        ("XA START 'x'", "XA COMMIT 'x'", "pinned_xa"),
        ("SET sql_log_bin = 0", "SET sql_log_bin = 1", "pinned_session_variable"),
        ("SET timestamp = 5", "SET timestamp = DEFAULT", "pinned_session_variable"),
    ];
    for (take, release, reason) in cases {
        let mut talk = Talk::new();
        talk.ok(take);
        talk.reads(reason);
        // Other causes do not end it.
        talk.ok("COMMIT");
        talk.reads(reason);
        talk.fails(release, 1317);
        talk.reads(reason);
        talk.ok(release);
        assert!(talk.session.pins().is_empty(), "{release}");
    }
    // One that failed before it ran took nothing; one that failed while it ran may have.
    let mut talk = Talk::new();
    talk.fails("SELECT GET_LOCK('a', 1, 2)", 1582);
    talk.fails("CREATE TEMPORARY TABLE x (a INT)", 1050);
    talk.world.now += Duration::from_secs(10);
    talk.reads("read");
    talk.fails("SELECT GET_LOCK('a', 1) FROM t", 1317);
    talk.reads("pinned_user_lock");
    let mut talk = Talk::new();
    talk.fails("CREATE TEMPORARY TABLE x (a INT); SELECT nothing", 1054);
    talk.reads("pinned_temporary_table");
    talk.ok("DROP TABLE x");
    talk.reads("pinned_temporary_table");
    // A temporary table may go on under another name.
    let mut talk = Talk::new();
    talk.ok("CREATE TEMPORARY TABLE x (a INT)");
    talk.ok("ALTER TABLE x RENAME TO y");
    talk.ok("DROP TABLE x");
    talk.reads("pinned_temporary_table");
}

#[test]
fn long_values_of_user_variables_are_not_kept_without_bound() {
    let mut talk = Talk::new();
    for name in ["a", "b", "b"] {
        talk.ok(&format!("SET @{name} = '{}'", "x".repeat(30_000)));
        talk.reads("read");
    }
    talk.ok(&format!("SET @c = '{}'", "x".repeat(30_000)));
    talk.reads("pinned_user_variable");
    let kept: usize = talk.session.settings().user_variables.values().map(|value| value.len()).sum();
    assert!(kept < 64 << 10, "{kept}");
}

#[test]
fn what_the_server_reports_and_nothing_explains_pins() {
    let mut talk = Talk::new();
    talk.run("CALL p()", |outcome| outcome.track.state_changed = true);
    talk.reads("pinned_unknown_state");
    let mut talk = Talk::new();
    talk.run("SET time_zone = '+01:00'", reports("time_zone", "+01:00"));
    talk.run("SET @a = 1", |outcome| outcome.track.state_changed = true);
    talk.reads("read");
    assert_eq!(talk.session.settings().variable("time_zone"), Some("+01:00"));
    // Neither role nor the state behind an unreadable block can be carried elsewhere.
    for sql in ["SET ROLE clerk", "EXECUTE p", "BEGIN NOT ATOMIC SELECT 1 INTO @x; END"] {
        let mut talk = Talk::new();
        talk.ok(sql);
        talk.reads("pinned_unknown_state");
    }
}

#[test]
fn a_transaction_counts_as_a_write_when_it_ends() {
    let wrote = |outcome: &mut Outcome| {
        in_transaction(outcome);
        outcome.affected_rows = 1;
    };
    for end in ["COMMIT", "SET autocommit = 1", "CREATE TABLE x (a INT)", "BEGIN", "UNLOCK TABLES"] {
        let mut talk = Talk::new();
        talk.run("BEGIN", in_transaction);
        talk.run("UPDATE t SET v = 1", wrote);
        talk.world.now += Duration::from_secs(10);
        talk.run(end, out_of_transaction);
        talk.reads("sticky");
    }
    // Rolled back, or one that only read: nothing to wait for.
    let mut talk = Talk::new();
    talk.run("BEGIN", in_transaction);
    talk.run("UPDATE t SET v = 1", wrote);
    talk.world.now += Duration::from_secs(10);
    talk.run("ROLLBACK", out_of_transaction);
    talk.reads("read");
    talk.run("BEGIN", in_transaction);
    talk.ok("SELECT v FROM t");
    talk.run("COMMIT", out_of_transaction);
    talk.reads("read");
    // A function may write.
    talk.run("SELECT tell(1)", |outcome| outcome.result_sets = 1);
    talk.reads("sticky");
}

#[test]
fn found_rows_outlives_statements_without_a_result() {
    let rows = |rows| {
        move |outcome: &mut Outcome| {
            outcome.result_sets = 1;
            outcome.rows = rows;
        }
    };
    let asked = |talk: &mut Talk| match talk.plan("SELECT FOUND_ROWS()") {
        Plan::Run(job) => {
            assert_eq!(job.replay, None);
            Ok((job.text.map(|text| String::from_utf8_lossy(&text).into_owned()), job.held))
        }
        Plan::Refuse(error) => Err(error.code),
        other => panic!("{other:?}"),
    };
    let seven = Ok((Some("\x03SELECT IF(0,FOUND_ROWS(),7) AS `FOUND_ROWS()`".to_owned()), None));
    let mut talk = Talk::new();
    talk.run("SELECT v FROM t", rows(7));
    assert_eq!(asked(&mut talk), seven);
    talk.run("SET time_zone = '+01:00'", reports("time_zone", "+01:00"));
    talk.run("INSERT INTO t VALUES (1)", |outcome| outcome.affected_rows = 1);
    talk.fails("SELECT nothing", 1054);
    assert_eq!(asked(&mut talk), seven);
    talk.run("SELECT v FROM t LIMIT 10", rows(7));
    assert_eq!(asked(&mut talk), seven);
    assert!(!talk.session.keeps(Slot::Primary) && !talk.session.keeps(Slot::Replica));
    // With an offset only the connection knows; it is kept for one more statement.
    talk.world.now += Duration::from_secs(10);
    let (_, slot) = talk.run("SELECT v FROM t LIMIT 2, 5", rows(5));
    assert_eq!(slot, Slot::Replica);
    assert_eq!(asked(&mut talk), Ok((None, Some(Slot::Replica))));
    talk.ok("DO 1");
    talk.session.let_go(Slot::Replica);
    assert_eq!(asked(&mut talk), Err(1105));
}

#[test]
fn last_insert_id_is_the_sessions_own() {
    let set = |talk: &mut Talk, sql: &str| match talk.plan(sql) {
        Plan::Run(job) => {
            assert_eq!(job.last_insert_id, None);
            let text = String::from_utf8_lossy(job.text.as_deref().unwrap_or_default()).into_owned();
            let (head, _) = text.split_once("|0)")?;
            head.rsplit('(').next()?.parse::<u64>().ok()
        }
        other => panic!("{other:?}"),
    };
    let mut talk = Talk::new();
    // Whatever another session left on the connection.
    assert_eq!(set(&mut talk, "SELECT LAST_INSERT_ID()"), Some(0));
    assert_eq!(set(&mut talk, "INSERT INTO t VALUES (LAST_INSERT_ID())"), Some(0));
    talk.run("INSERT INTO t VALUES ()", |outcome| {
        outcome.affected_rows = 1;
        outcome.last_insert_id = 5;
    });
    // Its connection knows.
    assert!(talk.session.keeps(Slot::Primary));
    assert_eq!(set(&mut talk, "SELECT LAST_INSERT_ID()"), None);
    talk.session.released(Slot::Primary, Some(5));
    assert_eq!(set(&mut talk, "SELECT LAST_INSERT_ID()"), Some(5));
    talk.run("BEGIN", in_transaction);
    assert_eq!(set(&mut talk, "SELECT LAST_INSERT_ID()"), Some(5));
    talk.run("COMMIT", out_of_transaction);
    talk.run("UPDATE t SET v = LAST_INSERT_ID(9)", |outcome| outcome.last_insert_id = 9);
    talk.session.lost(Slot::Primary);
    assert!(matches!(talk.plan("SELECT LAST_INSERT_ID()"), Plan::Refuse(_)));
}

#[test]
fn a_read_only_transaction_keeps_to_its_replica() {
    let read_only = |outcome: &mut Outcome| {
        in_transaction(outcome);
        outcome.status = outcome.status.map(|status| status.with(Status::IN_TRANS_READONLY));
    };
    let mut talk = Talk::new();
    let (reason, slot) = talk.run("START TRANSACTION READ ONLY", read_only);
    assert_eq!((&*reason, slot), ("read_only_transaction", Slot::Replica));
    talk.reads("pinned_transaction");
    for sql in [
        "INSERT INTO t VALUES (1)",
        "SELECT GET_LOCK('a', 1)",
        "SELECT 1 FROM t FOR UPDATE",
        "DROP TABLE t",
        "DO LAST_INSERT_ID(2)",
        "CALL p()",
    ] {
        assert!(matches!(talk.plan(sql), Plan::Refuse(_)), "{sql}");
    }
    let (_, slot) = talk.run("BEGIN", in_transaction);
    assert_eq!(slot, Slot::Primary);
    assert!(talk.session.has_left_replica() && !talk.session.has_left_replica());
}

#[test]
fn a_statement_is_prepared_again_under_what_it_reads_only() {
    let mut talk = Talk::new();
    talk.run("SET sql_mode = 'ANSI'", reports("sql_mode", "ANSI"));
    let prepared = talk.session.settings().clone();
    talk.run("SET autocommit = 0", reports("autocommit", "OFF"));
    talk.run("SET sql_mode = ''", reports("sql_mode", ""));
    let wanted = talk.session.settings().for_prepare(&prepared);
    assert_eq!(wanted.variable("sql_mode"), Some("ANSI"));
    assert_eq!(wanted.variable("autocommit"), Some("OFF"));
    let key = |settings: &Settings| StatementKey::new([1, 2], b"SELECT 1", settings);
    assert_eq!(key(&wanted), key(&prepared));
    assert_ne!(key(talk.session.settings()), key(&prepared));
}

#[test]
fn what_set_statement_sets_is_set_for_it_alone() {
    let mut talk = Talk::new();
    talk.run("SET sql_mode = 'PIPES_AS_CONCAT'", reports("sql_mode", "PIPES_AS_CONCAT"));
    let own = talk.session.settings().clone();
    let sql = "set statement sql_mode = 'ANSI_QUOTES' FOR SELECT \"id\" FROM t";
    let report = |outcome: &mut Outcome| {
        reports("sql_mode", "ANSI_QUOTES")(outcome);
        // A function of the user's that the statement calls set this.
        outcome.track.variables.push(("time_zone".into(), b"+01:00"[..].into()));
        outcome.status = outcome.status.map(|status| status.with(Status::ANSI_QUOTES));
    };
    talk.run(sql, report);
    assert_eq!(talk.session.settings().variable("sql_mode"), own.variable("sql_mode"));
    assert_eq!(talk.session.settings().variable("time_zone"), Some("+01:00"));
    assert!(!talk.session.status().contains(Status::ANSI_QUOTES));
    // Its connection reports later that it was taken back: nobody else is to hear of it.
    let Plan::Run(job) = talk.plan(sql) else { panic!("it does not run") };
    let outcome = Outcome { status: Some(Status::AUTOCOMMIT), ..Outcome::default() };
    let absorbed = talk.session.absorb(&job, Slot::Primary, &outcome, &Bytes::new(), [1, 2], talk.world.now);
    assert_eq!(absorbed.mismatch, None);
    assert!(talk.session.keeps(Slot::Primary) && talk.session.must_cleanse(Slot::Primary));
    talk.run("SET sql_mode = 'PIPES_AS_CONCAT'", reports("sql_mode", "PIPES_AS_CONCAT"));
    assert!(!talk.session.must_cleanse(Slot::Primary));
    talk.ok(sql);
    talk.session.let_go(Slot::Primary);
    assert!(!talk.session.must_cleanse(Slot::Primary));
}

#[test]
fn a_call_opens_no_cursor_whatever_its_execute_asks_for() {
    for (sql, opens) in [("CALL p()", false), ("SELECT a FROM t", true)] {
        let mut talk = Talk::new();
        let Plan::Run(job) = talk.world.plan(&mut talk.session, [&[code::STMT_PREPARE], sql.as_bytes()].concat())
        else {
            panic!("{sql} is not prepared")
        };
        let statement = ServerStatementId(1);
        let prepared = PrepareOk { statement, columns: 0, parameters: 0, warnings: 0 };
        let outcome = Outcome { prepared: Some(prepared), status: Some(Status::AUTOCOMMIT), ..Outcome::default() };
        let text = Bytes::copy_from_slice(sql.as_bytes());
        talk.session.absorb(&job, Slot::Primary, &outcome, &text, [1, 2], talk.world.now);
        let Request::Prepare(id) = job.request else { panic!("{sql} is no PREPARE") };
        let execute = [&[code::STMT_EXECUTE][..], &id.0.to_le_bytes(), &[1, 1, 0, 0, 0]].concat();
        let Plan::Run(job) = talk.world.plan(&mut talk.session, execute) else { panic!("{sql} is not executed") };
        assert_eq!(job.cursor, opens, "{sql}");
    }
}
