//! Far sides that were seen elsewhere than where their Contact says, and are answered there.

use std::collections::HashMap;

use bytes::Bytes;

use crate::sip::transport::Flow;
use crate::sip::{HeaderName, Headers, Host, Request};

use super::super::dialog;
use super::super::ways::is_unroutable;

/// Calls whose far side was seen elsewhere than where its Contact says.
const MAX_SEEN: usize = 4_096;

/// By Call-ID: the way by which a far side is reached that can't be reached where its Contact says.
#[derive(Debug, Default)]
pub struct Seen {
    ways: HashMap<Bytes, Flow>,
}

impl Seen {
    /// Notes by which way a far side is reached whose Contact nobody can send to, or who came by a connection that only it
    /// could open.
    pub fn note(&mut self, headers: &Headers, flow: &Flow) {
        let Some(contact) = dialog::contact(headers) else { return };
        let Some(host) = contact.host() else { return };
        let elsewhere = !matches!(host, Host::Ip(ip) if *ip == flow.remote.ip());
        let Some(call_id) = headers.value(&HeaderName::CallId).map(|value| Bytes::from(value.into_owned())) else {
            return;
        };
        if elsewhere && is_unroutable(host) {
            if self.ways.len() >= MAX_SEEN {
                self.ways.clear();
            }
            self.ways.insert(call_id, *flow);
        } else if !self.ways.is_empty() {
            self.ways.remove(&call_id);
        }
    }

    /// A far side that was seen elsewhere is reached from another address of ours now.
    pub fn move_to(&mut self, call_id: &[u8], flow: Flow) {
        if let Some(seen) = self.ways.get_mut(call_id) {
            *seen = flow;
        }
    }

    /// A call is over.
    pub fn forget(&mut self, call_id: &[u8]) {
        self.ways.remove(call_id);
    }

    /// The way by which the far side of a request's dialog was seen, if its own address leads nowhere.
    pub fn way_of(&self, request: &Request) -> Option<Flow> {
        if self.ways.is_empty() || request.headers.get(&HeaderName::Route).is_some() {
            return None;
        }
        dialog::to_tag(&request.headers)?;
        let unroutable = request.uri.host().is_some_and(is_unroutable);
        let call_id = request.headers.value(&HeaderName::CallId)?;
        self.ways.get(call_id.as_ref()).copied().filter(|_| unroutable)
    }
}
