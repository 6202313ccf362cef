//! Who may log in. A claim is what a client says it is; whether it is so is found out by what it proves.
//!
//! Somebody who is not there gets a claim as everybody else, which nothing proves: the same exchange, in the same time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use super::discovered::{Candidate, Discovered, Judged};
use crate::backend::{Account, AccountId, Credential, Password};
use crate::config::{AuthMode, Config};
use crate::wire::auth::native::NativeHash;
use crate::wire::auth::{caching_sha2, native, same};

/// An account that clients log in with.
#[derive(Debug)]
pub struct User {
    /// The account towards the servers: the same.
    pub account: Account,
    /// Clients of it at this time.
    pub connections: AtomicU32,
    /// The most of them.
    pub max_connections: Option<u32>,
    /// Its clients must come by TLS.
    pub require_tls: bool,
}

/// All who may log in.
#[derive(Debug)]
pub struct Users {
    configured: HashMap<Vec<u8>, Arc<User>>,
    discovered: Option<Arc<Discovered>>,
    /// What nobody can prove.
    decoy: [u8; 20],
}

impl Users {
    /// Those of the configuration. `decoy`: random bytes.
    #[must_use]
    pub fn new(config: &Config, decoy: [u8; 20]) -> Self {
        let configured = config
            .users
            .iter()
            .zip(0..)
            .map(|(user, id)| {
                let account = Account::configured(AccountId(id), &user.name, &user.password);
                let entry = User {
                    account,
                    connections: AtomicU32::new(0),
                    max_connections: user.max_connections,
                    require_tls: user.require_tls,
                };
                (user.name.clone().into_bytes(), Arc::new(entry))
            })
            .collect::<HashMap<_, _>>();
        let first = u64::try_from(configured.len()).unwrap_or_default();
        let discovered = match config.proxy.auth {
            AuthMode::Configured => None,
            AuthMode::Discover => Some(Arc::new(Discovered::new(&decoy, first))),
        };
        Self { configured, discovered, decoy }
    }

    /// The servers' accounts, if they count.
    #[must_use]
    pub const fn discovered(&self) -> Option<&Arc<Discovered>> {
        self.discovered.as_ref()
    }

    /// What a client of this name and address claims to be: a user of the configuration goes before the servers' accounts of
    /// its name.
    #[must_use]
    pub fn claim(&self, name: &[u8], address: Option<IpAddr>) -> Claim {
        match (self.configured.get(name), &self.discovered) {
            (Some(user), _) => Claim::Configured(user.clone()),
            (None, Some(discovered)) => Claim::Discovered(discovered.claim(name, address)),
            (None, None) => Claim::Nobody(self.decoy),
        }
    }
}

/// What a client claims to be.
#[derive(Debug)]
pub enum Claim {
    /// A user of the configuration, whose password is known.
    Configured(Arc<User>),
    /// An account of the servers, or none where they have one could be.
    Discovered(Candidate),
    /// Nobody.
    Nobody([u8; 20]),
}

impl Claim {
    /// Whether there is such a user.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        match self {
            Self::Configured(_) => true,
            Self::Discovered(candidate) => candidate.entry().is_some(),
            Self::Nobody(_) => false,
        }
    }

    /// Whether a proof of `mysql_native_password` can show anything, or the password itself must be had.
    #[must_use]
    pub const fn knows_native(&self) -> bool {
        match self {
            Self::Discovered(candidate) => candidate.knows_native(),
            Self::Configured(_) | Self::Nobody(_) => true,
        }
    }

    /// Who it is, if this proof of `mysql_native_password` shows it.
    #[must_use]
    pub fn by_native(&self, nonce: &[u8], proof: &[u8]) -> Option<Arc<User>> {
        match self {
            Self::Discovered(candidate) => candidate.by_native(nonce, proof),
            Self::Configured(user) => native::verify(password(user), nonce, proof).then(|| user.clone()),
            Self::Nobody(decoy) => {
                let _ = NativeHash::decoy(*decoy).recover(nonce, proof);
                None
            }
        }
    }

    /// Who it is, if this proof of `caching_sha2_password` shows it. None: only the password itself can.
    #[must_use]
    pub fn by_fast(&self, nonce: &[u8], proof: &[u8]) -> Option<Arc<User>> {
        match self {
            Self::Discovered(candidate) => candidate.by_fast(nonce, proof),
            Self::Configured(user) => caching_sha2::verify(password(user), nonce, proof).then(|| user.clone()),
            Self::Nobody(decoy) => {
                let _ = caching_sha2::verify(decoy, nonce, proof);
                None
            }
        }
    }

    /// What this password is worth.
    #[must_use]
    pub fn judge(&self, sent: &Password) -> Judged {
        match self {
            Self::Discovered(candidate) => candidate.judge(sent),
            Self::Configured(user) if same(password(user), sent.expose()) => Judged::Proven(user.clone()),
            Self::Configured(_) => Judged::Wrong,
            Self::Nobody(decoy) => {
                let _ = same(decoy, sent.expose());
                Judged::Wrong
            }
        }
    }
}

/// Of an account of the configuration.
fn password(user: &User) -> &[u8] {
    match &user.account.credential {
        Credential::Password(password) => password.expose(),
        // Only accounts of the servers have one.
        Credential::Native(_) => &[],
    }
}
