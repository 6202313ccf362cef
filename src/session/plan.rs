//! What is to be done for one command of a client: the answer of `Session::plan`.

use bytes::Bytes;

use super::memory::MemoryKey;
use crate::routing::{Route, Target};
use crate::sql::{Classified, Detail, Effects, KillTarget, Scope, StatementKind, StatusQuestion};
use crate::wire::statement::ClientStatementId;
use crate::wire::{ErrPacket, ReplyKind};

/// Which of its two connections a session uses: it holds at most one to the primary and one to a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Slot {
    /// The connection to the primary.
    Primary,
    /// The connection to a replica.
    Replica,
}

/// What is to be done for one command.
#[derive(Debug)]
pub enum Plan {
    /// The proxy answers.
    Answer(Answer),
    /// The proxy answers with an error.
    Refuse(ErrPacket),
    /// A server answers.
    Run(Box<Job>),
    /// Log in anew.
    ChangeUser(Bytes),
    /// Reset the session: connections are given back, and the client gets an OK.
    Reset,
    /// KILL, by what the client knows of itself and others.
    Kill(KillTarget),
    /// KILL of an expression: the job asks for its value, and whom it names is killed.
    KillValue {
        /// Asks by its own text.
        job: Box<Job>,
        /// Only the statement that runs.
        query: bool,
    },
    /// The statement is forgotten; when it was `alone`, the connection that holds it is to be told. No answer.
    Close(Option<super::statements::StatementKey>),
    /// The client leaves.
    Quit,
}

/// An answer of the proxy's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// OK with the session's status, and this number of warnings.
    Ok(u16),
    /// EOF with the session's status, and this number of warnings (COM_SET_OPTION).
    Eof(u16),
    /// Nothing: the command has no reply.
    Nothing,
}

/// What is sent to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// The command as it came.
    Forward,
    /// PREPARE, under the state that the session has now; the client will know it by this id.
    Prepare(ClientStatementId),
    /// EXECUTE of a statement, which the connection may not hold yet.
    Execute(ClientStatementId),
    /// RESET, FETCH or long data of a statement, which the connection may not hold yet.
    Statement(ClientStatementId),
}

/// What the session's previous statements left to be asked about, to be made again on another connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replay {
    /// FOUND_ROWS(), when it is asked.
    pub found: Option<u64>,
    /// The last statement had a result set: ROW_COUNT() is -1, else 0.
    pub result: bool,
}

/// A command that a server runs.
#[derive(Debug, Clone)]
pub struct Job {
    /// Where, and why.
    pub route: Route,
    /// What is sent.
    pub request: Request,
    /// The kind of its reply; None: it has none.
    pub reply: Option<ReplyKind>,
    /// What it is, when it is a statement.
    pub classified: Option<Classified>,
    /// It is a proven read outside any pin: it may be run again elsewhere while the client has no byte of its result.
    pub repeatable: bool,
    /// LAST_INSERT_ID() must be this: it is set first.
    pub last_insert_id: Option<u64>,
    /// It asks about the previous statement, whose connection was given back: statements that leave the same behind
    /// take its place first.
    pub replay: Option<Replay>,
    /// An EXECUTE that asks for a cursor.
    pub cursor: bool,
    /// A replica's command: its connection serves nobody else from here on.
    pub replication: bool,
    /// It runs on a connection of the session's own that carries the client's connection attributes.
    pub own_attributes: bool,
    /// The text that is sent in the place of the client's, with its command's byte: CONNECTION_ID() is the id that the
    /// client knows. Of an EXECUTE: the text to prepare in the place of its statement's.
    pub text: Option<Bytes>,
    /// It lists the processes: the server gives the columns, the proxy the rows. Some(true): with whole statements.
    pub processes: Option<bool>,
    /// It asks of status variables: those that describe a connection describe the client's.
    pub status: Option<Box<StatusQuestion>>,
    /// By what its reply is remembered; None: it is not.
    pub memory: Option<MemoryKey>,
    /// The name and the statement of a text protocol's PREPARE.
    pub prepares: Option<Box<(Box<[u8]>, Classified)>>,
    /// It must run on the connection held in this slot, which ran the statement that it asks about.
    pub held: Option<Slot>,
}

impl Job {
    /// A job for a command that is no statement.
    #[must_use]
    pub fn command(route: Route, reply: Option<ReplyKind>) -> Self {
        Self {
            route,
            request: Request::Forward,
            reply,
            classified: None,
            repeatable: false,
            last_insert_id: None,
            replay: None,
            cursor: false,
            replication: false,
            own_attributes: false,
            text: None,
            processes: None,
            status: None,
            memory: None,
            prepares: None,
            held: None,
        }
    }

    /// The statement's kind; None for a command that is no statement.
    #[must_use]
    pub fn kind(&self) -> Option<StatementKind> {
        self.classified.as_ref().map(|classified| classified.shape.kind)
    }

    /// What it may do to its connection.
    #[must_use]
    pub fn effects(&self) -> Effects {
        self.classified.as_ref().map_or(Effects::NONE, |classified| classified.shape.effects)
    }

    /// Whether it is a proven read.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.classified.as_ref().is_some_and(|classified| classified.shape.cause.is_none())
    }

    /// Whether the server ends the connection after it: COMMIT RELEASE, ROLLBACK RELEASE.
    #[must_use]
    pub fn releases(&self) -> bool {
        // PREPARE of it ends nothing yet.
        matches!(self.kind(), Some(StatementKind::Commit | StatementKind::Rollback))
            && !matches!(self.request, Request::Prepare(_))
            && self.classified.as_ref().is_some_and(|classified| {
                let text = classified.shape.normalised.to_ascii_lowercase();
                text.ends_with("release") && !text.ends_with("no release")
            })
    }

    /// Whether it sets a global variable. What a routine, a text protocol's EXECUTE, or a SET that cannot be read sets is
    /// not seen.
    #[must_use]
    pub fn sets_globals(&self) -> bool {
        let Some(classified) = &self.classified else { return false };
        if matches!(self.request, Request::Prepare(_)) {
            return false;
        }
        match (&classified.detail, classified.shape.kind) {
            (Detail::Set(Some(assignments)), _) => assignments.iter().any(|one| one.scope == Scope::Global),
            (_, StatementKind::Multi) => {
                let text = classified.shape.normalised.to_ascii_uppercase();
                text.contains("SET") && (text.contains("GLOBAL") || text.contains("PERSIST"))
            }
            _ => false,
        }
    }

    /// Whether it is a GET_LOCK of one literal name, and nothing else: its one value tells whether the lock was got.
    #[must_use]
    pub fn asks_for_lock(&self) -> bool {
        let alone = |classified: &Classified| {
            let text = classified.shape.normalised.to_ascii_lowercase();
            let rest = text.strip_prefix("select get_lock(").and_then(|rest| rest.split_once(')'));
            rest.is_some_and(|(arguments, alias)| {
                let alias = alias.trim().trim_start_matches("as ").trim();
                !arguments.contains('(')
                    && alias.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_`".contains(&byte))
            })
        };
        self.effects().contains(Effects::GETS_LOCK)
            && !matches!(self.request, Request::Prepare(_))
            && self.kind() == Some(StatementKind::Select)
            && self.classified.as_ref().is_some_and(alone)
    }

    /// Whether LAST_INSERT_ID() may be read or set by what it calls.
    #[must_use]
    pub fn may_touch_insert_id(&self) -> bool {
        self.effects().intersects(Effects::CALLS_UNKNOWN | Effects::SETS_LAST_INSERT_ID | Effects::OPAQUE)
    }

    /// The slot that it runs in; `pinned` is where the session is pinned.
    #[must_use]
    pub fn slot(&self, pinned: Option<Slot>) -> Slot {
        if let Some(slot) = self.held {
            return slot;
        }
        match self.route.target {
            Target::Pinned => pinned.unwrap_or(Slot::Primary),
            Target::Replica(_) => Slot::Replica,
            Target::Primary | Target::Refuse | Target::Proxy => Slot::Primary,
        }
    }
}
