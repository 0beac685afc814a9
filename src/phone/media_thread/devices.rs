//! The devices in use: opened by threads of their own, replaced by nothing when they are lost, tried again, closed when no
//! call needs them.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use polling::Poller;

use crate::audio::ringer::Ringer;
use crate::audio::{Input, Output, Selector};
use crate::phone::command::DeviceRole;
use crate::phone::event::DeviceState;

use super::{Message, Report};

/// After which a device that can't be opened is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// The same when it was lost: a restarted server or another default device is there at once.
const FIRST_RETRY: Duration = Duration::from_millis(100);
/// An opening that takes longer is told as a loss; it may still succeed.
const PATIENCE: Duration = Duration::from_secs(5);

/// What an opening thread brings back.
pub enum Opened {
    Input(Box<dyn Input>),
    Output(Box<dyn Output>),
    Ring(Ringer),
}

/// A device of one role.
pub struct Slot<D> {
    role: DeviceRole,
    name: String,
    state: State<D>,
    /// Counts the openings: what an earlier one brings is not wanted any more.
    generation: u64,
    /// What was reported last.
    told: DeviceState,
}

/// Where another device is wanted, the one before (`old`) stays in use until that is open: no sound is missed.
enum State<D> {
    Closed,
    Opening {
        since: Instant,
        old: Option<D>,
    },
    Open(D),
    /// Open, and another is wanted.
    Outdated(D),
    Lost {
        retry_at: Instant,
        old: Option<D>,
    },
}

/// What becomes of a device when another is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parting {
    /// It stays in use until the other is open.
    Late,
    /// It is closed at once: a file is finished before another is begun.
    AtOnce,
}

impl<D: Send + 'static> Slot<D> {
    pub fn new(role: DeviceRole, name: String) -> Slot<D> {
        Slot { role, name, state: State::Closed, generation: 0, told: DeviceState::Closed }
    }

    /// What is in use.
    pub fn get(&self) -> Option<&D> {
        match &self.state {
            State::Open(device) | State::Outdated(device) => Some(device),
            State::Opening { old, .. } | State::Lost { old, .. } => old.as_ref(),
            State::Closed => None,
        }
    }

    pub fn get_mut(&mut self) -> Option<&mut D> {
        match &mut self.state {
            State::Open(device) | State::Outdated(device) => Some(device),
            State::Opening { old, .. } | State::Lost { old, .. } => old.as_mut(),
            State::Closed => None,
        }
    }

    fn take(&mut self) -> Option<D> {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Open(device) | State::Outdated(device) => Some(device),
            State::Opening { old, .. } | State::Lost { old, .. } => old,
            State::Closed => None,
        }
    }

    /// Another device from now on; to be opened by the next [`Slot::keep_open`].
    pub fn rename(&mut self, name: String, parting: Parting) {
        self.name = name;
        self.generation += 1;
        self.told = DeviceState::Closed;
        match (self.take(), parting) {
            (Some(device), Parting::Late) => self.state = State::Outdated(device),
            (Some(device), Parting::AtOnce) => part(device),
            (None, Parting::Late | Parting::AtOnce) => (),
        }
    }

    /// Opens it with `open`, on another thread, unless it is open or was tried a moment ago.
    pub fn keep_open(&mut self, now: Instant, opener: &Opener, open: impl FnOnce(&str) -> OpenResult + Send + 'static) {
        match &self.state {
            State::Open(_) => return,
            State::Opening { since, .. } => {
                if now.saturating_duration_since(*since) > PATIENCE {
                    self.report(opener, DeviceState::Lost, Some("it does not answer".into()));
                }
                return;
            }
            State::Lost { retry_at, .. } if now < *retry_at => return,
            State::Closed | State::Outdated(_) | State::Lost { .. } => (),
        }
        self.generation += 1;
        self.state = State::Opening { since: now, old: self.take() };
        opener.start(self.role, self.generation, self.name.clone(), open);
    }

    /// What an opening brought. A device that comes too late is dropped.
    pub fn opened(&mut self, now: Instant, opener: &Opener, generation: u64, result: Result<D, String>) {
        if generation != self.generation || !matches!(self.state, State::Opening { .. }) {
            return;
        }
        match result {
            Ok(device) => {
                if let Some(old) = self.take() {
                    part(old);
                }
                self.state = State::Open(device);
                self.report(opener, DeviceState::Open, None);
            }
            Err(why) => self.missing(now, opener, why),
        }
    }

    /// It can't be opened; the one before stays in use.
    fn missing(&mut self, now: Instant, opener: &Opener, why: String) {
        let old = self.take();
        let why = if old.is_some() { format!("{why}; the one before stays in use") } else { why };
        self.state = State::Lost { retry_at: now + RETRY, old };
        self.report(opener, DeviceState::Lost, Some(why));
    }

    /// What is in use failed.
    pub fn lost(&mut self, now: Instant, opener: &Opener, why: String) {
        let state = match std::mem::replace(&mut self.state, State::Closed) {
            // Another is being opened already.
            State::Opening { since, .. } => State::Opening { since, old: None },
            State::Lost { retry_at, .. } => State::Lost { retry_at, old: None },
            State::Closed | State::Outdated(_) => State::Closed,
            State::Open(_) => State::Lost { retry_at: now + FIRST_RETRY, old: None },
        };
        self.state = state;
        self.report(opener, DeviceState::Lost, Some(why));
    }

    /// The sound server moved it to another device.
    pub fn moved(&mut self, opener: &Opener, device: &str) {
        self.tell(opener, DeviceState::Open, Some(format!("moved to {device}")));
    }

    pub fn close(&mut self, opener: &Opener) {
        self.state = State::Closed;
        if self.told == DeviceState::Open {
            self.report(opener, DeviceState::Closed, None);
        }
        self.told = DeviceState::Closed;
    }

    /// When it wants attention, while it is needed.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Lost { retry_at, .. } => Some(*retry_at),
            State::Opening { since, .. } if self.told != DeviceState::Lost => Some(*since + PATIENCE),
            State::Closed | State::Opening { .. } | State::Open(_) | State::Outdated(_) => None,
        }
    }

    /// Tells it, unless that was told last.
    fn report(&mut self, opener: &Opener, state: DeviceState, detail: Option<String>) {
        if self.told != state {
            self.tell(opener, state, detail);
        }
    }

    fn tell(&mut self, opener: &Opener, state: DeviceState, detail: Option<String>) {
        self.told = state;
        tracing::debug!(role = ?self.role, name = %self.name, ?state, detail = detail.as_deref().unwrap_or(""), "device");
        (opener.reports)(Report::Device { role: self.role, name: self.name.clone(), state, detail });
    }
}

/// Drops a device where it may wait: a file is finished first, which takes as long as its disk.
fn part(device: impl Send + 'static) {
    std::thread::spawn(move || drop(device));
}

/// What opening a device gives.
pub type OpenResult = Result<Opened, String>;

/// Starts opening threads and takes reports.
pub struct Opener {
    pub messages: Sender<Message>,
    pub poller: Arc<Poller>,
    pub reports: Box<dyn Fn(Report) + Send>,
}

impl Opener {
    fn start(
        &self,
        role: DeviceRole,
        generation: u64,
        name: String,
        open: impl FnOnce(&str) -> OpenResult + Send + 'static,
    ) {
        let (messages, poller) = (self.messages.clone(), Arc::clone(&self.poller));
        let is_instant = matches!(Selector::parse(&name), Ok(Selector::Null | Selector::Tone(_)));
        let run = move || {
            let result = open(&name);
            // The media thread may have ended meanwhile.
            let _ = messages.send(Message::Opened { role, generation, result });
            let _ = poller.notify();
        };
        if is_instant {
            return run();
        }
        if let Err(error) = std::thread::Builder::new().name("audio-open".into()).spawn(run) {
            let result = Err(error.to_string());
            let _ = self.messages.send(Message::Opened { role, generation, result });
            let _ = self.poller.notify();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, channel};

    type Told = Arc<Mutex<Vec<DeviceState>>>;

    fn opener() -> (Opener, Receiver<Message>, Told) {
        let (messages, receiver) = channel();
        let told = Told::default();
        let noted = Arc::clone(&told);
        let reports = Box::new(move |report| {
            if let Report::Device { state, .. } = report {
                noted.lock().unwrap().push(state);
            }
        });
        (Opener { messages, poller: Arc::new(Poller::new().unwrap()), reports }, receiver, told)
    }

    fn come(slot: &mut Slot<u8>, now: Instant, opener: &Opener, receiver: &Receiver<Message>, device: u8) {
        let Message::Opened { generation, result, .. } = receiver.recv().unwrap() else { panic!("not an opening") };
        slot.opened(now, opener, generation, result.map(|_| device));
    }

    fn works(_: &str) -> OpenResult {
        Ok(Opened::Ring(Ringer::open("null", None, Arc::new(Poller::new().unwrap())).unwrap()))
    }

    fn fails(_: &str) -> OpenResult {
        Err("no".into())
    }

    #[test]
    fn a_device_is_lost_once_and_comes_back() {
        let (opener, receiver, told) = opener();
        let start = Instant::now();
        let mut slot = Slot::new(DeviceRole::Input, "mic".into());
        slot.keep_open(start, &opener, fails);
        come(&mut slot, start, &opener, &receiver, 1);
        let retry = slot.poll_timeout().unwrap();
        assert_eq!(retry, start + RETRY);
        slot.keep_open(retry, &opener, fails);
        come(&mut slot, retry, &opener, &receiver, 1);
        slot.keep_open(retry + RETRY, &opener, works);
        come(&mut slot, retry + RETRY, &opener, &receiver, 7);
        assert_eq!(slot.get(), Some(&7));
        slot.lost(retry, &opener, "unplugged".into());
        slot.close(&opener);
        use DeviceState::{Lost, Open};
        assert_eq!(*told.lock().unwrap(), [Lost, Open, Lost]);
    }

    #[test]
    fn what_comes_after_another_was_chosen_is_not_taken() {
        let (opener, receiver, told) = opener();
        let start = Instant::now();
        let mut slot = Slot::new(DeviceRole::Output, "old".into());
        slot.keep_open(start, &opener, works);
        slot.rename("new".into(), Parting::AtOnce);
        slot.keep_open(start, &opener, works);
        for device in [1, 2] {
            come(&mut slot, start, &opener, &receiver, device);
        }
        assert!(slot.get().is_some());
        slot.close(&opener);
        assert_eq!(*told.lock().unwrap(), [DeviceState::Open, DeviceState::Closed]);
    }

    #[test]
    fn the_one_before_stays_in_use_until_the_other_is_open() {
        let (opener, receiver, told) = opener();
        let start = Instant::now();
        let mut slot = Slot::new(DeviceRole::Output, "old".into());
        slot.keep_open(start, &opener, works);
        come(&mut slot, start, &opener, &receiver, 1);
        slot.rename("absent".into(), Parting::Late);
        assert_eq!(slot.get(), Some(&1));
        slot.keep_open(start, &opener, fails);
        assert_eq!(slot.get(), Some(&1));
        come(&mut slot, start, &opener, &receiver, 2);
        assert_eq!(slot.get(), Some(&1), "the other can't be opened");
        slot.rename("new".into(), Parting::Late);
        slot.keep_open(start, &opener, works);
        come(&mut slot, start, &opener, &receiver, 3);
        assert_eq!(slot.get(), Some(&3));
        use DeviceState::{Lost, Open};
        assert_eq!(*told.lock().unwrap(), [Open, Lost, Open]);
    }

    #[test]
    fn one_that_fails_while_another_is_opened_is_not_missed() {
        let (opener, receiver, _) = opener();
        let start = Instant::now();
        let mut slot = Slot::new(DeviceRole::Input, "old".into());
        slot.keep_open(start, &opener, works);
        come(&mut slot, start, &opener, &receiver, 1);
        slot.rename("new".into(), Parting::Late);
        slot.keep_open(start, &opener, works);
        slot.lost(start, &opener, "unplugged".into());
        assert_eq!(slot.get(), None);
        come(&mut slot, start, &opener, &receiver, 2);
        assert_eq!(slot.get(), Some(&2));
    }

    #[test]
    fn a_device_that_does_not_answer_is_told_and_still_taken() {
        let (opener, receiver, told) = opener();
        let start = Instant::now();
        let mut slot = Slot::new(DeviceRole::Output, "frozen".into());
        slot.keep_open(start, &opener, works);
        slot.keep_open(slot.poll_timeout().unwrap() + Duration::from_millis(1), &opener, works);
        assert_eq!(slot.poll_timeout(), None);
        come(&mut slot, start, &opener, &receiver, 3);
        assert_eq!(slot.get(), Some(&3));
        assert_eq!(*told.lock().unwrap(), [DeviceState::Lost, DeviceState::Open]);
    }
}
