//! Whether a server takes the account and the schema of a login, and what its fresh sessions have.

use std::sync::Arc;
use std::time::Duration;

use super::exchange::Exchange;
use crate::backend::{BackendError, Lease, Login, PoolKey, Wanted};
use crate::proxy::error::refusal;
use crate::proxy::shared::{SchemaKnown, Shared};
use crate::proxy::users::User;
use crate::session::{Base, Preamble, Settings};
use crate::telemetry::LoginFailure;
use crate::wire::handshake::HandshakeResponse;
use crate::wire::{Capabilities, ErrPacket};

/// A login waits no longer for the primary when its account could use its schema a while ago: it is answered by what is
/// known, and the first statement by the server.
const PATIENCE: Duration = Duration::from_millis(250);

/// Why an account cannot be used.
pub(super) enum Unprimed {
    /// The server does not take what proved it.
    Denied,
    /// The client is told this.
    Told(ErrPacket, LoginFailure),
}

impl Exchange<'_> {
    /// Learns what fresh sessions of this form have, and whether the account and the schema can be used, where it
    /// is not known yet. `discovered`: the account is the server's, so that its word counts.
    pub(super) async fn prime(
        &self,
        user: &Arc<User>,
        response: &HandshakeResponse,
        discovered: bool,
    ) -> Result<(Option<Arc<Base>>, Option<Lease>), Unprimed> {
        let shared = self.shared;
        let base = shared.greetings.base(response.collation, response.capabilities);
        let schema = response.schema.as_deref().unwrap_or_default();
        let primary = shared.cluster.load().primary().and_then(|primary| shared.pools.server(primary.id).cloned());
        let client = primary.and_then(|primary| primary.told_of(self.handle.address().host()));
        let known = shared.greetings.schema(user.account.id, client, schema);
        if base.is_some() && known == SchemaKnown::Known {
            return Ok((base, None));
        }
        let key = PoolKey {
            user: user.account.user.clone(),
            account: user.account.id,
            collation: response.collation,
            capabilities: response.capabilities & Capabilities::SHAPING,
            schema: response.schema.is_some(),
            client,
            attributes: None,
        };
        let handles = response.capabilities.contains(Capabilities::CAN_HANDLE_EXPIRED_PASSWORDS);
        let asked = try_primary(shared, user, &key, response);
        let asked = if base.is_some() && known == SchemaKnown::Old {
            // Whoever holds the connections may wait for this very login.
            tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| Ok((base.clone(), None)))
        } else {
            asked.await
        };
        if matches!(asked, Err(BackendError::State { .. } | BackendError::Refused { .. })) {
            shared.greetings.forget_schema(user.account.id, client, schema);
        }
        match asked {
            // The password has expired. Whether a client is let in that does not say that it can handle it is the server's.
            Ok((base, Some(lease))) if !handles => {
                match self.try_login(user.account.clone(), response.capabilities).await {
                    Err(error @ BackendError::Refused { .. }) => {
                        Err(Unprimed::Told(refusal(&error), LoginFailure::Refused))
                    }
                    _ => Ok((base, Some(lease))),
                }
            }
            Ok(primed) => Ok(primed),
            Err(BackendError::State { error, .. }) => Err(Unprimed::Told(error, LoginFailure::Schema)),
            Err(BackendError::Refused { error, .. }) if discovered && error.code == 1045 => Err(Unprimed::Denied),
            Err(
                error @ (BackendError::Refused { .. } | BackendError::Plugin { .. } | BackendError::Mistaken { .. }),
            ) => Err(Unprimed::Told(refusal(&error), LoginFailure::Refused)),
            // The primary is not there now: the client may read all the same, and is told when it writes.
            Err(error) => {
                tracing::debug!(%error, "login without the primary");
                Ok((base, None))
            }
        }
    }
}

async fn try_primary(
    shared: &Shared,
    user: &Arc<User>,
    key: &PoolKey,
    response: &HandshakeResponse,
) -> Result<(Option<Arc<Base>>, Option<Lease>), BackendError> {
    let gone = || BackendError::PoolFull { text: "pointsman: no primary is configured".into() };
    let primary = shared.cluster.load().primary().map(|primary| primary.id).ok_or_else(gone)?;
    let server = shared.pools.server(primary).ok_or_else(gone)?;
    let mut wanted = Arc::new(Settings {
        schema: response.schema.as_deref().map(Into::into),
        multi_statements: response.capabilities.contains(Capabilities::MULTI_STATEMENTS),
        ..Settings::default()
    });
    let pool = server.pool(key, &user.account);
    let made_after = shared.globals.last_set();
    let mut lease = pool.lease(Wanted { settings: &wanted, statement: None, made_after }).await?;
    if lease.sandboxed {
        if let Some(schema) = &response.schema {
            choose_schema(&Login { schema: Some(schema.clone()), ..pool.login() }, &mut lease).await?;
        }
        return Ok((None, Some(lease)));
    }
    Arc::make_mut(&mut wanted).multi_statements = lease.state.settings.multi_statements;
    let preamble = Preamble::between(&lease.state, &wanted);
    if !preamble.is_empty() {
        let replies = lease.prepare_state(&preamble, &wanted);
        lease.flush().await?;
        lease.swallow_preamble(&replies).await?;
        lease.busy = false;
    }
    let base = lease.state.base.clone();
    shared.greetings.keep_base(key.collation, key.capabilities, &base);
    shared.greetings.keep_schema(key.account, key.client, response.schema.as_deref().unwrap_or_default());
    Ok((Some(base), None))
}

/// Puts a connection that logged in with the schema in the place of `lease`, whose password has expired: on that none can be
/// chosen.
async fn choose_schema(login: &Login, lease: &mut Lease) -> Result<(), BackendError> {
    /// `ER_DBACCESS_DENIED_ERROR` and `ER_BAD_DB_ERROR`.
    const NO_SCHEMA: [u16; 2] = [1044, 1049];
    match Box::pin(login.connect()).await {
        Ok(connection) => std::mem::replace(&mut **lease, connection).quit().await,
        Err(BackendError::Refused { server, error, .. }) if NO_SCHEMA.contains(&error.code) => {
            return Err(BackendError::State { server, error });
        }
        // It may have too many already: without its schema it still gets its new password.
        Err(error) => tracing::debug!(%error, "no second connection after an expired password"),
    }
    Ok(())
}
