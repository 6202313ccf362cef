//! When the primary's global variables were last set through the proxy. A new session must begin with them, as it would
//! directly: connections that began before are not borrowed any more. Knows no variable, and nothing of what is set beside
//! the proxy.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Instant;

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

    /// Whether one was set after `began`, so that what began then does not have it.
    #[must_use]
    pub fn are_newer(&self, began: Instant) -> bool {
        let set = self.set.load(SeqCst);
        set > 0 && set >= self.nanos(began)
    }

    fn nanos(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.started).as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock;

    #[test]
    fn only_what_began_before_is_older() {
        let started = clock::now();
        let at = |millis| started + Duration::from_millis(millis);
        let globals = Globals::new(started);
        assert!(!globals.are_newer(at(0)));
        globals.set(at(5));
        globals.set(at(3));
        assert!(globals.are_newer(at(0)) && globals.are_newer(at(5)));
        assert!(!globals.are_newer(at(6)));
    }
}
