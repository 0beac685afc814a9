//! What stands on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

const AFTER_HELP: &str = "\
Without a command the phone opens its terminal UI; where there is none (TERM=dumb, a pipe) it is as run.

TARGET is sip:bob@example.com, tel:+4930123, bob@example.com, or a number or name at the account's domain.

Exit codes: 0 done; 1 internal error; 2 usage or configuration; 3 credentials or registration refused; 4 call refused;
5 nobody answered; 6 network, or the port is in use; 7 no sound came; 130 interrupted.

Not for emergency calls.";

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "offhook", version, about = "A SIP phone for the terminal", after_help = AFTER_HELP)]
#[command(max_term_width = 100, disable_help_subcommand = true)]
pub struct Arguments {
    /// Flags that every command takes.
    #[command(flatten)]
    pub global: Global,
    /// None: the terminal UI.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags that every command takes, before or after its word.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    /// The configuration [default: ~/.config/offhook/config.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The account to use, where there are several
    #[arg(long, global = true, value_name = "NAME")]
    pub account: Option<String>,
    /// Events on stdout, one JSON object a line
    #[arg(long, global = true)]
    pub json: bool,
    /// Write a log to FILE; without it there is no log
    #[arg(long, global = true, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// error, warn, info, debug or trace [default: info]
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log_level: Option<tracing::Level>,
    /// Where to listen, such as 0.0.0.0:5060; port 0: any free one
    #[arg(long, global = true, value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,
    /// The microphone: a device, null, tone:440 or a .wav file
    #[arg(long, global = true, value_name = "DEVICE")]
    pub input: Option<String>,
    /// The speaker: a device, null or a .wav file
    #[arg(long, global = true, value_name = "DEVICE")]
    pub output: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Try the phone without a PBX: an exchange on this machine, registered to, with extensions to call
    Demo(Demo),
    /// Ask for account and sound, try both, and write the configuration; the first start does it by itself
    Setup,
    /// The phone without UI: one command a line on stdin, events on stdout
    Run(Run),
    /// The UI onto a phone that `run --socket` serves; without a terminal, its commands and events as in `run`
    Attach(Attach),
    /// Place one call, then exit
    Call(Call),
    /// Wait for one call, answer it, then exit
    Answer(Answer),
    /// Register once, show the bindings, unregister, exit
    Register(Register),
    /// List the input and output devices
    Devices,
    /// The calls that were, the latest last
    History(History),
    /// The people that are known, called by name
    #[command(subcommand)]
    Contacts(Contacts),
    /// Forward calls: forward always|busy|no-answer TARGET, forward off, or how it stands
    ///
    /// Remembered for the phone that starts next; one that runs takes it over within two seconds.
    Forward(Switch),
    /// Do not disturb: on, off, or how it stands
    ///
    /// Remembered for the phone that starts next; one that runs takes it over within two seconds.
    Dnd(Switch),
    /// The demo's exchange alone
    Exchange,
    /// Write a commented configuration, or check one
    #[command(subcommand)]
    Config(Config),
}

/// `demo`.
#[derive(Debug, Clone, Args)]
pub struct Demo {
    /// Without UI: call 600, check that the echoed sound comes back, print the result
    #[arg(long)]
    pub headless: bool,
    /// With --headless: runs the telephone services with three phones, a line each
    #[arg(long, requires = "headless")]
    pub tour: bool,
}

/// `run`.
#[derive(Debug, Clone, Args)]
pub struct Run {
    /// Serve the phone at a local socket, for `attach` [default PATH: offhook/phone.sock in XDG_RUNTIME_DIR]
    #[arg(long, value_name = "PATH", num_args = 0..=1)]
    pub socket: Option<Option<PathBuf>>,
}

/// `attach`.
#[derive(Debug, Clone, Args)]
pub struct Attach {
    /// The socket, where it is not the default one
    #[arg(value_name = "PATH")]
    pub socket: Option<PathBuf>,
}

/// `call`.
#[derive(Debug, Clone, Args)]
pub struct Call {
    /// Whom to call
    pub target: String,
    /// Hang up after S seconds of talk
    #[arg(long, value_name = "S", value_parser = seconds)]
    pub duration: Option<Duration>,
    /// Digits to send once the call stands; a comma pauses 1 s
    #[arg(long, value_name = "DIGITS", value_parser = digits)]
    pub dtmf: Option<String>,
    /// Play a WAV file in place of the microphone
    #[arg(long, value_name = "WAV")]
    pub play: Option<PathBuf>,
    /// Record to a WAV file: left is this side, right the other
    #[arg(long, value_name = "WAV")]
    pub record: Option<PathBuf>,
    /// Give up when nobody answers for S seconds
    #[arg(long, value_name = "S", value_parser = seconds, default_value = "60")]
    pub wait_answer: Duration,
}

/// `answer`.
#[derive(Debug, Clone, Args)]
pub struct Answer {
    /// Let it ring for MS milliseconds before
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub after: u64,
    /// Refuse the call with this status code, such as 486
    #[arg(long, value_name = "CODE", value_parser = clap::value_parser!(u16).range(300..=699))]
    #[arg(conflicts_with_all = ["play", "record"])]
    pub code: Option<u16>,
    /// Play a WAV file in place of the microphone
    #[arg(long, value_name = "WAV")]
    pub play: Option<PathBuf>,
    /// Record to a WAV file: left is this side, right the other
    #[arg(long, value_name = "WAV")]
    pub record: Option<PathBuf>,
}

/// `register`.
#[derive(Debug, Clone, Args)]
pub struct Register {
    /// Leave the binding when exiting
    #[arg(long, conflicts_with_all = ["query", "add_contact", "clear"])]
    pub keep: bool,
    /// Show the bindings, change nothing
    #[arg(long, conflicts_with_all = ["add_contact", "clear"])]
    pub query: bool,
    /// Register a further contact, such as sip:alice@192.0.2.7 or mailto:alice@example.com; it stays
    #[arg(long, value_name = "URI", conflicts_with = "clear")]
    pub add_contact: Option<String>,
    /// Remove every binding, those of other devices too
    #[arg(long)]
    pub clear: bool,
}

/// `config`.
#[derive(Debug, Clone, Subcommand)]
pub enum Config {
    /// Write a commented configuration; an existing one is left alone
    Init,
    /// Say what the configuration holds, or what is wrong in it
    Check(Check),
}

/// `config check`.
#[derive(Debug, Clone, Default, Args)]
pub struct Check {
    /// Say what becomes of a number that is dialled; any number of times
    #[arg(long, value_name = "NUMBER")]
    pub number: Vec<String>,
}

/// `forward` and `dnd`.
#[derive(Debug, Clone, Args)]
pub struct Switch {
    /// As after the same word of `run`, @ACCOUNT included
    #[arg(value_name = "WORDS")]
    pub words: Vec<String>,
}

/// `history`.
#[derive(Debug, Clone, Args)]
pub struct History {
    /// How many calls
    #[arg(value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub count: u16,
}

/// `contacts`.
#[derive(Debug, Clone, Subcommand)]
pub enum Contacts {
    /// Show all
    List,
    /// Add a contact, or an address to one
    Add(AddContact),
    /// Remove a contact
    Remove {
        /// The name, in full or the short one
        name: String,
    },
    /// Add those of a file: vCard 3 or 4 (.vcf), or TOML
    Import {
        /// The file
        file: PathBuf,
    },
    /// Write all to standard output
    Export {
        /// As vCard 4 rather than TOML
        #[arg(long)]
        vcard: bool,
    },
}

/// `contacts add`.
#[derive(Debug, Clone, Args)]
pub struct AddContact {
    /// The name in full
    pub name: String,
    /// Numbers and addresses, the one to be called first
    #[arg(required = true, value_name = "ADDRESS")]
    pub addresses: Vec<String>,
    /// A short name, to be typed
    #[arg(long)]
    pub nick: Option<String>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|duration| *duration <= Duration::from_secs(31_536_000))
        .ok_or_else(|| "expected a number of seconds".into())
}

fn digits(text: &str) -> Result<String, String> {
    let known = |c: char| matches!(c.to_ascii_uppercase(), '0'..='9' | 'A'..='D' | '*' | '#' | ',' | ' ');
    match !text.trim().is_empty() && text.chars().all(known) {
        true => Ok(text.to_owned()),
        false => Err("expected digits: 0-9, A-D, * and #; a comma pauses for a second".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(std::iter::once("offhook").chain(line.split_whitespace()))
    }

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn help_of_every_command() {
        let mut command = Arguments::command().term_width(100);
        command.build();
        let mut help = command.render_help().to_string();
        for sub in command.get_subcommands_mut() {
            help.push_str(&format!("\n---- {} ----\n{}", sub.get_name(), sub.clone().term_width(100).render_help()));
        }
        insta::assert_snapshot!(help);
    }

    #[test]
    fn global_flags_stand_before_and_after() {
        for line in
            ["--json --account work call 600", "call 600 --json --account work", "call --json 600 --account=work"]
        {
            let arguments = parse(line).unwrap();
            assert!(arguments.global.json, "{line}");
            assert_eq!(arguments.global.account.as_deref(), Some("work"), "{line}");
        }
    }

    #[test]
    fn what_is_refused() {
        for line in [
            "call",
            "call a b",
            "call 600 --duration -1",
            "call 600 --wait-answer NaN",
            "answer --code 200",
            "answer --code 486 --play x.wav",
            "register --query --clear",
            "register --keep --query",
            "--listen pbx run",
            "--log-level loud run",
            "--password x run",
            "doctor",
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn seconds_may_be_fractions() {
        let Some(Command::Call(call)) = parse("call 600 --duration 1.5").unwrap().command else { panic!("no call") };
        assert_eq!((call.duration, call.wait_answer), (Some(Duration::from_millis(1500)), Duration::from_secs(60)));
    }

    #[test]
    fn digits_are_checked_before_anybody_is_called() {
        let Some(Command::Call(call)) = parse("call 600 --dtmf 1,aD*#").unwrap().command else { panic!("no call") };
        assert_eq!(call.dtmf.as_deref(), Some("1,aD*#"));
        assert!(parse("call 600 --dtmf 1x").is_err());
        assert!(digits(" ").is_err());
    }
}
