//! Our client transactions: whose each is, and which branches of an INVITE have had their BYE.

use std::collections::HashMap;

use bytes::Bytes;

use crate::transaction::ClientId;
use crate::transaction::queue::shrink;

use super::super::{AccountId, CallNo, SubscriptionId};

/// Branches of one INVITE that are remembered as ended.
const MAX_BRANCHES: usize = 64;

/// Whose a client transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// An account's REGISTER.
    Registration(AccountId),
    /// A call's request.
    Call(CallNo, Purpose),
    /// A subscription's SUBSCRIBE.
    Subscription(SubscriptionId),
    /// A MESSAGE outside any dialog.
    Message(u32),
    /// Nobody waits for the answer: a BYE after the call has ended, a CANCEL, a NOTIFY.
    Nobody,
}

/// What a call's request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// The first INVITE.
    Invite,
    /// A re-INVITE of ours.
    Modify,
    /// PRACK.
    Prack,
    /// UPDATE.
    Update,
    /// REFER.
    Refer,
    /// INFO.
    Info,
}

/// Whose the open client transactions are.
#[derive(Debug, Default)]
pub struct Clients {
    owners: HashMap<ClientId, Owner>,
    /// The open transactions of those whom somebody asks for, oldest first.
    owned: HashMap<Owner, Vec<ClientId>>,
    /// The To tags of the branches of an INVITE that have had their BYE: their 2xx may come again.
    ended: HashMap<ClientId, Vec<Bytes>>,
}

impl Clients {
    /// A client transaction has begun.
    pub fn insert(&mut self, id: ClientId, owner: Owner) {
        self.owners.insert(id, owner);
        if owner != Owner::Nobody {
            self.owned.entry(owner).or_default().push(id);
        }
    }

    /// Whose a client transaction is.
    pub fn owner(&self, id: ClientId) -> Owner {
        self.owners.get(&id).copied().unwrap_or(Owner::Nobody)
    }

    /// The newest open client transaction of an owner.
    pub fn newest_of(&self, owner: Owner) -> Option<ClientId> {
        self.owned.get(&owner).and_then(|ids| ids.last().copied())
    }

    /// All open client transactions of an owner.
    pub fn all_of(&self, owner: Owner) -> Vec<ClientId> {
        self.owners.iter().filter(|(_, other)| **other == owner).map(|(id, _)| *id).collect()
    }

    /// All open client transactions.
    pub fn ids(&self) -> impl Iterator<Item = ClientId> {
        self.owners.keys().copied()
    }

    /// A client transaction has nobody any more: its request has gone another way.
    pub fn disown(&mut self, id: ClientId) {
        if let Some(owner) = self.owners.remove(&id)
            && let Some(ids) = self.owned.get_mut(&owner)
        {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.owned.remove(&owner);
            }
        }
    }

    /// A client transaction is over.
    pub fn forget(&mut self, id: ClientId) {
        self.disown(id);
        self.ended.remove(&id);
        shrink(&mut self.owners);
        shrink(&mut self.owned);
    }

    /// Notes that a branch of an INVITE has had its BYE; false: it had it before.
    pub fn note_ended(&mut self, invite: ClientId, tag: &Bytes) -> bool {
        let tags = self.ended.entry(invite).or_default();
        let new = !tags.contains(tag);
        if new && tags.len() < MAX_BRANCHES {
            tags.push(tag.clone());
        }
        new
    }
}
