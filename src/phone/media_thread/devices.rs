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

/// After which a lost device is tried again.
const RETRY: Duration = Duration::from_secs(2);
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

enum State<D> {
    Closed,
    Opening { since: Instant },
    Open(D),
    Lost { retry_at: Instant },
}

impl<D: Send + 'static> Slot<D> {
    pub fn new(role: DeviceRole, name: String) -> Slot<D> {
        Slot { role, name, state: State::Closed, generation: 0, told: DeviceState::Closed }
    }

    pub fn get(&self) -> Option<&D> {
        match &self.state {
            State::Open(device) => Some(device),
            State::Closed | State::Opening { .. } | State::Lost { .. } => None,
        }
    }

    pub fn get_mut(&mut self) -> Option<&mut D> {
        match &mut self.state {
            State::Open(device) => Some(device),
            State::Closed | State::Opening { .. } | State::Lost { .. } => None,
        }
    }

    /// Another device from now on; to be opened by the next [`Slot::keep_open`].
    pub fn rename(&mut self, name: String) {
        self.name = name;
        self.generation += 1;
        self.told = DeviceState::Closed;
        if let State::Open(device) = std::mem::replace(&mut self.state, State::Closed) {
            // A file is finished first, which takes as long as its disk.
            std::thread::spawn(move || drop(device));
        }
    }

    /// Opens it with `open`, on another thread, unless it is open or was tried a moment ago.
    pub fn keep_open(&mut self, now: Instant, opener: &Opener, open: impl FnOnce(&str) -> OpenResult + Send + 'static) {
        match &self.state {
            State::Open(_) => return,
            State::Opening { since } => {
                if now.saturating_duration_since(*since) > PATIENCE {
                    self.report(opener, DeviceState::Lost, Some("it does not answer".into()));
                }
                return;
            }
            State::Lost { retry_at } if now < *retry_at => return,
            State::Closed | State::Lost { .. } => (),
        }
        self.generation += 1;
        self.state = State::Opening { since: now };
        opener.start(self.role, self.generation, self.name.clone(), open);
    }

    /// What an opening brought. A device that comes too late is dropped.
    pub fn opened(&mut self, now: Instant, opener: &Opener, generation: u64, result: Result<D, String>) {
        if generation != self.generation || !matches!(self.state, State::Opening { .. }) {
            return;
        }
        match result {
            Ok(device) => {
                self.state = State::Open(device);
                self.report(opener, DeviceState::Open, None);
            }
            Err(why) => self.lost(now, opener, why),
        }
    }

    /// It failed.
    pub fn lost(&mut self, now: Instant, opener: &Opener, why: String) {
        self.state = State::Lost { retry_at: now + RETRY };
        self.report(opener, DeviceState::Lost, Some(why));
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
            State::Lost { retry_at } => Some(*retry_at),
            State::Opening { since } if self.told != DeviceState::Lost => Some(*since + PATIENCE),
            State::Closed | State::Opening { .. } | State::Open(_) => None,
        }
    }

    fn report(&mut self, opener: &Opener, state: DeviceState, detail: Option<String>) {
        if self.told == state {
            return;
        }
        self.told = state;
        tracing::debug!(role = ?self.role, name = %self.name, ?state, detail = detail.as_deref().unwrap_or(""), "device");
        (opener.reports)(Report::Device { role: self.role, name: self.name.clone(), state, detail });
    }
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
        Ok(Opened::Ring(Ringer::open("null").unwrap()))
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
        slot.rename("new".into());
        slot.keep_open(start, &opener, works);
        for device in [1, 2] {
            come(&mut slot, start, &opener, &receiver, device);
        }
        assert!(slot.get().is_some());
        slot.close(&opener);
        assert_eq!(*told.lock().unwrap(), [DeviceState::Open, DeviceState::Closed]);
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
