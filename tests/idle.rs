//! How a client that is silent for longer than its session's `wait_timeout` finds its connection ended: directly and through
//! the proxy the same, on MariaDB and MySQL.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by them")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use pointsman::cluster::Flavor;
use pointsman::wire::Capabilities;
use pointsman::wire::command::code;
use support::raw::{Login, MODERN, Raw};
use support::wire::Method;
use support::{stage_on, until};
use tokio::time::{Instant, sleep};

on_both!(a_silent_client_is_ended_as_its_server_ends_it, who_speaks_or_has_time_is_not_ended);

/// What a silent client finds: an error with its sequence id or nothing, then how its connection ended; and whether its
/// session was to be silent for so long.
async fn end(address: SocketAddr, login: &Login, statements: &[&str], patience: Duration) -> String {
    let mut raw = Raw::login(address, login).await;
    for statement in statements {
        raw.run(statement).await;
    }
    let began = Instant::now();
    let mut told = String::new();
    loop {
        raw.sequence = 0;
        raw.stream.begin();
        match raw.try_read().await {
            Ok(packet) => told.push_str(&format!("{} {:?}; ", packet.sequence, packet.error())),
            Err(error) => {
                assert!(began.elapsed() >= patience, "{statements:?}: ended after {:?}", began.elapsed());
                assert!(
                    began.elapsed() < patience * 2 + Duration::from_secs(5),
                    "{statements:?}: {:?}",
                    began.elapsed()
                );
                return format!("{told}{:?}", error.kind());
            }
        }
    }
}

async fn a_silent_client_is_ended_as_its_server_ends_it(flavor: Flavor) {
    let Some(stage) = stage_on(flavor, 0, "").await else { return };
    let at: [SocketAddr; 2] = [stage.servers.primary().address(), stage.listen()];
    let second = Duration::from_millis(900);
    let plain = Login::app().with(MODERN);
    let packed = Login { compression: Some(Method::Zlib), ..plain.clone() };
    let cases: [(&Login, &[&str]); 5] = [
        (&plain, &["SET wait_timeout = 1"]),
        (&plain, &["SET SESSION wait_timeout = 1, sql_mode = ''", "SELECT 1"]),
        // The server ends the connection that the session is bound to.
        (&plain, &["SET wait_timeout = 1", "BEGIN", "SELECT 1"]),
        (&plain, &["SET @@wait_timeout = 1", "DO GET_LOCK('idle', 1)"]),
        (&packed, &["SET wait_timeout = 1"]),
    ];
    for (login, statements) in cases {
        // One after the other: both take the lock.
        let directly = end(at[0], login, statements, second).await;
        let through = end(at[1], login, statements, second).await;
        assert_eq!(directly, through, "{statements:?}");
        assert_eq!(directly.contains("4031"), flavor == Flavor::MySql, "{directly}");
    }
    // What holds for those who log in from now on.
    let globals = ["SET GLOBAL wait_timeout = 2", "SET GLOBAL interactive_timeout = 1"];
    stage.servers.primary().run(&globals).await.unwrap();
    sleep(Duration::from_secs(2)).await;
    let interactive = Login::app().with(MODERN.with(Capabilities::INTERACTIVE));
    for (login, patience) in [(&plain, 1_900), (&interactive, 900)] {
        let patience = Duration::from_millis(patience);
        let ends = at.map(|address| async move { end(address, login, &["DO 0"], patience).await });
        let [directly, through] = ends;
        let (directly, through) = tokio::join!(directly, through);
        assert_eq!(directly, through, "{patience:?}");
    }
}

async fn who_speaks_or_has_time_is_not_ended(flavor: Flavor) {
    let Some(stage) = stage_on(flavor, 0, "").await else { return };
    let login = Login::app().with(MODERN);
    let mut speaks = Raw::login(stage.listen(), &login).await;
    let mut again = Raw::login(stage.listen(), &login).await;
    let mut other = Raw::login(stage.listen(), &login).await;
    speaks.run("SET wait_timeout = 2").await;
    again.run("SET wait_timeout = 1").await;
    again.run("SET wait_timeout = DEFAULT").await;
    other.run("DO 1").await;
    // Longer than its session may be silent, but a statement runs.
    speaks.run("SELECT SLEEP(4)").await;
    for _ in 0..6 {
        sleep(Duration::from_millis(700)).await;
        assert!(speaks.one(&[code::PING]).await.is_ok());
    }
    assert_eq!(again.value("SELECT 1").await, "1");
    assert_eq!(other.value("SELECT 1").await, "1");
    // COM_RESET_CONNECTION gives the time back.
    assert!(speaks.one(&[code::RESET_CONNECTION]).await.is_ok());
    sleep(Duration::from_millis(3_500)).await;
    assert_eq!(speaks.value("SELECT 1").await, "1");
    // A client that is ended leaves nothing behind.
    let mut lock = Raw::login(stage.listen(), &login).await;
    lock.run("SET wait_timeout = 1").await;
    lock.run("DO GET_LOCK('left', 1)").await;
    until("its lock is free", || {
        let address = stage.listen();
        let login = login.clone();
        async move { Raw::login(address, &login).await.value("SELECT IS_FREE_LOCK('left')").await == "1" }
    })
    .await;
    drop(lock);
}
