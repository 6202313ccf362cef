//! Certificates, keys and authorities as PEM texts have them. Whoever reads the files (the check of a configuration, the
//! start, a reload) has the same judgement and the same words.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, RootCertStore};

/// Which of two files is wrong, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentityError {
    /// The certificate's.
    Certificate(String),
    /// The key's; also when it is not the certificate's.
    Key(String),
}

impl IdentityError {
    /// How.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Certificate(reason) | Self::Key(reason) => reason,
        }
    }
}

/// The cryptography under TLS, here and everywhere.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if all.is_empty() => Err("it holds no certificate (PEM, `-----BEGIN CERTIFICATE-----`)".to_owned()),
        Ok(all) => Ok(all),
        Err(error) => Err(format!("it is not PEM: {error}")),
    }
}

/// A certificate with its chain, and its key.
///
/// # Errors
/// When one of them cannot be read, or they do not belong together.
pub fn identity(certificate: &[u8], key: &[u8]) -> Result<CertifiedKey, IdentityError> {
    let chain = certificates(certificate).map_err(IdentityError::Certificate)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| {
        IdentityError::Key(match error {
            rustls::pki_types::pem::Error::NoItemsFound => {
                "it holds no private key in clear (PEM; one that is encrypted cannot be used)".to_owned()
            }
            error => format!("it is not PEM: {error}"),
        })
    })?;
    CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            IdentityError::Key("it is not the key of the certificate".to_owned())
        }
        Error::InvalidCertificate(error) => IdentityError::Certificate(format!("it cannot be used: {error}")),
        error => IdentityError::Key(format!("it cannot be used: {error}")),
    })
}

/// The authorities that certificates are verified against.
#[derive(Debug, Clone)]
pub struct Authorities {
    /// As roots of chains.
    pub roots: RootCertStore,
    certificates: Vec<CertificateDer<'static>>,
}

impl Authorities {
    /// Whether this very certificate is among them.
    #[must_use]
    pub fn names(&self, certificate: &CertificateDer<'_>) -> bool {
        self.certificates.iter().any(|named| named.as_ref() == certificate.as_ref())
    }
}

/// Reads authorities.
///
/// # Errors
/// When there is none, or one cannot be read.
pub fn authorities(pem: &[u8]) -> Result<Authorities, String> {
    let certificates = certificates(pem)?;
    let mut roots = RootCertStore::empty();
    for certificate in &certificates {
        let added = roots.add(certificate.clone());
        added.map_err(|error| format!("an authority in it cannot be used: {error}"))?;
    }
    Ok(Authorities { roots, certificates })
}

/// Whether a certificate has begun and has not ended.
#[must_use]
pub fn is_valid_at(certificate: &CertificateDer<'_>, now: UnixTime) -> bool {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate) else { return false };
    let at = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let validity = parsed.validity();
    validity.not_before.timestamp() <= at && at <= validity.not_after.timestamp()
}

/// When a certificate ends; None: it says no time that can be told.
#[must_use]
pub fn expiry(certificate: &CertificateDer<'_>) -> Option<SystemTime> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let seconds = u64::try_from(parsed.validity().not_after.timestamp()).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// From when to when a certificate is good, as OpenSSL writes times (`Jan  1 00:00:00 2026 GMT`); empty: it cannot be read.
#[must_use]
pub fn validity(certificate: &CertificateDer<'_>) -> [String; 2] {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate) else { return <[String; 2]>::default() };
    [parsed.validity().not_before, parsed.validity().not_after].map(|time| {
        let time = time.to_datetime();
        let (hour, minute, second) = time.to_hms();
        let month = MONTHS.get(usize::from(u8::from(time.month())).saturating_sub(1)).unwrap_or(&"");
        format!("{month} {:>2} {hour:02}:{minute:02}:{second:02} {} GMT", time.day(), time.year())
    })
}

/// A name that a server's certificate can be for: a host's, or an address.
#[must_use]
pub fn server_name(text: &str) -> Option<ServerName<'static>> {
    ServerName::try_from(text).ok().map(|name| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_of_the_right_file() {
        let made = rcgen::generate_simple_self_signed(["db".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(["db".to_owned()]).unwrap();
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let good = identity(certificate.as_bytes(), key.as_bytes()).unwrap();
        assert!(expiry(good.end_entity_cert().unwrap()).is_some());
        let table: [(&str, &str, &str); 4] = [
            ("", &key, "no certificate"),
            ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", &key, "not PEM"),
            (&certificate, &certificate, "no private key"),
            (&certificate, &other.signing_key.serialize_pem(), "not the key of the certificate"),
        ];
        for (certificate, key, reason) in table {
            let error = identity(certificate.as_bytes(), key.as_bytes()).unwrap_err();
            assert!(error.reason().contains(reason), "{error:?}");
        }
        assert_eq!(authorities(certificate.as_bytes()).unwrap().roots.len(), 1);
        assert!(authorities(key.as_bytes()).is_err());
        let leaf = good.end_entity_cert().unwrap();
        assert_eq!(validity(leaf), ["Jan  1 00:00:00 1975 GMT", "Jan  1 00:00:00 4096 GMT"]);
        assert!(authorities(certificate.as_bytes()).unwrap().names(leaf));
        assert!(!authorities(other.cert.pem().as_bytes()).unwrap().names(leaf));
        let at = |year: u64| UnixTime::since_unix_epoch(Duration::from_secs((year - 1970) * 31_557_600));
        assert!(is_valid_at(leaf, at(2020)));
        assert!(!is_valid_at(leaf, at(1972)) && !is_valid_at(leaf, at(5000)));
    }

    #[test]
    fn names_and_addresses_name_servers() {
        assert!(server_name("db1.internal").is_some() && server_name("10.0.0.1").is_some());
        assert!(server_name("::1").is_some() && server_name("a b").is_none());
    }
}
