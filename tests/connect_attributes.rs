//! Connection attributes: who asks for them finds the client's, as on a direct connection; pools carry pointsman's.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test fails by it, a skip says why")]

mod support;

use pointsman::cluster::Flavor;
use pointsman::wire::command::code;
use support::raw::{Login, Raw};
use support::{Stage, proxy, servers_of, until};

on_both!(
    attributes_are_those_of_a_direct_connection,
    the_session_takes_its_state_along_and_comes_back,
    pools_name_pointsman_and_no_client,
    long_and_broken_attributes_are_the_servers_matter,
    a_reader_of_the_binary_log_is_named,
);

const OWN: &str = "SELECT ATTR_NAME, ATTR_VALUE, ORDINAL_POSITION FROM performance_schema.session_connect_attrs \
                   WHERE PROCESSLIST_ID = CONNECTION_ID() ORDER BY ORDINAL_POSITION";
const ACCOUNT: &str = "SELECT ATTR_NAME, ATTR_VALUE FROM performance_schema.`session_account_connect_attrs` \
                       WHERE processlist_id = connection_id() ORDER BY ORDINAL_POSITION";

async fn stage(flavor: Flavor) -> Option<Stage> {
    let servers = servers_of(flavor, 1, &["--performance-schema=ON"]).await?;
    servers.primary().run(&["GRANT SELECT ON performance_schema.* TO app"]).await.unwrap();
    servers.catch_up().await.unwrap();
    let proxy = proxy(&servers, "[routing]\nconsistency='eventual'\n").await;
    Some(Stage { servers, proxy })
}

fn login(program: &str) -> Login {
    Login::app().attributes(&[("_client_name", "test"), ("program_name", program), ("_pid", "4711"), ("empty", "")])
}

/// The payloads of a reply.
async fn payloads(client: &mut Raw, sql: &str) -> Vec<Vec<u8>> {
    client.run(sql).await.into_iter().map(|packet| packet.payload).collect()
}

fn holds(packets: &[Vec<u8>], text: &str) -> bool {
    packets.iter().any(|packet| packet.windows(text.len()).any(|part| part == text.as_bytes()))
}

async fn attributes_are_those_of_a_direct_connection(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let both = [stage.servers.primary().address(), stage.listen()];
    for login in [login("one"), Login::app(), Login::app().attributes(&[])] {
        let mut said = Vec::new();
        for at in both {
            let mut client = Raw::login(at, &login).await;
            let mut all = payloads(&mut client, OWN).await;
            all.extend(payloads(&mut client, ACCOUNT).await);
            all.extend(payloads(&mut client, "SELECT COUNT(*), MIN(a.ATTR_VALUE) FROM performance_schema.threads t JOIN performance_schema.session_connect_attrs a USING (PROCESSLIST_ID) WHERE PROCESSLIST_ID = CONNECTION_ID()").await);
            // Without a schema of its own.
            client.run("USE performance_schema").await;
            all.extend(payloads(&mut client, "SELECT ATTR_VALUE FROM session_connect_attrs WHERE processlist_id = CONNECTION_ID() ORDER BY ORDINAL_POSITION").await);
            all.extend(
                payloads(&mut client, "SELECT COUNT(*) FROM threads WHERE processlist_id = CONNECTION_ID()").await,
            );
            said.push(all);
        }
        assert!(holds(&said[0], "_client_name") != login.attributes.is_empty(), "{:?}", said[0]);
        assert_eq!(said[0], said[1], "{login:?}");
    }
    // A prepared one, and each of two clients its own at the same time.
    let mut clients = Vec::new();
    for name in ["left", "right"] {
        clients.push((name, Raw::login(stage.listen(), &login(name)).await));
    }
    for (name, client) in &mut clients {
        let prepared = client.one(&[&[code::STMT_PREPARE], OWN.as_bytes()].concat()).await;
        assert!(prepared.is_ok());
        let id: [u8; 4] = prepared.payload[1..5].try_into().unwrap();
        for _ in 0..3 {
            client.read().await;
        }
        if !client.capabilities.contains(pointsman::wire::Capabilities::DEPRECATE_EOF) {
            client.read().await;
        }
        let execute = [&[code::STMT_EXECUTE][..], &id, &[0, 1, 0, 0, 0]].concat();
        let rows: Vec<Vec<u8>> = client.results(&execute).await.into_iter().map(|packet| packet.payload).collect();
        assert!(holds(&rows, name), "{rows:?}");
        // One id per client all the same.
        let own = client.greeting.as_ref().unwrap().thread_id.to_string();
        assert_eq!(client.value("SELECT CONNECTION_ID()").await, own);
        let there = "SELECT PROCESSLIST_ID = CONNECTION_ID() FROM performance_schema.threads WHERE PROCESSLIST_ID = CONNECTION_ID()";
        assert_eq!(client.value(there).await, "1");
    }
    // Another user, other attributes.
    let (_, client) = &mut clients[0];
    assert!(client.change_user(&login("changed")).await.last().unwrap().is_ok());
    assert!(holds(&payloads(client, OWN).await, "changed"));
    stage.end().await;
}

async fn the_session_takes_its_state_along_and_comes_back(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    stage.prepare(&["CREATE TABLE numbered (id INT AUTO_INCREMENT PRIMARY KEY, a INT) AUTO_INCREMENT = 70"]).await;
    let mut client = Raw::login(stage.listen(), &login("state")).await;
    client.run("SET @mine = 5").await;
    client.run("SET sql_mode = 'ANSI_QUOTES'").await;
    client.run("INSERT INTO numbered (a) VALUES (1)").await;
    assert!(holds(&payloads(&mut client, OWN).await, "state"));
    assert_eq!(
        client.value("SELECT CONCAT(@mine, @@sql_mode, LAST_INSERT_ID(), DATABASE())").await,
        "5ANSI_QUOTES70app"
    );
    let before = stage.metric("pointsman_route_reasons_total", &["pinned_connect_attributes"]).await;
    client.run("SELECT COUNT(*) FROM numbered /* there */").await;
    assert_eq!(stage.ran_on("/* there */"), ["primary"]);
    assert!(stage.metric("pointsman_route_reasons_total", &["pinned_connect_attributes"]).await > before);
    assert_eq!(stage.metric("pointsman_pins_total", &["connect_attributes"]).await, 1.0);
    // Reset: back to the pools, and the connection is closed.
    assert!(client.one(&[code::RESET_CONNECTION]).await.is_ok());
    let left = "SELECT COUNT(*) FROM performance_schema.session_connect_attrs WHERE ATTR_VALUE = 'state'";
    until("it is closed", || async { stage.servers.primary().first::<u64>(left).await.unwrap() == Some(0) }).await;
    client.run("SELECT COUNT(*) FROM numbered /* back */").await;
    assert_eq!(stage.ran_on("/* back */"), ["replica1"]);
    assert!(holds(&payloads(&mut client, OWN).await, "state"));
    drop(client);
    until("it is closed", || async { stage.servers.primary().first::<u64>(left).await.unwrap() == Some(0) }).await;
    // A transaction is not left for it.
    let mut bound = Raw::login(stage.listen(), &login("bound")).await;
    bound.run("BEGIN").await;
    let rows = payloads(&mut bound, OWN).await;
    assert!(holds(&rows, "pointsman") && !holds(&rows, "bound"), "{rows:?}");
    bound.run("COMMIT").await;
    assert!(holds(&payloads(&mut bound, OWN).await, "bound"));
    stage.end().await;
}

async fn pools_name_pointsman_and_no_client(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let mut client = Raw::login(stage.listen(), &login("hidden")).await;
    client.run("SELECT 1").await;
    client.run("/* pointsman: primary */ SELECT 1").await;
    let pid = std::process::id().to_string();
    for server in stage.servers.servers() {
        let named = |name: &str, value: &str| {
            format!(
                "SELECT COUNT(*) FROM performance_schema.session_connect_attrs a JOIN performance_schema.threads t \
                 USING (processlist_id) WHERE processlist_user IN ('app', 'monitor') AND attr_name = '{name}' AND attr_value = '{value}'"
            )
        };
        let version = env!("CARGO_PKG_VERSION");
        for (name, value) in
            [("program_name", "pointsman"), ("_client_name", "pointsman"), ("_client_version", version), ("_pid", &pid)]
        {
            let found = server.first::<u64>(&named(name, value)).await.unwrap().unwrap();
            assert!(found >= 2, "{name} on {}: {found}", server.name());
        }
        assert_eq!(server.first::<u64>(&named("program_name", "hidden")).await.unwrap(), Some(0));
    }
    stage.end().await;
}

async fn long_and_broken_attributes_are_the_servers_matter(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let both = [stage.servers.primary().address(), stage.listen()];
    let long = "v".repeat(60_000);
    let mut broken = login("broken");
    // The last value claims to be longer than there is.
    if let Some(last) = broken.attributes.last_mut() {
        *last = 200;
    }
    for login in [Login::app().attributes(&[("first", "1"), ("long", &long)]), broken] {
        let mut said = Vec::new();
        for at in both {
            let mut client = Raw::login(at, &login).await;
            said.push(payloads(&mut client, OWN).await);
        }
        assert_eq!(said[0], said[1]);
    }
    stage.end().await;
}

async fn a_reader_of_the_binary_log_is_named(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    stage.servers.primary().run(&["GRANT REPLICATION SLAVE ON *.* TO app"]).await.unwrap();
    let mut client = Raw::login(stage.listen(), &login("dumper")).await;
    client.run("SET @source_binlog_checksum = 'CRC32', @master_binlog_checksum = 'CRC32'").await;
    client.send(&[&b"\x12\x04\0\0\0\0\0\x63\0\0\0"[..], b"binlog.000001"].concat()).await;
    assert!(client.read().await.is_ok());
    let named = "SELECT COUNT(*) FROM performance_schema.session_connect_attrs WHERE ATTR_VALUE = 'dumper'";
    let count = || async { stage.servers.primary().first::<u64>(named).await.unwrap() };
    assert_eq!(count().await, Some(1));
    drop(client);
    // The server notices when it writes.
    until("it is closed", || async {
        stage.servers.primary().run(&["FLUSH BINARY LOGS"]).await.unwrap();
        count().await == Some(0)
    })
    .await;
    stage.end().await;
}
