//! Files of tokens, passwords and shared secrets that a flag names.

use std::path::Path;

use roomcam::config::{Secret, SecretError};

/// The file that a flag names cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{flag}: {error}")]
pub struct SecretFileError {
    flag: &'static str,
    error: SecretError,
}

/// Reads the file that `flag` names. Warns if everybody on the machine can do so.
pub(super) fn read(flag: &'static str, path: &Path) -> Result<Secret, SecretFileError> {
    let (secret, warning) = Secret::read(path).map_err(|error| SecretFileError { flag, error })?;
    if let Some(warning) = warning {
        tracing::warn!("{warning}");
    }
    Ok(secret)
}
