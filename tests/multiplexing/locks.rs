//! GET_LOCK over all sessions: who may hold which name. What a client knows lags behind what the server does, so an
//! answer is wrong only if no order of events explains it.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// Names of locks.
pub const NAMES: usize = 5;

/// A session that has gone is seen to be gone within this, also on a busy machine.
const GRACE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
struct Name {
    holder: Option<u64>,
    /// Attempts that are under way.
    trying: u32,
    /// Rises with each event.
    changes: u64,
    /// When a session that went away may have held it last.
    dropped: Option<Instant>,
}

/// What was the case when an attempt began.
#[derive(Debug)]
pub struct Attempt {
    at: usize,
    changes: u64,
    others: bool,
}

/// All names.
#[derive(Debug, Default)]
pub struct Locks {
    names: Mutex<[Name; NAMES]>,
}

impl Locks {
    /// Before a session asks for a lock.
    pub fn begin(&self, session: u64, at: usize) -> Attempt {
        let mut names = self.names.lock().unwrap();
        let name = &mut names[at];
        let others = name.trying > 0 || name.holder.is_some_and(|holder| holder != session);
        name.trying += 1;
        name.changes += 1;
        Attempt { at, changes: name.changes, others }
    }

    /// After it: `got`, or what is wrong with the answer.
    pub fn end(&self, session: u64, attempt: &Attempt, got: Option<bool>) -> Result<(), String> {
        let mut names = self.names.lock().unwrap();
        let name = &mut names[attempt.at];
        name.trying -= 1;
        let changed = name.changes != attempt.changes;
        name.changes += 1;
        match got {
            Some(true) => {
                if let Some(other) = name.holder.filter(|holder| *holder != session) {
                    return Err(format!("lock {} was given to session {session} while {other} holds it", attempt.at));
                }
                name.holder = Some(session);
            }
            Some(false) => {
                let leaving = name.dropped.is_some_and(|dropped| dropped.elapsed() < GRACE);
                if !attempt.others && !changed && !leaving && name.holder.is_none() {
                    return Err(format!("lock {} was refused to session {session}, and nobody holds it", attempt.at));
                }
            }
            None => {}
        }
        Ok(())
    }

    /// Before a session releases it for the last time.
    pub fn release(&self, session: u64, at: usize) {
        let mut names = self.names.lock().unwrap();
        let name = &mut names[at];
        if name.holder == Some(session) {
            name.holder = None;
            name.changes += 1;
        }
    }

    /// Before a session goes away, or is reset, with what it holds.
    pub fn leave(&self, session: u64) {
        let mut names = self.names.lock().unwrap();
        for name in names.iter_mut().filter(|name| name.holder == Some(session)) {
            name.holder = None;
            name.changes += 1;
            name.dropped = Some(Instant::now());
        }
    }
}
