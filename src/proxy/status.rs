//! Status variables that describe a client's own connection: a server would tell of the one that it is asked by.

use std::sync::atomic::Ordering;

use super::client::Client;
use super::shared::Shared;
use crate::cluster::Flavor;
use crate::net::tls::cipher_list;
use crate::session::StatementCounts;
use crate::wire::compression::Compression;
use crate::wire::status::{OwnStatus, StatusValue};

/// As both families have it: peers' certificates are asked for, and their chains are not limited.
const VERIFY: [&str; 2] = ["5", "18446744073709551615"];

/// Seconds for which OpenSSL lets a session be gone on with, unless it is told otherwise.
const TIMEOUT: &str = "7200";

/// What holds for this client, in the place of what servers say. Of variables that a server does not have nothing is said.
pub(super) fn own_status(shared: &Shared, client: &Client, counts: StatementCounts) -> Vec<OwnStatus> {
    let mut all = Vec::with_capacity(24);
    let mut say = |session: bool, name, value: StatusValue| all.push(OwnStatus { name, value, session });
    let text = |text: &str| StatusValue::Text(text.to_owned());
    // MariaDB shows it of the server as a whole as well.
    let (method, level) = match client.stream.compression() {
        None => ("", 0),
        Some(Compression::Zlib(level)) => ("zlib", i64::from(level)),
        Some(Compression::Zstd(level)) => ("zstd", i64::from(level)),
    };
    say(false, "Compression", text(if method.is_empty() { "OFF" } else { "ON" }));
    say(false, "Compression_algorithm", text(method));
    say(false, "Compression_level", text(&level.to_string()));
    let tls = client.stream.tls();
    let [mode, depth] = if tls.is_some() { VERIFY } else { ["0", "0"] };
    say(false, "Ssl_cipher", StatusValue::Text(tls.map(|tls| tls.openssl_cipher()).unwrap_or_default()));
    say(false, "Ssl_cipher_list", StatusValue::Text(tls.map(|_| cipher_list()).unwrap_or_default()));
    say(false, "Ssl_version", text(tls.map_or("", |tls| tls.version.as_str())));
    say(false, "Ssl_default_timeout", text(if tls.is_some() { TIMEOUT } else { "0" }));
    say(false, "Ssl_sessions_reused", text(if tls.is_some_and(|tls| tls.resumed) { "1" } else { "0" }));
    say(false, "Ssl_verify_mode", text(mode));
    say(false, "Ssl_verify_depth", text(depth));
    // MariaDB tells it of a connection under TLS, MySQL of the server.
    let mariadb = Flavor::from_version(&shared.greetings.primary().version) == Flavor::MariaDb;
    let offer = shared.tls.as_ref().filter(|_| tls.is_some() || !mariadb).map(|acceptor| acceptor.offer());
    let [begins, ends] = offer.map(|offer| offer.validity.clone()).unwrap_or_default();
    say(false, "Ssl_server_not_before", StatusValue::Text(begins));
    say(false, "Ssl_server_not_after", StatusValue::Text(ends));
    // A password is encrypted to who decrypts it.
    say(false, "Caching_sha2_password_rsa_public_key", text(shared.rsa.public_pem()));
    say(false, "Rsa_public_key", text(shared.rsa.public_pem()));
    // Of connections that clients left without a word none is the server's.
    say(false, "Aborted_clients", StatusValue::More(shared.aborted_clients.load(Ordering::Relaxed)));
    let count = |count: u64| StatusValue::Text(count.to_string());
    say(true, "Com_stmt_prepare", count(counts.prepare));
    say(true, "Com_stmt_execute", count(counts.execute));
    say(true, "Com_stmt_fetch", count(counts.fetch));
    say(true, "Com_stmt_close", count(counts.close));
    say(true, "Com_stmt_reset", count(counts.reset));
    say(true, "Com_stmt_send_long_data", count(counts.long_data));
    all
}
