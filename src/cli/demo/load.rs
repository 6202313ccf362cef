//! The load of one phase: the same tasks at the same fixed rates, whoever answers them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mysql_async::Conn;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::shop::{self, Checkout, Dice};

/// Six tasks of 20 pages/s: with the import about half of two cores, so that neither phase is held up by the other end.
const READERS: u64 = 6;
const PAGES_EACH: u64 = 20;
const IMPORTERS: u64 = 2;
const BATCHES_EACH: u64 = 8;
/// So many pages of a reader, then a checkout.
const CHECKOUT_EVERY: u64 = 10;

/// Offered pages a second.
pub(super) const PAGES_PER_SECOND: u64 = READERS * PAGES_EACH;
/// Offered rows a second that the import writes.
pub(super) const IMPORTED_PER_SECOND: u64 = IMPORTERS * BATCHES_EACH * shop::BATCH_ROWS * 2;

/// After a failure a task waits this long before it connects again.
const RETRY: Duration = Duration::from_millis(100);
/// A task that does not end its page within this is cut off.
const END_LIMIT: Duration = Duration::from_secs(10);
/// So many texts of errors are kept; the rest are only counted.
const ERRORS_KEPT: usize = 5;

/// What the tasks count.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Microseconds from when a page was due until it was complete.
    pages: Mutex<Vec<u32>>,
    pub(super) batches: AtomicU64,
    pub(super) checkouts: AtomicU64,
    /// Checkouts whose commit failed, so that they may or may not have happened.
    pub(super) uncertain: AtomicU64,
    /// Checkouts whose session did not see its own write.
    pub(super) stale: AtomicU64,
    pub(super) errors: AtomicU64,
    texts: Mutex<Vec<String>>,
}

impl Tally {
    fn page(&self, took: Duration) {
        let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).push(micros);
    }

    fn error(&self, error: &mysql_async::Error) {
        self.errors.fetch_add(1, Relaxed);
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        let text = error.to_string();
        if texts.len() < ERRORS_KEPT && !texts.contains(&text) {
            texts.push(text);
        }
    }

    /// The first different errors.
    pub(super) fn error_texts(&self) -> Vec<String> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many pages, and their median and 99th percentile.
    pub(super) fn latency(&self) -> (u64, Duration, Duration) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner).clone();
        pages.sort_unstable();
        let at = |percent: usize| {
            let index = (pages.len() * percent / 100).min(pages.len().saturating_sub(1));
            Duration::from_micros(pages.get(index).copied().unwrap_or_default().into())
        };
        (u64::try_from(pages.len()).unwrap_or(u64::MAX), at(50), at(99))
    }
}

/// The running tasks. Dropped, they end at once; [`finish`](Self::finish) lets them complete what they began.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) tally: Arc<Tally>,
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Load {
    /// Starts all tasks against `target`.
    pub(super) fn start(target: SocketAddr) -> Self {
        let (tally, stop, mut tasks) = (Arc::new(Tally::default()), CancellationToken::new(), JoinSet::new());
        let task = |number, of, rate| Task { target, number, of, rate, tally: Arc::clone(&tally), stop: stop.clone() };
        for number in 0..READERS {
            tasks.spawn(task(number, READERS, PAGES_EACH).read());
        }
        for number in 0..IMPORTERS {
            tasks.spawn(task(number, IMPORTERS, BATCHES_EACH).import());
        }
        Self { tally, tasks, stop }
    }

    /// Lets all tasks complete what they began.
    pub(super) async fn finish(mut self) -> Arc<Tally> {
        self.stop.cancel();
        let _cut_off_otherwise =
            tokio::time::timeout(END_LIMIT, async { while self.tasks.join_next().await.is_some() {} }).await;
        self.tally
    }
}

struct Task {
    target: SocketAddr,
    number: u64,
    of: u64,
    rate: u64,
    tally: Arc<Tally>,
    stop: CancellationToken,
}

impl Task {
    /// Ticks at the task's rate, shifted so that the tasks do not all come at once. A late task makes up for it: the
    /// offered load is the same whoever answers.
    fn ticks(&self) -> tokio::time::Interval {
        let period = Duration::from_secs(1) / u32::try_from(self.rate.max(1)).unwrap_or(1);
        let shift = period * u32::try_from(self.number).unwrap_or(0) / u32::try_from(self.of.max(1)).unwrap_or(1);
        let mut ticks = tokio::time::interval_at(Instant::now() + shift, period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        ticks
    }

    /// The next tick; none when the phase is over.
    async fn due(&self, ticks: &mut tokio::time::Interval) -> Option<Instant> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            due = ticks.tick() => Some(due),
        }
    }

    /// The connection of before, or a new one; none after counting why.
    async fn connection<'a>(&self, kept: &'a mut Option<Conn>) -> Option<&'a mut Conn> {
        if kept.is_none() {
            match shop::connect(self.target).await {
                Ok(conn) => *kept = Some(conn),
                Err(error) => {
                    self.tally.error(&error);
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
        kept.as_mut()
    }

    /// The order pages of one visitor after the other, and a checkout now and then. The checkout has a connection of
    /// its own, as another request of a web application has.
    async fn read(self) {
        let (mut dice, mut ticks) = (Dice::new(100 + self.number), self.ticks());
        let (mut browsing, mut buying) = (None, None);
        let mut pages = self.number;
        while let Some(due) = self.due(&mut ticks).await {
            let Some(conn) = self.connection(&mut browsing).await else { continue };
            match shop::page(conn, &mut dice, self.number.is_multiple_of(2)).await {
                Ok(()) => self.tally.page(due.elapsed()),
                Err(error) => {
                    self.tally.error(&error);
                    browsing = None;
                }
            }
            pages += 1;
            if pages.is_multiple_of(CHECKOUT_EVERY) {
                let Some(conn) = self.connection(&mut buying).await else { continue };
                if !self.buy(conn, &mut dice).await {
                    buying = None;
                }
            }
        }
        for conn in [browsing, buying].into_iter().flatten() {
            let _closed = conn.disconnect().await;
        }
    }

    /// Whether the connection can be used again.
    async fn buy(&self, conn: &mut Conn, dice: &mut Dice) -> bool {
        match shop::checkout(conn, dice).await {
            Ok(checkout) => {
                self.tally.checkouts.fetch_add(1, Relaxed);
                if checkout == Checkout::Stale {
                    self.tally.stale.fetch_add(1, Relaxed);
                }
                true
            }
            Err(failed) => {
                self.tally.error(&failed.error);
                if failed.uncertain {
                    self.tally.uncertain.fetch_add(1, Relaxed);
                }
                false
            }
        }
    }

    async fn import(self) {
        let (mut dice, mut ticks) = (Dice::new(200 + self.number), self.ticks());
        let mut kept = None;
        while self.due(&mut ticks).await.is_some() {
            let Some(conn) = self.connection(&mut kept).await else { continue };
            match shop::import(conn, &mut dice, self.number, self.of).await {
                Ok(()) => {
                    self.tally.batches.fetch_add(1, Relaxed);
                }
                Err(error) => {
                    self.tally.error(&error);
                    kept = None;
                }
            }
        }
        if let Some(conn) = kept {
            let _closed = conn.disconnect().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_few_pages() {
        let tally = Tally::default();
        assert_eq!(tally.latency(), (0, Duration::ZERO, Duration::ZERO));
        for micros in 1..=100 {
            tally.page(Duration::from_micros(micros));
        }
        let (count, p50, p99) = tally.latency();
        assert_eq!((count, p50.as_micros(), p99.as_micros()), (100, 51, 100));
    }
}
