//! Notifications of the desktop (`ui.notify = "desktop"`), by D-Bus on a thread of its own: a desktop that answers late, or
//! never, holds up nothing. They are in builds with the feature `desktop`; where there is none, or no desktop, the terminal
//! shows them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Notifications that wait for the desktop; further ones are left to the terminal.
const WAITING: usize = 8;

/// The way to the desktop.
#[derive(Default)]
pub struct Desktop {
    sender: Option<SyncSender<String>>,
    /// Whether the desktop took none of late.
    failed: Arc<AtomicBool>,
}

impl Desktop {
    /// Gives it a text. False: the terminal had better show it.
    pub fn notify(&mut self, text: &str) -> bool {
        let sender = match &self.sender {
            Some(sender) => sender,
            None => match self.start(show) {
                Some(sender) => sender,
                None => return false,
            },
        };
        sender.try_send(text.to_owned()).is_ok() && !self.failed.load(Ordering::Relaxed)
    }

    fn start(&mut self, show: fn(&str) -> Result<(), String>) -> Option<&SyncSender<String>> {
        let (sender, texts) = sync_channel(WAITING);
        let failed = Arc::clone(&self.failed);
        let run = move || serve(&texts, &failed, show);
        // Nobody waits for its end: it may hang in a desktop that does not answer.
        match thread::Builder::new().name("desktop".into()).spawn(run) {
            Ok(_) => self.sender = Some(sender),
            Err(error) => tracing::error!(%error, "no thread"),
        }
        self.sender.as_ref()
    }
}

fn serve(texts: &Receiver<String>, failed: &AtomicBool, show: fn(&str) -> Result<(), String>) {
    for text in texts {
        let shown = show(&text);
        if let Err(error) = &shown {
            tracing::warn!("the desktop shows no notifications: {error}");
        }
        failed.store(shown.is_err(), Ordering::Relaxed);
    }
}

/// Whether this build has them.
pub const IS_BUILT: bool = cfg!(feature = "desktop");

#[cfg(feature = "desktop")]
fn show(text: &str) -> Result<(), String> {
    let mut notification = notify_rust::Notification::new();
    // The summary is no markup, whatever a caller's name looks like (Desktop Notifications Specification, section 2).
    notification.appname(crate::app::text::NAME).summary(text).icon("call-start");
    notification.show().map(drop).map_err(|error| error.to_string())
}

#[cfg(not(feature = "desktop"))]
fn show(_: &str) -> Result<(), String> {
    Err("it was built without the feature `desktop`".into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_desktop_that_hangs_holds_up_nothing_and_the_terminal_shows_the_rest() {
        let mut desktop = Desktop::default();
        desktop.start(|_| {
            loop {
                thread::park();
            }
        });
        let taken = (0..100).take_while(|_| desktop.notify("Bob calls")).count();
        // One is with the desktop, or waits too.
        assert!((WAITING..=WAITING + 1).contains(&taken), "{taken}");
    }

    #[test]
    fn where_it_fails_the_terminal_shows_them() {
        let mut desktop = Desktop::default();
        desktop.start(|_| Err("no bus".into()));
        desktop.notify("Bob calls");
        let failed = (0..10_000).any(|_| {
            thread::sleep(Duration::from_millis(5));
            desktop.failed.load(Ordering::Relaxed)
        });
        assert!(failed && !desktop.notify("Bob calls"));
    }
}
