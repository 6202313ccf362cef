//! Replication of one server: making it a replica, stopping and starting its threads, its position.

use std::time::Duration;

use mysql_async::Row;
use mysql_async::prelude::Queryable as _;

use super::accounts::{REPLICATION, statements};
use super::error::SandboxError;
use super::server::SandboxServer;
use crate::cluster::Flavor;

impl SandboxServer {
    pub(super) fn read_only_variable(&self) -> &'static str {
        match self.flavor() {
            Flavor::MySql => "super_read_only",
            Flavor::MariaDb | Flavor::Unknown => "read_only",
        }
    }

    /// The word for a replica in this family's statements.
    fn replica_word(&self) -> &'static str {
        match self.flavor() {
            Flavor::MySql => "REPLICA",
            Flavor::MariaDb | Flavor::Unknown => "SLAVE",
        }
    }

    pub(super) async fn create_accounts(&self) -> Result<(), SandboxError> {
        let mut root = self.root().await?;
        let query = "SELECT host FROM mysql.user WHERE user = ''";
        let anonymous: Vec<String> = root.query(query).await.map_err(|error| self.sql_error(query, error))?;
        for statement in statements(self.flavor(), &anonymous) {
            root.query_drop(&statement).await.map_err(|error| self.sql_error(&statement, error))?;
        }
        let _closed = root.disconnect().await;
        Ok(())
    }

    /// Makes it a read-only replica of the server on `port`, from the beginning of its binary log.
    pub(super) async fn follow(&self, port: u16) -> Result<(), SandboxError> {
        let (user, password) = (REPLICATION.user, REPLICATION.password);
        let follow = match self.flavor() {
            Flavor::MySql => format!(
                "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {port}, SOURCE_USER = '{user}', \
                 SOURCE_PASSWORD = '{password}', SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1, \
                 SOURCE_CONNECT_RETRY = 1, SOURCE_RETRY_COUNT = 100000, SOURCE_HEARTBEAT_PERIOD = 1"
            ),
            Flavor::MariaDb | Flavor::Unknown => format!(
                "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {port}, MASTER_USER = '{user}', \
                 MASTER_PASSWORD = '{password}', MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1, \
                 MASTER_HEARTBEAT_PERIOD = 1"
            ),
        };
        let start = format!("START {}", self.replica_word());
        self.run(&[follow, format!("SET GLOBAL {} = ON", self.read_only_variable()), start]).await
    }

    /// Stops applying what the primary writes: reads become stale, and the position stands still.
    pub async fn stop_sql_thread(&self) -> Result<(), SandboxError> {
        self.run(&[format!("STOP {} SQL_THREAD", self.replica_word())]).await
    }

    /// Goes on applying.
    pub async fn start_sql_thread(&self) -> Result<(), SandboxError> {
        self.run(&[format!("START {} SQL_THREAD", self.replica_word())]).await
    }

    /// Stops receiving what the primary writes.
    pub async fn stop_io_thread(&self) -> Result<(), SandboxError> {
        self.run(&[format!("STOP {} IO_THREAD", self.replica_word())]).await
    }

    /// Goes on receiving.
    pub async fn start_io_thread(&self) -> Result<(), SandboxError> {
        self.run(&[format!("START {} IO_THREAD", self.replica_word())]).await
    }

    /// Applies every transaction only so long after the primary wrote it; whole seconds.
    pub async fn set_delay(&self, delay: Duration) -> Result<(), SandboxError> {
        let (word, seconds) = (self.replica_word(), delay.as_secs());
        let change = match self.flavor() {
            Flavor::MySql => format!("CHANGE REPLICATION SOURCE TO SOURCE_DELAY = {seconds}"),
            Flavor::MariaDb | Flavor::Unknown => format!("CHANGE MASTER TO MASTER_DELAY = {seconds}"),
        };
        self.run(&[format!("STOP {word}"), change, format!("START {word}")]).await
    }

    /// Makes it refuse, or take, writes of ordinary accounts. (`read_only` also ends MySQL's `super_read_only`.)
    pub async fn set_read_only(&self, read_only: bool) -> Result<(), SandboxError> {
        self.run(&[format!("SET GLOBAL read_only = {}", u8::from(read_only))]).await
    }

    /// What it wrote or applied: a GTID position (MariaDB) or set (MySQL), empty at first.
    pub async fn position(&self) -> Result<String, SandboxError> {
        let query = match (self.flavor(), self.is_replica()) {
            (Flavor::MySql, _) => "SELECT @@global.gtid_executed",
            (_, true) => "SELECT @@global.gtid_slave_pos",
            (_, false) => "SELECT @@global.gtid_binlog_pos",
        };
        let position: Option<String> = self.first(query).await?;
        Ok(position.unwrap_or_default().replace('\n', ""))
    }

    /// Waits until it applied `position` of the primary.
    pub async fn wait_for(&self, position: &str, limit: Duration) -> Result<(), SandboxError> {
        // No wait at all is written as 0 by one family and as a negative number by the other.
        let seconds = limit.as_secs_f64().max(0.001);
        let (query, reached) = match self.flavor() {
            Flavor::MySql => (format!("SELECT WAIT_FOR_EXECUTED_GTID_SET('{position}', {seconds})"), 0),
            Flavor::MariaDb | Flavor::Unknown => (format!("SELECT MASTER_GTID_WAIT('{position}', {seconds})"), 0),
        };
        let answer: Option<Option<i64>> = self.first(&query).await?;
        if position.is_empty() || answer.flatten() == Some(reached) {
            return Ok(());
        }
        Err(SandboxError::Behind {
            name: self.name().to_owned(),
            position: position.to_owned(),
            waited: limit,
            state: self.replication_state().await,
        })
    }

    /// What it says of its replication threads, for people.
    pub async fn replication_state(&self) -> String {
        let query = format!("SHOW {} STATUS", self.replica_word());
        let row: Option<Row> = match self.first(&query).await {
            Ok(row) => row,
            Err(error) => return error.to_string(),
        };
        let Some(row) = row else { return "it replicates from no other server".to_owned() };
        let text = |names: [&str; 2]| {
            let value = names.iter().find_map(|name| row.get_opt::<Option<String>, _>(*name));
            value.and_then(Result::ok).flatten().unwrap_or_default()
        };
        let mut state = format!(
            "IO thread {}, SQL thread {}",
            text(["Replica_IO_Running", "Slave_IO_Running"]),
            text(["Replica_SQL_Running", "Slave_SQL_Running"])
        );
        for error in [text(["Last_IO_Error", "Last_IO_Error"]), text(["Last_SQL_Error", "Last_SQL_Error"])] {
            if !error.is_empty() {
                state.push_str(", ");
                state.push_str(&error);
            }
        }
        state
    }

    /// Waits until both replication threads run.
    pub(super) async fn wait_until_replicating(&self, limit: Duration) -> Result<(), SandboxError> {
        let began = crate::clock::now();
        loop {
            let state = self.replication_state().await;
            if state.starts_with("IO thread Yes, SQL thread Yes") {
                return Ok(());
            }
            if crate::clock::now().duration_since(began) > limit {
                let (name, position) = (self.name().to_owned(), "its first".to_owned());
                return Err(SandboxError::Behind { name, position, waited: limit, state });
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }
}
