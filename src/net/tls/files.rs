//! The files that TLS is made of, and whether they changed.

use aws_lc_rs::digest::{Context, SHA256};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use crate::config::IdentityFiles;
use crate::config::certificates::{self, Authorities, IdentityError};

/// Why TLS cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A file cannot be read, or does not hold what it should.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The cryptography refuses.
    #[error("{0}")]
    Tls(#[from] rustls::Error),
    /// A certificate could not be made.
    #[error("no self-signed certificate: {0}")]
    SelfSigned(#[from] rcgen::Error),
}

/// Files as they are now. Two that read the same are the same.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) identity: Option<CertifiedKey>,
    pub(super) authorities: Option<Authorities>,
    /// Of the contents.
    pub(super) digest: Option<[u8; 32]>,
}

impl Files {
    /// Reads what is named.
    pub(super) fn read(identity: Option<&IdentityFiles>, authorities: Option<&str>) -> Result<Self, SetupError> {
        let mut digest = Context::new(&SHA256);
        let mut read = |path: &str| -> Result<Zeroizing<Vec<u8>>, SetupError> {
            let bytes = std::fs::read(path).map_err(|error| SetupError::File {
                path: path.to_owned(),
                reason: format!("cannot be read: {error}"),
            })?;
            digest.update(&bytes.len().to_le_bytes());
            digest.update(&bytes);
            Ok(bytes.into())
        };
        let mut files = Self::default();
        if let Some(paths) = identity {
            let made = certificates::identity(&read(&paths.certificate)?, &read(&paths.key)?);
            files.identity = Some(made.map_err(|error| SetupError::File {
                path: match &error {
                    IdentityError::Certificate(_) => paths.certificate.to_string(),
                    IdentityError::Key(_) => paths.key.to_string(),
                },
                reason: error.reason().to_owned(),
            })?);
        }
        if let Some(path) = authorities {
            let made = certificates::authorities(&read(path)?);
            files.authorities = Some(made.map_err(|reason| SetupError::File { path: path.to_owned(), reason })?);
        }
        files.digest = digest.finish().as_ref().try_into().ok();
        Ok(files)
    }
}
