//! Exit codes: what scripts rely on, as tables.

use std::process::ExitCode;

use crate::config::ConfigError;
use crate::phone::StartError;
use crate::remote::{BindError, ConnectError};
use crate::ua::event::EndedBy;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// A fault of this program.
    Internal = 1,
    /// Usage or configuration.
    Usage = 2,
    /// Credentials or a registration were refused.
    Credentials = 3,
    /// The call was refused.
    Refused = 4,
    /// Nobody answered.
    Unanswered = 5,
    /// Network, transport, 503, or a configured port in use.
    Network = 6,
    /// Sound was expected and no RTP came for 5 s.
    NoSound = 7,
    /// By a signal.
    Interrupted = 130,
}

/// Why a command failed: the exit code, and words for standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What failed, why, what to try; empty when it has been said.
    pub message: String,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

impl Failure {
    /// A failure with words.
    pub fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, message: message.into() }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Failure {
        Failure::new(Exit::Usage, error.to_string())
    }
}

impl From<BindError> for Failure {
    fn from(error: BindError) -> Failure {
        let exit = match error {
            BindError::Served(_) => Exit::Network,
            BindError::NotASocket(_) | BindError::System { .. } => Exit::Usage,
        };
        Failure::new(exit, error.to_string())
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Failure {
        Failure::new(Exit::Network, error.to_string())
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Failure {
        let exit = match error {
            StartError::Listen { .. } => Exit::Network,
            StartError::Config(_) => Exit::Usage,
            StartError::Io(_) => Exit::Internal,
        };
        Failure::new(exit, error.to_string())
    }
}

impl Exit {
    /// Of a call that never stood.
    pub fn of_call(by: EndedBy, code: Option<u16>) -> Exit {
        match (by, code) {
            (EndedBy::Transport, _) => Exit::Network,
            (_, Some(401 | 407)) => Exit::Credentials,
            (_, Some(408 | 480 | 487)) => Exit::Unanswered,
            (_, Some(503)) => Exit::Network,
            (_, Some(_)) => Exit::Refused,
            (EndedBy::Timeout, None) => Exit::Unanswered,
            (EndedBy::Local | EndedBy::Remote, None) => Exit::Unanswered,
        }
    }

    /// Of a registration that failed; 408 and 503 are also our own, for a registrar that can't be reached.
    pub fn of_registration(code: u16) -> Exit {
        match code {
            408 | 500..=599 => Exit::Network,
            _ => Exit::Credentials,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn calls() {
        let table = [
            (EndedBy::Remote, Some(401), Exit::Credentials),
            (EndedBy::Remote, Some(407), Exit::Credentials),
            (EndedBy::Remote, Some(403), Exit::Refused),
            (EndedBy::Remote, Some(404), Exit::Refused),
            (EndedBy::Remote, Some(486), Exit::Refused),
            (EndedBy::Remote, Some(488), Exit::Refused),
            (EndedBy::Remote, Some(600), Exit::Refused),
            (EndedBy::Remote, Some(603), Exit::Refused),
            (EndedBy::Remote, Some(302), Exit::Refused),
            (EndedBy::Remote, Some(500), Exit::Refused),
            (EndedBy::Remote, Some(408), Exit::Unanswered),
            (EndedBy::Timeout, Some(408), Exit::Unanswered),
            (EndedBy::Remote, Some(480), Exit::Unanswered),
            (EndedBy::Local, Some(487), Exit::Unanswered),
            (EndedBy::Timeout, None, Exit::Unanswered),
            (EndedBy::Local, None, Exit::Unanswered),
            (EndedBy::Remote, Some(503), Exit::Network),
            (EndedBy::Transport, Some(503), Exit::Network),
            (EndedBy::Transport, None, Exit::Network),
        ];
        for (by, code, exit) in table {
            assert_eq!(Exit::of_call(by, code), exit, "{by:?} {code:?}");
        }
    }

    #[test]
    fn registrations() {
        let table = [
            (401, Exit::Credentials),
            (403, Exit::Credentials),
            (404, Exit::Credentials),
            (407, Exit::Credentials),
            (408, Exit::Network),
            (500, Exit::Network),
            (503, Exit::Network),
            (600, Exit::Credentials),
        ];
        for (code, exit) in table {
            assert_eq!(Exit::of_registration(code), exit, "{code}");
        }
    }

    #[test]
    fn starts() {
        let io = || io::Error::from(io::ErrorKind::AddrInUse);
        let listen = StartError::Listen { address: "127.0.0.1:5060".parse().unwrap(), source: io() };
        let table = [
            (listen, Exit::Network),
            (StartError::Config("x".into()), Exit::Usage),
            (StartError::Io(io()), Exit::Internal),
        ];
        for (error, exit) in table {
            assert_eq!(Failure::from(error).exit, exit);
        }
    }

    #[test]
    fn the_numbers() {
        let numbers = [
            Exit::Done,
            Exit::Internal,
            Exit::Usage,
            Exit::Credentials,
            Exit::Refused,
            Exit::Unanswered,
            Exit::Network,
            Exit::NoSound,
            Exit::Interrupted,
        ]
        .map(|exit| exit as u8);
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 130]);
    }
}
