//! The certificate of a listener, read anew when its files change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};

use crate::error::{Error, Result};
use crate::private_files::{Stamp, open_to, stamp};

/// What anybody but the owner's group may do with a file.
const OTHERS: u32 = 0o007;

/// Where a certificate and its key are, as PEM.
#[derive(Clone, Debug)]
pub(crate) struct TlsFiles {
    /// The certificate, and those between it and its root.
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
}

/// What a listener shows of itself.
pub(super) struct Tls {
    certificate: Arc<Certificate>,
    acceptor: TlsAcceptor,
}

/// The certificate in use.
#[derive(Debug)]
struct Certificate {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    /// What the files looked like that were read last, whatever came of it.
    looks: Looks,
    key: Arc<CertifiedKey>,
}

/// What the certificate's file and the key's look like. Links are common here, so the files they lead to are what counts.
type Looks = [Option<Stamp>; 2];

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// When one cannot be read, the key is not the certificate's, or everybody may read the key.
    pub(super) fn open(files: &TlsFiles) -> Result<Self> {
        let (provider, looks) = (Arc::new(aws_lc_rs::default_provider()), files.looks());
        let key = Arc::new(files.read(&provider).map_err(Error::Exposed)?);
        let known = Mutex::new(Known { looks, key });
        let certificate = Arc::new(Certificate { files: files.clone(), provider: Arc::clone(&provider), known });
        let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(&certificate) as _;
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|error| Error::Machine(format!("no TLS: {error}")))?;
        let mut config = config.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { certificate, acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    /// What shakes hands with the next client, with what the files say now.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.certificate.follow();
        self.acceptor.clone()
    }
}

impl Certificate {
    /// Takes up what the files say, if they changed and are right. Else the certificate stays that is in use.
    fn follow(&self) {
        let looks = self.files.looks();
        let mut known = self.known();
        if looks == known.looks {
            return;
        }
        known.looks = looks;
        match self.files.read(&self.provider) {
            Ok(key) => {
                known.key = Arc::new(key);
                tracing::info!("the certificate was read anew");
            }
            Err(error) => tracing::warn!(%error, "the changed certificate is not used; the one before is"),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.known().key))
    }
}

impl TlsFiles {
    /// What is wrong with them, if something is.
    pub(crate) fn problem(&self) -> Option<String> {
        self.read(&aws_lc_rs::default_provider()).err()
    }

    fn looks(&self) -> Looks {
        [&self.chain, &self.key].map(|path| stamp(&path.canonicalize().unwrap_or_else(|_| path.clone())))
    }

    fn read(&self, provider: &CryptoProvider) -> std::result::Result<CertifiedKey, String> {
        let unusable =
            |path: &Path, error: &dyn std::fmt::Display| format!("{} is of no use for TLS: {error}", path.display());
        if open_to(&self.key) & OTHERS != 0 {
            return Err(format!(
                "everybody may read {}, the key of the certificate: `chmod o= {}`",
                self.key.display(),
                crate::shell::path(&self.key)
            ));
        }
        let chain =
            CertificateDer::pem_file_iter(&self.chain).and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>);
        let chain = chain.map_err(|error| unusable(&self.chain, &error))?;
        if chain.is_empty() {
            return Err(unusable(&self.chain, &"there is no certificate in it"));
        }
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| unusable(&self.key, &error))?;
        CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                format!("the key in {} is not that of the certificate in {}", self.key.display(), self.chain.display())
            }
            other => unusable(&self.chain, &other),
        })
    }
}
