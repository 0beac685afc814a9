//! The program from outside: arguments, configuration, exit codes. No network.

// What runs beside the tests runs by the clock.
#![allow(clippy::disallowed_methods)]

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// Whatever is waited for takes milliseconds; a machine that is busy, and a disk that is slow, may take longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs offhook in a home of its own, with nothing of this machine's environment.
fn offhook(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_offhook"));
    command.args(arguments).env_clear().env("HOME", home).stdin(Stdio::null());
    output(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts"))
}

/// What a program says until its end, which must come.
fn output(program: Child) -> Output {
    let pid = i32::try_from(program.id()).expect("a process");
    let (sender, ended) = channel();
    std::thread::spawn(move || sender.send(program.wait_with_output()));
    ended
        .recv_timeout(PATIENCE)
        .unwrap_or_else(|_| {
            // SAFETY: a system call with plain numbers, for a process of ours that nobody has waited for yet.
            unsafe { libc::kill(pid, libc::SIGKILL) };
            panic!("it does not end; it has said {:?}", ended.recv_timeout(PATIENCE));
        })
        .expect("its output")
}

/// A program that ends with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn config_init_writes_once_and_for_the_owner_only() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join(".config/offhook/config.toml");
    let first = offhook(home.path(), &["config", "init"]);
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    assert!(stdout(&first).starts_with(&format!("wrote {}\n", path.display())));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    std::fs::write(&path, "# mine\n").unwrap();
    let second = offhook(home.path(), &["config", "init"]);
    assert_eq!(second.status.code(), Some(2));
    assert_eq!(stderr(&second), format!("offhook: {}: it exists already, and was left as it is\n", path.display()));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "# mine\n");
}

#[test]
fn config_check_says_what_is_there() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("c.toml");
    let text = "[[account]]\nname = \"work\"\nuri = \"sip:alice@pbx.example.com\"\npassword_command = \"echo tiger\"\n\
                proxies = \"sip:p1.example.com\"\n[[account]]\nuri = \"sip:bob@192.0.2.1\"\nregister = false\n";
    std::fs::write(&path, text).unwrap();
    let checked = offhook(home.path(), &["config", "check", "--config", path.to_str().unwrap()]);
    let expected = format!(
        "{}: good\n\
         account work: sip:alice@pbx.example.com\n  registers at sip:pbx.example.com for 3600 s\n  through sip:p1.example.com;lr\n  password: by command\n\
         account bob: sip:bob@192.0.2.1\n  does not register\n  password: none\n\
         listens at 0.0.0.0:5060\ninput default, output default, ring default\ncodecs opus, G722, PCMU, PCMA, 20 ms a packet\n",
        path.display()
    );
    assert_eq!(stdout(&checked), expected);
    assert_eq!(checked.status.code(), Some(0));
    assert_eq!(stderr(&checked), "");
}

#[test]
fn the_written_configuration_is_good() {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(offhook(home.path(), &["config", "init"]).status.code(), Some(0));
    let checked = offhook(home.path(), &["config", "check"]);
    assert_eq!(checked.status.code(), Some(0), "{}", stderr(&checked));
    assert!(stdout(&checked).contains("config.toml: good\nno account: direct calls only\n"), "{}", stdout(&checked));
}

#[test]
fn mistakes_name_the_place_and_exit_with_2() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("c.toml");
    std::fs::write(&path, "[audio]\nptimes = 20\n").unwrap();
    let file = path.to_str().unwrap();
    for arguments in [
        &["config", "check", "--config", file][..],
        &["--config", file, "run"],
        &["call", "600", "--config", file],
        &["answer", "--config", file],
    ] {
        let output = offhook(home.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(
            stderr(&output),
            format!("offhook: {file}:2: unknown key 'ptimes' in audio (did you mean 'ptime'?)\n")
        );
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn usage_is_checked_before_the_phone_starts() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("c.toml");
    std::fs::write(&path, "[[account]]\nname = \"work\"\nuri = \"sip:a@b\"\n").unwrap();
    let file = path.to_str().unwrap();
    let table = [
        (&["call"][..], "<TARGET>"),
        (&["call", "600", "--password", "x"], "--password"),
        (&["--config", "nowhere.toml", "run"], "offhook: nowhere.toml: there is no such file"),
        (&["--config", file, "--account", "wrok", "run"], "offhook: there is no account 'wrok' (did you mean 'work'?)"),
        (&["--config", file, "call", "600", "--play", "none.wav"], "offhook: --play none.wav: not a WAV file"),
        (
            &["--config", file, "call", "600", "--record", "no/r.wav"],
            "offhook: --record no/r.wav: there is no such folder",
        ),
        (&["register"], "offhook: no account is configured"),
        (&["--log", "no/such/folder/log", "run"], "offhook: --log no/such/folder/log: can't be written"),
    ];
    for (arguments, message) in table {
        let output = offhook(home.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(message), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn help_and_version_are_no_errors() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [&["--help"][..], &["--version"], &["call", "--help"], &["config", "init", "--help"]] {
        let output = offhook(home.path(), arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(stdout(&output).contains("offhook"), "{arguments:?}");
    }
}

#[test]
fn a_served_phone_takes_commands_from_scripts() {
    let home = tempfile::tempdir().unwrap();
    let socket = home.path().join("phone.sock");
    let path = socket.to_str().unwrap();
    let nobody = offhook(home.path(), &["attach", path]);
    assert_eq!(nobody.status.code(), Some(6));
    assert!(stderr(&nobody).contains("no phone is served at"), "{}", stderr(&nobody));

    let phone = Command::new(env!("CARGO_BIN_EXE_offhook"))
        .args(["run", "--listen", "127.0.0.1:0", "--input", "null", "--output", "null", "--socket", path])
        .env_clear()
        .env("HOME", home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn();
    let mut phone = Running(phone.unwrap());
    let attach = |lines: &str| {
        let mut script = Command::new(env!("CARGO_BIN_EXE_offhook"))
            .args(["attach", path, "--json"])
            .env_clear()
            .env("HOME", home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // One that finds no phone reads nothing.
        let _ = std::io::Write::write_all(&mut script.stdin.take().unwrap(), lines.as_bytes());
        output(script)
    };
    let end = Instant::now() + PATIENCE;
    let mut answered = attach("state\n");
    while answered.status.code() == Some(6) && phone.0.try_wait().unwrap().is_none() && Instant::now() < end {
        answered = attach("state\n");
    }
    assert_eq!(answered.status.code(), Some(0), "{}", stderr(&answered));
    let said = stdout(&answered);
    assert!(said.contains("\"event\":\"state\"") && said.contains("\"event\":\"ok\",\"command\":\"state\""), "{said}");

    let second = offhook(home.path(), &["run", "--listen", "127.0.0.1:0", "--socket", path]);
    assert_eq!(second.status.code(), Some(6));
    assert!(stderr(&second).contains("another phone is served"), "{}", stderr(&second));

    let bye = attach("fly\nquit\n");
    let said = stdout(&bye);
    assert!(said.contains("unknown command 'fly'") && said.contains("\"command\":\"quit\""), "{said}");
    let end = Instant::now() + PATIENCE;
    while phone.0.try_wait().unwrap().is_none() {
        assert!(Instant::now() < end, "it goes on");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(phone.0.wait().unwrap().code(), Some(0));
    assert!(!socket.exists());
}

#[test]
fn forwarding_and_do_not_disturb_are_switched_without_the_phone_and_remembered() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("c.toml");
    std::fs::write(&path, "[[account]]\nuri = \"sip:alice@pbx.example.com\"\n").unwrap();
    let does = |arguments: &[&str]| {
        let file = ["--config", path.to_str().unwrap()];
        let output = offhook(home.path(), &[&file[..], arguments].concat());
        (output.status.code(), stdout(&output) + &stderr(&output))
    };
    assert_eq!(
        does(&["forward", "no-answer", "bob", "15"]).1,
        "alice: forwarding after 15 s: sip:bob@pbx.example.com\n"
    );
    assert_eq!(does(&["dnd", "on"]), (Some(0), "alice: do not disturb on\n".into()));
    let shown = does(&["forward"]).1;
    assert!(shown.contains("after 15 s: sip:bob@pbx.example.com") && shown.contains("always: off"), "{shown}");
    assert_eq!(does(&["dnd"]).1, "alice: do not disturb on\n");
    let (code, why) = does(&["forward", "always", "sip:alice@pbx.example.com"]);
    assert!(code == Some(2) && why.contains("the call would come back"), "{why}");
    assert_eq!(does(&["forward", "off"]).0, Some(0));
    assert!(!does(&["forward"]).1.contains("bob"));
}
