//! The calls that are up, by their numbers and by their Call-IDs: a message finds its call without a look at the others.

use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;

use bytes::Bytes;

use crate::sip::{HeaderName, Headers};
use crate::transaction::queue::shrink;

use super::call::Call;
use super::{CallNo, UserAgent};

/// A map of calls.
#[derive(Default)]
pub struct Calls {
    /// Each call in a place of its own: the map's nodes have room for eleven, and are half empty.
    by_no: BTreeMap<CallNo, Box<Call>>,
    /// Two calls have one Call-ID when the phone calls itself.
    by_call_id: HashMap<Bytes, Vec<CallNo>>,
}

impl Deref for Calls {
    type Target = BTreeMap<CallNo, Box<Call>>;

    fn deref(&self) -> &BTreeMap<CallNo, Box<Call>> {
        &self.by_no
    }
}

impl Calls {
    /// Adds a call.
    pub fn insert(&mut self, no: CallNo, call: Call) {
        self.by_call_id.entry(call.call_id().clone()).or_default().push(no);
        self.by_no.insert(no, Box::new(call));
    }

    /// Takes a call out.
    pub fn remove(&mut self, no: &CallNo) -> Option<Call> {
        let call = self.by_no.remove(no)?;
        if let Some(same) = self.by_call_id.get_mut(call.call_id()) {
            same.retain(|other| other != no);
            if same.is_empty() {
                self.by_call_id.remove(call.call_id());
            }
        }
        shrink(&mut self.by_call_id);
        Some(*call)
    }

    /// A call, to be changed.
    pub fn get_mut(&mut self, no: &CallNo) -> Option<&mut Call> {
        self.by_no.get_mut(no).map(AsMut::as_mut)
    }

    /// All calls, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Call> {
        self.by_no.values_mut().map(AsMut::as_mut)
    }

    /// The numbers of the calls with a message's Call-ID.
    pub fn with_call_id(&self, headers: &Headers) -> Vec<CallNo> {
        let call_id = headers.value(&HeaderName::CallId);
        call_id.and_then(|call_id| self.by_call_id.get(call_id.as_ref())).cloned().unwrap_or_default()
    }

    /// The number of the call of a Call-ID.
    pub fn number_of(&self, call_id: &[u8]) -> Option<CallNo> {
        self.by_call_id.get(call_id)?.first().copied()
    }

    /// The call with a message's Call-ID that `wanted` picks.
    pub fn find_mut(&mut self, headers: &Headers, mut wanted: impl FnMut(&mut Call) -> bool) -> Option<&mut Call> {
        let found = self.with_call_id(headers).into_iter().find(|no| self.get_mut(no).is_some_and(&mut wanted))?;
        self.get_mut(&found)
    }
}

impl UserAgent {
    /// The number of the call to which messages with this Call-ID belong.
    pub fn call_of(&self, call_id: &str) -> Option<CallNo> {
        self.calls.number_of(call_id.as_bytes())
    }
}
