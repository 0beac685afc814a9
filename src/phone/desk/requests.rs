//! Transfers that others ask for.

use std::net::IpAddr;

use crate::phone::event::CallRef;
use crate::phone::lines::NoLine;
use crate::ua::event::Party;
use crate::ua::{AccountId, CallNo};

use super::Desk;
use super::told::harmless_party;

/// A transfer that someone asks for.
#[derive(Debug, Clone)]
pub(in crate::phone) struct Request {
    pub(in crate::phone) call: CallRef,
    pub(in crate::phone) account: Option<AccountId>,
    /// Our address in the call in which it was asked.
    pub(in crate::phone) local: Option<IpAddr>,
    /// Whom to call.
    pub(in crate::phone) to: String,
}

impl Desk {
    /// Someone asks us to call someone.
    pub(super) fn requested(
        &mut self,
        call: CallNo,
        account: Option<AccountId>,
        peer: Party,
        to: String,
        arrived_at: Option<IpAddr>,
    ) -> CallRef {
        let (peer, _) = harmless_party(peer);
        let unknown = || CallRef { call, account: self.account_name(account), peer };
        let reference = self.call(call).unwrap_or_else(unknown);
        let request = Request { call: reference.clone(), account, local: arrived_at, to };
        self.requests.insert(call, request);
        reference
    }

    /// The transfer that is asked for in a call, which may be over.
    pub(in crate::phone) fn request(&self, call: CallNo) -> Option<&Request> {
        self.requests.get(&call)
    }

    /// It is followed, refused or too old.
    pub(in crate::phone) fn forget_request(&mut self, call: CallNo) -> Option<Request> {
        self.with_line(call, |line| line.transfer_request = None);
        self.requests.remove(&call)
    }

    /// `accept-transfer`, `refuse-transfer`: which call is meant.
    pub(in crate::phone) fn asked_to_transfer(&self, call: Option<CallNo>) -> Result<CallNo, NoLine> {
        match call {
            Some(call) if self.requests.contains_key(&call) => Ok(call),
            Some(call) => self.lines.named(call),
            None => self.lines.asked_to_transfer().or_else(|error| match (error, self.requests.keys().next()) {
                (NoLine::NoRequest, Some(only)) if self.requests.len() == 1 => Ok(*only),
                (error, _) => Err(error),
            }),
        }
    }
}
