//! Sequences of commands made by chance from a seed: statements prepared, executed with changing types, fetched, reset and
//! closed in any order, long data, resets, other users and schemas in between, and commands that are cut off, too long, or
//! have a byte changed.

use pointsman::cluster::Flavor;

use crate::corpus::{Act, Answer, Entry, Execute, Section, Value};
use crate::generate::values;
use crate::masks::Mask;
use crate::support::random::Random;

/// Commands of one sequence.
const LENGTH: usize = 45;

/// With so many parameters, and whether a cursor makes sense.
const STATEMENTS: &[(&str, usize, bool)] = &[
    ("SELECT 1", 0, false),
    ("SELECT ?", 1, false),
    ("SELECT ?, CONCAT(?, 'x'), ? IS NULL", 3, false),
    ("SELECT n FROM series ORDER BY n", 0, true),
    ("SELECT n, ? FROM series WHERE n > ? ORDER BY n", 2, true),
    ("SELECT id, name, city FROM people WHERE id <> ? ORDER BY id", 1, true),
    ("SELECT * FROM orders ORDER BY id LIMIT 3", 0, true),
    ("SELECT LENGTH(?), LENGTH(?)", 2, false),
    ("INSERT INTO made (a, b) VALUES (?, ?)", 2, false),
    ("UPDATE made SET b = ? WHERE a = 1", 1, false),
    ("DELETE FROM made", 0, false),
    ("SELECT a, b FROM made ORDER BY a, b", 0, true),
    ("SELECT * FROM nowhere WHERE a = ?", 1, false),
    ("SELEKT ?", 0, false),
    ("DO ?", 1, false),
    ("SET @seen = ?", 1, false),
];

const TEXTS: &[&str] = &[
    "SELECT 1",
    "SELECT id, name FROM people ORDER BY id",
    "SELECT a, b FROM made ORDER BY a, b",
    "INSERT INTO made VALUES (1, 'text')",
    "INSERT INTO made VALUES ('x', 'y')",
    "SELECT * FROM nowhere",
    "SELECT 1; SELECT 2, 3",
    "SELECT 'a'; INSERT INTO made VALUES (7, 'seven'); SELECT nothing",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SET autocommit = 0",
    "SET autocommit = 1",
    "SET @seen = 5",
    "SELECT DATABASE(), USER(), CURRENT_USER()",
    "SELECT @@autocommit, @@sql_mode, @@character_set_client",
    "SET sql_mode = 'ANSI_QUOTES'",
    "SET sql_mode = DEFAULT",
    "SET NAMES latin1",
    "SET NAMES utf8mb4",
    "USE app2",
    "USE app",
    "CREATE TEMPORARY TABLE IF NOT EXISTS held (a INT)",
    "INSERT INTO held VALUES (1)",
    "SELECT * FROM held",
    "DROP TEMPORARY TABLE IF EXISTS held",
    "SELECT LAST_INSERT_ID()",
    "",
    "  /* nothing */  ",
];

/// The name of a statement that was never prepared.
const STRANGER: &str = "stranger";

/// What the generator knows of a prepared statement.
struct Known {
    name: String,
    parameters: usize,
    cursor: bool,
    /// The types of the first EXECUTE and the last one.
    first: Option<Vec<(u8, bool)>>,
    last: Vec<(u8, bool)>,
    /// Parameters that long data were sent for.
    long: Vec<bool>,
    /// MySQL: its types have changed, and each connection has those of its own first EXECUTE.
    changed: bool,
    /// It was prepared without a schema.
    without_schema: bool,
}

struct Sequence<'a> {
    random: &'a mut Random,
    flavor: Flavor,
    entries: Vec<Entry>,
    known: Vec<Known>,
    prepared: usize,
    /// The session has a schema.
    schema: bool,
}

/// So many sequences from this seed.
pub fn sections(seed: u64, count: usize, flavor: Flavor) -> Vec<Section> {
    (0..count)
        .map(|number| {
            let mut random = Random::new(seed.wrapping_mul(2_000_029).wrapping_add(number as u64));
            let mut sequence = Sequence {
                random: &mut random,
                flavor,
                entries: Vec::new(),
                known: Vec::new(),
                prepared: 0,
                schema: true,
            };
            sequence.entries.push(Entry::sql("CREATE TABLE made (a INT, b VARCHAR(200))"));
            while sequence.entries.len() < LENGTH {
                sequence.step();
            }
            Section::generated(format!("sequence: seed {seed}, {number}"), sequence.entries)
        })
        .collect()
}

fn entry(act: Act) -> Entry {
    let mut entry = Entry::new(act);
    // Whether an index was used hangs on estimates, which each server makes for itself.
    entry.masks.push(Mask::Plan);
    entry
}

fn raw(answer: Answer, payload: &[u8]) -> Act {
    Act::Raw(answer, payload.to_vec())
}

impl Sequence<'_> {
    fn say(&mut self, act: Act) {
        self.entries.push(entry(act));
    }

    fn say_with_gap(&mut self, act: Act, gap: &str, flavor: Option<Flavor>) {
        let mut entry = entry(act);
        entry.gap = Some((gap.to_owned(), flavor));
        self.entries.push(entry);
    }

    fn step(&mut self) {
        match self.random.below(24) {
            0..=2 => self.prepare(),
            3..=8 => self.execute(),
            9 | 10 => self.fetch(),
            11 => self.long_data(),
            12 => self.reset_statement(),
            13 => self.close(),
            14..=17 => {
                let text = self.random.of(TEXTS);
                self.schema |= text.starts_with("USE ");
                // What is asked of a value that was never assigned, MySQL describes by the connection.
                self.say(Act::Sql(text.into()));
            }
            18 => self.simple(),
            19 => self.session_command(),
            _ => self.altered(),
        }
    }

    fn prepare(&mut self) {
        let (sql, parameters, cursor) = STATEMENTS[self.random.below(STATEMENTS.len())];
        self.prepared += 1;
        let name = format!("s{}", self.prepared);
        self.say(Act::Prepare(name.clone(), sql.into()));
        if !sql.starts_with("SELEKT") && !sql.contains("nowhere") {
            let cursor = cursor && self.random.below(3) > 0;
            let long = vec![false; parameters];
            self.known.push(Known {
                name,
                parameters,
                cursor,
                first: None,
                last: Vec::new(),
                long,
                changed: false,
                without_schema: !self.schema,
            });
        }
        if self.known.len() > 5 {
            self.known.remove(0);
        }
    }

    fn one(&mut self) -> Option<usize> {
        (!self.known.is_empty()).then(|| self.random.below(self.known.len()))
    }

    fn execute(&mut self) {
        let Some(at) = self.one() else { return self.prepare() };
        let act = self.execution(at);
        let known = self.oddities(at);
        self.known[at].long.fill(false);
        self.say_executed(act, known);
    }

    /// Whether its types have changed, and whether it was prepared without a schema and has one now.
    fn oddities(&self, at: usize) -> (bool, bool) {
        (self.known[at].changed, self.known[at].without_schema && self.schema)
    }

    /// An EXECUTE or what hangs on one: whose types have changed, or which relies on those of one that MySQL may have refused.
    fn say_executed(&mut self, act: Act, (changed, without_schema): (bool, bool)) {
        if without_schema && self.flavor == Flavor::MariaDb {
            self.say_with_gap(act, "prepared-without-schema", Some(Flavor::MariaDb));
        } else if changed || matches!(&act, Act::Execute(_, execute) if execute.again) {
            self.say_with_gap(act, "parameter-types", Some(Flavor::MySql));
        } else {
            self.say(act);
        }
    }

    /// An EXECUTE of a statement: with types as before, or others.
    fn execution(&mut self, at: usize) -> Act {
        let again = !self.known[at].last.is_empty() && self.random.below(3) == 0;
        let mut values = values(self.random, self.known[at].parameters);
        let known = &mut self.known[at];
        if again {
            // The same types need values of the same form: those of integers and texts are made here.
            for (value, (kind, unsigned)) in values.iter_mut().zip(&known.last) {
                *value = of_type(*kind, *unsigned);
            }
        }
        for (value, long) in values.iter_mut().zip(&known.long) {
            if *long {
                *value = Value { kind: 0xFC, unsigned: false, bytes: Some(Vec::new()) };
            }
        }
        let types: Vec<(u8, bool)> = values.iter().map(|value| (value.kind, value.unsigned)).collect();
        let again = again && types == known.last;
        match &known.first {
            None => known.first = Some(types.clone()),
            Some(first) if *first != types => known.changed = true,
            Some(_) => {}
        }
        known.last = types;
        // MariaDB refuses this type, and goes on with those before.
        if self.flavor == Flavor::MariaDb && known.last.iter().any(|(kind, _)| *kind == 0xF5) {
            known.last.clear();
        }
        let flags = u8::from(known.cursor);
        Act::Execute(known.name.clone(), Execute { flags, again, values })
    }

    fn fetch(&mut self) {
        let rows = [0, 1, 2, 7, 100, 299, 300, 301, 5000][self.random.below(9)];
        match self.one() {
            // An EXECUTE that opens it, mostly.
            Some(at) if self.known[at].cursor => {
                if self.random.below(3) > 0 {
                    let act = self.execution(at);
                    let oddities = self.oddities(at);
                    self.known[at].long.fill(false);
                    self.say_executed(act, oddities);
                }
                let (name, oddities) = (self.known[at].name.clone(), self.oddities(at));
                for _ in 0..=self.random.below(3) {
                    self.say_executed(Act::Fetch(name.clone(), rows), oddities);
                }
            }
            Some(at) => self.say(Act::Fetch(self.known[at].name.clone(), rows)),
            None => self.say(Act::Fetch(STRANGER.to_owned(), rows)),
        }
    }

    fn long_data(&mut self) {
        let Some(at) = self.one() else { return };
        let known = &mut self.known[at];
        if known.parameters == 0 {
            return;
        }
        let parameter = self.random.below(known.parameters);
        // MariaDB takes long data for a parameter that was a number before for a pointer, and shows it.
        if known.last.get(parameter).is_some_and(|(kind, _)| !matches!(kind, 0xFC..=0xFE | 0x0F)) {
            return;
        }
        known.long[parameter] = true;
        let name = known.name.clone();
        for _ in 0..=self.random.below(2) {
            let data = vec![b'l'; self.random.below(3) * 40];
            self.say(Act::Long(name.clone(), u16::try_from(parameter).unwrap(), data));
        }
    }

    fn reset_statement(&mut self) {
        match self.one() {
            Some(at) => {
                self.known[at].long.fill(false);
                self.say(Act::ResetStatement(self.known[at].name.clone()));
            }
            None => self.say(Act::ResetStatement(STRANGER.to_owned())),
        }
    }

    fn close(&mut self) {
        let Some(at) = self.one() else { return };
        let known = self.known.remove(at);
        self.say(Act::Close(known.name.clone()));
        match self.random.below(4) {
            0 => self.say(Act::Close(known.name)),
            1 => self.say(Act::Execute(known.name, Execute::default())),
            2 => self.say(Act::Fetch(known.name, 3)),
            _ => {}
        }
    }

    fn simple(&mut self) {
        let act = match self.random.below(6) {
            0 => raw(Answer::One, &[0x0E]),
            1 => raw(Answer::Rows, b"\x04people\0%"),
            2 => raw(Answer::Rows, b"\x04nowhere\0"),
            3 => raw(Answer::Rows, b"\x04made\0a"),
            _ => raw(Answer::One, &[0x1B, u8::try_from(self.random.below(2)).unwrap(), 0]),
        };
        // An OK or an EOF counts warnings.
        if matches!(act, Act::Raw(Answer::One, _)) {
            self.say_with_gap(act, "warnings-behind-error", Some(Flavor::MySql));
        } else {
            self.say(act);
        }
    }

    fn session_command(&mut self) {
        match self.random.below(6) {
            0 | 1 => {
                self.say(raw(Answer::One, &[0x1F]));
                self.known.clear();
            }
            2 => {
                let user = self.random.of(&["app", "admin", "plain"]).to_owned();
                let schema = self.random.of(&["", "app", "app2", "app"]).to_owned();
                let schema = (!schema.is_empty() && user != "plain").then_some(schema);
                self.schema = schema.is_some();
                self.say(Act::ChangeUser(user, schema));
                self.known.clear();
            }
            _ => {
                let schema = self.random.of(&["app", "app2", "nowhere", ""]);
                self.schema |= schema.starts_with("app");
                let act = raw(Answer::One, &[b"\x02", schema.as_bytes()].concat());
                self.say_with_gap(act, "warnings-behind-error", Some(Flavor::MySql));
            }
        }
    }

    /// A command that is not what it should be.
    fn altered(&mut self) {
        let mut without_schema = false;
        let (act, length, answer) = match self.random.below(8) {
            0 | 1 => {
                let Some(at) = self.one() else { return };
                let act = self.execution(at);
                without_schema = self.oddities(at).1 && self.flavor == Flavor::MariaDb;
                // How much of it the server took is not known. MariaDB ends with a signal if types are said to be as before
                // and there were none.
                self.known[at].changed = true;
                self.known[at].last.clear();
                let values = if let Act::Execute(_, execute) = &act { execute.values.clone() } else { Vec::new() };
                let bytes: usize = values.iter().map(|value| value.bytes.as_ref().map_or(0, Vec::len) + 2).sum();
                let length = 10 + if values.is_empty() { 0 } else { values.len().div_ceil(8) + 1 + bytes };
                self.known[at].long.fill(false);
                (act, length, Answer::Results)
            }
            2 => {
                let name = self.one().map_or_else(|| STRANGER.to_owned(), |at| self.known[at].name.clone());
                (Act::Fetch(name, 5), 9, Answer::Rows)
            }
            3 => {
                let name = self.one().map_or_else(|| STRANGER.to_owned(), |at| self.known[at].name.clone());
                (Act::ResetStatement(name), 5, Answer::One)
            }
            // What MySQL says to one that is cut off: tests/commands.rs.
            4 if self.flavor == Flavor::MariaDb => {
                let Some(at) = self.one() else { return };
                (Act::Close(self.known[at].name.clone()), 5, Answer::None)
            }
            5 => (raw(Answer::One, &[0x1B, 0, 0]), 3, Answer::One),
            6 => (raw(Answer::Rows, b"\x04people\0%"), 9, Answer::Rows),
            _ => (raw(Answer::One, b"\x02app"), 4, Answer::One),
        };
        // Cut off, but for the command's byte; or with something behind. MariaDB reads behind the end of all others but
        // EXECUTE what an earlier packet left there: nobody else can know that.
        let fixed = !matches!(act, Act::Execute(..));
        let cut = self.random.below(3) > 0 && !(fixed && self.flavor == Flavor::MariaDb);
        let keep = if cut { 1 + self.random.below(length - 1) } else { length };
        let tail = if cut { Vec::new() } else { vec![0x61; 1 + self.random.below(9)] };
        let closes = if let Act::Close(name) = &act { Some(name.clone()) } else { None };
        // MySQL says what is wrong with a COM_STMT_CLOSE that is cut off.
        let answer = if cut && closes.is_some() { Answer::One } else { answer };
        let gap = match act {
            Act::Execute(..) => cut && keep >= 10 && self.flavor == Flavor::MariaDb,
            _ => false,
        };
        if let (Some(closed), false) = (closes, cut) {
            self.known.retain(|known| known.name != closed);
        }
        let executes = matches!(act, Act::Execute(..));
        let counts = matches!(act, Act::Raw(Answer::One, _));
        let act = Act::Altered(Box::new(act), keep, tail, answer);
        if gap {
            self.say_with_gap(act, "malformed-commands", None);
        } else if without_schema {
            self.say_with_gap(act, "prepared-without-schema", Some(Flavor::MariaDb));
        } else if executes {
            self.say_with_gap(act, "parameter-types", Some(Flavor::MySql));
        } else if counts {
            self.say_with_gap(act, "warnings-behind-error", Some(Flavor::MySql));
        } else {
            self.say(act);
        }
        if cut {
            // What the next one is told of warnings is of this one, of which MySQL counts two.
            self.say(Act::Sql(b"SELECT 1".to_vec()));
        }
    }
}

/// A value of this type.
fn of_type(kind: u8, unsigned: bool) -> Value {
    let bytes = match kind {
        0x06 => None,
        0x01 => Some(vec![7]),
        0x02 | 0x0D => Some(vec![7, 0]),
        0x03 | 0x09 => Some(vec![7, 0, 0, 0]),
        0x04 => Some(1.5_f32.to_le_bytes().to_vec()),
        0x05 => Some(1.5_f64.to_le_bytes().to_vec()),
        0x08 => Some(7_u64.to_le_bytes().to_vec()),
        // Dates and times of no length, and texts of one byte.
        0x07 | 0x0A | 0x0B | 0x0C => Some(vec![0]),
        _ => Some(vec![1, b'7']),
    };
    Value { kind, unsigned, bytes }
}
