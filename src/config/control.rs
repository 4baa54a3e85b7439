//! `[control]`: where the daemon hears those who ask it something.

use std::net::SocketAddr;

use super::control_values::{Listen, SocketChoice};
use super::error::Problem;
use super::layers::Layers;
use super::schema;
use super::secret::Secret;

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

/// Reads the section. `None` if something is wrong, which is then among the problems.
pub(super) fn read(layers: &mut Layers) -> Option<ControlApi> {
    let socket = layers.text(&schema::CONTROL_SOCKET);
    let listen = layers.text(&schema::CONTROL_LISTEN).map(Listen::addr);
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
    let path = layers.file_path(key)?;
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
