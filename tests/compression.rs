//! How compressed packets are framed towards clients: one that reads as much of them as servers need for a packet finds no more here.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test fails by it, a skip says why")]

mod support;

use std::path::PathBuf;
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder};
use pointsman::cluster::Flavor;
use pointsman::sandbox::APP;
use pointsman::wire::header::MAX_PAYLOAD;
use support::raw::{Login, Raw};
use support::wire::Method;
use support::{Stage, servers_of, target};
use tokio::process::Command;

on_both!(
    connector_python_reads_compressed_rows_of_any_length,
    packets_around_the_greatest_lengths_are_compressed_both_ways,
);

/// MySQL Connector/Python in pure Python reads at most two compressed packets for one packet, as many as servers send.
const SCRIPT: &str = r#"
import sys, hashlib, mysql.connector
k = mysql.connector.connect(host='127.0.0.1', port=int(sys.argv[1]), user=sys.argv[2], password=sys.argv[3], database='app',
                            compress=True, use_pure=True, autocommit=True, connection_timeout=60)
def say(what, run):
    try:
        print(what, run(), flush=True)
    except Exception as error:
        print(what, type(error).__name__, getattr(error, 'errno', None), flush=True)
        k.reconnect()
def rows(sql, prepared=False, parameters=()):
    c = k.cursor(prepared=prepared)
    c.execute(sql, parameters)
    found = [[(len(v), hashlib.md5(v if isinstance(v, (bytes, bytearray)) else v.encode()).hexdigest())
              if isinstance(v, (bytes, bytearray, str)) else v for v in row] for row in c.fetchall()]
    c.close()
    return found
for length in (1, 49, 50, 16380, 16384, 64000, 65532, 65536, 65540, 70000, 131072, 1 << 20, 5 << 20,
               16777209, 16777210, 16777211, 16777212, 16777216, 17 << 20):
    say(('text', length), lambda: rows('SELECT REPEAT(%s, %s), 7', parameters=('k', length)))
for length in (65536, 1 << 20):
    say(('binary', length), lambda: rows('SELECT REPEAT(%s, %s), 7', True, ('k', length)))
say('many', lambda: hashlib.md5(repr(rows('SELECT n, REPEAT(n, n * 9000) FROM numbers ORDER BY n')).encode()).hexdigest())
say('noise', lambda: rows('SELECT id, content, 1 FROM noise ORDER BY id'))
"#;

async fn connector_python_reads_compressed_rows_of_any_length(flavor: Flavor) {
    let python = target().join("clients/python/bin/python3");
    if !python.is_file() {
        eprintln!("skipped: {} is not here (scripts/get-clients.sh)", python.display());
        return;
    }
    let Some(servers) = servers_of(flavor, 1, &["--max-allowed-packet=64M"]).await else { return };
    let opts = OptsBuilder::from_opts(APP.opts(servers.primary().address())).max_allowed_packet(Some(64 << 20));
    let mut direct = Conn::new(opts).await.unwrap();
    direct.query_drop("CREATE TABLE numbers (n INT PRIMARY KEY)").await.unwrap();
    direct.query_drop("INSERT INTO numbers VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)").await.unwrap();
    direct.query_drop("CREATE TABLE noise (id INT PRIMARY KEY, content LONGBLOB)").await.unwrap();
    for (id, len) in [90_000, 30_000, 700_000, 3 << 20, 10, 16_777_200].into_iter().enumerate() {
        direct.exec_drop("INSERT INTO noise VALUES (?, ?)", (id, noise(len))).await.unwrap();
    }
    drop(direct);
    servers.catch_up().await.unwrap();
    let directly = said(&python, servers.primary().address().port()).await;
    // What this driver cannot do is its own.
    assert!(directly.lines().filter(|line| line.contains("Error")).count() < 8, "{directly}");
    assert!(directly.contains("('text', 5242880) [[(5242880, "), "{directly}");
    let mut stage = Stage { proxy: support::proxy(&servers, "").await, servers };
    let forms = if std::env::var_os("COMPRESSION_WHOLE").is_some() { &["off", "zlib"][..] } else { &["zlib"] };
    for between in forms {
        let text =
            support::configuration(&stage.servers, "").replace("\nrole=", &format!("\ncompression='{between}'\nrole="));
        let proxy = support::proxy_of(&text).await;
        std::mem::replace(&mut stage.proxy, proxy).stop().await;
        let proxied = said(&python, stage.listen().port()).await;
        for (direct, proxied) in directly.lines().zip(proxied.lines()) {
            assert_eq!(direct, proxied, "servers: {between}");
        }
        assert_eq!(directly, proxied);
    }
    assert_eq!(stage.ran_on("SELECT id, content, 1 FROM noise ORDER BY id"), ["primary", "replica1"]);
    eprintln!("{directly}");
    stage.end().await;
}

/// Rows and commands of just under, at and over 16 MiB and 32 MiB less a byte or two, where packets are continued.
async fn packets_around_the_greatest_lengths_are_compressed_both_ways(flavor: Flavor) {
    let Some(servers) = servers_of(flavor, 0, &["--max-allowed-packet=64M"]).await else { return };
    let text = support::configuration(&servers, "").replace("\nrole=", "\ncompression='zlib'\nrole=");
    let stage = Stage { proxy: support::proxy_of(&text).await, servers };
    let methods = if flavor == Flavor::MySql { &[Method::Zlib, Method::Zstd][..] } else { &[Method::Zlib] };
    for &method in methods {
        let login = Login { compression: Some(method), ..Login::app_on(flavor) };
        let mut client = Raw::login(stage.listen(), &login).await;
        for edge in [MAX_PAYLOAD, 2 * MAX_PAYLOAD] {
            for len in [edge - 1, edge, edge + 1] {
                // With the length of the text before it.
                let fill = len - if len > MAX_PAYLOAD + 4 { 9 } else { 4 };
                let reply = client.query(&format!("SELECT REPEAT('r', {fill})")).await;
                let row = reply.iter().find(|packet| packet.payload.len() > 1000).unwrap();
                let before = row.payload.len() - fill;
                assert!(row.payload[before..].iter().all(|byte| *byte == b'r'), "{method:?} {len}");
                if fill <= MAX_PAYLOAD {
                    assert_eq!(row.payload.len(), len, "{method:?}");
                }
                assert!(reply.last().unwrap().payload.len() < 20, "{method:?} {len}: its end");
                // With the command's first byte.
                let command = [&b"\x03SELECT LENGTH('"[..], &vec![b'c'; len - 18], b"')"].concat();
                assert_eq!(command.len(), len);
                let reply = client.results(&command).await;
                let said = (len - 18).to_string();
                assert!(
                    reply.iter().any(|packet| packet.payload[1..] == *said.as_bytes()),
                    "{method:?} {len}: {:?}",
                    reply.last()
                );
            }
        }
        assert_eq!(client.value("SELECT 'goes on'").await, "goes on");
    }
    stage.end().await;
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}

async fn said(python: &PathBuf, port: u16) -> String {
    let mut command = Command::new(python);
    command.args(["-c", SCRIPT, &port.to_string(), APP.user, APP.password]).kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(110), command.output()).await;
    let output = output.unwrap_or_else(|_| panic!("it hangs")).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
