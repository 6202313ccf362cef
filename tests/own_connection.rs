//! What a client is told of its own connection, TLS and compression and the commands that it sent: as directly, while the
//! connection to the server is another.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]
#![allow(clippy::print_stderr, reason = "a skipped test says why")]

mod support;

use std::net::SocketAddr;

use pointsman::cluster::Flavor;
use pointsman::config::{Source, parse};
use pointsman::sandbox::{Sandbox, SandboxOptions};
use support::raw::{Login, Packet, Raw};
use support::tls::{Authority, Files, cli, mariadb, mysql};
use support::wire::Method;
use support::{Proxy, Stage, configuration, start};

on_both!(
    a_client_sees_the_tls_and_the_compression_of_its_own_connection,
    rows_of_status_differ_in_values_only,
    commands_of_prepared_statements_are_counted_for_the_session,
    clients_that_leave_without_a_word_are_counted,
);

/// Servers with TLS, a proxy with TLS, and between them another form than clients have.
async fn stage(flavor: Flavor, authority: &Authority, between: &str) -> Option<Stage> {
    authority.sign("server", &["127.0.0.1"]);
    let extra = authority.server_options("server");
    let servers = start(flavor, SandboxOptions { replicas: 1, extra, ..SandboxOptions::default() }).await?;
    let proxy = proxy(&servers, authority, between).await;
    Some(Stage { servers, proxy })
}

async fn proxy(servers: &Sandbox, authority: &Authority, between: &str) -> Proxy {
    let (certificate, key) = (authority.path("server.pem"), authority.path("server.key"));
    let tls = format!("[tls]\ncertificate='{}'\nkey='{}'\n", certificate.display(), key.display());
    let text = configuration(servers, &tls).replace("\nrole=", &format!("\n{between}\nrole="));
    Proxy::start(parse(Some(Source { name: "test", text: &text }), &Files).unwrap().config).await
}

const COLUMNS: &str = "('Ssl_cipher', 'Ssl_version', 'Ssl_default_timeout', 'Ssl_verify_mode', 'Ssl_verify_depth', 'Ssl_server_not_before', \
     'Ssl_server_not_after', 'Ssl_sessions_reused', 'Compression', 'Compression_algorithm', 'Compression_level')";

/// What is asked, in several forms. `SCHEMA` is where the family has its tables of status.
fn questions(flavor: Flavor) -> Vec<String> {
    let schema = if flavor == Flavor::MySql { "performance_schema" } else { "information_schema" };
    let mut questions: Vec<String> = [
        "SHOW STATUS WHERE Variable_name IN COLUMNS",
        "SHOW SESSION STATUS LIKE 'Ssl_cipher'",
        "SHOW LOCAL STATUS LIKE 'Compression%'",
        "show global status like 'ssl_version'",
        "SELECT * FROM SCHEMA.session_status WHERE VARIABLE_NAME IN COLUMNS ORDER BY 1",
        "SELECT variable_value AS v, variable_name FROM SCHEMA.session_status s WHERE s.variable_name IN COLUMNS ORDER BY 2",
        "SELECT variable_value FROM SCHEMA.session_status WHERE variable_name = 'Ssl_cipher'",
        "SELECT variable_value, 1 FROM SCHEMA.session_status WHERE variable_name = 'Compression'",
        "SELECT variable_value FROM SCHEMA.global_status WHERE variable_name LIKE 'Ssl_version'",
        "SELECT variable_value FROM SCHEMA.global_status WHERE variable_name = 'Compression'",
    ]
    .iter()
    .map(|text| text.replace("SCHEMA", schema).replace("COLUMNS", COLUMNS))
    .collect();
    questions.push("PREPARE s FROM 'SHOW STATUS LIKE ''Compression'''".into());
    questions.push("EXECUTE s".into());
    questions
}

async fn a_client_sees_the_tls_and_the_compression_of_its_own_connection(flavor: Flavor) {
    let authority = Authority::new();
    let between = ["tls='off'\ncompression='zlib'", "tls='required'\ncompression='off'"];
    let Some(mut stage) = stage(flavor, &authority, between[0]).await else { return };
    let direct = stage.servers.primary().address();
    let script = questions(flavor).join("; ") + "; \\s";
    let (one, other) = ("TLSv1.2", "TLSv1.3");
    let ciphers = ["--ssl-cipher=ECDHE-ECDSA-AES128-GCM-SHA256", "--tls-ciphersuites=TLS_AES_256_GCM_SHA384"];
    let mut clients = Vec::new();
    if let (Some(program), Flavor::MySql) = (mysql(), flavor) {
        for compression in ["uncompressed", "zlib", "zstd"] {
            let compression = format!("--compression-algorithms={compression}");
            for tls in [
                vec!["--ssl-mode=DISABLED".to_owned(), "--get-server-public-key".to_owned()],
                vec!["--ssl-mode=REQUIRED".to_owned(), format!("--tls-version={one}"), ciphers[0].to_owned()],
                vec!["--ssl-mode=REQUIRED".to_owned(), format!("--tls-version={other}"), ciphers[1].to_owned()],
            ] {
                let more = vec![compression.clone(), "--zstd-compression-level=7".to_owned(), "--commands".to_owned()];
                clients.push((program.clone(), [tls, more].concat()));
            }
        }
    }
    if let Some(program) = mariadb() {
        for compression in ["--skip-compress", "--compress"] {
            for tls in [
                vec!["--skip-ssl".to_owned()],
                vec!["--ssl".to_owned(), format!("--tls-version={one}"), ciphers[0].to_owned()],
                vec![
                    "--ssl".to_owned(),
                    format!("--tls-version={other}"),
                    "--ssl-cipher=TLS_AES_256_GCM_SHA384".to_owned(),
                ],
            ] {
                // An RSA exchange is not for this one.
                if flavor == Flavor::MariaDb || tls[0] == "--ssl" {
                    clients.push((program.clone(), [tls, vec![compression.to_owned()]].concat()));
                }
            }
        }
    }
    for settings in between {
        stage.proxy.stop().await;
        stage.proxy = proxy(&stage.servers, &authority, settings).await;
        for (program, options) in &clients {
            let said = async |address: SocketAddr| {
                let mut arguments: Vec<&str> = options.iter().map(String::as_str).collect();
                arguments.push("--column-type-info");
                let said = cli(program, address, &arguments, &script)
                    .await
                    .unwrap_or_else(|error| panic!("{options:?}: {error}"));
                // What the client's own \s prints of times and ports.
                let own = |line: &&str| {
                    !["Connection id", "TCP port", "Uptime", "Threads:"].iter().any(|start| line.starts_with(start))
                };
                said.lines().filter(own).map(|line| format!("{line}\n")).collect::<String>()
            };
            let (expected, got) = (said(direct).await, said(stage.listen()).await);
            assert!(expected.contains("Ssl_cipher"), "{expected}");
            assert_eq!(expected, got, "{} {options:?} over {settings}", program.display());
        }
    }
    stage.end().await;
}

async fn rows_of_status_differ_in_values_only(flavor: Flavor) {
    let authority = Authority::new();
    let Some(stage) = stage(flavor, &authority, "tls='required'\ncompression='zlib'").await else { return };
    let mut methods = vec![None, Some(Method::Zlib)];
    if flavor == Flavor::MySql {
        methods.push(Some(Method::Zstd));
    }
    for compression in methods {
        for capabilities in [support::raw::MODERN, support::raw::CLASSIC] {
            let login = Login { compression, ..Login::app().with(capabilities) };
            let mut transcripts = Vec::new();
            for address in [stage.servers.primary().address(), stage.listen()] {
                let mut client = Raw::login(address, &login).await;
                let mut transcript: Vec<(String, Vec<Packet>)> = Vec::new();
                for question in questions(flavor) {
                    let reply = client.query(&question).await;
                    transcript.push((question.clone(), reply));
                    if question.starts_with("PREPARE") || question.starts_with("EXECUTE") {
                        continue;
                    }
                    let (_, id) = client.prepare(&question).await;
                    transcript.push((format!("prepared: {question}"), client.execute(id, 0, &[]).await));
                    if question.starts_with("SHOW") {
                        let mut opened = client.execute(id, 1, &[]).await;
                        if flavor == Flavor::MySql || !opened.is_empty() {
                            let fetch = [&[0x1C][..], &id.to_le_bytes(), &100_u32.to_le_bytes()].concat();
                            client.send(&fetch).await;
                            client.rows(&mut opened).await;
                        }
                        transcript.push((format!("with a cursor: {question}"), opened));
                    }
                }
                transcripts.push(transcript);
            }
            for (direct, proxied) in transcripts[0].iter().zip(&transcripts[1]) {
                // Their numbers tell nothing under compression.
                let payloads = |packets: &[Packet]| {
                    packets
                        .iter()
                        .map(|packet| String::from_utf8_lossy(&packet.payload).into_owned())
                        .collect::<Vec<_>>()
                };
                assert_eq!(payloads(&direct.1), payloads(&proxied.1), "{} {compression:?}", direct.0);
                if compression.is_none() {
                    assert_eq!(direct, proxied);
                }
            }
        }
    }
    // A client under TLS, whose own word is asked.
    let mut client = Raw::login(stage.listen(), &Login { tls: true, ..Login::app() }).await;
    let said = client.query("SHOW STATUS LIKE 'Ssl_cipher_list'").await;
    let list = said.iter().find(|packet| packet.payload.starts_with(b"\x0fSsl_cipher_list")).unwrap();
    let list = String::from_utf8_lossy(&list.payload).into_owned();
    assert!(list.contains("TLS_AES_256_GCM_SHA384:") && list.contains(":ECDHE-RSA-AES"), "{list}");
    stage.end().await;
}

async fn commands_of_prepared_statements_are_counted_for_the_session(flavor: Flavor) {
    let authority = Authority::new();
    let Some(stage) = stage(flavor, &authority, "").await else { return };
    stage.prepare(&["CREATE TABLE counted (a INT PRIMARY KEY)", "INSERT INTO counted VALUES (1), (2)"]).await;
    // Another, on what will be the same connection of the proxy's.
    let mut other = Raw::login(stage.listen(), &Login::app()).await;
    let (_, id) = other.prepare("SELECT a FROM counted").await;
    other.execute(id, 0, &[]).await;
    let mut transcripts = Vec::new();
    for address in [stage.servers.primary().address(), stage.listen()] {
        let mut client = Raw::login(address, &Login::app()).await;
        let mut transcript = Vec::new();
        for round in 0..3_u8 {
            let (_, id) = client.prepare("SELECT a FROM counted WHERE a < ?").await;
            for _ in 0..=round {
                client.execute(id, 0, &[Some(b"9")]).await;
            }
            let mut long = vec![0x18];
            long.extend_from_slice(&id.to_le_bytes());
            long.extend_from_slice(&[0, 0, b'5']);
            client.send(&long).await;
            client.one(&[&[0x1A][..], &id.to_le_bytes()].concat()).await;
            client.send(&[&[0x19][..], &id.to_le_bytes()].concat()).await;
            transcript.push(client.query("SHOW SESSION STATUS WHERE Variable_name LIKE 'Com\\_stmt\\_%' AND Variable_name <> 'Com_stmt_reprepare'").await);
            if round == 1 {
                client.one(&[0x1F]).await;
                transcript.push(client.query("SHOW STATUS LIKE 'Com_stmt_execute'").await);
            }
        }
        transcripts.push(transcript);
    }
    for (direct, proxied) in transcripts[0].iter().zip(&transcripts[1]) {
        let text = |packets: &[Packet]| {
            packets.iter().map(|packet| String::from_utf8_lossy(&packet.payload).into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(text(direct), text(proxied));
    }
    stage.end().await;
}

async fn clients_that_leave_without_a_word_are_counted(flavor: Flavor) {
    let authority = Authority::new();
    let Some(stage) = stage(flavor, &authority, "").await else { return };
    for address in [stage.servers.primary().address(), stage.listen()] {
        let mut client = Raw::login(address, &Login::app()).await;
        let count = async |client: &mut Raw| -> u64 {
            let reply = client.query("SHOW GLOBAL STATUS LIKE 'Aborted_clients'").await;
            let row = reply.iter().find(|packet| packet.payload.starts_with(b"\x0fAborted_clients")).unwrap();
            String::from_utf8_lossy(&row.payload[17..]).parse().unwrap()
        };
        let before = count(&mut client).await;
        let mut polite = Raw::login(address, &Login::app()).await;
        polite.send(&[1]).await;
        assert!(polite.is_closed().await);
        drop(Raw::login(address, &Login::app()).await);
        for _ in 0..200 {
            if count(&mut client).await > before {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(count(&mut client).await, before + 1, "{address}");
    }
    stage.end().await;
}
