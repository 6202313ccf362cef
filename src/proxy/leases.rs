//! What a session holds of servers, and how it gives it back.

use std::sync::Arc;

use super::users::User;
use crate::backend::{Lease, Pool, PoolKey, ServerPools};
use crate::cluster::ServerId;
use crate::net::Host;
use crate::session::{Session, Slot};
use crate::wire::Capabilities;

/// What a session holds of servers: at most one connection to the primary and one to a replica.
pub(super) struct Leases {
    primary: Option<Lease>,
    replica: Option<Lease>,
    /// The pools of this session's account and form, by server, so that a statement needs no look-up.
    pools: Vec<(ServerId, bool, Arc<Pool>)>,
    pub(super) user: Arc<User>,
    /// Where the client comes from.
    pub(super) client: Host,
    /// Its connection attributes, of 64 KiB at most, as its login was.
    attributes: Arc<[u8]>,
    pub(super) collation: u16,
    pub(super) capabilities: Capabilities,
}

impl Leases {
    pub(super) fn new(
        user: Arc<User>,
        client: Host,
        attributes: Arc<[u8]>,
        collation: u16,
        capabilities: Capabilities,
    ) -> Self {
        let capabilities = capabilities & Capabilities::SHAPING;
        Self { primary: None, replica: None, pools: Vec::new(), user, client, attributes, collation, capabilities }
    }

    pub(super) fn slot(&mut self, slot: Slot) -> &mut Option<Lease> {
        match slot {
            Slot::Primary => &mut self.primary,
            Slot::Replica => &mut self.replica,
        }
    }

    /// Gives back what the session does not keep.
    pub(super) fn give_back(&mut self, session: &mut Session) {
        for slot in [Slot::Primary, Slot::Replica] {
            self.give_back_one(slot, session);
        }
    }

    pub(super) fn give_back_one(&mut self, slot: Slot, session: &mut Session) {
        if !session.keeps(slot) {
            if let Some(mut lease) = self.slot(slot).take() {
                lease.bound = session.must_cleanse(slot);
            }
            session.let_go(slot);
        }
    }

    /// The session ends, or is reset: what it left on its connections goes before they go back.
    pub(super) async fn end(&mut self, session: &Session) {
        for slot in [Slot::Primary, Slot::Replica] {
            let Some(lease) = self.slot(slot).take() else { continue };
            if session.must_cleanse(slot) {
                Box::pin(lease.cleanse()).await;
            }
        }
    }

    pub(super) fn pool(&mut self, server: &Arc<ServerPools>, schema: bool) -> Arc<Pool> {
        let known = self.pools.iter().find(|(id, with, _)| *id == server.id() && *with == schema);
        if let Some((_, _, pool)) = known {
            return pool.clone();
        }
        let pool = server.pool(&self.key(server, schema, None), &self.user.account);
        self.pools.push((server.id(), schema, pool.clone()));
        pool
    }

    /// A pool whose connections carry the client's own attributes, and serve it alone.
    pub(super) fn own_pool(&self, server: &Arc<ServerPools>, schema: bool) -> Arc<Pool> {
        server.pool(&self.key(server, schema, Some(self.attributes.clone())), &self.user.account)
    }

    fn key(&self, server: &ServerPools, schema: bool, attributes: Option<Arc<[u8]>>) -> PoolKey {
        PoolKey {
            user: self.user.account.user.clone(),
            account: self.user.account.id,
            collation: self.collation,
            capabilities: self.capabilities,
            schema,
            client: server.told_of(self.client),
            attributes,
        }
    }
}

/// Gives back a connection that is kept for what may be asked about it, and remembers what can be remembered.
pub(super) async fn release(mut lease: Lease, slot: Slot, session: &mut Session) {
    let mut last = None;
    if slot == Slot::Primary && session.holds_insert_id() {
        match lease.query_number("SELECT LAST_INSERT_ID()").await {
            Ok(id) => last = id,
            Err(error) => {
                tracing::debug!(%error, "lost a held connection");
                return session.lost(slot);
            }
        }
    }
    if session.must_cleanse(slot) {
        lease.cleanse().await;
    }
    session.released(slot, last);
}

impl Drop for Leases {
    /// Leases are left only when the session was cut short, by a panic or in a hurry: what it left on them is not known.
    fn drop(&mut self) {
        for lease in [self.primary.take(), self.replica.take()].into_iter().flatten() {
            lease.discard();
        }
    }
}
