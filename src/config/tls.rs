//! What is said of TLS, towards clients and servers. Names files, and knows whether they hold what they should.

use std::sync::Arc;
use std::time::Duration;

use super::Endpoint;
use super::certificates::{self, IdentityError};
use super::environment::Variables;
use super::problem::Findings;
use super::raw::{Block, Raw};

/// `[tls]`: TLS towards clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// Whether TLS is offered, or demanded. Default `optional`.
    pub mode: TlsMode,
    /// The certificate and its key. None: a self-signed one is made at start.
    pub identity: Option<IdentityFiles>,
    /// The authorities of clients' certificates.
    pub client_ca: Option<Arc<str>>,
    /// Whether clients are asked for a certificate. Default `none`.
    pub client_certificate: ClientCertificate,
    /// Files are looked at so often; zero: only at SIGHUP. Default 1 m. For those of servers, too.
    pub reload_interval: Duration,
}

/// Whether clients may, or must, come by TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// It is not offered.
    Off,
    /// It is offered.
    Optional,
    /// Others are refused.
    Required,
}

/// Whether clients are asked for a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificate {
    /// No.
    None,
    /// Yes; one that is shown must be good.
    Optional,
    /// Yes, and there must be one.
    Required,
}

/// A certificate's file and its key's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdentityFiles {
    /// The certificate, with its chain.
    pub certificate: Arc<str>,
    /// Its private key.
    pub key: Arc<str>,
}

/// TLS towards one of `[[servers]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTlsConfig {
    /// Default `preferred`.
    pub mode: ServerTlsMode,
    /// The authorities of its certificate.
    pub ca: Option<Arc<str>>,
    /// What pointsman shows of itself.
    pub identity: Option<IdentityFiles>,
    /// The name that its certificate must be for. None: the host of its address.
    pub server_name: Option<Arc<str>>,
}

/// How TLS is used towards a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServerTlsMode {
    /// Not at all.
    Off,
    /// If the server offers it.
    Preferred,
    /// Always.
    Required,
    /// Always, with a certificate of a known authority.
    VerifyCa,
    /// Always, with such a certificate for the server's name.
    VerifyIdentity,
}

pub(super) fn tls(block: &Block) -> Option<TlsConfig> {
    Some(TlsConfig {
        mode: match block.text("mode")?.as_str() {
            "off" => TlsMode::Off,
            "required" => TlsMode::Required,
            _ => TlsMode::Optional,
        },
        identity: identity(block, "certificate", "key"),
        client_ca: block.text("client_ca").map(Into::into),
        client_certificate: match block.text("client_certificate")?.as_str() {
            "optional" => ClientCertificate::Optional,
            "required" => ClientCertificate::Required,
            _ => ClientCertificate::None,
        },
        reload_interval: block.duration("reload_interval")?,
    })
}

pub(super) fn server(block: &Block) -> ServerTlsConfig {
    ServerTlsConfig {
        mode: match block.text("tls").as_deref() {
            Some("off") => ServerTlsMode::Off,
            Some("required") => ServerTlsMode::Required,
            Some("verify_ca") => ServerTlsMode::VerifyCa,
            Some("verify_identity") => ServerTlsMode::VerifyIdentity,
            _ => ServerTlsMode::Preferred,
        },
        ca: block.text("tls_ca").map(Into::into),
        identity: identity(block, "tls_certificate", "tls_key"),
        server_name: block.text("tls_server_name").map(Into::into),
    }
}

fn identity(block: &Block, certificate: &str, key: &str) -> Option<IdentityFiles> {
    Some(IdentityFiles { certificate: block.text(certificate)?.into(), key: block.text(key)?.into() })
}

/// Reports files that do not hold what they should, and settings that contradict each other.
pub(super) fn check(raw: &Raw, variables: &impl Variables, findings: &mut Findings) {
    if let Some(block) = raw.single("tls") {
        pair(block, "certificate", "key", variables, findings);
        authorities(block, "client_ca", variables, findings);
        let wanted = block.text("client_certificate").filter(|wanted| wanted != "none");
        if let Some(wanted) = &wanted
            && !block.has("client_ca")
        {
            findings.problem(
                block.place("client_certificate"),
                format!(
                    "`tls.client_certificate` is \"{wanted}\" and `client_ca` does not say whose certificates are good"
                ),
            );
        }
        if wanted.as_deref() == Some("required") && block.text("mode").as_deref() != Some("required") {
            findings.problem(
                block.place("client_certificate"),
                "a client without TLS shows no certificate: with `client_certificate = \"required\"` write `mode = \
                 \"required\"`, too",
            );
        }
        if wanted.is_none() && block.has("client_ca") {
            findings.note("tls.client_ca is set and tls.client_certificate is \"none\": no client is asked for one");
        }
    }
    for block in raw.list("servers") {
        pair(block, "tls_certificate", "tls_key", variables, findings);
        authorities(block, "tls_ca", variables, findings);
        let Some(mode) = block.text("tls") else { continue };
        let verifies = mode.starts_with("verify_");
        if verifies && !block.has("tls_ca") {
            findings.problem(
                block.place("tls"),
                format!(
                    "`tls = \"{mode}\"` needs `tls_ca`, the authorities of the server's certificate (for public ones, the \
                     system's, such as /etc/ssl/certs/ca-certificates.crt)"
                ),
            );
        }
        if !verifies && block.has("tls_ca") {
            findings.note(format!("{}: `tls_ca` is not used with `tls = \"{mode}\"`", block.place("tls_ca")));
        }
        let name = block.text("tls_server_name").or_else(|| host(block));
        if let Some(name) = name
            && mode == "verify_identity"
            && certificates::server_name(&name).is_none()
        {
            findings
                .problem(block.place("tls"), format!("`{name}` is no name of a certificate: set `tls_server_name`"));
        }
    }
}

fn pair(block: &Block, certificate: &str, key: &str, variables: &impl Variables, findings: &mut Findings) {
    for (here, missing) in [(certificate, key), (key, certificate)] {
        if block.has(here) && !block.has(missing) {
            findings.problem(block.place(here), format!("`{here}` needs `{missing}`, too"));
        }
    }
    let Some(certificate_pem) = read(block, certificate, variables, findings) else { return };
    let Some(key_pem) = read(block, key, variables, findings) else { return };
    match certificates::identity(certificate_pem.as_bytes(), key_pem.as_bytes()) {
        Ok(_) => {}
        Err(IdentityError::Certificate(reason)) => wrong(block, certificate, &reason, findings),
        Err(IdentityError::Key(reason)) => wrong(block, key, &reason, findings),
    }
}

fn authorities(block: &Block, key: &str, variables: &impl Variables, findings: &mut Findings) {
    if let Some(pem) = read(block, key, variables, findings)
        && let Err(reason) = certificates::authorities(pem.as_bytes())
    {
        wrong(block, key, &reason, findings);
    }
}

fn wrong(block: &Block, key: &str, reason: &str, findings: &mut Findings) {
    let path = block.text(key).unwrap_or_default();
    findings.problem(block.place(key), format!("`{key}`: the file `{path}`: {reason}"));
}

/// The text of the file that `key` names. A key is wiped from memory.
fn read(
    block: &Block,
    key: &str,
    variables: &impl Variables,
    findings: &mut Findings,
) -> Option<zeroize::Zeroizing<String>> {
    let path = block.text(key)?;
    match variables.read_file(&path) {
        Ok(text) => Some(text.into()),
        Err(reason) => {
            wrong(block, key, &format!("cannot be read: {reason}"), findings);
            None
        }
    }
}

/// The host of a server that is reached by TCP.
fn host(block: &Block) -> Option<String> {
    match block.endpoint("address")? {
        Endpoint::Tcp(address) => Some(address.host.to_string()),
        Endpoint::Unix(_) => None,
    }
}
