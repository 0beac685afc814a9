//! Our Contact, when it becomes another one.

use crate::sip::{HeaderName, Uri, push};

use super::write::text;
use super::{Bound, Outstanding, Registration};

impl Registration {
    /// Keeps in mind which contact the registrar may hold instead, so that the next REGISTER removes it.
    pub(super) fn replace_contact(&mut self, contact: &Uri, under_way: bool) {
        let old = self.contact.replace(contact.clone());
        match &self.former {
            // Back to the one that it holds; the other has perhaps just been sent.
            Some(former) if text(former) == text(contact) => self.former = old.filter(|_| under_way),
            Some(_) => {}
            None if under_way || self.bound != Bound::No => self.former = old,
            None => {}
        }
    }

    /// The registrar has said at which address it sees us: that one is our Contact from now on.
    pub(super) fn take_seen(&mut self) -> bool {
        let Some(contact) = self.base.as_ref().map(|base| self.nat.contact(base)) else { return false };
        let changed = self.contact.as_ref().is_none_or(|old| text(old) != text(&contact));
        if changed {
            tracing::debug!(account = self.account.0, %contact, "the registrar sees us elsewhere");
            self.replace_contact(&contact, false);
        }
        changed
    }

    /// Puts our present contacts into a REGISTER that is to be sent again.
    pub(super) fn rewrite(&mut self, outstanding: &mut Outstanding) {
        if !self.take_seen() {
            return;
        }
        outstanding.request.headers.remove_all(&HeaderName::Contact);
        for contact in self.contacts(&outstanding.job).0 {
            push(&mut outstanding.request.headers, HeaderName::Contact, contact);
        }
        outstanding.contact = self.contact.clone();
    }
}
