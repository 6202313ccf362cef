//! When the primary's global variables were last set through the proxy. A new session must begin with them, as it would
//! directly: connections that began before are not borrowed any more. Knows no variable, and nothing of what is set beside
//! the proxy.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// When a global variable was last set.
#[derive(Debug)]
pub struct Globals {
    /// The zero of `set`.
    started: Instant,
    /// Nanoseconds from `started` to the newest SET; 0: none yet.
    set: AtomicU64,
}

impl Globals {
    /// None was set yet; the process started then.
    #[must_use]
    pub fn new(started: Instant) -> Self {
        Self { started, set: AtomicU64::new(0) }
    }

    /// One was set, and the server has said so, at `now`.
    pub fn set(&self, now: Instant) {
        self.set.fetch_max(self.nanos(now).max(1), SeqCst);
    }

    /// When one was set last: what began until then may not have it.
    #[must_use]
    pub fn last_set(&self) -> Option<Instant> {
        let set = self.set.load(SeqCst);
        self.started.checked_add(Duration::from_nanos(set)).filter(|_| set > 0)
    }

    fn nanos(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.started).as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn the_last_one_counts() {
        let started = clock::now();
        let at = |millis| started + Duration::from_millis(millis);
        let globals = Globals::new(started);
        assert_eq!(globals.last_set(), None);
        globals.set(at(5));
        globals.set(at(3));
        assert_eq!(globals.last_set(), Some(at(5)));
    }
}
