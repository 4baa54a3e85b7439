//! What TURN servers ask for: a username and a password, fixed or made from a shared secret.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::BASE64;
use ring::hmac;
use turn_client_proto::types::TurnCredentials;

use crate::config::IceCredentials;

/// How long credentials made from a shared secret are valid. A server looks at them when an address is allocated, and may
/// again when that is refreshed.
const VALID: Duration = Duration::from_secs(24 * 3600);

/// The credentials to show at this time of day.
pub fn at(credentials: &IceCredentials, now: SystemTime) -> TurnCredentials {
    match credentials {
        IceCredentials::Password { username, password } => TurnCredentials::new(username, password.expose()),
        IceCredentials::SharedSecret { name, secret } => {
            // A clock before 1970 has not been set; the server will refuse what is made with it.
            let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
            let username = format!("{}:{name}", (now + VALID).as_secs());
            let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.expose().as_bytes());
            let password = BASE64.encode(hmac::sign(&key, username.as_bytes()).as_ref());
            TurnCredentials::new(&username, &password)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    #[test]
    fn credentials_from_a_shared_secret_expire_a_day_later() {
        let secret = Secret::new("north", "a test").unwrap();
        let credentials = IceCredentials::SharedSecret { name: "lobby".to_owned(), secret };
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        // printf 1700086400:lobby | openssl dgst -sha1 -hmac north -binary | base64
        let expected = TurnCredentials::new("1700086400:lobby", "3L4C1mI5ff0vs7jah3c/gxsAFa4=");
        assert_eq!(at(&credentials, now), expected);
    }

    #[test]
    fn fixed_credentials_are_shown_as_they_are() {
        let password = Secret::new("pass", "a test").unwrap();
        let credentials = IceCredentials::Password { username: "user".to_owned(), password };
        assert_eq!(at(&credentials, UNIX_EPOCH), TurnCredentials::new("user", "pass"));
    }
}
