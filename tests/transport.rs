//! What lies under the packets: compression, Unix sockets; with real clients and servers.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test fails by it, a skip says why")]

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder};
use pointsman::cluster::Flavor;
use pointsman::sandbox::{APP, MONITOR, OTHER};
use pointsman::wire::Capabilities;
use support::raw::{Login, MODERN, Raw};
use support::{Stage, servers_of, stage_on, until};
use tokio::process::Command;

/// Nothing that a client does here takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// What `program` says with these arguments and on its input; it must succeed.
async fn said(program: impl AsRef<Path>, arguments: &[&str]) -> String {
    let program = program.as_ref();
    let mut command = Command::new(program);
    command.args(arguments).kill_on_drop(true).env_remove("MYSQL_PWD");
    command.env("CLIENTS_NODE", target().join("clients/node"));
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = output.unwrap_or_else(|_| panic!("{} {arguments:?} hangs", program.display())).unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let end = |text: &str| text.chars().rev().take(600).collect::<Vec<_>>().into_iter().rev().collect::<String>();
    let (name, status) = (program.display(), output.status);
    assert!(status.success(), "{name}: {status}\n{}\n{}", end(&out), end(&err));
    out.trim_end().to_owned()
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from)
}

/// A program of MySQL's that scripts/get-mysql.sh brings, if it is there.
fn of_mysql(name: &str) -> Option<PathBuf> {
    Some(target().join("mysql/bin").join(name)).filter(|program| program.is_file())
}

/// Whether this runs, else says so.
async fn is_there(program: impl AsRef<Path>, arguments: &[&str]) -> bool {
    let mut command = Command::new(program.as_ref());
    command.args(arguments).env("CLIENTS_NODE", target().join("clients/node"));
    let works = command.output().await.is_ok_and(|output| output.status.success());
    if !works {
        assert!(std::env::var_os("CI").is_none(), "{} is missing, and CI is set", program.as_ref().display());
        eprintln!("skipped: {} {arguments:?} does not run here", program.as_ref().display());
    }
    works
}

fn python() -> PathBuf {
    let own = target().join("clients/python/bin/python3");
    if own.is_file() { own } else { "python3".into() }
}

async fn clients_come_by_a_unix_socket(flavor: Flavor) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("pointsman.sock");
    let path = socket.to_str().unwrap();
    let extra = format!("[proxy]\nlisten='127.0.0.1:0'\nsocket='{path}'\nsocket_mode='0700'\n");
    let Some(stage) = stage_on(flavor, 1, &extra).await else { return };
    stage.prepare(&["CREATE TABLE t (a INT PRIMARY KEY)", "INSERT INTO t VALUES (7)"]).await;

    // Rust.
    let opts =
        OptsBuilder::default().socket(Some(path)).user(Some(APP.user)).pass(Some(APP.password)).db_name(Some("app"));
    let mut conn = Conn::new(opts).await.unwrap();
    assert_eq!(conn.query_first("SELECT a FROM t").await.unwrap(), Some(7));
    assert_eq!(stage.ran_on("SELECT a FROM t"), ["replica1"]);
    let handles = stage.proxy.shared().clients.all();
    assert_eq!(handles.iter().map(|handle| handle.address().to_string()).collect::<Vec<_>>(), ["localhost"]);
    conn.disconnect().await.unwrap();

    // The command lines of both families.
    let (user, password) = (format!("-u{}", APP.user), format!("-p{}", APP.password));
    let arguments = [
        "--no-defaults",
        "--batch",
        "--skip-column-names",
        "-S",
        path,
        &user,
        &password,
        "app",
        "-e",
        "SELECT a + 1 FROM t",
    ];
    if is_there("mariadb", &["--version"]).await {
        assert_eq!(said("mariadb", &arguments).await, "8");
    }
    if let Some(mysql) = of_mysql("mysql") {
        assert_eq!(said(mysql, &arguments).await, "8");
    }
    // The name `localhost`, as the servers' own words have it.
    if is_there("mariadb", &["--version"]).await {
        let wrong =
            Command::new("mariadb").args(["--no-defaults", "-S", path, &user, "-pwrong"]).output().await.unwrap();
        let text = String::from_utf8_lossy(&wrong.stderr).into_owned();
        assert!(text.contains("Access denied for user 'app'@'localhost' (using password: YES)"), "{text}");
    }
    // PHP, by both of its ways.
    if is_there("php", &["-r", "exit(extension_loaded('pdo_mysql') && function_exists('mysqli_connect') ? 0 : 1);"])
        .await
    {
        let script = format!(
            "$p = new PDO('mysql:unix_socket={path};dbname=app', '{0}', '{1}'); echo $p->query('SELECT a + 2 FROM t')->fetchColumn();\
             $m = new mysqli('localhost', '{0}', '{1}', 'app', 0, '{path}'); echo $m->query('SELECT a + 3 FROM t')->fetch_row()[0];",
            APP.user, APP.password
        );
        assert_eq!(said("php", &["-r", &script]).await, "910");
    }
    // Python.
    for (module, parameter) in [("pymysql", "unix_socket"), ("mysql.connector", "unix_socket")] {
        if is_there(python(), &["-c", &format!("import {module}")]).await {
            let script = format!(
                "import {module} as m; k = m.connect({parameter}='{path}', user='{}', password='{}', database='app')\n\
                 c = k.cursor(); c.execute('SELECT a + 4 FROM t'); print(c.fetchone()[0])",
                APP.user, APP.password
            );
            assert_eq!(said(python(), &["-c", &script]).await, "11", "{module}");
        }
    }
    // Node.
    if is_there("node", &["-e", "require(process.env.CLIENTS_NODE + '/node_modules/mysql2')"]).await {
        let script = format!(
            "const c = require(process.env.CLIENTS_NODE + '/node_modules/mysql2').createConnection({{socketPath: '{path}', user: '{}', \
             password: '{}', database: 'app'}}); c.query('SELECT a + 5 AS b FROM t', (e, r) => {{ if (e) throw e; console.log(r[0].b); c.end(); }});",
            APP.user, APP.password
        );
        assert_eq!(said("node", &["-e", &script]).await, "12");
    }
    // TCP is there as well, and the file goes with the proxy.
    assert_eq!(stage.client().await.query_first("SELECT a FROM t").await.unwrap(), Some(7));
    assert!(socket.exists());
    stage.end().await;
    assert!(!socket.exists());
}

async fn servers_are_reached_by_a_unix_socket(flavor: Flavor) {
    let Some(servers) = servers_of(flavor, 1, &[]).await else { return };
    let mut text = format!(
        "[proxy]\nlisten='127.0.0.1:0'\n[http]\nlisten='127.0.0.1:0'\n[monitor]\nuser='{}'\npassword='{}'\ninterval='50ms'\n\
         [[users]]\nname='{}'\npassword='{}'\n",
        MONITOR.user, MONITOR.password, OTHER.user, OTHER.password
    );
    for (server, prefix) in servers.servers().iter().zip(["", "unix:"]) {
        let role = if prefix.is_empty() { "primary" } else { "replica" };
        let socket = server.socket();
        text.push_str(&format!("[[servers]]\naddress='{prefix}{}'\nrole='{role}'\n", socket.display()));
    }
    let proxy = support::proxy_of(&text).await;
    let stage = Stage { servers, proxy };
    let mut client = stage.client_as(OTHER).await;
    client.query_drop("CREATE TABLE u (a INT PRIMARY KEY)").await.unwrap();
    client.query_drop("INSERT INTO u VALUES (1)").await.unwrap();
    stage.servers.catch_up().await.unwrap();
    // The monitor sees both, and reads go to the replica.
    let mut reader = stage.client_as(OTHER).await;
    until("the replica is known to be good", || async {
        stage.metric("pointsman_server_up", &["server.sock"]).await == 2.0
    })
    .await;
    assert_eq!(reader.query_first("SELECT a FROM u WHERE a = 1").await.unwrap(), Some(1));
    assert_eq!(stage.ran_on("SELECT a FROM u WHERE a = 1"), ["replica1"]);
    // No connection of the proxy's is a TCP one.
    for server in stage.servers.servers() {
        let query = "SELECT CAST(COUNT(*) AS CHAR) FROM information_schema.processlist WHERE USER IN ('other', 'monitor') AND HOST <> 'localhost'";
        assert_eq!(server.first::<String>(query).await.unwrap().as_deref(), Some("0"));
        let query = "SELECT CAST(COUNT(*) AS CHAR) FROM information_schema.processlist WHERE USER = 'monitor' AND HOST = 'localhost'";
        assert_eq!(server.first::<String>(query).await.unwrap().as_deref(), Some("1"));
    }
    // KILL goes there too.
    let id: u32 = reader.query_first("SELECT CONNECTION_ID()").await.unwrap().unwrap();
    let sleeping = tokio::spawn(async move { reader.query_drop("UPDATE u SET a = a + SLEEP(30)").await });
    until("it runs", || async { !stage.ran_on("SLEEP(30)").is_empty() }).await;
    client.query_drop(format!("KILL QUERY {id}")).await.unwrap();
    let error = sleeping.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("interrupted") || error.contains("1317"), "{error}");
    stage.end().await;
}

/// What every compressing client runs; its output is compared with that of a direct connection. Rows of 16 MiB have a
/// payload of one packet's greatest length, or a byte less or more.
const SCRIPT: &str = "SELECT 'short' AS a; SELECT n, REPEAT(CONCAT('abc', n), 3000) FROM numbers ORDER BY n; \
    CALL several(); SELECT SHA2(REPEAT('q', 16777211), 256); SELECT * FROM numbers WHERE n < 0; SELECT REPEAT(n, 500000) FROM numbers; ";

/// Behind it, but for MariaDB's compressing client, which loses its connection by the second of them, also directly.
const LONG_ROWS: &str = "SELECT REPEAT('x', 16777210); SELECT REPEAT('y', 16777211); SELECT REPEAT('z', 16777212); \
    SELECT REPEAT(n, 20000000) FROM numbers LIMIT 1;";

/// In its place when not all is asked for.
const LONG_ROW: &str = "SELECT REPEAT('y', 16777211);";

/// Whether every client is to run before every server, with all long packets: minutes.
fn is_whole() -> bool {
    std::env::var_os("COMPRESSION_WHOLE").is_some()
}

async fn prepare_for_script(stage: &Stage) {
    stage
        .prepare(&[
            "CREATE TABLE numbers (n INT PRIMARY KEY)",
            "INSERT INTO numbers VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)",
            "CREATE TABLE loaded (id INT PRIMARY KEY, text VARCHAR(1000))",
            "CREATE PROCEDURE several() BEGIN SELECT 1; SELECT n FROM numbers ORDER BY n; SELECT REPEAT('several', 20000); END",
        ])
        .await;
}

/// A configuration in which connections to servers are compressed like this.
fn configuration(servers: &pointsman::sandbox::Sandbox, compression: &str) -> String {
    support::configuration(servers, "").replace("\nrole=", &format!("\ncompression='{compression}'\nrole="))
}

/// A client, how it is called, and whether it compresses.
struct Shell {
    name: &'static str,
    program: PathBuf,
    /// `PORT` stands for the port.
    arguments: Vec<String>,
    compresses: bool,
}

/// The clients that are here.
async fn shells(flavor: Flavor, script: &str) -> Vec<Shell> {
    let mut shells = Vec::new();
    let mut line = |name, program: PathBuf, more: &[&str], compresses| {
        let (user, password) = (format!("-u{}", APP.user), format!("-p{}", APP.password));
        let common = [
            "--no-defaults",
            "--batch",
            "-h127.0.0.1",
            "-PPORT",
            &user,
            &password,
            "--local-infile=1",
            "--max-allowed-packet=64M",
        ];
        let maria = more.contains(&"--compress");
        let script = script.to_owned()
            + match (maria, is_whole()) {
                (true, _) => "",
                (false, true) => LONG_ROWS,
                (false, false) => LONG_ROW,
            };
        let arguments = [&common[..], more, &["app", "-e", &script]].concat().into_iter().map(str::to_owned).collect();
        shells.push(Shell { name, program, arguments, compresses });
    };
    if is_there("mariadb", &["--version"]).await {
        line("mariadb", "mariadb".into(), &[], false);
        line("mariadb --compress", "mariadb".into(), &["--compress"], true);
    }
    // MySQL 9's client knows no method of MariaDB's accounts.
    if let (Some(mysql), Flavor::MySql) = (of_mysql("mysql"), flavor) {
        line("mysql, zlib", mysql.clone(), &["--compression-algorithms=zlib"], true);
        line("mysql, zstd", mysql.clone(), &["--compression-algorithms=zstd", "--zstd-compression-level=7"], true);
        line("mysql, both", mysql, &["--compression-algorithms=zstd,zlib,uncompressed"], true);
    }
    if is_there("php", &["-r", "exit(function_exists('mysqli_connect') ? 0 : 1);"]).await {
        let script = format!(
            "$m = mysqli_init(); $m->options(MYSQLI_OPT_LOCAL_INFILE, true); \
             $m->real_connect('127.0.0.1', '{}', '{}', 'app', PORT, null, MYSQLI_CLIENT_COMPRESS); \
             $m->multi_query(base64_decode('{}')); \
             do {{ $r = $m->use_result(); if (!$r) {{ echo $m->error, $m->affected_rows, \"\\n\"; continue; }} \
             while ($w = $r->fetch_row()) foreach ($w as $v) echo strlen($v), md5($v), \"\\n\"; $r->free(); }} while ($m->more_results() && $m->next_result());\
             $s = $m->prepare('SELECT ?, n FROM numbers'); $v = str_repeat('p', 300000); $s->bind_param('s', $v); $s->execute(); \
             foreach ($s->get_result() as $w) echo md5(join($w)), \"\\n\";",
            APP.user,
            APP.password,
            base64(SCRIPT),
        );
        shells.push(Shell {
            name: "mysqli",
            program: "php".into(),
            arguments: vec![
                "-d".into(),
                "memory_limit=-1".into(),
                "-d".into(),
                "mysqli.allow_local_infile=1".into(),
                "-r".into(),
                script,
            ],
            compresses: true,
        });
    }
    if is_there(python(), &["-c", "import mysql.connector"]).await {
        let script = format!(
            "import mysql.connector as m, hashlib\nk = m.connect(host='127.0.0.1', port=PORT, user='{}', password='{}', database='app', compress=True, use_pure=True)\n\
             c = k.cursor()\n\
             for n in (1, 49, 50, 300, 9000):\n  c.execute('SELECT REPEAT(%s, %s), n FROM numbers WHERE n < 4', ('k', n))\n  \
             print([(len(r[0]), hashlib.md5(r[0].encode()).hexdigest(), r[1]) for r in c.fetchall()])\n",
            APP.user, APP.password
        );
        shells.push(Shell {
            name: "connector/python",
            program: python(),
            arguments: vec!["-c".into(), script],
            compresses: true,
        });
    }
    if is_there("node", &["-e", "require(process.env.CLIENTS_NODE + '/node_modules/mysql2')"]).await {
        let script = format!(
            "const c = require(process.env.CLIENTS_NODE + '/node_modules/mysql2').createConnection({{host: '127.0.0.1', port: PORT, user: '{}', \
             password: '{}', database: 'app', compress: true, multipleStatements: true}}); \
             const f = (r) => console.log(require('crypto').createHash('md5').update(JSON.stringify(r)).digest('hex')); \
             c.query('SELECT n, REPEAT(n, 100000) FROM numbers; CALL several()', (e, r) => {{ if (e) throw e; f(r); \
             c.query('SELECT LENGTH(?)', ['z'.repeat(300000)], (e, r) => {{ if (e) throw e; f(r); c.end(); }}); }});",
            APP.user, APP.password
        );
        shells.push(Shell {
            name: "mysql2",
            program: "node".into(),
            arguments: vec!["-e".into(), script],
            compresses: true,
        });
    }
    shells
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// Compressed clients before plain and compressed servers, and a plain one before compressed servers. The first two clients
/// run before servers of each kind, the others before one kind each, unless `COMPRESSION_WHOLE` is set.
async fn compression_changes_no_byte(flavor: Flavor) {
    let extra = ["--max-allowed-packet=67108864", "--local-infile=1"];
    let Some(servers) = servers_of(flavor, 0, &extra).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.txt");
    let count = if is_whole() { 40_000 } else { 10_000 };
    let rows: String = (0..count).map(|id| format!("{id}\t{}\n", "text ".repeat(id % 50))).collect();
    std::fs::write(&file, rows).unwrap();
    let load = format!(
        "LOAD DATA LOCAL INFILE '{}' INTO TABLE loaded; SELECT COUNT(*), SUM(LENGTH(text)) FROM loaded; DELETE FROM loaded; ",
        file.display()
    );
    let script = load + SCRIPT;
    let proxy = support::proxy_of(&configuration(&servers, "off")).await;
    let mut stage = Stage { servers, proxy };
    prepare_for_script(&stage).await;
    let shells = shells(flavor, &script).await;
    let mut directly = Vec::new();
    for shell in &shells {
        directly.push(shell.run(stage.servers.primary().address().port()).await);
    }
    for (kind, server_side) in ["off", "zlib", "zstd"].into_iter().enumerate() {
        let proxy = support::proxy_of(&configuration(&stage.servers, server_side)).await;
        std::mem::replace(&mut stage.proxy, proxy).stop().await;
        let bytes = async |side: &'static str, form: &'static str| {
            stage
                .metric(
                    "pointsman_compression_bytes_total",
                    &[&format!("side=\"{side}\""), &format!("form=\"{form}\"")],
                )
                .await
        };
        let mut plain = 0.0;
        for (at, (shell, once)) in shells.iter().zip(&directly).enumerate() {
            if at > 1 && at % 3 != kind && !is_whole() {
                continue;
            }
            let began = tokio::time::Instant::now();
            let again = shell.run(stage.listen().port()).await;
            let name = shell.name;
            assert!(
                *once == again,
                "{name}, servers {server_side}: {} bytes directly, {} proxied",
                once.len(),
                again.len()
            );
            let now = bytes("client", "plain").await;
            eprintln!("{name}, servers {server_side}: {} bytes of packets, {:?}", now - plain, began.elapsed());
            assert_eq!(shell.compresses, now > plain, "{name}");
            plain = now;
        }
        let compressed = bytes("client", "compressed").await;
        assert!(compressed * 20.0 < plain, "{plain} {compressed}");
        let offered = server_side == "zlib" || (server_side == "zstd" && flavor == Flavor::MySql);
        assert_eq!(offered, bytes("server", "plain").await > 0.0, "{server_side}");
        assert!(bytes("server", "compressed").await * 20.0 <= bytes("server", "plain").await);
        if kind == 1 || is_whole() {
            long_commands(&stage).await;
        }
    }
    stage.end().await;
}

impl Shell {
    async fn run(&self, port: u16) -> String {
        let arguments: Vec<String> =
            self.arguments.iter().map(|part| part.replace("PORT", &port.to_string())).collect();
        said(&self.program, &arguments.iter().map(String::as_str).collect::<Vec<_>>()).await
    }
}

/// Commands of just under, at and over the greatest length of one packet, from plain and compressed clients.
async fn long_commands(stage: &Stage) {
    for compression in [None, Some(mysql_async::Compression::fast())] {
        let opts = OptsBuilder::from_opts(APP.opts(stage.listen()))
            .compression(compression)
            .max_allowed_packet(Some(64 << 20));
        let mut conn = Conn::new(opts).await.unwrap();
        let text = "SELECT LENGTH('')";
        let lens: &[usize] =
            if is_whole() { &[0xFF_FF_FE, 0xFF_FF_FF, 0x100_0000, 2 * 0xFF_FF_FF, 40 << 20] } else { &[0xFF_FF_FF] };
        for &len in lens {
            // With the command's first byte.
            let fill = len - text.len() - 1;
            let sql = format!("SELECT LENGTH('{}')", "w".repeat(fill));
            assert_eq!(conn.query_first(sql).await.unwrap(), Some(fill), "{len} {compression:?}");
        }
        // Prepared statements, and a session's state in front of them.
        conn.query_drop("SET @a = 1, SESSION group_concat_max_len = 2000").await.unwrap();
        let long = "v".repeat(17 << 20);
        let back: Option<(String, u32)> = conn.exec_first("SELECT ?, @a", (&long,)).await.unwrap();
        assert!(back.unwrap().0 == long);
        conn.disconnect().await.unwrap();
    }
}

/// A client that sends what cannot be unpacked, or says more than it has.
#[tokio::test]
async fn compressed_packets_that_lie_end_the_session_with_an_error() {
    let Some(stage) = support::stage(0, "").await else { return };
    let compressed = Login::app().with(MODERN.with(Capabilities::COMPRESS));
    for (packet, code) in [
        // 49 bytes of noise that are said to be 1000 of something.
        ([&[49, 0, 0, 0, 0xE8, 3, 0][..], &[0xAA; 49]].concat(), 1157),
        // A bomb: 1 MiB of zeros that is said to be 100 bytes.
        (bomb(1 << 20, 100), 1157),
        // A sequence id out of order.
        (vec![1, 0, 0, 7, 0, 0, 0, 1], 1157),
    ] {
        let mut client = Raw::login(stage.listen(), &compressed).await;
        client.write(&packet).await;
        let mut header = [0; 7];
        client.stream.read_exact(&mut header).await.unwrap();
        let mut body = vec![0; usize::from(header[0]) | usize::from(header[1]) << 8];
        client.stream.read_exact(&mut body).await.unwrap();
        if header[4] != 0 || header[5] != 0 {
            let mut plain = Vec::new();
            flate2::Decompress::new(true)
                .decompress_vec(
                    &body,
                    {
                        plain.reserve(10_000);
                        &mut plain
                    },
                    flate2::FlushDecompress::Finish,
                )
                .unwrap();
            body = plain;
        }
        assert_eq!(body[4], 0xFF);
        assert_eq!(u16::from_le_bytes([body[5], body[6]]), code);
        assert_eq!(client.stream.read(&mut header).await.unwrap(), 0);
    }
    assert_eq!(stage.metric("pointsman_protocol_errors_total", &["client"]).await, 3.0);
    assert_eq!(stage.client().await.query_first("SELECT 1").await.unwrap(), Some(1));
    stage.end().await;
}

fn bomb(len: usize, said: usize) -> Vec<u8> {
    let mut body = Vec::with_capacity(1 << 16);
    let mut state = flate2::Compress::new(flate2::Compression::new(9), true);
    state.compress_vec(&vec![0; len], &mut body, flate2::FlushCompress::Finish).unwrap();
    let ([a, b, c, ..], [d, e, f, ..]) = (body.len().to_le_bytes(), said.to_le_bytes());
    [&[a, b, c, 0, d, e, f][..], &body].concat()
}

on_both!(clients_come_by_a_unix_socket, servers_are_reached_by_a_unix_socket, compression_changes_no_byte);
