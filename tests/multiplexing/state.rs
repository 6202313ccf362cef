//! The model: what one session has made of its state, and what a direct connection would therefore show.

use std::collections::BTreeMap;

use pointsman::sandbox::{APP, Account};

/// A user variable.
#[derive(Debug, Clone, PartialEq)]
pub enum Variable {
    Is(Option<String>),
    /// A procedure may have set it.
    Any,
}

/// A transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transaction {
    None,
    ReadWrite,
    ReadOnly,
}

/// A prepared statement of the binary protocol.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub id: u32,
    pub kind: PreparedKind,
    /// The schema that was the current one.
    pub schema: &'static str,
    /// What makes its text its own.
    pub tag: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreparedKind {
    /// A parameter, and a literal of the session.
    Echo,
    /// A parameter, and the session's variable @a.
    Variable,
    /// A row of the schema that was the current one.
    Name,
    Insert,
}

/// Everything that COM_RESET_CONNECTION and COM_CHANGE_USER forget.
#[derive(Debug, Clone)]
pub struct State {
    pub account: Account,
    pub schema: &'static str,
    pub a: Variable,
    pub b: Variable,
    /// Hours; None: the server's.
    pub time_zone: Option<u32>,
    pub digits: usize,
    pub day: &'static str,
    pub mode: Option<&'static str>,
    /// None: not known.
    pub collation: Option<&'static str>,
    pub limit: Option<usize>,
    pub concat: Option<usize>,
    pub isolation: Option<&'static str>,
    pub autocommit: bool,
    pub transaction: Transaction,
    /// Rows that were inserted and not committed.
    pub staged: Vec<String>,
    pub savepoint: Option<usize>,
    pub temporary: [Option<Vec<String>>; 2],
    /// How often each name was taken.
    pub locks: BTreeMap<usize, u32>,
    /// What the text statement `p` gives.
    pub text: Option<String>,
    pub prepared: Vec<Prepared>,
    pub last_insert_id: u64,
    pub handler: bool,
    pub timestamp: Option<u64>,
    /// It is a new session to the proxy, which may read a replica that does not have its rows yet.
    pub behind: bool,
}

impl State {
    /// After a login.
    pub fn new(account: Account) -> Self {
        Self {
            account,
            schema: "app",
            a: Variable::Is(None),
            b: Variable::Is(None),
            time_zone: None,
            digits: 4,
            day: "Monday",
            mode: None,
            // The clients' collation, number 45.
            collation: Some("utf8mb4_general_ci"),
            limit: None,
            concat: None,
            isolation: None,
            autocommit: true,
            transaction: Transaction::None,
            staged: Vec::new(),
            savepoint: None,
            temporary: [None, None],
            locks: BTreeMap::new(),
            text: None,
            prepared: Vec::new(),
            last_insert_id: 0,
            handler: false,
            timestamp: None,
            behind: false,
        }
    }

    /// After COM_RESET_CONNECTION: the schema stays, and servers differ in the collation.
    pub fn reset(&self) -> Self {
        Self { account: self.account, schema: self.schema, collation: None, ..Self::new(APP) }
    }

    /// Whether nothing belongs to a transaction.
    pub fn is_outside(&self) -> bool {
        self.autocommit && self.transaction == Transaction::None
    }

    /// Takes rows of a result as `sql_select_limit` does.
    pub fn limited<T>(&self, rows: Vec<T>) -> Vec<T> {
        let limit = self.limit.unwrap_or(usize::MAX);
        rows.into_iter().take(limit).collect()
    }
}

/// The names in `ref` of a schema.
pub fn names(schema: &str) -> Vec<String> {
    (1..=REFERENCES).map(|id| format!("{schema}-name-{id}")).collect()
}

/// Rows of `ref`.
pub const REFERENCES: usize = 12;

/// The two schemas.
pub const SCHEMAS: [&str; 2] = ["app", "muxb"];
