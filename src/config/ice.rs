//! `[[meeting.ice_server]]`: STUN and TURN servers, which find ways to participants in other networks.

use super::ice_values::{IceScheme, IceUrl};
use super::layers::Layers;
use super::schema::{Key, List, Quote, Unset};
use super::secret::Secret;
use super::values::{Name, WrittenPath};
use super::{error::Problem, schema};

static URLS: Key =
    Key::new("meeting.ice_server", "urls", Unset::Required, IceUrl::ALLOWED).quoted(Quote::NoCredentials);
static USERNAME: Key = Key::new("meeting.ice_server", "username", Unset::Computed, Name::ALLOWED);
static CREDENTIAL_FILE: Key =
    Key::new("meeting.ice_server", "credential_file", Unset::Computed, WrittenPath::ALLOWED)
        .quoted(Quote::Withheld);
static SECRET_FILE: Key =
    Key::new("meeting.ice_server", "secret_file", Unset::Computed, WrittenPath::ALLOWED)
        .quoted(Quote::Withheld);

pub(super) static SERVERS: List = List {
    section: "meeting",
    name: "ice_server",
    keys: &[&URLS, &USERNAME, &CREDENTIAL_FILE, &SECRET_FILE],
};

/// The name in time-limited usernames when none is configured.
const DEFAULT_NAME: &str = "roomcam";

/// `[[meeting.ice_server]]`: one server, or several that take the same credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceServer {
    /// Where they are; never empty.
    pub urls: Vec<IceUrl>,
    /// What TURN servers ask for. Always there if one of the URLs is that of a TURN server.
    pub credentials: Option<IceCredentials>,
}

/// The credentials for a TURN server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IceCredentials {
    /// A username and its password.
    Password {
        /// The username.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A secret that is shared with the server, from which credentials are made that expire
    /// (draft-uberti-behave-turn-rest; `use-auth-secret` of coturn).
    SharedSecret {
        /// What stands behind the time in usernames.
        name: String,
        /// The secret.
        secret: Secret,
    },
}

/// Reads the list. Entries with a problem, which is then among the problems, are missing from it.
pub(super) fn read(layers: &mut Layers) -> Vec<IceServer> {
    let mut servers = Vec::new();
    for mut entry in layers.take_list(&SERVERS) {
        servers.extend(server(&mut entry));
        layers.problems.append(&mut entry.problems);
        layers.warnings.append(&mut entry.warnings);
    }
    servers
}

fn server(entry: &mut Layers) -> Option<IceServer> {
    let urls: Option<Vec<IceUrl>> = entry.texts(&URLS);
    let username: Option<Name> = entry.text(&USERNAME);
    let password = secret(entry, &CREDENTIAL_FILE);
    let shared = secret(entry, &SECRET_FILE);
    let urls = urls?;
    let relays = urls.iter().any(|url| url.scheme != IceScheme::Stun);
    let [named, has_password, has_secret] =
        [&USERNAME, &CREDENTIAL_FILE, &SECRET_FILE].map(|key| entry.is_set(key));
    match (has_password, has_secret) {
        (true, true) => {
            let why = "is set beside credential_file; a server takes either a fixed password or passwords made from \
                 a shared secret";
            return contradiction(entry, &SECRET_FILE, why);
        }
        (false, false) if relays => {
            entry.problems.push(Problem::MissingInEntry {
                at: entry.start(),
                key: "meeting.ice_server.credential_file or meeting.ice_server.secret_file".to_owned(),
                allowed: "one of them: a TURN server serves nobody without credentials",
            });
            return None;
        }
        (true, false) if !named => {
            entry.missing(&USERNAME);
            return None;
        }
        (false, false) if named => {
            return contradiction(entry, &USERNAME, "is set without credential_file or secret_file");
        }
        (true, false) | (false, true) if !relays => {
            let key = if has_password { &CREDENTIAL_FILE } else { &SECRET_FILE };
            return contradiction(entry, key, "is for TURN servers; a STUN server asks for no credentials");
        }
        _ => {}
    }
    let name = username.as_ref().map(Name::as_str);
    let credentials = if has_password {
        Some(IceCredentials::Password { username: name?.to_owned(), password: password? })
    } else if has_secret {
        Some(IceCredentials::SharedSecret { name: name.unwrap_or(DEFAULT_NAME).to_owned(), secret: shared? })
    } else {
        None
    };
    Some(IceServer { urls, credentials })
}

fn secret(entry: &mut Layers, key: &schema::Key) -> Option<Secret> {
    let path = entry.file_path(key)?;
    match Secret::read(&path) {
        Ok((secret, warning)) => {
            entry.warnings.extend(warning);
            Some(secret)
        }
        Err(error) => {
            let at = entry.origin(key);
            entry.problems.push(Problem::Token { at, error });
            None
        }
    }
}

fn contradiction(entry: &mut Layers, key: &Key, why: &str) -> Option<IceServer> {
    entry.problems.push(Problem::Contradiction {
        at: entry.origin(key),
        what: key.path(),
        why: why.to_owned(),
    });
    None
}
