//! Where a connection comes from.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    /// A machine, by TCP.
    Ip(SocketAddr),
    /// This machine, by a Unix socket.
    Local,
}

impl Peer {
    /// The host as servers write it in `'user'@'host'`: an address, or `localhost`.
    #[must_use]
    pub fn host(self) -> Host {
        match self {
            // An IPv4 client of an IPv6 socket has its IPv4 address, as with servers.
            Self::Ip(address) => Host::Ip(address.ip().to_canonical()),
            Self::Local => Host::Local,
        }
    }
}

impl Peer {
    /// Its address; None for a Unix socket.
    #[must_use]
    pub const fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Ip(address) => Some(address.ip()),
            Self::Local => None,
        }
    }
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        Self::Ip(address)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Local => f.write_str("localhost"),
        }
    }
}

/// A peer without its port. Displays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Host {
    /// A machine's address; an IPv4-mapped one is IPv4.
    Ip(IpAddr),
    /// This machine, by a Unix socket.
    Local,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Local => f.write_str("localhost"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_those_of_servers() {
        let host = |text: &str| Peer::from(text.parse::<SocketAddr>().unwrap()).host().to_string();
        assert_eq!(host("10.1.2.3:44"), "10.1.2.3");
        assert_eq!(host("[::ffff:10.1.2.3]:44"), "10.1.2.3");
        assert_eq!(host("[2001:db8::1]:44"), "2001:db8::1");
        assert_eq!(Peer::Local.host().to_string(), "localhost");
    }
}
