//! What all sessions share. Built once by the composition root and passed by reference; nothing here is a static.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};

use super::clients::Clients;
use super::globals::Globals;
use super::grants::KnownGrants;
use super::memory::Memory;
use super::users::Users;
use crate::backend::{AccountId, BackendError, Pools};
use crate::clock;
use crate::cluster::{Cluster, ServerId};
use crate::config::Config;
use crate::net::tls::{Acceptor, Offer};
use crate::net::{Held, Host};
use crate::routing::Policy;
use crate::session::Base;
use crate::sql::Classifier;
use crate::telemetry::{Metrics, Throttle, Verdict};
use crate::wire::auth::caching_sha2::KeyPair;
use crate::wire::handshake::Greeting;
use crate::wire::{Capabilities, Status};

/// What all sessions share.
pub struct Shared {
    /// The configuration.
    pub config: Config,
    /// Its routing part, compiled.
    pub policy: Policy,
    /// The servers as they are now.
    pub cluster: Arc<ArcSwap<Cluster>>,
    /// Connections to them.
    pub pools: Pools,
    /// Classifies statements.
    pub classifier: Classifier,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Who may log in.
    pub users: Users,
    /// The secret of statement keys; see [`Self::keys`].
    pub secret: [u64; 2],
    /// For the full exchange of caching_sha2_password.
    pub rsa: KeyPair,
    /// TLS towards clients; None: off.
    pub tls: Option<Acceptor>,
    /// Replies that are given again without asking a server.
    pub memory: Memory,
    /// The clients connected now.
    pub clients: Clients,
    /// What their accounts may see and end of others.
    pub grants: KnownGrants,
    /// What servers said when they were connected to.
    pub greetings: Greetings,
    /// Start of the process, the zero of `last_global_write`.
    pub started: Instant,
    /// Nanoseconds from `started` to the newest write of anyone; 0: none yet.
    pub last_global_write: AtomicU64,
    /// When a global variable of the primary was last set.
    pub globals: Globals,
    /// Clients that left without COM_QUIT, or were cut off.
    pub aborted_clients: AtomicU64,
    /// What clients hold of compressed packets that are not complete.
    pub held: Held,
    /// Keeps lines that clients can cause at will from flooding the log.
    pub told: Mutex<Throttle<&'static str>>,
}

impl Shared {
    /// Whether a line of this kind, which clients can cause at will, is to be written; with the number of those like it
    /// that were not written before.
    #[must_use]
    pub fn tells(&self, line: &'static str) -> Option<u64> {
        let verdict = self.told.lock().unwrap_or_else(PoisonError::into_inner).admit(line, clock::now());
        match verdict {
            Verdict::Pass { suppressed } => Some(suppressed),
            Verdict::Suppress => None,
        }
    }

    /// What a client is offered: what pointsman speaks, and all servers that are up can do. A session must not depend on
    /// what its reads cannot have. LONG_PASSWORD is as the primary's greeting has it: MariaDB's sign.
    #[must_use]
    pub fn common_capabilities(&self, primary: &Greeting) -> Capabilities {
        let cluster = self.cluster.load();
        let replicas = cluster.replicas().filter(|replica| replica.state.is_up());
        let known = replicas.filter_map(|replica| self.pools.server(replica.id)?.capabilities());
        let common = Capabilities::common(std::iter::once(primary.capabilities).chain(known));
        Capabilities::OFFERED & common.with(Capabilities::PLUGIN_AUTH_LENENC)
    }

    /// What a client is offered of TLS that sees this greeting of the primary.
    #[must_use]
    pub fn tls_offer(&self, upstream: &Greeting) -> Option<Arc<Offer>> {
        let acceptor = self.tls.as_ref()?;
        let offered = !acceptor.follows_servers() || upstream.capabilities.contains(Capabilities::SSL);
        offered.then(|| acceptor.offer())
    }

    /// A throttle for [`Self::told`]: ten lines of a kind in ten seconds.
    #[must_use]
    pub fn throttle() -> Mutex<Throttle<&'static str>> {
        Mutex::new(Throttle::new(10, Duration::from_secs(10), 100))
    }

    /// The secret of statement keys, another one after each change of tables: a statement that connections hold since
    /// before would say that its columns have changed.
    #[must_use]
    pub fn keys(&self) -> [u64; 2] {
        let [first, second] = self.secret;
        [first ^ self.memory.changes(), second]
    }

    /// Adds to the error of a pool without a free connection who holds those that there are.
    #[must_use]
    pub fn name_holders(&self, error: BackendError, server: ServerId, now: Instant) -> BackendError {
        let BackendError::PoolFull { text } = error else { return error };
        let since = now.saturating_duration_since(self.started).as_millis();
        let holders = self.clients.holders(server, u64::try_from(since).unwrap_or(u64::MAX));
        let held = if holders.is_empty() { String::new() } else { format!("; held by {holders}") };
        BackendError::PoolFull { text: text + &held }
    }

    /// Somebody wrote.
    pub fn wrote(&self, now: Instant) {
        let since = now.saturating_duration_since(self.started).as_nanos();
        self.last_global_write.store(u64::try_from(since).unwrap_or(u64::MAX).max(1), Relaxed);
    }

    /// A global variable of the primary was set: what was learnt of fresh sessions is old.
    pub fn globals_set(&self, now: Instant) {
        self.globals.set(now);
        self.greetings.forget_bases();
        drop(self.memory.change());
    }

    /// When anyone wrote last.
    #[must_use]
    pub fn last_write(&self) -> Option<Instant> {
        match self.last_global_write.load(Relaxed) {
            0 => None,
            nanos => self.started.checked_add(Duration::from_nanos(nanos)),
        }
    }
}

/// An account, where the primary sees its client if it is told, and the schema.
type SchemaUse = (AccountId, Option<Host>, Vec<u8>);

/// What servers said when they were connected to: their greeting, and what fresh sessions of a login's form have.
#[derive(Default)]
pub struct Greetings {
    primary: ArcSwapOption<Greeting>,
    bases: RwLock<HashMap<(u16, Capabilities), Arc<Base>>>,
    /// When an account could last use a schema on the primary, from where the primary saw it; empty: it could log in without
    /// one.
    schemas: Mutex<HashMap<SchemaUse, Instant>>,
}

/// At most so many forms of logins, and of schemas, are remembered.
const MAX_REMEMBERED: usize = 10_000;

/// A login asks the primary whether its account may use its schema, unless it was asked within this time: a dropped
/// schema or a lost right is told at the login, and a storm of logins costs the primary one question.
const SCHEMA_KNOWN: Duration = Duration::from_secs(1);

/// What is known of an account's use of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaKnown {
    /// Nothing.
    Unknown,
    /// It could use it a while ago.
    Old,
    /// It could use it just now.
    Known,
}

impl Greetings {
    /// The primary's greeting, or one to stand in for it until it was seen.
    #[must_use]
    pub fn primary(&self) -> Arc<Greeting> {
        self.primary.load_full().unwrap_or_else(|| {
            Arc::new(Greeting {
                version: "8.0.0-pointsman".into(),
                thread_id: 0,
                nonce: [0; 20],
                capabilities: Capabilities::UNSEEN,
                collation: 45,
                status: Status::AUTOCOMMIT,
                plugin: String::new(),
            })
        })
    }

    /// Whether the primary's greeting was seen.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.primary.load().is_some()
    }

    /// Keeps the primary's greeting.
    pub fn keep(&self, greeting: Greeting) {
        self.primary.store(Some(Arc::new(greeting)));
    }

    /// What a fresh session has that logged in in this form.
    #[must_use]
    pub fn base(&self, collation: u16, capabilities: Capabilities) -> Option<Arc<Base>> {
        let key = (collation, capabilities & Capabilities::SHAPING);
        self.bases.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }

    /// Keeps what a fresh session has.
    pub fn keep_base(&self, collation: u16, capabilities: Capabilities, base: &Arc<Base>) {
        let key = (collation, capabilities & Capabilities::SHAPING);
        let mut bases = self.bases.write().unwrap_or_else(PoisonError::into_inner);
        if bases.len() < MAX_REMEMBERED {
            bases.entry(key).or_insert_with(|| base.clone());
        }
    }

    /// Fresh sessions have something else from now on.
    pub fn forget_bases(&self) {
        self.bases.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What is known of this account's use of this schema. Of those who come when that is old, one is told so, and is to
    /// ask again.
    #[must_use]
    pub fn schema(&self, account: AccountId, client: Option<Host>, schema: &[u8]) -> SchemaKnown {
        let mut schemas = self.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(seen) = schemas.get_mut(&(account, client, schema.to_vec())) else { return SchemaKnown::Unknown };
        let now = clock::now();
        if now.saturating_duration_since(*seen) < SCHEMA_KNOWN {
            return SchemaKnown::Known;
        }
        *seen = now;
        SchemaKnown::Old
    }

    /// This account cannot use this schema any more.
    pub fn forget_schema(&self, account: AccountId, client: Option<Host>, schema: &[u8]) {
        let mut schemas = self.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        schemas.remove(&(account, client, schema.to_vec()));
    }

    /// This account could use this schema.
    pub fn keep_schema(&self, account: AccountId, client: Option<Host>, schema: &[u8]) {
        let mut schemas = self.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        if schemas.len() >= MAX_REMEMBERED {
            schemas.clear();
        }
        schemas.insert((account, client, schema.to_vec()), clock::now());
    }
}
