//! Steps that bind a session to one connection, and how sessions end.

use std::time::Duration;

use crate::answer::Answer;
use crate::locks::NAMES;
use crate::session::{Session, Then, login};
use crate::state::State;
use crate::support::raw::Raw;
use pointsman::sandbox::{APP, OTHER};

impl Session<'_> {
    pub async fn temporary(&mut self) {
        let at = self.random.below(2);
        let name = ["app.tmp", "app.shadow"][at];
        let tag = self.tag();
        let next = match self.state.temporary[at].clone() {
            None => {
                // The second one hides a table that is there for all.
                self.run(&format!("CREATE TEMPORARY TABLE {name} (n INT PRIMARY KEY AUTO_INCREMENT, x VARCHAR(60))"))
                    .await;
                Some(Vec::new())
            }
            Some(_) if self.random.below(3) == 0 => {
                self.run(&format!("DROP TEMPORARY TABLE {name}")).await;
                None
            }
            Some(mut rows) if self.state.is_outside() => {
                let (_, id) = self.run(&format!("INSERT INTO {name} (x) VALUES ('{tag}')")).await;
                self.state.last_insert_id = id;
                rows.push(tag);
                Some(rows)
            }
            rows => rows,
        };
        self.state.temporary[at] = next;
    }

    pub async fn take_lock(&mut self) {
        let at = self.random.below(NAMES);
        let attempt = self.world.locks.begin(self.id, at);
        let answer = self.query(&format!("SELECT GET_LOCK('mux-{at}', 0)")).await;
        let got = match &answer {
            answer if *answer == Answer::value("1".to_owned()) => Some(true),
            answer if *answer == Answer::value("0".to_owned()) => Some(false),
            _ => None,
        };
        if let Err(what) = self.world.locks.end(self.id, &attempt, got) {
            self.wrong(&what);
        }
        match got {
            Some(true) => *self.state.locks.entry(at).or_default() += 1,
            Some(false) => {}
            None => self.wrong(&format!("GET_LOCK gave {answer:?}")),
        }
    }

    pub async fn drop_lock(&mut self) {
        let Some((&at, &times)) = self.state.locks.iter().next() else { return self.probe().await };
        if self.random.below(4) == 0 {
            let all: u32 = self.state.locks.values().sum();
            self.world.locks.leave(self.id);
            self.state.locks.clear();
            return self.expect("SELECT RELEASE_ALL_LOCKS()", Answer::value(all.to_string())).await;
        }
        if times > 1 {
            self.state.locks.insert(at, times - 1);
        } else {
            self.state.locks.remove(&at);
            self.world.locks.release(self.id, at);
        }
        self.expect(&format!("SELECT RELEASE_LOCK('mux-{at}')"), Answer::value("1".to_owned())).await;
    }

    pub async fn lock_tables(&mut self) -> Then {
        let (table, tag) = (self.table(), self.tag());
        self.run(&format!("LOCK TABLES {table} WRITE, app.ref READ")).await;
        let (_, id) = self.run(&format!("INSERT INTO {table} (owner, tag) VALUES ({}, '{tag}')", self.id)).await;
        self.inserted(vec![tag], id);
        self.expect_error("SELECT name FROM muxb.ref WHERE id = 1", 1100).await;
        if self.random.below(4) == 0 {
            return self.leave().await;
        }
        self.run("UNLOCK TABLES").await;
        self.expect("SELECT name FROM muxb.ref WHERE id = 1", Answer::value("muxb-name-1".to_owned())).await;
        Then::GoesOn
    }

    pub async fn xa(&mut self) {
        let (table, tag, name) = (self.table(), self.tag(), self.tag());
        self.run(&format!("XA START '{name}'")).await;
        let insert = format!("INSERT INTO {table} (owner, tag) VALUES ({}, '{tag}')", self.id);
        let (_, id) = self.run(&insert).await;
        self.state.last_insert_id = id;
        self.run(&format!("XA END '{name}'")).await;
        match self.random.below(3) {
            0 => {
                self.run(&format!("XA ROLLBACK '{name}'")).await;
                return;
            }
            1 => drop(self.run(&format!("XA COMMIT '{name}' ONE PHASE")).await),
            _ => {
                self.run(&format!("XA PREPARE '{name}'")).await;
                self.run(&format!("XA COMMIT '{name}'")).await;
            }
        }
        self.inserted(vec![tag], id);
    }

    pub async fn handler(&mut self) {
        let open = self.state.handler;
        let answer = self.query(if open { "HANDLER h CLOSE" } else { "HANDLER app.ref OPEN AS h" }).await;
        if matches!(answer, Answer::Error(..)) {
            self.wrong(&format!("HANDLER gave {answer:?}"));
        }
        self.state.handler = !open;
    }

    /// Another session of the account ends this one's statement, and nothing else.
    pub async fn kill_query(&mut self) {
        let id = self.raw.greeting.as_ref().unwrap().thread_id;
        self.note(format!("> SELECT SLEEP(0.2), and KILL QUERY {id}"));
        self.raw.send(b"\x03SELECT SLEEP(0.2)").await;
        tokio::time::sleep(Duration::from_millis(self.random.below(20) as u64)).await;
        let mut other = Raw::login(self.world.address, &login(self.state.account)).await;
        other.run(&format!("KILL QUERY {id}")).await;
        let packets = self.raw.more_results().await;
        match self.answered(&packets, false) {
            Answer::Rows(_) | Answer::Error(1317, _) => {}
            answer => self.wrong(&format!("a statement that was killed gave {answer:?}")),
        }
    }

    /// What a reset and a change of the user do to what is not the state's.
    fn forget(&mut self) {
        self.world.locks.leave(self.id);
        self.end_transaction(false);
    }

    pub async fn reset(&mut self) {
        self.forget();
        self.note("> COM_RESET_CONNECTION");
        let packet = self.raw.one(b"\x1f").await;
        let answer = self.answered(&[packet], false);
        if !matches!(answer, Answer::Done { .. }) {
            self.wrong("the reset failed");
        }
        let gone = self.state.prepared.pop();
        self.state = State { behind: true, ..self.state.reset() };
        if let Some(gone) = gone {
            let answer = self.execute(&gone, "1").await;
            self.compare("a statement of before the reset", &answer, &Answer::Error(1243, String::new()));
        }
        self.probe_some(3).await;
    }

    pub async fn change_user(&mut self) {
        self.forget();
        let account = if self.random.below(2) == 0 { APP } else { OTHER };
        self.note(format!("> COM_CHANGE_USER {}", account.user));
        let packets = self.raw.change_user(&login(account)).await;
        if !packets.last().is_some_and(crate::support::raw::Packet::is_ok) {
            self.wrong("the change of user failed");
        }
        self.state = State { behind: true, ..State::new(account) };
        self.probe_some(3).await;
    }

    /// Ends in one of the ways in which clients do.
    pub async fn leave(&mut self) -> Then {
        self.world.locks.leave(self.id);
        let end = self.random.below(10);
        match end {
            0..=3 => {
                self.note("> COM_QUIT");
                self.raw.try_send(b"\x01").await;
            }
            // Gone in the middle of whatever it was in.
            4 | 5 => self.note("> closes"),
            6 => self.gone_in_a_statement().await,
            7 => {
                self.note("> SELECT SLEEP(0.3), and closes");
                self.raw.try_send(b"\x03SELECT SLEEP(0.3)").await;
            }
            _ => self.killed().await,
        }
        self.end_transaction(false);
        Then::HasEnded
    }

    /// It does not wait for the answer, so nobody knows.
    async fn gone_in_a_statement(&mut self) {
        if self.state.is_outside() || self.random.below(2) == 0 {
            let tag = self.tag();
            let sql = format!("INSERT INTO {} (owner, tag) VALUES ({}, '{tag}')", self.table(), self.id);
            self.note(format!("> {sql}, and closes"));
            if self.state.is_outside() {
                self.ledger.maybe.push(tag);
            }
            self.raw.try_send(&[b"\x03", sql.as_bytes()].concat()).await;
        } else {
            self.note("> COMMIT, and closes");
            self.ledger.maybe.append(&mut self.state.staged);
            self.raw.try_send(b"\x03COMMIT").await;
        }
    }

    /// By another session.
    async fn killed(&mut self) {
        let id = self.raw.greeting.as_ref().unwrap().thread_id;
        self.note(format!("> KILL {id}"));
        let mut other = Raw::login(self.world.address, &login(self.state.account)).await;
        other.run(&format!("KILL {id}")).await;
        other.try_send(b"\x01").await;
        // Perhaps an error first, with whatever sequence id; then the end.
        for _ in 0..3 {
            if self.raw.is_over().await {
                return;
            }
        }
        self.wrong("a session that was killed lives on");
    }

    /// The task's table is as all its sessions have left it.
    pub async fn audit(&mut self) {
        let table = self.table();
        if self.ledger.certain.len() > 200 {
            self.run(&format!("DELETE FROM {table}")).await;
            self.ledger.certain.clear();
        }
        // A transaction that was given up must not hold rows any more; FOR UPDATE would wait for it, and show it.
        let answer = self.query(&format!("SELECT tag FROM {table} ORDER BY id FOR UPDATE")).await;
        let Answer::Rows(rows) = &answer else { self.wrong(&format!("the table gave {answer:?}")) };
        let mut rows: Vec<String> = rows.iter().filter_map(|row| row.first().cloned().flatten()).collect();
        rows.sort();
        let mut expected = self.ledger.certain.clone();
        expected.extend(self.ledger.maybe.iter().filter(|tag| rows.contains(tag)).cloned());
        expected.sort();
        if rows != expected {
            let lost: Vec<_> = expected.iter().filter(|tag| !rows.contains(tag)).collect();
            let more: Vec<_> = rows.iter().filter(|tag| !expected.contains(tag)).collect();
            self.wrong(&format!("of the rows these are lost: {lost:?}; these should not be there: {more:?}; {rows:?}"));
        }
    }
}
