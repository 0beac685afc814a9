//! The phone under test: the real binary, as a script drives it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{ChildStdin, Command, ExitStatus};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::events::Events;
use super::kamailio::AUTHORITY;
use super::process::Process;
use super::sound::{self, Card};
use super::{DEADLINE, Rig};

/// How a phone is set up. The defaults: alice on card A, registered at Kamailio, answering when told.
#[derive(Clone)]
pub struct Setup {
    pub name: &'static str,
    pub password: &'static str,
    pub card: Option<Card>,
    /// The microphone and the speaker, in place of the card's.
    pub devices: Option<(&'static str, &'static str)>,
    /// The folder of another sound server.
    pub server: Option<PathBuf>,
    pub calls: &'static str,
    /// Further lines of the account.
    pub account: &'static str,
    /// Lines of `[network]`.
    pub network: &'static str,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            name: "alice",
            password: "alicepw",
            card: Some(Card::A),
            devices: None,
            server: None,
            calls: "",
            account: "",
            network: "",
        }
    }
}

/// A running phone.
pub struct Phone {
    name: &'static str,
    process: Process,
    stdin: ChildStdin,
    events: Events,
    answers: Events,
    log: PathBuf,
}

impl Rig {
    /// alice on card A, registered.
    pub fn alice(&self) -> Phone {
        self.registered(&Setup::default())
    }

    /// Starts a phone and waits for its registration.
    pub fn registered(&self, setup: &Setup) -> Phone {
        let mut phone = self.phone(setup);
        phone.expect("registered");
        phone
    }

    /// Starts a phone.
    pub fn phone(&self, setup: &Setup) -> Phone {
        self.phone_with(setup, "codecs = [\"PCMU\", \"PCMA\"]")
    }

    /// Starts a phone with these lines of `[audio]`, which name its codecs.
    pub fn phone_with(&self, setup: &Setup, audio: &str) -> Phone {
        let Setup { name, password, card, devices, server, calls, account, network } = setup;
        let authority = self.folder.join(AUTHORITY);
        let authority =
            if authority.exists() { format!("ca_file = \"{}\"\n", authority.display()) } else { String::new() };
        let (input, output) = match (devices, card) {
            (Some((input, output)), _) => ((*input).to_owned(), (*output).to_owned()),
            (None, Some(card)) => (format!("{card:?}_mic"), format!("{card:?}_spk")),
            (None, None) => ("tone:1000".to_owned(), "null".to_owned()),
        };
        // A busy machine runs no thread on the millisecond: latency "low" would be heard as gaps there.
        let text = format!(
            "[[account]]\nname = \"{name}\"\nuri = \"sip:{name}@127.0.0.1\"\npassword = \"{password}\"\n{account}\n\
             [sip]\nlisten = \"127.0.0.1:0\"\n{authority}\
             [audio]\ninput = \"{input}\"\noutput = \"{output}\"\nring = \"null\"\n{audio}\nlatency = \"safe\"\n\
             echo_cancellation = false\nnoise_suppression = false\n\
             [calls]\n{calls}\n[network]\n{network}\n"
        );
        let config = self.folder.join(format!("{name}.toml"));
        fs::write(&config, text).expect("a file");
        fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).expect("a file of ours");
        let mut command = Command::new(env!("CARGO_BIN_EXE_offhook"));
        let log = self.folder.join(format!("{name}.log"));
        let _ = fs::remove_file(&log);
        command.arg("--config").arg(&config).arg("--log").arg(&log).args(["--log-level", "debug", "run", "--json"]);
        match server {
            Some(folder) => sound::environment(&mut command, folder),
            None => self.cards.environment(&mut command),
        }
        // What a phone before it forwarded is not this one's concern.
        let state = self.folder.join(format!("state-{name}"));
        let _ = fs::remove_dir_all(&state);
        command.env("XDG_STATE_HOME", state);
        let stderr = self.folder.join(format!("{name}.stderr"));
        let (process, stdin, stdout) = Process::piped(&self.namespace, command, &stderr);
        let (events, answers) = (Events::default(), Events::default());
        let (all_events, all_answers) = (events.clone(), answers.clone());
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let value: Value = serde_json::from_str(&line).unwrap_or(Value::String(line));
                let answer = value["event"] == "ok" || (value["event"] == "error" && value["command"].is_string());
                if answer { &all_answers } else { &all_events }.push(value);
            }
            all_events.end();
            all_answers.end();
        });
        Phone { name, process, stdin, events, answers, log }
    }
}

impl Phone {
    /// Gives a command and waits until it is taken.
    pub fn tell(&mut self, command: &str) {
        let answer = self.ask(command);
        assert!(answer["event"] == "ok", "{}: {answer}\n{}", self.name, self.events.dump());
    }

    /// Gives a command and returns its answer, `ok` or `error`.
    pub fn ask(&mut self, command: &str) -> Value {
        let written = writeln!(self.stdin, "{command}").is_ok();
        let answer = written.then(|| self.answers.next(DEADLINE, |_| true)).flatten();
        let Some(answer) = answer else { self.fail(&format!("answer to '{command}'")) };
        assert!(answer["command"] == command, "{}: '{command}' was answered by {answer}", self.name);
        answer
    }

    /// Waits for an event and returns it.
    pub fn expect(&mut self, event: &str) -> Value {
        self.expect_with(event, |_| true)
    }

    /// Waits for an event that fits and returns it. What comes between is passed by.
    pub fn expect_with(&mut self, event: &str, fits: impl Fn(&Value) -> bool) -> Value {
        match self.events.next(DEADLINE, |value| value["event"] == event && fits(value)) {
            Some(found) => found,
            None => self.fail(event),
        }
    }

    /// Whether such an event comes within this time.
    pub fn tells_within(&mut self, limit: Duration, event: &str, fits: impl Fn(&Value) -> bool) -> bool {
        self.events.next(limit, |value| value["event"] == event && fits(value)).is_some()
    }

    /// Waits for these events, each once and in any order; they come back in the order asked.
    pub fn expect_all<const N: usize>(&mut self, events: [&str; N]) -> [Value; N] {
        let mut found: [Option<Value>; N] = [const { None }; N];
        while let Some(missing) = found.iter().position(Option::is_none) {
            let wanted = |value: &Value| events.iter().position(|event| value["event"] == *event);
            match self.events.next(DEADLINE, |value| wanted(value).is_some_and(|place| found[place].is_none())) {
                Some(value) => {
                    let place = wanted(&value).expect("it was wanted");
                    found[place] = Some(value);
                }
                None => self.fail(events[missing]),
            }
        }
        found.map(|value| value.expect("all were found"))
    }

    /// The memory that it holds (VmRSS, in KB) and how many files it has open.
    pub fn resources(&self) -> (u64, usize) {
        let folder = format!("/proc/{}", self.process.id());
        let status = fs::read_to_string(format!("{folder}/status")).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        let memory = line.trim().trim_end_matches(" kB").parse().expect("a number");
        (memory, fs::read_dir(format!("{folder}/fd")).expect("it runs").count())
    }

    /// The processor time that it has used, in seconds.
    pub fn processor_time(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).expect("it runs");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |place: usize| fields[place].parse::<f64>().expect("a number");
        // utime and stime, the 14th and 15th of all fields, in hundredths of a second.
        (ticks(11) + ticks(12)) / 100.0
    }

    /// A snapshot of everything.
    pub fn state(&mut self) -> Value {
        self.tell("state");
        self.expect("state")
    }

    /// Sends a signal.
    pub fn signal(&self, signal: i32) {
        self.process.signal(signal);
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        self.process.wait(limit)
    }

    fn fail(&mut self, what: &str) -> ! {
        let (name, state, stderr) = (self.name, self.process.state(), self.process.log());
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        panic!("{name} (offhook, {state}) gave no {what}; it gave:\n{}\n{stderr}\n{log}", self.events.dump());
    }
}
