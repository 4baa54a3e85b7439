//! What works but should be told to the operator.

use std::path::PathBuf;

/// Something in a configuration that works but that the operator should hear about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// Everybody on the machine can read a secret. The group may have to, so it keeps its right.
    #[error("{}: everybody on this machine can read this secret; make it private: chmod o-r {}", .0.display(), .0.display())]
    SecretReadableByAll(PathBuf),
    /// A variable that looks like a slip of one of ours.
    #[error("environment variable {variable} means nothing; did you mean {meant}?")]
    VariableIgnored {
        /// The variable as found.
        variable: String,
        /// The one it resembles.
        meant: String,
    },
}
