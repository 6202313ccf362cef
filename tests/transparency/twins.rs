//! Two sets of servers of one family that live through the same: one is spoken to directly, one through the proxy, which
//! has a replica to send reads to. Every statement runs on both, so that ids and counters stay equal.

use std::collections::BTreeSet;

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use pointsman::cluster::Flavor;
use pointsman::sandbox::{Sandbox, SandboxOptions, SandboxServer};
use pointsman::wire::Capabilities;

use crate::corpus;
use crate::forms::{Behind, PLAIN};
use crate::masks::Facts;
use crate::relay::Relay;
use crate::support;
use crate::support::raw::Raw;
use crate::support::tls::Authority;

/// The account of sections that administer: all rights.
const ADMIN: &str = "admin";

/// Of the users that the proxy knows, those that are not the sandbox's own.
const USERS: &str =
    "[[users]]\nname='admin'\npassword='admin-secret'\n[[users]]\nname='plain'\npassword='plain-secret'\n";

/// Replicas may be behind as long as they like: they are waited for.
const ROUTING: &str = "[routing]\nconsistency='eventual'\nmax_lag='1h'\n";

/// Which servers.
#[derive(Debug, Clone, Copy)]
pub struct Servers {
    pub flavor: Flavor,
    /// The newer MariaDB that scripts/get-mariadb.sh brings.
    pub newer: bool,
}

impl Servers {
    async fn start(self, options: SandboxOptions) -> Option<Sandbox> {
        if self.newer {
            support::start_newer_mariadb(options).await
        } else {
            support::start(self.flavor, options).await
        }
    }
}

/// Both sets, and the proxy before the second.
pub struct Twins {
    pub flavor: Flavor,
    pub newer: bool,
    direct: Sandbox,
    behind: Sandbox,
    proxy: support::Proxy,
    /// How the proxy speaks to its servers.
    stands: Behind,
    /// Between the proxy and its servers, if it is to convert.
    relays: Vec<Relay>,
    /// Reads that ran on the replica and on the primary, by proxies that are gone.
    reads: [f64; 2],
    /// State mismatches of proxies that are gone.
    misread: u64,
    /// Its folder holds the servers' certificates.
    _authority: Authority,
    admin: [Conn; 2],
    primary: Conn,
    replica: Conn,
    position: String,
    /// Where the primary was when nothing was left to be dropped.
    tidied: String,
    fixtures: BTreeSet<String>,
    /// What ran last, for those who look for what ended a server.
    pub last: String,
}

impl Twins {
    /// None, after having said why: no server of this family here.
    pub async fn start(servers: Servers) -> Option<Self> {
        let flavor = servers.flavor;
        let authority = Authority::new();
        authority.sign("server", &["localhost"]);
        let mut extra = vec![
            "--local-infile=1",
            "--event-scheduler=OFF",
            "--innodb-stats-auto-recalc=OFF",
            "--log-bin-trust-function-creators=1",
            "--innodb-lock-wait-timeout=2",
            "--lock-wait-timeout=5",
            "--innodb-buffer-pool-size=64M",
        ];
        if flavor == Flavor::MySql {
            extra.extend(["--innodb-redo-log-capacity=64M", "--partial-revokes=OFF"]);
        }
        let mut extra: Vec<String> = extra.into_iter().map(str::to_owned).collect();
        extra.extend(authority.server_options("server"));
        let options = |replicas| SandboxOptions { replicas, extra: extra.clone(), ..SandboxOptions::default() };
        let (direct, behind) = tokio::join!(servers.start(options(0)), servers.start(options(1)));
        let (direct, behind) = (direct?, behind?);
        let mut admin = [direct.primary().root().await.unwrap(), behind.primary().root().await.unwrap()];
        for conn in &mut admin {
            for user in [ADMIN, "plain"] {
                run(conn, &format!("CREATE USER '{user}'@'%' IDENTIFIED BY '{user}-secret'")).await;
            }
            run(conn, "GRANT ALL ON *.* TO 'admin'@'%' WITH GRANT OPTION").await;
            run(conn, "GRANT SELECT ON app.* TO 'plain'@'%'").await;
            run(conn, "GRANT ALL ON `app2`.* TO 'app'@'%'").await;
            run(conn, "GRANT ALL ON `made%`.* TO 'app'@'%'").await;
        }
        let proxy = proxy(&behind, PLAIN, &[]).await;
        let (primary, replica) = (behind.primary().root().await.unwrap(), behind.replicas()[0].root().await.unwrap());
        let mut twins = Self {
            flavor,
            newer: servers.newer,
            direct,
            behind,
            proxy,
            stands: PLAIN,
            relays: Vec::new(),
            reads: [0.0; 2],
            misread: 0,
            _authority: authority,
            admin,
            primary,
            replica,
            position: String::new(),
            tidied: String::new(),
            fixtures: BTreeSet::new(),
            last: String::new(),
        };
        twins.settle().await;
        Some(twins)
    }

    /// Where the clients of both sides connect: directly, and to the proxy.
    pub fn addresses(&self) -> [std::net::SocketAddr; 2] {
        [self.direct.primary().address(), self.proxy.listen()]
    }

    /// Puts a proxy before the second that speaks to its servers like this.
    pub async fn stand(&mut self, behind: Behind) {
        if self.stands != behind || behind.converts {
            let mut relays = Vec::new();
            for server in self.behind.servers().iter().filter(|_| behind.converts) {
                relays.push(Relay::start(server.address()).await);
            }
            let proxy = proxy(&self.behind, behind, &relays).await;
            let old = std::mem::replace(&mut self.proxy, proxy);
            self.stands = behind;
            add(&mut self.reads, reads(&old).await);
            self.misread += old.shared().metrics.state_mismatches();
            old.stop().await;
            self.relays = relays;
        }
        // Clients are offered what the servers can do as soon as they were seen.
        let [direct, here] = self.addresses();
        let offered = async |address| Raw::open(address).await.greeting.map(|greeting| greeting.capabilities & OFFERED);
        let wanted = offered(direct).await;
        support::until("clients are offered what they are directly", || async { offered(here).await == wanted }).await;
        self.relays.iter().for_each(Relay::offer_less);
    }

    /// Replies that reported another state than their statements say.
    pub fn misread(&self) -> u64 {
        self.misread + self.proxy.shared().metrics.state_mismatches()
    }

    /// What is known of both sides. Behind the proxy it may be either server that answered.
    pub async fn facts(&mut self) -> [Facts; 2] {
        let mut all = Vec::new();
        for servers in [&self.direct, &self.behind] {
            let mut facts = Facts::default();
            for server in servers.servers() {
                facts.server.extend([server.port().to_string(), folder(server)]);
            }
            all.push(facts);
        }
        if self.flavor == Flavor::MySql {
            for (facts, conn) in all.iter_mut().zip(&mut self.admin) {
                facts.server.extend(conn.query_first::<String, _>("SELECT @@server_uuid").await.unwrap());
            }
            all[1].server.extend(self.replica.query_first::<String, _>("SELECT @@server_uuid").await.unwrap());
        }
        all.try_into().unwrap()
    }

    /// Both sides as at the beginning.
    pub async fn rebuild(&mut self) {
        for statement in corpus::fixtures(self.flavor) {
            for conn in &mut self.admin {
                run(conn, &statement).await;
            }
        }
        self.settle().await;
        self.fixtures = objects(&mut self.admin[0], "the fixtures").await.into_iter().collect();
        self.tidied.clone_from(&self.position);
    }

    /// Drops what a section left.
    pub async fn tidy(&mut self) {
        self.settle().await;
        if self.position == self.tidied {
            return;
        }
        for conn in &mut self.admin {
            let left: Vec<String> =
                objects(conn, &self.last).await.into_iter().filter(|object| !self.fixtures.contains(object)).collect();
            if !left.is_empty() {
                run(conn, "SET foreign_key_checks = 0").await;
            }
            for object in left {
                run(conn, &format!("DROP {object}")).await;
            }
        }
        self.settle().await;
        self.tidied.clone_from(&self.position);
    }

    /// Waits until the replica holds what the primary has written.
    pub async fn settle(&mut self) {
        let mariadb = self.flavor == Flavor::MariaDb;
        let ask = if mariadb { "SELECT @@global.gtid_binlog_pos" } else { "SELECT @@global.gtid_executed" };
        let asked = self.primary.query_first(ask).await;
        let position: String = asked.unwrap_or_else(|error| panic!("after {}: {error}", self.last)).unwrap_or_default();
        if position == self.position {
            return;
        }
        let wait = if mariadb { "MASTER_GTID_WAIT" } else { "WAIT_FOR_EXECUTED_GTID_SET" };
        let reached: Option<Option<i64>> = self
            .replica
            .query_first(format!("SELECT {wait}('{position}', 20)"))
            .await
            .unwrap_or_else(|error| panic!("after {}: {error}", self.last));
        if reached.flatten() != Some(0) {
            panic!("the replica does not follow: {}", self.behind.replicas()[0].replication_state().await);
        }
        self.position = position;
    }

    /// Ends all; how many reads ran on the replica, and on the primary.
    pub async fn end(mut self) -> [f64; 2] {
        add(&mut self.reads, reads(&self.proxy).await);
        self.proxy.stop().await;
        self.direct.stop().await;
        self.behind.stop().await;
        self.reads
    }
}

/// What a client is offered on both sides alike. CACHE_METADATA is never offered by the proxy.
const OFFERED: Capabilities =
    Capabilities::OFFERED.with(Capabilities::COMPRESSION).with(Capabilities::SSL).without(Capabilities::CACHE_METADATA);

/// Reads that ran on the replica and on the primary.
async fn reads(proxy: &support::Proxy) -> [f64; 2] {
    let text = support::metrics_of(proxy).await;
    ["replica", "primary"].map(|target| {
        let lines = text.lines().filter(|line| {
            line.starts_with("pointsman_statements_total{")
                && line.contains("kind=\"select\"")
                && line.contains(&format!("target=\"{target}\""))
        });
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    })
}

fn add(sums: &mut [f64; 2], more: [f64; 2]) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum += more;
    }
}

async fn proxy(servers: &Sandbox, behind: Behind, relays: &[Relay]) -> support::Proxy {
    let Behind { compression, tls, .. } = behind;
    let mut text = support::configuration(servers, &format!("{ROUTING}{USERS}"));
    for (server, relay) in servers.servers().iter().zip(relays) {
        text = text.replace(&format!("address='{}'", server.address()), &format!("address='{}'", relay.address()));
    }
    let text = text.replace("\nrole=", &format!("\ncompression='{compression}'\ntls='{tls}'\nrole="));
    // However busy the machine is, reads go to the replica: where a statement runs can be told by some replies.
    let text = text.replace("interval='50ms'", "interval='50ms'\ntimeout='30s'");
    let proxy = support::proxy_of(&text).await;
    // They are counted entry by entry, and fail the run at its end.
    proxy.expect_mismatches();
    proxy
}

async fn run(conn: &mut Conn, statement: &str) {
    conn.query_drop(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

fn folder(server: &SandboxServer) -> String {
    let socket = server.socket();
    socket.parent().unwrap().to_str().unwrap().to_owned()
}

/// All that users have made, as it stands behind DROP.
async fn objects(conn: &mut Conn, last: &str) -> Vec<String> {
    const OWN: &str = "('mysql', 'sys', 'information_schema', 'performance_schema')";
    let list = format!(
        "SELECT CONCAT('DATABASE `', schema_name, '`') FROM information_schema.schemata WHERE schema_name NOT IN \
         ('mysql', 'sys', 'information_schema', 'performance_schema', 'app') UNION ALL \
         SELECT CONCAT(CASE table_type WHEN 'VIEW' THEN 'VIEW' WHEN 'SEQUENCE' THEN 'SEQUENCE' ELSE 'TABLE' END, ' `', \
         table_schema, '`.`', REPLACE(table_name, '`', '``'), '`') FROM information_schema.tables WHERE table_schema = 'app' UNION ALL \
         SELECT CONCAT(routine_type, ' `', routine_schema, '`.`', routine_name, '`') FROM information_schema.routines WHERE \
         routine_schema NOT IN {OWN} UNION ALL \
         SELECT CONCAT('EVENT `', event_schema, '`.`', event_name, '`') FROM information_schema.events WHERE event_schema = 'app'"
    );
    conn.query(list).await.unwrap_or_else(|error| panic!("after {last}: {error}"))
}
