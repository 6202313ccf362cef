//! Who the proxy is towards servers, and what proves it. Nothing here shows a secret.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use zeroize::Zeroizing;

use crate::config::Secret;
use crate::wire::auth::native::NativeKey;

/// A password as it is: any bytes. Shown by nothing, wiped when dropped.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    /// Keeps these bytes.
    #[must_use]
    pub const fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// The password itself, for a scramble.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl From<&Secret> for Password {
    fn from(secret: &Secret) -> Self {
        Self(Zeroizing::new(secret.expose().as_bytes().to_vec()))
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(..)")
    }
}

/// What proves an account to a server.
#[derive(Debug, Clone)]
pub enum Credential {
    /// Its password: for every method.
    Password(Password),
    /// SHA1(password), recovered from a client's proof: for `mysql_native_password` only.
    Native(NativeKey),
}

/// The identity of an account as it is now: one whose password or rights changed on the server gets another, so that
/// connections made before serve nobody who came after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AccountId(pub u64);

/// The newest proof of an account, which outlives its identities: a session that began before the password changed needs
/// connections after it, too.
pub type Rotation = Arc<ArcSwapOption<Credential>>;

/// An account towards the servers.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its identity.
    pub id: AccountId,
    /// The user's name.
    pub user: Arc<str>,
    /// What proves it.
    pub credential: Credential,
    /// What CURRENT_USER() must be: servers see the proxy's address, not the client's, and may take it for another account
    /// of the same name. None: whichever.
    pub expected: Option<Arc<str>>,
    /// What proves it since its password changed.
    pub rotation: Rotation,
}

impl Account {
    /// An account of the configuration.
    #[must_use]
    pub fn configured(id: AccountId, user: &str, password: &Secret) -> Self {
        let credential = Credential::Password(password.into());
        Self { id, user: user.into(), credential, expected: None, rotation: Rotation::default() }
    }
}
