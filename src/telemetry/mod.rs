//! Metrics and logs. Takes a registry and facts; starts nothing, and nothing here knows a socket.
//!
//! The names and labels are a promise and stand in `docs/metrics.md`; a test compares the two.

mod labels;
mod logs;
mod metrics;
mod pools;
mod process;
mod statements;
mod throttle;
mod tls;

pub use labels::{
    ClientRefusal, Command, ConnectResult, Kind, LoginFailure, Origin, ProtocolSide, RetryCause, TargetLabel,
    TlsReload, TlsVersion, kind_label,
};
pub use logs::init;
pub use metrics::{CompressionBytes, Metrics, Record};
pub use pools::{PoolSample, PoolStatus};
pub use throttle::{Throttle, Verdict};
pub use tls::Tls;
