//! Every section and every setting, once.

use std::time::Duration;

use self::clients::{ADMIN, HTTP, LOG, PROXY, TLS};
use self::routing::{REPLICA_POOLS, ROUTING, RULES};
use self::servers::{MONITOR, POOLS, SERVERS, USERS};
use super::schema::{Kind, Otherwise, Section, Setting};

mod clients;
mod routing;
mod servers;

/// All sections, in the order of the documentation.
pub static SECTIONS: &[Section] =
    &[PROXY, TLS, ADMIN, HTTP, LOG, SERVERS, USERS, MONITOR, ROUTING, REPLICA_POOLS, RULES, POOLS];

/// The section called `name`.
#[must_use]
pub fn section(name: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|section| section.name == name)
}

const fn setting(key: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Setting {
    Setting { key, kind, otherwise: Otherwise::Default(default), doc }
}

const fn unset(
    key: &'static str,
    kind: Kind,
    effect: &'static str,
    example: &'static str,
    doc: &'static str,
) -> Setting {
    Setting { key, kind, otherwise: Otherwise::Unset { effect, example }, doc }
}

const fn required(key: &'static str, kind: Kind, example: &'static str, doc: &'static str) -> Setting {
    Setting { key, kind, otherwise: Otherwise::Required { example }, doc }
}

const fn millis(min: u64, max: u64) -> Kind {
    Kind::Duration { min: Duration::from_millis(min), max: Duration::from_millis(max), zero: None }
}

const fn millis_or_zero(min: u64, max: u64, zero: &'static str) -> Kind {
    Kind::Duration { min: Duration::from_millis(min), max: Duration::from_millis(max), zero: Some(zero) }
}

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;
