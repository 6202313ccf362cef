//! For each line HOST PORT USER PASSWORD off|on|verified of the input one line: the account and the parameter, or why not. `on`: only
//! with TLS; `verified`: and with the server's certificate and name verified.

use std::error::Error;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder, SslOpts};
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::{Connection as _, MySqlConnection};

const ASK: &str = "SELECT CURRENT_USER(), ?";

pub async fn all(mode: &str, authority: &str) {
    for line in std::io::stdin().lines() {
        let line = line.expect("a line");
        let target: Vec<&str> = line.split_whitespace().collect();
        let saw = if mode == "probe-sqlx" { of_sqlx(&target, authority).await } else { of_mysql_async(&target, authority).await };
        match saw {
            Ok((account, said)) => println!("{account} {said}"),
            Err(error) => println!("failed: {}", error.to_string().replace('\n', " ")),
        }
    }
}

async fn of_sqlx(target: &[&str], authority: &str) -> Result<(String, String), Box<dyn Error>> {
    let [host, port, user, password, tls] = *target else { return Err("five words".into()) };
    let mode = match tls {
        "off" => MySqlSslMode::Disabled,
        "on" => MySqlSslMode::Required,
        _ => MySqlSslMode::VerifyIdentity,
    };
    let login = MySqlConnectOptions::new().host(host).port(port.parse()?).username(user).password(password);
    let mut one = MySqlConnection::connect_with(&login.ssl_mode(mode).ssl_ca(authority)).await?;
    let row: (String, String) = sqlx::query_as(ASK).bind("é").fetch_one(&mut one).await?;
    one.close().await?;
    Ok(row)
}

async fn of_mysql_async(target: &[&str], authority: &str) -> Result<(String, String), Box<dyn Error>> {
    let [host, port, user, password, tls] = *target else { return Err("five words".into()) };
    let how = match tls {
        "off" => None,
        "on" => Some(SslOpts::default().with_danger_accept_invalid_certs(true).with_danger_skip_domain_validation(true)),
        _ => Some(SslOpts::default().with_root_certs(vec![std::path::PathBuf::from(authority).into()])),
    };
    let login = OptsBuilder::default().ip_or_hostname(host).tcp_port(port.parse()?).user(Some(user)).pass(Some(password));
    let mut one = Conn::new(login.prefer_socket(false).ssl_opts(how)).await?;
    let row = one.exec_first(ASK, ("é",)).await?.ok_or("no row")?;
    one.disconnect().await?;
    Ok(row)
}
