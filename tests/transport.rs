//! What lies under the packets: Unix sockets, with real clients and servers.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test fails by it, a skip says why")]

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder};
use pointsman::cluster::Flavor;
use pointsman::sandbox::{APP, MONITOR, OTHER};
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
    assert!(output.status.success(), "{} {arguments:?}: {}\n{out}\n{err}", program.display(), output.status);
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

on_both!(clients_come_by_a_unix_socket, servers_are_reached_by_a_unix_socket);
