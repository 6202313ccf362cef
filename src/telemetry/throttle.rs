//! Keeps a flood out of the log: the first few lines per key and interval pass, the rest is counted. Pure: time is an
//! argument.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Whether a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Write it, and say that so many like it were not written since the last.
    Pass {
        /// Lines held back since the last that passed.
        suppressed: u64,
    },
    /// Do not write it.
    Suppress,
}

/// Lets the first `burst` lines per key and interval through. Remembers at most `max_keys` keys; what does not fit shares
/// one further key.
#[derive(Debug)]
pub struct Throttle<K> {
    burst: u32,
    interval: Duration,
    max_keys: usize,
    windows: HashMap<K, Window>,
    overflow: Option<Window>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    start: Instant,
    passed: u32,
    suppressed: u64,
}

impl<K: Hash + Eq> Throttle<K> {
    /// Lets `burst` lines per key through in each `interval`.
    #[must_use]
    pub fn new(burst: u32, interval: Duration, max_keys: usize) -> Self {
        Self { burst, interval, max_keys, windows: HashMap::new(), overflow: None }
    }

    /// Whether a line of `key` is written at `now`.
    pub fn admit(&mut self, key: K, now: Instant) -> Verdict {
        if !self.windows.contains_key(&key) && self.windows.len() >= self.max_keys {
            // Only quiet keys are forgotten: one that holds a count must still say it.
            let interval = self.interval;
            self.windows.retain(|_, window| window.suppressed > 0 || !window.is_over(now, interval));
            if self.windows.len() >= self.max_keys {
                let window = self.overflow.get_or_insert_with(|| Window::new(now));
                return window.admit(now, self.burst, self.interval);
            }
        }
        self.windows.entry(key).or_insert_with(|| Window::new(now)).admit(now, self.burst, self.interval)
    }
}

impl Window {
    const fn new(start: Instant) -> Self {
        Self { start, passed: 0, suppressed: 0 }
    }

    fn is_over(&self, now: Instant, interval: Duration) -> bool {
        now.saturating_duration_since(self.start) >= interval
    }

    fn admit(&mut self, now: Instant, burst: u32, interval: Duration) -> Verdict {
        if self.is_over(now, interval) {
            self.start = now;
            self.passed = 0;
        }
        if self.passed < burst {
            self.passed += 1;
            Verdict::Pass { suppressed: std::mem::take(&mut self.suppressed) }
        } else {
            self.suppressed += 1;
            Verdict::Suppress
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_first_pass_and_the_rest_is_counted() {
        let mut throttle = Throttle::new(2, SECOND, 10);
        let start = crate::clock::now();
        let row = [0, 10, 20, 30, 1000, 1001, 1002].map(|ms| throttle.admit("k", start + Duration::from_millis(ms)));
        let pass = |suppressed| Verdict::Pass { suppressed };
        let hold = Verdict::Suppress;
        assert_eq!(row, [pass(0), pass(0), hold, hold, pass(2), pass(0), hold]);
    }

    #[test]
    fn keys_are_apart_and_bounded() {
        let mut throttle = Throttle::new(1, SECOND, 2);
        let start = crate::clock::now();
        assert_eq!(throttle.admit(1, start), Verdict::Pass { suppressed: 0 });
        assert_eq!(throttle.admit(2, start), Verdict::Pass { suppressed: 0 });
        assert_eq!(throttle.admit(3, start), Verdict::Pass { suppressed: 0 }, "the shared key");
        assert_eq!(throttle.admit(4, start), Verdict::Suppress, "shares with 3");
        assert_eq!(throttle.windows.len(), 2);
        assert_eq!(throttle.admit(5, start + SECOND), Verdict::Pass { suppressed: 0 }, "quiet keys are forgotten");
        assert_eq!(throttle.windows.len(), 1);
    }
}
