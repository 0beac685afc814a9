//! TLS: whom we believe, who we are (RFC 3261 section 26.3, RFC 5922).
//!
//! The other side's certificate must be valid for the name that was looked up, not for what SRV made of it (RFC 5922 section
//! 4), and its chain must end at a root that the system or `ca_file` trusts.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig, SignatureScheme,
};

/// What a person sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsOptions {
    /// Further roots, in PEM.
    pub ca_file: Option<PathBuf>,
    /// Our certificate and its chain, in PEM: as a client where we are asked, as a server when we listen.
    pub certificate: Option<PathBuf>,
    /// Its key, in PEM.
    pub key: Option<PathBuf>,
    /// False: anybody is believed to be anybody.
    pub verify: bool,
}

impl Default for TlsOptions {
    fn default() -> Self {
        TlsOptions { ca_file: None, certificate: None, key: None, verify: true }
    }
}

/// Why TLS can't be used as it was set.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read, or is no PEM.
    #[error("{path}: {reason}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A certificate without key, or a key without certificate.
    #[error("tls_cert and tls_key belong together: one of them is missing")]
    Half,
    /// The key is not the certificate's, or of a kind that is not known.
    #[error("tls_cert and tls_key can't be used: {0}")]
    Unusable(Error),
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Both sides of TLS, ready. The system's roots are read when the first connection needs them.
#[derive(Debug)]
pub struct Tls {
    provider: Arc<CryptoProvider>,
    extra_roots: Vec<CertificateDer<'static>>,
    identity: Option<Identity>,
    verify: bool,
    client: OnceLock<Result<Client, String>>,
    server: Option<Arc<ServerConfig>>,
}

/// What a connection of ours needs.
#[derive(Debug, Clone)]
pub struct Client {
    /// The settings of a handshake.
    pub config: Arc<ClientConfig>,
    verifier: Arc<dyn ServerCertVerifier>,
}

impl Tls {
    /// Reads what the options name.
    ///
    /// # Errors
    /// [`TlsError`] says which file is wrong and why.
    pub fn load(options: &TlsOptions) -> Result<Tls, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let extra_roots = options.ca_file.as_deref().map(certificates).transpose()?.unwrap_or_default();
        let identity = match (&options.certificate, &options.key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some((certificates(certificate)?, private_key(key)?)),
            (Some(_), None) | (None, Some(_)) => return Err(TlsError::Half),
        };
        let server = match &identity {
            Some((chain, key)) => {
                let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
                let builder = builder.with_safe_default_protocol_versions().map_err(TlsError::Unusable)?;
                let config = builder.with_no_client_auth().with_single_cert(chain.clone(), key.clone_key());
                Some(Arc::new(config.map_err(TlsError::Unusable)?))
            }
            None => None,
        };
        Ok(Tls { provider, extra_roots, identity, verify: options.verify, client: OnceLock::new(), server })
    }

    /// The settings for those who connect to us; `None`: we have no certificate to show.
    pub fn server(&self) -> Option<Arc<ServerConfig>> {
        self.server.clone()
    }

    /// The settings for connections of ours. The first time it reads the system's roots, which takes a moment.
    ///
    /// # Errors
    /// Why there can be none, in a person's words.
    pub fn client(&self) -> Result<Client, String> {
        self.client.get_or_init(|| self.make_client()).clone()
    }

    fn make_client(&self) -> Result<Client, String> {
        let verifier: Arc<dyn ServerCertVerifier> = if self.verify {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(self.extra_roots.iter().cloned());
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                let advice =
                    "this machine trusts no certificate authority: install ca-certificates, or set sip.ca_file";
                return Err(advice.to_owned());
            }
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
                .build()
                .map_err(|error| format!("no certificate can be verified: {error}"))?
        } else {
            Arc::new(Anybody(Arc::clone(&self.provider)))
        };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider));
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::clone(&verifier));
        let config = match &self.identity {
            Some((chain, key)) => builder
                .with_client_auth_cert(chain.clone(), key.clone_key())
                .map_err(|error| format!("the client certificate can't be used: {error}"))?,
            None => builder.with_no_client_auth(),
        };
        Ok(Client { config: Arc::new(config), verifier })
    }
}

impl Client {
    /// Whether a chain that was shown for one name is valid for another too: two hosts may share an address.
    ///
    /// # Errors
    /// Why not, in a person's words.
    pub fn covers(&self, chain: &[CertificateDer<'_>], name: &str) -> Result<(), String> {
        let server = server_name(name)?;
        let (first, rest) = chain.split_first().ok_or("no certificate was shown")?;
        let verified = self.verifier.verify_server_cert(first, rest, &server, &[], UnixTime::now());
        verified.map(drop).map_err(|error| explain(name, &error))
    }
}

/// The name that a certificate must have.
///
/// # Errors
/// It is neither a host name nor an address.
pub fn server_name(host: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(host.trim_end_matches('.').to_owned()).map_err(|_| format!("{host} is no name of a server"))
}

/// What went wrong in a handshake with `host`, in a person's words.
pub fn explain(host: &str, error: &Error) -> String {
    use CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext, Revoked,
        UnknownIssuer,
    };
    let why = match error {
        Error::InvalidCertificate(fault) => match fault {
            Expired | ExpiredContext { .. } => "it has expired".to_owned(),
            NotValidYet | NotValidYetContext { .. } => {
                "it is not valid yet (is this machine's clock right?)".to_owned()
            }
            NotValidForName | NotValidForNameContext { .. } => "it is another server's".to_owned(),
            UnknownIssuer => {
                "nobody whom this machine trusts has signed it (sip.ca_file names further authorities)".to_owned()
            }
            Revoked => "it was revoked".to_owned(),
            CertificateError::Other(other) => format!("{other:?}"),
            other => other.to_string(),
        },
        Error::AlertReceived(alert) => return format!("{host} refused the TLS connection: {alert:?}"),
        other => return format!("no TLS connection to {host}: {other}"),
    };
    format!("the certificate of {host} is not valid: {why}")
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fault = |reason: String| TlsError::File { path: path.to_owned(), reason };
    let found = CertificateDer::pem_file_iter(path).map_err(|error| fault(error.to_string()))?;
    let found = found.collect::<Result<Vec<_>, _>>().map_err(|error| fault(error.to_string()))?;
    if found.is_empty() { Err(fault("there is no certificate in it".to_owned())) } else { Ok(found) }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    // What is in the file must not get into a message.
    PrivateKeyDer::from_pem_file(path).map_err(|error| TlsError::File {
        path: path.to_owned(),
        reason: match error {
            tokio_rustls::rustls::pki_types::pem::Error::Io(error) => error.to_string(),
            _ => "there is no private key in it".to_owned(),
        },
    })
}

/// Believes everybody: `tls_verify = false`.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
