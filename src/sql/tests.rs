//! Tables of statements and what they must be. The golden file `tests/golden/routes.tsv` adds the routes.

use super::*;

pub(super) fn classifier() -> Classifier {
    Classifier::new(1024, [1, 2], &["slug".into(), "shop.price".into()])
}

pub(super) fn classify(sql: &str) -> Classified {
    classify_in(sql.as_bytes(), SqlContext::default())
}

pub(super) fn classify_in(sql: &[u8], context: SqlContext) -> Classified {
    classifier().classify(sql, context, &mut Vec::new())
}

fn ansi() -> SqlContext {
    SqlContext { mode: SqlMode::parse("ANSI_QUOTES"), charset: Charset::AsciiSafe }
}

#[track_caller]
fn is(sql: &str, cause: Option<PrimaryCause>) -> Classified {
    let found = classify(sql);
    assert_eq!(found.shape.cause, cause, "{sql}\n{:?}", found.shape);
    found
}

#[test]
fn proven_reads() {
    let reads = include_str!("testdata/reads.sql");
    let mut failed = Vec::new();
    for sql in reads.split(";\n").map(str::trim).filter(|sql| !sql.is_empty()) {
        let found = classify(sql);
        if found.shape.cause.is_some() {
            failed.push(format!("{sql}\n    {:?} {}", found.shape.cause, found.shape.culprit));
        }
    }
    assert!(failed.is_empty(), "{} not proven:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn locking_reads() {
    for sql in [
        "SELECT * FROM t FOR UPDATE",
        "select * from t for update /* c */",
        "SELECT * FROM t FOR/**/UPDATE -- c",
        "SELECT * FROM t FOR UPDATE NOWAIT",
        "SELECT * FROM t FOR UPDATE OF t SKIP LOCKED",
        "SELECT * FROM t FOR UPDATE WAIT 5",
        "SELECT * FROM t FOR SHARE",
        "SELECT * FROM t LOCK IN SHARE MODE",
        "(SELECT * FROM t FOR UPDATE)",
        "SELECT (SELECT a FROM t LIMIT 1 FOR UPDATE)",
        "SELECT * FROM (SELECT * FROM t FOR SHARE) d",
        "WITH c AS (SELECT * FROM t FOR UPDATE) SELECT * FROM c",
        "WITH c AS (SELECT 1) SELECT * FROM c FOR SHARE",
        "SELECT 1 UNION (SELECT a FROM t FOR UPDATE)",
        "SELECT 1 UNION SELECT 2 FOR UPDATE",
        "SELECT '\\'' FROM t FOR UPDATE",
        "SELECT * FROM t WHERE a = 1e5FOR UPDATE",
        "SELECT * FROM t WHERE a = 1.FOR UPDATE",
        "SELECT * FROM t WHERE a = .5FOR UPDATE",
        "SELECT 1 --1\n FROM t FOR UPDATE",
        "TABLE t FOR UPDATE",
        "EXPLAIN SELECT * FROM t FOR UPDATE",
    ] {
        is(sql, Some(PrimaryCause::LockingRead));
    }
}

#[test]
fn into_and_assignments() {
    for sql in [
        "SELECT a INTO @v FROM t",
        "SELECT a FROM t LIMIT 1 INTO @v, @w",
        "SELECT * FROM t INTO OUTFILE '/tmp/x'",
        "SELECT * INTO DUMPFILE '/tmp/x' FROM t",
        "SELECT * FROM t UNION SELECT 1 INTO @a",
    ] {
        is(sql, Some(PrimaryCause::Into));
    }
    let found = is("SELECT @a := @a + 1 FROM t", Some(PrimaryCause::AssignsUserVariable));
    assert!(found.shape.effects.contains(Effects::ASSIGNS_USER_VARIABLE));
    assert!(classify("SELECT 1 INTO @a").shape.effects.contains(Effects::ASSIGNS_USER_VARIABLE));
    let found = is("SELECT @a + 1", None);
    assert!(found.shape.effects.contains(Effects::READS_USER_VARIABLE));
}

#[test]
fn functions() {
    use PrimaryCause::{Sequence, SessionFunction, UnknownFunction};
    let cases: &[(&str, PrimaryCause, Effects)] = &[
        ("SELECT f_writes()", UnknownFunction, Effects::NONE),
        ("SELECT `f`(1)", UnknownFunction, Effects::NONE),
        ("SELECT shop.f(1)", UnknownFunction, Effects::NONE),
        ("SELECT shop . `f` /* c */ (1)", UnknownFunction, Effects::NONE),
        ("SELECT shop.count(1)", UnknownFunction, Effects::NONE),
        ("SELECT other.price(1)", UnknownFunction, Effects::NONE),
        ("SELECT price(1)", UnknownFunction, Effects::NONE),
        ("SELECT COUNT (*) FROM t", UnknownFunction, Effects::NONE),
        ("SELECT count/**/(*) FROM t", UnknownFunction, Effects::NONE),
        ("SELECT a, f(b) FROM t", UnknownFunction, Effects::NONE),
        ("SELECT a, f(b) AS c FROM t", UnknownFunction, Effects::NONE),
        ("SELECT 1 FROM t WHERE a IN (f (1))", UnknownFunction, Effects::NONE),
        ("SELECT over(1)", UnknownFunction, Effects::NONE),
        ("SELECT GET_LOCK('a', 1)", SessionFunction, Effects::GETS_LOCK),
        ("SELECT release_lock ('a')", SessionFunction, Effects::RELEASES_LOCK),
        ("SELECT RELEASE_ALL_LOCKS()", SessionFunction, Effects::RELEASES_ALL_LOCKS),
        ("SELECT IS_FREE_LOCK('a')", SessionFunction, Effects::SERVER_BOUND),
        ("SELECT UUID_SHORT()", SessionFunction, Effects::SERVER_BOUND),
        ("SELECT LOAD_FILE('a')", SessionFunction, Effects::SERVER_BOUND),
        ("SELECT VERSION()", SessionFunction, Effects::SERVER_BOUND),
        ("SELECT MASTER_POS_WAIT('a', 1)", SessionFunction, Effects::SERVER_BOUND),
        ("SELECT CONNECTION_ID()", SessionFunction, Effects::ASKS_CONNECTION_ID),
        ("SELECT FOUND_ROWS()", SessionFunction, Effects::ASKS_FOUND_ROWS),
        ("SELECT ROW_COUNT()", SessionFunction, Effects::ASKS_ROW_COUNT),
        ("SELECT LAST_INSERT_ID()", SessionFunction, Effects::ASKS_LAST_INSERT_ID),
        ("SELECT last_insert_id( /* c */ )", SessionFunction, Effects::ASKS_LAST_INSERT_ID),
        ("SELECT LAST_INSERT_ID(5)", SessionFunction, Effects::SETS_LAST_INSERT_ID),
        ("SELECT @@identity", SessionFunction, Effects::ASKS_LAST_INSERT_ID),
        ("SELECT @@session.`last_insert_id`", SessionFunction, Effects::ASKS_LAST_INSERT_ID),
        ("SELECT @@warning_count", SessionFunction, Effects::ASKS_DIAGNOSTICS),
        ("SELECT @@LOCAL.error_count", SessionFunction, Effects::ASKS_DIAGNOSTICS),
        ("SELECT NEXTVAL(s)", Sequence, Effects::USES_SEQUENCE),
        ("SELECT SETVAL(s, 5)", Sequence, Effects::USES_SEQUENCE),
        ("SELECT NEXT VALUE FOR s", Sequence, Effects::USES_SEQUENCE),
        ("SELECT PREVIOUS/**/VALUE FOR s", Sequence, Effects::USES_SEQUENCE),
        ("SELECT s.nextval", Sequence, Effects::USES_SEQUENCE),
    ];
    for (sql, cause, effects) in cases {
        let found = is(sql, Some(*cause));
        assert!(found.shape.effects.contains(*effects), "{sql} {:?}", found.shape);
    }
    for sql in ["SELECT slug(a) FROM t", "SELECT SHOP.Price(1)", "SELECT `slug`(1)"] {
        is(sql, None);
    }
}

#[test]
fn servers_own() {
    use PrimaryCause::{ServerState, ServerTable, SystemVariable};
    for sql in [
        "SELECT * FROM information_schema.processlist",
        "SELECT * FROM INFORMATION_SCHEMA . `PROCESSLIST`",
        "SELECT * FROM information_schema.innodb_trx",
        "SELECT * FROM performance_schema.threads",
        "SELECT * FROM a JOIN mysql.user u ON u.user = a.b",
        "SELECT * FROM `sys`.`version`",
        "DESCRIBE mysql.user",
    ] {
        is(sql, Some(ServerTable));
    }
    for sql in ["SELECT @@read_only", "SELECT @@global.x", "SELECT 1 + @@session . sql_mode", "SELECT @@`x`"] {
        is(sql, Some(SystemVariable));
    }
    for sql in [
        "SHOW STATUS",
        "SHOW GLOBAL VARIABLES LIKE 'x'",
        "SHOW VARIABLES",
        "SHOW PROCESSLIST",
        "SHOW FULL PROCESSLIST",
        "SHOW MASTER STATUS",
        "SHOW REPLICA STATUS",
        "SHOW SLAVE STATUS",
        "SHOW BINARY LOGS",
        "SHOW ENGINE INNODB STATUS",
        "SHOW OPEN TABLES",
        "SHOW GRANTS",
        "SHOW PLUGINS",
        "SHOW PROFILES",
        "EXPLAIN FOR CONNECTION 5",
        "SHOW x",
    ] {
        is(sql, Some(ServerState));
    }
    for sql in ["SHOW WARNINGS", "show errors limit 1", "SHOW COUNT(*) WARNINGS", "SHOW COUNT(*) ERRORS"] {
        let found = is(sql, Some(PrimaryCause::SessionFunction));
        assert!(found.shape.effects.contains(Effects::ASKS_DIAGNOSTICS));
    }
}

#[test]
fn executable_comments() {
    for sql in [
        "SELECT /*!40001 SQL_NO_CACHE */ * FROM t",
        "SELECT 1 /*! + 1 */",
        "SELECT 1 /*M!100100 + 1 */",
        "SELECT * FROM t /*!50000 USE INDEX (a) */ WHERE a = 1",
    ] {
        is(sql, None);
    }
    for sql in [
        "/*!99999 EXPLAIN */ DELETE FROM t",
        "SELECT 1 /*M!100100 INTO OUTFILE '/tmp/x' */",
        "SELECT * FROM t /*! FOR UPDATE */",
        "SELECT * FROM t /*M! FOR UPDATE */",
        "SELECT * FROM t /*!99999 WHERE a = '*/ FOR UPDATE -- ' */",
        "SELECT 1 /*!50000 /* */ FOR UPDATE */",
        "SELECT 1 /*!50000 -- */\n FOR UPDATE */",
        "SELECT 1 /*!500001FOR UPDATE*/",
        "SELECT 1 /*!5000 + 1 */",
        "SELECT 1 /*!50000 + 1",
        "/*!50000 SELECT 1 */",
        "SELECT /*!50000 1; DELETE FROM t WHERE */ 1",
        "SELECT /*! 1 */ /*! , get_lock('a', 1) */",
    ] {
        is(sql, Some(PrimaryCause::ExecutableComment));
    }
    assert!(classify("SELECT /*! 1 */ /*! , get_lock('a', 1) */").shape.effects.contains(Effects::GETS_LOCK));
    assert_eq!(classify("/*!40101 SET NAMES utf8 */").shape.kind, StatementKind::Set);
    assert_eq!(classify("CREATE TABLE t (a INT) /*!50100 PARTITION BY HASH (a) */").shape.kind, StatementKind::Ddl);
}

#[test]
fn a_cached_shape_does_not_hide_a_weird_comment() {
    let classifier = classifier();
    let mut scratch = Vec::new();
    let tame = classifier.classify(b"SELECT /*!50000 'abc' */ 1", SqlContext::default(), &mut scratch);
    let wild =
        classifier.classify(b"SELECT /*!50000 'a*/ FROM t FOR UPDATE -- ' */ 1", SqlContext::default(), &mut scratch);
    assert_ne!(tame.key, wild.key);
    assert_eq!(wild.shape.cause, Some(PrimaryCause::ExecutableComment));
}

#[test]
fn modes_and_charsets() {
    // A backslash is no escape: the string ends and the lock is real.
    let sql = b"SELECT '\\' FOR UPDATE; -- '";
    let plain = SqlContext { mode: SqlMode::parse("no_backslash_escapes"), charset: Charset::AsciiSafe };
    assert_ne!(classify_in(sql, plain).shape.cause, None);
    let sql = b"SELECT \"a\" FROM t WHERE \"f\"(1)";
    assert_eq!(classify_in(sql, ansi()).shape.cause, Some(PrimaryCause::UnknownFunction));
    assert_eq!(classify_in(b"SELECT \"a\\\" FROM t", ansi()).shape.cause, None);
    assert_eq!(classify_in(b"SELECT \"a\\\" FROM t", SqlContext::default()).shape.cause, Some(PrimaryCause::Unparsed));
    let gbk = SqlContext { mode: SqlMode::default(), charset: charset_class("gbk_chinese_ci") };
    assert_eq!(classify_in(b"SELECT 'a\xbf\x5c' FOR UPDATE", gbk).shape.cause, Some(PrimaryCause::Unreadable));
    assert_eq!(classify_in(b"SELECT 'a'", gbk).shape.cause, None);
    let oracle = SqlContext { mode: SqlMode::parse("ORACLE"), charset: Charset::AsciiSafe };
    assert_eq!(classify_in(b"SELECT 1", oracle).shape.cause, Some(PrimaryCause::Unreadable));
    // In latin1 0xA0 is a blank.
    assert_ne!(classify_in(b"SELECT * FROM t FOR\xa0UPDATE", SqlContext::default()).shape.cause, None);
    assert_ne!(classify_in(b"SELECT 1 INTO\xa0OUTFILE 'x'", SqlContext::default()).shape.cause, None);
    assert_ne!(classify_in(b"SELECT 1 --\xa0 '\n FOR UPDATE -- '", SqlContext::default()).shape.cause, None);
    assert_ne!(classify_in(b"SELECT 1 \0 FOR UPDATE", SqlContext::default()).shape.cause, None);
    assert_ne!(classify_in(b"SELECT 1 -- \0 FOR UPDATE", SqlContext::default()).shape.cause, None);
    assert_eq!(classify_in(b"SELECT 'a\0b' FROM t", SqlContext::default()).shape.cause, None);
    assert_eq!(charset_class("utf8mb4_0900_ai_ci"), Charset::AsciiSafe);
    for (id, class) in [
        (8, Charset::AsciiSafe),
        (33, Charset::AsciiSafe),
        (45, Charset::AsciiSafe),
        (255, Charset::AsciiSafe),
        (28, Charset::Multibyte),
        (1052, Charset::Multibyte),
        (54, Charset::Unreadable),
        (2304, Charset::AsciiSafe),
        (2560, Charset::Unreadable),
        (0, Charset::Unreadable),
        (u16::MAX, Charset::Unreadable),
    ] {
        assert_eq!(charset_class_of_collation_id(id), class, "{id}");
    }
    assert_eq!(SqlMode::parse("4"), SqlMode::parse("ansi"));
}

#[test]
fn kinds() {
    use StatementKind::*;
    let cases: &[(&str, StatementKind)] = &[
        ("", Empty),
        (" -- x", Empty),
        (";", Empty),
        ("/* c */", Empty),
        ("INSERT INTO t VALUES (1)", Write),
        ("replace t set a = 1", Write),
        ("UPDATE t SET a = 1", Write),
        ("WITH c AS (SELECT 1) UPDATE t SET a = 1", Write),
        ("WITH c AS (SELECT 1) DELETE FROM t", Write),
        ("LOAD DATA LOCAL INFILE 'a' INTO TABLE t", Write),
        ("ANALYZE UPDATE t SET a = 1", Write),
        ("EXPLAIN ANALYZE DELETE FROM t", Write),
        ("EXPLAIN UPDATE t SET a = 1", Show),
        ("CREATE TABLE t (a INT)", Ddl),
        ("TRUNCATE t", Ddl),
        ("ANALYZE TABLE t", Ddl),
        ("CHECKSUM TABLE t", Ddl),
        ("FLUSH PRIVILEGES", Ddl),
        ("FLUSH TABLES", Ddl),
        ("SET PASSWORD = 'x'", Ddl),
        ("START SLAVE", Ddl),
        ("SHUTDOWN", Ddl),
        ("FLUSH TABLES WITH READ LOCK", LockTables),
        ("FLUSH TABLES a, b FOR EXPORT;", LockTables),
        ("LOCK TABLES t READ", LockTables),
        ("LOCK INSTANCE FOR BACKUP", LockTables),
        ("UNLOCK TABLES", UnlockTables),
        ("BEGIN", Begin { read_only: false }),
        ("begin work", Begin { read_only: false }),
        ("START TRANSACTION", Begin { read_only: false }),
        ("START TRANSACTION READ ONLY", Begin { read_only: true }),
        ("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", Begin { read_only: true }),
        ("START TRANSACTION READ WRITE", Begin { read_only: false }),
        ("BEGIN NOT ATOMIC SELECT 1; END", Opaque),
        ("COMMIT AND CHAIN", Commit),
        ("ROLLBACK", Rollback),
        ("ROLLBACK TO a", Savepoint),
        ("ROLLBACK WORK TO SAVEPOINT a", Savepoint),
        ("SAVEPOINT a", Savepoint),
        ("RELEASE SAVEPOINT a", Savepoint),
        ("SET a = 1", Set),
        ("SET TRANSACTION READ ONLY", SetTransaction),
        ("SET SESSION TRANSACTION READ ONLY", Set),
        ("USE x", Use),
        ("KILL 5", Kill),
        ("HANDLER t OPEN", Handler),
        ("PREPARE s FROM 'x'", Prepare),
        ("EXECUTE s", Prepare),
        ("DROP PREPARE s", Prepare),
        ("XA START 'a'", Xa),
        ("CALL p()", Call),
        ("DO SLEEP(1)", Do),
        ("SELECT 1; SELECT 2", Multi),
        ("nonsense", Opaque),
        ("!", Opaque),
        ("SET STATEMENT max_statement_time = 1 FOR SELECT 1", Select),
        ("SELECT 1;", Select),
        ("CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END", Ddl),
        ("GET DIAGNOSTICS @a = NUMBER", Opaque),
        ("CREATE TEMPORARY TABLE event (a INT)", Ddl),
        ("SET ROLE admin", Opaque),
    ];
    for (sql, kind) in cases {
        let found = classify(sql);
        assert_eq!(found.shape.kind, *kind, "{sql}");
        if *kind != Multi && *sql != "SELECT 1;" {
            assert_ne!(found.shape.cause, None, "{sql}");
        }
    }
}

#[test]
fn effects_of_kinds() {
    for (sql, effects) in [
        ("CREATE TEMPORARY TABLE a (b INT)", Effects::CREATES_TEMPORARY),
        ("CREATE OR REPLACE TEMPORARY TABLE a (b INT)", Effects::CREATES_TEMPORARY),
        ("DROP TABLE a", Effects::DROPS_TEMPORARY),
        ("HANDLER t OPEN AS h", Effects::OPENS_HANDLER),
        ("HANDLER s.t CLOSE", Effects::CLOSES_HANDLER),
        ("PREPARE s FROM @a", Effects::PREPARES | Effects::READS_USER_VARIABLE),
        ("XA COMMIT 'a'", Effects::XA_ENDS),
        ("CALL p(@a)", Effects::OPAQUE | Effects::ASSIGNS_USER_VARIABLE),
        ("DO GET_LOCK('a', 1)", Effects::GETS_LOCK),
        ("INSERT INTO t VALUES (LAST_INSERT_ID())", Effects::ASKS_LAST_INSERT_ID),
        ("UPDATE t SET id = LAST_INSERT_ID(id + 1)", Effects::SETS_LAST_INSERT_ID),
        ("INSERT INTO t SELECT @a := 1", Effects::ASSIGNS_USER_VARIABLE),
        ("SELECT SQL_CALC_FOUND_ROWS * FROM t LIMIT 5, 5", Effects::CALC_FOUND_ROWS | Effects::HAS_LIMIT),
        ("SET @a = GET_LOCK('a', 1)", Effects::GETS_LOCK),
        ("SELECT 1; UPDATE t SET a = 1", Effects::OPAQUE),
        ("LOAD DATA INFILE 'a' INTO TABLE t (@a) SET b = @a", Effects::ASSIGNS_USER_VARIABLE),
        ("GET DIAGNOSTICS @a = NUMBER", Effects::ASKS_DIAGNOSTICS),
    ] {
        assert!(classify(sql).shape.effects.contains(effects), "{sql} {:?}", classify(sql).shape);
    }
    for sql in ["SET @a = 1", "SET @a := 1, @b = 2"] {
        assert_eq!(classify(sql).shape.effects, Effects::NONE, "{sql}");
    }
    assert!(classify("SET @a = @b := 1").shape.effects.contains(Effects::ASSIGNS_USER_VARIABLE));
    is("SELECT 1; SELECT 2", None);
    is("SELECT 1; SELECT @a", Some(PrimaryCause::Multi));
    is("SELECT 1; UPDATE t SET a = 1", Some(PrimaryCause::Multi));
    is("SELECT 1;;", Some(PrimaryCause::Multi));
    is("SET @x = 1; SELECT 1", Some(PrimaryCause::Multi));
}

fn set(sql: &str) -> Vec<(Scope, String, String)> {
    let Detail::Set(Some(all)) = classify(sql).detail else { panic!("{sql}") };
    all.into_iter()
        .map(|one| {
            let value = match one.value {
                Value::Literal(text) => text.into_string(),
                Value::Default => "<default>".into(),
                Value::Expression => "<expression>".into(),
            };
            (one.scope, one.name.into_string(), value)
        })
        .collect()
}

#[test]
fn set_statements() {
    use Scope::{Global, Session, User};
    type Expected = &'static [(Scope, &'static str, &'static str)];
    let cases: &[(&str, Expected)] = &[
        (
            "SET NAMES 'utf8mb4' COLLATE 'utf8mb4_unicode_ci', SESSION sql_mode='STRICT_TRANS_TABLES,X';",
            &[
                (Session, "names", "utf8mb4 COLLATE utf8mb4_unicode_ci"),
                (Session, "sql_mode", "'STRICT_TRANS_TABLES,X'"),
            ],
        ),
        ("set autocommit=0", &[(Session, "autocommit", "0")]),
        ("SET @@autocommit := ON, @X = -5", &[(Session, "autocommit", "ON"), (User, "x", "-5")]),
        (
            "SET GLOBAL a=1, b=2, SESSION c=3, d=4, @@e=5",
            &[(Global, "a", "1"), (Global, "b", "2"), (Session, "c", "3"), (Session, "d", "4"), (Session, "e", "5")],
        ),
        ("SET @@global.a=1, b=2", &[(Global, "a", "1"), (Session, "b", "2")]),
        ("SET CHARACTER SET latin1", &[(Session, "character set", "latin1")]),
        ("SET CHARSET DEFAULT", &[(Session, "character set", "<default>")]),
        ("SET NAMES DEFAULT, tz = 'x'", &[(Session, "names", "<default>"), (Session, "tz", "'x'")]),
        (
            "SET sql_mode = CONCAT(@@sql_mode, ',X'), a = 1",
            &[(Session, "sql_mode", "<expression>"), (Session, "a", "1")],
        ),
        ("SET a = DEFAULT", &[(Session, "a", "<default>")]),
        ("SET a = \"it's\"", &[(Session, "a", "'it''s'")]),
        ("SET @`My Var` = NULL, @'b' = x", &[(User, "my var", "NULL"), (User, "b", "<expression>")]),
        (
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY",
            &[(Session, "transaction_isolation", "'READ-COMMITTED'"), (Session, "transaction_read_only", "1")],
        ),
        ("SET GLOBAL TRANSACTION READ WRITE", &[(Global, "transaction_read_only", "0")]),
        ("SET PERSIST a = 1, @@persist_only.b = 2", &[(Global, "a", "1"), (Global, "b", "2")]),
        ("SET hot.key_buffer_size = 1", &[(Session, "hot.key_buffer_size", "1")]),
        ("/*!40101 SET @OLD=@@x */", &[(User, "old", "<expression>")]),
    ];
    for (sql, expected) in cases {
        let expected: Vec<_> = expected.iter().map(|(s, n, v)| (*s, (*n).to_owned(), (*v).to_owned())).collect();
        assert_eq!(set(sql), expected, "{sql}");
    }
    for sql in ["SET", "SET a", "SET a = ", "SET a = 1 b = 2,", "SET NAMES", "SET SESSION TRANSACTION x", "SET a = 'b"]
    {
        assert_eq!(classify(sql).detail, Detail::Set(None), "{sql}");
    }
}

#[test]
fn details() {
    assert_eq!(classify("USE `a``b`;").detail, Detail::Use(b"a`b".to_vec()));
    assert_eq!(classify("use shop").detail, Detail::Use(b"shop".to_vec()));
    let expression = |text: &str| KillWhom::Expression(text.into());
    for (sql, whom, query) in [
        ("KILL 5", KillWhom::Id(5), false),
        ("KILL CONNECTION 5;", KillWhom::Id(5), false),
        ("KILL HARD QUERY 6", KillWhom::Id(6), true),
        ("KILL SOFT 6", KillWhom::Id(6), false),
        ("KILL QUERY ID 6", KillWhom::ServerQuery, true),
        ("KILL USER CURRENT_USER", KillWhom::CurrentUser, false),
        ("KILL QUERY USER CURRENT_USER ( )", KillWhom::CurrentUser, true),
        ("KILL USER a", KillWhom::User("a".into(), None), false),
        ("KILL HARD QUERY USER 'a'@'10.%'", KillWhom::User("a".into(), Some("10.%".into())), true),
        ("KILL USER a@h", KillWhom::User("a".into(), Some("h".into())), false),
        ("KILL @a", expression("@a"), false),
        ("KILL QUERY 5 + 1", expression("5 + 1"), true),
        ("KILL -1", expression("-1"), false),
        ("KILL 99999999999999999999", expression("99999999999999999999"), false),
    ] {
        let graded = sql.contains("HARD") || sql.contains("SOFT");
        assert_eq!(classify(sql).detail, Detail::Kill(KillTarget { whom, query, graded }), "{sql}");
    }
    let Detail::Names(names) = classify("DROP TEMPORARY TABLE IF EXISTS a, Shop.`B c`").detail else { panic!() };
    assert_eq!(names.len(), 2);
    assert_eq!((names[1].schema.as_deref(), &*names[1].table), (Some("shop"), "B c"));
    let Detail::Names(names) = classify("CREATE TEMPORARY TABLE IF NOT EXISTS a (b INT)").detail else { panic!() };
    assert_eq!((names.len(), &*names[0].table), (1, "a"));
}

#[test]
fn hints() {
    for sql in [
        "/* pointsman: primary */ SELECT 1",
        "SELECT 1 /* pointsman: primary */;",
        "-- pointsman: primary\nSELECT 1",
        "SELECT 1 # pointsman: primary",
        "/* a */ /* pointsman: primary */ SELECT 1 /* b */",
    ] {
        let found = classify(sql);
        assert!(found.hint.primary, "{sql}");
        assert_eq!(found.key, classify("SELECT 1").key, "{sql}");
    }
    assert_eq!(classify("SELECT /* pointsman: primary */ 1").hint, Hint::default());
    assert_eq!(classify("SELECT '/* pointsman: primary */'").hint, Hint::default());
}

#[test]
fn tables_are_listed() {
    let found = classify("SELECT * FROM Shop.`Orders` o JOIN items USING (id) WHERE a IN (SELECT b FROM items)");
    let tables: Vec<_> = found.shape.tables.iter().map(|t| (t.schema.as_deref(), &*t.table)).collect();
    assert_eq!(tables, [(Some("shop"), "Orders"), (None, "items")]);
}

#[test]
fn one_fingerprint() {
    for group in [
        &[
            "SELECT a FROM t WHERE b = 1",
            "SELECT  a\nFROM t /* c */ WHERE b='x' -- d",
            "SELECT a FROM t WHERE b=-1.5e3;",
        ][..],
        &["SELECT a FROM t WHERE b IN (1)", "SELECT a FROM t WHERE b IN (1, -2,'c')"][..],
        &["INSERT INTO t (a, b) VALUES (1, NULL)", "INSERT INTO t(a,b) VALUES (NULL,2),(3,'x') , (4, 5)"][..],
        &["INSERT INTO t VALUES (1, NOW(), 2)", "INSERT INTO t VALUES (1,NOW(),2),(3, NOW(), NULL)"][..],
    ] {
        let all: Vec<_> = group.iter().map(|sql| classify(sql)).collect();
        for one in &all {
            assert_eq!(one.key, all[0].key, "{} {}", one.shape.normalised, all[0].shape.normalised);
        }
    }
    for (a, b) in [
        ("SELECT a", "SELECT b"),
        ("SELECT last_insert_id()", "SELECT last_insert_id(1)"),
        ("SELECT count(a)", "SELECT count (a)"),
        ("SELECT /*+ A */ 1", "SELECT /*+ B */ 1"),
        ("SELECT 1", "SELECT 1 FOR UPDATE"),
        ("SELECT a - b", "SELECT a + b"),
        ("SELECT 1;", "SELECT 1;;"),
    ] {
        assert_ne!(classify(a).key, classify(b).key, "{a} {b}");
    }
    assert_ne!(classify("SELECT 1").key, classify_in(b"SELECT 1", ansi()).key);
}

#[test]
fn huge_statements() {
    let list = vec!["1"; 50_000].join(",");
    is(&format!("SELECT * FROM t WHERE a IN ({list})"), None);
    let strings = vec!["'abc'"; 20_000].join(", ");
    is(&format!("SELECT * FROM t WHERE a IN ({strings})"), None);
    let chain = vec!["1"; 45_000].join("+");
    is(&format!("SELECT {chain}"), Some(PrimaryCause::Unparsed));
    for (open, close) in [("(", ")"), ("NOT ", ""), ("- ", ""), ("f(", ")"), ("(SELECT ", ")"), ("CASE WHEN ", " END")]
    {
        let sql = format!("SELECT {}1{}", open.repeat(3000), close.repeat(3000));
        assert_ne!(classify(&sql).shape.cause, None);
    }
}

/// The longest chains that reach `sqlparser` fit the stack of a tokio worker (2 MiB).
#[test]
fn flat_chains_fit_the_stack() {
    let run = || {
        for (head, link) in [
            ("SELECT a", "+a"),
            ("SELECT a", " OR a"),
            ("SELECT 1", " UNION SELECT 1"),
            ("SELECT a", "||a"),
            ("SELECT a FROM a", ",a"),
        ] {
            let count = 16_360 / link.len().saturating_add(2);
            classify(&format!("{head}{}", link.repeat(count)));
        }
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap();
}

/// The label of `routing/reason.rs` that a statement has in a fresh session, where it is decided by its text.
fn label(classified: &Classified) -> &'static str {
    use StatementKind::*;
    let by_cause = |cause: PrimaryCause| match cause {
        PrimaryCause::NotARead => "write",
        PrimaryCause::LockingRead => "locking_read",
        PrimaryCause::Into => "select_into",
        PrimaryCause::AssignsUserVariable => "assigns_user_variable",
        PrimaryCause::UnknownFunction => "unknown_function",
        PrimaryCause::SessionFunction => "session_function",
        PrimaryCause::Sequence => "sequence",
        PrimaryCause::SystemVariable => "system_variable",
        PrimaryCause::ServerTable => "server_table",
        PrimaryCause::ServerState => "server_state",
        PrimaryCause::ExecutableComment => "executable_comment",
        PrimaryCause::Multi => "multi_statement",
        PrimaryCause::Unparsed => "unparsed",
        PrimaryCause::Unreadable => "unreadable",
    };
    let shape = &classified.shape;
    let Some(cause) = shape.cause else { return "read" };
    match shape.kind {
        Begin { read_only: true } => "read_only_transaction",
        Begin { .. } | Commit | Rollback | Savepoint | Xa => "transaction",
        Empty => "empty",
        Ddl => "ddl",
        Call => "call",
        Set | SetTransaction | Use | LockTables | UnlockTables | Handler | Prepare => "session_state",
        Kill => "ddl",
        Opaque if cause == PrimaryCause::NotARead => "unparsed",
        Write if cause == PrimaryCause::NotARead => "write",
        Select | Show | Write | Do | Multi | Opaque => by_cause(cause),
    }
}

#[test]
fn golden_routes() {
    let mut failed = Vec::new();
    for line in include_str!("../../tests/golden/routes.tsv").lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let fields: Vec<_> = line.split('\t').collect();
        let [flags, sql, target, reason] = fields[..] else { panic!("four fields: {line}") };
        let context = if flags.contains("ansi_quotes") { ansi() } else { SqlContext::default() };
        let found = classify_in(sql.as_bytes(), context);
        let hinted = if found.hint.primary && found.shape.cause.is_none() {
            "hint_primary"
        } else if found.hint.replica && found.shape.cause.is_none() {
            "hint_replica"
        } else {
            label(&found)
        };
        let replica = matches!(hinted, "read" | "hint_replica" | "read_only_transaction");
        if hinted != reason || (target == "replica") != replica {
            failed.push(format!("{line}\n    {hinted} {}", found.shape.culprit));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
