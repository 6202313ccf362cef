//! The side that clients see: listener, login, the session loop, the relay of replies. Moves bytes and waits; what a
//! statement is and where it goes is decided by the pure layers.
//!
//! Read `run` first, then `execute`, `attempt`, `exchange` and `relay`.

mod attempt;
mod binlog;
mod client;
mod clients;
mod discovered;
mod error;
mod exchange;
mod execute;
mod globals;
mod grants;
mod kill;
mod labels;
mod leases;
mod listener;
mod login;
mod memory;
mod prepare;
mod processes;
mod relay;
mod run;
mod shared;
mod status;
mod users;

pub use clients::{Activity, ClientHandle, Clients, Kill, Poke};
pub use discovered::{Candidate, Discovered, Judged, State};
pub use globals::Globals;
pub use grants::{Grants, KnownGrants};
pub use listener::accept;
pub(crate) use listener::janitor;
pub use memory::{Changing, Memory, Remembered};
pub use shared::{Greetings, SchemaKnown, Shared};
pub use users::{Claim, User, Users};
