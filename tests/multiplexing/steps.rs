//! What sessions do to their state.

use pointsman::cluster::Flavor;

use crate::answer::Answer;
use crate::session::{Session, Then};
use crate::state::{Prepared, PreparedKind, REFERENCES, SCHEMAS, Transaction, Variable};

/// A step, and how often it is taken beside the others.
const STEPS: &[(usize, Step)] = &[
    (26, Step::Probe),
    (6, Step::Variable),
    (8, Step::Setting),
    (3, Step::Names),
    (3, Step::Schema),
    (2, Step::Isolation),
    (2, Step::Autocommit),
    (5, Step::Begin),
    (2, Step::ReadOnly),
    (7, Step::End),
    (2, Step::Savepoint),
    (8, Step::Insert),
    (3, Step::Update),
    (3, Step::Temporary),
    (3, Step::TakeLock),
    (2, Step::DropLock),
    (1, Step::TableLock),
    (2, Step::Text),
    (5, Step::Prepare),
    (9, Step::Execute),
    (2, Step::Close),
    (2, Step::Found),
    (2, Step::Warnings),
    (1, Step::Xa),
    (1, Step::Handler),
    (1, Step::Timestamp),
    (3, Step::Call),
    (1, Step::KillQuery),
    (2, Step::Reset),
    (1, Step::ChangeUser),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Probe,
    Variable,
    Setting,
    Names,
    Schema,
    Isolation,
    Autocommit,
    Begin,
    ReadOnly,
    End,
    Savepoint,
    Insert,
    Update,
    Temporary,
    TakeLock,
    DropLock,
    TableLock,
    Text,
    Prepare,
    Execute,
    Close,
    Found,
    Warnings,
    Xa,
    Handler,
    Timestamp,
    Call,
    KillQuery,
    Reset,
    ChangeUser,
}

impl Session<'_> {
    /// Takes a step that is possible now.
    pub async fn step(&mut self) -> Then {
        let all: usize = STEPS.iter().map(|(weight, _)| weight).sum();
        let mut at = self.random.below(all);
        let mut step = Step::Probe;
        for (weight, candidate) in STEPS {
            if at < *weight {
                step = *candidate;
                break;
            }
            at -= weight;
        }
        let outside = self.state.is_outside();
        let possible = match step {
            // On a replica only what a transaction that reads there may do.
            _ if self.state.transaction == Transaction::ReadOnly => matches!(
                step,
                Step::Probe | Step::Insert | Step::Prepare | Step::Execute | Step::Close | Step::End | Step::Reset
            ),
            Step::TableLock | Step::Xa => outside && !self.state.handler,
            _ => true,
        };
        if possible {
            return self.take(step).await;
        }
        self.probe().await;
        Then::GoesOn
    }

    async fn take(&mut self, step: Step) -> Then {
        match step {
            Step::Probe => self.probe().await,
            Step::Variable => self.set_variable().await,
            Step::Setting => self.set_setting().await,
            Step::Names => self.set_names().await,
            Step::Schema => self.use_schema().await,
            Step::Isolation => self.set_isolation().await,
            Step::Autocommit => self.set_autocommit().await,
            Step::Begin => self.begin(Transaction::ReadWrite).await,
            Step::ReadOnly => self.begin(Transaction::ReadOnly).await,
            Step::End => self.end().await,
            Step::Savepoint => self.savepoint().await,
            Step::Insert => self.insert().await,
            Step::Update => self.update().await,
            Step::Temporary => self.temporary().await,
            Step::TakeLock => self.take_lock().await,
            Step::DropLock => self.drop_lock().await,
            Step::TableLock => return self.lock_tables().await,
            Step::Text => self.text().await,
            Step::Prepare => self.prepare().await,
            Step::Execute => self.execute_one().await,
            Step::Close => self.close_one().await,
            Step::Found => self.found_rows().await,
            Step::Warnings => self.warnings().await,
            Step::Xa => self.xa().await,
            Step::Handler => self.handler().await,
            Step::Timestamp => self.timestamp().await,
            Step::Call => {
                // What a function does to its connection MariaDB does not report (docs/routing.md, known gaps).
                if self.world.flavor == Flavor::MariaDb || self.random.below(2) == 0 {
                    self.run("CALL app.leaks()").await;
                } else {
                    let tag = format!("{}-by-function", self.tag());
                    self.expect(&format!("SELECT app.sets('{tag}')"), Answer::value(tag)).await;
                }
                self.state.a = Variable::Any;
            }
            Step::KillQuery => self.kill_query().await,
            Step::Reset => self.reset().await,
            Step::ChangeUser => self.change_user().await,
        }
        Then::GoesOn
    }

    async fn set_variable(&mut self) {
        let tag = self.tag();
        match self.random.below(6) {
            0 => {
                self.run("SET @a = NULL").await;
                self.state.a = Variable::Is(None);
            }
            1..=3 => {
                self.run(&format!("SET @a = '{tag}'")).await;
                self.state.a = Variable::Is(Some(tag));
            }
            4 => {
                self.run(&format!("SET @b = '{tag}'")).await;
                self.state.b = Variable::Is(Some(tag));
            }
            // What cannot be replayed binds the session to a connection.
            _ => {
                self.run(&format!("SET @b = CONCAT('{tag}', '-made')")).await;
                self.state.b = Variable::Is(Some(format!("{tag}-made")));
            }
        }
    }

    async fn set_setting(&mut self) {
        let number = self.random.below(12);
        match self.random.below(8) {
            0 => {
                self.run(&format!("SET time_zone = '+{number:02}:00'")).await;
                self.state.time_zone = Some(u32::try_from(number).unwrap());
            }
            1 => {
                self.run("SET time_zone = DEFAULT").await;
                self.state.time_zone = None;
            }
            2 => {
                let digits = 1 + number % 9;
                self.run(&format!("SET SESSION div_precision_increment = {digits}")).await;
                self.state.digits = digits;
            }
            3 => {
                let (name, day) =
                    [("de_DE", "Montag"), ("fr_FR", "lundi"), ("es_ES", "lunes"), ("en_US", "Monday")][number % 4];
                self.run(&format!("SET lc_time_names = '{name}'")).await;
                self.state.day = day;
            }
            4 => {
                self.state.limit = (number > 5).then(|| number - 3);
                let value = self.state.limit.map_or_else(|| "DEFAULT".to_owned(), |limit| limit.to_string());
                self.run(&format!("SET sql_select_limit = {value}")).await;
            }
            5 => {
                let most = 8 + 7 * number;
                self.run(&format!("SET group_concat_max_len = {most}, lc_time_names = 'en_US'")).await;
                (self.state.concat, self.state.day) = (Some(most), "Monday");
            }
            _ => {
                let modes = ["", "ANSI_QUOTES", "PIPES_AS_CONCAT", "NO_BACKSLASH_ESCAPES", "STRICT_TRANS_TABLES"];
                let mode = modes[number % modes.len()];
                self.run(&format!("SET sql_mode = '{mode}'")).await;
                self.state.mode = Some(mode);
            }
        }
    }

    async fn set_names(&mut self) {
        let collation = ["utf8mb4_bin", "utf8mb4_unicode_ci", "latin1_bin"][self.random.below(3)];
        let charset = collation.split('_').next().unwrap();
        if self.random.below(3) == 0 {
            let mode = "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES";
            self.run(&format!("set names '{charset}' collate '{collation}', session sql_mode='{mode}'")).await;
            self.state.mode = Some(mode);
        } else {
            self.run(&format!("SET NAMES {charset} COLLATE {collation}")).await;
        }
        self.state.collation = Some(collation);
    }

    async fn use_schema(&mut self) {
        let schema = SCHEMAS[self.random.below(2)];
        if self.random.below(2) == 0 {
            self.run(&format!("USE {schema}")).await;
        } else {
            self.note(format!("> COM_INIT_DB {schema}"));
            let packet = self.raw.one(&[b"\x02", schema.as_bytes()].concat()).await;
            self.answered(&[packet], false);
        }
        self.state.schema = schema;
    }

    async fn set_isolation(&mut self) {
        let level = self.random.of(&["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]);
        self.run(&format!("SET SESSION TRANSACTION ISOLATION LEVEL {level}")).await;
        self.state.isolation = Some(level);
    }

    async fn set_autocommit(&mut self) {
        let on = !self.state.autocommit;
        self.run(&format!("SET autocommit = {}", u8::from(on))).await;
        if on {
            self.end_transaction(true);
        }
        self.state.autocommit = on;
    }

    async fn begin(&mut self, kind: Transaction) {
        // It commits what is open.
        self.end_transaction(true);
        self.run(if kind == Transaction::ReadOnly { "START TRANSACTION READ ONLY" } else { "BEGIN" }).await;
        self.state.transaction = kind;
    }

    async fn end(&mut self) {
        let commit = self.random.below(5) > 1;
        self.run(if commit { "COMMIT" } else { "ROLLBACK" }).await;
        self.end_transaction(commit);
    }

    async fn savepoint(&mut self) {
        if self.state.transaction != Transaction::ReadWrite {
            return self.probe().await;
        }
        if self.random.below(2) == 0 {
            self.run("SAVEPOINT s").await;
            self.state.savepoint = Some(self.state.staged.len());
        } else if let Some(kept) = self.state.savepoint {
            self.run("ROLLBACK TO SAVEPOINT s").await;
            self.state.staged.truncate(kept);
        } else {
            self.expect_error("ROLLBACK TO SAVEPOINT s", 1305).await;
        }
    }

    async fn insert(&mut self) {
        let tags: Vec<String> = (0..1 + self.random.below(2)).map(|_| self.tag()).collect();
        let rows: Vec<String> = tags.iter().map(|tag| format!("({}, '{tag}')", self.id)).collect();
        let sql = format!("INSERT INTO {} (owner, tag) VALUES {}", self.table(), rows.join(", "));
        if self.state.transaction == Transaction::ReadOnly {
            return self.expect_error(&sql, 1792).await;
        }
        let (affected, insert_id) = self.run(&sql).await;
        if affected != tags.len() as u64 {
            self.wrong(&format!("{affected} rows were inserted"));
        }
        self.inserted(tags, insert_id);
    }

    async fn update(&mut self) {
        let (tag, table) = (self.tag(), self.table());
        let rows = (self.own.len() + self.state.staged.len()) as u64;
        let (affected, _) = self.run(&format!("UPDATE {table} SET note = '{tag}' WHERE owner = {}", self.id)).await;
        if affected != rows {
            self.wrong(&format!("{affected} rows were updated of {rows}"));
        }
        self.expect("SELECT ROW_COUNT()", Answer::value(rows.to_string())).await;
    }

    async fn text(&mut self) {
        if self.state.text.is_some() && self.random.below(2) == 0 {
            self.run("DEALLOCATE PREPARE p").await;
            self.state.text = None;
        } else {
            let tag = self.tag();
            self.run(&format!("PREPARE p FROM 'SELECT ''{tag}'''")).await;
            self.state.text = Some(tag);
        }
    }

    async fn prepare(&mut self) {
        let tag = self.tag();
        // MySQL refuses the PREPARE of a write in a READ ONLY transaction, MariaDB its EXECUTE.
        let writes = self.state.transaction != Transaction::ReadOnly;
        let (kind, sql) = match self.random.below(if writes { 5 } else { 4 }) {
            0 => (PreparedKind::Echo, format!("SELECT CONCAT(?, '-{tag}')")),
            1 => (PreparedKind::Variable, "SELECT CONCAT(?, '-', IFNULL(@a, 'none'))".to_owned()),
            // One text for all: what they share must not be what differs.
            2 | 3 => (PreparedKind::Name, "SELECT name FROM ref WHERE id = ?".to_owned()),
            _ => (PreparedKind::Insert, format!("INSERT INTO {} (owner, tag) VALUES ({}, ?)", self.table(), self.id)),
        };
        self.note(format!("> prepare {sql}"));
        let (packets, id) = self.raw.prepare(&sql).await;
        if packets[0].payload[0] != 0 {
            self.wrong(&format!("PREPARE gave {:?}", packets[0].error()));
        }
        self.state.prepared.push(Prepared { id, kind, schema: self.state.schema, tag });
        self.execute_one().await;
    }

    async fn close_one(&mut self) {
        if self.state.prepared.is_empty() {
            return;
        }
        let at = self.random.below(self.state.prepared.len());
        let gone = self.state.prepared.swap_remove(at);
        self.note(format!("> close {:?}", gone.kind));
        self.raw.send(&[&b"\x19"[..], &gone.id.to_le_bytes()].concat()).await;
        if self.random.below(3) == 0 {
            let answer = self.execute(&gone, "1").await;
            self.compare("a closed statement", &answer, &Answer::Error(1243, String::new()));
        }
    }

    async fn found_rows(&mut self) {
        if self.state.limit.is_some() {
            return self.probe().await;
        }
        let rows = 1 + self.random.below(REFERENCES);
        let ids = Answer::column((1..=rows).map(|id| id.to_string()));
        self.expect(&format!("SELECT id FROM app.ref WHERE id <= {rows} ORDER BY id"), ids).await;
        self.expect("SELECT FOUND_ROWS()", Answer::value(rows.to_string())).await;
    }

    async fn warnings(&mut self) {
        let bad = self.random.below(2) == 0;
        let text = if bad { "12x" } else { "12" };
        let row = vec![Some("12".to_owned()), Some("1".to_owned())];
        let sql = format!("SELECT CAST('{text}' AS SIGNED), id FROM app.ref WHERE id = 1");
        self.expect(&sql, Answer::Rows(vec![row])).await;
        let codes = match self.query("SHOW WARNINGS").await {
            Answer::Rows(rows) => Answer::column(rows.into_iter().filter_map(|row| row.into_iter().nth(1).flatten())),
            other => other,
        };
        let expected = if bad { vec!["1292".to_owned()] } else { Vec::new() };
        self.compare("SHOW WARNINGS", &codes, &Answer::column(expected));
    }

    async fn timestamp(&mut self) {
        let at = self.state.timestamp.is_none().then_some(1_000_000_000 + self.id);
        self.run(&format!("SET timestamp = {}", at.map_or_else(|| "DEFAULT".to_owned(), |at| at.to_string()))).await;
        self.state.timestamp = at;
    }
}
