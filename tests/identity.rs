//! One connection id per client: in the greeting, in statements, in the process list and in KILL; and what becomes of the
//! statements of clients that are killed or go away. Compared with what the servers do directly.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by them"
)]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row, Value};
use pointsman::cluster::Flavor;
use pointsman::sandbox::OTHER;
use pointsman::wire::Reader;
use support::raw::{CLASSIC, Login, MODERN, Packet, Raw};
use support::{Stage, until};

on_both!(
    a_statement_sees_the_id_of_the_greeting,
    the_process_list_holds_the_proxys_clients,
    a_kill_ends_what_it_names,
    a_kill_reaches_whoever_waits_or_is_silent,
    a_late_kill_hits_nobody_else,
    a_client_that_goes_away_takes_its_statement_with_it,
    who_has_sent_more_is_not_gone,
    diagnostics_of_a_replicas_read_go_along,
    release_ends_the_connection,
    control_c_of_a_program_ends_its_statement,
);

const SHARED: &str = "[routing]\nsticky_window='1ms'\nmax_lag='1h'\n[pools]\nsize=2\nwait_timeout='5s'\n";

async fn stage(flavor: Flavor, extra: &str) -> Option<Stage> {
    let stage = support::stage_on(flavor, 1, extra).await?;
    stage
        .prepare(&[
            "CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v BIGINT)",
            "CREATE TABLE n (v BIGINT)",
            "INSERT INTO t (v) VALUES (-1), (-2)",
        ])
        .await;
    Some(stage)
}

fn id_of(raw: &Raw) -> u32 {
    raw.greeting.as_ref().unwrap().thread_id
}

fn code(result: Result<(), mysql_async::Error>) -> u16 {
    match result {
        Err(mysql_async::Error::Server(error)) => error.code,
        Err(error) => panic!("{error}"),
        Ok(()) => 0,
    }
}

/// The values of a text row.
fn cells(packet: &Packet) -> Vec<String> {
    let mut reader = Reader::new("row", &packet.payload);
    let mut cells = Vec::new();
    while !reader.is_empty() {
        if reader.rest()[0] == 0xFB {
            reader.u8().unwrap();
            cells.push("NULL".into());
        } else {
            cells.push(String::from_utf8_lossy(reader.lenenc_bytes().unwrap()).into_owned());
        }
    }
    cells
}

async fn a_statement_sees_the_id_of_the_greeting(flavor: Flavor) {
    let Some(stage) = stage(flavor, SHARED).await else { return };
    let address: SocketAddr = stage.servers.primary().address();
    let statements = [
        "SELECT CONNECTION_ID()",
        "SELECT connection_id( ) , 1, 'CONNECTION_ID()'",
        "SELECT CONNECTION_ID() AS me, v FROM t ORDER BY id",
        "SELECT CONCAT(CONNECTION_ID(),'x'), CONNECTION_ID() + 1, CONNECTION_ID() x",
        "SELECT IF(1, CONNECTION_ID(), NULL), -CONNECTION_ID(), CONNECTION_ID() = CONNECTION_ID()",
        "SELECT * FROM (SELECT CONNECTION_ID(), CONNECTION_ID() AS b) d",
        "SELECT `CONNECTION_ID()` FROM (SELECT CONNECTION_ID()) d",
        "SELECT 0 UNION SELECT CONNECTION_ID() ORDER BY 1",
        "SELECT @@pseudo_thread_id, @@session.pseudo_thread_id = CONNECTION_ID()",
        "SELECT CONCAT(@@pseudo_thread_id, '') AS p",
        "SELECT v FROM t WHERE CONNECTION_ID() = 0",
        "SELECT CASE WHEN v = -1 THEN CONNECTION_ID() ELSE v END FROM t ORDER BY id",
        "SELECT GROUP_CONCAT(CONNECTION_ID(), ' ', v) FROM t",
        "SELECT (SELECT CONNECTION_ID()), COUNT(*) FROM t",
        "SELECT MAX(CONNECTION_ID()), HEX(CONNECTION_ID()) FROM t",
        "SET @own = CONNECTION_ID()",
        "SELECT @own = CONNECTION_ID(), @own",
        "INSERT INTO n VALUES (CONNECTION_ID())",
        "UPDATE n SET v = CONNECTION_ID() WHERE v = CONNECTION_ID()",
        "SELECT COUNT(*) FROM n WHERE v = CONNECTION_ID() /* pointsman: primary */",
        "DELETE FROM n WHERE v = CONNECTION_ID()",
        "DO CONNECTION_ID()",
    ];
    for capabilities in [CLASSIC, MODERN] {
        let login = Login::app_on(flavor).with(capabilities);
        let mut direct = Raw::login(address, &login).await;
        let mut proxied = Raw::login(stage.listen(), &login).await;
        let (theirs, ours) = (id_of(&direct), id_of(&proxied));
        assert_ne!(theirs, ours);
        for statement in statements {
            let (wanted, got) = (direct.query(statement).await, proxied.query(statement).await);
            assert_eq!(wanted.len(), got.len(), "{statement}: {got:?}");
            let columns = usize::from(wanted[0].payload[0]);
            for (at, (wanted, got)) in wanted.iter().zip(&got).enumerate() {
                let row = at > columns && columns > 0 && !matches!(wanted.payload[0], 0xFE | 0xFF);
                // HEX() of the id.
                let swap = |text: String| {
                    if text == format!("{theirs:X}") && statement.contains("HEX") {
                        format!("{ours:X}")
                    } else {
                        text.replace(&theirs.to_string(), &ours.to_string())
                            .replace(&(theirs + 1).to_string(), &(ours + 1).to_string())
                    }
                };
                if row {
                    let wanted: Vec<_> = cells(wanted).into_iter().map(swap).collect();
                    // A length in the row may differ, and with it only that.
                    assert_eq!(cells(got), wanted, "{statement}");
                } else {
                    assert_eq!(got.payload, wanted.payload, "{statement}, packet {at}");
                }
            }
        }
        // Prepared: the definitions are the server's, and so is the type of the value.
        for statement in ["SELECT CONNECTION_ID(), ?", "SELECT v FROM t WHERE v = CONNECTION_ID() AND id > ?"] {
            let ((mut wanted, theirs), (mut got, ours)) =
                (direct.prepare(statement).await, proxied.prepare(statement).await);
            wanted[0].payload[1..5].fill(0);
            got[0].payload[1..5].fill(0);
            assert_eq!(wanted, got, "{statement}");
            let wanted = direct.execute(theirs, 0, &[Some(b"1")]).await;
            let got = proxied.execute(ours, 0, &[Some(b"1")]).await;
            let lengths = |packets: &[Packet]| packets.iter().map(|packet| packet.payload.len()).collect::<Vec<_>>();
            assert_eq!(lengths(&wanted), lengths(&got), "{statement}");
        }
    }
    // Binary values; and no two sessions share what holds an id.
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(stage.client().await);
    }
    for _ in 0..2 {
        for client in &mut clients {
            let wanted = i64::from(client.id());
            let seen: Option<(i64, i64, i64)> =
                client.exec_first("SELECT CONNECTION_ID(), ?, @@pseudo_thread_id", (5,)).await.unwrap();
            assert_eq!(seen, Some((wanted, 5, wanted)));
        }
    }
    stage.end().await;
}

async fn processes(client: &mut Conn, full: &str) -> Vec<Row> {
    client.query(format!("SHOW {full} PROCESSLIST")).await.unwrap()
}

fn shown(row: &Row, column: &str) -> String {
    match row.get::<Value, _>(column).unwrap() {
        Value::NULL => "NULL".into(),
        Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

async fn the_process_list_holds_the_proxys_clients(flavor: Flavor) {
    let Some(stage) = stage(flavor, SHARED).await else { return };
    // The columns are the server's, byte for byte, in both protocols and both styles.
    for capabilities in [CLASSIC, MODERN] {
        let login = Login::app_on(flavor).with(capabilities);
        let mut direct = Raw::login(stage.servers.primary().address(), &login).await;
        let mut proxied = Raw::login(stage.listen(), &login).await;
        for statement in ["SHOW PROCESSLIST", "show full processlist;"] {
            let (wanted, got) = (direct.query(statement).await, proxied.query(statement).await);
            let definitions = usize::from(wanted[0].payload[0]) + 1 + usize::from(capabilities == CLASSIC);
            assert_eq!(wanted[..definitions], got[..definitions], "{statement}");
            let (wanted, got) = (wanted.last().unwrap(), got.last().unwrap());
            assert_eq!(wanted.payload, got.payload, "{statement}");
        }
        let (_, id) = proxied.prepare("SHOW PROCESSLIST").await;
        // With a cursor too.
        for flags in [0, 1] {
            let rows = proxied.execute(id, flags, &[]).await;
            let own = rows.iter().any(|packet| {
                packet.payload.len() > 12 && packet.payload[3..].starts_with(&u64::from(id_of(&proxied)).to_le_bytes())
            });
            assert!(own, "{rows:?}");
        }
    }
    let mut asking = stage.client().await;
    let mut silent = stage.client().await;
    let mut other = stage.client_as(OTHER).await;
    silent.query_drop("USE information_schema").await.unwrap();
    silent.query_drop("BEGIN").await.unwrap();
    let long = format!("SELECT SLEEP(2) /* {} */", "x".repeat(200));
    let (id, running) = {
        let mut busy = stage.client().await;
        let statement = long.clone();
        (busy.id(), tokio::spawn(async move { busy.query_drop(statement).await }))
    };
    tokio::time::sleep(Duration::from_millis(1200)).await;
    for full in ["", "FULL"] {
        let rows = processes(&mut asking, full).await;
        let of = |id: u32| rows.iter().find(|row| shown(row, "Id") == id.to_string()).unwrap();
        let row = of(id);
        assert_eq!(
            (shown(row, "User"), shown(row, "db"), shown(row, "Command")),
            ("app".into(), "app".into(), "Query".into())
        );
        assert!(shown(row, "Host").starts_with("127.0.0.1:"), "{row:?}");
        assert!(shown(row, "State").starts_with("running on "), "{row:?}");
        assert_eq!(shown(row, "Time"), "1");
        assert_eq!(shown(row, "Info"), if full.is_empty() { &long[..100] } else { &long[..] });
        let row = of(silent.id());
        assert_eq!(shown(row, "Command"), "Sleep");
        assert_eq!(shown(row, "Info"), "NULL");
        assert_eq!(shown(row, "db"), "information_schema");
        assert_eq!(shown(row, "State"), "holds a connection to primary (transaction)");
        let row = of(asking.id());
        assert_eq!(shown(row, "State"), "running on primary");
        assert!(shown(row, "Info").ends_with("PROCESSLIST"));
        assert!(rows.iter().all(|row| shown(row, "User") == "app"), "without PROCESS only one's own: {rows:?}");
    }
    // With PROCESS everybody's.
    stage.servers.primary().run(&[&format!("GRANT PROCESS ON *.* TO '{}'@'%'", OTHER.user)]).await.unwrap();
    let rows = processes(&mut other, "").await;
    assert!(rows.iter().any(|row| shown(row, "User") == "app"), "{rows:?}");
    let typed: Vec<Row> = other.exec("SHOW FULL PROCESSLIST", ()).await.unwrap();
    assert_eq!(typed.len(), rows.len());
    assert!(typed.iter().any(|row| shown(row, "Id") == id.to_string() && shown(row, "Info") == long));
    // What the server itself runs stays within reach.
    let theirs: Vec<u64> = asking.query("SELECT id FROM information_schema.processlist").await.unwrap();
    assert!(!theirs.is_empty());
    running.await.unwrap().unwrap();
    silent.query_drop("COMMIT").await.unwrap();
    stage.end().await;
}

/// Runs a statement on a client of its own; what came of it, and the client.
fn spawn(mut client: Raw, statement: &str) -> tokio::task::JoinHandle<(Raw, Option<Vec<Packet>>)> {
    let statement = [b"\x03", statement.as_bytes()].concat();
    tokio::spawn(async move {
        client.send(&statement).await;
        let mut packets = Vec::new();
        // To the end of the connection, or of the reply of one result.
        loop {
            match client.try_read().await {
                Ok(packet) => {
                    let over = matches!(packet.payload.first(), Some(0xFF | 0x00))
                        || (packet.payload.first() == Some(&0xFE) && packets.len() > 2);
                    packets.push(packet);
                    if over {
                        return (client, Some(packets));
                    }
                }
                Err(_) => return (client, None),
            }
        }
    })
}

async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(4), work).await.unwrap_or_else(|_| panic!("not in time: {what}"))
}

async fn a_kill_ends_what_it_names(flavor: Flavor) {
    let Some(stage) = stage(flavor, SHARED).await else { return };
    let mariadb = flavor == Flavor::MariaDb;
    let login = Login::app_on(flavor).with(CLASSIC);
    let direct = stage.servers.primary().address();
    // The same conversations directly and through the proxy.
    let mut seen = Vec::new();
    for address in [direct, stage.listen()] {
        let mut log: Vec<String> = Vec::new();
        let mut killer = Raw::login(address, &login).await;
        for kill in ["KILL QUERY ", "KILL ", "KILL CONNECTION ", "KILL HARD QUERY "] {
            if !mariadb && kill.contains("HARD") {
                continue;
            }
            let victim = Raw::login(address, &login).await;
            let id = id_of(&victim);
            let began = tokio::time::Instant::now();
            let running = spawn(victim, "SELECT SLEEP(20) FROM t");
            tokio::time::sleep(Duration::from_millis(300)).await;
            let packets = killer.query(&format!("{kill}{id}")).await;
            log.push(format!("{kill}: {:?}", packets[0].payload));
            let (mut victim, packets) = within(kill, running).await.unwrap();
            assert!(began.elapsed() < Duration::from_secs(4));
            log.push(match &packets {
                Some(packets) => format!("{:?}", packets.last().unwrap().payload),
                None => "closed".into(),
            });
            if packets.is_some() {
                log.push(format!("goes on: {}", victim.value("SELECT 5").await));
            }
        }
        // A silent one is told nothing.
        let mut victim = Raw::login(address, &login).await;
        killer.run(&format!("KILL {}", id_of(&victim))).await;
        log.push(format!("silent: closed {}", victim.is_closed().await));
        let mut victim = Raw::login(address, &login).await;
        killer.run(&format!("KILL QUERY {}", id_of(&victim))).await;
        log.push(format!("silent: {}", victim.value("SELECT 6").await));
        // By a variable, and by an expression.
        for expression in ["@victim", "@victim + 0", "(SELECT @victim)"] {
            let mut victim = Raw::login(address, &login).await;
            killer.run(&format!("SET @victim = {}", id_of(&victim))).await;
            killer.run(&format!("KILL {expression}")).await;
            log.push(format!("{expression}: closed {}", victim.is_closed().await));
        }
        // In a transaction: its locks are free.
        let mut victim = Raw::login(address, &login).await;
        victim.run("BEGIN").await;
        victim.run("UPDATE t SET v = v + 1 WHERE id = 1").await;
        killer.run(&format!("KILL {}", id_of(&victim))).await;
        within("the lock", killer.run("UPDATE t SET v = v WHERE id = 1")).await;
        for kill in
            ["KILL 99999999", "KILL QUERY 99999999", "KILL -1", "KILL 'a'", "KILL NULL", "KILL 18446744073709551615"]
        {
            log.push(format!("{kill}: {:?}", killer.query(kill).await[0].error()));
        }
        if mariadb {
            let mut victim = Raw::login(address, &login).await;
            let payload = [&[0x0C][..], &id_of(&victim).to_le_bytes()].concat();
            log.push(format!("COM_PROCESS_KILL: {:?}", killer.one(&payload).await.payload));
            log.push(format!("closed {}", victim.is_closed().await));
            log.push(format!("{:?}", killer.query("KILL USER nobody").await[0].payload));
        } else {
            log.push(format!("{:?}", killer.query("KILL USER nobody").await[0].error().code));
        }
        let own = id_of(&killer);
        log.push(format!("own query: {:?}", killer.query(&format!("KILL QUERY {own}")).await[0].error()));
        log.push(format!("own query: {:?}", killer.query("KILL QUERY CONNECTION_ID()").await[0].error()));
        log.push(format!("own: {:?}", killer.query(&format!("KILL {own}")).await[0].error()));
        log.push(format!("closed {}", killer.is_closed().await));
        seen.push(log);
    }
    assert_eq!(seen[1], seen[0]);

    // Of another user: refused, until the account may.
    let mut other = stage.client_as(OTHER).await;
    let mut victim = stage.client().await;
    let id = victim.id();
    assert_eq!(code(other.query_drop(format!("KILL {id}")).await), 1095);
    assert_eq!(code(other.query_drop(format!("KILL QUERY {id}")).await), 1095);
    let privilege = if mariadb { "CONNECTION ADMIN" } else { "CONNECTION_ADMIN" };
    stage.servers.primary().run(&[&format!("GRANT {privilege} ON *.* TO '{}'@'%'", OTHER.user)]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5100)).await;
    other.query_drop(format!("KILL {id}")).await.unwrap();
    assert!(victim.query_drop("SELECT 1").await.is_err());
    if mariadb {
        let victims = [stage.client().await, stage.client().await];
        other.query_drop("KILL USER app").await.unwrap();
        assert_eq!(other.affected_rows(), 2);
        for mut victim in victims {
            assert!(victim.query_drop("SELECT 1").await.is_err());
        }
    }
    stage.end().await;
}

async fn a_kill_reaches_whoever_waits_or_is_silent(flavor: Flavor) {
    let extra = "[routing]\nsticky_window='1ms'\nmax_lag='1h'\n[pools]\nsize=1\nwait_timeout='15s'\n";
    let Some(stage) = stage(flavor, extra).await else { return };
    let login = Login::app_on(flavor).with(CLASSIC);
    let mut holder = Raw::login(stage.listen(), &login).await;
    holder.run("BEGIN").await;
    let mut killer = Raw::login(stage.listen(), &login).await;
    for whole in [false, true] {
        let waiting = Raw::login(stage.listen(), &login).await;
        let id = id_of(&waiting);
        let waits = spawn(waiting, "UPDATE t SET v = 7");
        until("it waits", async || {
            let clients = stage.proxy.shared().clients.get(id);
            clients.is_some_and(|client| client.waiting().is_some())
        })
        .await;
        killer.run(&format!("KILL {} {id}", if whole { "" } else { "QUERY" })).await;
        let (mut waiting, packets) = within("a waiting client", waits).await.unwrap();
        if whole {
            assert_eq!(packets, None);
        } else {
            let error = packets.unwrap()[0].error();
            assert_eq!((error.code, &error.sql_state), (1317, b"70100"));
            holder.run("COMMIT").await;
            waiting.run("UPDATE t SET v = 8").await;
            holder.run("BEGIN").await;
        }
    }
    // Who sends a file.
    holder.run("COMMIT").await;
    killer.run("CREATE TABLE f (a INT)").await;
    stage.servers.primary().run(&["SET GLOBAL local_infile = 1"]).await.unwrap();
    for whole in [false, true] {
        let mut sender = Raw::login(stage.listen(), &login).await;
        let packets = sender.query("LOAD DATA LOCAL INFILE 'x' INTO TABLE f").await;
        assert_eq!(packets[0].payload[0], 0xFB, "{packets:?}");
        sender.answer(b"1\n2\n").await;
        killer.run(&format!("KILL {} {}", if whole { "" } else { "QUERY" }, id_of(&sender))).await;
        if whole {
            assert!(within("the sender's end", sender.is_closed()).await);
        } else {
            sender.answer(b"3\n").await;
            sender.answer(b"").await;
            assert_eq!(sender.read().await.error().code, 1317);
        }
        let count = killer.value("SELECT COUNT(*) FROM f /* pointsman: primary */").await;
        assert_eq!(count, "0");
    }
    stage.end().await;
}

async fn a_late_kill_hits_nobody_else(flavor: Flavor) {
    let extra = "[routing]\nmax_lag='1h'\n[pools]\nsize=1\nwait_timeout='15s'\n";
    let Some(stage) = stage(flavor, extra).await else { return };
    let mut victim = stage.client().await;
    let mut bystander = stage.client().await;
    let mut killer = stage.client().await;
    let id = victim.id();
    let over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let ended = over.clone();
    // Both use the one connection to the primary, in turn.
    let victims = tokio::spawn(async move {
        let mut killed = 0;
        while !ended.load(std::sync::atomic::Ordering::Relaxed) {
            let slept: Result<Option<i64>, _> =
                victim.query_first("SELECT SLEEP(0.003) /* pointsman: primary */").await;
            killed += u32::from(!matches!(slept, Ok(Some(0))));
        }
        killed
    });
    let ended = over.clone();
    let bystanders = tokio::spawn(async move {
        let mut ran = 0;
        while !ended.load(std::sync::atomic::Ordering::Relaxed) {
            let slept: Result<Option<i64>, _> =
                bystander.query_first("SELECT SLEEP(0.004) /* pointsman: primary */").await;
            assert!(matches!(slept, Ok(Some(0))), "a bystander was hit: {slept:?}");
            ran += 1;
        }
        ran
    });
    let mut kills = 0;
    let began = tokio::time::Instant::now();
    while began.elapsed() < Duration::from_secs(6) {
        killer.query_drop(format!("KILL QUERY {id}")).await.unwrap();
        kills += 1;
        // A client whose statement was killed keeps its connection for the next: without a pause the bystander starves.
        tokio::time::sleep(Duration::from_millis(kills % 8)).await;
    }
    over.store(true, std::sync::atomic::Ordering::Relaxed);
    let (killed, ran) = (victims.await.unwrap(), bystanders.await.unwrap());
    assert!(kills > 100 && killed > 0 && ran > 50, "{kills} kills, {killed} hit, {ran} statements of the bystander");
    stage.end().await;
}

/// How many statements with this text run on the primary.
async fn running(stage: &Stage, mark: &str) -> usize {
    let mut root = stage.servers.primary().connect(OTHER).await.unwrap();
    let query = "SELECT info FROM information_schema.processlist WHERE info IS NOT NULL";
    let all: Vec<Option<String>> = root.query(query).await.unwrap();
    all.into_iter().flatten().filter(|info| info.contains(mark) && !info.contains("processlist")).count()
}

async fn a_client_that_goes_away_takes_its_statement_with_it(flavor: Flavor) {
    let extra = "[routing]\nsticky_window='1ms'\nmax_lag='1h'\n[pools]\nsize=2\nwait_timeout='15s'\n";
    let Some(stage) = stage(flavor, extra).await else { return };
    stage.servers.primary().run(&[&format!("GRANT PROCESS ON *.* TO '{}'@'%'", OTHER.user)]).await.unwrap();
    let login = Login::app_on(flavor).with(CLASSIC);
    for prepared in [false, true] {
        let mut client = Raw::login(stage.listen(), &login).await;
        client.run("BEGIN").await;
        client.run("UPDATE t SET v = v - 1 WHERE id = 1").await;
        let slow = "SELECT SLEEP(30) FROM t /* gone */";
        if prepared {
            let (_, id) = client.prepare(slow).await;
            client.send(&support::raw::execute_payload(id, 0, &[])).await;
        } else {
            client.send(&[b"\x03", slow.as_bytes()].concat()).await;
        }
        until("it runs", async || running(&stage, "/* gone */").await == 1).await;
        drop(client);
        until("it ended", async || running(&stage, "/* gone */").await == 0).await;
        // Its locks are free, and what it did is undone.
        let mut other = Raw::login(stage.listen(), &login).await;
        within("the lock", other.run("UPDATE t SET v = v WHERE id = 1")).await;
        assert_eq!(other.value("SELECT v FROM t WHERE id = 1 /* pointsman: primary */").await, "-1");
    }
    assert!((stage.metric("pointsman_abandoned_statements_total", &[]).await - 2.0).abs() < 0.1);
    // One that waits for a connection leaves the queue.
    let mut holders = Vec::new();
    for _ in 0..2 {
        let mut holder = Raw::login(stage.listen(), &login).await;
        holder.run("BEGIN").await;
        holders.push(holder);
    }
    let mut waiting = Raw::login(stage.listen(), &login).await;
    let id = id_of(&waiting);
    waiting.send(b"\x03UPDATE t SET v = 50 WHERE id = 2").await;
    let handle = || stage.proxy.shared().clients.get(id);
    until("it waits", async || handle().is_some_and(|client| client.waiting().is_some())).await;
    drop(waiting);
    until("it left", async || handle().is_none()).await;
    for mut holder in holders {
        holder.run("COMMIT").await;
    }
    let mut other = Raw::login(stage.listen(), &login).await;
    assert_eq!(other.value("SELECT v FROM t WHERE id = 2 /* pointsman: primary */").await, "-2");
    stage.end().await;

    // Off: it runs to its end.
    let extra = "[proxy]\nlisten='127.0.0.1:0'\nkill_on_disconnect=false\n[routing]\nmax_lag='1h'\n";
    let Some(stage) = support::stage_on(flavor, 0, extra).await else { return };
    stage.prepare(&["CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 1)"]).await;
    let mut client = Raw::login(stage.listen(), &login).await;
    client.send(b"\x03UPDATE t SET v = 2 + SLEEP(1) WHERE id = 1").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(client);
    let mut other = Raw::login(stage.listen(), &login).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(other.value("SELECT v FROM t").await, "2");
    stage.end().await;
}

async fn who_has_sent_more_is_not_gone(flavor: Flavor) {
    let Some(stage) = stage(flavor, SHARED).await else { return };
    let mut client = Raw::login(stage.listen(), &Login::app_on(flavor).with(CLASSIC)).await;
    // COM_QUIT right behind a statement, and the end of the connection.
    client.try_send(b"\x03UPDATE t SET v = 60 + SLEEP(0.7) WHERE id = 1").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    client.try_send(b"\x01").await;
    drop(client);
    let mut other = stage.client().await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let v: Option<i64> = other.query_first("SELECT v FROM t WHERE id = 1 /* pointsman: primary */").await.unwrap();
    assert_eq!(v, Some(60));
    stage.end().await;
}

async fn diagnostics_of_a_replicas_read_go_along(flavor: Flavor) {
    let Some(stage) = stage(flavor, SHARED).await else { return };
    let mut client = stage.client().await;
    for round in 0..2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let read = format!("SELECT nothing FROM t /* fails{round} */");
        assert_eq!(code(client.query_drop(&read).await), 1054);
        assert_eq!(stage.ran_on(&format!("/* fails{round} */")), ["replica1"]);
        client.query_drop("GET DIAGNOSTICS CONDITION 1 @code = MYSQL_ERRNO, @text = MESSAGE_TEXT").await.unwrap();
        // A write is not refused, and what was told is known on the primary and on a replica.
        client.query_drop("INSERT INTO n VALUES (@code)").await.unwrap();
        let found: Option<(i64, String)> = client.query_first("SELECT @code, @text").await.unwrap();
        let (number, text) = found.unwrap();
        assert_eq!(number, 1054);
        assert!(text.contains("nothing"), "{text}");
    }
    let count: Option<i64> =
        client.query_first("SELECT COUNT(*) FROM n WHERE v = 1054 /* pointsman: primary */").await.unwrap();
    assert_eq!(count, Some(2));
    stage.end().await;
}

async fn release_ends_the_connection(flavor: Flavor) {
    let Some(stage) = stage(flavor, SHARED).await else { return };
    let login = Login::app_on(flavor).with(CLASSIC);
    for statement in ["COMMIT RELEASE", "ROLLBACK RELEASE"] {
        for address in [stage.servers.primary().address(), stage.listen()] {
            let mut client = Raw::login(address, &login).await;
            client.run("BEGIN").await;
            assert!(client.one(&[b"\x03", statement.as_bytes()].concat()).await.is_ok());
            assert!(client.is_closed().await, "{statement}");
        }
    }
    let mut client = Raw::login(stage.listen(), &login).await;
    client.run("COMMIT NO RELEASE").await;
    client.run("SELECT 1").await;
    stage.end().await;
}

/// Ctrl-C makes the program connect anew and send KILL QUERY with the id of its first connection.
async fn control_c_of_a_program_ends_its_statement(flavor: Flavor) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let Some(stage) = stage(flavor, SHARED).await else { return };
    let program = if flavor == Flavor::MySql {
        let ours = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/mysql/bin/mysql");
        if ours.exists() { ours.display().to_string() } else { "mysql".to_owned() }
    } else {
        "mariadb".to_owned()
    };
    // `script` gives it a terminal, whose line discipline makes a signal of the byte.
    let line = format!("{program} --no-defaults -h127.0.0.1 -P{} -uapp -papp-secret app", stage.listen().port());
    let mut child = tokio::process::Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("script, of util-linux");
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let screen = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let seen = screen.clone();
    let reader = tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = output.read(&mut buffer).await {
            seen.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
    });
    let shows = |text: &'static str| {
        let screen = screen.clone();
        move || {
            let screen = screen.clone();
            async move { screen.lock().unwrap().contains(text) }
        }
    };
    until("the prompt", shows("> ")).await;
    let began = tokio::time::Instant::now();
    input.write_all(b"SELECT 'slept', SLEEP(30) FROM t;\n").await.unwrap();
    let shared = stage.proxy.shared();
    until("it runs", async || shared.clients.all().iter().any(|client| client.running().is_some())).await;
    input.write_all(b"\x03").await.unwrap();
    until("it ended", async || !shared.clients.all().iter().any(|client| client.running().is_some())).await;
    assert!(began.elapsed() < Duration::from_secs(15));
    // The session goes on.
    input.write_all(b"SELECT CONCAT('still', ' here');\n").await.unwrap();
    until("the next result", shows("still here")).await;
    input.write_all(b"exit\n").await.unwrap();
    let _ = tokio::time::timeout(Duration::from_secs(5), child.wait()).await;
    reader.abort();
    stage.end().await;
}
