//! Which connections to one server there are, which of them are idle, and who waits for one: the rules of its pools, over
//! connections of any kind. Knows no sockets, no tasks and no clock.
//!
//! Whoever asks gets an idle connection of its pool, else a place to make one, else it waits. Two things hold between any two
//! calls: nobody waits for a pool that has an idle connection, and nobody waits who could make one (an idle connection
//! of another pool is closed for it). So who comes later never overtakes.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

/// So many of the most recently used idle connections are looked at for the one that fits best.
const LOOKED_AT: usize = 8;

/// A connection that comes back goes to who waits for its own pool, and costs nothing. One who waits for another, and for whom it
/// would have to be closed, is passed over so many times for that, then it is its turn.
const PASSES: u32 = 16;

/// A pool of the server, while it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PoolIndex(usize);

/// Who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket(u64);

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Of all users: `pools.max_per_server`.
    pub(super) server: u32,
    /// Of one user: `pools.size`.
    pub(super) user: u32,
    /// Being made at the same time: `pools.max_connecting`.
    pub(super) connecting: u32,
}

/// What one gets who waited.
#[derive(Debug)]
pub(super) enum Granted<C> {
    /// A connection, which may have ended in the meantime.
    Connection(C),
    /// A place: a connection may be made.
    Place,
}

/// What one gets who asks.
#[derive(Debug)]
pub(super) enum Taken<C> {
    /// An idle connection, which may have ended in the meantime.
    Connection(C),
    /// A place: a connection may be made. Another that was idle must be closed for it.
    Place(Option<C>),
    /// Nothing: one has to wait.
    Nothing,
}

/// What keeps a connection from being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    /// `pools.size`.
    User,
    /// `pools.max_per_server`.
    Server,
    /// `pools.max_connecting`.
    Connecting,
}

#[derive(Debug)]
struct Idle<C> {
    connection: C,
    since: Instant,
}

#[derive(Debug)]
struct Entry<C> {
    user: Arc<str>,
    /// The one that was used last stands last.
    idle: Vec<Idle<C>>,
    /// In use, idle, and being made.
    size: u32,
    /// Who waits for it.
    waiting: u32,
}

#[derive(Debug)]
struct Waiting<C> {
    ticket: Ticket,
    pool: PoolIndex,
    passed: u32,
    grant: oneshot::Sender<Granted<C>>,
}

/// The connections of one server.
#[derive(Debug)]
pub(super) struct Capacity<C> {
    limits: Limits,
    pools: Vec<Option<Entry<C>>>,
    /// Connections of each user that has one.
    users: HashMap<Arc<str>, u32>,
    total: u32,
    idle: u32,
    connecting: u32,
    line: VecDeque<Waiting<C>>,
    tickets: u64,
}

impl<C> Capacity<C> {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            pools: Vec::new(),
            users: HashMap::new(),
            total: 0,
            idle: 0,
            connecting: 0,
            line: VecDeque::new(),
            tickets: 0,
        }
    }

    /// A new pool, of this user.
    pub(super) fn add(&mut self, user: Arc<str>) -> PoolIndex {
        let entry = Some(Entry { user, idle: Vec::new(), size: 0, waiting: 0 });
        match self.pools.iter_mut().enumerate().find(|(_, pool)| pool.is_none()) {
            Some((at, free)) => {
                *free = entry;
                PoolIndex(at)
            }
            None => {
                self.pools.push(entry);
                PoolIndex(self.pools.len().saturating_sub(1))
            }
        }
    }

    /// Forgets a pool. False: it has connections, or somebody waits for one.
    pub(super) fn remove(&mut self, pool: PoolIndex) -> bool {
        let unused = self.pool(pool).is_none_or(|entry| entry.size == 0 && entry.waiting == 0);
        if unused && let Some(free) = self.pools.get_mut(pool.0) {
            *free = None;
        }
        unused
    }

    /// Connections of a pool: in use, idle, and being made.
    pub(super) fn size(&self, pool: PoolIndex) -> u32 {
        self.pool(pool).map_or(0, |entry| entry.size)
    }

    /// Connections in use or being made, and idle ones.
    pub(super) fn usage(&self) -> (u32, u32) {
        (self.total.saturating_sub(self.idle), self.idle)
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.line.len()
    }

    /// An idle connection of the pool, or a place to make one. Of the idle ones that were used last it is the one with the highest
    /// `fitness`; `best` is the highest that there is.
    pub(super) fn take(&mut self, pool: PoolIndex, best: u8, fitness: impl Fn(&C) -> u8) -> Taken<C> {
        let Some(entry) = self.pools.get_mut(pool.0).and_then(Option::as_mut) else { return Taken::Nothing };
        let mut fittest = None;
        for (at, idle) in entry.idle.iter().enumerate().rev().take(LOOKED_AT) {
            let fitness = fitness(&idle.connection);
            if fittest.is_none_or(|(_, most)| fitness > most) {
                fittest = Some((at, fitness));
                if fitness >= best {
                    break;
                }
            }
        }
        if let Some((at, _)) = fittest {
            self.idle = self.idle.saturating_sub(1);
            return Taken::Connection(entry.idle.remove(at).connection);
        }
        self.make_place(pool).map_or(Taken::Nothing, Taken::Place)
    }

    /// A place to make a connection ahead of need: not while others wait, and none is closed for it.
    pub(super) fn reserve(&mut self, pool: PoolIndex) -> bool {
        let free = self.line.is_empty() && self.limit(pool).is_none();
        if free {
            self.occupy(pool);
        }
        free
    }

    /// Begins to wait; `first`: before all others.
    pub(super) fn wait(&mut self, pool: PoolIndex, first: bool) -> (Ticket, oneshot::Receiver<Granted<C>>) {
        self.tickets = self.tickets.wrapping_add(1);
        let (ticket, (grant, granted)) = (Ticket(self.tickets), oneshot::channel());
        let waiting = Waiting { ticket, pool, passed: 0, grant };
        if first {
            self.line.push_front(waiting);
        } else {
            self.line.push_back(waiting);
        }
        if let Some(entry) = self.pool_mut(pool) {
            entry.waiting = entry.waiting.saturating_add(1);
        }
        (ticket, granted)
    }

    /// Waits no more. False: it was its turn already.
    pub(super) fn cancel(&mut self, ticket: Ticket) -> bool {
        let place = self.line.iter().position(|waiting| waiting.ticket == ticket);
        place.and_then(|at| self.leave(at)).is_some()
    }

    /// A connection comes back that others may have. Some: it must be closed, another takes its place.
    pub(super) fn give_back(&mut self, pool: PoolIndex, connection: C, now: Instant) -> Option<C> {
        let mut connection = connection;
        while let Some((at, own)) = self.next_for(pool) {
            let Some(waiting) = self.leave(at) else { break };
            if own {
                // It may be gone.
                let Err(Granted::Connection(back)) = waiting.grant.send(Granted::Connection(connection)) else {
                    return None;
                };
                connection = back;
            } else {
                self.count_out(pool);
                self.occupy(waiting.pool);
                if waiting.grant.send(Granted::Place).is_ok() {
                    return Some(connection);
                }
                self.connecting = self.connecting.saturating_sub(1);
                self.count_out(waiting.pool);
                self.count_in(pool);
            }
        }
        if let Some(entry) = self.pool_mut(pool) {
            entry.idle.push(Idle { connection, since: now });
            self.idle = self.idle.saturating_add(1);
        }
        None
    }

    /// A connection of the pool is closed. Returns idle ones that must be closed too, for those whose turn it is.
    pub(super) fn closed(&mut self, pool: PoolIndex) -> Vec<C> {
        self.count_out(pool);
        self.serve()
    }

    /// A place is a connection now, in use. As [`Self::closed`].
    pub(super) fn made(&mut self) -> Vec<C> {
        self.connecting = self.connecting.saturating_sub(1);
        self.serve()
    }

    /// No connection was made at a place. As [`Self::closed`].
    pub(super) fn failed(&mut self, pool: PoolIndex) -> Vec<C> {
        self.connecting = self.connecting.saturating_sub(1);
        self.closed(pool)
    }

    /// Takes out the idle connections of a pool that are not to be kept: `keep` is given each, when it came back, and the
    /// size of the pool with it. As [`Self::closed`].
    pub(super) fn retain(&mut self, pool: PoolIndex, mut keep: impl FnMut(&mut C, Instant, u32) -> bool) -> Vec<C> {
        let mut out = Vec::new();
        let Some(entry) = self.pool_mut(pool) else { return out };
        let mut size = entry.size;
        let leaves = |idle: &mut Idle<C>| {
            let leaves = !keep(&mut idle.connection, idle.since, size);
            size = size.saturating_sub(u32::from(leaves));
            leaves
        };
        out.extend(entry.idle.extract_if(.., leaves).map(|idle| idle.connection));
        for _ in &out {
            self.idle = self.idle.saturating_sub(1);
            self.count_out(pool);
        }
        if !out.is_empty() {
            out.extend(self.serve());
        }
        out
    }

    /// What keeps a connection of the pool from being made now.
    pub(super) fn limit(&self, pool: PoolIndex) -> Option<Limit> {
        let of_user = self.pool(pool).and_then(|entry| self.users.get(&entry.user)).copied().unwrap_or(0);
        if of_user >= self.limits.user {
            Some(Limit::User)
        } else if self.total >= self.limits.server {
            Some(Limit::Server)
        } else if self.connecting >= self.limits.connecting {
            Some(Limit::Connecting)
        } else {
            None
        }
    }

    fn pool(&self, pool: PoolIndex) -> Option<&Entry<C>> {
        self.pools.get(pool.0).and_then(Option::as_ref)
    }

    fn pool_mut(&mut self, pool: PoolIndex) -> Option<&mut Entry<C>> {
        self.pools.get_mut(pool.0).and_then(Option::as_mut)
    }

    /// A place for a connection that is to be made; an idle one of another pool is closed if there is no other way.
    fn make_place(&mut self, pool: PoolIndex) -> Option<Option<C>> {
        let closed = match self.limit(pool) {
            None => None,
            Some(Limit::Connecting) => return None,
            Some(_) if self.connecting >= self.limits.connecting => return None,
            Some(limit) => Some(self.evict(pool, limit == Limit::Server)?),
        };
        self.occupy(pool);
        Some(closed)
    }

    /// Takes the connection that is idle for longest out of another pool of the same user, or of `any`. So clients that are gone keep
    /// no place from others.
    fn evict(&mut self, pool: PoolIndex, any: bool) -> Option<C> {
        if self.idle == 0 {
            return None;
        }
        let user = self.pool(pool)?.user.clone();
        let pools = self.pools.iter().enumerate().filter_map(|(at, entry)| Some((PoolIndex(at), entry.as_ref()?)));
        let longest = pools
            .filter(|(at, entry)| *at != pool && (any || entry.user == user))
            .filter_map(|(at, entry)| Some((entry.idle.first()?.since, at)))
            .min_by_key(|(since, _)| *since);
        let (_, other) = longest?;
        let connection = self.pool_mut(other)?.idle.remove(0).connection;
        self.idle = self.idle.saturating_sub(1);
        self.count_out(other);
        Some(connection)
    }

    /// Who gets a connection of this pool that is free now: its place in the line, and whether it waits for this pool.
    fn next_for(&mut self, pool: PoolIndex) -> Option<(usize, bool)> {
        if self.line.is_empty() {
            return None;
        }
        let Self { limits, pools, users, connecting, line, .. } = self;
        let entry = |pool: PoolIndex| pools.get(pool.0).and_then(Option::as_ref);
        let Entry { user, waiting: of_own, .. } = entry(pool)?;
        line.iter_mut().enumerate().find_map(|(at, waiting)| {
            if waiting.pool == pool {
                return Some((at, true));
            }
            // Would it help if this one were closed?
            let other = &entry(waiting.pool)?.user;
            let of_other = users.get(other).copied().unwrap_or(0);
            if *connecting >= limits.connecting || (other != user && of_other >= limits.user) {
                return None;
            }
            if *of_own > 0 && waiting.passed < PASSES {
                waiting.passed = waiting.passed.saturating_add(1);
                return None;
            }
            Some((at, false))
        })
    }

    /// Gives places to those who can have one, in order.
    fn serve(&mut self) -> Vec<C> {
        let mut closed = Vec::new();
        let mut at = 0;
        while let Some(pool) = self.line.get(at).map(|waiting| waiting.pool) {
            if self.connecting >= self.limits.connecting || (self.total >= self.limits.server && self.idle == 0) {
                break;
            }
            let Some(evicted) = self.make_place(pool) else {
                at = at.saturating_add(1);
                continue;
            };
            closed.extend(evicted);
            let granted = self.leave(at).is_some_and(|waiting| waiting.grant.send(Granted::Place).is_ok());
            if !granted {
                self.connecting = self.connecting.saturating_sub(1);
                self.count_out(pool);
            }
        }
        closed
    }

    fn leave(&mut self, at: usize) -> Option<Waiting<C>> {
        let waiting = self.line.remove(at)?;
        if let Some(entry) = self.pool_mut(waiting.pool) {
            entry.waiting = entry.waiting.saturating_sub(1);
        }
        Some(waiting)
    }

    /// A place is taken, for a connection that is to be made.
    fn occupy(&mut self, pool: PoolIndex) {
        self.connecting = self.connecting.saturating_add(1);
        self.count_in(pool);
    }

    fn count_in(&mut self, pool: PoolIndex) {
        let Some(entry) = self.pools.get_mut(pool.0).and_then(Option::as_mut) else { return };
        entry.size = entry.size.saturating_add(1);
        self.total = self.total.saturating_add(1);
        let count = self.users.entry(entry.user.clone()).or_default();
        *count = count.saturating_add(1);
    }

    /// A place is free.
    fn count_out(&mut self, pool: PoolIndex) {
        let Some(entry) = self.pools.get_mut(pool.0).and_then(Option::as_mut) else { return };
        entry.size = entry.size.saturating_sub(1);
        self.total = self.total.saturating_sub(1);
        if let Some(count) = self.users.get_mut(&entry.user) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.users.remove(&entry.user);
            }
        }
    }
}

#[cfg(test)]
mod tests;
