//! TLS towards one server: how far its certificate is verified, what is shown of ourselves, and sessions to go on with.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::SingleCertAndKey;
use rustls::{CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};

use super::files::{Files, SetupError};
use crate::config::certificates::{Authorities, is_valid_at, provider, server_name};
use crate::config::{ServerTlsConfig, ServerTlsMode};

/// Server names that sessions are kept for: there is one.
const NAMES: usize = 2;

/// TLS towards one server.
#[derive(Debug)]
pub struct Connector {
    config: ServerTlsConfig,
    name: ServerName<'static>,
    current: ArcSwap<Current>,
}

#[derive(Debug)]
struct Current {
    client: Arc<ClientConfig>,
    files: Option<[u8; 32]>,
}

impl Connector {
    /// Reads the files. `host`: that of the server's address. None: TLS is off.
    ///
    /// # Errors
    /// When a file does not hold what it should.
    pub fn new(config: &ServerTlsConfig, host: &str) -> Result<Option<Self>, SetupError> {
        if config.mode == ServerTlsMode::Off {
            return Ok(None);
        }
        let name = config.server_name.as_deref().unwrap_or(host);
        // Where names are not verified, any will do.
        let name = server_name(name).or_else(|| server_name("server.invalid"));
        let name = name.ok_or_else(|| Error::General("no server name".to_owned()))?;
        let current = ArcSwap::from_pointee(make(config)?);
        Ok(Some(Self { config: config.clone(), name, current }))
    }

    /// Whether the server must offer TLS.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.config.mode > ServerTlsMode::Preferred
    }

    /// A session with the server that begins now.
    ///
    /// # Errors
    /// When the cryptography refuses.
    pub fn session(&self) -> Result<ClientConnection, Error> {
        ClientConnection::new(self.current.load().client.clone(), self.name.clone())
    }

    /// Reads the files again; says whether they had changed. Connections go on.
    ///
    /// # Errors
    /// When a file does not hold what it should; everything stays as it was.
    pub fn reload(&self) -> Result<bool, SetupError> {
        let made = make(&self.config)?;
        if made.files == self.current.load().files {
            return Ok(false);
        }
        self.current.store(Arc::new(made));
        Ok(true)
    }
}

fn make(config: &ServerTlsConfig) -> Result<Current, SetupError> {
    let verifies = config.mode >= ServerTlsMode::VerifyCa;
    let files = Files::read(config.identity.as_ref(), config.ca.as_deref().filter(|_| verifies))?;
    let provider = provider();
    if verifies && files.authorities.is_none() {
        return Err(Error::General("`tls_ca` is needed to verify a certificate".to_owned()).into());
    }
    let by_name = config.mode == ServerTlsMode::VerifyIdentity;
    let verifier = Arc::new(Verifier { authorities: files.authorities, by_name, provider: provider.clone() });
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let mut client = match files.identity {
        Some(identity) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity))),
        None => builder.with_no_client_auth(),
    };
    client.resumption = Resumption::in_memory_sessions(NAMES);
    Ok(Current { client: Arc::new(client), files: files.digest })
}

/// Takes a certificate of these authorities, if it is for the name or for any; without authorities, any certificate.
/// That the server has the certificate's key is verified in any case.
#[derive(Debug)]
struct Verifier {
    authorities: Option<Authorities>,
    by_name: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(authorities) = &self.authorities else { return Ok(ServerCertVerified::assertion()) };
        let certificate = ParsedCertificate::try_from(end_entity)?;
        if authorities.names(end_entity) {
            // A self-signed one is its own authority, which is no place for a server's otherwise.
            if !is_valid_at(end_entity, now) {
                return Err(CertificateError::Expired.into());
            }
        } else {
            let (roots, algorithms) = (&authorities.roots, self.provider.signature_verification_algorithms.all);
            verify_server_cert_signed_by_trust_anchor(&certificate, roots, intermediates, now, algorithms)?;
        }
        if self.by_name {
            verify_server_name(&certificate, name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
