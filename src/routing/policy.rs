//! Limits and rules, compiled from the configuration.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::SessionView;
use crate::cluster::Rules;
use crate::config::{Config, Consistency, Fallback, RuleConfig, RuleTarget};
use crate::sql::{Classified, Fingerprint};

/// What the configuration says about routing.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Consistency of users that have none of their own.
    pub consistency: Consistency,
    /// Users with a consistency of their own.
    pub users: HashMap<String, Consistency>,
    /// Stands in for `session` and `global` where GTIDs are not followed.
    pub sticky_window: Duration,
    /// The lag limit of the default pool.
    pub max_lag: Duration,
    /// The default pool's.
    pub fallback: Fallback,
    /// What the monitor saw longer ago is not trusted.
    pub stale_after: Duration,
    /// The replica pools.
    pub pools: Vec<ReplicaPool>,
    /// The rules, in order.
    pub rules: Vec<Rule>,
}

/// Replicas kept for a purpose.
#[derive(Debug, Clone)]
pub struct ReplicaPool {
    /// Its name.
    pub name: Arc<str>,
    /// Its lag limit.
    pub max_lag: Duration,
    /// What happens to a read when none of its replicas qualifies.
    pub fallback: Fallback,
}

/// One rule. All conditions that are given must hold.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name.
    pub name: Arc<str>,
    user: Option<String>,
    schema: Option<String>,
    table: Option<(Option<String>, String)>,
    fingerprint: Option<Fingerprint>,
    regex: Option<regex::Regex>,
    /// Where it sends what it matches.
    pub target: Option<RuleTarget>,
    /// The lag limit of what it matches.
    pub max_lag: Option<Duration>,
    /// The consistency of what it matches.
    pub consistency: Option<Consistency>,
}

impl Policy {
    /// Compiles the routing part of a configuration.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            consistency: config.routing.consistency,
            users: config
                .users
                .iter()
                .filter_map(|user| user.consistency.map(|consistency| (user.name.clone(), consistency)))
                .collect(),
            sticky_window: config.routing.sticky_window,
            max_lag: config.routing.max_lag,
            fallback: config.routing.fallback,
            stale_after: Rules::from_config(&config.monitor).stale_after,
            pools: config
                .replica_pools
                .iter()
                .map(|pool| ReplicaPool { name: pool.name.clone(), max_lag: pool.max_lag, fallback: pool.fallback })
                .collect(),
            rules: config.rules.iter().map(Rule::new).collect(),
        }
    }

    /// The name of the pool that ordinary reads go to.
    #[must_use]
    pub fn default_pool(&self) -> &'static str {
        "default"
    }

    /// The pool of this name.
    #[must_use]
    pub fn pool(&self, name: &str) -> Option<&ReplicaPool> {
        self.pools.iter().find(|pool| &*pool.name == name)
    }

    /// A user's consistency.
    #[must_use]
    pub fn consistency_of(&self, user: &str) -> Consistency {
        self.users.get(user).copied().unwrap_or(self.consistency)
    }
}

impl Rule {
    fn new(config: &RuleConfig) -> Self {
        let table = config.table.as_ref().map(|table| match table.split_once('.') {
            Some((schema, table)) => (Some(schema.to_lowercase()), table.to_lowercase()),
            None => (None, table.to_lowercase()),
        });
        Self {
            name: config.name.clone(),
            user: config.user.clone(),
            schema: config.schema.clone(),
            table,
            fingerprint: config.fingerprint.map(Fingerprint),
            regex: config.regex.clone(),
            target: config.target.clone(),
            max_lag: config.max_lag,
            consistency: config.consistency,
        }
    }

    /// Whether all its conditions hold.
    #[must_use]
    pub fn matches(&self, statement: &Classified, view: SessionView<'_>) -> bool {
        let names_table = |schema: &Option<String>, table: &String| {
            statement.shape.tables.iter().any(|named| {
                named.table.eq_ignore_ascii_case(table)
                    && schema.as_ref().is_none_or(|wanted| {
                        named.schema.as_deref().or(view.schema).is_some_and(|have| have.eq_ignore_ascii_case(wanted))
                    })
            })
        };
        self.user.as_ref().is_none_or(|user| user == view.user)
            && self.schema.as_ref().is_none_or(|schema| view.schema == Some(schema))
            && self.fingerprint.is_none_or(|fingerprint| fingerprint == statement.shape.fingerprint)
            && self.table.as_ref().is_none_or(|(schema, table)| names_table(schema, table))
            && self.regex.as_ref().is_none_or(|regex| regex.is_match(&statement.shape.normalised))
    }
}
