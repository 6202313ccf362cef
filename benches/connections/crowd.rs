//! Thousands of clients that are logged in and do nothing, and what they cost.

use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use pointsman::sandbox::Account;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

use super::client::Client;
use super::shapes;
use super::support::process::memory;

/// Those who log in side by side.
const HANDS: usize = 8;

/// Files besides: libraries, pipes, the proxy's connections to servers, other clients.
const OTHER_FILES: u64 = 1000;

/// Buffers that are given back late.
const SETTLE: Duration = Duration::from_millis(500);

/// Clients of one proxy, and its memory for each of them, in KiB.
pub(crate) struct Crowd {
    clients: Vec<Mutex<Client>>,
    pub(crate) after_login: f64,
    pub(crate) after_query: f64,
}

/// Sees to it that this process and those that it starts may have a file open for each client.
pub(crate) fn may_have(clients: usize) -> anyhow::Result<()> {
    let wanted = clients as u64 + OTHER_FILES;
    let now = getrlimit(Resource::Nofile);
    if now.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let maximum = now.maximum.map(|maximum| maximum.max(wanted));
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).with_context(|| {
        format!("{clients} clients need {wanted} open files, and {now:?} was not raised: ulimit -n {wanted}")
    })
}

impl Crowd {
    /// Logs in so many clients, has each ask one query, and looks at the memory of process `pid` in between.
    pub(crate) fn gather(address: SocketAddr, account: Account, pid: u32, clients: usize) -> anyhow::Result<Self> {
        // What a process needs once it has served some is not of each client.
        let some = Self::log_in(address, account, HANDS * 8)?;
        Self::ask(&some)?;
        drop(some);
        std::thread::sleep(SETTLE);
        let before = memory(pid, "VmRSS")?;
        let each = || -> anyhow::Result<f64> {
            std::thread::sleep(SETTLE);
            Ok(memory(pid, "VmRSS")?.saturating_sub(before) as f64 / clients as f64)
        };
        let all = Self::log_in(address, account, clients)?;
        let after_login = each()?;
        Self::ask(&all)?;
        Ok(Self { clients: all, after_login, after_query: each()? })
    }

    fn log_in(address: SocketAddr, account: Account, clients: usize) -> anyhow::Result<Vec<Mutex<Client>>> {
        let all = Mutex::new(Vec::with_capacity(clients));
        let first_error = Mutex::new(None);
        std::thread::scope(|scope| {
            for hand in 0..HANDS {
                let (all, first_error) = (&all, &first_error);
                scope.spawn(move || {
                    for _ in (hand..clients).step_by(HANDS) {
                        let client = Client::login(address, account);
                        let (Ok(mut all), Ok(mut first_error)) = (all.lock(), first_error.lock()) else { return };
                        match client {
                            Ok(client) => all.push(Mutex::new(client)),
                            Err(error) => {
                                first_error.get_or_insert(error);
                                return;
                            }
                        }
                    }
                });
            }
        });
        let all = all.into_inner().unwrap_or_default();
        if let Some(error) = first_error.into_inner().unwrap_or_default() {
            return Err(error.context(format!("after {} of {clients} logins", all.len())));
        }
        ensure!(all.len() == clients, "{} of {clients} logins", all.len());
        Ok(all)
    }

    fn ask(clients: &[Mutex<Client>]) -> anyhow::Result<()> {
        let number = Cell::new(1);
        for client in clients {
            let mut client = client.lock().map_err(|_| anyhow::anyhow!("a client's thread panicked"))?;
            shapes::point_select(&mut client, &number)?;
        }
        Ok(())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.clients.len()
    }

    /// A query by client `at`.
    pub(crate) fn turn(&self, at: usize, number: &Cell<u64>) -> anyhow::Result<()> {
        let client = self.clients.get(at % self.clients.len().max(1)).context("no clients")?;
        let mut client = client.lock().map_err(|_| anyhow::anyhow!("a client's thread panicked"))?;
        shapes::point_select(&mut client, number)
    }

    /// One line on memory.
    pub(crate) fn text(&self, via: &str) -> String {
        format!(
            "memory: {} idle clients of {via}: {:.1} KiB each after their login, {:.1} after a query of each\n",
            self.len(),
            self.after_login,
            self.after_query
        )
    }

    /// As JSON.
    pub(crate) fn json(&self, via: &str) -> serde_json::Value {
        json!({
            "through": via, "clients": self.len(),
            "kib_after_login": self.after_login, "kib_after_query": self.after_query,
        })
    }
}
