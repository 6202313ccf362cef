//! Tests of the decision: the order of its steps, and which replica.

use std::time::{Duration, Instant};

use super::*;
use crate::clock;
use crate::cluster::{Health, Lag, Replication, Server, ServerState};
use crate::config::{Config, Source, Variables, parse};
use crate::sql::{Classifier, SqlContext};

struct Nothing;

impl Variables for Nothing {
    fn get(&self, _: &str) -> Option<String> {
        None
    }
    fn names(&self) -> Vec<String> {
        Vec::new()
    }
    fn read_file(&self, _: &str) -> Result<String, String> {
        Err("not read".to_owned())
    }
}

const SERVERS: &str = "[[users]]\nname='app'\npassword=''\n[[users]]\nname='careless'\npassword=''\nconsistency='eventual'\n\
    [[servers]]\nname='p'\naddress='127.0.0.1:1'\nrole='primary'\n\
    [[servers]]\nname='r1'\naddress='127.0.0.1:2'\nrole='replica'\n\
    [[servers]]\nname='r2'\naddress='127.0.0.1:3'\nrole='replica'\n\
    [[servers]]\nname='a1'\naddress='127.0.0.1:4'\nrole='replica'\npools=['analytics']\n\
    [[replica_pools]]\nname='analytics'\nmax_lag='1m'\nfallback='refuse'\n[[replica_pools]]\nname='empty'\nfallback='refuse'\n\
    [http]\nlisten=''\n";

/// A cluster that is well, a session without state, and what a test changes of them.
struct Case {
    policy: Policy,
    classifier: Classifier,
    servers: Vec<Server>,
    load: Vec<u32>,
    random: u64,
    user: &'static str,
    schema: Option<&'static str>,
    pin: Option<RouteReason>,
    autocommit: bool,
    serializable: bool,
    /// So long ago.
    wrote: Option<Duration>,
    anyone_wrote: Option<Duration>,
}

fn config(extra: &str) -> Config {
    let text = format!("{SERVERS}{extra}");
    parse(Some(Source { name: "test", text: &text }), &Nothing).unwrap_or_else(|problems| panic!("{problems}")).config
}

impl Case {
    fn new(extra: &str) -> Self {
        let config = config(extra);
        let now = clock::now();
        let servers = Cluster::from_config(&config)
            .servers()
            .iter()
            .map(|server| Server {
                state: ServerState {
                    health: Health::Up,
                    replication: Replication::Running,
                    lag: Lag::Known(Duration::ZERO),
                    observed: Some(now),
                    seen: now.checked_add(Duration::from_secs(3600)),
                    ..ServerState::default()
                },
                ..(**server).clone()
            })
            .collect();
        Self {
            policy: Policy::new(&config),
            classifier: Classifier::new(100, [1, 2], &[]),
            servers,
            load: vec![0; 4],
            random: 0,
            user: "app",
            schema: Some("shop"),
            pin: None,
            autocommit: true,
            serializable: false,
            wrote: None,
            anyone_wrote: None,
        }
    }

    fn at(&mut self, server: usize, change: impl Fn(&mut ServerState)) -> &mut Self {
        change(&mut self.servers[server].state);
        self
    }

    fn decide(&self, sql: &str) -> Route {
        let now = clock::now() + Duration::from_secs(1000);
        let ago = |ago: Option<Duration>| -> Option<Instant> { ago.and_then(|ago| now.checked_sub(ago)) };
        let statement = self.classifier.classify(sql.as_bytes(), SqlContext::default(), &mut Vec::new());
        let view = SessionView {
            user: self.user,
            schema: self.schema,
            pin: self.pin,
            autocommit: self.autocommit,
            serializable: self.serializable,
            last_write: ago(self.wrote),
            last_global_write: ago(self.anyone_wrote),
        };
        let cluster = Cluster::new(self.servers.clone());
        let load = |id: ServerId| self.load[usize::from(id.0)];
        decide(
            &statement,
            view,
            Surroundings {
                cluster: &cluster,
                policy: &self.policy,
                load: &load,
                able: &|_| true,
                random: self.random,
                now,
            },
        )
    }

    #[track_caller]
    fn goes(&self, sql: &str, target: &str, reason: &str) {
        let route = self.decide(sql);
        let name = match &route.target {
            Target::Pinned => "pinned",
            Target::Refuse => "refuse",
            Target::Proxy => "proxy",
            Target::Primary => "p",
            Target::Replica(id) => &*self.servers[usize::from(id.0)].name,
        };
        assert!(
            (name == target || (target == "r" && name.starts_with('r'))) && route.reason.as_str() == reason,
            "{sql}: {name} {}, not {target} {reason}",
            route.reason.as_str()
        );
    }
}

#[test]
fn steps_come_in_order() {
    let rules = "[[rules]]\ntable='hot'\ntarget='primary'\n[[rules]]\ntable='old'\ntarget='pool=analytics'\n\
                 [[rules]]\nuser='app'\ntable='logs'\ntarget='replica'\n[[rules]]\ntable='shop.strict'\nconsistency='sticky=1h'\n";
    let mut case = Case::new(rules);
    case.goes("SELECT 1", "r", "read");
    case.goes("INSERT INTO t VALUES (1)", "p", "write");
    // Hints.
    case.goes("/* pointsman: primary */ SELECT 1", "p", "hint_primary");
    case.goes("SELECT 1 /* pointsman: pool=analytics */", "a1", "hint_pool");
    case.goes("/* pointsman: replica */ INSERT INTO t VALUES (1)", "p", "write");
    case.goes("/* pointsman: pool=analytics */ SELECT * FROM t FOR UPDATE", "p", "locking_read");
    case.goes("/* pointsman: primary, replica */ SELECT 1", "p", "hint_primary");
    // Rules, below hints.
    case.goes("SELECT * FROM hot", "p", "rule_primary");
    case.goes("SELECT * FROM HOT JOIN t", "p", "rule_primary");
    case.goes("/* pointsman: replica */ SELECT * FROM hot", "r", "hint_replica");
    case.goes("SELECT * FROM old", "a1", "rule_pool");
    case.goes("SELECT * FROM old FOR UPDATE", "p", "locking_read");
    case.goes("DELETE FROM old", "p", "write");
    // The first that matches decides.
    case.goes("SELECT * FROM old, hot", "p", "rule_primary");
    // A write of this session: not for those who said that it does not matter.
    case.wrote = Some(Duration::from_millis(100));
    case.goes("SELECT 1", "p", "sticky");
    case.goes("/* pointsman: replica */ SELECT 1", "r", "hint_replica");
    case.goes("/* pointsman: consistency=eventual */ SELECT 1", "r", "read");
    case.goes("SELECT * FROM logs", "r", "rule_replica");
    case.goes("START TRANSACTION READ ONLY", "p", "sticky");
    case.goes("INSERT INTO t VALUES (1)", "p", "write");
    case.user = "careless";
    case.goes("SELECT 1", "r", "read");
    case.goes("SELECT * FROM strict", "p", "sticky");
    case.schema = Some("other");
    case.goes("SELECT * FROM strict", "r", "read");
    case.goes("SELECT * FROM Shop.strict", "p", "sticky");
    // A pin beats all of them.
    case.pin = Some(RouteReason::PinnedTransaction);
    for sql in ["SELECT 1", "/* pointsman: primary */ SELECT 1", "SELECT * FROM old", "DELETE FROM t", "COMMIT"] {
        case.goes(sql, "pinned", "pinned_transaction");
    }
}

#[test]
fn the_state_of_a_session_makes_reads_unfit() {
    let mut case = Case::new("");
    case.goes("START TRANSACTION READ ONLY", "r", "read_only_transaction");
    case.goes("START TRANSACTION", "p", "transaction");
    case.autocommit = false;
    case.goes("SELECT 1", "p", "autocommit_off");
    case.goes("START TRANSACTION READ ONLY", "r", "read_only_transaction");
    case.goes("/* pointsman: replica */ SELECT 1", "p", "autocommit_off");
    case.autocommit = true;
    case.serializable = true;
    case.goes("SELECT 1", "p", "serializable");
    case.goes("START TRANSACTION READ ONLY", "p", "serializable");
    case.serializable = false;
    case.schema = Some("MYSQL");
    case.goes("SELECT * FROM user", "p", "server_table");
    case.goes("SHOW TABLES", "p", "server_table");
    case.goes("SELECT * FROM shop.orders", "r", "read");
}

#[test]
fn windows_end() {
    let mut case = Case::new("[routing]\nconsistency='sticky=300ms'\n");
    case.wrote = Some(Duration::from_millis(299));
    case.goes("SELECT 1", "p", "sticky");
    case.wrote = Some(Duration::from_millis(300));
    case.goes("SELECT 1", "r", "read");
    let mut case = Case::new("[routing]\nconsistency='global'\nsticky_window='1s'\n");
    case.anyone_wrote = Some(Duration::from_millis(999));
    case.goes("SELECT 1", "p", "sticky_global");
    case.wrote = case.anyone_wrote;
    case.goes("SELECT 1", "p", "sticky");
    (case.wrote, case.anyone_wrote) = (None, Some(Duration::from_secs(1)));
    case.goes("SELECT 1", "r", "read");
}

#[test]
fn the_reason_says_why_no_replica_qualifies() {
    let down = |state: &mut ServerState| {
        state.health = Health::Down { since: clock::now(), reason: "gone".into() };
    };
    let lags = |state: &mut ServerState| state.lag = Lag::Known(Duration::from_millis(1001));
    let stopped = |state: &mut ServerState| state.lag = Lag::Stopped;
    let mut case = Case::new("[routing]\nmax_lag='1s'\n");
    case.at(1, lags);
    case.goes("SELECT 1", "r2", "read");
    case.at(2, down);
    case.goes("SELECT 1", "p", "replicas_lagging");
    // It is content with more, or with less.
    case.goes("SELECT 1 /* pointsman: max_lag=2s */", "r1", "read");
    case.at(1, stopped);
    case.goes("SELECT 1", "p", "replicas_stopped");
    case.at(1, |state| state.lag = Lag::Unknown);
    case.goes("SELECT 1", "p", "lag_unknown");
    case.at(1, down);
    case.goes("SELECT 1", "p", "replicas_down");
    case.at(1, |state| *state = ServerState::default());
    case.goes("SELECT 1", "p", "replicas_down");
    // What was seen too long ago is not known.
    let mut case = Case::new("");
    for replica in [1, 2] {
        case.at(replica, |state| state.seen = state.observed);
    }
    case.goes("SELECT 1", "p", "lag_unknown");
    // A pool of its own has its own limit and its own way out; one without replicas refuses nothing.
    case.goes("SELECT 1 /* pointsman: pool=analytics */", "a1", "hint_pool");
    case.at(3, |state| state.lag = Lag::Known(Duration::from_secs(59)));
    case.goes("SELECT 1 /* pointsman: pool=analytics */", "a1", "hint_pool");
    case.at(3, |state| state.lag = Lag::Known(Duration::from_secs(61)));
    case.goes("SELECT 1 /* pointsman: pool=analytics */", "refuse", "replicas_lagging");
    case.goes("INSERT INTO t VALUES (1) /* pointsman: pool=analytics */", "p", "write");
    case.goes("SELECT 1 /* pointsman: pool=empty */", "p", "no_replica");
    case.goes("SELECT 1 /* pointsman: pool=unheard_of */", "p", "no_replica");
    case.servers.truncate(1);
    case.goes("SELECT 1", "p", "no_replica");
}

#[test]
fn the_least_busy_for_its_weight_is_chosen_and_ties_are_shared() {
    let mut case = Case::new("");
    case.load = vec![0, 3, 2, 0];
    case.goes("SELECT 1", "r2", "read");
    case.load = vec![0, 2, 3, 0];
    case.goes("SELECT 1", "r1", "read");
    // Twice the weight, twice the load.
    case.servers[1].weight = 2;
    case.load = vec![0, 4, 2, 0];
    case.goes("SELECT 1", "r1", "read");
    case.load = vec![0, 6, 2, 0];
    case.goes("SELECT 1", "r2", "read");
    // None at all.
    case.servers[1].weight = 0;
    case.load = vec![0, 0, 100, 0];
    case.goes("SELECT 1", "r2", "read");

    case.servers[1].weight = 1;
    case.load = vec![0; 4];
    let mut chosen = [0; 4];
    for nth in 0_u64..1000 {
        case.random = nth.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16;
        let Target::Replica(id) = case.decide("SELECT 1").target else { panic!("no replica") };
        chosen[usize::from(id.0)] += 1;
    }
    assert!((400..=600).contains(&chosen[1]) && chosen[1] + chosen[2] == 1000, "{chosen:?}");
}
