//! docs/compatibility.md: each server with each of its login methods, accounts configured and discovered, TLS off, on and verified, and
//! each driver, by a login, a question with a parameter, and the answer, directly and through the proxy. The tables are written from what
//! ran, never by hand:
//!
//! ```sh
//! cargo test --test compatibility -- --ignored --nocapture
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]
#![allow(clippy::print_stderr, reason = "what is not here is named")]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use pointsman::cluster::Flavor;
use pointsman::config::{Source, parse};
use pointsman::sandbox::{MONITOR, Sandbox, SandboxOptions};
use support::clients::{command, installed, python, scripts, target};
use support::tls::{Authority, Files};
use support::{Proxy, configuration};
use tokio::io::AsyncWriteExt as _;

const PASSWORD: &str = "pa55-word";
/// For all the logins of a driver at one server: one that hangs shall not hang the test.
const LIMIT: Duration = Duration::from_secs(600);

/// A server, as the table names it.
const SERVERS: &[&str] = &["MariaDB 10.11", "MariaDB 11.8", "MySQL 9.7"];

/// A login method of the server: its name, what makes such an account, what must be installed, and which servers have it.
const LOGINS: &[(&str, &str, &str, &[&str])] = &[
    ("mysql_native_password", "VIA mysql_native_password USING PASSWORD('P')", "", &["MariaDB 10.11", "MariaDB 11.8"]),
    ("ed25519", "VIA ed25519 USING PASSWORD('P')", "INSTALL SONAME 'auth_ed25519'", &["MariaDB 11.8"]),
    ("parsec", "VIA parsec USING PASSWORD('P')", "INSTALL SONAME 'auth_parsec'", &["MariaDB 11.8"]),
    ("caching_sha2_password", "VIA caching_sha2_password USING PASSWORD('P')", "", &["MariaDB 11.8"]),
    ("caching_sha2_password", "WITH caching_sha2_password BY 'P'", "", &["MySQL 9.7"]),
    ("sha256_password", "WITH sha256_password BY 'P'", "", &["MySQL 9.7"]),
];

/// How the proxy knows accounts (`proxy.auth`).
const ACCOUNTS: &[&str] = &["configured", "discover"];

/// TLS of both sides: its name in the table, the client's word for it, `tls.mode`, and `servers.tls`.
const TLS: &[(&str, &str, &str, &str)] = &[
    ("off", "off", "off", "off"),
    ("to clients", "on", "required", "off"),
    ("to servers", "off", "off", "required"),
    ("both", "on", "required", "required"),
    ("verified", "verified", "required", "verify_identity"),
];

/// A driver: its name in the table, the program, its probe, and its name there.
const DRIVERS: &[(&str, &str, &str, &str)] = &[
    ("mariadb (CLI)", "sh", "shell/probe.sh", "mariadb"),
    ("mysql (CLI)", "sh", "shell/probe.sh", "mysql"),
    ("Connector/C", "c", "c/probe.c", "c"),
    ("PDO", "php", "php/probe.php", "pdo"),
    ("mysqli", "php", "php/probe.php", "mysqli"),
    ("PyMySQL", "python", "python/probe.py", "pymysql"),
    ("mysqlclient", "python", "python/probe.py", "mysqlclient"),
    ("Connector/Python", "python", "python/probe.py", "connector"),
    ("asyncmy", "python", "python/probe.py", "asyncmy"),
    ("Django", "python", "python/probe.py", "django"),
    ("SQLAlchemy", "python", "python/probe.py", "sqlalchemy"),
    ("mysql2 (Node)", "node", "node/probe.cjs", "mysql2"),
    ("mariadb (Node)", "node", "node/probe.cjs", "mariadb"),
    ("mysql2 (Ruby)", "ruby", "ruby/probe.rb", "mysql2"),
    ("ActiveRecord", "ruby", "ruby/probe.rb", "activerecord"),
    ("Connector/J (MariaDB)", "java", "java/Probe.java", "mariadb"),
    ("mysql_async", "rust", "", "probe-mysql_async"),
    ("sqlx", "rust", "", "probe-sqlx"),
];

const BEGIN: &str = "<!-- written by tests/compatibility.rs -->\n";
const SUITES: &str = "\n## The drivers' own suites\n";

/// Server, login, accounts, TLS: a row of the table.
type Row = (&'static str, &'static str, &'static str, &'static str);

/// The login methods of a server, with their numbers.
fn logins_of(server: &str) -> impl Iterator<Item = (usize, &'static str)> {
    let logins = LOGINS.iter().enumerate();
    logins.filter(move |(_, (_, _, _, on))| on.contains(&server)).map(|(number, (login, ..))| (number, *login))
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for server in SERVERS {
        for (_, login) in logins_of(server) {
            for accounts in ACCOUNTS {
                rows.extend(TLS.iter().map(|(tls, ..)| (*server, login, *accounts, *tls)));
            }
        }
    }
    rows
}

fn header() -> String {
    let names: Vec<_> = DRIVERS.iter().map(|(name, ..)| *name).collect();
    let rule = vec!["---"; names.len() + 4].join(" | ");
    format!("| server | login | accounts | TLS | {} |\n| {rule} |\n", names.join(" | "))
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/compatibility.md")
}

async fn server(name: &str, authority: &Authority) -> Option<Sandbox> {
    let mut options = authority.server_options("server");
    if name == "MariaDB 11.8" {
        // It makes its RSA keys at the start only.
        options.push("--plugin-load-add=auth_mysql_sha2".to_owned());
    }
    match name {
        "MariaDB 11.8" => support::newer_mariadb(&options.iter().map(String::as_str).collect::<Vec<_>>()).await,
        name => {
            let flavor = if name.starts_with("MySQL") { Flavor::MySql } else { Flavor::MariaDb };
            support::start(flavor, SandboxOptions { replicas: 0, extra: options, ..SandboxOptions::default() }).await
        }
    }
}

/// A proxy that knows accounts, and speaks TLS, in this way.
async fn proxy(
    servers: &Sandbox,
    authority: &Authority,
    accounts: &str,
    (to_clients, to_servers): (&str, &str),
) -> Proxy {
    let [certificate, key, ca] =
        ["proxy.pem", "proxy.key", "ca.pem"].map(|file| authority.path(file).display().to_string());
    let mut sections = format!("[proxy]\nlisten='127.0.0.1:0'\nauth='{accounts}'\n[tls]\nmode='{to_clients}'\n");
    if to_clients != "off" {
        write!(sections, "certificate='{certificate}'\nkey='{key}'\n").unwrap();
    }
    if accounts == "configured" {
        for number in 0..LOGINS.len() {
            write!(sections, "[[users]]\nname='user{number}'\npassword='{PASSWORD}'\n").unwrap();
        }
    }
    let ca = if to_servers == "verify_identity" { format!("tls_ca='{ca}'\n") } else { String::new() };
    let text = configuration(servers, &sections)
        .replace("role='primary'\n", &format!("role='primary'\ntls='{to_servers}'\n{ca}"));
    let loaded = parse(Some(Source { name: "test", text: &text }), &Files);
    Proxy::start(loaded.unwrap_or_else(|problems| panic!("{problems}\n{text}")).config).await
}

/// One login: where, as whom, and the client's word for TLS.
struct Target {
    at: SocketAddr,
    user: String,
    tls: &'static str,
}

/// The program in C, compiled here.
async fn compiled(source: &Path) -> PathBuf {
    std::fs::create_dir_all(installed("c")).unwrap();
    let program = installed("c").join("probe");
    let build = r#"cc -O1 "$1" -o "$2" $(mariadb_config --cflags --libs)"#;
    let built = command("sh").args(["-c", build, "sh"]).args([source, &program]).output().await.unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    program
}

/// What the driver says of each of the targets: nothing if it gets its answer.
async fn probe(driver: &(&str, &str, &str, &str), ca: &Path, targets: &[Target]) -> Vec<Result<(), String>> {
    let (name, program, script, mode) = driver;
    let script = scripts().join(script);
    let mut run = match *program {
        "python" => command(python()),
        "c" => command(compiled(&script).await),
        "rust" => command(installed("rust").join("debug/pointsman-clients")),
        program => command(program),
    };
    match *program {
        "c" | "rust" => {}
        "java" => {
            _ = run.args(["-Dfile.encoding=UTF-8", "-cp", "/usr/share/java/mariadb-java-client.jar"]).arg(&script);
        }
        _ => _ = run.arg(&script),
    }
    run.arg(mode).arg(ca).env("PYTHONIOENCODING", "utf-8").env("LC_ALL", "C.UTF-8").kill_on_drop(true);
    let mut child = run.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = String::new();
    for target in targets {
        writeln!(lines, "{} {} {} {PASSWORD} {}", target.at.ip(), target.at.port(), target.user, target.tls).unwrap();
    }
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(lines.as_bytes()).await.unwrap();
    drop(stdin);
    let output = tokio::time::timeout(LIMIT, child.wait_with_output()).await;
    let output = output.unwrap_or_else(|_| panic!("{name} hangs")).unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    let said: Vec<_> = said.lines().collect();
    assert_eq!(said.len(), targets.len(), "{name}: {said:?}\n{complained}");
    let judged = said.iter().zip(targets).map(|(said, target)| {
        let wanted = [format!("{}@%", target.user), "é".to_owned()];
        if said.split_whitespace().eq(wanted) { Ok(()) } else { Err((*said).to_owned()) }
    });
    judged.collect()
}

/// The counts that `tests/suites` left of the suites that ran.
fn suites() -> String {
    let mut lines: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(target().join("suites/counts")).into_iter().flatten().flatten() {
        lines.push(std::fs::read_to_string(entry.path()).unwrap());
    }
    lines.sort_unstable();
    let lines: Vec<_> = lines.iter().map(|line| format!("| {line} |\n")).collect();
    format!(
        "{SUITES}\nEach test ran directly and through the proxy (`make test-clients`). *Only directly* are tests that pass directly and not \
         through the proxy;\n`tests/suites/runners.rs` lists those that are known, with what is missing. A row is of the last whole run. A suite is\n\
         not here if its package comes without tests (mysql2 and mariadb for Node, asyncmy), or if its source cannot be fetched (mysql2 for Ruby).\n\n\
         | suite | server | tests | pass directly | pass through pointsman | only directly |\n| --- | --- | --- | --- | --- | --- |\n{}",
        lines.concat()
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "writes docs/compatibility.md"]
async fn write_the_tables() {
    let authority = Authority::new();
    authority.sign("server", &["localhost", "127.0.0.1"]);
    authority.sign("proxy", &["localhost", "127.0.0.1"]);
    let mut cells: BTreeMap<(Row, &str), &str> = BTreeMap::new();
    let mut versions = String::new();
    let (mut only_direct, mut neither) = (Vec::new(), Vec::new());
    for name in SERVERS {
        let servers = server(name, &authority).await.expect("all servers: the table is of what ran");
        writeln!(versions, "- {name}: {}", servers.binaries().version()).unwrap();
        let accounts = if name.starts_with("MySQL") { "mysql.user" } else { "mysql.global_priv" };
        servers.primary().run(&[format!("GRANT SELECT ON {accounts} TO {}", MONITOR.user)]).await.unwrap();
        for (number, (_, identified, install, on)) in LOGINS.iter().enumerate() {
            if !on.contains(name) {
                continue;
            }
            if !install.is_empty() {
                servers.primary().run(&[install]).await.unwrap();
            }
            let identified = identified.replace("'P'", &format!("'{PASSWORD}'"));
            servers.primary().run(&[format!("CREATE USER user{number}@'%' IDENTIFIED {identified}")]).await.unwrap();
        }
        let (mut proxies, mut targets, mut found) = (Vec::new(), Vec::new(), Vec::new());
        for (number, login) in logins_of(name) {
            for tls in ["off", "on", "verified"] {
                targets.push(Target { at: servers.primary().address(), user: format!("user{number}"), tls });
                found.push((login, "", tls));
            }
        }
        for accounts in ACCOUNTS {
            for (tls, word, to_clients, to_servers) in TLS {
                let proxy = proxy(&servers, &authority, accounts, (to_clients, to_servers)).await;
                for (number, login) in logins_of(name) {
                    targets.push(Target { at: proxy.listen(), user: format!("user{number}"), tls: word });
                    found.push((login, *accounts, *tls));
                }
                proxies.push(proxy);
            }
        }
        for driver in DRIVERS {
            let judged = probe(driver, &authority.path("ca.pem"), &targets).await;
            let direct: BTreeMap<_, _> = found
                .iter()
                .zip(&judged)
                .filter(|((_, accounts, _), _)| accounts.is_empty())
                .map(|((login, _, tls), judged)| ((*login, *tls), judged.is_ok()))
                .collect();
            for (((login, accounts, tls), judged), target) in found.iter().zip(&judged).zip(&targets) {
                if accounts.is_empty() {
                    continue;
                }
                let cell = match judged {
                    Ok(()) => "yes",
                    Err(why) => {
                        let why = format!("{name}, {login}, {accounts}, TLS {tls}, {}: {why}", driver.0);
                        if direct[&(*login, target.tls)] {
                            only_direct.push(why);
                            "no"
                        } else {
                            neither.push(why);
                            "nor directly"
                        }
                    }
                };
                cells.insert(((*name, *login, *accounts, *tls), driver.0), cell);
            }
        }
        for proxy in proxies {
            proxy.stop().await;
        }
        servers.stop().await;
    }
    let mut text = String::from(
        "# Compatibility\n\nWhat was run: each driver logs in through pointsman, asks with a parameter, and gets its answer. *login*: the \
         account's method at the server.\n*accounts*: `proxy.auth`; configured ones are in `[[users]]`. *TLS to clients*: the driver demands it, and \
         the proxy (`tls.mode`).\n*To servers*: `servers.tls = \"required\"`. *Verified*: the driver verifies the proxy's certificate and name, and \
         the proxy the server's\n(`verify_identity`). A cell is *yes*, *no* (the same works directly), or *nor directly*: the driver cannot do it \
         without a proxy either.\nWhat the drivers do beyond a login is compared with their direct run by `tests/clients.rs`.\n\n\
         MySQL's own Connector/J and Connector/ODBC were not run: no registry of packages that the tests install from (Debian, PyPI, npm,\ncrates.io) \
         has them.\n\nmysql_async asks for `@@socket` and connects there when its host is its own machine, around any proxy: set \
         `prefer_socket=false`.\n\n",
    );
    write!(text, "{BEGIN}{versions}\n{}", header()).unwrap();
    for row in rows() {
        let answers: Vec<_> = DRIVERS.iter().map(|(driver, ..)| cells[&(row, *driver)]).collect();
        writeln!(text, "| {} | {} | {} | {} | {} |", row.0, row.1, row.2, row.3, answers.join(" | ")).unwrap();
    }
    std::fs::write(page(), text + &suites()).unwrap();
    eprintln!("{} cells; nor directly:\n{}", cells.len(), neither.join("\n"));
    assert!(only_direct.is_empty(), "only directly:\n{}", only_direct.join("\n"));
}

/// The table has the rows and columns that the runner knows, and each cell was run.
#[test]
fn the_tables_are_of_what_runs() {
    let text = std::fs::read_to_string(page()).unwrap();
    let (_, written) = text.split_once(BEGIN).expect("a table");
    let (logins, suites) = written.split_once(SUITES).expect("the suites");
    assert!(logins.contains(&header()), "other drivers: write the table anew");
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let found: Vec<_> = logins.lines().filter(|line| line.starts_with("| M")).map(cells).collect();
    let known = rows();
    assert_eq!(found.len(), known.len(), "other rows: write the table anew");
    for (row, (server, login, accounts, tls)) in found.iter().zip(known) {
        assert_eq!([&*row[1], &*row[2], &*row[3], &*row[4]], [server, login, accounts, tls]);
        let answers = &row[5..row.len() - 1];
        assert_eq!(answers.len(), DRIVERS.len());
        assert!(answers.iter().all(|answer| answer == "yes" || answer == "nor directly"), "{row:?}");
    }
    for row in suites.lines().filter(|line| line.starts_with("| ")).skip(2).map(cells) {
        assert!(row[3..7].iter().all(|count| count.parse::<u32>().is_ok()), "{row:?}");
    }
}
