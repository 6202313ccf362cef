//! Questions whose answers show the session's state.

use crate::answer::Answer;
use crate::session::Session;
use crate::state::{PreparedKind, REFERENCES, Transaction, Variable, names};

/// How many questions there are.
const QUESTIONS: usize = 19;

impl Session<'_> {
    /// Asks one of them.
    pub async fn probe(&mut self) {
        let question = self.random.below(QUESTIONS);
        self.ask(question).await;
    }

    /// Asks so many different ones.
    pub async fn probe_some(&mut self, questions: usize) {
        let first = self.random.below(QUESTIONS);
        for at in 0..questions {
            self.ask((first + at * 7) % QUESTIONS).await;
        }
    }

    async fn ask(&mut self, question: usize) {
        let state = self.state.clone();
        let mode = state.mode.unwrap_or(&self.world.defaults.mode).to_owned();
        let some = |text: &str| Answer::value(text.to_owned());
        match question {
            0 => self.variables().await,
            1 => {
                let at = state.time_zone.map(|hours| format!("1970-01-01 {hours:02}:00:00"));
                let expected = Answer::value(at.unwrap_or_else(|| self.world.defaults.epoch.clone()));
                self.expect("SELECT FROM_UNIXTIME(0)", expected).await;
            }
            2 => self.expect("SELECT 1/3", Answer::value(format!("0.{}", "3".repeat(state.digits)))).await,
            3 => self.expect("SELECT DAYNAME('2024-01-01')", some(state.day)).await,
            4 => {
                let joined = if mode.contains("PIPES_AS_CONCAT") { "ab" } else { "0" };
                self.expect("SELECT 'a' || 'b'", some(joined)).await;
            }
            5 => {
                let length = if mode.contains("NO_BACKSLASH_ESCAPES") { "4" } else { "3" };
                self.expect("SELECT LENGTH('a\\nb')", some(length)).await;
            }
            6 => {
                let text = if mode.contains("ANSI_QUOTES") { "app-name-1" } else { "name" };
                self.expect("SELECT \"name\" FROM app.ref WHERE id = 1", some(text)).await;
            }
            7 => {
                if let Some(collation) = state.collation {
                    let charset = collation.split('_').next().unwrap_or_default().to_owned();
                    let row = vec![Some(collation.to_owned()), Some(charset)];
                    self.expect("SELECT COLLATION('x'), @@character_set_client", Answer::Rows(vec![row])).await;
                }
            }
            8 => self.expect("SELECT DATABASE()", some(state.schema)).await,
            9 => {
                let id = 1 + self.random.below(REFERENCES);
                let name = names(state.schema).swap_remove(id - 1);
                self.expect(&format!("SELECT name FROM ref WHERE id = {id}"), Answer::value(name)).await;
            }
            10 => {
                let isolation = self.world.isolation();
                let row = [
                    if state.autocommit { "1" } else { "0" }.to_owned(),
                    state
                        .isolation
                        .map_or_else(|| self.world.defaults.isolation.clone(), |name| name.replace(' ', "-")),
                    mode,
                ];
                let expected = Answer::Rows(vec![row.map(Some).to_vec()]);
                self.expect(&format!("SELECT @@autocommit, {isolation}, @@sql_mode"), expected).await;
            }
            11 => match &state.temporary[0] {
                Some(rows) => {
                    let expected = Answer::column(state.limited(rows.clone()));
                    self.expect("SELECT x FROM app.tmp ORDER BY n", expected).await;
                }
                None => self.expect_error("SELECT x FROM app.tmp ORDER BY n", 1146).await,
            },
            12 => {
                let rows = state.temporary[1].clone().unwrap_or_else(|| vec!["real".to_owned()]);
                let expected = Answer::column(state.limited(rows));
                self.expect("SELECT x FROM app.shadow ORDER BY n", expected).await;
            }
            13 if !state.behind => {
                let expected = Answer::column(self.rows());
                let sql = format!("SELECT tag FROM {} WHERE owner = {} ORDER BY id", self.table(), self.id);
                self.expect(&sql, expected).await;
            }
            13 | 14 => {
                let expected = Answer::value(state.last_insert_id.to_string());
                self.expect("SELECT LAST_INSERT_ID()", expected).await;
            }
            15 => match state.text {
                Some(tag) => self.expect("EXECUTE p", Answer::value(tag)).await,
                None if state.transaction == Transaction::ReadOnly => {}
                None => self.expect_error("EXECUTE p", 1243).await,
            },
            16 => {
                let whole = names("app").join(",").len();
                let length = state.concat.map_or(whole, |most| whole.min(most));
                let sql = "SELECT LENGTH(GROUP_CONCAT(name ORDER BY id)) FROM app.ref";
                self.expect(sql, Answer::value(length.to_string())).await;
            }
            17 => {
                let ids: Vec<String> = (1..=REFERENCES).map(|id| id.to_string()).collect();
                self.expect("SELECT id FROM app.ref ORDER BY id", Answer::column(state.limited(ids))).await;
            }
            _ => {
                let id = self.raw.greeting.as_ref().unwrap().thread_id;
                self.expect("SELECT CONNECTION_ID()", Answer::value(id.to_string())).await;
                self.clock_and_handler().await;
            }
        }
    }

    async fn variables(&mut self) {
        let known = [("@a", &self.state.a), ("@b", &self.state.b)].into_iter().filter_map(|(name, variable)| {
            let Variable::Is(value) = variable else { return None };
            Some((name, value.clone()))
        });
        let (names, values): (Vec<_>, Vec<_>) = known.unzip();
        if !names.is_empty() {
            self.expect(&format!("SELECT {}", names.join(", ")), Answer::Rows(vec![values])).await;
        }
    }

    async fn clock_and_handler(&mut self) {
        match self.state.timestamp {
            Some(at) => self.expect("SELECT UNIX_TIMESTAMP()", Answer::value(at.to_string())).await,
            None => {
                let answer = self.query("SELECT UNIX_TIMESTAMP() > 1700000000").await;
                self.compare("UNIX_TIMESTAMP()", &answer, &Answer::value("1".to_owned()));
            }
        }
        if self.state.transaction == Transaction::ReadOnly {
            return;
        }
        if self.state.handler {
            let row = vec![Some("1".to_owned()), Some("app-name-1".to_owned())];
            self.expect("HANDLER h READ FIRST", Answer::Rows(vec![row])).await;
        } else {
            self.expect_error("HANDLER h READ FIRST", 1109).await;
        }
    }

    /// Runs one of its prepared statements.
    pub async fn execute_one(&mut self) {
        if self.state.prepared.is_empty() {
            return;
        }
        let at = self.random.below(self.state.prepared.len());
        let statement = self.state.prepared[at].clone();
        let number = 1 + self.random.below(REFERENCES);
        let parameter = number.to_string();
        let (parameter, expected) = match statement.kind {
            PreparedKind::Echo => (parameter.clone(), Answer::value(format!("{parameter}-{}", statement.tag))),
            PreparedKind::Variable => {
                let Variable::Is(a) = self.state.a.clone() else { return };
                let a = a.unwrap_or_else(|| "none".to_owned());
                (parameter.clone(), Answer::value(format!("{parameter}-{a}")))
            }
            PreparedKind::Name => {
                let name = names(statement.schema).swap_remove(number - 1);
                (parameter, Answer::value(name))
            }
            PreparedKind::Insert => return self.execute_insert(&statement).await,
        };
        let answer = self.execute(&statement, &parameter).await;
        self.compare(&format!("{statement:?}"), &answer, &expected);
    }

    async fn execute_insert(&mut self, statement: &crate::state::Prepared) {
        let tag = self.tag();
        match self.execute(statement, &tag).await {
            Answer::Done { affected: 1, insert_id } => self.inserted(vec![tag], insert_id),
            answer if self.state.transaction == Transaction::ReadOnly => {
                self.compare("a prepared INSERT", &answer, &Answer::Error(1792, String::new()));
            }
            answer => self.wrong(&format!("a prepared INSERT gave {answer:?}")),
        }
    }
}
