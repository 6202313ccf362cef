//! Real clients do their work once directly against the primary and once through the proxy, on the same data: what they
//! print must be the same to the byte, and the servers' logs must show the split.
//!
//! A client that is not installed is skipped with the reason; where CI is set, that is a failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]
#![allow(clippy::print_stderr, reason = "a skipped client says why")]

mod support;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder, Row, TxOpts, from_row};
use pointsman::cluster::Flavor;
use pointsman::sandbox::APP;
use support::Stage;
use support::clients::{
    CONFIG, Client, ONE_PAGE, PAGE, SCHEMA, STICKY, anew, command, compare, compare_on, difference, installed, missing,
    python, scripts, set_up, stage, works,
};

// The clients of one test share its servers, which take longer to start than most clients to run.
on_both!(the_command_line, php, drivers_of_python, frameworks_of_python, node, ruby_and_java, c_and_rust);

async fn the_command_line(flavor: Flavor) {
    if !works("mariadb", &["--version"]).await || !works("mariadb-dump", &["--version"]).await {
        missing("mariadb", "scripts/install-deps.sh test");
        return;
    }
    let (name, mode) = if flavor == Flavor::MySql { ("mysqldump", "mysqldump") } else { ("mariadb-dump", "dump") };
    let dump = Client { on_replica: &[], ..Client::new(name, "sh", "shell/scenario.sh", mode) };
    // Each run of the program is a session of its own, which reads on the replica until it writes.
    let cli = |name, mode| Client { config: STICKY, ..Client::new(name, "sh", "shell/scenario.sh", mode) };
    compare(flavor, vec![cli("mariadb", "batch"), cli("mariadb --quick", "quick"), dump]).await;
}

async fn php(flavor: Flavor) {
    compare(flavor, [php_pdo().await, php_mysqli().await, laravels_query_builder().await].concat()).await;
}

async fn drivers_of_python(flavor: Flavor) {
    let mut clients = with_python("PyMySQL", "pymysql", "python/scenario.py", "pymysql").await;
    clients.extend(with_python("mysqlclient", "MySQLdb", "python/scenario.py", "mysqlclient").await);
    clients.extend(with_python("asyncmy", "asyncmy", "python/asyncmy_client.py", "asyncmy").await);
    for (name, module, mode) in [
        ("Connector/Python", "mysql.connector", "connector"),
        ("Connector/Python, prepared", "mysql.connector", "connector-prepared"),
        ("Connector/Python, its C extension", "_mysql_connector", "connector-c"),
    ] {
        clients.extend(with_python(name, module, "python/scenario.py", mode).await);
    }
    compare(flavor, clients).await;
}

async fn frameworks_of_python(flavor: Flavor) {
    let mut clients = framework("Django", "django", "python/django_client.py", "mysqlclient").await;
    for (name, driver) in [
        ("SQLAlchemy on mysqlclient", "mysqldb"),
        ("SQLAlchemy on PyMySQL", "pymysql"),
        ("SQLAlchemy on Connector/Python", "mysqlconnector"),
    ] {
        clients.extend(framework(name, "sqlalchemy", "python/sqlalchemy_client.py", driver).await);
    }
    compare(flavor, clients).await;
}

async fn node(flavor: Flavor) {
    compare(flavor, [node_mysql2().await, node_mariadb().await].concat()).await;
}

async fn ruby_and_java(flavor: Flavor) {
    compare(flavor, [ruby_mysql2().await, active_record().await, connector_j().await].concat()).await;
}

async fn c_and_rust(flavor: Flavor) {
    let Some(mut stage) = stage(flavor, CONFIG).await else { return };
    compare_on(&mut stage, &[connector_c(flavor).await, sqlx().await].concat()).await;
    anew(&mut stage, CONFIG).await;
    mysql_async_of_rust(&stage).await;
    anew(&mut stage, CONFIG).await;
    rights_that_are_taken_away_are_gone(&stage).await;
    stage.end().await;
}

async fn php_pdo() -> Vec<Client> {
    if !works("php", &["-r", "exit(extension_loaded('pdo_mysql') ? 0 : 1);"]).await {
        return none("PHP's PDO for MySQL", "scripts/install-deps.sh test");
    }
    vec![
        Client::new("PDO, native prepares", "php", "php/pdo.php", "native"),
        Client::new("PDO, emulated prepares", "php", "php/pdo.php", "emulated"),
        Client::new("PDO, opened as by Laravel", "php", "php/pdo.php", "laravel"),
    ]
}

async fn php_mysqli() -> Vec<Client> {
    if !works("php", &["-r", "exit(function_exists('mysqli_execute_query') ? 0 : 1);"]).await {
        return none("PHP's mysqli (8.2 or later)", "scripts/install-deps.sh test");
    }
    vec![
        Client::new("mysqli, text", "php", "php/mysqli.php", "text"),
        Client::new("mysqli, prepared", "php", "php/mysqli.php", "prepared"),
    ]
}

async fn laravels_query_builder() -> Vec<Client> {
    let there = "exit(is_file('/usr/share/php/Illuminate/Database/autoload.php') ? 0 : 1);";
    if !works("php", &["-r", there]).await {
        return none("Illuminate", "scripts/install-deps.sh test");
    }
    let builder = |name, mode| Client {
        on_replica: &["'before' as phase, orders.*"],
        on_primary: &["for update", "update `products`", "insert into `orders`", "insert into `items`", "'bought' as"],
        ..Client::new(name, "php", "php/illuminate.php", mode)
    };
    vec![builder("Illuminate", "one"), builder("Illuminate, read and write connections", "split")]
}

/// One that writes its own statements: of the page it reads one.
async fn framework(name: &'static str, module: &str, script: &str, mode: &str) -> Vec<Client> {
    let clients = with_python(name, module, script, mode).await;
    clients.into_iter().map(|client| Client { on_replica: ONE_PAGE, on_primary: &["FOR UPDATE"], ..client }).collect()
}

/// Says why there are no clients.
fn none(client: &str, remedy: &str) -> Vec<Client> {
    missing(client, remedy);
    Vec::new()
}

/// A client in Python that needs `module`, if that is here.
async fn with_python(name: &'static str, module: &str, script: &str, mode: &str) -> Vec<Client> {
    if works(python(), &["-c", &format!("import {module}")]).await {
        return vec![Client::new(name, python(), script, mode)];
    }
    missing(name, "scripts/install-deps.sh test");
    Vec::new()
}

async fn node_mysql2() -> Vec<Client> {
    if !works("node", &["-e", "require(process.env.CLIENTS_NODE + '/node_modules/mysql2')"]).await {
        return none("mysql2 for Node", "scripts/install-deps.sh test");
    }
    vec![
        Client::new("mysql2, query", "node", "node/scenario.cjs", "query"),
        Client::new("mysql2, execute", "node", "node/scenario.cjs", "execute"),
    ]
}

async fn node_mariadb() -> Vec<Client> {
    if !works("node", &["-e", "require(process.env.CLIENTS_NODE + '/node_modules/mariadb/package.json')"]).await {
        return none("mariadb for Node", "scripts/install-deps.sh test");
    }
    vec![
        Client::new("mariadb for Node, query", "node", "node/mariadb.cjs", "query"),
        Client::new("mariadb for Node, execute", "node", "node/mariadb.cjs", "execute"),
    ]
}

/// A program in C, compiled here.
async fn connector_c(flavor: Flavor) -> Vec<Client> {
    if !works("mariadb_config", &["--libs"]).await || !works("cc", &["--version"]).await {
        return none("Connector/C (libmariadb-dev)", "scripts/install-deps.sh test");
    }
    let folder = installed("c");
    std::fs::create_dir_all(&folder).unwrap();
    // Not one file for both: the tests run side by side.
    let program = folder.join(format!("{flavor:?}"));
    let build = r#"cc -O1 "$1" -o "$2" $(mariadb_config --cflags --libs)"#;
    let source = scripts().join("c/scenario.c");
    let (source, made) = (source.to_str().unwrap(), program.to_str().unwrap());
    let built = command("sh").args(["-c", build, "sh", source, made]).output().await.unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    // One command with the parameters of many rows: only MariaDB has it.
    let mode = if flavor == Flavor::MySql { "plain" } else { "bulk" };
    vec![own("Connector/C", program, &[mode])]
}

/// MariaDB's Connector/J; Java runs the source file.
async fn connector_j() -> Vec<Client> {
    let jar = "/usr/share/java/mariadb-java-client.jar";
    if !works("java", &["--version"]).await || !Path::new(jar).exists() {
        return none("Connector/J (libmariadb-java)", "scripts/install-deps.sh test");
    }
    let source = scripts().join("java/Scenario.java");
    let source = source.to_str().unwrap();
    vec![
        own("Connector/J", "java", &["-Dfile.encoding=UTF-8", "-cp", jar, source, "text"]),
        own("Connector/J, server prepares", "java", &["-Dfile.encoding=UTF-8", "-cp", jar, source, "prepared"]),
    ]
}

async fn ruby_mysql2() -> Vec<Client> {
    if !works("ruby", &["-e", "require 'mysql2'"]).await {
        return none("mysql2 for Ruby", "scripts/install-deps.sh test");
    }
    vec![Client::new("mysql2 for Ruby", "ruby", "ruby/scenario.rb", "mysql2")]
}

async fn active_record() -> Vec<Client> {
    if !works("ruby", &["-e", "require 'active_record'; require 'mysql2'"]).await {
        return none("ActiveRecord", "scripts/install-deps.sh test");
    }
    let client = Client::new("ActiveRecord", "ruby", "ruby/scenario.rb", "activerecord");
    vec![Client { on_replica: ONE_PAGE, on_primary: &["FOR UPDATE"], ..client }]
}

async fn sqlx() -> Vec<Client> {
    let program = installed("rust").join("debug/pointsman-clients");
    if !program.exists() {
        return none("sqlx", "scripts/install-deps.sh test");
    }
    vec![own("sqlx", program, &["sqlx"])]
}

/// A program that is no script of an interpreter; of the page it reads one.
fn own(name: &'static str, program: impl Into<PathBuf>, arguments: &[&str]) -> Client {
    let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    Client {
        name,
        program: program.into(),
        arguments,
        on_replica: ONE_PAGE,
        on_primary: &["FOR UPDATE", "INSERT INTO orders"],
        config: CONFIG,
    }
}

/// What mysql_async sees of the scenario, one line a step.
async fn with_mysql_async(address: SocketAddr) -> Result<String, mysql_async::Error> {
    use std::fmt::Write as _;
    let statements: serde_json::Value = serde_json::from_str(include_str!("clients/statements.json")).unwrap();
    let text = |name: &str| statements[name].as_str().unwrap().to_owned();
    let opts = OptsBuilder::from_opts(APP.opts(address)).db_name(Some(SCHEMA));
    let mut conn = Conn::new(opts.clone()).await?;
    let mut said = String::new();
    for phase in ["before", "bought", "returned"] {
        if phase != "before" {
            let mut transaction = conn.start_transaction(TxOpts::default()).await?;
            let locked: Vec<Row> = transaction.exec(text("lock"), (3,)).await?;
            writeln!(said, "lock {locked:?}").unwrap();
            transaction.exec_drop(text("take"), (2, 3)).await?;
            writeln!(said, "take {} {}", transaction.affected_rows(), transaction.info()).unwrap();
            transaction.exec_drop(text("order"), (7, "39.98", r#"{"gift": "🎁"}"#, None::<String>)).await?;
            let id = transaction.last_insert_id();
            writeln!(said, "order {id:?}").unwrap();
            transaction.exec_drop(text("last_item"), (1, 3, 2)).await?;
            transaction.exec_batch(text("item"), [(id, 2, 4, 1), (id, 3, 5, 1)]).await?;
            if phase == "bought" { transaction.commit().await? } else { transaction.rollback().await? }
        }
        for (name, values) in
            [("latest", vec!["7"]), ("count", vec!["7"]), ("one", vec!["107"]), ("join", vec!["7", "1000.50"])]
        {
            let values: Vec<mysql_async::Value> = values.into_iter().map(Into::into).collect();
            let mut result = conn.exec_iter(text(name).replace("{phase}", phase), values).await?;
            for column in result.columns_ref() {
                let (kind, flags) = (column.column_type(), column.flags());
                writeln!(said, "{} {} {kind:?} {flags:?}", column.org_table_str(), column.name_str()).unwrap();
            }
            let rows: Vec<Row> = result.collect().await?;
            writeln!(said, "{phase} {name} {rows:?}").unwrap();
        }
    }
    let name = "é".repeat(1000);
    for begin in 0..4 {
        let rows: Vec<_> = (0..1000).map(|i| format!("({}, LEFT('{name}', 40), {i}.25)", begin * 1000 + i)).collect();
        conn.query_drop(text("import").replace("{rows}", &rows.join(", "))).await?;
        writeln!(said, "import {} {}", conn.affected_rows(), conn.info()).unwrap();
    }
    for wrong in statements["errors"].as_array().unwrap() {
        let saw = conn.query_drop(wrong.as_str().unwrap()).await;
        writeln!(said, "{saw:?}").unwrap();
        let saw = conn.exec_drop(wrong.as_str().unwrap(), ()).await;
        writeln!(said, "{saw:?}").unwrap();
    }
    for binary in [false, true] {
        let mut other = Conn::new(opts.clone()).await?;
        let (mut count, mut sum, mut bytes) = (0_u64, 0_u64, 0_usize);
        let mut add = |(n, text): (u64, String)| (count, sum, bytes) = (count + 1, sum + n, bytes + text.len());
        if binary {
            other.exec_iter(text("million"), ()).await?.for_each(|row| add(from_row(row))).await?;
        } else {
            other.query_iter(text("million")).await?.for_each(|row| add(from_row(row))).await?;
        }
        writeln!(said, "million {count} {sum} {bytes}").unwrap();
        other.reset().await?;
        let schema: Option<String> = other.query_first("SELECT DATABASE()").await?;
        writeln!(said, "reset {schema:?}").unwrap();
    }
    Ok(said)
}

async fn mysql_async_of_rust(stage: &Stage) {
    set_up(stage).await;
    let direct = with_mysql_async(stage.servers.primary().address()).await.unwrap();
    set_up(stage).await;
    let proxied = with_mysql_async(stage.listen()).await.unwrap();
    assert_eq!(difference("mysql_async", &direct, &proxied), None);
    for part in PAGE {
        assert_eq!(stage.ran_on(part), ["replica1"], "{part}");
    }
    for part in ["FOR UPDATE", "UPDATE products SET stock", "INSERT INTO orders", "INSERT INTO items"] {
        assert_eq!(stage.ran_on(part), ["primary"], "{part}");
    }
}

/// A right that is taken away counts at once, also on connections and for statements that were used before.
async fn rights_that_are_taken_away_are_gone(stage: &Stage) {
    set_up(stage).await;
    let root = |statement: &'static str| {
        let servers = &stage.servers;
        async move {
            servers.primary().root().await.unwrap().query_drop(statement).await.unwrap();
            servers.catch_up().await.unwrap();
        }
    };
    root("INSERT INTO vault.secrets VALUES (42)").await;
    root("GRANT SELECT ON vault.secrets TO 'app'@'%'").await;
    let opts = OptsBuilder::from_opts(APP.opts(stage.listen())).db_name(Some(SCHEMA));
    let mut conn = Conn::new(opts).await.unwrap();
    let read = "SELECT id FROM vault.secrets WHERE id > ?";
    assert_eq!(conn.exec_first::<i32, _, _>(read, (1,)).await.unwrap(), Some(42));
    assert_eq!(stage.ran_on("FROM vault.secrets WHERE id > 1"), ["replica1"]);
    root("REVOKE SELECT ON vault.secrets FROM 'app'@'%'").await;
    for _ in 0..2 {
        match conn.exec_first::<i32, _, _>(read, (1,)).await {
            Err(mysql_async::Error::Server(error)) => assert_eq!((error.code, &*error.state), (1142, "42000")),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(conn.query_first::<i32, _>("SELECT 1").await.unwrap(), Some(1));
}
