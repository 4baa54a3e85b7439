//! Who gets into the meeting: the token, and the user id, which is one client's at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::client_log::Topic;
use super::dialect::Auth;
use super::fleet::Claimed;
use super::gateway::Gateway;
use super::identity::{Identity, Proof};
use super::options::{Access, NoAccess, Role, Token};
use super::refusal::{Code, Refusal};
use super::registry::Seated;
use super::session::{Session, Sid};

/// Longest user id in bytes.
const MAX_USER_ID: usize = 128;
/// How often it is looked whether a connection is still there, when another wants its user id: for 3 s.
const PROBES: u32 = 60;
/// Between two looks.
const PROBE_STEP: Duration = Duration::from_millis(50);

impl Gateway {
    /// Lets a client in, or says why not. Takes up to 3 s if another connection has its user id.
    pub async fn connect(&self, session: &Arc<Session>, auth: Auth) -> Result<Role, Refusal> {
        let identity = self.identify(session, auth)?;
        let role = identity.role;
        let mut gone = None;
        loop {
            match self.seat(session, &identity, gone) {
                Seated::Free | Seated::Displaces(..) => break,
                Seated::Refused => return Err(user_taken()),
                Seated::Taken(_, holder) if is_there(&holder).await => return Err(user_taken()),
                Seated::Taken(sid, _) => gone = Some(sid),
            }
        }
        match &self.fleet {
            // The place here is given back when the session ends.
            Some(fleet) if fleet.claim(identity).await == Claimed::Taken => Err(user_taken()),
            _ => Ok(role),
        }
    }

    /// Somebody wants to connect at another relay: disconnects who has its user id here and must give way. Whether
    /// somebody keeps it. Takes up to 3 s.
    pub async fn is_claimed(&self, identity: &Identity) -> bool {
        let mut gone = None;
        loop {
            let contested = self.registry().contest(identity, gone);
            match contested {
                Seated::Free => return false,
                Seated::Refused => return true,
                Seated::Displaces(sid, holder) => {
                    self.displace(identity, sid, &holder);
                    return false;
                }
                Seated::Taken(_, holder) if is_there(&holder).await => return true,
                Seated::Taken(sid, _) => gone = Some(sid),
            }
        }
    }

    /// Takes the place of a connection for another of the same user.
    fn displace(&self, identity: &Identity, sid: Sid, displaced: &Arc<Session>) {
        let mut slow = Vec::new();
        {
            let mut registry = self.registry();
            if let Some(left) = registry.disconnect(sid) {
                self.announce_left(&registry, &left, sid, &mut slow);
            }
        }
        if let Some(more) = self.log.admit(Topic::Presence) {
            let user = &*identity.user_id;
            tracing::info!(user, %sid, "another connection of the same user takes the seat{more}");
        }
        let message = "Another connection has logged in as the same user";
        self.dismiss(displaced, &Refusal::last(Code::UserTaken, message));
        self.cut_off(slow);
    }

    fn identify(&self, session: &Session, auth: Auth) -> Result<Identity, Refusal> {
        let role = self.access.admit(auth.token.as_deref()).map_err(|refusal| {
            self.warn(Topic::Token, session, "refused a connection: its token is missing or wrong");
            let (code, what) = match refusal {
                NoAccess::Missing => (Code::TokenRequired, "this relay requires a token"),
                NoAccess::Wrong => (Code::TokenWrong, "your token is not one of this relay"),
            };
            Refusal::last(code, format!("Authentication failed: {what}"))
        })?;
        let user_id = auth.user_id.unwrap_or_else(|| format!("guest-{:08x}", rand::random::<u32>()));
        if user_id.is_empty() || user_id.len() > MAX_USER_ID {
            let message = format!("The user id needs 1 to {MAX_USER_ID} bytes");
            return Err(Refusal::last(Code::BadRequest, message));
        }
        let proof = match (&self.access, role) {
            (Access::Split { .. }, Role::Publisher) => Proof::Publisher,
            (Access::Open, _) => {
                let token = auth.token.as_deref().and_then(Token::new);
                token.map_or(Proof::Nothing, |token| Proof::own(&user_id, &token))
            }
            _ => Proof::Nothing,
        };
        Ok(Identity { user_id: user_id.into(), role, proof })
    }

    fn seat(&self, session: &Arc<Session>, identity: &Identity, gone: Option<Sid>) -> Seated<Arc<Session>> {
        let seated = self.registry().connect(session.id, identity.clone(), session.clone(), gone);
        if let Seated::Displaces(sid, displaced) = &seated {
            self.displace(identity, *sid, displaced);
        }
        seated
    }
}

fn user_taken() -> Refusal {
    let message = "Somebody is connected under this user id; choose another, or end that connection first";
    Refusal::last(Code::UserTaken, message)
}

/// Whether the client of a session answers a ping.
async fn is_there(session: &Session) -> bool {
    let asked = Instant::now();
    session.ping(asked);
    for _ in 0..PROBES {
        sleep(PROBE_STEP).await;
        if session.heard_at() > asked {
            return true;
        }
        if session.is_ending() {
            return false;
        }
    }
    false
}
