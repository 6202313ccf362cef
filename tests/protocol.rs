//! What a client gets through the proxy is what it would get from the server, packet by packet. What may differ: the
//! nonce, connection ids, the ids of prepared statements, and the flag SESSION_STATE_CHANGED of a classic EOF packet, which
//! has no room for the change that it announces (the proxy takes it out).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

mod support;

use std::net::SocketAddr;

use pointsman::cluster::Flavor;
use pointsman::sandbox::{Sandbox, SandboxOptions};
use pointsman::wire::auth::CACHING_SHA2;
use pointsman::wire::{Capabilities, MAX_PAYLOAD, OkPacket, Reader};
use support::fake::Fake;
use support::raw::{CLASSIC, Login, MODERN, Packet, Raw, execute_payload, ok_status};
use support::{Stage, configuration, proxy, proxy_of};

on_both!(
    text_replies_are_the_servers_own,
    binary_replies_are_the_servers_own,
    commands_are_answered_as_by_the_server,
    replies_are_converted_for_a_server_without_deprecate_eof,
    session_state_is_shown_to_those_who_asked,
    packets_of_any_length_pass_both_ways,
    files_are_loaded_from_the_client,
    the_greeting_is_the_primarys_with_an_id_of_ours,
);

async fn servers(flavor: Flavor) -> Option<Sandbox> {
    let extra = vec!["--max-allowed-packet=64M".to_owned(), "--local-infile=1".to_owned()];
    support::start(flavor, SandboxOptions { replicas: 0, extra, ..SandboxOptions::default() }).await
}

/// One server that takes large packets and files.
async fn stage(flavor: Flavor) -> Option<Stage> {
    let servers = servers(flavor).await?;
    let proxy = proxy(&servers, "").await;
    Some(Stage { servers, proxy })
}

/// A client's login in this form, by what the family's accounts have.
fn app(flavor: Flavor, form: Capabilities) -> Login {
    let login = Login::app().with(form);
    if flavor == Flavor::MySql { login.plugin(CACHING_SHA2) } else { login }
}

/// All forms of a login that change the form of replies.
fn forms() -> [Capabilities; 5] {
    [
        MODERN,
        CLASSIC,
        MODERN.without(Capabilities::SESSION_TRACK),
        CLASSIC.with(Capabilities::SESSION_TRACK),
        MODERN.with(Capabilities::FOUND_ROWS),
    ]
}

const EVERY_TYPE: &str = "CREATE TABLE every_type (id INT PRIMARY KEY AUTO_INCREMENT, t TINYINT, tu TINYINT UNSIGNED \
    ZEROFILL, s SMALLINT, m MEDIUMINT, b BIGINT UNSIGNED, f FLOAT, d DOUBLE, n DECIMAL(30,10), bt BIT(17), da DATE, \
    ti TIME(3), dt DATETIME(6), ts TIMESTAMP NULL, y YEAR, c CHAR(9), v VARCHAR(200) CHARACTER SET latin1, bi BINARY(5), \
    vb VARBINARY(90), tb TINYBLOB, bl BLOB, lt LONGTEXT, e ENUM('a','b'), st SET('x','y','z'), j JSON, p POINT)";

/// What only one of the families understands, where the other has its like.
const MARIADB: [&str; 5] = [
    "SELECT @@in_transaction",
    "SELECT seq FROM seq_1_to_2000",
    "INSERT INTO other (id) VALUES (8) RETURNING id, t, 'r'",
    "BEGIN NOT ATOMIC SELECT 1; SELECT 2; END",
    "ANALYZE SELECT 1",
];
const MYSQL: [&str; 6] = [
    "WITH RECURSIVE seq (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM seq WHERE n < 900) SELECT n FROM seq",
    "TABLE other",
    "VALUES ROW(1, 'a'), ROW(2, NULL)",
    "SELECT STRING_TO_VECTOR('[1,2,3]')",
    "EXPLAIN FORMAT=TREE SELECT 1",
    "SELECT /*+ SET_VAR(sort_buffer_size=65536) */ 1",
];

/// All that this family understands.
fn statements(flavor: Flavor) -> impl Iterator<Item = &'static str> {
    let own: &[&str] = if flavor == Flavor::MySql { &MYSQL } else { &MARIADB };
    let (before, behind) = STATEMENTS.split_at(STATEMENTS.len() - 2);
    before.iter().chain(own).chain(behind).copied()
}

const STATEMENTS: &[&str] = &[
    "DROP TABLE IF EXISTS every_type, other",
    EVERY_TYPE,
    "INSERT INTO every_type VALUES (1, -128, 7, -32768, 8388607, 18446744073709551615, 1.5, -2.25e300, \
     -12345678901234567890.0123456789, b'10101010101010101', '2024-02-29', '-838:59:58.999', '9999-12-31 23:59:59.999999', \
     '2001-02-03 04:05:06', 2155, 'char', 'Grüße', 'bi', x'00ff', 'tiny', REPEAT('blob', 300), REPEAT('long ', 20000), 'b', \
     'x,z', '{\"a\": [1, 2, {\"b\": null}]}', POINT(1, 2))",
    "INSERT INTO every_type (id) VALUES (2)",
    "INSERT INTO every_type (t, c) VALUES (3, 'a'), (4, 'b'), (5, '')",
    "SELECT * FROM every_type ORDER BY id",
    "SELECT id, t FROM every_type WHERE 0",
    "SELECT NULL, 1, -1, 1.10, 1e100, 'text', x'4142', NULL AS 'an alias'",
    "SELECT '' AS empty, REPEAT('x', 250), REPEAT('y', 251), REPEAT('z', 65536)",
    "SELECT DATE '2024-01-01', TIME '10:00:00.5', TIMESTAMP '2024-01-01 00:00:00.000001'",
    "SELECT COUNT(*), SUM(t), AVG(t), MIN(dt), MAX(lt) FROM every_type",
    "SELECT JSON_OBJECT('a', 1), JSON_ARRAY(1, 'x', NULL)",
    "SELECT CAST('abc' AS SIGNED)",
    "SHOW WARNINGS",
    "SELECT 1/0, CAST('12x' AS DECIMAL(5,2))",
    "SHOW COUNT(*) WARNINGS",
    "UPDATE every_type SET t = 1 WHERE id IN (2, 3)",
    "UPDATE every_type SET t = 1 WHERE id IN (2, 3)",
    "UPDATE every_type SET s = 5 WHERE id = 999",
    "INSERT INTO every_type (id) VALUES (1)",
    "INSERT IGNORE INTO every_type (id) VALUES (1)",
    "REPLACE INTO every_type (id, t) VALUES (2, 9)",
    "INSERT INTO every_type (id, t) VALUES (2, 9) ON DUPLICATE KEY UPDATE t = t + 1",
    "INSERT INTO every_type (id, t) VALUES (500, 9)",
    "SELECT LAST_INSERT_ID()",
    "INSERT INTO every_type (t) VALUES (9)",
    "SELECT LAST_INSERT_ID(), ROW_COUNT()",
    "DELETE FROM every_type WHERE id >= 500",
    "SELECT ROW_COUNT()",
    "SELECT SQL_CALC_FOUND_ROWS id FROM every_type ORDER BY id LIMIT 2",
    "SELECT FOUND_ROWS()",
    "SELECT nothing FROM every_type",
    "SELECT * FROM nowhere",
    "SELEKT 1",
    "SELECT * FROM nowhere.every_type",
    "CREATE TABLE other SELECT id, t FROM every_type",
    "ALTER TABLE other ADD COLUMN x VARCHAR(10) DEFAULT 'é'",
    "SHOW COLUMNS FROM other",
    "SHOW CREATE TABLE other",
    "DESCRIBE every_type",
    "EXPLAIN SELECT * FROM other WHERE id = 1",
    "BEGIN",
    "INSERT INTO other (id) VALUES (77)",
    "SELECT id FROM other WHERE id = 77 FOR UPDATE",
    "SAVEPOINT s",
    "ROLLBACK TO s",
    "SELECT * FROM nowhere",
    "ROLLBACK",
    "START TRANSACTION READ ONLY",
    "SELECT COUNT(*) FROM other",
    "INSERT INTO other (id) VALUES (1)",
    "COMMIT",
    "SET autocommit = 0",
    "SELECT 1",
    "COMMIT",
    "SET autocommit = 1",
    "SET NAMES latin1",
    "SELECT v, c, 'ä' FROM every_type WHERE id = 1",
    "SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci",
    "SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES', time_zone = '+02:00'",
    "SELECT \"id\", 'a\\n', ts FROM every_type WHERE \"id\" = 1",
    "SET SESSION sql_mode = DEFAULT, time_zone = DEFAULT",
    "SET @a = 5",
    "SELECT @a, @a + 1, @unset",
    "USE app",
    "DO 1",
    "SELECT 1 UNION SELECT 2 UNION SELECT 'x'",
    "SELECT 1 INTO @b",
    "CREATE TEMPORARY TABLE temporary (a INT)",
    "INSERT INTO temporary VALUES (1), (2)",
    "SELECT * FROM temporary",
    "DROP TEMPORARY TABLE temporary",
    "LOCK TABLES other READ",
    "SELECT COUNT(*) FROM other",
    "UNLOCK TABLES",
    "ANALYZE TABLE other",
    "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'mine', MYSQL_ERRNO = 3333",
    "KILL 4000000",
    "DROP TABLE other",
    "",
];

/// What connection ids make of a packet is taken out of it, and changes of state, which a server reports in the order of
/// a hash table, are sorted.
fn blank(sql: &str, form: Capabilities, packets: &mut [Packet]) {
    for packet in packets.iter_mut() {
        if sql.starts_with("KILL ") {
            packet.payload.truncate(9);
        }
        if let [0xFE, _, _, _, high] = packet.payload.as_mut_slice() {
            *high &= !0x40;
        }
        let payload = &packet.payload;
        if !matches!(payload.first(), Some(0 | 0xFE)) || !form.contains(Capabilities::SESSION_TRACK) {
            continue;
        }
        // Rows may begin with a NUL as well.
        let Ok(ok) = OkPacket::parse(payload, true) else { continue };
        let mut reader = Reader::new("state", ok.state);
        let mut blocks = Vec::new();
        while let (Ok(kind), Ok(data)) = (reader.u8(), reader.lenenc_bytes()) {
            blocks.push((kind, data));
        }
        // A counter of all statements of the server's.
        blocks.retain(|(_, data)| !data.windows(12).any(|part| part == b"statement_id"));
        blocks.sort_unstable();
        let sorted = blocks
            .iter()
            .flat_map(|(kind, data)| [&[*kind, u8::try_from(data.len()).unwrap()], *data].concat())
            .collect::<Vec<_>>();
        let keep = payload.len() - ok.state.len();
        // Without the length before them, which is that of what was taken out, too.
        let keep = if ok.state.is_empty() { keep } else { keep - 1 };
        packet.payload = [&payload[..keep], &sorted].concat();
    }
}

fn compare(what: &str, form: Capabilities, sql: &str, direct: &mut [Packet], here: &mut [Packet]) {
    blank(sql, form, direct);
    blank(sql, form, here);
    for (at, (direct, here)) in direct.iter().zip(&*here).enumerate() {
        assert_eq!(here, direct, "{what} of `{sql}`, packet {at} (proxy left, server right), form {:08x}", form.0);
    }
    assert_eq!(here.len(), direct.len(), "{what} of `{sql}`: packets, form {:08x}", form.0);
}

async fn both(stage: &Stage, form: Capabilities) -> (Raw, Raw) {
    let login = &app(stage.servers.flavor(), form);
    (Raw::login(stage.servers.primary().address(), login).await, Raw::login(stage.listen(), login).await)
}

async fn text_replies_are_the_servers_own(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    for form in forms() {
        let (mut direct, mut here) = both(&stage, form).await;
        let mut expected = Vec::new();
        direct.query(STATEMENTS[0]).await;
        for sql in statements(flavor) {
            expected.push(direct.query(sql).await);
        }
        here.query(STATEMENTS[0]).await;
        for (sql, expected) in statements(flavor).zip(&mut expected) {
            let mut got = here.query(sql).await;
            compare("text", form, sql, expected, &mut got);
        }
    }
    stage.end().await;
}

async fn binary_replies_are_the_servers_own(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    for form in forms() {
        let (mut direct, mut here) = both(&stage, form).await;
        let mut expected = Vec::new();
        for client in [&mut direct, &mut here] {
            let mut replies = Vec::new();
            client.query(STATEMENTS[0]).await;
            for sql in statements(flavor).filter(|sql| !sql.starts_with("LOCK") && !sql.starts_with("UNLOCK")) {
                let (mut prepared, id) = client.prepare(sql).await;
                let executed = if id == 0 { Vec::new() } else { client.execute(id, 0, &[]).await };
                if id != 0 {
                    prepared[0].payload[1..5].fill(0);
                    client.send(&[&[0x19], &id.to_le_bytes()[..]].concat()).await;
                }
                replies.push((sql, prepared, executed));
            }
            if expected.is_empty() {
                expected = replies;
                continue;
            }
            for ((sql, prepared, executed), (_, got, ran)) in expected.iter_mut().zip(&mut replies) {
                compare("PREPARE", form, sql, prepared, got);
                compare("EXECUTE", form, sql, executed, ran);
            }
        }
    }
    stage.end().await;
}

/// A conversation of commands, the same with both.
async fn conversation(client: &mut Raw, flavor: Flavor) -> Vec<(&'static str, Vec<Packet>)> {
    let mut said = Vec::new();
    let mut say = |what: &'static str, packets: Vec<Packet>| said.push((what, packets));
    client.run("DROP TABLE IF EXISTS c, numbers").await;
    client.run("DROP PROCEDURE IF EXISTS p").await;
    client.run("CREATE TABLE numbers (n BIGINT PRIMARY KEY)").await;
    client.run("INSERT INTO numbers VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)").await;
    say("table", client.query("CREATE TABLE c (a INT PRIMARY KEY, b VARCHAR(50) DEFAULT 'x', lb LONGBLOB)").await);
    say("ping", vec![client.one(b"\x0e").await]);
    say("init_db", vec![client.one(b"\x02app").await]);
    say("init_db nowhere", vec![client.one(b"\x02nowhere").await]);
    say("ping after an error", vec![client.one(b"\x0e").await]);
    for (what, command) in [
        ("field_list", &b"\x04c\0%"[..]),
        ("one", b"\x04c\0b"),
        ("missing", b"\x04nowhere\0"),
        ("none", b"\x04c\0nothing"),
        ("some", b"\x04c\0_b"),
    ] {
        client.send(command).await;
        let mut packets = Vec::new();
        client.rows(&mut packets).await;
        say(what, packets);
    }
    say("set_option on", vec![client.one(b"\x1b\0\0").await]);
    say("multi", client.query("SELECT 1; INSERT INTO c (a) VALUES (1), (2); SELECT a, b FROM c; DO 0").await);
    say("multi with an error", client.query("SELECT 1; SELECT * FROM nowhere; SELECT 2").await);
    say("set_option off", vec![client.one(b"\x1b\x01\0").await]);
    say("no multi", client.query("SELECT 1; SELECT 2").await);
    say("set_option unknown", vec![client.one(b"\x1b\x07\0").await]);
    say("set_option unknown", vec![client.one(b"\x1b\x02\0").await]);
    say("set_option on", vec![client.one(b"\x1b\0\0").await]);
    say(
        "procedure",
        client.query("CREATE PROCEDURE p(IN n INT, OUT o INT) BEGIN SELECT n; SELECT a FROM c; SET o = 5; END").await,
    );
    say("call", client.query("CALL p(3, @o)").await);
    say("out", client.query("SELECT @o").await);
    client.run("DROP PROCEDURE IF EXISTS cursored").await;
    client
        .run(
            "CREATE PROCEDURE cursored() BEGIN DECLARE v INT; DECLARE k CURSOR FOR SELECT 1; OPEN k; FETCH k INTO v; SELECT v; \
             SELECT 2, 3; CLOSE k; END",
        )
        .await;
    say("a cursor inside", client.query("CALL cursored()").await);
    let (_, call) = client.prepare("CALL p(?, ?)").await;
    say("binary call", client.execute(call, 0, &[Some(b"4"), Some(b"0")]).await);
    for unknown in [
        &b"\x00"[..],
        b"\x05other",
        b"\x06other",
        b"\x0b",
        b"\x0f",
        b"\x10",
        b"\x13",
        b"\x14",
        b"\x1d",
        b"\x99",
        b"\xfe",
        b"\xff",
    ] {
        say("unknown command", vec![client.one(unknown).await]);
    }
    say("debug", vec![client.one(b"\x0d").await]);
    say("refresh", vec![client.one(b"\x07\x00").await]);
    say("an empty command", vec![client.one(b"").await]);
    if flavor == Flavor::MySql {
        say("process info", vec![client.one(b"\x0a").await]);
    }

    // A cursor, fetched in pieces, reset, and opened again.
    let (_, rows) = client.prepare("SELECT n FROM numbers WHERE n > ? ORDER BY n").await;
    say("open", client.execute(rows, 1, &[Some(b"2")]).await);
    for piece in ["fetch", "fetch again", "fetch the last"] {
        client.send(&[&b"\x1c"[..], &rows.to_le_bytes(), &3_u32.to_le_bytes()].concat()).await;
        let mut packets = Vec::new();
        client.rows(&mut packets).await;
        say(piece, packets);
    }
    say("ping", vec![client.one(b"\x0e").await]);
    say("reopen", client.execute(rows, 1, &[Some(b"8")]).await);
    say("reset", vec![client.one(&[&b"\x1a"[..], &rows.to_le_bytes()].concat()).await]);
    client.send(&[&b"\x1c"[..], &rows.to_le_bytes(), &3_u32.to_le_bytes()].concat()).await;
    say("fetch of none", vec![code_only(client.read().await)]);
    // MySQL 9.7 sends no rows then, and an end that is none.
    let rows = if flavor == Flavor::MySql { client.prepare("SELECT n FROM numbers WHERE n > ?").await.1 } else { rows };
    say("without a cursor", client.execute(rows, 0, &[Some(b"9")]).await);

    // Long data, in pieces, and again without.
    let (_, insert) = client.prepare("INSERT INTO c (a, lb) VALUES (?, ?)").await;
    for piece in [&b"one "[..], b"two ", b"three"] {
        client.send(&[&b"\x18"[..], &insert.to_le_bytes(), &[1, 0], piece].concat()).await;
    }
    let mut with_long = execute_payload(insert, 0, &[Some(b"100"), Some(b"")]);
    with_long.truncate(with_long.len() - 1);
    let types = with_long.len() - 4 - 2;
    with_long[types..types + 2].copy_from_slice(&[0xFC, 0]);
    say("long data", client.results(&with_long).await);
    say("it is there", client.query("SELECT lb FROM c WHERE a = 100").await);
    say("without", client.execute(insert, 0, &[Some(b"101"), None]).await);
    say("types as before", client.results(&reuse_types(insert, &[b"102", b"again"])).await);
    say("all", client.query("SELECT a, lb FROM c WHERE a >= 100 ORDER BY a").await);

    // Statements outlive errors and transactions, not a reset.
    say("begin", client.query("BEGIN").await);
    say("in it", client.execute(insert, 0, &[Some(b"103"), None]).await);
    say("twice", client.execute(insert, 0, &[Some(b"103"), None]).await);
    say("ping in it", vec![client.one(b"\x0e").await]);
    say("reset connection", vec![client.one(b"\x1f").await]);
    say("gone", client.query("SELECT COUNT(*), @o FROM c WHERE a = 103").await);
    say("statement gone", client.execute(insert, 0, &[Some(b"104"), None]).await);
    say("schema stays", client.query("SELECT DATABASE()").await);
    said
}

fn reuse_types(id: u32, values: &[&[u8]]) -> Vec<u8> {
    let mut payload = [&b"\x17"[..], &id.to_le_bytes(), &[0, 1, 0, 0, 0, 0, 0]].concat();
    for value in values {
        payload.push(u8::try_from(value.len()).unwrap());
        payload.extend_from_slice(value);
    }
    payload
}

/// An error in the proxy's own words.
fn code_only(mut packet: Packet) -> Packet {
    packet.payload.truncate(9);
    packet
}

async fn commands_are_answered_as_by_the_server(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    for form in forms() {
        let (mut direct, mut here) = both(&stage, form).await;
        let expected = conversation(&mut direct, flavor).await;
        let got = conversation(&mut here, flavor).await;
        for ((what, mut direct), (_, mut here)) in expected.into_iter().zip(got) {
            // Statement ids in error texts are the session's own.
            if what == "statement gone" {
                direct.iter_mut().chain(&mut here).for_each(|packet| packet.payload.truncate(9));
            }
            compare(what, form, what, &mut direct, &mut here);
        }
        // A line of statistics, in no fixed form.
        let statistics = here.one(b"\x09").await;
        assert!(String::from_utf8_lossy(&statistics.payload).starts_with("Uptime: "), "{statistics:?}");
        here.send(b"\x01").await;
        assert!(here.is_closed().await);
    }
    stage.end().await;
}

/// The reply of a server that ends results by EOF packets, to clients that do not want them, and whatever follows.
async fn replies_are_converted_for_a_server_without_deprecate_eof(flavor: Flavor) {
    let Some(servers) = servers(flavor).await else { return };
    let fake = Fake::before(servers.primary().address()).await;
    let text = configuration(&servers, "").replace(&servers.primary().address().to_string(), &fake.address.to_string());
    let stage = Stage { proxy: proxy_of(&text).await, servers };
    support::until("the primary was seen", || async { stage.proxy.shared().greetings.is_known() }).await;
    fake.hide(Capabilities::DEPRECATE_EOF);
    // A classic EOF packet has no room for session state.
    let form = MODERN.without(Capabilities::SESSION_TRACK);
    let (mut direct, mut here) = both(&stage, form).await;
    direct.query(STATEMENTS[0]).await;
    let mut expected = Vec::new();
    for sql in statements(flavor) {
        expected.push(direct.query(sql).await);
    }
    here.query(STATEMENTS[0]).await;
    for (sql, expected) in statements(flavor).zip(&mut expected) {
        let mut got = here.query(sql).await;
        compare("converted", form, sql, expected, &mut got);
    }
    let (expected, got) = (conversation(&mut direct, flavor).await, conversation(&mut here, flavor).await);
    for ((what, mut direct), (_, mut here)) in expected.into_iter().zip(got) {
        if what == "statement gone" {
            direct.iter_mut().chain(&mut here).for_each(|packet| packet.payload.truncate(9));
        }
        compare(what, form, what, &mut direct, &mut here);
    }
    // A file behind results that were converted: the sequence ids of its packets differ for the two sides.
    let mut replies = Vec::new();
    for client in [&mut direct, &mut here] {
        client.run("DROP TABLE IF EXISTS loaded").await;
        client.run("CREATE TABLE loaded (text VARCHAR(200))").await;
        client.one(b"\x1b\0\0").await;
        let sql = "SELECT 1; SELECT 2, 3; LOAD DATA LOCAL INFILE 'x' INTO TABLE loaded (text); SELECT 4";
        let mut packets = client.query(sql).await;
        assert!(packets.last().unwrap().payload.starts_with(b"\xfbx"), "{packets:?}");
        client.answer(b"a line\n").await;
        client.answer(b"").await;
        packets.extend(client.more_results().await);
        assert_eq!(client.value("SELECT COUNT(*) FROM loaded").await, "1");
        replies.push(packets);
    }
    let [mut direct, mut here] = replies.try_into().unwrap();
    compare("LOAD DATA behind results", form, "", &mut direct, &mut here);
    stage.end().await;
}

/// OK packets of statements that change session state.
const TRACKED: &[&str] = &[
    "SET NAMES latin1",
    "SET autocommit = 0",
    "SET autocommit = 1",
    "SET SESSION sql_mode = 'ANSI'",
    "SET SESSION time_zone = '+01:00', sql_mode = 'ANSI'",
    "USE app",
    "SET @u = 1",
    "CREATE TEMPORARY TABLE tracked (a INT)",
    "DROP TEMPORARY TABLE tracked",
    "BEGIN",
    "COMMIT",
    "SELECT 1",
];

async fn session_state_is_shown_to_those_who_asked(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    for asked in [
        None,
        Some("SET SESSION session_track_state_change = 1"),
        Some("SET SESSION session_track_system_variables = 'sql_mode,time_zone'"),
        Some("SET SESSION session_track_system_variables = '*'"),
        Some("SET SESSION session_track_schema = 0, session_track_system_variables = ''"),
        Some("SET SESSION session_track_transaction_info = 'CHARACTERISTICS'"),
    ] {
        for form in [MODERN, CLASSIC.with(Capabilities::SESSION_TRACK), CLASSIC] {
            let (mut direct, mut here) = both(&stage, form).await;
            for sql in asked.iter().chain(TRACKED) {
                let (mut expected, mut got) = (direct.query(sql).await, here.query(sql).await);
                compare(asked.unwrap_or("default"), form, sql, &mut expected, &mut got);
            }
        }
    }
    stage.end().await;
}

async fn packets_of_any_length_pass_both_ways(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let (mut direct, mut here) = both(&stage, MODERN).await;
    for client in [&mut direct, &mut here] {
        // The whole command, the header's limit less one, just it, and one more.
        for len in [MAX_PAYLOAD - 1, MAX_PAYLOAD, MAX_PAYLOAD + 1] {
            let mut command = b"\x03SELECT LENGTH('".to_vec();
            let tail = b"')";
            command.resize(len - tail.len(), b'a');
            command.extend_from_slice(tail);
            let packets = client.results(&command).await;
            assert_eq!(packets[2].payload[1..], (len - 18).to_string().into_bytes(), "{len}");
        }
        // A row of just such a length; the length of its only column takes four bytes, nine above 16 MiB.
        for len in [MAX_PAYLOAD - 1, MAX_PAYLOAD, MAX_PAYLOAD + 1] {
            let value = if len - 4 < 1 << 24 { len - 4 } else { len - 9 };
            let packets = client.query(&format!("SELECT REPEAT('b', {value})")).await;
            assert_eq!(packets.len(), 4);
            assert!(packets[2].payload.len() >= len - 1 && packets[2].payload.ends_with(b"bbb"), "{len}");
            assert_eq!(client.value("SELECT 'next'").await, "next");
        }
        // The same as a parameter.
        let (_, id) = client.prepare("SELECT LENGTH(?), ?").await;
        let long = vec![b'c'; MAX_PAYLOAD];
        let packets = client.execute(id, 0, &[Some(&long), Some(b"end")]).await;
        let row = &packets[3].payload;
        assert!(row.ends_with(b"\x03end"), "{row:?}");
        assert_eq!(row[2..6], u32::try_from(MAX_PAYLOAD).unwrap().to_le_bytes());
    }
    stage.end().await;
}

async fn load(client: &mut Raw, file: &[u8], piece: usize) -> Vec<Packet> {
    let mut packets = client.query("LOAD DATA LOCAL INFILE 'some file' INTO TABLE loaded (text)").await;
    assert!(packets[0].payload.starts_with(b"\xfbsome file"), "{packets:?}");
    for piece in file.chunks(piece) {
        client.answer(piece).await;
    }
    client.answer(b"").await;
    packets.extend(client.more_results().await);
    packets
}

async fn files_are_loaded_from_the_client(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    for form in [MODERN, CLASSIC] {
        let (mut direct, mut here) = both(&stage, form).await;
        let file = (0..60_000).map(|line| format!("line {line} {}\n", "x".repeat(80))).collect::<String>();
        let mut replies = Vec::new();
        for client in [&mut direct, &mut here] {
            client.run("DROP TABLE IF EXISTS loaded").await;
            client.run("CREATE TABLE loaded (text VARCHAR(200) NOT NULL)").await;
            let mut said = load(client, file.as_bytes(), 100_000).await;
            assert_eq!(client.value("SELECT COUNT(*) FROM loaded").await, "60000");
            // Refused by the client, an empty packet in place of the file.
            said.extend(load(client, b"", 1).await);
            // Too long for the column: LOCAL makes warnings of errors.
            said.extend(load(client, format!("{}\n", "y".repeat(500)).as_bytes(), 7).await);
            client.run("SET SESSION sql_mode = ''").await;
            said.extend(load(client, format!("{}\n", "y".repeat(500)).as_bytes(), 7).await);
            said.extend(client.run("SHOW WARNINGS").await);
            assert_eq!(client.value("SELECT COUNT(*) FROM loaded").await, "60002");
            replies.push(said);
        }
        // A client that stops in the middle holds the connection no longer than the server lets it.
        let mut silent = Raw::login(stage.listen(), &app(flavor, form)).await;
        silent.run("SET SESSION net_read_timeout = 1").await;
        silent.query("LOAD DATA LOCAL INFILE 'some file' INTO TABLE loaded (text)").await;
        silent.answer(b"one line\n").await;
        let mut packets = 0;
        while silent.try_read().await.is_ok() {
            packets += 1;
        }
        assert!(packets <= 1, "{packets} packets after a file that never ended");
        let [mut direct, mut here] = replies.try_into().unwrap();
        compare("LOAD DATA", form, "LOAD DATA", &mut direct, &mut here);
    }
    stage.end().await;
}

async fn the_greeting_is_the_primarys_with_an_id_of_ours(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let at: SocketAddr = stage.listen();
    support::until("the primary was seen", || async { stage.proxy.shared().greetings.is_known() }).await;
    let direct = Raw::open(stage.servers.primary().address()).await.greeting.unwrap();
    let here = Raw::open(at).await.greeting.unwrap();
    assert_eq!((&here.version, here.collation, here.status), (&direct.version, direct.collation, direct.status));
    // TLS and compression are offered as the primary offers them.
    for follows in [Capabilities::SSL, Capabilities::COMPRESS, Capabilities::ZSTD] {
        assert_eq!(here.capabilities.contains(follows), direct.capabilities.contains(follows), "{follows:?}");
    }
    // MariaDB's sign.
    assert_eq!(here.capabilities.contains(Capabilities::LONG_PASSWORD), flavor == Flavor::MySql);
    assert_eq!(here.capabilities & direct.capabilities.with(Capabilities::PLUGIN_AUTH_LENENC), here.capabilities);
    let again = Raw::open(at).await.greeting.unwrap();
    assert!(again.thread_id > here.thread_id);
    // 65,535 parameters are as many as there may be: the count of packets does not overflow, in either form.
    for form in [MODERN, CLASSIC] {
        let mut client = Raw::login(at, &app(flavor, form)).await;
        let sql = format!("SELECT 1 IN ({}?)", "?,".repeat(65_534));
        let (packets, id) = client.prepare(&sql).await;
        assert!(packets.len() > 65_535);
        client.send(&[&[0x19], &id.to_le_bytes()[..]].concat()).await;
        let ok = client.one(b"\x0e").await;
        assert_eq!(ok_status(&ok.payload), 2);
        assert_eq!(client.value("SELECT 'after'").await, "after");
    }
    stage.end().await;
}
