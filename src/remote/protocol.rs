//! What the two sides say: one JSON object a line. The UI asks, the phone says.

use serde::{Deserialize, Serialize};

use crate::phone::media_thread::Levels;
use crate::phone::{Command, Event, Refused, Reply, TraceEntry};

/// Both sides must speak the same one: they are the same program, of the same version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The longest line that a UI may write, in bytes.
pub const LONGEST_ASK: u64 = 64 * 1024;
/// The longest line that a phone may write, in bytes: a telephone book.
pub const LONGEST_SAY: u64 = 16 * 1024 * 1024;

/// From a UI to the phone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// A command; the answer has the same number.
    Command {
        /// The asker's own.
        id: u64,
        /// What.
        command: Command,
    },
    /// How loud it is now.
    Levels,
}

/// From the phone to a UI.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Say {
    /// The first line.
    Hello {
        /// [`VERSION`] of the phone.
        version: String,
        /// Where the phone listens.
        listen: String,
    },
    /// The answer to a command.
    Reply {
        /// The asker's own.
        id: u64,
        /// What came of it.
        result: Result<Reply, Refused>,
    },
    /// Something happened.
    Event(Event),
    /// A SIP message crossed the wire.
    Trace(TraceEntry),
    /// How loud it is.
    Levels(Levels),
}

/// A line of what is said; `None` (and a word in the log) if it can't be written, which no message of ours should cause.
pub fn line(message: &impl Serialize) -> Option<String> {
    match serde_json::to_string(message) {
        Ok(mut line) => {
            line.push('\n');
            Some(line)
        }
        Err(error) => {
            tracing::error!(%error, "a message can't be written as JSON");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::phone::command::{DeviceRole, ForwardChange, Side};
    use crate::phone::event::Kind;
    use crate::services::forwarding::When;
    use crate::ua::CallNo;

    fn ask(command: Command) {
        let ask = Ask::Command { id: 7, command };
        let line = line(&ask).unwrap();
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        assert_eq!(serde_json::from_str::<Ask>(&line).unwrap(), ask);
    }

    #[test]
    fn commands_arrive_as_they_were() {
        ask(Command::Call { account: Some("work".into()), target: "a\nb \"c\"".into() });
        ask(Command::Answer { call: None });
        ask(Command::Reject { call: Some(CallNo(3)), code: Some(603) });
        ask(Command::TransferWith { call: CallNo(1), with: CallNo(2) });
        ask(Command::Conference { calls: vec![CallNo(1), CallNo(2)] });
        ask(Command::Volume { side: Side::Output, db: -3.5 });
        ask(Command::Device { role: DeviceRole::Ring, name: "pulseaudio:x".into() });
        ask(Command::Record { call: Some(CallNo(1)), path: Some(PathBuf::from("/tmp/a b.wav")) });
        let change = ForwardChange::To { when: When::NoAnswer, target: "bob".into(), seconds: Some(20) };
        ask(Command::Forward { account: None, change });
        ask(Command::Forward { account: None, change: ForwardChange::Off(None) });
        ask(Command::Dnd { account: None, on: Some(true) });
        ask(Command::State);
        ask(Command::Quit);
    }

    #[test]
    fn answers_arrive_as_they_were() {
        let refused = Refused { message: "there is no call".into() };
        let time = UNIX_EPOCH + Duration::from_millis(1_790_000_000_123);
        let (local, remote) = (([192, 0, 2, 7], 5060).into(), ([192, 0, 2, 1], 5060).into());
        let flow = crate::sip::transport::Flow { transport: crate::sip::transport::Transport::Udp, local, remote };
        for say in [
            Say::Reply { id: 1, result: Ok(Reply::Done) },
            Say::Reply { id: 2, result: Ok(Reply::Call(CallNo(4))) },
            Say::Reply { id: 3, result: Ok(Reply::State(Box::default())) },
            Say::Reply { id: 4, result: Ok(Reply::People(Box::default())) },
            Say::Reply { id: 5, result: Err(refused) },
            Say::Event(Event { time, kind: Kind::Muted }),
            Say::Levels(Levels { input: -100.0, output: -12.25 }),
            Say::Trace(TraceEntry::new(time, true, flow, b"OPTIONS sip:a SIP/2.0\r\n\r\n")),
        ] {
            let line = line(&say).unwrap();
            assert_eq!(line.matches('\n').count(), 1, "{line}");
            assert_eq!(serde_json::from_str::<Say>(&line).unwrap(), say);
        }
    }
}
