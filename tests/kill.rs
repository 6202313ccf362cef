//! KILL in the forms and at the moments that are rarer than those of tests/identity.rs, compared with what the servers do
//! directly; and what becomes of statements whose client goes away behind TLS or compression.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test fails by them"
)]

mod support;

use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use pointsman::cluster::Flavor;
use pointsman::sandbox::{OTHER, SandboxOptions};
use support::Stage;
use support::raw::{CLASSIC, Login, Packet, Raw};
use support::tls::{Authority, mariadb, mysql};

on_both!(
    a_prepared_kill_takes_its_parameter,
    forms_of_one_family_are_known_there_only,
    a_kill_in_the_middle_of_a_large_result_ends_it,
    a_client_behind_tls_or_compression_takes_its_statement_with_it,
);

fn login(flavor: Flavor) -> Login {
    Login::app().with(CLASSIC).plugin(if flavor == Flavor::MySql {
        "caching_sha2_password"
    } else {
        "mysql_native_password"
    })
}

fn id_of(raw: &Raw) -> u32 {
    raw.greeting.as_ref().unwrap().thread_id
}

/// A parameter of an EXECUTE: its type, whether it is unsigned, its bytes.
type Parameter<'a> = (u8, bool, &'a [u8]);

fn execute(id: u32, flags: u8, parameters: &[Parameter<'_>]) -> Vec<u8> {
    let mut payload = [&[0x17][..], &id.to_le_bytes(), &[flags, 1, 0, 0, 0]].concat();
    if !parameters.is_empty() {
        payload.extend_from_slice(&vec![0; parameters.len().div_ceil(8)]);
        payload.push(1);
        for (kind, unsigned, _) in parameters {
            payload.extend_from_slice(&[*kind, if *unsigned { 0x80 } else { 0 }]);
        }
        for (_, _, value) in parameters {
            payload.extend_from_slice(value);
        }
    }
    payload
}

async fn a_prepared_kill_takes_its_parameter(flavor: Flavor) {
    let Some(stage) = support::stage_on(flavor, 0, "").await else { return };
    let login = login(flavor);
    let mut seen: Vec<Vec<String>> = Vec::new();
    for address in [stage.servers.primary().address(), stage.listen()] {
        let mut log = Vec::new();
        let mut killer = Raw::login(address, &login).await;
        for sql in [
            "KILL ?",
            "KILL QUERY ?",
            "KILL HARD CONNECTION ? + 0",
            "KILL QUERY IF(1, ?, CONNECTION_ID())",
            "KILL USER ?",
            "KILL QUERY ID ?",
            "KILL 4000000",
        ] {
            let (packets, statement) = killer.prepare(sql).await;
            if statement == 0 {
                log.push(format!("{sql}: {:?}", packets[0].error()));
                continue;
            }
            for kind in ["long", "ulonglong", "string", "tiny", "cursor", "nobody", "null"] {
                // Query id 0 is that of any thread that has run nothing yet.
                if sql.contains("QUERY ID") && kind == "null" {
                    continue;
                }
                let mut victim = Raw::login(address, &login).await;
                let id = id_of(&victim);
                let text = [&[u8::try_from(id.to_string().len()).unwrap()][..], id.to_string().as_bytes()].concat();
                let (long, wide) = (id.to_le_bytes(), u64::from(id).to_le_bytes());
                let parameter: Parameter<'_> = match kind {
                    "long" | "cursor" => (3, false, &long),
                    "ulonglong" => (8, true, &wide),
                    "string" => (0xFD, false, &text),
                    "tiny" => (1, false, &[0xFF]),
                    "null" => (3, false, &[]),
                    _ => (3, false, &[0xFF, 0xFF, 0xFF, 0x7F]),
                };
                let parameters = if sql.contains('?') { &[parameter][..] } else { &[] };
                let mut payload = execute(statement, u8::from(kind == "cursor"), parameters);
                if kind == "null" && !parameters.is_empty() {
                    payload[10] = 1;
                }
                let packets = killer.results(&payload).await;
                let said = packets.last().unwrap();
                let said = if said.payload[0] == 0xFF {
                    let error = said.error();
                    let own = format!("id: {id}");
                    let text = error
                        .message
                        .strip_suffix(&own)
                        .map_or_else(|| error.message.to_string(), |front| format!("{front}ID"));
                    format!("{} {text}", error.code)
                } else {
                    format!("{:?}", said.payload)
                };
                victim.try_send(b"\x0e").await;
                victim.sequence = 1;
                let gone = if victim.try_read().await.is_err() { "gone" } else { "there" };
                log.push(format!("{sql} {kind}: {said}, {gone}"));
            }
        }
        seen.push(log);
    }
    assert_eq!(seen[1], seen[0]);
    if flavor == Flavor::MariaDb {
        for ends in
            ["KILL ? long", "KILL ? ulonglong", "KILL ? string", "KILL ? cursor", "KILL HARD CONNECTION ? + 0 long"]
        {
            assert!(seen[0].iter().any(|line| line.starts_with(ends) && line.ends_with(", gone")), "{ends}: {seen:#?}");
        }
        assert!(seen[0].iter().any(|line| line.starts_with("KILL QUERY ? long") && line.ends_with(", there")));
    }
    stage.end().await;
}

/// What one family knows and the other does not, and users by their hosts.
async fn forms_of_one_family_are_known_there_only(flavor: Flavor) {
    let Some(stage) = support::stage_on(flavor, 0, "").await else { return };
    let login = login(flavor);
    let mut seen: Vec<Vec<String>> = Vec::new();
    for address in [stage.servers.primary().address(), stage.listen()] {
        let mut log = Vec::new();
        let mut killer = Raw::login(address, &login).await;
        let mut victim = Raw::login(address, &login).await;
        for form in [
            "HARD ID",
            "SOFT ID",
            "HARD QUERY ID",
            "SOFT CONNECTION ID",
            "QUERY ID 4000000000",
            "USER nobody",
            "USER nobody@'%'",
            "QUERY USER 'nobody'@localhost",
            "HARD",
            "SOFT QUERY",
            "",
            "QUERY",
            "ID ID",
            "CONNECTION",
            "4000000.5",
            "'x'",
        ] {
            let sql = format!(
                "KILL {}",
                if form.contains("QUERY ID ") {
                    form.to_owned()
                } else {
                    form.replace("ID", &id_of(&victim).to_string())
                }
            );
            let said = killer.query(&sql).await;
            let said = match said[0].payload[0] {
                0xFF => format!("{} {}", said[0].error().code, said[0].error().message),
                _ => format!("{:?}", said[0].payload),
            };
            victim.try_send(b"\x0e").await;
            victim.sequence = 1;
            let gone = victim.try_read().await.is_err();
            let id = id_of(&victim);
            let said = said.replace(&format!("{id}'"), "ID'");
            log.push(format!("{form}: {gone}, {said}"));
            if gone {
                victim = Raw::login(address, &login).await;
            }
        }
        seen.push(log);
    }
    assert_eq!(seen[1], seen[0]);
    assert_eq!(flavor == Flavor::MySql, seen[0][0].starts_with("HARD ID: false, 1064"), "{seen:#?}");
    if flavor == Flavor::MariaDb {
        for whom in ["app@'127.0.0.1'", "app@'%'", "app"] {
            let mut killer = Raw::login(stage.listen(), &login).await;
            let mut victim = Raw::login(stage.listen(), &login).await;
            let mut other = stage.client_as(OTHER).await;
            killer.send(format!("\x03KILL USER {whom}").as_bytes()).await;
            assert!(victim.is_closed().await, "{whom}");
            other.query_drop("SELECT 1").await.unwrap();
        }
        // The list by its command: of the proxy's clients.
        let mut asking = Raw::login(stage.listen(), &login).await;
        let own = id_of(&asking).to_string();
        let rows = asking.results(b"\x0a").await;
        let first = |packet: &&Packet| packet.payload.get(1..=own.len()) == Some(own.as_bytes());
        assert_eq!(rows.iter().filter(first).count(), 1, "{rows:?}");
    }
    stage.end().await;
}

/// How a result ended: its last packet's error, or the connection.
async fn read_on(client: &mut Raw) -> (u64, String) {
    let mut rows = 0;
    loop {
        match client.try_read().await {
            Ok(packet) if packet.payload[0] == 0xFF => return (rows, format!("{}", packet.error().code)),
            Ok(packet) if packet.payload[0] == 0xFE && packet.payload.len() < 9 => return (rows, "whole".to_owned()),
            Ok(_) => rows += 1,
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => return (rows, "silent".to_owned()),
            Err(_) => return (rows, "closed".to_owned()),
        }
    }
}

const LARGE: &str = "SELECT REPEAT('x', 1000) FROM n a, n b, n c, n d";

async fn a_kill_in_the_middle_of_a_large_result_ends_it(flavor: Flavor) {
    let Some(stage) = support::stage_on(flavor, 0, "[pools]\nsize=2\n").await else { return };
    let doubled = "INSERT INTO n SELECT v + (SELECT COUNT(*) FROM n m) FROM n";
    stage
        .prepare(&["CREATE TABLE n (v INT)", "INSERT INTO n VALUES (1), (2), (3), (4)", doubled, doubled, doubled])
        .await;
    let login = login(flavor);
    for form in ["KILL QUERY", "KILL"] {
        let mut ends = Vec::new();
        for address in [stage.servers.primary().address(), stage.listen()] {
            let mut killer = Raw::login(address, &login).await;
            let mut bystander = Raw::login(address, &login).await;
            let mut victim = Raw::login(address, &login).await;
            victim.send(&[b"\x03", LARGE.as_bytes()].concat()).await;
            for _ in 0..1000 {
                victim.read().await;
            }
            // It takes nothing for a while: everybody in between waits for it.
            tokio::time::sleep(Duration::from_millis(300)).await;
            killer.run(&format!("{form} {}", id_of(&victim))).await;
            assert_eq!(bystander.value("SELECT 5").await, "5");
            let (rows, end) = read_on(&mut victim).await;
            assert!(rows < 1_000_000, "{form}: it went on to its end");
            if form == "KILL QUERY" {
                assert_eq!(victim.value("SELECT 6").await, "6");
            }
            assert_eq!(bystander.value("SELECT 7").await, "7");
            assert_eq!(killer.value("SELECT 8").await, "8");
            ends.push(end);
        }
        assert_eq!(ends[1], ends[0], "{form}");
    }
    stage.end().await;
}

/// A program that is ended in mid-statement, its connection behind TLS or compressed or both.
async fn a_client_behind_tls_or_compression_takes_its_statement_with_it(flavor: Flavor) {
    use std::process::Stdio;
    let authority = Authority::new();
    authority.sign("server", &["localhost"]);
    let extra = authority.server_options("server");
    let options = SandboxOptions { replicas: 0, extra, ..SandboxOptions::default() };
    let Some(servers) = support::start(flavor, options).await else { return };
    let stage = Stage { proxy: support::proxy(&servers, "[tls]\nmode='optional'\n").await, servers };
    let (program, forms): (_, [&[&str]; 4]) = if flavor == Flavor::MySql {
        (
            mysql(),
            [
                &["--ssl-mode=DISABLED", "--get-server-public-key"],
                &["--ssl-mode=REQUIRED"],
                &["--ssl-mode=DISABLED", "--get-server-public-key", "--compression-algorithms=zstd"],
                &["--ssl-mode=REQUIRED", "--compression-algorithms=zlib"],
            ],
        )
    } else {
        (mariadb(), [&["--skip-ssl"], &["--ssl"], &["--skip-ssl", "--compress"], &["--ssl", "--compress"]])
    };
    let Some(program) = program else { return };
    stage.servers.primary().run(&[&format!("GRANT PROCESS ON *.* TO '{}'@'%'", OTHER.user)]).await.unwrap();
    let mut watching = stage.servers.primary().connect(OTHER).await.unwrap();
    let mut running = async || {
        let query = "SELECT CAST(COUNT(*) AS CHAR) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'";
        watching.query_first::<String, _>(query).await.unwrap().unwrap()
    };
    for form in forms {
        let port = stage.listen().port().to_string();
        let mut child = tokio::process::Command::new(&program)
            .args(["--no-defaults", "--protocol=TCP", "-h127.0.0.1", "-P", &port, "-uapp", "-papp-secret"])
            .args(form)
            .args(["-e", "SELECT SLEEP(60)"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        for _ in 0..400 {
            if running().await == "1" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        assert_eq!(running().await, "1", "{form:?}");
        child.kill().await.unwrap();
        let began = tokio::time::Instant::now();
        while running().await != "0" {
            assert!(began.elapsed() < Duration::from_secs(5), "{form:?}: it runs on");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        println!("{form:?}: killed on the server after {:?}", began.elapsed());
    }
    assert!((stage.metric("pointsman_abandoned_statements_total", &[]).await - 4.0).abs() < 0.1);
    stage.end().await;
}
