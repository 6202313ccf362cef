//! `pointsman_statements_total`: too many combinations to resolve at start, so each is resolved when it first occurs.
//! From then on it costs two loads and one atomic add.

use std::sync::{Arc, OnceLock};

use prometheus::{IntCounter, IntCounterVec};

use super::labels::{Kind, TargetLabel};
use crate::cluster::ServerId;
use crate::routing::RouteReason;

/// The server label of what no server answered.
pub(super) const NO_SERVER: &str = "none";

/// The combinations of reason and kind of one server and target: about 30 KiB, made when that pair first occurs.
type Block = Box<[OnceLock<IntCounter>]>;

/// Counters by (server, target, reason, kind).
pub(super) struct Statements {
    family: IntCounterVec,
    servers: Vec<Arc<str>>,
    /// `blocks.len() == (servers.len() + 1) * TargetLabel::ALL.len()`; the last server stands for none.
    blocks: Vec<OnceLock<Block>>,
}

impl Statements {
    pub(super) fn new(family: IntCounterVec, servers: &[Arc<str>]) -> Self {
        let blocks = (servers.len() + 1) * TargetLabel::ALL.len();
        Self { family, servers: servers.to_vec(), blocks: (0..blocks).map(|_| OnceLock::new()).collect() }
    }

    /// Counts one statement. A server that was not given at registration counts as none.
    pub(super) fn count(&self, target: TargetLabel, server: Option<ServerId>, reason: RouteReason, kind: Kind) {
        let none = self.servers.len();
        let server = server.map_or(none, |id| usize::from(id.0).min(none));
        let Some(block) = self.blocks.get(server * TargetLabel::ALL.len() + target as usize) else { return };
        let block = block.get_or_init(|| (0..RouteReason::COUNT * Kind::COUNT).map(|_| OnceLock::new()).collect());
        let Some(counter) = block.get(reason as usize * Kind::COUNT + kind.index()) else { return };
        counter
            .get_or_init(|| {
                let server = self.servers.get(server).map_or(NO_SERVER, |name| name);
                self.family.with_label_values(&[target.as_str(), server, reason.as_str(), kind.as_str()])
            })
            .inc();
    }
}
