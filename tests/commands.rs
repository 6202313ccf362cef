//! Every command byte there is, with payloads of no use to it: what a client gets through the proxy is what the server
//! answers, byte for byte, or how it ends the connection.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by it")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use pointsman::cluster::Flavor;
use pointsman::sandbox::SandboxOptions;
use pointsman::wire::Capabilities;
use pointsman::wire::auth::CACHING_SHA2;
use pointsman::wire::command::query_head;
use pointsman::wire::writer::put_packet;
use support::Stage;
use support::raw::{CLASSIC, Login, MODERN, Raw};

on_both!(every_command_byte_is_answered_as_by_the_server);

/// What is asked behind a command, to see where its answer ends, if it has one.
const MARK: &[u8] = b"the end of it";

/// How a peer took a command: all that it said, and how that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    said: Vec<u8>,
    end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// What was asked behind the command was answered.
    GoesOn,
    Closed,
    Silent,
}

fn packet(payload: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    put_packet(&mut out, 0, payload);
    out
}

/// Sends `payload`, and behind it a query that marks the end of the answer.
async fn answer(client: &mut Raw, payload: &[u8]) -> Answer {
    let mut said = Vec::new();
    let login = payload[0] == 0x11;
    let marked = packet(&[query_head(client.capabilities), b"SELECT '", MARK, b"'"].concat());
    client.write(&packet(payload)).await;
    // The peer may be gone by now; what it said first is here then. What follows COM_CHANGE_USER is a part of it.
    if !login {
        let _ = client.stream.write_all(&marked).await;
    }
    let end = loop {
        let mut piece = [0; 4096];
        match tokio::time::timeout(Duration::from_secs(5), client.stream.read(&mut piece)).await {
            Ok(Ok(0) | Err(_)) => break End::Closed,
            Ok(Ok(len)) => said.extend_from_slice(&piece[..len]),
            Err(_) => break End::Silent,
        }
        if login && said.len() > 4 && said.len() >= 4 + usize::from(said[0]) {
            break End::GoesOn;
        }
        // Twice: the column's name and its value. Behind the latter, an end of nine bytes or eleven.
        let ends = said.windows(MARK.len()).enumerate().filter(|(_, window)| *window == MARK);
        let end = if client.capabilities.contains(Capabilities::DEPRECATE_EOF) { 11 } else { 9 };
        if ends.map(|(at, _)| at + MARK.len() + end).nth(1).is_some_and(|end| said.len() >= end) {
            break End::GoesOn;
        }
    };
    Answer { said, end }
}

/// The answer without what is no two servers' or no two moments' own.
fn comparable(flavor: Flavor, payload: &[u8], id: u32, mut answer: Answer) -> Answer {
    let mariadb = flavor == Flavor::MariaDb;
    let said = &mut answer.said;
    match payload[0] {
        // COM_STATISTICS: numbers, and with them the packet's length.
        0x09 => {
            said.retain(|byte| !byte.is_ascii_digit());
            said.drain(..1);
        }
        // COM_PROCESS_INFO: the columns. The rows are the proxy's clients, see tests/identity.rs.
        0x0A if mariadb => {
            let end = said.windows(8).position(|window| window == b"Progress").unwrap();
            said.truncate(end);
        }
        // COM_CHANGE_USER: a nonce, and a method for a user that there is not.
        0x11 => {
            said.drain(..4);
            said.truncate(if said[0] == 0xFE { 1 } else { said.len() });
        }
        // MariaDB takes what stands behind the end for a part of the command: it was never sent.
        0x0C | 0x1A | 0x1C if mariadb && payload.len() < 5 => {
            said.retain(|byte| !byte.is_ascii_digit());
            said.drain(..1);
        }
        _ => {}
    }
    // The statement's id is each connection's own.
    let (own, any) = (format!("({id})"), b"(ID)");
    if let Some(at) = said.windows(own.len()).position(|window| window == own.as_bytes()) {
        said.splice(at..at + own.len(), *any);
        said.drain(..1);
    }
    answer
}

/// What follows a command's byte. 1 in four bytes stands for the id of a prepared statement, for the commands that have one.
const BODIES: &[&[u8]] = &[
    &[],
    &[0],
    &[0; 4],
    &[0; 9],
    &[1],
    &[1, 0, 0, 0],
    &[1, 0, 0, 0, 0, 0],
    &[1, 0, 0, 0, 0, 1, 0, 0, 0],
    b"abcd",
    b"abcdefghi",
];

async fn every_command_byte_is_answered_as_by_the_server(flavor: Flavor) {
    let options = SandboxOptions { replicas: 0, ..SandboxOptions::default() };
    let Some(servers) = support::start(flavor, options).await else { return };
    let stage = Stage { proxy: support::proxy(&servers, "").await, servers };
    support::until("the primary was seen", || async { stage.proxy.shared().greetings.is_known() }).await;
    let addresses: [SocketAddr; 2] = [stage.servers.primary().address(), stage.listen()];
    let mut differ = Vec::new();
    // What else a family knows: query attributes, bulk operations.
    let all = MODERN.with(Capabilities::QUERY_ATTRIBUTES).with(Capabilities::STMT_BULK_OPERATIONS);
    for (name, form) in [("modern", MODERN), ("classic", CLASSIC), ("all", all)] {
        let login = Login::app().with(form);
        let login = if flavor == Flavor::MySql { login.plugin(CACHING_SHA2) } else { login };
        for code in 0..=u8::MAX {
            let mut seen = Vec::new();
            for address in addresses {
                let mut client = Raw::login(address, &login).await;
                let mut id = client.prepare("SELECT 1").await.1;
                let mut answers = Vec::new();
                for body in BODIES {
                    // MariaDB reads what was never sent, and may answer with a greeting.
                    if flavor == Flavor::MariaDb && code == 0x11 && body.is_empty() {
                        continue;
                    }
                    let mut payload = [&[code], *body].concat();
                    if matches!(code, 0x17..=0x1A | 0x1C | 0xFA) && body.len() >= 4 && body[0] == 1 {
                        payload[1..5].copy_from_slice(&id.to_le_bytes());
                    }
                    let got = answer(&mut client, &payload).await;
                    if got.end != End::GoesOn || code == 0x11 {
                        client = Raw::login(address, &login).await;
                        id = client.prepare("SELECT 1").await.1;
                    }
                    answers.push((*body, comparable(flavor, &payload, id, got)));
                }
                seen.push(answers);
            }
            for ((body, direct), (_, here)) in seen[0].iter().zip(&seen[1]) {
                if direct != here {
                    differ.push(format!(
                        "{name}: {code:02x} {body:02x?}\n  directly {:?} {}\n  here     {:?} {}",
                        direct.end,
                        direct.said.escape_ascii(),
                        here.end,
                        here.said.escape_ascii()
                    ));
                }
            }
        }
    }
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
    stage.end().await;
}
