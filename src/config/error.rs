//! What can be wrong with a configuration, said so that the operator knows where to put the cursor.

use std::fmt;
use std::path::PathBuf;

use super::secret::SecretError;

/// Where a value was set. Ordered as an operator would look: down the file, then around it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// In the configuration file.
    File {
        /// The file, as it was named to us.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// In characters, counted from 1.
        column: usize,
    },
    /// In this environment variable.
    Environment(String),
    /// With this flag.
    Flag(String),
    /// Nowhere: it is the default.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Environment(variable) => write!(f, "environment variable {variable}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The file cannot be read, or is no text.
    #[error("{}: cannot read the configuration: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        why: String,
    },
    /// The file is no TOML.
    #[error("{at}: {}this is not TOML: {message}", key.map(|key| format!("{key}: ")).unwrap_or_default())]
    Syntax {
        /// Where.
        at: Origin,
        /// The key on that line, if it is one of ours.
        key: Option<&'static str>,
        /// What the parser says. It never repeats the file's text, which could be a token.
        message: String,
    },
    /// There is no such key.
    #[error("{at}: there is no key {key}; {hint}")]
    UnknownKey {
        /// Where.
        at: Origin,
        /// `section.name`.
        key: String,
        /// The key that was meant, or those there are.
        hint: String,
    },
    /// There is no such section.
    #[error("{at}: there is no section [{section}]; {hint}")]
    UnknownSection {
        /// Where.
        at: Origin,
        /// Its name.
        section: String,
        /// The section that was meant, or those there are.
        hint: String,
    },
    /// A key has a value it cannot have.
    #[error("{at}: {key} = {found} is refused; allowed is {allowed}")]
    Value {
        /// Where.
        at: Origin,
        /// `section.name`.
        key: String,
        /// The value as it was written, as far as it may be repeated.
        found: String,
        /// What would have been allowed.
        allowed: String,
    },
    /// A key that must be set is not.
    #[error(
        "{key} is missing; set it in the configuration file, with {variable} or with --set {key}=…; allowed is {allowed}"
    )]
    Missing {
        /// `section.name`.
        key: String,
        /// The variable that could set it.
        variable: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// The entry of a list lacks a key that must be set.
    #[error("{at}: {key} is missing; allowed is {allowed}")]
    MissingInEntry {
        /// Where the entry starts.
        at: Origin,
        /// `section.list.name`.
        key: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// Values that are allowed one by one, but not together.
    #[error("{at}: {what} {why}")]
    Contradiction {
        /// Where the one is that makes it a contradiction.
        at: Origin,
        /// The key or the entry.
        what: String,
        /// Why not, and what would do.
        why: String,
    },
    /// Neither a camera nor a microphone.
    #[error(
        "{at}: capture.camera and capture.mic are both \"none\", so there is nothing to send; allowed is one of them. \
         To join quietly, use start_camera = false and start_mic = false"
    )]
    BothTracksOff {
        /// Where the later of the two is set.
        at: Origin,
    },
    /// The token cannot be had.
    #[error("{at}: {error}")]
    Token {
        /// Where it is said that there is one.
        at: Origin,
        /// What is wrong with it.
        error: SecretError,
    },
}

impl Problem {
    /// Whether `section` may be meant: certainly, or because nobody can tell.
    pub(super) fn may_concern(&self, section: &str) -> bool {
        let key = match self {
            Self::Unreadable { .. } | Self::Syntax { .. } | Self::UnknownSection { .. } => return true,
            Self::BothTracksOff { .. } | Self::Token { .. } => return false,
            Self::UnknownKey { key, .. }
            | Self::Value { key, .. }
            | Self::Missing { key, .. }
            | Self::MissingInEntry { key, .. } => key,
            Self::Contradiction { what, .. } => what,
        };
        key.split('.').next() == Some(section)
    }
}

impl Problem {
    /// Where it is, unless it is about something that is nowhere.
    fn at(&self) -> Option<&Origin> {
        match self {
            Self::Unreadable { .. } | Self::Missing { .. } => None,
            Self::Syntax { at, .. }
            | Self::UnknownKey { at, .. }
            | Self::UnknownSection { at, .. }
            | Self::Value { at, .. }
            | Self::MissingInEntry { at, .. }
            | Self::Contradiction { at, .. }
            | Self::BothTracksOff { at }
            | Self::Token { at, .. } => Some(at),
        }
    }
}

/// All that is wrong with a configuration; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<Problem>);

impl ConfigErrors {
    pub(super) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| (problem.at().is_none(), problem.at().cloned()));
        Self(problems)
    }

    /// The problems: down the file, then those of the environment and the flags, then what is missing.
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

/// How many problems are printed: a file that is no TOML at all has one per line.
const PRINTED: usize = 20;

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("the configuration has a problem:")?,
            many => write!(f, "the configuration has {many} problems:")?,
        }
        for problem in self.0.iter().take(PRINTED) {
            write!(f, "\n  {problem}")?;
        }
        match self.0.len().saturating_sub(PRINTED) {
            0 => Ok(()),
            more => write!(f, "\n  … and {more} more"),
        }
    }
}

impl std::error::Error for ConfigErrors {}
