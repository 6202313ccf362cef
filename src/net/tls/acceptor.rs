//! TLS towards clients: what is offered, from files that may change while it is.

use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::{ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ServerConfig, ServerConnection};

use super::files::{Files, SetupError};
use crate::config::certificates::{self, provider};
use crate::config::{ClientCertificate, TlsConfig, TlsMode};

/// Sessions of clients that know session ids only, kept to be gone on with.
const SESSIONS: usize = 10_000;

/// What clients are offered.
#[derive(Debug)]
pub struct Acceptor {
    config: TlsConfig,
    current: ArcSwap<Offer>,
}

/// An offer, from files as they were at one time.
#[derive(Debug)]
pub struct Offer {
    server: Arc<ServerConfig>,
    /// SHA-256 of the certificate.
    pub fingerprint: [u8; 32],
    /// When the certificate ends.
    pub expires: Option<SystemTime>,
    /// From when to when the certificate is good, as servers write it.
    pub validity: [String; 2],
    files: Option<[u8; 32]>,
}

impl Offer {
    /// A session with a client that begins now.
    ///
    /// # Errors
    /// When the cryptography refuses.
    pub fn session(&self) -> Result<ServerConnection, rustls::Error> {
        ServerConnection::new(self.server.clone())
    }
}

impl Acceptor {
    /// Reads the files, or makes a certificate where none is named. None: TLS is off.
    ///
    /// # Errors
    /// When a file does not hold what it should.
    pub fn new(config: &TlsConfig) -> Result<Option<Self>, SetupError> {
        if config.mode == TlsMode::Off {
            return Ok(None);
        }
        let mut files = read(config)?;
        if files.identity.is_none() {
            files.identity = Some(self_signed()?);
        }
        let current = ArcSwap::from_pointee(offer(config, files)?);
        Ok(Some(Self { config: config.clone(), current }))
    }

    /// Whether clients must come by TLS.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.config.mode == TlsMode::Required
    }

    /// The offer of this moment.
    #[must_use]
    pub fn offer(&self) -> Arc<Offer> {
        self.current.load_full()
    }

    /// Whether it depends on what the servers offer: a certificate that the operator gave is always offered.
    #[must_use]
    pub fn follows_servers(&self) -> bool {
        self.config.mode == TlsMode::Optional && self.config.identity.is_none()
    }

    /// Reads the files again; says whether they had changed. Sessions go on. One from before is not gone on with: what it
    /// proved may be good no longer.
    ///
    /// # Errors
    /// When a file does not hold what it should; the offer stays as it was.
    pub fn reload(&self) -> Result<bool, SetupError> {
        let mut files = read(&self.config)?;
        let current = self.offer();
        if files.digest == current.files {
            return Ok(false);
        }
        if files.identity.is_none() {
            files.identity = Some(self_signed()?);
        }
        self.current.store(Arc::new(offer(&self.config, files)?));
        Ok(true)
    }
}

fn read(config: &TlsConfig) -> Result<Files, SetupError> {
    let asked = config.client_certificate != ClientCertificate::None;
    Files::read(config.identity.as_ref(), config.client_ca.as_deref().filter(|_| asked))
}

fn offer(config: &TlsConfig, files: Files) -> Result<Offer, SetupError> {
    let Files { identity, authorities, digest: contents } = files;
    let identity = identity.ok_or(rustls::Error::NoCertificatesPresented)?;
    let leaf = identity.end_entity_cert()?.clone().into_owned();
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = match (config.client_certificate, authorities) {
        (ClientCertificate::None, _) | (_, None) => builder.with_no_client_auth(),
        (wanted, Some(authorities)) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities.roots), provider());
            let verifier =
                if wanted == ClientCertificate::Optional { verifier.allow_unauthenticated() } else { verifier };
            let verifier = verifier.build().map_err(|error| SetupError::File {
                path: config.client_ca.as_deref().unwrap_or_default().to_owned(),
                reason: error.to_string(),
            })?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut server = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(identity)));
    server.ticketer = Ticketer::new()?;
    server.session_storage = ServerSessionMemoryCache::new(SESSIONS);
    let mut fingerprint = [0; 32];
    for (place, byte) in fingerprint.iter_mut().zip(digest(&SHA256, &leaf).as_ref()) {
        *place = *byte;
    }
    let (expires, validity) = (certificates::expiry(&leaf), certificates::validity(&leaf));
    Ok(Offer { server: Arc::new(server), fingerprint, expires, validity, files: contents })
}

/// A certificate such as servers make at their start, when they are given none.
fn self_signed() -> Result<CertifiedKey, SetupError> {
    let mut parameters = rcgen::CertificateParams::new(["localhost".to_owned()])?;
    parameters.distinguished_name.push(rcgen::DnType::CommonName, "pointsman (self-signed)");
    let key = rcgen::KeyPair::generate()?;
    let certificate = parameters.self_signed(&key)?;
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    Ok(CertifiedKey::from_der(vec![certificate.der().clone()], key.into(), &provider())?)
}
