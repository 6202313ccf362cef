//! docs/compatibility.md: each server with each of its login methods, TLS on either side, and each driver, by a login, a question
//! with a parameter, and the answer through the proxy. The table is written from what ran, never by hand:
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
use std::path::Path;
use std::time::Duration;

use pointsman::cluster::Flavor;
use pointsman::config::{Source, parse};
use pointsman::sandbox::{Sandbox, SandboxOptions};
use support::clients::{command, python, scripts};
use support::configuration;
use support::tls::{Authority, Files};

const PASSWORD: &str = "pa55-word";

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

/// TLS to the client, and to the server.
const TLS: &[(&str, &str, &str)] = &[
    ("off", "off", "off"),
    ("to clients", "required", "off"),
    ("to servers", "off", "required"),
    ("both", "required", "required"),
];

/// A driver: its name in the table, the program, its probe, and its name there.
const DRIVERS: &[(&str, &str, &str, &str)] = &[
    ("mariadb (CLI)", "sh", "shell/probe.sh", "mariadb"),
    ("mysql (CLI)", "sh", "shell/probe.sh", "mysql"),
    ("PDO", "php", "php/probe.php", "pdo"),
    ("mysqli", "php", "php/probe.php", "mysqli"),
    ("PyMySQL", "python", "python/probe.py", "pymysql"),
    ("mysqlclient", "python", "python/probe.py", "mysqlclient"),
    ("Connector/Python", "python", "python/probe.py", "connector"),
    ("asyncmy", "python", "python/probe.py", "asyncmy"),
    ("mysql2 (Node)", "node", "node/probe.cjs", "mysql2"),
    ("mariadb (Node)", "node", "node/probe.cjs", "mariadb"),
    ("mysql2 (Ruby)", "ruby", "ruby/probe.rb", "mysql2"),
];

const BEGIN: &str = "<!-- written by tests/compatibility.rs -->\n";

/// Server, login, TLS: a row of the table.
type Row = (&'static str, &'static str, &'static str);

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for server in SERVERS {
        for (login, _, _, on) in LOGINS.iter().filter(|(_, _, _, on)| on.contains(server)) {
            debug_assert!(on.contains(server));
            rows.extend(TLS.iter().map(|(tls, _, _)| (*server, *login, *tls)));
        }
    }
    rows
}

fn header() -> String {
    let names: Vec<_> = DRIVERS.iter().map(|(name, ..)| *name).collect();
    let rule = vec!["---"; names.len() + 3].join(" | ");
    format!("| server | login | TLS | {} |\n| {rule} |\n", names.join(" | "))
}

fn page() -> std::path::PathBuf {
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

/// Whether the driver gets its answer; what it said if not.
async fn probe(driver: &(&str, &str, &str, &str), at: SocketAddr, user: &str, tls: &str) -> Result<(), String> {
    let (_, program, script, mode) = driver;
    let mut run = if *program == "python" { command(python()) } else { command(program) };
    run.arg(scripts().join(script)).arg(mode).args([at.ip().to_string(), at.port().to_string()]);
    run.args([user, PASSWORD, tls]).env("PYTHONIOENCODING", "utf-8").env("LC_ALL", "C.UTF-8").kill_on_drop(true);
    let Ok(output) = tokio::time::timeout(Duration::from_secs(30), run.output()).await else {
        return Err("hangs".to_owned());
    };
    let output = output.map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stdout);
    if said.split_whitespace().eq([format!("{user}@%").as_str(), "é"]) {
        return Ok(());
    }
    let complained = String::from_utf8_lossy(&output.stderr);
    Err(format!("{} {}", said.trim(), complained.trim().lines().last().unwrap_or_default()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "writes docs/compatibility.md"]
async fn write_the_table() {
    let authority = Authority::new();
    authority.sign("server", &["localhost", "127.0.0.1"]);
    authority.sign("proxy", &["127.0.0.1"]);
    let mut cells: BTreeMap<(Row, &str), &str> = BTreeMap::new();
    let mut versions = String::new();
    let mut refused = Vec::new();
    for name in SERVERS {
        let servers = server(name, &authority).await.expect("all servers: the table is of what ran");
        writeln!(versions, "- {name}: {}", servers.binaries().version()).unwrap();
        let logins: Vec<_> = LOGINS.iter().filter(|(_, _, _, on)| on.contains(name)).collect();
        let mut users = String::new();
        for (number, (_, identified, install, _)) in logins.iter().enumerate() {
            if !install.is_empty() {
                servers.primary().run(&[install]).await.unwrap();
            }
            let identified = identified.replace("'P'", &format!("'{PASSWORD}'"));
            servers.primary().run(&[format!("CREATE USER user{number}@'%' IDENTIFIED {identified}")]).await.unwrap();
            writeln!(users, "[[users]]\nname='user{number}'\npassword='{PASSWORD}'").unwrap();
        }
        for (tls, to_clients, to_servers) in TLS {
            let pair = ["proxy.pem", "proxy.key"].map(|file| authority.path(file).display().to_string());
            let section = match *to_clients {
                "off" => "[tls]\nmode='off'\n".to_owned(),
                mode => format!("[tls]\nmode='{mode}'\ncertificate='{}'\nkey='{}'\n", pair[0], pair[1]),
            };
            let text = configuration(&servers, &format!("{section}{users}"))
                .replace("role='primary'\n", &format!("role='primary'\ntls='{to_servers}'\n"));
            let loaded = parse(Some(Source { name: "test", text: &text }), &Files);
            let proxy =
                support::Proxy::start(loaded.unwrap_or_else(|problems| panic!("{problems}\n{text}")).config).await;
            for (number, (login, ..)) in logins.iter().enumerate() {
                for driver in DRIVERS {
                    let client_tls = if *to_clients == "off" { "off" } else { "on" };
                    let saw = probe(driver, proxy.listen(), &format!("user{number}"), client_tls).await;
                    cells.insert(((*name, *login, *tls), driver.0), if saw.is_ok() { "yes" } else { "no" });
                    if let Err(why) = saw {
                        refused.push(format!("{name}, {login}, TLS {tls}, {}: {why}", driver.0));
                    }
                }
            }
            proxy.stop().await;
        }
        servers.stop().await;
    }
    let mut text = String::from(
        "# Compatibility\n\nWhat was run: each driver logs in through pointsman, asks with a parameter, and gets its answer. The accounts are \
         configured\n(`[[users]]`); the login method is the account's at the server. *TLS to clients*: the driver demands it, and the proxy \
         (`tls.mode`).\n*To servers*: `servers.tls = \"required\"`. What the drivers do beyond a login is compared with their direct run by \
         `tests/clients.rs`,\nand their own suites by `make test-clients`.\n\n",
    );
    write!(text, "{BEGIN}{versions}\n{}", header()).unwrap();
    for row in rows() {
        let answers: Vec<_> = DRIVERS.iter().map(|(driver, ..)| cells[&(row, *driver)]).collect();
        writeln!(text, "| {} | {} | {} | {} |", row.0, row.1, row.2, answers.join(" | ")).unwrap();
    }
    std::fs::write(page(), text).unwrap();
    eprintln!("{} cells, {} refused:\n{}", cells.len(), refused.len(), refused.join("\n"));
}

/// The table has the rows and columns that the runner knows, and each cell was run.
#[test]
fn the_table_is_of_what_runs() {
    let text = std::fs::read_to_string(page()).unwrap();
    let (_, written) = text.split_once(BEGIN).expect("a table");
    assert!(written.contains(&header()), "other drivers: write the table anew");
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let found: Vec<_> = written.lines().filter(|line| line.starts_with("| M")).map(cells).collect();
    let known = rows();
    assert_eq!(found.len(), known.len(), "other rows: write the table anew");
    for (row, (server, login, tls)) in found.iter().zip(known) {
        assert_eq!([&*row[1], &*row[2], &*row[3]], [server, login, tls]);
        let answers = &row[4..row.len() - 1];
        assert_eq!(answers.len(), DRIVERS.len());
        assert!(answers.iter().all(|answer| answer == "yes" || answer == "no"), "{row:?}");
    }
}
