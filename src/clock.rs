//! The one place that reads the clock. Pure layers never call it: time is passed to them.

use std::time::{Instant, SystemTime};

/// The monotonic time now.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

/// The wall-clock time now.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
#[must_use]
pub fn wall() -> SystemTime {
    SystemTime::now()
}
