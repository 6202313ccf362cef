//! The clients connected now: their ids, what they run where, and how to wake them. Knows nothing of what they are shown.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::backend::Account;
use crate::cluster::ServerId;
use crate::net::Peer;
use crate::session::PinCause;

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
    /// Its session's own `wait_timeout`.
    Waited = 8,
    /// It is silent for so long that its memory is of more use to others. Holds until it speaks again.
    Rest = 16,
}

/// What a client does, for SHOW PROCESSLIST.
#[derive(Debug, Clone, Default)]
pub struct Activity {
    /// The first byte of the command that runs; None: it is silent.
    pub command: Option<u8>,
    /// The text of the statement that runs; empty: none does.
    pub statement: Bytes,
    /// Milliseconds since the start of the process at which the command began, or at which the last one ended.
    pub since: u64,
    /// Its schema.
    pub schema: Option<Box<[u8]>>,
}

/// One client, as others see it.
#[derive(Debug)]
pub struct ClientHandle {
    /// The connection id that the client knows.
    pub id: u32,
    address: Peer,
    /// The address that a load balancer named for it.
    announced: OnceLock<Peer>,
    /// Its user, once it has logged in.
    user: Mutex<Arc<str>>,
    /// The account that it uses towards the servers.
    account: Mutex<Option<Account>>,
    /// Taken twice a command by its own task, and by whoever lists the clients.
    activity: Mutex<Activity>,
    /// 1 << 63 | server << 32 | thread id, while a statement runs; 0: none does.
    running: AtomicU64,
    /// `1 + server` while it waits for a connection to that server; 0: it does not.
    waiting: AtomicU32,
    /// `1 + server` to which its session is bound while it is silent; 0: to none.
    bound: AtomicU32,
    /// The server's id of the connection that it is bound to.
    bound_thread: AtomicU32,
    /// Why, as a position among all causes.
    pin: AtomicU8,
    /// KILLs of what it runs that are under way.
    kills: AtomicU32,
    /// None is under way any more.
    kills_over: Notify,
    /// KILL QUERY while it waits for a connection.
    interrupted: AtomicBool,
    /// Milliseconds since the start of the process at which its last command ended; 0: one runs.
    idle_since: AtomicU64,
    /// Milliseconds for which its session may be silent, as a server would have it; 0: not known.
    patience: AtomicU64,
    pokes: AtomicU8,
    wake: Notify,
    cut: CancellationToken,
}

const RUNS: u64 = 1 << 63;

/// After so many milliseconds of silence a client's memory is of more use to others.
const AT_REST: u64 = 1000;

/// A KILL under way: while it lives, the connection that its victim ran on stays the victim's.
#[derive(Debug)]
pub struct Kill(Arc<ClientHandle>);

impl Drop for Kill {
    fn drop(&mut self) {
        if self.0.kills.fetch_sub(1, SeqCst) == 1 {
            self.0.kills_over.notify_one();
        }
    }
}

impl ClientHandle {
    /// Where it comes from: by its load balancer if that is believed, else by its connection.
    #[must_use]
    pub fn address(&self) -> Peer {
        self.announced.get().copied().unwrap_or(self.address)
    }

    /// A load balancer that is believed named its address. Counts once.
    pub fn announce(&self, address: Peer) {
        let _ = self.announced.set(address);
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

    /// The account that it uses towards the servers; None before its login.
    #[must_use]
    pub fn account(&self) -> Option<Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// It uses this account now.
    pub fn set_account(&self, account: Account) {
        *self.account.lock().unwrap_or_else(PoisonError::into_inner) = Some(account);
    }

    /// What it does.
    #[must_use]
    pub fn activity(&self) -> Activity {
        self.activity.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A command begins, `now` milliseconds after the start of the process.
    pub fn begin_command(&self, command: u8, statement: Bytes, now: u64) {
        self.idle_since.store(0, Relaxed);
        let mut activity = self.activity.lock().unwrap_or_else(PoisonError::into_inner);
        activity.command = Some(command);
        activity.statement = statement;
        activity.since = now;
    }

    /// It is silent since then. `bound`: the server to which its session is bound, by which connection, and why.
    pub fn rest(&self, since: u64, bound: Option<(ServerId, u32, PinCause)>) {
        self.idle_since.store(since.max(1), Relaxed);
        if let Some((_, thread, cause)) = bound {
            self.pin.store(cause as u8, Relaxed);
            self.bound_thread.store(thread, Relaxed);
        }
        self.bound.store(bound.map_or(0, |(server, ..)| u32::from(server.0).saturating_add(1)), Relaxed);
        let mut activity = self.activity.lock().unwrap_or_else(PoisonError::into_inner);
        activity.command = None;
        activity.statement = Bytes::new();
        activity.since = since;
    }

    /// Its schema is another one now.
    pub fn set_schema(&self, schema: Option<Box<[u8]>>) {
        self.activity.lock().unwrap_or_else(PoisonError::into_inner).schema = schema;
    }

    /// The server to which its session is bound while it is silent, and why.
    #[must_use]
    pub fn bound(&self) -> Option<(ServerId, PinCause)> {
        let server = server(self.bound.load(Relaxed))?;
        let cause = PinCause::ALL.get(usize::from(self.pin.load(Relaxed)))?;
        Some((server, *cause))
    }

    /// The server's id of the connection to this server that it is bound to, or runs a statement on.
    #[must_use]
    pub fn thread(&self, on: ServerId) -> Option<u32> {
        let runs = self.running().filter(|(server, _)| *server == on).map(|(_, thread)| thread);
        let bound = || self.bound().filter(|(server, _)| *server == on).map(|_| self.bound_thread.load(Relaxed));
        runs.or_else(bound)
    }

    /// What it holds a connection to this server for, and since when, in milliseconds after the start of the process.
    fn holds(&self, server: ServerId) -> Option<(u64, &'static str)> {
        let why = match (self.running(), self.bound()) {
            (Some((on, _)), _) if on == server => "runs a statement",
            (None, Some((on, cause))) if on == server => cause.as_str(),
            _ => return None,
        };
        Some((self.activity.lock().unwrap_or_else(PoisonError::into_inner).since, why))
    }

    /// It waits for a connection to this server, or does not any more.
    pub fn set_waiting(&self, waiting: Option<ServerId>) {
        self.waiting.store(waiting.map_or(0, |server| u32::from(server.0).saturating_add(1)), SeqCst);
    }

    /// The server to which it waits for a connection.
    #[must_use]
    pub fn waiting(&self) -> Option<ServerId> {
        server(self.waiting.load(SeqCst))
    }

    /// A statement of it runs on this connection.
    pub fn begin(&self, server: ServerId, thread_id: u32) {
        self.running.store(RUNS | u64::from(server.0) << 32 | u64::from(thread_id), SeqCst);
    }

    /// It has ended. True: a KILL of it is under way, and may hit whatever runs on its connection next. Either the killer
    /// sees that nothing runs, or this sees the killer.
    #[must_use]
    pub fn end(&self) -> bool {
        self.running.store(0, SeqCst);
        self.kills.load(SeqCst) > 0
    }

    /// The server and the server's connection id on which a statement of it runs.
    #[must_use]
    pub fn running(&self) -> Option<(ServerId, u32)> {
        let packed = self.running.load(SeqCst);
        let server = u16::try_from((packed & !RUNS) >> 32).ok()?;
        let thread = u32::try_from(packed & u64::from(u32::MAX)).ok()?;
        (packed & RUNS != 0).then_some((ServerId(server), thread))
    }

    /// Begins to kill what it runs: look at [`Self::running`] only then.
    #[must_use]
    pub fn begin_kill(self: &Arc<Self>) -> Kill {
        self.kills.fetch_add(1, SeqCst);
        Kill(self.clone())
    }

    /// Waits until no KILL of what it ran is under way. For its own task only. Cancel safe.
    pub async fn kills_over(&self) {
        while self.kills.load(SeqCst) > 0 {
            self.kills_over.notified().await;
        }
    }

    /// Interrupts its statement while that waits for a connection.
    pub fn interrupt(&self) {
        self.interrupted.store(true, SeqCst);
        self.wake.notify_one();
    }

    /// Whether its statement was interrupted. Tells it once.
    pub fn take_interrupt(&self) -> bool {
        self.interrupted.swap(false, SeqCst)
    }

    /// For so long its session may be silent: its `wait_timeout`. None: not known.
    pub fn set_patience(&self, patience: Option<Duration>) {
        let millis = patience.map_or(0, |patience| u64::try_from(patience.as_millis()).unwrap_or(u64::MAX));
        self.patience.store(millis, Relaxed);
    }

    /// Why it is to be woken at `now`, milliseconds after the start of the process: it is silent for longer than `limit`
    /// (0: there is none), or than its session may be; or so long that it is to give memory back, for which it is woken once.
    #[must_use]
    pub fn overslept(&self, now: u64, limit: u64) -> Option<Poke> {
        let since = self.idle_since.load(Relaxed);
        if since == 0 {
            return None;
        }
        let silent = now.saturating_sub(since);
        let patience = self.patience.load(Relaxed);
        match () {
            () if patience != 0 && silent >= patience => Some(Poke::Waited),
            () if limit != 0 && silent > limit => Some(Poke::Idle),
            () if silent > AT_REST && !self.is_poked(Poke::Rest) => Some(Poke::Rest),
            () => None,
        }
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

    /// Takes a poke back.
    pub fn unpoke(&self, why: Poke) {
        self.pokes.fetch_and(!(why as u8), Relaxed);
    }

    /// It has spoken again: it was not silent for so long after all.
    pub fn spoke(&self) {
        const SILENT: u8 = Poke::Idle as u8 | Poke::Waited as u8 | Poke::Rest as u8;
        if self.pokes.load(Relaxed) & SILENT != 0 {
            self.pokes.fetch_and(!SILENT, Relaxed);
        }
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

/// What `1 + server` stands for.
fn server(packed: u32) -> Option<ServerId> {
    u16::try_from(packed.checked_sub(1)?).ok().map(ServerId)
}

/// So many clients beyond `proxy.max_connections` are waited for, to be told so; more are closed at once.
const TURNED_AWAY: usize = 100;

/// The clients connected now.
#[derive(Debug)]
pub struct Clients {
    by_id: Mutex<HashMap<u32, Arc<ClientHandle>>>,
    last: AtomicU32,
    /// Places for those who are one too many, until they have said for whom they come.
    pub(super) turned_away: Semaphore,
}

impl Default for Clients {
    fn default() -> Self {
        Self { by_id: Mutex::default(), last: AtomicU32::default(), turned_away: Semaphore::new(TURNED_AWAY) }
    }
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
            announced: OnceLock::new(),
            user: Mutex::new("".into()),
            account: Mutex::new(None),
            activity: Mutex::default(),
            running: AtomicU64::new(0),
            waiting: AtomicU32::new(0),
            bound: AtomicU32::new(0),
            bound_thread: AtomicU32::new(0),
            pin: AtomicU8::new(0),
            kills: AtomicU32::new(0),
            kills_over: Notify::new(),
            interrupted: AtomicBool::new(false),
            idle_since: AtomicU64::new(0),
            patience: AtomicU64::new(0),
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

    /// Who has had a connection to this server for longest, in words: at most three clients. `now`: milliseconds after the start
    /// of the process.
    #[must_use]
    pub fn holders(&self, server: ServerId, now: u64) -> String {
        let all = self.all();
        let mut holders: Vec<_> = all.iter().filter_map(|client| Some((client, client.holds(server)?))).collect();
        holders.sort_unstable_by_key(|(_, (since, _))| *since);
        let tell = |(client, (since, why)): &(&Arc<ClientHandle>, (u64, &str))| {
            format!("client {} of `{}` for {} ms ({why})", client.id, client.user(), now.saturating_sub(*since))
        };
        holders.iter().take(3).map(tell).collect::<Vec<_>>().join(", ")
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
