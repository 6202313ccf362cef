//! The packets of a login: reading, writing, refusing.

use super::{LoginError, MAX_LOGIN_PACKET};
use crate::proxy::client::Client;
use crate::proxy::clients::ClientHandle;
use crate::proxy::shared::Shared;
use crate::telemetry::{LoginFailure, Origin};
use crate::wire::writer::put_packet;
use crate::wire::{Capabilities, ErrPacket, ProtocolError};

/// A client's login goes on.
pub(super) struct Exchange<'a> {
    pub(super) shared: &'a Shared,
    pub(super) client: &'a mut Client,
    pub(super) handle: &'a ClientHandle,
    /// The sequence id of the next packet.
    pub(super) sequence: u8,
}

impl Exchange<'_> {
    pub(super) async fn write(&mut self, payload: &[u8]) -> std::io::Result<()> {
        let mut out = bytes::BytesMut::with_capacity(payload.len().saturating_add(4));
        self.sequence = put_packet(&mut out, self.sequence, payload);
        self.client.write(&out).await
    }

    pub(super) async fn read(&mut self) -> Result<Vec<u8>, LoginError> {
        loop {
            match self.client.inbox.take(MAX_LOGIN_PACKET) {
                Ok(Some((header, packet))) => {
                    if header.sequence != self.sequence && !self.client.stream.is_compressed() {
                        let error = ProtocolError::OutOfOrder { expected: self.sequence, got: header.sequence };
                        return Err(self.malformed(error).await);
                    }
                    self.sequence = header.sequence.wrapping_add(1);
                    return Ok(packet.get(4..).unwrap_or_default().to_vec());
                }
                Ok(None) => self.client.read().await?,
                Err(error) => return Err(self.malformed(error).await),
            }
        }
    }

    pub(super) async fn malformed(&mut self, error: ProtocolError) -> LoginError {
        self.client.capabilities = self.client.capabilities.with(Capabilities::PROTOCOL_41);
        let (packet, label) = match error {
            // A client of the protocol before 4.1 cannot be served; servers say 1251 or 1043.
            ProtocolError::Malformed { what, .. } if what.contains("older than 4.1") => (
                ErrPacket::new(1251, b"08004", &format!("pointsman: {what}; upgrade the client")),
                LoginFailure::Unsupported,
            ),
            _ => {
                (ErrPacket::new(1043, b"08S01", &format!("Bad handshake (pointsman: {error})")), LoginFailure::Protocol)
            }
        };
        let _ = self.client.refuse(&packet, self.sequence).await;
        LoginError::Session(label, error.into())
    }

    pub(super) async fn refuse(&mut self, error: &ErrPacket) -> Result<(), LoginError> {
        self.shared.metrics.error(error.code, Origin::Proxy);
        Ok(self.client.refuse(error, self.sequence).await?)
    }
}
