//! The host part of an account: what it matches, and which of several goes first.
//! [MySQL](https://dev.mysql.com/doc/refman/9.7/en/account-names.html),
//! [MariaDB](https://mariadb.com/kb/en/create-user/#host-name-component).

use std::net::IpAddr;
use std::sync::Arc;

/// A host part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    text: Arc<str>,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// A name or an address.
    Literal(Option<IpAddr>),
    /// An IPv4 network.
    Net { address: u32, mask: u32 },
    /// Holds `%` or `_`; the place of the first.
    Wild(usize),
}

impl HostPattern {
    /// Reads a host part. `cidr`: whether `10.0.0.0/8` is a network (MySQL 8.0.23 and later; MariaDB knows masks only).
    #[must_use]
    pub fn new(text: &str, cidr: bool) -> Self {
        let kind = match text.split_once('/').and_then(|(address, mask)| net(address, mask, cidr)) {
            Some((address, mask)) => Kind::Net { address, mask },
            // An empty host is any, and less specific than `%`.
            None => match first_wild(text) {
                Some(at) => Kind::Wild(at),
                // With what is escaped it must be read as a pattern all the same.
                None if text.contains('\\') => Kind::Wild(text.len()),
                None => Kind::Literal(text.parse().ok()),
            },
        };
        Self { text: text.into(), kind }
    }

    /// As it stands in the account.
    #[must_use]
    pub const fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Servers try the accounts in this order: addresses and names, networks from the narrowest, patterns from that
    /// whose first wildcard comes last, `%`, and nothing at all.
    #[must_use]
    pub fn rank(&self) -> (u8, u32) {
        match &self.kind {
            Kind::Literal(_) if self.text.is_empty() => (4, 0),
            Kind::Literal(_) => (0, 0),
            Kind::Net { mask, .. } => (1, mask.count_zeros()),
            Kind::Wild(_) if &*self.text == "%" => (3, 0),
            Kind::Wild(at) => (2, u32::MAX.saturating_sub(u32::try_from(*at).unwrap_or(u32::MAX))),
        }
    }

    /// Whether it is the host of a client with this address, or of this name.
    #[must_use]
    pub fn matches(&self, address: Option<IpAddr>, name: Option<&str>) -> bool {
        match &self.kind {
            Kind::Literal(_) if self.text.is_empty() => true,
            Kind::Literal(own) => {
                (own.is_some() && own.map(|own| own.to_canonical()) == address)
                    || name.is_some_and(|name| name.eq_ignore_ascii_case(&self.text))
            }
            Kind::Net { address: own, mask } => {
                matches!(address, Some(IpAddr::V4(address)) if u32::from(address) & mask == *own)
            }
            Kind::Wild(_) => {
                name.is_some_and(|name| like(name, &self.text))
                    || address.is_some_and(|address| like(&address.to_string(), &self.text))
            }
        }
    }
}

/// The place of the first wildcard that is not escaped.
fn first_wild(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let wild = !escaped && matches!(byte, b'%' | b'_');
        escaped = !escaped && byte == b'\\';
        wild
    })
}

/// Address and mask as numbers.
fn net(address: &str, mask: &str, cidr: bool) -> Option<(u32, u32)> {
    let number = |text: &str| match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => Some(u32::from(address)),
        _ => None,
    };
    let mask = match mask.parse::<u8>() {
        Ok(bits @ 0..=32) if cidr => u32::MAX.checked_shl(32_u32.saturating_sub(bits.into())).unwrap_or(0),
        _ => number(mask)?,
    };
    Some((number(address)?, mask))
}

/// SQL's LIKE, in any case of ASCII letters.
fn like(text: &str, pattern: &str) -> bool {
    let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
    let (mut at, mut p) = (0_usize, 0_usize);
    // Where to go on when what follows the last `%` turns out not to fit: one letter further.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let fits = match pattern.get(p) {
            Some(b'%') => {
                p = p.saturating_add(1);
                retry = Some((p, at));
                continue;
            }
            Some(b'_') => text.get(at).is_some().then_some(1),
            Some(b'\\') if pattern.get(p.saturating_add(1)).is_some() => {
                let letter = pattern.get(p.saturating_add(1)).zip(text.get(at));
                letter.is_some_and(|(a, b)| a.eq_ignore_ascii_case(b)).then_some(2)
            }
            Some(letter) => text.get(at).is_some_and(|own| own.eq_ignore_ascii_case(letter)).then_some(1),
            None if at == text.len() => return true,
            None => None,
        };
        match (fits, &mut retry) {
            (Some(step), _) => {
                p = p.saturating_add(step);
                at = at.saturating_add(1);
            }
            (None, Some((after, from))) if *from < text.len() => {
                *from = from.saturating_add(1);
                (p, at) = (*after, *from);
            }
            (None, _) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, host: &str) -> bool {
        let address: Option<IpAddr> = host.parse().ok();
        HostPattern::new(pattern, true).matches(address, address.is_none().then_some(host))
    }

    #[test]
    fn hosts_match_as_servers_match_them() {
        for (pattern, host) in [
            ("%", "10.1.2.3"),
            ("", "10.1.2.3"),
            ("10.1.2.3", "10.1.2.3"),
            ("10.1.%", "10.1.2.3"),
            ("10.1.2._", "10.1.2.3"),
            ("%.2.3", "10.1.2.3"),
            ("1%.%2.3", "10.1.2.3"),
            ("10.0.0.0/255.0.0.0", "10.1.2.3"),
            ("10.0.0.0/8", "10.1.2.3"),
            ("10.1.2.3/32", "10.1.2.3"),
            ("0.0.0.0/0", "10.1.2.3"),
            ("2001:db8::1", "2001:db8::1"),
            ("2001:DB8:0::1", "2001:db8::1"),
            ("2001:db8:%", "2001:db8::1"),
            ("localhost", "LocalHost"),
            ("local%", "localhost"),
            ("db\\_1", "db_1"),
            ("::ffff:10.1.2.3", "10.1.2.3"),
        ] {
            assert!(matches(pattern, host), "{pattern} {host}");
        }
        for (pattern, host) in [
            ("10.1.2.4", "10.1.2.3"),
            ("10.1.2._", "10.1.2.33"),
            ("10.2.%", "10.1.2.3"),
            ("10.1.2.0/255.255.0.0", "10.1.2.3"), // a mask that does not fit its address matches nothing
            ("10.0.0.0/8", "11.1.2.3"),
            ("10.0.0.0/8", "2001:db8::1"),
            ("localhost", "10.1.2.3"),
            ("db\\_1", "dbx1"),
            ("%x", "localhost"),
        ] {
            assert!(!matches(pattern, host), "{pattern} {host}");
        }
        // MariaDB knows no prefix lengths.
        assert!(!HostPattern::new("10.0.0.0/8", false).matches("10.1.2.3".parse().ok(), None));
        assert!(HostPattern::new("10.0.0.0/255.0.0.0", false).matches("10.1.2.3".parse().ok(), None));
    }

    #[test]
    fn the_most_specific_goes_first() {
        let mut hosts = ["", "%", "10.%", "10.1.%", "10.0.0.0/8", "10.1.0.0/255.255.0.0", "10.1.2.3", "%.example.com"]
            .map(|host| HostPattern::new(host, true));
        hosts.sort_by_key(HostPattern::rank);
        let sorted: Vec<&str> = hosts.iter().map(|host| &**host.text()).collect();
        let expected = ["10.1.2.3", "10.1.0.0/255.255.0.0", "10.0.0.0/8", "10.1.%", "10.%", "%.example.com", "%", ""];
        assert_eq!(sorted, expected);
    }
}
