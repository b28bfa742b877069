//! Whom a connection over TLS trusts: the authorities of this machine, or those of one file.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, Error, RootCertStore,
        crypto::ring,
        pki_types::{
            CertificateDer, ServerName,
            pem::{self, PemObject as _},
        },
    },
};

/// The authorities that are trusted.
#[derive(Clone)]
pub(super) struct Trust(TlsConnector);

/// Why nobody can be trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file that cannot be read as certificates.
    #[error("cannot read certificates from `{}`", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// A file without one.
    #[error("no certificate of an authority is in `{}`", .0.display())]
    Empty(PathBuf),
    /// A machine without any.
    #[error("this machine trusts no authority; install ca-certificates, or write `ca`")]
    Nobody,
    /// The library refuses its own settings.
    #[error("cannot set TLS up")]
    SetUp(#[source] Error),
}

impl Trust {
    /// Those of `ca`, a file of certificates in PEM, or of the machine where there is none.
    pub(super) fn of(ca: Option<&Path>) -> Result<Self, TrustError> {
        let roots = match ca {
            Some(path) => of_file(path)?,
            None => of_machine()?,
        };
        // Named here and not for the whole process, which may have other uses for TLS.
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TrustError::SetUp)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// The connection once the other end has proved to be `host`.
    pub(super) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(std::io::Error::other)?;
        self.0.connect(name, stream).await
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[trust]")
    }
}

fn of_file(path: &Path) -> Result<RootCertStore, TrustError> {
    let failed = |source| TrustError::Read { path: path.to_owned(), source };
    let certificates = CertificateDer::pem_file_iter(path).map_err(failed)?;
    let certificates: Vec<_> = certificates.collect::<Result<_, _>>().map_err(failed)?;
    trusting(certificates).ok_or_else(|| TrustError::Empty(path.to_owned()))
}

fn of_machine() -> Result<RootCertStore, TrustError> {
    // What it cannot read of them is left out, as every other program of the machine does.
    trusting(rustls_native_certs::load_native_certs().certs).ok_or(TrustError::Nobody)
}

fn trusting(certificates: Vec<CertificateDer<'static>>) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let (added, _unreadable) = roots.add_parsable_certificates(certificates);
    (added > 0).then_some(roots)
}

#[cfg(test)]
mod tests {
    use model::fault::Chain;

    use super::*;

    #[test]
    fn a_file_without_an_authority_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let refused = |path: &Path| Chain(&Trust::of(Some(path)).unwrap_err()).to_string();
        assert!(refused(file.path()).starts_with("no certificate of an authority is in `"));
        assert!(
            refused(Path::new("/no/such"))
                .starts_with("cannot read certificates from `/no/such`: ")
        );
    }
}
