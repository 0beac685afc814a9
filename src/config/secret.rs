//! Passwords: where they come from, and how they stay unseen.

use std::fmt;
use std::process::{Command, Stdio};

/// A password, or how to get one. `Debug` never shows it.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Secret {
    /// None.
    #[default]
    None,
    /// It stands in the file.
    Plain(String),
    /// A shell command prints it on its first line.
    Command(String),
}

/// Why a password can't be had. The message names the command, never the password.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The shell itself can't be started.
    #[error("'{command}' can't be started: {source}")]
    Start {
        /// The configured command.
        command: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The command failed.
    #[error("'{command}' failed ({status}){}", if .said.is_empty() { String::new() } else { format!(": {}", .said) })]
    Failed {
        /// The configured command.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// The last line that it wrote to its standard error.
        said: String,
    },
    /// The command printed no first line.
    #[error("'{0}' printed no password on its first line")]
    Empty(String),
}

impl Secret {
    /// The password itself. Runs the command where there is one (`sh -c`, its input empty), so it may take as long as a
    /// person needs to unlock a key: call it only when the password is needed.
    pub fn reveal(&self) -> Result<Option<String>, SecretError> {
        match self {
            Secret::None => Ok(None),
            Secret::Plain(password) => Ok(Some(password.clone())),
            Secret::Command(command) => run(command).map(Some),
        }
    }

    /// Where it comes from, in words.
    pub fn source(&self) -> &'static str {
        match self {
            Secret::None => "none",
            Secret::Plain(_) => "in the file",
            Secret::Command(_) => "by command",
        }
    }
}

fn run(command: &str) -> Result<String, SecretError> {
    let output = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .output()
        .map_err(|source| SecretError::Start { command: command.into(), source })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().lines().next_back().unwrap_or_default().to_owned();
        return Err(SecretError::Failed { command: command.into(), status: output.status, said });
    }
    let printed = String::from_utf8_lossy(&output.stdout);
    match printed.lines().next() {
        Some(password) if !password.is_empty() => Ok(password.to_owned()),
        Some(_) | None => Err(SecretError::Empty(command.into())),
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Secret::None => "None",
            Secret::Plain(_) => "Plain(***)",
            Secret::Command(_) => "Command(..)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(text: &str) -> Result<Option<String>, String> {
        Secret::Command(text.into()).reveal().map_err(|error| error.to_string())
    }

    #[test]
    fn the_first_line_is_the_password() {
        assert_eq!(command("printf 'tiger\\r\\nurl: pbx\\n'"), Ok(Some("tiger".into())));
        assert_eq!(command("echo ' spaces stay '"), Ok(Some(" spaces stay ".into())));
        assert_eq!(Secret::Plain("tiger".into()).reveal().ok().flatten().as_deref(), Some("tiger"));
        assert_eq!(Secret::None.reveal().ok().flatten(), None);
    }

    #[test]
    fn a_failure_says_which_command_and_what_it_said() {
        let failed = "'echo locked >&2; exit 3' failed (exit status: 3): locked";
        assert_eq!(command("echo locked >&2; exit 3"), Err(failed.into()));
        assert_eq!(command("false"), Err("'false' failed (exit status: 1)".into()));
        assert_eq!(command("true"), Err("'true' printed no password on its first line".into()));
    }

    #[test]
    fn debug_hides_it() {
        assert_eq!(format!("{:?}", Secret::Plain("tiger".into())), "Plain(***)");
        assert_eq!(format!("{:?}", Secret::Command("echo tiger".into())), "Command(..)");
    }
}
