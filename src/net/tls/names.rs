//! Names as OpenSSL writes them, which is how servers compare them: of a certificate's subject and issuer in one line
//! (`/C=DE/O=Shop/CN=app`), and of cipher suites.

use rustls::pki_types::CertificateDer;
use x509_parser::x509::X509Name;

use crate::config::certificates::provider;

/// Whom a certificate is for, and who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateNames {
    /// The subject, in one line.
    pub subject: String,
    /// The issuer, in one line.
    pub issuer: String,
}

impl CertificateNames {
    /// Those of a certificate; None: it cannot be read.
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
        Some(Self { subject: one_line(parsed.subject()), issuer: one_line(parsed.issuer()) })
    }
}

/// As `X509_NAME_oneline` has it: each attribute by its short name, bytes that are no printable ASCII as `\xC3`.
fn one_line(name: &X509Name<'_>) -> String {
    use std::fmt::Write as _;
    let mut line = String::new();
    for attribute in name.iter_attributes() {
        let kind = attribute.attr_type().to_id_string();
        let short = SHORT_NAMES.iter().find(|(id, _)| *id == kind).map_or(&*kind, |(_, short)| short);
        let _ = write!(line, "/{short}=");
        for byte in attribute.attr_value().data {
            let _ = match byte {
                b' '..=b'~' => write!(line, "{}", char::from(*byte)),
                _ => write!(line, "\\x{byte:02X}"),
            };
        }
    }
    line
}

/// OpenSSL's short names of the attributes that names are made of; others are written as their numbers.
const SHORT_NAMES: &[(&str, &str)] = &[
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.13", "description"),
    ("2.5.4.15", "businessCategory"),
    ("2.5.4.16", "postalAddress"),
    ("2.5.4.17", "postalCode"),
    ("2.5.4.18", "postOfficeBox"),
    ("2.5.4.20", "telephoneNumber"),
    ("2.5.4.41", "name"),
    ("2.5.4.42", "GN"),
    ("2.5.4.43", "initials"),
    ("2.5.4.44", "generationQualifier"),
    ("2.5.4.45", "x500UniqueIdentifier"),
    ("2.5.4.46", "dnQualifier"),
    ("2.5.4.65", "pseudonym"),
    ("2.5.4.72", "role"),
    ("2.5.4.97", "organizationIdentifier"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("1.2.840.113549.1.9.2", "unstructuredName"),
    ("1.2.840.113549.1.9.8", "unstructuredAddress"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.3", "mail"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.3.6.1.4.1.311.60.2.1.1", "jurisdictionL"),
    ("1.3.6.1.4.1.311.60.2.1.2", "jurisdictionST"),
    ("1.3.6.1.4.1.311.60.2.1.3", "jurisdictionC"),
];

/// A cipher suite's name, from that which rustls gives it: `TLS_AES_256_GCM_SHA384`, `ECDHE-RSA-AES256-GCM-SHA384`.
#[must_use]
pub(super) fn cipher(suite: &str) -> String {
    if let Some(rest) = suite.strip_prefix("TLS13_") {
        return format!("TLS_{rest}");
    }
    let parts = suite.strip_prefix("TLS_").and_then(|rest| rest.split_once("_WITH_"));
    let Some((exchange, encryption)) = parts else { return suite.to_owned() };
    let encryption = encryption.replace("AES_", "AES").replace("POLY1305_SHA256", "POLY1305").replace('_', "-");
    format!("{}-{encryption}", exchange.replace('_', "-"))
}

/// The cipher suites that clients are offered, as servers list them: those of TLS 1.3 first.
#[must_use]
pub fn cipher_list() -> String {
    let provider = provider();
    let names = provider.cipher_suites.iter().map(|suite| cipher(suite.suite().as_str().unwrap_or_default()));
    names.collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_openssl_writes_them() {
        let mut parameters = rcgen::CertificateParams::new([]).unwrap();
        let mut name = rcgen::DistinguishedName::new();
        name.push(rcgen::DnType::CountryName, "DE");
        name.push(rcgen::DnType::OrganizationName, "Käse & Co/1");
        name.push(rcgen::DnType::CommonName, "app one");
        name.push(rcgen::DnType::CustomDnType(vec![1, 2, 840, 113_549, 1, 9, 1]), "a@b.example");
        name.push(rcgen::DnType::CustomDnType(vec![1, 3, 6, 1, 4, 1, 99_999, 7]), "own");
        parameters.distinguished_name = name;
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        let names = CertificateNames::of(certificate.der()).unwrap();
        let line = "/C=DE/O=K\\xC3\\xA4se & Co/1/CN=app one/emailAddress=a@b.example/1.3.6.1.4.1.99999.7=own";
        assert_eq!((&*names.subject, &*names.issuer), (line, line));
        assert_eq!(CertificateNames::of(&CertificateDer::from(b"none".as_slice())), None);
    }

    #[test]
    fn cipher_suites_are_as_openssl_names_them() {
        for (suite, name) in [
            ("TLS13_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"),
            ("TLS13_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256"),
            ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"),
            ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"),
            ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"),
            ("UNKNOWN", "UNKNOWN"),
        ] {
            assert_eq!(cipher(suite), name);
        }
    }
}
