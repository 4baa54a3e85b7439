//! Where Redis is.

use std::fmt;

use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisError, TlsCertificates};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::config::Secret;

/// Where Redis is, and the password for it. `Debug` shows neither.
#[derive(Clone)]
pub struct RedisOptions {
    pub(super) info: ConnectionInfo,
}

/// The address of Redis cannot be used. Says nothing of what is in it: there may be a password.
#[derive(Debug, thiserror::Error)]
pub enum BadRedis {
    /// It cannot be parsed.
    #[error("--redis: wanted is redis://HOST:PORT, rediss://HOST:PORT for TLS, or redis+unix:///PATH ({0})")]
    Unreadable(&'static str),
    /// Everybody on the machine can read arguments.
    #[error(
        "--redis: the address holds a password, which everybody on this machine can read; write it into a file of its \
         own, and name that with --redis-password-file"
    )]
    Password,
    /// There is no TLS in which it could be used.
    #[error("--redis-ca-file: the address of Redis is not rediss://…, so there is no certificate to check")]
    NoTls,
    /// It holds no certificate that can be used.
    #[error(
        "--redis-ca-file: {0}; the file has to hold certificates in PEM, which begin with -----BEGIN CERTIFICATE-----"
    )]
    Authorities(String),
}

impl RedisOptions {
    /// The Redis at `url`: `redis://[USER@]HOST[:PORT][/DATABASE]`, `rediss://…` or `redis+unix:///PATH`.
    ///
    /// # Errors
    /// If the URL cannot be used, or holds a password.
    pub fn new(url: &str, password: Option<&Secret>) -> Result<Self, BadRedis> {
        let unreadable = |error: RedisError| {
            BadRedis::Unreadable(match error.kind() {
                redis::ErrorKind::InvalidClientConfig => "it is not such an address",
                _ => "it cannot be used",
            })
        };
        let info = url.into_connection_info().map_err(unreadable)?;
        if info.redis_settings().password().is_some() {
            return Err(BadRedis::Password);
        }
        let settings = info.redis_settings().clone();
        let settings = match password {
            Some(password) => settings.set_password(password.expose()),
            None => settings,
        };
        Ok(Self { info: info.set_redis_settings(settings) })
    }

    /// Trusts the certificate authorities in `pem` instead of the platform's.
    ///
    /// # Errors
    /// If the address is not `rediss://…`, or `pem` holds no certificate.
    pub fn trusting(self, pem: Vec<u8>) -> Result<Self, BadRedis> {
        if !matches!(self.info.addr(), ConnectionAddr::TcpTls { .. }) {
            return Err(BadRedis::NoTls);
        }
        if CertificateDer::pem_slice_iter(&pem).next().is_none() {
            return Err(BadRedis::Authorities("there is no certificate in it".to_owned()));
        }
        let certificates = TlsCertificates { client_tls: None, root_cert: Some(pem) };
        let client = Client::build_with_tls(self.info, certificates)
            .map_err(|error| BadRedis::Authorities(error.to_string()))?;
        Ok(Self { info: client.get_connection_info().clone() })
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisOptions(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_taken_from_its_file_only_and_never_shown() {
        let error = RedisOptions::new("redis://:hush@h", None).unwrap_err();
        assert!(matches!(error, BadRedis::Password));
        assert!(!format!("{error} {error:?}").contains("hush"));
        let error = RedisOptions::new("http://:hush@h", None).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hush"));

        let password = Secret::new("hush", "a test").unwrap();
        let options = RedisOptions::new("rediss://me@h:1234/2", Some(&password)).unwrap();
        assert_eq!(options.info.redis_settings().password(), Some("hush"));
        assert!(!format!("{options:?}").contains("hush"));
    }

    #[test]
    fn authorities_are_for_tls_and_have_to_be_certificates() {
        let plain = RedisOptions::new("redis://h", None).unwrap();
        assert!(matches!(plain.trusting(Vec::new()), Err(BadRedis::NoTls)));
        let tls = RedisOptions::new("rediss://h", None).unwrap();
        let error = tls.trusting(b"certificate".to_vec()).unwrap_err().to_string();
        assert!(error.contains("no certificate in it") && error.contains("PEM"), "{error}");
    }
}
