//! Networks as they stand in a configuration, to tell whether a peer is of them.

use std::fmt;
use std::net::IpAddr;

/// The word for this machine's clients by the Unix socket.
const UNIX: &str = "unix";

/// `address`, `address/bits`, or `unix`. IPv4-mapped addresses are IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Network {
    /// Addresses whose first bits are those of this one.
    Ip(IpAddr, u8),
    /// The Unix socket.
    Unix,
}

/// A list of networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

impl Networks {
    /// The networks that these texts name; what is none is left out, since it was reported when it was read.
    pub(super) fn new(texts: &[String]) -> Self {
        Self(texts.iter().filter_map(|text| Network::parse(text)).collect())
    }

    /// Whether they hold every address of a family.
    #[must_use]
    pub fn hold_all(&self) -> bool {
        self.0.iter().any(|network| matches!(network, Network::Ip(_, 0)))
    }

    /// Whether the peer is of them: an address, or None for one by the Unix socket.
    #[must_use]
    pub fn contain(&self, peer: Option<IpAddr>) -> bool {
        self.0.iter().any(|network| network.contains(peer))
    }
}

/// A network's text in its one form; None: it is no network.
pub(super) fn network(text: &str) -> Option<String> {
    Network::parse(text).map(|network| network.to_string())
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        if text == UNIX {
            return Some(Self::Unix);
        }
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => {
                let digits = (1..=3).contains(&bits.len()) && bits.bytes().all(|byte| byte.is_ascii_digit());
                (address, Some(bits.parse::<u8>().ok().filter(|_| digits)?))
            }
            None => (text, None),
        };
        let given: IpAddr = address.parse().ok()?;
        let most = width(given);
        let bits = bits.unwrap_or(most);
        if bits > most {
            return None;
        }
        let canonical = given.to_canonical();
        if canonical.is_ipv4() && given.is_ipv6() {
            // A part of the mapping's own prefix is no network of IPv4 addresses.
            return Some(Self::Ip(canonical, bits.checked_sub(96)?));
        }
        Some(Self::Ip(given, bits))
    }

    fn contains(self, peer: Option<IpAddr>) -> bool {
        match (self, peer.map(|peer| peer.to_canonical())) {
            (Self::Unix, None) => true,
            (Self::Ip(address, bits), Some(peer)) => {
                address.is_ipv4() == peer.is_ipv4() && prefix(address, bits) == prefix(peer, bits)
            }
            _ => false,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix => f.write_str(UNIX),
            Self::Ip(address, bits) if *bits == width(*address) => address.fmt(f),
            Self::Ip(address, bits) => write!(f, "{address}/{bits}"),
        }
    }
}

const fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The first bits of an address, as a number; the others are gone.
fn prefix(address: IpAddr, bits: u8) -> u128 {
    let number = match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    };
    // No bits at all: everything is the same.
    number.checked_shr(u32::from(width(address).saturating_sub(bits))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_found_in_their_networks() {
        for (network, inside, outside) in [
            ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
            ("10.1.2.3/24", "10.1.2.77", "10.1.3.3"),
            ("10.0.0.0/8", "::ffff:10.9.9.9", "11.0.0.0"),
            ("::ffff:10.0.0.0/104", "10.9.9.9", "11.0.0.0"),
            ("0.0.0.0/0", "1.2.3.4", "::1"),
            ("2001:db8::/32", "2001:db8:1::1", "2001:db9::1"),
            ("::/0", "2001:db9::1", "1.2.3.4"),
            ("::1", "::1", "0.0.0.1"),
        ] {
            let networks = Networks::new(&[network.to_owned()]);
            assert!(networks.contain(Some(inside.parse().unwrap())), "{network}");
            assert!(!networks.contain(Some(outside.parse().unwrap())), "{network}");
            assert!(!networks.contain(None), "{network}");
        }
        let unix = Networks::new(&["unix".to_owned()]);
        assert!(unix.contain(None) && !unix.contain(Some("127.0.0.1".parse().unwrap())));
        assert!(!Networks::default().contain(None));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in
            ["", "lb", "10.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "::/129", "::ffff:1.2.3.4/95", "Unix"]
        {
            assert_eq!(network(text), None, "{text}");
        }
        assert_eq!(network("10.0.0.0/32").as_deref(), Some("10.0.0.0"));
    }
}
