//! The types of the keys of `[control]`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::values::ValueError;

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
    /// The address, if it is one.
    pub(super) fn addr(self) -> Option<SocketAddr> {
        self.0
    }

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
