//! The clients connected now: their ids, what they run where, and how to wake them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::cluster::ServerId;
use crate::net::Peer;

/// Why a client's task is woken while its client is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Poke {
    /// KILL CONNECTION.
    Killed = 1,
    /// The proxy shuts down: leave when nothing is pinned.
    Drain = 2,
    /// `proxy.idle_timeout`.
    Idle = 4,
}

/// One client, as others see it.
#[derive(Debug)]
pub struct ClientHandle {
    /// The connection id that the client knows.
    pub id: u32,
    address: Peer,
    /// Its user, once it has logged in.
    user: Mutex<Arc<str>>,
    /// 1 << 63 | server << 32 | thread id, while a statement runs; 0: none does.
    running: AtomicU64,
    /// Milliseconds since the start of the process at which its last command ended; 0: one runs.
    idle_since: AtomicU64,
    pokes: AtomicU8,
    wake: Notify,
    cut: CancellationToken,
}

const RUNS: u64 = 1 << 63;

impl ClientHandle {
    /// Where it comes from.
    #[must_use]
    pub fn address(&self) -> Peer {
        self.address
    }

    /// Its user.
    #[must_use]
    pub fn user(&self) -> Arc<str> {
        self.user.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// It logged in.
    pub fn set_user(&self, user: Arc<str>) {
        *self.user.lock().unwrap_or_else(PoisonError::into_inner) = user;
    }

    /// A statement of it runs on this connection.
    pub fn begin(&self, server: ServerId, thread_id: u32) {
        self.running.store(RUNS | u64::from(server.0) << 32 | u64::from(thread_id), Relaxed);
    }

    /// It has ended.
    pub fn end(&self) {
        self.running.store(0, Relaxed);
    }

    /// The server and the server's connection id on which a statement of it runs.
    #[must_use]
    pub fn running(&self) -> Option<(ServerId, u32)> {
        let packed = self.running.load(Relaxed);
        let server = u16::try_from((packed & !RUNS) >> 32).ok()?;
        let thread = u32::try_from(packed & u64::from(u32::MAX)).ok()?;
        (packed & RUNS != 0).then_some((ServerId(server), thread))
    }

    /// It is silent since then (milliseconds since the start of the process), or runs a command (0).
    pub fn set_idle_since(&self, millis: u64) {
        self.idle_since.store(millis, Relaxed);
    }

    /// Since when it is silent; 0: it runs a command.
    #[must_use]
    pub fn idle_since(&self) -> u64 {
        self.idle_since.load(Relaxed)
    }

    /// Wakes its task.
    pub fn poke(&self, why: Poke) {
        self.pokes.fetch_or(why as u8, Relaxed);
        self.wake.notify_one();
    }

    /// Whether it was poked for this.
    #[must_use]
    pub fn is_poked(&self, why: Poke) -> bool {
        self.pokes.load(Relaxed) & why as u8 != 0
    }

    /// Takes a poke back: the client has spoken again.
    pub fn unpoke(&self, why: Poke) {
        self.pokes.fetch_and(!(why as u8), Relaxed);
    }

    /// Ends its task wherever it waits, its connections with it.
    pub fn cut(&self) {
        self.cut.cancel();
    }

    /// Waits until it is to end at once. Cancel safe.
    pub async fn is_cut(&self) {
        self.cut.cancelled().await;
    }

    /// Waits for a poke. Cancel safe.
    pub async fn poked(&self) {
        self.wake.notified().await;
    }
}

/// The clients connected now.
#[derive(Debug, Default)]
pub struct Clients {
    by_id: Mutex<HashMap<u32, Arc<ClientHandle>>>,
    last: AtomicU32,
}

impl Clients {
    /// Admits one more; None when there are `limit` already.
    pub fn admit(&self, address: Peer, limit: u32) -> Option<Arc<ClientHandle>> {
        let mut by_id = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        if by_id.len() >= limit as usize {
            return None;
        }
        let id = loop {
            let id = self.last.fetch_add(1, Relaxed).wrapping_add(1);
            if id != 0 && !by_id.contains_key(&id) {
                break id;
            }
        };
        let handle = Arc::new(ClientHandle {
            id,
            address,
            user: Mutex::new("".into()),
            running: AtomicU64::new(0),
            idle_since: AtomicU64::new(0),
            pokes: AtomicU8::new(0),
            wake: Notify::new(),
            cut: CancellationToken::new(),
        });
        by_id.insert(id, handle.clone());
        Some(handle)
    }

    /// It has left.
    pub fn remove(&self, id: u32) {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// The client of this id.
    #[must_use]
    pub fn get(&self, id: u32) -> Option<Arc<ClientHandle>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<ClientHandle>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
