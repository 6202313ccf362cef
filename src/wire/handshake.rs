//! The connection phase: greeting, login, switch of the authentication method.
//! [Greeting](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_v10.html),
//! [response](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_response.html).

use bytes::{BufMut as _, BytesMut};

use super::auth::NONCE_LEN;
use super::reader::Reader;
use super::writer::put_lenenc_bytes;
use super::{Capabilities, ProtocolError, Status};

/// A server's greeting (protocol version 10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// The version, as the server writes it.
    pub version: String,
    /// The connection's id.
    pub thread_id: u32,
    /// The nonce of the first scramble.
    pub nonce: [u8; NONCE_LEN],
    /// What the server can do.
    pub capabilities: Capabilities,
    /// The server's default collation, low byte.
    pub collation: u8,
    /// Status flags.
    pub status: Status,
    /// The authentication plugin that the server suggests.
    pub plugin: String,
}

impl Greeting {
    /// Reads a greeting.
    ///
    /// # Errors
    /// When it is cut off or of another protocol version.
    pub fn parse(payload: &[u8]) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new("greeting", payload);
        if reader.u8()? != 10 {
            return Err(reader.malformed("not protocol version 10"));
        }
        let version = String::from_utf8_lossy(reader.until_nul()?).into_owned();
        let thread_id = reader.u32()?;
        let first = reader.take(8)?;
        reader.u8()?;
        let low = reader.u16()?;
        let collation = reader.u8()?;
        let status = Status(reader.u16()?);
        let high = reader.u16()?;
        let nonce_len = usize::from(reader.u8()?);
        reader.take(6)?;
        let extended = reader.u32()?;
        let capabilities = Capabilities::from_fields(u32::from(low) | u32::from(high) << 16, extended);
        let mut nonce = [0; NONCE_LEN];
        let second = reader.take(nonce_len.saturating_sub(8).max(13))?;
        for (place, byte) in nonce.iter_mut().zip(first.iter().chain(second)) {
            *place = *byte;
        }
        let plugin = if capabilities.contains(Capabilities::PLUGIN_AUTH) {
            // Some servers leave the NUL out.
            let rest = reader.take_rest();
            String::from_utf8_lossy(rest.split(|&byte| byte == 0).next().unwrap_or_default()).into_owned()
        } else {
            String::new()
        };
        Ok(Self { version, thread_id, nonce, capabilities, collation, status, plugin })
    }

    /// The payload.
    #[must_use]
    pub fn encode(&self) -> BytesMut {
        let mut out = BytesMut::with_capacity(128);
        out.put_u8(10);
        out.put_slice(self.version.as_bytes());
        out.put_u8(0);
        out.put_u32_le(self.thread_id);
        let (first, second) = self.nonce.split_at_checked(8).unwrap_or_default();
        out.put_slice(first);
        out.put_u8(0);
        let (basic, extended) = self.capabilities.to_fields();
        let [a, b, c, d] = basic.to_le_bytes();
        out.put_slice(&[a, b]);
        out.put_u8(self.collation);
        out.put_u16_le(self.status.0);
        out.put_slice(&[c, d]);
        out.put_u8(21);
        out.put_slice(&[0; 6]);
        out.put_u32_le(extended);
        out.put_slice(second);
        out.put_u8(0);
        out.put_slice(self.plugin.as_bytes());
        out.put_u8(0);
        out
    }
}

/// The length of an SSLRequest: a login up to the user's name.
const SSL_REQUEST_LEN: usize = 32;

/// Whether a client asks for TLS, if that was offered: a login that ends before the user's name. What follows it is TLS.
/// [Page](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_ssl_request.html).
///
/// # Errors
/// When it asks and goes on in clear.
pub fn is_ssl_request(payload: &[u8], offered: Capabilities) -> Result<bool, ProtocolError> {
    let mut reader = Reader::new("SSL request", payload);
    let basic = Capabilities::from_fields(reader.u32()?, 0) & offered;
    if !basic.contains(Capabilities::SSL | Capabilities::PROTOCOL_41) {
        return Ok(false);
    }
    if payload.len() != SSL_REQUEST_LEN {
        return Err(reader.malformed("a login that asks for TLS and goes on without"));
    }
    Ok(true)
}

/// The payload of an SSLRequest, for a login of these capabilities and this collation.
#[must_use]
pub fn ssl_request(capabilities: Capabilities, max_packet: u32, collation: u16) -> BytesMut {
    let mut out = BytesMut::with_capacity(SSL_REQUEST_LEN);
    let (basic, extended) = capabilities.with(Capabilities::SSL).to_fields();
    out.put_u32_le(basic);
    out.put_u32_le(max_packet);
    out.put_u8(collation.to_le_bytes()[0]);
    out.put_slice(&[0; 19]);
    out.put_u32_le(extended);
    out
}

/// A client's login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandshakeResponse {
    /// What the client can do and wants.
    pub capabilities: Capabilities,
    /// The longest packet that the client takes, in bytes.
    pub max_packet: u32,
    /// The client's collation: one byte in the packet, whose second byte MariaDB's clients may use.
    pub collation: u16,
    /// The user's name.
    pub user: Vec<u8>,
    /// The proof of the password.
    pub auth_response: Vec<u8>,
    /// The schema.
    pub schema: Option<Vec<u8>>,
    /// The authentication plugin that made `auth_response`.
    pub plugin: Option<String>,
    /// Connection attributes as they came; empty when there are none.
    pub attributes: Vec<u8>,
    /// The level of zstd; of no matter without [`Capabilities::ZSTD`].
    pub zstd_level: u8,
}

impl HandshakeResponse {
    /// Reads a login. `offered` are the capabilities of the greeting: no others count.
    ///
    /// # Errors
    /// When it is cut off, or of the protocol before 4.1.
    pub fn parse(payload: &[u8], offered: Capabilities) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new("handshake response", payload);
        let basic = reader.u32()?;
        if !Capabilities::from_fields(basic, 0).contains(Capabilities::PROTOCOL_41) {
            return Err(reader.malformed("the client speaks a protocol older than 4.1"));
        }
        let max_packet = reader.u32()?;
        let collation = u16::from(reader.u8()?);
        reader.take(19)?;
        let capabilities = Capabilities::from_fields(basic, reader.u32()?) & offered;
        let user = reader.until_nul()?.to_vec();
        let auth_response = if capabilities.contains(Capabilities::PLUGIN_AUTH_LENENC) {
            reader.lenenc_bytes()?.to_vec()
        } else if capabilities.contains(Capabilities::SECURE_CONNECTION) {
            let len = usize::from(reader.u8()?);
            reader.take(len)?.to_vec()
        } else {
            reader.until_nul()?.to_vec()
        };
        // Clients are known to set the flag and send nothing.
        let schema = if capabilities.contains(Capabilities::CONNECT_WITH_DB) && !reader.is_empty() {
            Some(reader.until_nul()?.to_vec()).filter(|schema| !schema.is_empty())
        } else {
            None
        };
        let plugin = if capabilities.contains(Capabilities::PLUGIN_AUTH) && !reader.is_empty() {
            let name = match reader.until_nul() {
                Ok(name) => name,
                // Some clients leave the last NUL out.
                Err(_) => reader.take_rest(),
            };
            Some(String::from_utf8_lossy(name).into_owned()).filter(|name| !name.is_empty())
        } else {
            None
        };
        let attributes = if capabilities.contains(Capabilities::CONNECT_ATTRS) && !reader.is_empty() {
            reader.lenenc_bytes()?.to_vec()
        } else {
            Vec::new()
        };
        let zstd_level =
            if capabilities.contains(Capabilities::ZSTD) && !reader.is_empty() { reader.u8()? } else { 0 };
        Ok(Self { capabilities, max_packet, collation, user, auth_response, schema, plugin, attributes, zstd_level })
    }

    /// The payload, for a login to a server.
    #[must_use]
    pub fn encode(&self) -> BytesMut {
        let mut out = BytesMut::with_capacity(128);
        let (basic, extended) = self.capabilities.to_fields();
        out.put_u32_le(basic);
        out.put_u32_le(self.max_packet);
        out.put_u8(self.collation.to_le_bytes()[0]);
        out.put_slice(&[0; 19]);
        out.put_u32_le(extended);
        out.put_slice(&self.user);
        out.put_u8(0);
        if self.capabilities.contains(Capabilities::PLUGIN_AUTH_LENENC) {
            put_lenenc_bytes(&mut out, &self.auth_response);
        } else {
            out.put_u8(u8::try_from(self.auth_response.len()).unwrap_or(0));
            out.put_slice(&self.auth_response);
        }
        if let Some(schema) = self.schema.as_ref().filter(|_| self.capabilities.contains(Capabilities::CONNECT_WITH_DB))
        {
            out.put_slice(schema);
            out.put_u8(0);
        }
        if let Some(plugin) = self.plugin.as_ref().filter(|_| self.capabilities.contains(Capabilities::PLUGIN_AUTH)) {
            out.put_slice(plugin.as_bytes());
            out.put_u8(0);
        }
        if self.capabilities.contains(Capabilities::CONNECT_ATTRS) {
            put_lenenc_bytes(&mut out, &self.attributes);
        }
        if self.capabilities.contains(Capabilities::ZSTD) {
            out.put_u8(self.zstd_level);
        }
        out
    }
}

/// COM_CHANGE_USER's payload behind its first byte.
/// [Page](https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_change_user.html).
///
/// # Errors
/// When it is cut off.
pub fn parse_change_user(
    payload: &[u8],
    capabilities: Capabilities,
    max_packet: u32,
) -> Result<HandshakeResponse, ProtocolError> {
    let mut reader = Reader::new("COM_CHANGE_USER", payload);
    let user = reader.until_nul()?.to_vec();
    let auth_len = usize::from(reader.u8()?);
    let auth_response = reader.take(auth_len)?.to_vec();
    let schema = Some(reader.until_nul()?.to_vec()).filter(|schema| !schema.is_empty());
    // 0: the client named none, and the connection's stays. One byte is none, to servers.
    let collation = if reader.rest().len() < 2 { 0 } else { reader.u16()? };
    // Servers want a method of whoever knows of them.
    if capabilities.contains(Capabilities::PLUGIN_AUTH) && reader.is_empty() {
        return Err(reader.truncated());
    }
    let plugin = if capabilities.contains(Capabilities::PLUGIN_AUTH) && !reader.is_empty() {
        Some(String::from_utf8_lossy(reader.until_nul()?).into_owned())
    } else {
        None
    };
    let attributes = if capabilities.contains(Capabilities::CONNECT_ATTRS) && !reader.is_empty() {
        reader.lenenc_bytes()?.to_vec()
    } else {
        Vec::new()
    };
    let zstd_level = 0;
    Ok(HandshakeResponse {
        capabilities,
        max_packet,
        collation,
        user,
        auth_response,
        schema,
        plugin,
        attributes,
        zstd_level,
    })
}

/// What a server sends while a login goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthReply<'a> {
    /// The login succeeded.
    Ok,
    /// AuthSwitchRequest: another plugin and nonce.
    Switch {
        /// The plugin.
        plugin: &'a str,
        /// Its data: the nonce, without a NUL at the end.
        data: &'a [u8],
    },
    /// AuthMoreData: the plugin's own. MariaDB leaves its first byte out where the data cannot be taken for another packet.
    More(&'a [u8]),
    /// AuthNextFactor: the server wants more than one proof.
    NextFactor {
        /// The plugin of the next one.
        plugin: &'a str,
    },
    /// ERR.
    Err,
}

impl<'a> AuthReply<'a> {
    /// Reads a packet of the login phase.
    ///
    /// # Errors
    /// When it is cut off or none of these.
    pub fn parse(payload: &'a [u8]) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new("authentication", payload);
        match reader.u8()? {
            0x00 => Ok(Self::Ok),
            0x01 => Ok(Self::More(reader.take_rest())),
            0xFE if reader.is_empty() => {
                Err(reader.malformed("the server asks for the authentication of MySQL 4.0, which is not served"))
            }
            0xFE => {
                let plugin = std::str::from_utf8(reader.until_nul()?).map_err(|_| reader.malformed("plugin name"))?;
                let data = reader.take_rest();
                // A NUL ends a nonce of 20 bytes; those of MariaDB's plugins may themselves end with one.
                let nonce = data.strip_suffix(&[0]).filter(|nonce| nonce.len() == NONCE_LEN);
                Ok(Self::Switch { plugin, data: nonce.unwrap_or(data) })
            }
            0x02 => {
                let plugin = std::str::from_utf8(reader.until_nul()?).map_err(|_| reader.malformed("plugin name"))?;
                Ok(Self::NextFactor { plugin })
            }
            0xFF => Ok(Self::Err),
            _ => Ok(Self::More(payload)),
        }
    }
}

/// The payload of an AuthSwitchRequest.
#[must_use]
pub fn auth_switch(plugin: &str, nonce: &[u8]) -> BytesMut {
    let mut out = BytesMut::with_capacity(64);
    out.put_u8(0xFE);
    out.put_slice(plugin.as_bytes());
    out.put_u8(0);
    out.put_slice(nonce);
    out.put_u8(0);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn greeting() -> Greeting {
        Greeting {
            version: "5.5.5-10.11.14-MariaDB-log".into(),
            thread_id: 77,
            nonce: *b"abcdefghijklmnopqrst",
            capabilities: Capabilities::OFFERED.without(Capabilities::LONG_PASSWORD),
            collation: 45,
            status: Status::AUTOCOMMIT,
            plugin: "mysql_native_password".into(),
        }
    }

    #[test]
    fn greeting_round_trip() {
        let payload = greeting().encode();
        assert_eq!(Greeting::parse(&payload), Ok(greeting()));
        for cut in 0..60 {
            assert!(Greeting::parse(&payload[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn login_round_trip() {
        let login = HandshakeResponse {
            capabilities: Capabilities::UNSEEN,
            max_packet: 1 << 24,
            collation: 45,
            user: b"app".to_vec(),
            auth_response: vec![1; 32],
            schema: Some(b"shop".to_vec()),
            plugin: Some("caching_sha2_password".into()),
            attributes: b"\x03_os\x05Linux".to_vec(),
            zstd_level: 0,
        };
        let zstd =
            HandshakeResponse { capabilities: login.capabilities | Capabilities::ZSTD, zstd_level: 7, ..login.clone() };
        assert_eq!(HandshakeResponse::parse(&zstd.encode(), Capabilities::OFFERED | Capabilities::ZSTD), Ok(zstd));
        assert_eq!(HandshakeResponse::parse(&login.encode(), Capabilities::OFFERED), Ok(login.clone()));
        // MariaDB's own capabilities are read only without LONG_PASSWORD, so that one goes when there are any.
        let mariadb = HandshakeResponse { capabilities: Capabilities::OFFERED, ..login };
        let read = HandshakeResponse::parse(&mariadb.encode(), Capabilities::OFFERED).unwrap();
        assert_eq!(read.capabilities, Capabilities::OFFERED.without(Capabilities::LONG_PASSWORD));
        let plain = HandshakeResponse::parse(&mariadb.encode(), Capabilities::OFFERED & Capabilities(0xFFFF_FFFF));
        assert!(!plain.unwrap().capabilities.contains(Capabilities::EXTENDED_METADATA));
    }

    #[test]
    fn a_request_for_tls_is_just_the_front_of_a_login() {
        let offered = Capabilities::OFFERED.with(Capabilities::SSL);
        let request = ssl_request(Capabilities::OFFERED, 1 << 24, 45);
        assert_eq!(is_ssl_request(&request, offered), Ok(true));
        assert_eq!(is_ssl_request(&request, Capabilities::OFFERED), Ok(false), "it was not offered");
        let longer = [&request[..], b"app\0"].concat();
        assert!(is_ssl_request(&longer, offered).is_err(), "the user's name must not come in clear");
        assert!(is_ssl_request(&request[..3], offered).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_of_a_peer_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Greeting::parse(&bytes);
            let _ = HandshakeResponse::parse(&bytes, Capabilities::OFFERED);
            let _ = parse_change_user(&bytes, Capabilities::OFFERED, 0);
            let _ = AuthReply::parse(&bytes);
        }
    }
}
