//! What one request has answered so far, so that it stops.

use super::AuthError;
use super::space::{MAX_SPACES, Side, Space};

/// How often one request may be told that its nonce is too old: a server that never has a fresh one must not keep us.
const MAX_STALE: u8 = 2;

/// What one request has answered so far. Held by the caller from the request's first sending to its final outcome,
/// through every repetition with credentials.
#[derive(Debug, Clone, Default)]
pub struct Attempt {
    answered: Vec<Answered>,
}

#[derive(Debug, Clone)]
struct Answered {
    side: Side,
    realm: String,
    stale: u8,
}

impl Attempt {
    /// Counts an answer to this space.
    pub(super) fn count(&mut self, space: &Space, stale: bool) -> Result<(), AuthError> {
        let full = self.answered.len() >= MAX_SPACES;
        match self.answered.iter_mut().find(|a| a.side == space.side && a.realm == space.realm) {
            Some(answered) if stale && answered.stale < MAX_STALE => answered.stale += 1,
            Some(_) => return Err(AuthError::Refused { realm: space.realm.clone() }),
            None if full => return Err(AuthError::Malformed),
            None => self.answered.push(Answered { side: space.side, realm: space.realm.clone(), stale: 0 }),
        }
        Ok(())
    }
}
