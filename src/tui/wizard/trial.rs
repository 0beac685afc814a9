//! A registration, tried once with a phone of its own: whether the PBX takes the account, and what it says if not.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use tokio::time::{Instant, interval, sleep_until};

use crate::app::wizard::outcome::Tried;
use crate::app::wizard::{Msg, Trial, address};
use crate::config::Config;
use crate::phone::event::Kind;
use crate::phone::{Command, PhoneHandle};

use super::job::{Job, Teller};

/// How long an answer is waited for. SIP itself would wait 32 s (RFC 3261 section 17.1.2.2, timer F).
const PATIENCE: Duration = Duration::from_secs(12);

/// Tries to register the only account of `config`.
pub(super) fn start(config: Config, sender: UnboundedSender<Msg>) -> Job {
    let failed = |why| Msg::Trial(Trial::Over(Tried::Failed(why)));
    Job::start(sender, move |teller, stop| run(config, teller, stop), failed)
}

async fn run(config: Config, teller: Teller, stop: oneshot::Receiver<()>) {
    let uri = config.accounts.first().map(|account| account.uri.clone()).unwrap_or_default();
    let host = match address::check(&uri) {
        address::Verdict::Good(address) => address.host,
        _ => uri,
    };
    let begun = Instant::now();
    let mut phone = match PhoneHandle::start(config) {
        Ok(phone) => phone,
        Err(error) => return teller.tell(Msg::Trial(Trial::Over(Tried::Failed(error.to_string())))),
    };
    let tried = tokio::select! {
        tried = outcome(&mut phone, &host, begun, &teller) => Some(tried),
        _ = stop => None,
    };
    if let Some(tried) = tried {
        teller.tell(Msg::Trial(Trial::Over(tried)));
    }
    let _ = phone.command(Command::Quit).await;
}

async fn outcome(phone: &mut PhoneHandle, host: &str, begun: Instant, teller: &Teller) -> Tried {
    let mut events = phone.events();
    let mut seconds = interval(Duration::from_secs(1));
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            _ = seconds.tick() => {
                teller.tell(Msg::Trial(Trial::Running(begun.elapsed().as_secs())));
                continue;
            }
            () = sleep_until(begun + PATIENCE) => {
                return Tried::Silent { host: host.to_owned(), seconds: PATIENCE.as_secs() };
            }
        };
        match event.map(|event| event.kind) {
            Some(Kind::Registered { .. }) => {
                return Tried::Registered(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
            }
            Some(Kind::RegistrationFailed { code, reason, .. }) => {
                let host = host.to_owned();
                // RFC 3263 section 4.3: a name that leads nowhere counts as 503.
                let is_unknown = code == 503 && reason.starts_with("no address was found");
                return if is_unknown { Tried::Unknown { host } } else { Tried::Refused { code, host, reason } };
            }
            Some(_) => {}
            None => return Tried::Failed("the phone stopped by itself".into()),
        }
    }
}
