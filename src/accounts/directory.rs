//! The list of accounts, and which of them a client is.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use super::host::HostPattern;
use crate::wire::auth::native::NativeHash;
use crate::wire::proxy_protocol::ProxyVersion;

/// How an account is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// By the stored double hash of `mysql_native_password`.
    Native(NativeHash),
    /// By nothing: it has no password.
    Empty,
    /// By its password, which only the server can judge.
    Server,
}

/// What an account asks of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsRule {
    /// Nothing.
    None,
    /// `REQUIRE SSL`.
    Tls,
    /// `REQUIRE X509`: a certificate that was found good.
    Certificate,
    /// All that is said of `REQUIRE SUBJECT`, `ISSUER` and `CIPHER`; empty: not said.
    Specified {
        /// Whether there must be a certificate at all: MySQL wants one for CIPHER, too.
        certificate: bool,
        /// The certificate's subject, in one line.
        subject: Box<str>,
        /// Its issuer, in one line.
        issuer: Box<str>,
        /// The cipher suite, by OpenSSL's name.
        cipher: Box<str>,
    },
}

/// TLS that a client came by, as a server would see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientTls<'a> {
    /// The cipher suite, by OpenSSL's name.
    pub cipher: &'a str,
    /// Subject and issuer of a certificate that was found good, each in one line.
    pub certificate: Option<(&'a str, &'a str)>,
}

impl TlsRule {
    /// Whether a client may log in that came by this; None: without TLS.
    #[must_use]
    pub fn is_met_by(&self, tls: Option<ClientTls<'_>>) -> bool {
        match (self, tls) {
            (Self::None, _) | (Self::Tls, Some(_)) => true,
            (_, None) => false,
            (Self::Certificate, Some(tls)) => tls.certificate.is_some(),
            (Self::Specified { certificate, subject, issuer, cipher }, Some(tls)) => {
                let names = tls.certificate.unwrap_or_default();
                let is = |demanded: &str, shown: &str| demanded.is_empty() || demanded == shown;
                let shown = !certificate || tls.certificate.is_some();
                shown && is(cipher, tls.cipher) && is(subject, names.0) && is(issuer, names.1)
            }
        }
    }
}

/// An account as GRANT takes it, from what CURRENT_USER() says.
#[must_use]
pub fn grantee(current_user: &str) -> String {
    let (user, host) = current_user.rsplit_once('@').unwrap_or((current_user, "%"));
    format!("`{}`@`{}`", user.replace('`', "``"), host.replace('`', "``"))
}

/// An account of the servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The user's name; empty: any (an anonymous account).
    pub user: Arc<str>,
    /// The hosts it may come from.
    pub host: HostPattern,
    /// How it is proven.
    pub method: Method,
    /// Whether CURRENT_USER() is this account after its login: not so for plugins that take one account for another.
    pub keeps_name: bool,
    /// It may not log in.
    pub locked: bool,
    /// It may only set a new password.
    pub expired: bool,
    /// What it asks of the connection.
    pub tls: TlsRule,
    /// Changes with anything that a login depends on.
    pub login_print: [u8; 32],
    /// Changes with anything, also with the account's rights.
    pub print: [u8; 32],
}

/// Where a client comes from, as a server would see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Its address.
    pub address: Option<IpAddr>,
    /// Its name.
    pub name: Option<Arc<str>>,
}

/// The accounts of the servers at one time.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    /// In the order in which servers try them.
    entries: Vec<Arc<Entry>>,
    by_account: HashMap<(Arc<str>, Arc<str>), Arc<Entry>>,
    /// What the server takes the proxy's own host for: an address or a name.
    seen_as: Arc<str>,
    /// How the server is told of clients' addresses.
    told_by: Option<ProxyVersion>,
}

impl Directory {
    /// Accounts in any order. `seen_as`: the host of USER(), as the server sees the proxy. `told_by`: how it is told of
    /// clients' addresses; None: it is not, and sees the proxy's.
    #[must_use]
    pub fn new(entries: impl IntoIterator<Item = Entry>, seen_as: &str, told_by: Option<ProxyVersion>) -> Self {
        let mut entries: Vec<Arc<Entry>> = entries.into_iter().map(Arc::new).collect();
        // Within one host, a name goes before the anonymous account.
        entries.sort_by_key(|entry| (entry.host.rank(), entry.user.is_empty()));
        let account = |entry: &Arc<Entry>| ((entry.user.clone(), entry.host.text().clone()), entry.clone());
        Self { by_account: entries.iter().map(account).collect(), entries, seen_as: seen_as.into(), told_by }
    }

    /// The account that a client of this name and origin is.
    #[must_use]
    pub fn find(&self, name: &[u8], origin: &Origin) -> Option<&Arc<Entry>> {
        self.entries.iter().find(|entry| {
            (entry.user.is_empty() || entry.user.as_bytes() == name)
                && entry.host.matches(origin.address, origin.name.as_deref())
        })
    }

    /// The account of this user and host part.
    #[must_use]
    pub fn by_account(&self, user: &Arc<str>, host: &Arc<str>) -> Option<&Arc<Entry>> {
        self.by_account.get(&(user.clone(), host.clone()))
    }

    /// Where a client comes from. `address`: None for a Unix socket.
    ///
    /// A client on the proxy's own machine would come to a server elsewhere from this machine's address, which is how the
    /// server sees the proxy; unless it is told of the client's, which it then takes for one of its own machine. No names are
    /// looked up: other clients have an address only.
    #[must_use]
    pub fn origin(&self, address: Option<IpAddr>) -> Origin {
        let localhost = || Some(Arc::from("localhost"));
        match address.map(|address| address.to_canonical()) {
            // A server that has a name for the proxy looks names up, and knows this one without looking.
            Some(address) if self.told_by.is_some() => {
                let resolves = !self.seen_as.is_empty() && self.seen_as.parse::<IpAddr>().is_err();
                let here = [IpAddr::from([127, 0, 0, 1]), IpAddr::from(Ipv6Addr::LOCALHOST)].contains(&address);
                Origin { address: Some(address), name: if resolves && here { localhost() } else { None } }
            }
            None if self.told_by == Some(ProxyVersion::V2) => Origin { address: None, name: localhost() },
            Some(address) if !address.is_loopback() => Origin { address: Some(address), name: None },
            None if self.is_local() => Origin { address: None, name: localhost() },
            local => match self.seen_as.parse::<IpAddr>() {
                Ok(seen) => Origin { address: Some(seen.to_canonical()), name: None },
                Err(_) if self.seen_as.is_empty() => Origin { address: local, name: None },
                Err(_) => Origin { address: local, name: Some(self.seen_as.clone()) },
            },
        }
    }

    /// Whether the server is on the proxy's machine.
    fn is_local(&self) -> bool {
        self.seen_as.eq_ignore_ascii_case("localhost")
            || self.seen_as.parse::<IpAddr>().is_ok_and(|seen| seen.to_canonical().is_loopback())
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether some account is proven by its stored hash, and whether some is not.
    #[must_use]
    pub fn methods(&self) -> (bool, bool) {
        let native = |entry: &&Arc<Entry>| matches!(entry.method, Method::Native(_));
        let natives = self.entries.iter().filter(native).count();
        (natives > 0, natives < self.entries.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(user: &str, host: &str) -> Entry {
        Entry {
            user: user.into(),
            host: HostPattern::new(host, true),
            method: Method::Server,
            keeps_name: true,
            locked: false,
            expired: false,
            tls: TlsRule::None,
            login_print: [0; 32],
            print: [0; 32],
        }
    }

    fn found(directory: &Directory, name: &str, address: Option<&str>) -> Option<String> {
        let origin = directory.origin(address.map(|address| address.parse().unwrap()));
        directory.find(name.as_bytes(), &origin).map(|entry| format!("{}@{}", entry.user, entry.host.text()))
    }

    #[test]
    fn grants_are_to_the_account_that_the_server_sees() {
        assert_eq!(grantee("monitor@10.%"), "`monitor`@`10.%`");
        assert_eq!(grantee("a@b`c@::1"), "`a@b``c`@`::1`");
    }

    #[test]
    fn what_is_required_is_all_required() {
        let all = |subject: &str, issuer: &str, cipher: &str| TlsRule::Specified {
            certificate: false,
            subject: subject.into(),
            issuer: issuer.into(),
            cipher: cipher.into(),
        };
        let bare = ClientTls { cipher: "C", certificate: None };
        let full = ClientTls { certificate: Some(("/CN=a", "/CN=ca")), ..bare };
        for (rule, none, by_bare, by_full) in [
            (TlsRule::None, true, true, true),
            (TlsRule::Tls, false, true, true),
            (TlsRule::Certificate, false, false, true),
            (all("", "", "C"), false, true, true),
            (all("", "", "D"), false, false, false),
            (all("/CN=a", "", ""), false, false, true),
            (all("/CN=A", "", ""), false, false, false),
            (all("", "/CN=ca", "C"), false, false, true),
            (all("/CN=a", "/CN=other", "C"), false, false, false),
            (all("/CN=a", "/CN=ca", "D"), false, false, false),
        ] {
            let met = [None, Some(bare), Some(full)].map(|tls| rule.is_met_by(tls));
            assert_eq!(met, [none, by_bare, by_full], "{rule:?}");
        }
        let (subject, issuer, cipher) = ("".into(), "".into(), "C".into());
        let mysql = TlsRule::Specified { certificate: true, subject, issuer, cipher };
        assert!(!mysql.is_met_by(Some(bare)) && mysql.is_met_by(Some(full)));
    }

    #[test]
    fn the_most_specific_host_decides_and_then_the_name() {
        let accounts = [
            entry("app", "%"),
            entry("app", "10.1.%"),
            entry("app", "10.1.2.3"),
            entry("", "10.9.9.9"),
            entry("other", "10.%"),
        ];
        let directory = Directory::new(accounts, "10.0.0.1", None);
        let found = |name, address| found(&directory, name, Some(address));
        assert_eq!(found("app", "10.1.2.3").as_deref(), Some("app@10.1.2.3"));
        assert_eq!(found("app", "10.1.9.9").as_deref(), Some("app@10.1.%"));
        assert_eq!(found("app", "192.168.0.1").as_deref(), Some("app@%"));
        // The well-known trap: an anonymous account of the host wins over the name at a wider one.
        assert_eq!(found("app", "10.9.9.9").as_deref(), Some("@10.9.9.9"));
        assert_eq!(found("other", "11.1.1.1"), None);
        assert_eq!(found("nobody", "10.1.2.3"), None);
    }

    #[test]
    fn clients_of_the_proxys_machine_are_where_the_proxy_is() {
        let accounts = || [entry("app", "localhost"), entry("app", "10.0.0.1"), entry("app", "%")];
        let far = Directory::new(accounts(), "10.0.0.1", None);
        assert_eq!(found(&far, "app", Some("127.0.0.1")).as_deref(), Some("app@10.0.0.1"));
        assert_eq!(found(&far, "app", None).as_deref(), Some("app@10.0.0.1"));
        // The server is here and resolves names, or does not.
        let resolving = Directory::new(accounts(), "localhost", None);
        assert_eq!(found(&resolving, "app", Some("127.0.0.1")).as_deref(), Some("app@localhost"));
        let plain = Directory::new(accounts(), "127.0.0.1", None);
        assert_eq!(found(&plain, "app", Some("127.0.0.1")).as_deref(), Some("app@%"));
        assert_eq!(found(&plain, "app", None).as_deref(), Some("app@localhost"));
    }

    #[test]
    fn a_server_that_is_told_of_clients_sees_each_where_it_is() {
        let accounts =
            || [entry("app", "localhost"), entry("app", "127.0.0.1"), entry("app", "10.0.0.1"), entry("app", "%")];
        let told = |seen_as, version| Directory::new(accounts(), seen_as, Some(version));
        let resolving = told("db1.internal", ProxyVersion::V2);
        assert_eq!(found(&resolving, "app", Some("127.0.0.1")).as_deref(), Some("app@localhost"));
        assert_eq!(found(&resolving, "app", Some("127.0.0.2")).as_deref(), Some("app@%"));
        assert_eq!(found(&resolving, "app", None).as_deref(), Some("app@localhost"));
        let plain = told("10.0.0.1", ProxyVersion::V1);
        assert_eq!(found(&plain, "app", Some("127.0.0.1")).as_deref(), Some("app@127.0.0.1"));
        assert_eq!(found(&plain, "app", Some("::ffff:10.0.0.1")).as_deref(), Some("app@10.0.0.1"));
        // Version 1 has no word for it: the server sees the proxy.
        assert_eq!(found(&plain, "app", None).as_deref(), Some("app@10.0.0.1"));
    }
}
