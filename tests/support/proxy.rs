//! A proxy of a test. At its end every difference between what the servers reported and what the statements' texts say
//! (`pointsman_state_mismatches_total`) fails the test, unless it said that it makes one.

use std::fmt::Write as _;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, Once, PoisonError};

use pointsman::app::{self, RunningProxy};
use pointsman::config::Config;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// What the proxies of this process logged of mismatches: the metric has no fingerprints.
static LOGGED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A running proxy that is checked when it ends.
pub struct Proxy {
    running: Option<RunningProxy>,
    makes_mismatches: AtomicBool,
}

impl Proxy {
    /// With this configuration.
    pub async fn start(config: Config) -> Self {
        listen_to_the_log();
        let running = app::start(config).await.expect("a proxy");
        Self { running: Some(running), makes_mismatches: AtomicBool::new(false) }
    }

    /// The test provokes mismatches: they are no failure.
    pub fn expect_mismatches(&self) {
        self.makes_mismatches.store(true, Relaxed);
    }

    /// Ends it at once.
    pub async fn stop(mut self) {
        let Some(running) = self.running.take() else { return };
        let shared = running.shared().clone();
        running.stop().await;
        self.check(shared.metrics.state_mismatches());
    }

    fn check(&self, mismatches: u64) {
        if mismatches == 0 || self.makes_mismatches.load(Relaxed) {
            return;
        }
        panic!("{mismatches} replies reported another state than their statements say: {:#?}", logged());
    }
}

impl Deref for Proxy {
    type Target = RunningProxy;

    fn deref(&self) -> &RunningProxy {
        self.running.as_ref().expect("it runs until it is stopped")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(running) = &self.running
            && !std::thread::panicking()
        {
            self.check(running.shared().metrics.state_mismatches());
        }
    }
}

/// The lines about mismatches since it was last asked.
pub fn logged() -> Vec<String> {
    std::mem::take(&mut *LOGGED.lock().unwrap_or_else(PoisonError::into_inner))
}

fn listen_to_the_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let heard = Mismatches.with_filter(tracing_subscriber::filter::LevelFilter::INFO);
        let _other = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(heard));
    });
}

struct Mismatches;

impl<S: tracing::Subscriber> Layer<S> for Mismatches {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().fields().field("fingerprint").is_none() {
            return;
        }
        let mut line = Line(String::new());
        event.record(&mut line);
        LOGGED.lock().unwrap_or_else(PoisonError::into_inner).push(line.0);
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, "{}={value:?} ", field.name());
    }
}
