//! `pointsman`: a transparent read/write-splitting proxy for the MySQL wire protocol.
//!
//! Each layer may use those above it in this list, never those below; `tests/layers.rs` enforces it.
//!
//! | layer | what it knows | I/O |
//! | --- | --- | --- |
//! | [`wire`] | MySQL packets: framing, handshake, scrambles, commands, walking a reply to its end | none |
//! | [`sql`] | statement text: tokens, fingerprint, classification, a bounded cache of shapes | none |
//! | [`config`] | TOML and environment into typed values, every problem with line and column | none |
//! | [`accounts`] | who may log in from where: accounts as the servers' tables have them | none |
//! | [`cluster`] | servers, roles, health, lag: an immutable snapshot and how an observation changes it | none |
//! | [`routing`] | `decide(..) -> Route { target, reason }` | none |
//! | [`session`] | one client's state: `plan` before a command, `absorb` after its reply | none |
//! | [`telemetry`] | metrics and logs; takes a registry | little |
//! | [`net`] | streams of bytes: TCP, Unix sockets, TLS over them | yes |
//! | [`backend`] | connections to servers and their pools | yes |
//! | [`monitor`] | watches the servers, publishes the cluster snapshot | yes |
//! | [`proxy`] | listener, login, session loop, relay of replies | yes |
//! | [`admin`] | HTTP: metrics and health | yes |
//! | [`app`] | the composition root | yes |
//! | [`sandbox`] | private MariaDB or MySQL servers with replication, for the demo and the tests | yes |
//! | [`cli`] | `run`, `check`, `explain`, `demo` | yes |
//!
//! Where to start reading: `docs/architecture.md`, then [`proxy`]'s session loop.

pub mod accounts;
pub mod admin;
pub mod app;
pub mod backend;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod monitor;
pub mod net;
pub mod proxy;
pub mod routing;
pub mod sandbox;
pub mod session;
pub mod sql;
pub mod telemetry;
pub mod wire;
