//! The series of TLS.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::{Gauge, IntCounter};

use super::labels::{ProtocolSide, TlsReload, TlsVersion};

/// The series of TLS. Each method is an atomic add.
#[derive(Debug)]
pub struct Tls {
    /// By side, version, and whether a session went on.
    pub(super) handshakes: Vec<IntCounter>,
    pub(super) failures: Vec<IntCounter>,
    pub(super) reloads: Vec<IntCounter>,
    pub(super) expiry: Gauge,
}

/// The labels of one series of handshakes.
pub(super) fn handshake_labels() -> impl Iterator<Item = [&'static str; 3]> {
    ProtocolSide::ALL.iter().flat_map(|side| {
        TlsVersion::ALL
            .iter()
            .flat_map(|version| ["false", "true"].iter().map(|resumed| [side.as_str(), version.as_str(), *resumed]))
    })
}

impl Tls {
    /// A handshake succeeded. `resumed`: an earlier session went on.
    pub fn established(&self, side: ProtocolSide, version: TlsVersion, resumed: bool) {
        let place = (side as usize * TlsVersion::ALL.len() + version as usize) * 2 + usize::from(resumed);
        if let Some(counter) = self.handshakes.get(place) {
            counter.inc();
        }
    }

    /// A handshake failed.
    pub fn failed(&self, side: ProtocolSide) {
        if let Some(counter) = self.failures.get(side as usize) {
            counter.inc();
        }
    }

    /// Files were looked at.
    pub fn reloaded(&self, what: TlsReload) {
        if let Some(counter) = self.reloads.get(what as usize) {
            counter.inc();
        }
    }

    /// When the certificate that clients see ends; None: there is none.
    pub fn expires(&self, at: Option<SystemTime>) {
        let seconds = at.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map(|since| since.as_secs_f64());
        self.expiry.set(seconds.unwrap_or(f64::NAN));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_handshake_has_the_series_that_its_labels_say() {
        let counters: Vec<IntCounter> =
            handshake_labels().map(|labels| IntCounter::new(labels.concat().replace('.', "_"), "-").unwrap()).collect();
        let failures = Vec::new();
        let tls =
            Tls { handshakes: counters.clone(), failures, reloads: Vec::new(), expiry: Gauge::new("e", "-").unwrap() };
        tls.established(ProtocolSide::Server, TlsVersion::V12, true);
        let hit: Vec<_> = handshake_labels().zip(&counters).filter(|(_, counter)| counter.get() > 0).collect();
        assert_eq!(hit.len(), 1);
        assert_eq!(hit[0].0, ["server", "1.2", "true"]);
    }
}
