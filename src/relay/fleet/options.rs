//! Where Redis is.

use std::fmt;

use redis::{ConnectionInfo, IntoConnectionInfo, RedisError};

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
}
