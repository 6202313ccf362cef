//! Addresses and secrets as they stand in a configuration.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use zeroize::Zeroize as _;

/// `host:port`. The host is not resolved here: names are resolved at each connect.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// A name, an IPv4 address, or an IPv6 address without its brackets.
    pub host: Arc<str>,
    /// The TCP port.
    pub port: u16,
}

impl Address {
    /// Reads `host:port`, `[::1]:port` and, if there is a `default_port`, also `host` and `[::1]`.
    ///
    /// # Errors
    ///
    /// Says what is wrong as a clause, such as "the port is missing". Port 0 is taken only without a default port:
    /// to listen on any free port makes sense, to connect to it does not.
    pub fn parse(text: &str, default_port: Option<u16>) -> Result<Self, &'static str> {
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, rest) = rest.split_once(']').ok_or("the closing bracket is missing")?;
            if host.parse::<Ipv6Addr>().is_err() {
                return Err("what stands in brackets is not an IPv6 address");
            }
            match rest.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if rest.is_empty() => (host, None),
                None => return Err("a colon and the port must follow the bracket"),
            }
        } else {
            match text.split_once(':') {
                Some((_, port)) if port.contains(':') => return Err("an IPv6 address must stand in brackets"),
                Some((host, port)) => (plain_host(host)?, Some(port)),
                None => (plain_host(text)?, None),
            }
        };
        let port = match port {
            Some(port) if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) => {
                return Err("the port is not a number");
            }
            Some(port) => port.parse().map_err(|_| "the port is above 65535")?,
            None => default_port.ok_or("the port is missing")?,
        };
        if port == 0 && default_port.is_some() {
            return Err("the port is 0");
        }
        Ok(Self { host: Arc::from(host), port })
    }

    /// Whether the host means every address of this machine.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.host.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified())
    }
}

/// A host name or an IPv4 address. Underscores are no part of host names, yet container networks use them.
fn plain_host(host: &str) -> Result<&str, &'static str> {
    if host.is_empty() {
        return Err("the host is missing");
    }
    if host.len() > 253 {
        return Err("the host is longer than 253 characters");
    }
    let fits = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    if fits { Ok(host) } else { Err("a host has only letters, digits, `-`, `.` and `_`") }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// `sockaddr_un.sun_path` holds 108 bytes, the last of them zero.
const SOCKET_PATH_LIMIT: usize = 107;

/// Whether a Unix socket can be at this path.
///
/// # Errors
///
/// Says what is wrong as a clause.
pub(super) fn check_socket_path(path: &str) -> Result<(), &'static str> {
    if !path.starts_with('/') {
        return Err("the path of a socket must begin with `/`");
    }
    if path.len() > SOCKET_PATH_LIMIT {
        return Err("the path of a socket has at most 107 bytes");
    }
    if path.ends_with('/') || path.chars().any(char::is_control) {
        return Err("this is not the path of a socket");
    }
    Ok(())
}

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// On this or another machine, by TCP.
    Tcp(Address),
    /// On this machine, by the Unix socket at this path.
    Unix(Arc<str>),
}

impl Endpoint {
    /// Reads `/path/of/a.sock`, `unix:/path/of/a.sock`, or what [`Address::parse`] takes with port 3306 as the default.
    ///
    /// # Errors
    ///
    /// Says what is wrong as a clause.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        match text.strip_prefix("unix:").or_else(|| text.starts_with('/').then_some(text)) {
            Some(path) => check_socket_path(path).map(|()| Self::Unix(path.into())),
            None => Address::parse(text, Some(3306)).map(Self::Tcp),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => f.write_str(path),
        }
    }
}

/// A password. Shown by nothing, wiped when dropped.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text`.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The password itself, for a scramble.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses() {
        for (text, shown) in [
            ("db1", "db1:3306"),
            ("db_1.internal:3307", "db_1.internal:3307"),
            ("10.0.0.1:1", "10.0.0.1:1"),
            ("[::1]:3307", "[::1]:3307"),
            ("[2001:db8::1]", "[2001:db8::1]:3306"),
        ] {
            assert_eq!(Address::parse(text, Some(3306)).map(|address| address.to_string()).as_deref(), Ok(shown));
        }
        assert_eq!(Address::parse("localhost:0", None).map(|address| address.port), Ok(0));
    }

    #[test]
    fn says_what_is_wrong_with_an_address() {
        for (text, reason) in [
            ("", "the host is missing"),
            (":1", "the host is missing"),
            ("a:", "the port is not a number"),
            ("a:+1", "the port is not a number"),
            ("a:65536", "the port is above 65535"),
            ("a:0", "the port is 0"),
            ("::1", "an IPv6 address must stand in brackets"),
            ("[::1", "the closing bracket is missing"),
            ("[a]:1", "what stands in brackets is not an IPv6 address"),
            ("[::1]1", "a colon and the port must follow the bracket"),
            ("a b", "a host has only letters, digits, `-`, `.` and `_`"),
        ] {
            assert_eq!(Address::parse(text, Some(3306)), Err(reason), "{text}");
        }
        assert_eq!(Address::parse("a", None), Err("the port is missing"));
    }

    #[test]
    fn reads_sockets() {
        for text in ["/run/mysqld/mysqld.sock", "unix:/run/mysqld/mysqld.sock"] {
            assert_eq!(Endpoint::parse(text), Ok(Endpoint::Unix("/run/mysqld/mysqld.sock".into())));
        }
        assert_eq!(Endpoint::parse("db1").unwrap().to_string(), "db1:3306");
        assert!(Endpoint::parse(&format!("/{}", "x".repeat(106))).is_ok());
        let long = format!("unix:/{}", "x".repeat(107));
        for (text, reason) in [
            ("unix:run/a.sock", "the path of a socket must begin with `/`"),
            (long.as_str(), "the path of a socket has at most 107 bytes"),
            ("/run/", "this is not the path of a socket"),
            ("/a\0b", "this is not the path of a socket"),
        ] {
            assert_eq!(Endpoint::parse(text), Err(reason), "{text}");
        }
    }

    #[test]
    fn knows_wildcards() {
        assert!(Address::parse("0.0.0.0:1", None).is_ok_and(|address| address.is_wildcard()));
        assert!(Address::parse("[::]:1", None).is_ok_and(|address| address.is_wildcard()));
        assert!(Address::parse("db1:1", None).is_ok_and(|address| !address.is_wildcard()));
    }

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(format!("{:?}", Secret::new("hunter2".to_owned())), "Secret(..)");
    }
}
