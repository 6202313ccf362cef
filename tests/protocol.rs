//! What the protocol has besides replies, which tests/transparency compares: the greeting, packets at the exact bounds of 16 MiB, a
//! client that stops in the middle of a file, as many parameters as there may be.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

mod support;

use std::net::SocketAddr;

use pointsman::cluster::Flavor;
use pointsman::sandbox::SandboxOptions;
use pointsman::wire::auth::CACHING_SHA2;
use pointsman::wire::{Capabilities, MAX_PAYLOAD};
use support::raw::{CLASSIC, Login, MODERN, Raw, ok_status};
use support::{Stage, proxy};

on_both!(
    packets_of_any_length_pass_both_ways,
    a_file_that_never_ends_ends_the_session,
    the_greeting_is_the_primarys_with_an_id_of_ours,
);

/// One server that takes large packets and files.
async fn stage(flavor: Flavor) -> Option<Stage> {
    let extra = vec!["--max-allowed-packet=64M".to_owned(), "--local-infile=1".to_owned()];
    let servers = support::start(flavor, SandboxOptions { replicas: 0, extra, ..SandboxOptions::default() }).await?;
    let proxy = proxy(&servers, "").await;
    Some(Stage { servers, proxy })
}

/// A client's login in this form, by what the family's accounts have.
fn app(flavor: Flavor, form: Capabilities) -> Login {
    let login = Login::app().with(form);
    if flavor == Flavor::MySql { login.plugin(CACHING_SHA2) } else { login }
}

async fn packets_of_any_length_pass_both_ways(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    for address in [stage.servers.primary().address(), stage.listen()] {
        let mut client = Raw::login(address, &app(flavor, MODERN)).await;
        // The whole command, the header's limit less one, just it, and one more.
        for len in [MAX_PAYLOAD - 1, MAX_PAYLOAD, MAX_PAYLOAD + 1] {
            let mut command = b"\x03SELECT LENGTH('".to_vec();
            let tail = b"')";
            command.resize(len - tail.len(), b'a');
            command.extend_from_slice(tail);
            let packets = client.results(&command).await;
            assert_eq!(packets[2].payload[1..], (len - 18).to_string().into_bytes(), "{len}");
        }
        // A row of just such a length; the length of its only column takes four bytes, nine above 16 MiB.
        for len in [MAX_PAYLOAD - 1, MAX_PAYLOAD, MAX_PAYLOAD + 1] {
            let value = if len - 4 < 1 << 24 { len - 4 } else { len - 9 };
            let packets = client.query(&format!("SELECT REPEAT('b', {value})")).await;
            assert_eq!(packets.len(), 4);
            assert!(packets[2].payload.len() >= len - 1 && packets[2].payload.ends_with(b"bbb"), "{len}");
            assert_eq!(client.value("SELECT 'next'").await, "next");
        }
        // The same as a parameter.
        let (_, id) = client.prepare("SELECT LENGTH(?), ?").await;
        let long = vec![b'c'; MAX_PAYLOAD];
        let packets = client.execute(id, 0, &[Some(&long), Some(b"end")]).await;
        let row = &packets[3].payload;
        assert!(row.ends_with(b"\x03end"), "{row:?}");
        assert_eq!(row[2..6], u32::try_from(MAX_PAYLOAD).unwrap().to_le_bytes());
    }
    stage.end().await;
}

/// A client that stops in the middle holds the connection no longer than the server lets it.
async fn a_file_that_never_ends_ends_the_session(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    for form in [MODERN, CLASSIC] {
        let mut silent = Raw::login(stage.listen(), &app(flavor, form)).await;
        silent.run("CREATE TABLE IF NOT EXISTS loaded (text VARCHAR(200) NOT NULL)").await;
        silent.run("SET SESSION net_read_timeout = 1").await;
        silent.query("LOAD DATA LOCAL INFILE 'some file' INTO TABLE loaded (text)").await;
        silent.answer(b"one line\n").await;
        let mut packets = 0;
        while silent.try_read().await.is_ok() {
            packets += 1;
        }
        assert!(packets <= 1, "{packets} packets after a file that never ended");
    }
    stage.end().await;
}

async fn the_greeting_is_the_primarys_with_an_id_of_ours(flavor: Flavor) {
    let Some(stage) = stage(flavor).await else { return };
    let at: SocketAddr = stage.listen();
    support::until("the primary was seen", || async { stage.proxy.shared().greetings.is_known() }).await;
    let direct = Raw::open(stage.servers.primary().address()).await.greeting.unwrap();
    let here = Raw::open(at).await.greeting.unwrap();
    assert_eq!((&here.version, here.collation, here.status), (&direct.version, direct.collation, direct.status));
    // TLS and compression are offered as the primary offers them.
    for follows in [Capabilities::SSL, Capabilities::COMPRESS, Capabilities::ZSTD] {
        assert_eq!(here.capabilities.contains(follows), direct.capabilities.contains(follows), "{follows:?}");
    }
    // MariaDB's sign.
    assert_eq!(here.capabilities.contains(Capabilities::LONG_PASSWORD), flavor == Flavor::MySql);
    assert_eq!(here.capabilities & direct.capabilities.with(Capabilities::PLUGIN_AUTH_LENENC), here.capabilities);
    let again = Raw::open(at).await.greeting.unwrap();
    assert!(again.thread_id > here.thread_id);
    // 65,535 parameters are as many as there may be: the count of packets does not overflow, in either form.
    for form in [MODERN, CLASSIC] {
        let mut client = Raw::login(at, &app(flavor, form)).await;
        let sql = format!("SELECT 1 IN ({}?)", "?,".repeat(65_534));
        let (packets, id) = client.prepare(&sql).await;
        assert!(packets.len() > 65_535);
        client.send(&[&[0x19], &id.to_le_bytes()[..]].concat()).await;
        let ok = client.one(b"\x0e").await;
        assert_eq!(ok_status(&ok.payload), 2);
        assert_eq!(client.value("SELECT 'after'").await, "after");
    }
    stage.end().await;
}
