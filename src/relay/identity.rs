//! Who a client says it is, and what shows that. Pure.

use std::sync::Arc;

use ring::digest;
use serde::{Deserialize, Serialize};

use super::options::{Role, Token};

/// Who a client says it is, and what it may do.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub user_id: Arc<str>,
    pub role: Role,
    pub proof: Proof,
}

/// What shows that a client is the user whose id it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Proof {
    /// Nothing, or a token that everybody shows.
    Nothing,
    /// A token of its own, as [`Proof::own`] makes it unreadable.
    Own([u8; 32]),
    /// The token of those who publish.
    Publisher,
}

impl Proof {
    /// A user's own token.
    pub fn own(user_id: &str, token: &Token) -> Self {
        let mut hash = digest::Context::new(&digest::SHA256);
        for part in [user_id, "\0", token.as_ref()] {
            hash.update(part.as_bytes());
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(hash.finish().as_ref());
        Self::Own(bytes)
    }

    /// Whether who has this one may take the place of who had `earlier`.
    pub fn outranks(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            (Self::Publisher, _) => true,
            (Self::Own(token), Self::Own(other)) => token == other,
            _ => false,
        }
    }
}
