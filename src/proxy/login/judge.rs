//! Whether what a client sent proves its claim, by what is known here or by asking the primary.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::exchange::Exchange;
use super::secure::{UNMET, unmet};
use crate::accounts::TlsRule;
use crate::backend::{Account, BackendError, Credential, Login, Password};
use crate::clock;
use crate::proxy::discovered::{Candidate, Judged};
use crate::proxy::error::refusal;
use crate::proxy::users::{Claim, User};
use crate::wire::auth::NONCE_LEN;
use crate::wire::{Capabilities, ErrPacket};

/// What a server says only after the password was right: 1203 and 1226 (too many connections of the user), 1862 (it has expired),
/// 3118 and MariaDB's 4151 (the account is locked). It needs not be asked for the password again, nor counts it as wrong.
const KNOWS_PASSWORD: [u16; 5] = [1203, 1226, 1862, 3118, 4151];

/// What a client sent as its last word.
pub(super) enum Evidence {
    /// A proof by `mysql_native_password`.
    Native([u8; NONCE_LEN], Zeroizing<Vec<u8>>),
    /// The password.
    Password(Password),
    /// A proof that was found good already.
    Good(Arc<User>),
    /// Nothing that can be read.
    None,
}

/// What it came to.
#[derive(Debug)]
pub(super) enum Ruling {
    /// It is this one.
    Proven(Arc<User>),
    /// It is not.
    Wrong,
    /// The client is told this.
    Refused(ErrPacket),
}

impl From<Option<Arc<User>>> for Ruling {
    fn from(user: Option<Arc<User>>) -> Self {
        user.map_or(Self::Wrong, Self::Proven)
    }
}

impl Exchange<'_> {
    pub(super) async fn judge(&self, claim: &Claim, evidence: &Evidence, capabilities: Capabilities) -> Ruling {
        match evidence {
            Evidence::None => Ruling::Wrong,
            Evidence::Good(user) => Ruling::Proven(user.clone()),
            Evidence::Native(nonce, proof) => claim.by_native(nonce, proof).into(),
            Evidence::Password(password) => match (claim.judge(password), claim) {
                (Judged::Proven(user), _) => Ruling::Proven(user),
                (Judged::AskServer, Claim::Discovered(candidate)) => {
                    self.ask_server(candidate, password, capabilities).await
                }
                (Judged::Wrong | Judged::AskServer, _) => Ruling::Wrong,
            },
        }
    }

    /// A real login on the primary decides. One at a time for an account: who comes meanwhile learns from it.
    async fn ask_server(&self, candidate: &Candidate, sent: &Password, capabilities: Capabilities) -> Ruling {
        let _turn = candidate.state.turn.lock().await;
        if let Judged::Proven(user) = candidate.judge(sent) {
            return Ruling::Proven(user);
        }
        if !candidate.may_ask(sent, self.handle.address().ip()) {
            return self.wrong(candidate);
        }
        match self.try_login(candidate.account(Credential::Password(sent.clone())), capabilities).await {
            Ok(()) => self.accept(candidate, sent).await.into(),
            // 1698: MariaDB, where one of several methods asks for no password.
            Err(BackendError::Refused { error, .. }) if matches!(error.code, 1045 | 1698) => {
                candidate.refused(sent);
                self.wrong(candidate)
            }
            // Words of the server that it has only for who knows the password.
            Err(BackendError::Refused { error, .. }) if candidate.entry().is_some() => {
                if KNOWS_PASSWORD.contains(&error.code) {
                    let _ = self.accept(candidate, sent).await;
                }
                Ruling::Refused(error)
            }
            Err(BackendError::Refused { .. }) => Ruling::Wrong,
            Err(error) => Ruling::Refused(refusal(&error)),
        }
    }

    /// The server denied it. Where the account demands a certificate, that may be for pointsman's own: whoever shows what is
    /// demanded may be told so, and thereby that there is such an account.
    fn wrong(&self, candidate: &Candidate) -> Ruling {
        if candidate.tls() != &TlsRule::None
            && let Some(suppressed) = self.shared.tells(UNMET)
        {
            tracing::info!(client = %self.handle.address(), suppressed, "{UNMET}, or the password is wrong");
        }
        match candidate.tls() {
            TlsRule::Certificate | TlsRule::Specified { .. } if self.meets(candidate) => {
                Ruling::Refused(unmet(&String::from_utf8_lossy(candidate.name())))
            }
            _ => Ruling::Wrong,
        }
    }

    /// The server took it. Where another password was known, that may have been changed: then it must not count any longer,
    /// which a newer list of accounts tells. A server may also take two.
    async fn accept(&self, candidate: &Candidate, sent: &Password) -> Option<Arc<User>> {
        if candidate.is_known()
            && let Some(discovered) = self.shared.users.discovered()
            && discovered.newer(clock::now()).await
        {
            return discovered.claim(candidate.name(), self.handle.address().ip()).accepted(sent);
        }
        candidate.accepted(sent)
    }

    /// Logs in to the primary, and leaves.
    pub(super) async fn try_login(&self, account: Account, capabilities: Capabilities) -> Result<(), BackendError> {
        let shared = self.shared;
        let gone = || BackendError::PoolFull { text: "pointsman: no primary is configured".into() };
        let checks = shared.users.discovered().map(|discovered| &discovered.checks);
        let _place = match checks {
            Some(checks) => checks.acquire().await.ok(),
            None => None,
        };
        let primary = shared.cluster.load().primary().map(|primary| primary.id).ok_or_else(gone)?;
        let server = shared.pools.server(primary).ok_or_else(gone)?;
        let login = Login { capabilities, ..server.login(&account, Some(self.handle.address().host())) };
        login.connect().await?.quit().await;
        Ok(())
    }
}
