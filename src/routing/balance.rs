//! Which replica: among those that qualify, the one with the fewest statements running for its weight.

use std::time::Duration;

use super::{RouteReason, Surroundings};
use crate::cluster::{Lag, Server, ServerId};

/// A replica of `pool` that is up, replicates and lags no more than `max_lag`.
///
/// # Errors
/// The reason why none qualifies.
pub(super) fn choose(pool: &str, max_lag: Duration, around: Surroundings<'_>) -> Result<ServerId, RouteReason> {
    let mut best: Option<(u64, ServerId)> = None;
    let mut ties = 0_u64;
    let (mut any, mut up, mut incapable, mut lagging, mut unknown) = (false, false, false, false, false);
    for replica in around.cluster.replicas() {
        if replica.weight == 0 || !replica.pools.iter().any(|name| &**name == pool) {
            continue;
        }
        any = true;
        if !replica.state.is_up() {
            continue;
        }
        if !(around.able)(replica.id) {
            incapable = true;
            continue;
        }
        up = true;
        let seen = replica.state.lag_at(around.now, around.policy.stale_after);
        let Lag::Known(lag) = seen else {
            unknown |= seen == Lag::Unknown;
            continue;
        };
        if lag > max_lag {
            lagging = true;
            continue;
        }
        let score = score(replica, around);
        match best {
            Some((least, _)) if score > least => {}
            Some((least, _)) if score == least => {
                // Reservoir of one: each of n equals is kept with probability 1/n.
                ties = ties.saturating_add(1);
                if mixed(around.random.wrapping_add(ties)).is_multiple_of(ties) {
                    best = Some((score, replica.id));
                }
            }
            _ => {
                ties = 1;
                best = Some((score, replica.id));
            }
        }
    }
    best.map(|(_, id)| id).ok_or(match () {
        () if !any => RouteReason::NoReplica,
        () if !up && incapable => RouteReason::ReplicasIncapable,
        () if !up => RouteReason::ReplicasDown,
        () if lagging => RouteReason::ReplicasLagging,
        () if unknown => RouteReason::LagUnknown,
        () => RouteReason::ReplicasStopped,
    })
}

/// Every bit of the random number counts: its top bits may all be zero (splitmix64's finish).
fn mixed(random: u64) -> u64 {
    let random = (random ^ (random >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let random = (random ^ (random >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    random ^ (random >> 31)
}

/// Running statements for a unit of weight, in thousandths; one more is counted than runs, so that weights matter at
/// rest too.
fn score(replica: &Server, around: Surroundings<'_>) -> u64 {
    let load = u64::from((around.load)(replica.id)).saturating_add(1);
    load.saturating_mul(1_000_000) / u64::from(replica.weight.max(1))
}
