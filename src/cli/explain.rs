//! `pointsman explain`: where a statement goes, and why. The same plan that a running proxy makes, against servers that
//! are assumed to be well (or as the options say).

use std::io::BufRead as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::json;

use super::load::ConfigArgs;
use super::print;
use crate::clock;
use crate::cluster::{Cluster, Health, Lag, Replication, Role, Server, ServerId, ServerState};
use crate::config::{Config, NoVariables, Source, parse};
use crate::routing::{Policy, Route, RouteReason, Surroundings, Target};
use crate::session::{Base, Environment, Job, Plan, Session};
use crate::sql::{Classified, Classifier};
use crate::wire::command::code;
use crate::wire::inbox::RawCommand;
use crate::wire::{Capabilities, Command};

/// `pointsman explain`.
#[derive(Debug, Clone, clap::Args)]
pub struct ExplainArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The statement. Without it, statements are read from standard input, one a line
    sql: Option<String>,
    /// Run this statement in the session first; may be given several times
    #[arg(long, value_name = "SQL")]
    before: Vec<String>,
    /// Explain it as a prepared statement of the binary protocol, at its EXECUTE
    #[arg(long)]
    prepared: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// The session's user. Default: the first of the configuration
    #[arg(long)]
    user: Option<String>,
    /// The session's schema
    #[arg(long)]
    schema: Option<String>,
    /// The servers' sql_mode
    #[arg(long, default_value = "", hide_default_value = true)]
    sql_mode: String,
    /// The session's character set
    #[arg(long, default_value = "utf8mb4")]
    charset: String,
    /// Assume that replicas lag so many milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    lag: u64,
    /// So many milliseconds pass after each of the statements before
    #[arg(long, value_name = "MS", default_value_t = 0)]
    wait: u64,
}

pub(super) fn explain(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let config = if args.config.file().is_some() {
        match args.config.load() {
            Ok(loaded) => loaded.config,
            Err(code) => return Ok(code),
        }
    } else {
        assumed()?
    };
    let explainer = Explainer::new(
        config,
        Assumptions {
            lag: Duration::from_millis(args.lag),
            wait: Duration::from_millis(args.wait),
            sql_mode: args.sql_mode.clone(),
            charset: args.charset.clone(),
            user: args.user.clone(),
            schema: args.schema.clone(),
        },
    );
    let show = |sql: &str| {
        let explained = explainer.explain(sql, &args.before, args.prepared);
        print(&if args.json { format!("{}\n", explained.json()) } else { explained.text() });
    };
    match &args.sql {
        Some(sql) => show(sql),
        None => {
            for line in std::io::stdin().lock().lines() {
                let line = line?;
                if !line.trim().is_empty() {
                    show(&line);
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A primary and two replicas, for those who have no configuration yet.
fn assumed() -> anyhow::Result<Config> {
    let text = "[[servers]]\nname='primary'\naddress='127.0.0.1:1'\nrole='primary'\n\
                [[servers]]\nname='replica1'\naddress='127.0.0.1:2'\nrole='replica'\n\
                [[servers]]\nname='replica2'\naddress='127.0.0.1:3'\nrole='replica'\n\
                [[users]]\nname='app'\npassword=''\n";
    Ok(parse(Some(Source { name: "assumed", text }), &NoVariables)?.config)
}

/// What is assumed of servers and session.
#[derive(Debug, Clone, Default)]
pub struct Assumptions {
    /// Every replica's lag.
    pub lag: Duration,
    /// What passes after each statement.
    pub wait: Duration,
    /// The servers' `sql_mode`.
    pub sql_mode: String,
    /// The session's character set.
    pub charset: String,
    /// The session's user; None: the first configured.
    pub user: Option<String>,
    /// The session's schema.
    pub schema: Option<String>,
}

/// Explains statements under one configuration.
pub struct Explainer {
    config: Config,
    policy: Policy,
    classifier: Classifier,
    cluster: Cluster,
    assumptions: Assumptions,
    now: Instant,
}

/// What was found out.
#[derive(Debug, Clone)]
pub struct Explained {
    /// The statement.
    pub sql: String,
    /// Where it goes.
    pub route: Route,
    /// `primary`, `replica`, `pinned connection`, `proxy`, `refused`.
    pub target: &'static str,
    /// The server's name, where it is one.
    pub server: Option<String>,
    classified: Option<Classified>,
    note: Option<String>,
}

impl Explainer {
    /// Servers as the assumptions say.
    #[must_use]
    pub fn new(config: Config, assumptions: Assumptions) -> Self {
        let now = clock::now();
        let well = |server: &Arc<Server>| {
            let lag = if server.role == Role::Replica { assumptions.lag } else { Duration::ZERO };
            let replication = if server.role == Role::Replica { Replication::Running } else { Replication::None };
            let state = ServerState {
                health: Health::Up,
                read_only: Some(server.role == Role::Replica),
                replication,
                lag: Lag::Known(lag),
                observed: Some(now),
                // Far enough ahead for all the time that the statements before may take.
                seen: now.checked_add(Duration::from_secs(86_400)),
                ..ServerState::default()
            };
            Server { state, ..(**server).clone() }
        };
        let cluster = Cluster::new(Cluster::from_config(&config).servers().iter().map(well).collect());
        Self {
            policy: Policy::new(&config),
            classifier: Classifier::new(config.routing.shape_cache, [1, 2], &config.routing.read_functions),
            cluster,
            config,
            assumptions,
            now,
        }
    }

    /// Runs the statements before in a session of its own, then explains `sql`.
    #[must_use]
    pub fn explain<S: AsRef<str>>(&self, sql: &str, before: &[S], prepared: bool) -> Explained {
        let assumed = &self.assumptions;
        let first = self.config.users.first().map_or("app", |user| &user.name);
        let user: Arc<str> = assumed.user.as_deref().unwrap_or(first).into();
        let charset: Box<str> =
            if assumed.charset.is_empty() { "utf8mb4".into() } else { assumed.charset.as_str().into() };
        let base = Arc::new(Base {
            resets: Box::default(),
            character_set_client: charset.clone(),
            character_set_results: charset,
            collation_connection: "utf8mb4_general_ci".into(),
            collation: 45,
            reset: None,
            sql_mode: assumed.sql_mode.as_str().into(),
            autocommit: true,
            mariadb: true,
            isolation: "REPEATABLE-READ".into(),
            wait_timeout: None,
            tells_gtids: false,
        });
        let schema = assumed.schema.as_ref().map(String::as_bytes);
        let mut session = Session::new(1, user, Capabilities::UNSEEN, schema, Some(base));
        let mut walk = Walk { explainer: self, session: &mut session, now: self.now, last_write: None };
        for statement in before {
            walk.statement(statement.as_ref(), false);
            walk.now = walk.now.checked_add(assumed.wait).unwrap_or(walk.now);
        }
        let (plan, note) = walk.plan(sql, prepared);
        self.explained(sql, plan, note)
    }

    fn explained(&self, sql: &str, plan: Plan, note: Option<String>) -> Explained {
        let proxy = || Route::new(Target::Proxy, RouteReason::Proxy);
        let (route, classified, note) = match plan {
            Plan::Run(job) => (job.route, job.classified, note),
            Plan::Refuse(error) => (
                Route::new(Target::Refuse, RouteReason::Proxy),
                None,
                Some(format!("{} ({})", error.message, error.code)),
            ),
            Plan::Answer(_)
            | Plan::ChangeUser(_)
            | Plan::Reset
            | Plan::Kill(_)
            | Plan::KillValue { .. }
            | Plan::Close(_)
            | Plan::Quit => (proxy(), None, note),
        };
        let (target, id) = match route.target {
            Target::Pinned => ("pinned", None),
            Target::Primary => ("primary", self.cluster.primary().map(|primary| primary.id)),
            Target::Replica(id) => ("replica", Some(id)),
            Target::Refuse => ("refused", None),
            Target::Proxy => ("proxy", None),
        };
        let name = |id: ServerId| self.cluster.server(id).map(|server| server.name.to_string());
        Explained { sql: sql.to_owned(), target, server: id.and_then(name), route, classified, note }
    }
}

/// A session walks through statements.
struct Walk<'a> {
    explainer: &'a Explainer,
    session: &'a mut Session,
    now: Instant,
    last_write: Option<Instant>,
}

impl Walk<'_> {
    fn ask(&mut self, payload: Vec<u8>) -> Plan {
        let environment = Environment {
            classifier: &self.explainer.classifier,
            around: Surroundings {
                cluster: &self.explainer.cluster,
                policy: &self.explainer.policy,
                load: &|_| 0,
                able: &|_| true,
                random: 0,
                now: self.now,
            },
            last_global_write: self.last_write,
            keys: [1, 2],
            memory: None,
            owners: &Vec::new,
        };
        self.session.plan(&RawCommand::new(Bytes::from(payload)), &environment)
    }

    /// Plans a statement, and takes in that it succeeded.
    fn statement(&mut self, sql: &str, prepared: bool) {
        let (plan, _) = self.plan(sql, prepared);
        if let Plan::Run(job) = plan {
            self.succeed(&job, sql);
        }
    }

    fn succeed(&mut self, job: &Job, sql: &str) {
        self.session.moves_on(job);
        let slot = job.slot(self.session.pinned());
        let outcome = self.session.predict(job);
        let text = Bytes::copy_from_slice(sql.as_bytes());
        if self.session.absorb(job, slot, &outcome, &text, [1, 2], self.now).wrote {
            self.last_write = Some(self.now);
        }
    }

    fn plan(&mut self, sql: &str, prepared: bool) -> (Plan, Option<String>) {
        if !prepared {
            return (self.ask([&[code::QUERY], sql.as_bytes()].concat()), None);
        }
        match self.ask([&[code::STMT_PREPARE], sql.as_bytes()].concat()) {
            Plan::Run(job) => {
                let crate::session::Request::Prepare(id) = job.request else { return (Plan::Run(job), None) };
                let note = format!("its PREPARE goes by: {}", job.route.reason.as_str());
                self.succeed(&job, sql);
                let mut payload = vec![code::STMT_EXECUTE];
                payload.extend_from_slice(&id.0.to_le_bytes());
                payload.extend_from_slice(&[0, 1, 0, 0, 0]);
                debug_assert!(Command::parse(&payload, Capabilities::UNSEEN).is_ok());
                (self.ask(payload), Some(note))
            }
            other => (other, None),
        }
    }
}

impl Explained {
    /// For programs.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        let shape = self.classified.as_ref().map(|classified| &classified.shape);
        let tables: Option<Vec<String>> = shape.map(|shape| {
            let name = |table: &crate::sql::TableName| match &table.schema {
                Some(schema) => format!("{schema}.{}", table.table),
                None => table.table.to_string(),
            };
            shape.tables.iter().map(name).collect()
        });
        json!({
            "sql": self.sql,
            "target": self.target,
            "server": self.server,
            "reason": self.route.reason.as_str(),
            "explanation": self.route.reason.explain(),
            "rule": self.route.rule.as_deref(),
            "kind": shape.map(|shape| crate::telemetry::kind_label(shape.kind)),
            "culprit": shape.map(|shape| &*shape.culprit).filter(|culprit| !culprit.is_empty()),
            "tables": tables,
            "fingerprint": self.classified.as_ref().map(|classified| format!("{:032x}", classified.shape.fingerprint.0)),
            "normalised": shape.map(|shape| &*shape.normalised),
            "hint_unknown": self.classified.as_ref().and_then(|classified| classified.hint.unknown.as_deref()),
            "note": self.note,
        })
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        let mut line = |name: &str, value: &str| {
            if !value.is_empty() {
                out.push_str(&format!("{name:<12} {value}\n"));
            }
        };
        let server = self.server.as_ref().map(|server| format!(" ({server})")).unwrap_or_default();
        line("statement", &self.sql);
        line("target", &format!("{}{server}", self.target));
        line("reason", &format!("{}: {}", self.route.reason.as_str(), self.route.reason.explain()));
        line("rule", self.route.rule.as_deref().unwrap_or_default());
        if let Some(classified) = &self.classified {
            line("because of", &classified.shape.culprit);
            line("kind", crate::telemetry::kind_label(classified.shape.kind));
            line("fingerprint", &format!("{:032x}", classified.shape.fingerprint.0));
            line("normalised", &classified.shape.normalised);
            line("not understood", classified.hint.unknown.as_deref().unwrap_or_default());
        }
        line("note", self.note.as_deref().unwrap_or_default());
        out.push('\n');
        out
    }
}
