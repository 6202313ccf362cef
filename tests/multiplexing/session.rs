//! One session: what it may do next, and doing it.

use std::sync::{Arc, Mutex};

use tokio::time::Instant;

use crate::World;
use crate::answer::Answer;
use crate::state::{Prepared, State, Transaction};
use crate::support::random::Random;
use crate::support::raw::{Login, Raw};
use pointsman::sandbox::Account;

/// What a session sent and got, for whoever has to find out why.
pub type Log = Arc<Mutex<Vec<String>>>;

/// The rows of a task's table, of all its sessions.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Committed.
    pub certain: Vec<String>,
    /// Sent, and nobody waited for the answer: there once or not at all.
    pub maybe: Vec<String>,
}

/// One session of a task.
pub struct Session<'a> {
    pub world: &'a World,
    pub ledger: &'a mut Ledger,
    pub random: Random,
    pub task: usize,
    /// Of this session alone.
    pub id: u64,
    pub raw: Raw,
    pub state: State,
    /// Its committed rows, as they were inserted.
    pub own: Vec<String>,
    log: Log,
    made: u32,
}

/// How a session went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    GoesOn,
    HasEnded,
}

impl<'a> Session<'a> {
    pub async fn new(world: &'a World, ledger: &'a mut Ledger, task: usize, number: usize, log: Log) -> Self {
        let id = (task * 100_000 + number) as u64;
        let mut random = Random::new(world.seed.wrapping_mul(1_000_003).wrapping_add(id));
        let account = world.account(&mut random);
        let raw = Raw::login(world.address, &login(account)).await;
        log.lock().unwrap().push(format!("session {id} as {}", account.user));
        Self { world, ledger, random, task, id, raw, state: State::new(account), own: Vec::new(), log, made: 0 }
    }

    /// The table of this task.
    pub fn table(&self) -> String {
        format!("app.w{}", self.task)
    }

    /// A text that nobody else has.
    pub fn tag(&mut self) -> String {
        self.made += 1;
        format!("s{}-{}", self.id, self.made)
    }

    pub fn note(&self, line: impl Into<String>) {
        self.log.lock().unwrap().push(line.into());
    }

    /// The account, the id, and what was said until now: for a panic.
    pub fn wrong(&self, what: &str) -> ! {
        panic!("session {}: {what}\nmodel: {:?}", self.id, self.state)
    }

    pub async fn query(&mut self, sql: &str) -> Answer {
        self.note(format!("> {sql}"));
        let began = Instant::now();
        let packets = self.raw.query(sql).await;
        self.world.took(began.elapsed(), self.id, sql);
        self.answered(&packets, false)
    }

    pub fn answered(&self, packets: &[crate::support::raw::Packet], binary: bool) -> Answer {
        let answer = Answer::read(packets, binary);
        self.note(format!("  {answer:?}"));
        self.world.step();
        answer
    }

    pub async fn execute(&mut self, statement: &Prepared, parameter: &str) -> Answer {
        self.note(format!("> execute {:?} with {parameter}", statement.kind));
        let packets = self.raw.execute(statement.id, 0, &[Some(parameter.as_bytes())]).await;
        self.answered(&packets, true)
    }

    /// Whether a refusal is one that the documents promise: not a wrong answer, but none.
    fn is_promised(&self, answer: &Answer) -> bool {
        let Answer::Error(code, text) = answer else { return false };
        let given_back = *code == 1105 && text.starts_with("pointsman: the connection that ran the previous");
        let on_replica = *code == 1792 && text.starts_with("pointsman: ");
        given_back || (on_replica && self.state.transaction == Transaction::ReadOnly)
    }

    /// Holds an answer against the model's.
    pub fn compare(&self, sql: &str, answer: &Answer, expected: &Answer) {
        let same = match (answer, expected) {
            // Texts of errors hang on names and versions.
            (Answer::Error(code, _), Answer::Error(expected, _)) => code == expected,
            _ => answer == expected,
        };
        if same {
            return;
        }
        if self.is_promised(answer) {
            self.world.refused();
            return;
        }
        self.wrong(&format!("{sql}\n  gave     {answer:?}\n  expected {expected:?}"));
    }

    pub async fn expect(&mut self, sql: &str, expected: Answer) {
        let answer = self.query(sql).await;
        self.compare(sql, &answer, &expected);
    }

    pub async fn expect_error(&mut self, sql: &str, code: u16) {
        self.expect(sql, Answer::Error(code, String::new())).await;
    }

    /// A statement without rows, which must succeed: affected rows, insert id.
    pub async fn run(&mut self, sql: &str) -> (u64, u64) {
        match self.query(sql).await {
            Answer::Done { affected, insert_id } => (affected, insert_id),
            answer => self.wrong(&format!("{sql}\n  gave {answer:?}")),
        }
    }

    /// What was inserted is committed, or not.
    pub fn end_transaction(&mut self, committed: bool) {
        let staged = std::mem::take(&mut self.state.staged);
        if committed {
            self.own.extend(staged.iter().cloned());
            self.ledger.certain.extend(staged);
        }
        self.state.savepoint = None;
        self.state.transaction = Transaction::None;
    }

    /// After an INSERT.
    pub fn inserted(&mut self, tags: Vec<String>, insert_id: u64) {
        if insert_id == 0 {
            self.wrong("an insert without an id");
        }
        self.state.last_insert_id = insert_id;
        self.state.behind = false;
        self.state.staged.extend(tags);
        if self.state.is_outside() {
            self.end_transaction(true);
        }
    }

    /// The rows that it sees of its own.
    pub fn rows(&self) -> Vec<String> {
        self.state.limited(self.own.iter().chain(&self.state.staged).cloned().collect())
    }
}

/// A login in the schema `app`.
pub fn login(account: Account) -> Login {
    Login { schema: Some("app".into()), ..Login::new(account.user, account.password) }
}
