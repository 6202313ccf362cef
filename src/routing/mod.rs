//! Where a statement goes, and why: [`decide`], one function in the order of docs/routing.md. No sockets, no clock: the
//! time and a random number are arguments.
#![cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]

mod balance;
mod policy;
mod reason;

use std::time::{Duration, Instant};

pub use policy::{Policy, ReplicaPool, Rule};
pub use reason::RouteReason;

use crate::cluster::{Cluster, ServerId};
use crate::config::{Consistency, Fallback, RuleTarget};
use crate::sql::{Classified, PrimaryCause, Shape, StatementKind, is_server_schema};

/// Where a statement goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The connection that the session is pinned to.
    Pinned,
    /// The primary.
    Primary,
    /// This replica.
    Replica(ServerId),
    /// Nowhere: no replica qualifies, and the configuration says to refuse rather than to load the primary.
    Refuse,
    /// pointsman answers it.
    Proxy,
}

/// A routing decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Where to.
    pub target: Target,
    /// Why.
    pub reason: RouteReason,
    /// The rule that decided, for logs and `explain`.
    pub rule: Option<std::sync::Arc<str>>,
}

impl Route {
    /// A route that no rule decided.
    #[must_use]
    pub const fn new(target: Target, reason: RouteReason) -> Self {
        Self { target, reason, rule: None }
    }
}

/// What routing may see of a session.
#[derive(Debug, Clone, Copy)]
pub struct SessionView<'a> {
    /// The session's user.
    pub user: &'a str,
    /// Its schema.
    pub schema: Option<&'a str>,
    /// Why it is pinned, if it is.
    pub pin: Option<RouteReason>,
    /// Autocommit is on.
    pub autocommit: bool,
    /// Its isolation level is SERIALIZABLE.
    pub serializable: bool,
    /// When it wrote last.
    pub last_write: Option<Instant>,
    /// When anyone wrote last through this proxy.
    pub last_global_write: Option<Instant>,
}

/// What else a decision depends on.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The servers as they are now.
    pub cluster: &'a Cluster,
    /// The rules and limits.
    pub policy: &'a Policy,
    /// How many statements run on a server now, from this proxy.
    pub load: &'a (dyn Fn(ServerId) -> u32 + Sync),
    /// Whether a server speaks the protocol in the form that was agreed on with the client.
    pub able: &'a (dyn Fn(ServerId) -> bool + Sync),
    /// A random number: breaks ties among replicas.
    pub random: u64,
    /// The time.
    pub now: Instant,
}

/// Decides where a statement goes. The order is the contract: the first step that applies decides.
#[must_use]
pub fn decide(statement: &Classified, view: SessionView<'_>, around: Surroundings<'_>) -> Route {
    let shape = &*statement.shape;
    // 1. A pin beats every hint and rule.
    if let Some(reason) = view.pin {
        return Route::new(Target::Pinned, reason);
    }
    let unfit = must_be_primary(shape, view);
    // 2. Hints.
    let hint = &statement.hint;
    if hint.primary {
        return Route::new(Target::Primary, RouteReason::HintPrimary);
    }
    let mut ask = Ask::new(around.policy, view.user);
    if let Some(name) = &hint.pool {
        ask.send_to(name, RouteReason::HintPool);
    } else if hint.replica {
        ask.ignore_writes(RouteReason::HintReplica);
    }
    ask.max_lag = hint.max_lag.or(ask.max_lag);
    if hint.eventual {
        ask.consistency = Consistency::Eventual;
    }
    // 3. Rules: the first that matches.
    if ask.reason == RouteReason::Read
        && let Some(rule) = around.policy.rules.iter().find(|rule| rule.matches(statement, view))
    {
        ask.rule = Some(rule.name.clone());
        match &rule.target {
            Some(RuleTarget::Primary) => {
                return Route { target: Target::Primary, reason: RouteReason::RulePrimary, rule: ask.rule };
            }
            Some(RuleTarget::Replica) => ask.ignore_writes(RouteReason::RuleReplica),
            Some(RuleTarget::Pool(name)) => ask.send_to(name, RouteReason::RulePool),
            None => {}
        }
        ask.max_lag = hint.max_lag.or(rule.max_lag);
        if !hint.eventual {
            ask.consistency = rule.consistency.unwrap_or(ask.consistency);
        }
    }
    // 4. Whatever is not proven a read.
    if let Some(reason) = unfit {
        return Route::new(Target::Primary, reason);
    }
    if matches!(shape.kind, StatementKind::Begin { .. }) {
        ask.reason = RouteReason::ReadOnlyTransaction;
    }
    // 5. Reads that must see a recent write.
    if let Some(reason) = ask.must_see_writes(view, around) {
        return Route { target: Target::Primary, reason, rule: ask.rule };
    }
    // 6. and 7. A replica that qualifies, or else the primary with the reason why.
    ask.choose(around)
}

/// The reason why a statement must run on the primary, None for a proven read.
fn must_be_primary(shape: &Shape, view: SessionView<'_>) -> Option<RouteReason> {
    // A read-only transaction runs on one replica whole, whatever autocommit says.
    if matches!(shape.kind, StatementKind::Begin { read_only: true }) {
        return view.serializable.then_some(RouteReason::Serializable);
    }
    if let Some(cause) = shape.cause {
        return Some(reason_of(cause, shape.kind));
    }
    if !view.autocommit {
        return Some(RouteReason::AutocommitOff);
    }
    if view.serializable {
        return Some(RouteReason::Serializable);
    }
    // With `USE mysql` an unqualified table is one of the server's own.
    let unqualified = || shape.kind == StatementKind::Show || shape.tables.iter().any(|table| table.schema.is_none());
    if view.schema.is_some_and(is_server_schema) && unqualified() {
        return Some(RouteReason::ServerTable);
    }
    None
}

/// The reason's label for why a statement is not proven a read.
#[must_use]
pub fn reason_of(cause: PrimaryCause, kind: StatementKind) -> RouteReason {
    match cause {
        PrimaryCause::NotARead => match kind {
            StatementKind::Write | StatementKind::Select | StatementKind::Show | StatementKind::Do => {
                RouteReason::Write
            }
            StatementKind::Ddl => RouteReason::Ddl,
            StatementKind::Call => RouteReason::Call,
            StatementKind::Begin { .. }
            | StatementKind::Commit
            | StatementKind::Rollback
            | StatementKind::Savepoint
            | StatementKind::Xa => RouteReason::Transaction,
            StatementKind::Set
            | StatementKind::SetTransaction
            | StatementKind::Use
            | StatementKind::LockTables
            | StatementKind::UnlockTables
            | StatementKind::Handler
            | StatementKind::Prepare => RouteReason::SessionState,
            StatementKind::Kill => RouteReason::Command,
            StatementKind::Multi => RouteReason::MultiStatement,
            StatementKind::Empty => RouteReason::Empty,
            StatementKind::Opaque => RouteReason::Unparsed,
        },
        PrimaryCause::LockingRead => RouteReason::LockingRead,
        PrimaryCause::Into => RouteReason::SelectInto,
        PrimaryCause::AssignsUserVariable => RouteReason::AssignsUserVariable,
        PrimaryCause::UnknownFunction => RouteReason::UnknownFunction,
        PrimaryCause::SessionFunction => RouteReason::SessionFunction,
        PrimaryCause::Sequence => RouteReason::Sequence,
        PrimaryCause::SystemVariable => RouteReason::SystemVariable,
        PrimaryCause::ServerTable => RouteReason::ServerTable,
        PrimaryCause::ServerState => RouteReason::ServerState,
        // SET in an executable comment is what every dump begins with.
        PrimaryCause::ExecutableComment if kind == StatementKind::Set => RouteReason::SessionState,
        PrimaryCause::ExecutableComment => RouteReason::ExecutableComment,
        PrimaryCause::Multi => RouteReason::MultiStatement,
        PrimaryCause::Unparsed => RouteReason::Unparsed,
        PrimaryCause::Unreadable => RouteReason::Unreadable,
    }
}

/// What a read asks of a replica, put together from configuration, hint and rule.
struct Ask<'a> {
    pool: &'a str,
    reason: RouteReason,
    max_lag: Option<Duration>,
    consistency: Consistency,
    rule: Option<std::sync::Arc<str>>,
}

impl<'a> Ask<'a> {
    fn new(policy: &'a Policy, user: &str) -> Self {
        Self {
            pool: policy.default_pool(),
            reason: RouteReason::Read,
            max_lag: None,
            consistency: policy.consistency_of(user),
            rule: None,
        }
    }

    fn send_to(&mut self, pool: &'a str, reason: RouteReason) {
        self.pool = pool;
        self.ignore_writes(reason);
    }

    fn ignore_writes(&mut self, reason: RouteReason) {
        self.consistency = Consistency::Eventual;
        self.reason = reason;
    }

    fn must_see_writes(&self, view: SessionView<'_>, around: Surroundings<'_>) -> Option<RouteReason> {
        let within = |write: Option<Instant>, window: Duration| {
            write.is_some_and(|write| around.now.saturating_duration_since(write) < window)
        };
        let window = around.policy.sticky_window;
        match self.consistency {
            Consistency::Eventual => None,
            Consistency::Sticky(window) => within(view.last_write, window).then_some(RouteReason::Sticky),
            // Until GTIDs are followed, the window stands in for them.
            Consistency::Session => within(view.last_write, window).then_some(RouteReason::Sticky),
            Consistency::Global => {
                if within(view.last_write, window) {
                    Some(RouteReason::Sticky)
                } else {
                    within(view.last_global_write, window).then_some(RouteReason::StickyGlobal)
                }
            }
        }
    }

    fn choose(self, around: Surroundings<'_>) -> Route {
        let pool = around.policy.pool(self.pool);
        let max_lag = self.max_lag.or_else(|| pool.map(|pool| pool.max_lag)).unwrap_or(around.policy.max_lag);
        match balance::choose(self.pool, max_lag, around) {
            Ok(server) => Route { target: Target::Replica(server), reason: self.reason, rule: self.rule },
            Err(reason) => {
                let fallback = pool.map_or(around.policy.fallback, |pool| pool.fallback);
                // Without any replica "refuse" would refuse every read: only one that should be there counts.
                let target = match fallback {
                    Fallback::Refuse if reason != RouteReason::NoReplica => Target::Refuse,
                    Fallback::Refuse | Fallback::Primary => Target::Primary,
                };
                Route { target, reason, rule: self.rule }
            }
        }
    }
}

#[cfg(test)]
mod tests;
