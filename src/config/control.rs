//! `[control]`: where the daemon hears those who ask it something.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::error::Problem;
use super::layers::Layers;
use super::load::file_path;
use super::schema;
use super::secret::Secret;
use super::values::ValueError;

/// `[control]`: where the control API listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlApi {
    /// The Unix socket.
    pub socket: SocketChoice,
    /// The TCP address, if it listens on one. Not loopback only together with one of the tokens.
    pub listen: Option<SocketAddr>,
    /// What clients of the TCP address must show, if anything.
    pub token: Option<Secret>,
    /// What opens the metrics on the TCP address, and nothing else. Never the same as `token`.
    pub metrics_token: Option<Secret>,
}

/// Which Unix socket the control API listens on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketChoice {
    /// `"auto"`: where the system wants it.
    Auto,
    /// `"none"`: there is none.
    None,
    /// This one.
    Path(SocketPath),
}

/// An absolute path that fits into the address of a Unix socket (107 bytes, unix(7)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketPath(PathBuf);

impl SocketPath {
    /// The path.
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

impl SocketChoice {
    /// What is allowed, in words.
    pub const ALLOWED: &'static str =
        r#""auto", "none" or an absolute path of at most 107 bytes, such as "/run/roomcam/control.sock""#;
    const LONGEST: usize = 107;
}

impl FromStr for SocketChoice {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let path_like = text.starts_with('/') && !text.ends_with('/') && !text.contains(char::is_control);
        match text {
            "auto" => Ok(Self::Auto),
            "none" => Ok(Self::None),
            _ if path_like && text.len() <= Self::LONGEST => Ok(Self::Path(SocketPath(text.into()))),
            _ => Err(ValueError::new(Self::ALLOWED)),
        }
    }
}

/// `"none"` or an address to listen on.
pub(super) struct Listen(Option<SocketAddr>);

impl Listen {
    /// What is allowed, in words.
    pub const ALLOWED: &'static str =
        r#""none" or an IP address and a port, such as "127.0.0.1:9780" or "[::1]:9780""#;
}

impl FromStr for Listen {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text {
            "none" => Ok(Self(None)),
            _ => text.parse().map(|addr| Self(Some(addr))).map_err(|_| ValueError::new(Self::ALLOWED)),
        }
    }
}

/// Reads the section. `None` if something is wrong, which is then among the problems.
pub(super) fn read(layers: &mut Layers) -> Option<ControlApi> {
    let socket = layers.text(&schema::CONTROL_SOCKET);
    let listen = layers.text(&schema::CONTROL_LISTEN).map(|Listen(addr)| addr);
    let problems = layers.problems.len();
    let token = token(layers, &schema::CONTROL_TOKEN_FILE);
    let metrics_token = token_of_its_own(layers, token.as_ref());
    let token_named = token.is_some() || metrics_token.is_some() || layers.problems.len() > problems;
    if let Some(Some(addr)) = listen
        && !addr.ip().is_loopback()
        && !token_named
    {
        layers.problems.push(Problem::Contradiction {
            at: layers.origin(&schema::CONTROL_LISTEN),
            what: schema::CONTROL_LISTEN.path(),
            why: format!(
                "= {addr} lets everybody on the network turn the camera on; set control.token_file or \
                 control.metrics_token_file beside it, or listen on 127.0.0.1 or [::1]"
            ),
        });
    }
    Some(ControlApi { socket: socket?, listen: listen?, token, metrics_token })
}

/// The token for the metrics, which must not be the one that opens everything.
fn token_of_its_own(layers: &mut Layers, all: Option<&Secret>) -> Option<Secret> {
    let key = &schema::CONTROL_METRICS_TOKEN_FILE;
    let metrics = token(layers, key)?;
    if all == Some(&metrics) {
        layers.problems.push(Problem::Contradiction {
            at: layers.origin(key),
            what: key.path(),
            why: "holds the same token as control.token_file, which opens everything; write another into it"
                .to_owned(),
        });
        return None;
    }
    Some(metrics)
}

fn token(layers: &mut Layers, key: &schema::Key) -> Option<Secret> {
    let path = file_path(layers, key)?;
    match Secret::read(&path) {
        Ok((secret, warning)) => {
            layers.warnings.extend(warning);
            Some(secret)
        }
        Err(error) => {
            let at = layers.origin(key);
            layers.problems.push(Problem::Token { at, error });
            None
        }
    }
}
