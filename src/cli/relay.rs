//! The arguments of `roomcam relay`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use clap::Args;
use roomcam::config::{IceCredentials, IceScheme, IceServer, IceUrl, Secret};
use roomcam::relay::{Access, BadRedis, Origin, RedisOptions, RelayOptions, Token};

use super::secret_file::{self, SecretFileError};
use super::values;

/// `roomcam relay`.
#[derive(Debug, Args)]
pub struct RelayArgs {
    /// Where to listen; port 0 picks a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080", value_parser = values::listen)]
    pub listen: SocketAddr,

    /// Let in only who shows the token in this file (one line); all of them may publish
    #[arg(long, value_name = "FILE", conflicts_with_all = ["publish_token_file", "view_token_file"])]
    pub token_file: Option<PathBuf>,

    /// Let only those publish who show the token in this file (one line). The others may watch
    #[arg(long, value_name = "FILE")]
    pub publish_token_file: Option<PathBuf>,

    /// Let the others watch only if they show the token in this file (one line)
    #[arg(long, value_name = "FILE", requires = "publish_token_file")]
    pub view_token_file: Option<PathBuf>,

    /// Let pages of this origin connect, such as https://meet.example (repeatable). The relay's own page always may
    #[arg(long, value_name = "ORIGIN")]
    pub allow_origin: Vec<Origin>,

    /// Rooms at the same time
    #[arg(long, value_name = "N", default_value_t = RelayOptions::default().max_rooms, value_parser = values::number::<usize>(1..=1_000_000))]
    pub max_rooms: usize,

    /// Participants in all rooms; clients of one address, but for this machine's, get half of them at most
    #[arg(long, value_name = "N", default_value_t = RelayOptions::default().max_sessions, value_parser = values::number::<usize>(1..=1_000_000))]
    pub max_sessions: usize,

    /// Participants in a room, viewers included
    #[arg(long, value_name = "N", default_value_t = RelayOptions::default().max_participants, value_parser = values::number::<usize>(1..=1_000_000))]
    pub max_participants: usize,

    /// Largest message a participant may send
    #[arg(long, value_name = "BYTES", default_value_t = RelayOptions::default().max_message_bytes, value_parser = values::number::<usize>(16_384..=100_000_000))]
    pub max_message_bytes: usize,

    /// Joins per second, over all rooms; clients of one address, but for this machine's, get half of them at most
    #[arg(long, value_name = "N", default_value_t = RelayOptions::default().max_joins_per_second, value_parser = values::number::<u32>(1..=1_000_000))]
    pub join_rate: u32,

    /// When asked to end, go on for this long: take nobody new, and send the rooms to other relays one by one
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = values::number::<u64>(0..=3600))]
    pub drain_seconds: u64,

    /// Share the rooms with other relays that name the same Redis: redis://HOST:PORT, rediss:// for TLS, or
    /// redis+unix:///PATH
    #[arg(long, value_name = "URL")]
    pub redis: Option<String>,

    /// Log in to Redis with the password in this file (one line)
    #[arg(long, value_name = "FILE", requires = "redis")]
    pub redis_password_file: Option<PathBuf>,

    /// For rediss://, trust the certificate authorities in this file (PEM) instead of the system's
    #[arg(long, value_name = "FILE", requires = "redis")]
    pub redis_ca_file: Option<PathBuf>,

    /// Tell pages that watch over WebRTC, and whoever else joins, of this STUN or TURN server: stun:HOST:PORT,
    /// turn:HOST:PORT?transport=udp (or tcp) or turns:HOST:PORT (repeatable)
    #[arg(long, value_name = "URL", value_parser = values::ice_url)]
    pub ice_server: Vec<IceUrl>,

    /// Make passwords for the TURN servers, valid for a day, from the secret in this file (one line), which they share
    /// (`static-auth-secret` of coturn)
    #[arg(long, value_name = "FILE", requires = "ice_server")]
    pub turn_secret_file: Option<PathBuf>,
}

impl RelayArgs {
    /// The relay's bounds, who is let in, and where other relays are met.
    pub fn options(&self) -> Result<RelayOptions, RelayArgsError> {
        let read =
            |flag, path: &Option<PathBuf>| path.as_deref().map(|path| read_token(flag, path)).transpose();
        let shared = read("--token-file", &self.token_file)?;
        let publish = read("--publish-token-file", &self.publish_token_file)?;
        let view = read("--view-token-file", &self.view_token_file)?;
        let access = match (shared, publish, view) {
            (_, Some(publish), Some(view)) if publish.is(view.as_ref()) => {
                return Err(RelayArgsError::SameToken);
            }
            (_, Some(publish), view) => Access::Split { publish, view },
            (Some(token), None, _) => Access::Shared(token),
            (None, None, _) => Access::Open,
        };
        Ok(RelayOptions {
            max_rooms: self.max_rooms,
            max_sessions: self.max_sessions,
            max_participants: self.max_participants,
            max_message_bytes: self.max_message_bytes,
            max_joins_per_second: self.join_rate,
            access,
            allowed_origins: self.allow_origin.clone(),
            drain: Duration::from_secs(self.drain_seconds),
            redis: self.redis()?,
            ice_servers: self.ice_servers()?,
            ..RelayOptions::default()
        })
    }

    /// Those that ask for nothing, and those that ask for credentials.
    fn ice_servers(&self) -> Result<Vec<IceServer>, RelayArgsError> {
        let (open, turn): (Vec<_>, Vec<_>) =
            self.ice_server.iter().cloned().partition(|url| url.scheme == IceScheme::Stun);
        let secret = self.turn_secret_file.as_deref();
        let secret = secret.map(|path| read_secret("--turn-secret-file", path)).transpose()?;
        let credentials = match (secret, turn.first()) {
            (Some(secret), Some(_)) => {
                Some(IceCredentials::SharedSecret { name: "viewer".to_owned(), secret })
            }
            (None, Some(url)) => return Err(RelayArgsError::NoTurnSecret(url.clone())),
            (Some(_), None) => return Err(RelayArgsError::NoTurnServer),
            (None, None) => None,
        };
        let servers = [IceServer { urls: open, credentials: None }, IceServer { urls: turn, credentials }];
        Ok(servers.into_iter().filter(|server| !server.urls.is_empty()).collect())
    }

    fn redis(&self) -> Result<Option<RedisOptions>, RelayArgsError> {
        let Some(url) = &self.redis else { return Ok(None) };
        let password = self.redis_password_file.as_deref();
        let password = password.map(|path| read_secret("--redis-password-file", path)).transpose()?;
        let options = RedisOptions::new(url, password.as_ref())?;
        let Some(path) = &self.redis_ca_file else { return Ok(Some(options)) };
        let pem = fs::read(path).map_err(|why| RelayArgsError::CaFile { path: path.clone(), why })?;
        Ok(Some(options.trusting(pem)?))
    }
}

fn read_token(flag: &'static str, path: &Path) -> Result<Token, RelayArgsError> {
    let secret = secret_file::read(flag, path).map_err(RelayArgsError::Token)?;
    Token::new(secret.expose()).ok_or(RelayArgsError::EmptyToken(flag))
}

fn read_secret(flag: &'static str, path: &Path) -> Result<Secret, RelayArgsError> {
    secret_file::read(flag, path).map_err(RelayArgsError::Secret)
}

/// The arguments of the relay cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RelayArgsError {
    /// A token's file cannot be read, or holds no token.
    #[error("{0}; the file has to hold a token of one line, such as `openssl rand -hex 16` makes")]
    Token(SecretFileError),
    /// Nothing is in it.
    #[error("{0}: the file is empty; write a token into it")]
    EmptyToken(&'static str),
    /// Who may watch could publish.
    #[error("--publish-token-file and --view-token-file hold the same token; write another into one of them")]
    SameToken,
    /// The file of a password or of a shared secret cannot be read, or holds none.
    #[error("{0}; the file has to hold the secret alone, on one line")]
    Secret(SecretFileError),
    /// The address of Redis, or whom to trust there.
    #[error(transparent)]
    Redis(#[from] BadRedis),
    /// The authorities of Redis' certificate.
    #[error("--redis-ca-file: cannot read {}: {why}", .path.display())]
    CaFile {
        /// Its file.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// A TURN server without credentials for it.
    #[error(
        "--ice-server {0}: a TURN server serves nobody without credentials; say --turn-secret-file FILE with the secret \
         that it shares"
    )]
    NoTurnSecret(IceUrl),
    /// A secret without a TURN server.
    #[error("--turn-secret-file is for TURN servers; add one with --ice-server turn:HOST:PORT")]
    NoTurnServer,
}
