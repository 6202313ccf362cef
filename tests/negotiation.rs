//! What clients are offered and agree on: the same as with the server itself, and what they get is in that form, also when
//! a server of the pool can do less.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

mod support;

use pointsman::cluster::Flavor;
use pointsman::sandbox::SandboxOptions;
use pointsman::wire::Capabilities;
use pointsman::wire::writer::put_lenenc_bytes;
use support::fake::Fake;
use support::raw::{CLASSIC, Login, MODERN, Packet, Raw};
use support::{Stage, proxy};

on_both!(
    the_greeting_offers_what_the_server_can_do,
    forms_that_both_families_have,
    a_replica_that_can_do_less_serves_only_those_who_came_later,
);

async fn stage(flavor: Flavor) -> Option<Stage> {
    let servers = support::start(flavor, SandboxOptions { replicas: 0, ..SandboxOptions::default() }).await?;
    let proxy = proxy(&servers, "").await;
    Some(Stage { servers, proxy })
}

async fn both(stage: &Stage, capabilities: Capabilities) -> [Raw; 2] {
    let login = Login::app().with(capabilities);
    let login = if stage.servers.flavor() == Flavor::MySql { login.plugin("caching_sha2_password") } else { login };
    [Raw::login(stage.servers.primary().address(), &login).await, Raw::login(stage.listen(), &login).await]
}

/// What each of the two got for each step, which must be the same.
#[track_caller]
fn compare(form: Capabilities, mut said: Vec<Vec<(String, Vec<Packet>)>>) {
    let (here, direct) = (said.pop().unwrap(), said.pop().unwrap());
    assert_eq!(here.len(), direct.len());
    for ((what, direct), (_, here)) in direct.into_iter().zip(here) {
        assert_eq!(here, direct, "{what} (proxy left, server right), form {:x}", form.0);
    }
}

async fn the_greeting_offers_what_the_server_can_do(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let direct = Raw::open(stage.servers.primary().address()).await.greeting.unwrap();
    let here = Raw::open(stage.listen()).await.greeting.unwrap();
    let not_ours = Capabilities::CACHE_METADATA | !Capabilities::OFFERED;
    assert_eq!(here.capabilities.without(not_ours), direct.capabilities.without(not_ours));
    let spoken = match flavor {
        Flavor::MySql => Capabilities::QUERY_ATTRIBUTES | Capabilities::OPTIONAL_RESULTSET_METADATA,
        _ => Capabilities::STMT_BULK_OPERATIONS | Capabilities::EXTENDED_METADATA | Capabilities::PROGRESS,
    };
    assert!(here.capabilities.contains(spoken), "{:x}", here.capabilities.0);
    assert!(!here.capabilities.contains(Capabilities::CACHE_METADATA));
    stage.end().await;
}

/// A conversation in each form that a family has.
async fn forms_that_both_families_have(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let own = match flavor {
        Flavor::MySql => Capabilities::QUERY_ATTRIBUTES | Capabilities::OPTIONAL_RESULTSET_METADATA,
        _ => Capabilities::STMT_BULK_OPERATIONS | Capabilities::PROGRESS,
    };
    for form in [MODERN, CLASSIC, MODERN | own, CLASSIC | own] {
        let mut said = Vec::new();
        for mut client in both(&stage, form).await {
            let mut steps = Vec::new();
            client.run("DROP TABLE IF EXISTS f").await;
            for sql in [
                "CREATE TABLE f (a INT PRIMARY KEY, b VARCHAR(20))",
                "INSERT INTO f VALUES (1, 'one'), (2, NULL)",
                "SET @a = 1, SESSION sql_mode = 'ANSI_QUOTES'",
                "SELECT @a, \"a\", b FROM f",
                "SELECT 1; SELECT 2, 3; SELECT * FROM nowhere",
                "BEGIN",
                "SELECT * FROM f FOR UPDATE",
                "ROLLBACK",
                "USE app",
            ] {
                steps.push((sql.to_owned(), client.query(sql).await));
            }
            let (mut packets, id) = client.prepare("SELECT b, ? FROM f WHERE a = ?").await;
            packets[0].payload[1..5].fill(0);
            steps.push(("PREPARE".to_owned(), packets));
            for value in [&b"1"[..], b"2", b"3"] {
                steps.push(("EXECUTE".to_owned(), client.execute(id, 0, &[Some(b"p"), Some(value)]).await));
            }
            said.push(steps);
        }
        compare(form, said);
    }
    stage.end().await;
}

/// COM_QUERY with one attribute of text and one that is NULL.
fn with_attributes(name: &str, value: &str, sql: &str) -> Vec<u8> {
    let mut payload = bytes::BytesMut::from(&b"\x03\x02\x01\x02\x01"[..]);
    payload.extend_from_slice(&[0xFE, 0]);
    put_lenenc_bytes(&mut payload, name.as_bytes());
    payload.extend_from_slice(&[0xFE, 0]);
    put_lenenc_bytes(&mut payload, b"null");
    put_lenenc_bytes(&mut payload, value.as_bytes());
    payload.extend_from_slice(sql.as_bytes());
    payload.to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn query_attributes_reach_the_server_and_the_text_is_read_behind_them() {
    let Some(servers) = support::servers_of(Flavor::MySql, 1, &[]).await else { return };
    // The server tells what it was sent by a component, which the packages have.
    servers.primary().run(&["INSTALL COMPONENT 'file://component_query_attributes'"]).await.unwrap();
    let proxy = proxy(&servers, "").await;
    let stage = Stage { servers, proxy };
    stage.prepare(&["CREATE TABLE attributed (a INT)", "INSERT INTO attributed VALUES (1)"]).await;
    let form = MODERN | Capabilities::QUERY_ATTRIBUTES;
    let mut said = Vec::new();
    for mut client in both(&stage, form).await {
        let mut steps = Vec::new();
        for sql in [
            "SELECT a FROM attributed",
            "USE app",
            "SET SESSION max_join_size = 7",
            "SELECT @@max_join_size",
            "",
            "SELEKT",
        ] {
            let packets = client.results(&with_attributes("traceparent", "00-aa", sql)).await;
            steps.push((sql.to_owned(), packets));
        }
        // What the server itself makes of them: of one statement, and of no other.
        let asks = "SELECT mysql_query_attribute_string('traceparent'), mysql_query_attribute_string('none')";
        for value in ["00-aa", "", "another"] {
            let asked = client.results(&with_attributes("traceparent", value, asks)).await;
            let row = asked.iter().rev().nth(1).unwrap();
            let length = u8::try_from(value.len()).unwrap();
            assert_eq!(row.payload, [&[length][..], value.as_bytes(), &[0xFB]].concat(), "{value}");
            steps.push((format!("the attribute {value}"), asked));
        }
        let asked = client.query(asks).await;
        assert_eq!(asked.iter().rev().nth(1).unwrap().payload, [0xFB, 0xFB]);
        steps.push(("no attribute".to_owned(), asked));
        for malformed in [&b"\x03SELECT 1"[..], b"\x03\x00\x00SELECT 1", b"\x03\x01\x01\x00\x00\xfd\x00\x00SELECT 1"] {
            let mut packet = client.one(malformed).await;
            packet.payload.truncate(9);
            steps.push((format!("{malformed:?}"), vec![packet]));
        }
        steps.push(("after".to_owned(), client.query("SELECT 'after'").await));
        // With an attribute beside its parameter, and types as before.
        let (_, id) = client.prepare("SELECT ?").await;
        let head = [&b"\x17"[..], &id.to_le_bytes(), b"\x08\x01\0\0\0"].concat();
        for rest in [
            &b"\x02\0\x01\xfd\0\0\xfd\0\x01n\x02ab\x01v"[..],
            b"\x01\0\0\x02cd",
            b"\x01\0\x01\xfd\0\0\x02ef",
            b"\x02\0\0\x02gh\x01v",
        ] {
            let mut packets = client.results(&[&head, rest].concat()).await;
            if packets[0].payload[0] == 0xFF {
                packets[0].payload.truncate(9);
            }
            steps.push((format!("EXECUTE {rest:?}"), packets));
        }
        said.push(steps);
    }
    compare(form, said);
    // A read with attributes is known as one, and routed by its text.
    let mut here = both(&stage, form).await.into_iter().nth(1).unwrap();
    support::until("a replica is known", || async {
        stage.metric("pointsman_server_lag_seconds", &["replica"]).await >= 0.0
    })
    .await;
    here.results(&with_attributes("a", "b", "SELECT 'read with attributes' FROM attributed")).await;
    assert_eq!(stage.ran_on("read with attributes"), ["replica1"]);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_without_definitions() {
    let Some(stage) = stage(Flavor::MySql).await else { return };
    for form in [MODERN, CLASSIC].map(|form| form | Capabilities::OPTIONAL_RESULTSET_METADATA) {
        let mut said = Vec::new();
        for mut client in both(&stage, form).await {
            let mut steps = Vec::new();
            for sql in [
                "SELECT 1, 2, 3",
                "SET SESSION resultset_metadata = 'NONE'",
                "SELECT 1, 2, 3",
                "INSERT INTO nowhere VALUES (1)",
                "SELECT 1; SELECT 2",
            ] {
                steps.push((sql.to_owned(), client.query(sql).await));
            }
            let (mut packets, id) = client.prepare("SELECT ?, 2").await;
            packets[0].payload[1..5].fill(0);
            steps.push(("PREPARE".to_owned(), packets));
            steps.push(("EXECUTE".to_owned(), client.execute(id, 0, &[Some(b"p")]).await));
            steps.push(("last".to_owned(), client.query("SELECT LAST_INSERT_ID()").await));
            steps.push(("full".to_owned(), client.query("SET SESSION resultset_metadata = DEFAULT").await));
            steps.push(("again".to_owned(), client.query("SELECT 1, 2, 3").await));
            said.push(steps);
        }
        compare(form, said);
    }
    let mut said = Vec::new();
    for mut client in both(&stage, MODERN).await {
        let refused = client.query("SET SESSION resultset_metadata = 'NONE'").await;
        assert_eq!(refused[0].error().code, 3640);
        said.push(vec![("refused".to_owned(), refused)]);
    }
    compare(MODERN, said);
    stage.end().await;
}

/// A replica that comes back as an older one: what was agreed on with clients before is never broken.
async fn a_replica_that_can_do_less_serves_only_those_who_came_later(flavor: Flavor) {
    let Some(servers) = support::servers_of(flavor, 1, &[]).await else { return };
    let replica = servers.replicas()[0].address().to_string();
    let fake = Fake::before(servers.replicas()[0].address()).await;
    let text = support::configuration(&servers, "[routing]\nconsistency='eventual'\n");
    let proxy = support::proxy_of(&text.replace(&replica, &fake.address.to_string())).await;
    let stage = Stage { servers, proxy };
    stage.prepare(&["CREATE TABLE less (a INT)", "INSERT INTO less VALUES (1)"]).await;
    let lost = match flavor {
        Flavor::MySql => Capabilities::QUERY_ATTRIBUTES,
        _ => Capabilities::EXTENDED_METADATA,
    };
    let form = MODERN | lost;
    let mut before = both(&stage, form).await.into_iter().nth(1).unwrap();
    assert!(before.capabilities.contains(lost));
    fake.hide(lost);
    for at in 0..3 {
        assert_eq!(before.value(&format!("SELECT a AS before_{at} FROM less")).await, "1");
    }
    assert_eq!(stage.ran_on("AS before_"), ["primary"]);
    let incapable = stage.metric("pointsman_statements_total", &["reason=\"replicas_incapable\""]).await;
    assert!(incapable > 0.0, "{incapable}");
    let mut later = both(&stage, form).await.into_iter().nth(1).unwrap();
    assert!(!later.capabilities.contains(lost), "{:x}", later.capabilities.0);
    assert_eq!(later.value("SELECT a AS later FROM less").await, "1");
    assert_eq!(stage.ran_on("AS later"), ["replica1"]);
    stage.end().await;
}
