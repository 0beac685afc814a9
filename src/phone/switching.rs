//! Switching forwarding and do not disturb: what a phone that runs and the command line without one have in common.

use crate::services::forwarding::{Forward, ForwardError, NO_ANSWER, Switches, When};
use crate::services::screening::Emergency;
use crate::sip::Uri;

use super::command::ForwardChange;
use super::event::Kind;

/// An account as far as its switches go.
#[derive(Debug, Clone, Default)]
pub struct Meant {
    /// `None`: calls without an account.
    pub name: Option<String>,
    /// Its address, where calls must not be forwarded to.
    pub uri: Option<Uri>,
}

/// Applies a change to these accounts. `target` makes a URI of what was written for the account at this place, or says why
/// it may not be called; `switches` is as it was if it does.
///
/// # Errors
/// Why not, for a person.
pub fn forward(
    switches: &mut Switches,
    meant: &[Meant],
    change: &ForwardChange,
    emergency: &Emergency,
    mut target: impl FnMut(usize, &str) -> Result<Uri, String>,
) -> Result<(), String> {
    let mut changed = switches.clone();
    for (place, account) in meant.iter().enumerate() {
        match change {
            ForwardChange::Show => {}
            ForwardChange::Off(when) => changed.stop(account.name.as_deref(), *when),
            ForwardChange::To { when, target: written, seconds } => {
                let to = target(place, written)?.to_string();
                if emergency.is(&to) {
                    return Err(ForwardError::Emergency.to_string());
                }
                let seconds = (*when == When::NoAnswer).then_some(seconds.unwrap_or(NO_ANSWER));
                let forward = Forward { account: account.name.clone(), when: *when, to, seconds };
                let own = account.uri.as_ref().map(ToString::to_string);
                changed.forward(forward, own.as_deref()).map_err(|error| error.to_string())?;
            }
        }
    }
    *switches = changed;
    Ok(())
}

/// How the forwarding that a change was about stands now, account by account.
pub fn forwardings(switches: &Switches, meant: &[Meant], change: &ForwardChange) -> Vec<Kind> {
    let is_meant = |when: When| match change {
        ForwardChange::To { when: changed, .. } | ForwardChange::Off(Some(changed)) => *changed == when,
        ForwardChange::Show | ForwardChange::Off(None) => true,
    };
    let of_account = |account: &Meant| {
        let account = account.name.clone();
        When::ALL.into_iter().filter(|when| is_meant(*when)).map(move |when| {
            let forward = switches.forwarding(account.as_deref(), when).cloned();
            let (to, seconds) = forward.map_or((None, None), |forward| (Some(forward.to), forward.seconds));
            Kind::Forwarding { account: account.clone(), when, to, seconds }
        })
    };
    meant.iter().flat_map(of_account).collect()
}

/// Switches do not disturb for these accounts, if told; how it stands then.
pub fn dnd(switches: &mut Switches, meant: &[Meant], on: Option<bool>) -> Vec<Kind> {
    let of_account = |account: &Meant| {
        let name = account.name.as_deref();
        if let Some(on) = on {
            switches.set_dnd(name, on);
        }
        Kind::Dnd { account: account.name.clone(), on: switches.is_dnd(name) }
    };
    meant.iter().map(of_account).collect()
}
