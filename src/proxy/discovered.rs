//! Accounts that the servers have and no configuration names: what is known of them, and how more is found out.
//!
//! An account with a `mysql_native_password` hash is proven here: who knows the hash and sees a proof has what a login
//! needs. Of any other account the client's password must be had once, in full; the primary judges it by a real login, and
//! it is kept, in memory only, until the account changes. Somebody who is not there is judged the same way.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use aws_lc_rs::hmac;
use tokio::sync::{Notify, Semaphore, watch};

use super::users::User;
use crate::accounts::{Directory, Entry, Method, TlsRule};
use crate::backend::{Account, AccountId, Credential, Password, Pools, Rotation};
use crate::clock;
use crate::wire::auth::native::{NativeHash, NativeKey};
use crate::wire::auth::{caching_sha2, native, same};

/// At most so many accounts are followed, and so many names that are none.
const MAX_STATES: usize = 10_000;
/// A server may take two passwords for one account (RETAIN CURRENT PASSWORD).
const KEPT_PASSWORDS: usize = 2;
/// So many passwords that the server refused are remembered for each account, for a while.
const REFUSED_PASSWORDS: usize = 16;
/// For so long: a password that is set just after it was refused works then, at the latest.
const REFUSED_FOR: Duration = Duration::from_secs(5);
/// The server is asked about so many wrong passwords at once of one client's host, and then about one in each time: it may
/// lock an account after too many of them, or shut the proxy out.
const HOST_BURST: u32 = 3;
const HOST_EVERY: Duration = Duration::from_secs(5);
/// The same over all hosts.
const ACCOUNT_BURST: u32 = 10;
const ACCOUNT_EVERY: Duration = Duration::from_secs(1);
/// So many hosts are counted apart for each account.
const MAX_HOSTS: usize = 64;
/// Passwords that the server judges at the same time.
const CHECKS: usize = 16;
/// A login that fails waits for a newer list of accounts for so long at most.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is known of the servers' accounts.
pub struct Discovered {
    directory: ArcSwap<Directory>,
    states: Mutex<HashMap<Key, Arc<State>>>,
    ids: AtomicU64,
    /// For hashes of refused passwords, and for what an account that is not there looks like.
    secret: hmac::Key,
    pub(super) checks: Semaphore,
    wanted: Notify,
    /// When a statement last ran here that may have changed accounts.
    outdated: Mutex<Option<Instant>>,
    /// When the newest list of accounts was asked for.
    read: watch::Sender<Option<Instant>>,
}

impl std::fmt::Debug for Discovered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Discovered").field("accounts", &self.directory.load().len()).finish_non_exhaustive()
    }
}

/// The name that the client gave, and the account that it is. They differ for anonymous accounts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    name: Arc<str>,
    /// User and host; None: there is none.
    account: Option<(Arc<str>, Arc<str>)>,
}

/// What is remembered of an account.
#[derive(Debug, Default)]
pub struct State {
    kept: Mutex<Kept>,
    refused: Mutex<Refused>,
    /// One password at a time is judged by the server: what one client found out, the next need not ask.
    pub(super) turn: tokio::sync::Mutex<()>,
    rotation: Rotation,
}

#[derive(Debug, Default)]
struct Kept {
    print: [u8; 32],
    login_print: [u8; 32],
    passwords: Vec<Password>,
    /// As it logs in to servers now.
    user: Option<Arc<User>>,
}

#[derive(Debug, Default)]
struct Refused {
    passwords: Vec<([u8; 32], Instant)>,
    hosts: HashMap<Option<IpAddr>, Bucket>,
    account: Bucket,
}

/// So many at once, and one more in each time.
#[derive(Debug, Default)]
struct Bucket {
    used: u32,
    since: Option<Instant>,
}

impl Bucket {
    fn take(&mut self, burst: u32, every: Duration, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        let passed = now.saturating_duration_since(since).as_millis().checked_div(every.as_millis()).unwrap_or(0);
        let back = u32::try_from(passed).unwrap_or(u32::MAX);
        if back > 0 {
            self.used = self.used.saturating_sub(back);
            self.since = Some(now);
        }
        let free = self.used < burst;
        if free {
            self.used = self.used.saturating_add(1);
        }
        free
    }
}

/// A client that claims to be an account of the servers, or one that is not there.
#[derive(Debug, Clone)]
pub struct Candidate {
    name: Arc<str>,
    /// None: it is not there.
    entry: Option<Arc<Entry>>,
    method: Method,
    pub(super) state: Arc<State>,
    found: Arc<Discovered>,
}

/// What a password is worth.
#[derive(Debug)]
pub enum Judged {
    /// It is this one's.
    Proven(Arc<User>),
    /// It is wrong.
    Wrong,
    /// Only the server can tell.
    AskServer,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Discovered {
    /// Knows nobody yet. `first`: the first identity that is free.
    #[must_use]
    pub fn new(secret: &[u8], first: u64) -> Self {
        Self {
            directory: ArcSwap::default(),
            states: Mutex::default(),
            ids: AtomicU64::new(first),
            secret: hmac::Key::new(hmac::HMAC_SHA256, secret),
            checks: Semaphore::new(CHECKS),
            wanted: Notify::new(),
            outdated: Mutex::default(),
            read: watch::Sender::new(None),
        }
    }

    /// Whether a list of accounts was read.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.read.borrow().is_some()
    }

    /// Waits until somebody wants a newer list than there is.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// A statement that may have changed accounts ended `now`: logins wait for a list that knows of it.
    pub(super) fn outdate(&self, now: Instant) {
        *lock(&self.outdated) = Some(now);
        self.wanted.notify_one();
    }

    /// Waits, in bounds, for a list that knows of what was changed through the proxy.
    pub(super) async fn refreshed(&self) {
        let outdated = *lock(&self.outdated);
        if let Some(since) = outdated.filter(|since| self.read.borrow().is_none_or(|read| read <= *since)) {
            self.newer(since).await;
        }
    }

    /// Waits for a list that was asked for after `since`. False: there is none in time.
    pub(super) async fn newer(&self, since: Instant) -> bool {
        let mut read = self.read.subscribe();
        let newer = read.wait_for(|read| read.is_some_and(|read| read > since));
        self.wanted.notify_one();
        tokio::time::timeout(PATIENCE, newer).await.is_ok_and(|newer| newer.is_ok())
    }

    /// Takes over a list that was asked for at `asked`: what it says of accounts that clients have used counts from now
    /// on. Connections of accounts that are no longer as they were serve no new client.
    pub fn adopt(&self, directory: Directory, asked: Instant, pools: &Pools) {
        let old = self.directory.load_full();
        let mut retired = Vec::new();
        {
            let mut states = lock(&self.states);
            states.retain(|key, state| {
                let Some((user, host)) = &key.account else { return Arc::strong_count(state) > 1 };
                let of = |directory: &Directory| directory.by_account(user, host).cloned();
                let (was, is) = (of(&old), of(&directory));
                let stays = match (&was, &is) {
                    (Some(was), Some(is)) if was.print == is.print => return true,
                    (Some(was), Some(is)) => was.login_print == is.login_print,
                    _ => false,
                };
                let mut kept = lock(&state.kept);
                retired.extend(kept.user.take().map(|user| user.account.id));
                if stays {
                    // The same password, other rights.
                    kept.print = is.as_ref().map_or(kept.print, |is| is.print);
                } else {
                    kept.passwords.clear();
                    state.rotation.store(None);
                    *lock(&state.refused) = Refused::default();
                }
                is.is_some()
            });
        }
        self.directory.store(Arc::new(directory));
        for id in retired {
            pools.retire(id);
        }
        self.read.send_replace(Some(asked));
    }

    /// What a client of this name and address claims to be.
    #[must_use]
    pub fn claim(self: &Arc<Self>, name: &[u8], address: Option<IpAddr>) -> Candidate {
        let directory = self.directory.load();
        let entry = directory.find(name, &directory.origin(address)).cloned();
        let name: Arc<str> = String::from_utf8_lossy(name).into();
        let account = entry.as_ref().map(|entry| (entry.user.clone(), entry.host.text().clone()));
        let method = match &entry {
            Some(entry) => entry.method.clone(),
            None => self.decoy(&directory, &name),
        };
        let key = Key { name: name.clone(), account };
        let state = {
            let mut states = lock(&self.states);
            if states.len() >= MAX_STATES && !states.contains_key(&key) {
                // Whoever is worth remembering has somebody connected, or proves it again.
                states.retain(|_, state| Arc::strong_count(state) > 1 || lock(&state.kept).user.is_some());
                if states.len() >= MAX_STATES {
                    states.clear();
                }
            }
            states.entry(key).or_default().clone()
        };
        Candidate { name, entry, method, state, found: self.clone() }
    }

    /// How somebody who is not there would prove it: as some account does, and always the same way.
    fn decoy(&self, directory: &Directory, name: &str) -> Method {
        let print = hmac::sign(&self.secret, name.as_bytes());
        let coin = print.as_ref().first().is_some_and(|byte| byte & 1 == 0);
        match directory.methods() {
            (true, others) if coin || !others => {
                let mut hash = [0; 20];
                hash.iter_mut().zip(print.as_ref()).for_each(|(place, byte)| *place = *byte);
                Method::Native(NativeHash::decoy(hash))
            }
            _ => Method::Server,
        }
    }

    fn print(&self, password: &Password) -> [u8; 32] {
        let mut out = [0; 32];
        let print = hmac::sign(&self.secret, password.expose());
        out.iter_mut().zip(print.as_ref()).for_each(|(place, byte)| *place = *byte);
        out
    }
}

impl Candidate {
    /// Whether there is such an account.
    #[must_use]
    pub const fn entry(&self) -> Option<&Arc<Entry>> {
        self.entry.as_ref()
    }

    /// What the account asks of the connection.
    #[must_use]
    pub fn tls(&self) -> &TlsRule {
        self.entry.as_ref().map_or(&TlsRule::None, |entry| &entry.tls)
    }

    /// The name that the client gave.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        self.name.as_bytes()
    }

    /// Whether some password of it is known.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !lock(&self.state.kept).passwords.is_empty()
    }

    /// Whether a proof of `mysql_native_password` can show anything.
    #[must_use]
    pub const fn knows_native(&self) -> bool {
        matches!(self.method, Method::Native(_) | Method::Empty)
    }

    /// Who it is, if this proof of `mysql_native_password` shows it.
    #[must_use]
    pub fn by_native(&self, nonce: &[u8], proof: &[u8]) -> Option<Arc<User>> {
        if let Method::Native(hash) = &self.method {
            let key = hash.recover(nonce, proof)?;
            return self.keep(Credential::Native(key));
        }
        self.by_kept(|password| native::verify(password, nonce, proof))
    }

    /// Who it is, if this proof of `caching_sha2_password` shows it.
    #[must_use]
    pub fn by_fast(&self, nonce: &[u8], proof: &[u8]) -> Option<Arc<User>> {
        self.by_kept(|password| caching_sha2::verify(password, nonce, proof))
    }

    fn by_kept(&self, proves: impl Fn(&[u8]) -> bool) -> Option<Arc<User>> {
        let mut passwords = lock(&self.state.kept).passwords.clone();
        // As many are always tried, so that the time tells nothing. Nobody can prove the empty one here.
        passwords.resize(KEPT_PASSWORDS, Password::default());
        let proven = passwords.iter().fold(None, |found, password| {
            if proves(password.expose()) && !password.expose().is_empty() { Some(password) } else { found }
        });
        self.keep(Credential::Password(proven?.clone()))
    }

    /// What this password is worth, without asking anybody.
    #[must_use]
    pub fn judge(&self, sent: &Password) -> Judged {
        let proven = || self.keep(Credential::Password(sent.clone())).map_or(Judged::Wrong, Judged::Proven);
        match &self.method {
            Method::Native(hash) if hash.is_of(&NativeKey::of(sent.expose())) => proven(),
            Method::Native(_) => Judged::Wrong,
            Method::Empty if sent.expose().is_empty() => proven(),
            Method::Empty => Judged::Wrong,
            // No password at all is none of an account that has one; and most servers do not even look.
            Method::Server if sent.expose().is_empty() => Judged::Wrong,
            Method::Server => match self.by_kept(|password| same(password, sent.expose())) {
                Some(user) => Judged::Proven(user),
                None => Judged::AskServer,
            },
        }
    }

    /// Whether the server may be asked about this password: not if it has just refused it, nor beyond the limits.
    #[must_use]
    pub(super) fn may_ask(&self, sent: &Password, host: Option<IpAddr>) -> bool {
        let (now, print) = (clock::now(), self.found.print(sent));
        let mut refused = lock(&self.state.refused);
        refused.passwords.retain(|(_, at)| now.saturating_duration_since(*at) < REFUSED_FOR);
        if refused.passwords.iter().fold(false, |found, (other, _)| found | same(other, &print)) {
            return false;
        }
        // Beyond the limit all others share a place.
        let host = if refused.hosts.len() < MAX_HOSTS { host } else { None };
        refused.hosts.entry(host).or_default().take(HOST_BURST, HOST_EVERY, now)
            && refused.account.take(ACCOUNT_BURST, ACCOUNT_EVERY, now)
    }

    /// The server refused it.
    pub(super) fn refused(&self, sent: &Password) {
        let print = self.found.print(sent);
        let mut refused = lock(&self.state.refused);
        if refused.passwords.len() >= REFUSED_PASSWORDS {
            refused.passwords.remove(0);
        }
        refused.passwords.push((print, clock::now()));
    }

    /// The server took it: it counts from now on. Right passwords do not use up what wrong ones may.
    pub(super) fn accepted(&self, sent: &Password) -> Option<Arc<User>> {
        *lock(&self.state.refused) = Refused::default();
        let credential = Credential::Password(sent.clone());
        // Where another one was known, it may be the old one.
        self.state.rotation.store(Some(Arc::new(credential.clone())));
        self.keep(credential)
    }

    /// The server refuses what it took before.
    pub(super) fn forget(&self) {
        let mut kept = lock(&self.state.kept);
        kept.passwords.clear();
        kept.user = None;
    }

    /// The account, to log in with what was just proven.
    #[must_use]
    pub(super) fn account(&self, credential: Credential) -> Account {
        let expected = self.entry.as_ref().filter(|entry| entry.keeps_name);
        Account {
            id: AccountId(self.found.ids.fetch_add(1, Relaxed)),
            user: self.name.clone(),
            credential,
            expected: expected.map(|entry| format!("{}@{}", entry.user, entry.host.text()).into()),
            rotation: self.state.rotation.clone(),
        }
    }

    /// Remembers what proves the account. None: it is not there.
    fn keep(&self, credential: Credential) -> Option<Arc<User>> {
        let entry = self.entry.as_ref()?;
        let mut kept = lock(&self.state.kept);
        // What was kept of the account as it was before, or by a login that began then.
        if kept.login_print != entry.login_print {
            kept.passwords.clear();
        }
        if kept.print != entry.print {
            kept.user = None;
        }
        (kept.print, kept.login_print) = (entry.print, entry.login_print);
        if let Credential::Password(password) = &credential
            && !kept.passwords.contains(password)
        {
            kept.passwords.insert(0, password.clone());
            kept.passwords.truncate(KEPT_PASSWORDS);
        }
        if let Some(user) = &kept.user {
            return Some(user.clone());
        }
        self.state.rotation.store(Some(Arc::new(credential.clone())));
        let user = Arc::new(User {
            account: self.account(credential),
            connections: AtomicU32::new(0),
            max_connections: None,
            require_tls: false,
        });
        kept.user = Some(user.clone());
        Some(user)
    }
}
