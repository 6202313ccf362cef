//! The header of the PROXY protocol, versions 1 and 2, by which a load balancer names the client's address
//! ([HAProxy's specification](https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt)): read, and written. Does not know
//! whom to believe.

use std::net::{IpAddr, SocketAddr};

use super::ProtocolError;

/// The longest header of version 1 with its end of line, in bytes (section 2.1).
pub const MAX_V1: usize = 107;
/// The most that may follow the fixed part of version 2, in bytes: addresses and additions, such as a certificate's names.
pub const MAX_V2: usize = 4 << 10;

/// What version 1 begins with.
const V1: &[u8] = b"PROXY ";
/// What version 2 begins with.
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The fixed part of version 2: the signature, version and command, family and transport, length.
const V2_FIXED: usize = 16;

/// A header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyHeader {
    /// Its length in bytes.
    pub len: usize,
    /// The client's address and port, an IPv4-mapped one as IPv4. None: the sender speaks for itself (a health check), or
    /// does not know: the connection's own address counts.
    pub source: Option<SocketAddr>,
}

/// A version of the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyVersion {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

impl ProxyVersion {
    /// As it is written in a configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        }
    }
}

/// Whom a header speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// A client by TCP, at this address.
    Ip(IpAddr),
    /// A client by a Unix socket. Version 1 cannot say so: it says that it does not know.
    Unix,
    /// The sender itself: its own address counts.
    Oneself,
}

/// A header. Ports are 0, and so is the address that the client connected to: a connection that several clients of one
/// address use after each other has no port of theirs.
#[must_use]
pub fn encode(version: ProxyVersion, speaker: Speaker) -> Vec<u8> {
    match version {
        ProxyVersion::V1 => match speaker {
            Speaker::Ip(address) => match address.to_canonical() {
                IpAddr::V4(address) => format!("PROXY TCP4 {address} 0.0.0.0 0 0\r\n").into_bytes(),
                IpAddr::V6(address) => format!("PROXY TCP6 {address} :: 0 0\r\n").into_bytes(),
            },
            Speaker::Unix | Speaker::Oneself => b"PROXY UNKNOWN\r\n".to_vec(),
        },
        ProxyVersion::V2 => {
            // Version and command, family and transport; source, target and ports, or two paths.
            let (kind, source, len): ([u8; 2], Vec<u8>, u8) = match speaker {
                Speaker::Ip(address) => match address.to_canonical() {
                    IpAddr::V4(address) => ([0x21, 0x11], address.octets().to_vec(), 12),
                    IpAddr::V6(address) => ([0x21, 0x21], address.octets().to_vec(), 36),
                },
                Speaker::Unix => ([0x21, 0x31], Vec::new(), 216),
                Speaker::Oneself => ([0x20, 0x00], Vec::new(), 0),
            };
            let mut out = [V2, &kind, &[0, len], &source].concat();
            out.resize(V2_FIXED.saturating_add(usize::from(len)), 0);
            out
        }
    }
}

/// The header that `bytes` begin with; None: more bytes are needed.
///
/// # Errors
/// They are none, or one that is broken or too long. More bytes would not help.
pub fn parse(bytes: &[u8]) -> Result<Option<ProxyHeader>, ProtocolError> {
    if begins(bytes, V1) {
        return if bytes.len() < V1.len() { Ok(None) } else { v1(bytes) };
    }
    if begins(bytes, V2) {
        return v2(bytes);
    }
    Err(malformed("there is none"))
}

/// Whether `bytes` begin with `signature`, as far as they go.
fn begins(bytes: &[u8], signature: &[u8]) -> bool {
    bytes.iter().zip(signature).all(|(byte, due)| byte == due)
}

const fn malformed(what: &'static str) -> ProtocolError {
    ProtocolError::Malformed { packet: "PROXY protocol header", what }
}

fn v1(bytes: &[u8]) -> Result<Option<ProxyHeader>, ProtocolError> {
    let seen = bytes.get(..MAX_V1).unwrap_or(bytes);
    let Some(end) = seen.windows(2).position(|pair| pair == b"\r\n") else {
        return if seen.len() < MAX_V1 { Ok(None) } else { Err(malformed("its line does not end within 107 bytes")) };
    };
    let line = seen.get(V1.len()..end).and_then(|line| std::str::from_utf8(line).ok());
    let line = line.ok_or_else(|| malformed("its line is no text"))?;
    let header = |source| Ok(Some(ProxyHeader { len: end.saturating_add(2), source }));
    let mut words = line.split(' ');
    let ipv4 = match words.next() {
        // Whatever follows is not looked at, says the specification.
        Some("UNKNOWN") => return header(None),
        Some("TCP4") => true,
        Some("TCP6") => false,
        _ => return Err(malformed("its protocol is none of TCP4, TCP6 and UNKNOWN")),
    };
    let mut address = || words.next()?.parse::<IpAddr>().ok().filter(|address| address.is_ipv4() == ipv4);
    let (source, target) = (address(), address());
    let mut port = || words.next().filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()))?.parse::<u16>().ok();
    let (from, to) = (port(), port());
    match (source, target, from, to, words.next()) {
        (Some(source), Some(_), Some(from), Some(_), None) => header(Some(canonical(source, from))),
        _ => Err(malformed("its addresses or ports are not those of its protocol")),
    }
}

fn v2(bytes: &[u8]) -> Result<Option<ProxyHeader>, ProtocolError> {
    // Refused as soon as it can be told.
    let command = match bytes.get(V2.len()) {
        None => return Ok(None),
        Some(0x20) => false,
        Some(0x21) => true,
        Some(_) => return Err(malformed("its version is not 2 or its command is neither LOCAL nor PROXY")),
    };
    let Some([family, high, low]) = bytes.get(V2.len().saturating_add(1)..V2_FIXED) else { return Ok(None) };
    let body = usize::from(u16::from_be_bytes([*high, *low]));
    if body > MAX_V2 {
        return Err(malformed("it is longer than 4 KiB"));
    }
    let len = V2_FIXED.saturating_add(body);
    let Some(body) = bytes.get(V2_FIXED..len) else { return Ok(None) };
    let short = || malformed("it ends before its addresses do");
    // Behind the addresses are additions, which are not looked at.
    let source = match (command, *family) {
        // A health check of the sender's: the family is of no meaning.
        (false, _) | (true, 0x00) => None,
        // Source, target, source port, target port; network byte order.
        (true, 0x11) => {
            let [a, b, c, d, _, _, _, _, high, low, _, _] = *body.first_chunk::<12>().ok_or_else(short)?;
            Some(canonical(IpAddr::from([a, b, c, d]), u16::from_be_bytes([high, low])))
        }
        (true, 0x21) => {
            let (source, rest) = body.split_first_chunk::<16>().ok_or_else(short)?;
            let [.., high, low, _, _] = *rest.first_chunk::<20>().ok_or_else(short)?;
            Some(canonical(IpAddr::from(*source), u16::from_be_bytes([high, low])))
        }
        // Two paths of sockets: no address of a client.
        (true, 0x31) => body.first_chunk::<216>().ok_or_else(short).map(|_| None)?,
        _ => return Err(malformed("its family and transport are not TCP over IPv4 or IPv6, or a Unix stream")),
    };
    Ok(Some(ProxyHeader { len, source }))
}

fn canonical(address: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address.to_canonical(), port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn binary(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let len = u16::try_from(body.len()).unwrap().to_be_bytes();
        [V2, &[command, family], &len, body].concat()
    }

    fn v4_body() -> Vec<u8> {
        vec![203, 0, 113, 7, 10, 0, 0, 1, 0x30, 0x39, 0x0C, 0xEA]
    }

    fn source(bytes: &[u8]) -> Option<String> {
        let header = parse(bytes).unwrap().unwrap();
        assert_eq!(header.len, bytes.len());
        header.source.map(|source| source.to_string())
    }

    fn good() -> Vec<(Vec<u8>, Option<&'static str>)> {
        let mut v6 = vec![0; 36];
        v6[..4].copy_from_slice(&[0x20, 1, 0x0D, 0xB8]);
        v6[15] = 9;
        v6[32..34].copy_from_slice(&[0x30, 0x39]);
        let mut mapped = vec![0; 36];
        mapped[10..16].copy_from_slice(&[0xFF, 0xFF, 203, 0, 113, 7]);
        let additions = [v4_body(), vec![3, 0, 4, 1, 2, 3, 4]].concat();
        vec![
            (b"PROXY TCP4 203.0.113.7 10.0.0.1 12345 3306\r\n".to_vec(), Some("203.0.113.7:12345")),
            (b"PROXY TCP6 2001:db8::9 ::1 12345 3306\r\n".to_vec(), Some("[2001:db8::9]:12345")),
            (b"PROXY TCP6 ::ffff:203.0.113.7 ::1 1 2\r\n".to_vec(), Some("203.0.113.7:1")),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n".to_vec(), None),
            (binary(0x21, 0x11, &v4_body()), Some("203.0.113.7:12345")),
            (binary(0x21, 0x11, &additions), Some("203.0.113.7:12345")),
            (binary(0x21, 0x21, &v6), Some("[2001:db8::9]:12345")),
            (binary(0x21, 0x21, &mapped), Some("203.0.113.7:0")),
            (binary(0x21, 0x31, &[7; 216]), None),
            (binary(0x21, 0x00, &[]), None),
            (binary(0x20, 0x00, &[]), None),
            (binary(0x20, 0x11, &v4_body()), None),
            (binary(0x20, 0x11, &[1; 4096]), None),
        ]
    }

    #[test]
    fn headers_name_the_source() {
        for (bytes, expected) in good() {
            assert_eq!(source(&bytes).as_deref(), expected, "{bytes:?}");
        }
    }

    #[test]
    fn what_is_no_header_is_told_at_once() {
        let long = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 93]].concat();
        for bytes in [
            b"G".to_vec(),
            b"PROXZ".to_vec(),
            b"\r\n\r\n\0\r\nQUIP".to_vec(),
            // The first bytes of a login.
            vec![0x55, 0, 0, 1, 0x85],
            b"PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n".to_vec(),
            b"PROXY TCP4 ::1 ::1 1 2\r\n".to_vec(),
            b"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n".to_vec(),
            b"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n".to_vec(),
            b"PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n".to_vec(),
            b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n".to_vec(),
            b"PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n".to_vec(),
            b"PROXY \xff\r\n".to_vec(),
            long,
            binary(0x11, 0x11, &v4_body()),
            binary(0x22, 0x11, &v4_body()),
            binary(0x21, 0x12, &v4_body()),
            binary(0x21, 0x11, &v4_body()[..11]),
            binary(0x21, 0x21, &[0; 35]),
            binary(0x21, 0x31, &[0; 215]),
            binary(0x21, 0x11, &[0; 4097])[..16].to_vec(),
        ] {
            assert!(parse(&bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn headers_are_written_as_the_specification_has_them() {
        let text =
            |address: &str| String::from_utf8(encode(ProxyVersion::V1, Speaker::Ip(address.parse().unwrap()))).unwrap();
        assert_eq!(text("203.0.113.7"), "PROXY TCP4 203.0.113.7 0.0.0.0 0 0\r\n");
        assert_eq!(text("::ffff:203.0.113.7"), "PROXY TCP4 203.0.113.7 0.0.0.0 0 0\r\n");
        assert_eq!(text("2001:db8::9"), "PROXY TCP6 2001:db8::9 :: 0 0\r\n");
        let v2 = encode(ProxyVersion::V2, Speaker::Ip("203.0.113.7".parse().unwrap()));
        assert_eq!(v2, binary(0x21, 0x11, &[203, 0, 113, 7, 0, 0, 0, 0, 0, 0, 0, 0]));
        assert_eq!(encode(ProxyVersion::V2, Speaker::Unix), binary(0x21, 0x31, &[0; 216]));
        assert_eq!(encode(ProxyVersion::V2, Speaker::Oneself), binary(0x20, 0x00, &[]));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(v6: bool, bits: u128, which in 0usize..3, version in 0usize..2) {
            let address = if v6 { IpAddr::V6(bits.into()) } else { IpAddr::V4(u32::try_from(bits >> 96).unwrap().into()) };
            let speaker = [Speaker::Ip(address), Speaker::Unix, Speaker::Oneself][which];
            let bytes = encode([ProxyVersion::V1, ProxyVersion::V2][version], speaker);
            prop_assert!(bytes.len() <= MAX_V1 || version == 1);
            let header = parse(&bytes).unwrap().unwrap();
            prop_assert_eq!(header.len, bytes.len());
            let named = (speaker == Speaker::Ip(address)).then(|| SocketAddr::new(address.to_canonical(), 0));
            prop_assert_eq!(header.source, named);
        }

        #[test]
        fn any_bytes_end_in_a_bounded_header_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..200), which in 0usize..5) {
            let start: &[u8] = [&b""[..], V1, V2, b"PROXY TCP4 ", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0"][which];
            let bytes = [start, &bytes].concat();
            if let Ok(Some(header)) = parse(&bytes) {
                prop_assert!(header.len <= bytes.len() && header.len > 0);
            }
        }

        #[test]
        fn any_split_says_the_same_and_what_follows_does_not_count(which in 0usize..14, cut in 0usize..5000, tail in proptest::collection::vec(any::<u8>(), 0..20)) {
            let (bytes, _) = good().swap_remove(which);
            let whole = parse(&bytes).unwrap();
            prop_assert_eq!(parse(&[bytes.clone(), tail].concat()).unwrap(), whole);
            let cut = cut % bytes.len();
            prop_assert_eq!(parse(&bytes[..cut]).unwrap(), None);
        }
    }
}
