//! Tokens, passwords and shared secrets, kept out of every log.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::warning::Warning;

/// Far beyond any secret, far below what hurts: who names the wrong file hears of it at once.
const MAX_BYTES: u64 = 64 * 1024;

/// A token or a password: one line of text without control characters. `Debug` and `Display` print a placeholder and it
/// cannot be serialised; the only way to its text is [`Secret::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret in `text`, without the newline an editor puts at its end. `place` says in an error where the
    /// text came from; it must not be the text.
    pub fn new(text: &str, place: &str) -> Result<Self, SecretError> {
        let line =
            text.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).unwrap_or(text);
        let fault = if line.trim().is_empty() {
            Fault::Empty
        } else if line.contains('\n') {
            Fault::SeveralLines
        } else if line.contains(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER) {
            Fault::Unprintable
        } else if line != line.trim() {
            Fault::Spaces
        } else {
            return Ok(Self(line.to_owned()));
        };
        Err(SecretError { place: place.to_owned(), fault })
    }

    /// The secret in a file, and a warning if everybody on the machine can read it.
    pub fn read(path: &Path) -> Result<(Self, Option<Warning>), SecretError> {
        let place = path.display().to_string();
        let unreadable =
            |why: io::Error| SecretError { place: place.clone(), fault: Fault::unreadable(&why) };
        let file = File::open(path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.permissions().mode();
        let mut text = Vec::new();
        file.take(MAX_BYTES + 1).read_to_end(&mut text).map_err(unreadable)?;
        if text.len() as u64 > MAX_BYTES {
            return Err(SecretError { place, fault: Fault::TooLong });
        }
        let secret = Self::new(&String::from_utf8_lossy(&text), &place)?;
        let warning = (mode & 0o004 != 0).then(|| Warning::SecretReadableByAll(path.to_owned()));
        Ok((secret, warning))
    }

    /// The text, for the one place that sends or compares it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Why there is no secret. Says where it was looked for and never what was found there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place} {fault}")]
pub struct SecretError {
    place: String,
    fault: Fault,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Fault {
    Unreadable(String),
    Empty,
    SeveralLines,
    Unprintable,
    Spaces,
    TooLong,
}

impl Fault {
    fn unreadable(why: &io::Error) -> Self {
        Self::Unreadable(match why.kind() {
            io::ErrorKind::PermissionDenied => {
                format!("{why}; the user that runs roomcam must be able to read it")
            }
            _ => why.to_string(),
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "cannot be read: {why}"),
            Self::Empty => f.write_str("is empty"),
            Self::SeveralLines => f.write_str("has more than one line"),
            Self::Unprintable => {
                f.write_str("is no plain UTF-8 text (it has control characters or broken ones)")
            }
            Self::Spaces => f.write_str("starts or ends with spaces"),
            Self::TooLong => write!(f, "is longer than {MAX_BYTES} bytes; is it the right file?"),
        }
    }
}
