//! What works but should be told to the operator.

use std::path::PathBuf;

/// Something in a configuration that works but that the operator should hear about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// Everybody on the machine can read the token.
    #[error("{}: everybody on this machine can read the token; make it private: chmod 600 {}", .0.display(), .0.display())]
    TokenReadableByAll(PathBuf),
    /// A variable that looks like a slip of one of ours.
    #[error("environment variable {variable} means nothing; did you mean {meant}?")]
    VariableIgnored {
        /// The variable as found.
        variable: String,
        /// The one it resembles.
        meant: String,
    },
}
