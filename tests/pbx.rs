//! The real program at a real PBX on loopback: our own exchange, and the recipe for Kamailio (examples/kamailio), where that
//! is installed. Bob is busy, and his calls go to carol (section 2.6 of the service examples).

#![allow(clippy::disallowed_methods, reason = "real software runs by the real clock")]

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long anything may take: far more than it needs, for the machine may be busy.
const DEADLINE: Duration = Duration::from_secs(30);

/// A program that ends with the test.
struct Program {
    child: Child,
    lines: mpsc::Receiver<String>,
    seen: String,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    fn start(command: &mut Command) -> Program {
        let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().expect("it starts");
        let (sender, lines) = mpsc::channel();
        let output = child.stdout.take().expect("a pipe");
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Program { child, lines, seen: String::new() }
    }

    /// Waits for a line that has `wanted` in it.
    #[track_caller]
    fn says(&mut self, wanted: &str) -> String {
        let end = Instant::now() + DEADLINE;
        while let Ok(line) = self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            self.seen += &format!("{line}\n");
            if line.contains(wanted) {
                return line;
            }
        }
        panic!("waited for {wanted:?}; it said:\n{}", self.seen);
    }

    #[track_caller]
    fn ends(&mut self) -> Option<i32> {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a status") {
                return status.code();
            }
            assert!(Instant::now() < end, "it goes on: {}", self.seen);
            let _ = self.lines.recv_timeout(Duration::from_millis(20)).map(|line| self.seen += &format!("{line}\n"));
        }
    }
}

fn offhook(home: &Path, config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_offhook"));
    command.env_clear().env("HOME", home).arg("--config").arg(config).arg("--json");
    command
}

/// The configuration of a user's phone.
fn phone(home: &Path, user: &str, password: &str, pbx: &str) -> PathBuf {
    let path = home.join(format!("{user}.toml"));
    let text = format!(
        "[[account]]\nuri = \"sip:{user}@pbx.example.com\"\npassword = \"{password}\"\nregistrar = \"sip:{pbx}\"\n\
         proxies = [\"sip:{pbx}\"]\n[sip]\nlisten = \"127.0.0.1:0\"\n\
         [audio]\ninput = \"tone:440\"\noutput = \"null\"\nring = \"null\"\ncodecs = [\"PCMU\"]\n"
    );
    std::fs::write(&path, text).unwrap();
    path
}

/// Alice calls bob, who is busy, and talks to carol.
fn bob_is_busy_and_carol_answers(home: &Path, pbx: &str, passwords: [&str; 3]) {
    let [alice, bob, carol] = passwords;
    let mut at_bob = Program::start(
        offhook(home, &phone(home, "bob", bob, pbx)).args(["answer", "--code", "486", "--after", "100"]),
    );
    let mut at_carol = Program::start(offhook(home, &phone(home, "carol", carol, pbx)).arg("answer"));
    at_bob.says("\"registered\"");
    at_carol.says("\"registered\"");
    let mut call = offhook(home, &phone(home, "alice", alice, pbx));
    let mut call = Program::start(call.args(["call", "sip:bob@pbx.example.com", "--duration", "1"]));
    assert!(at_carol.says("\"incoming\"").contains("bob@pbx.example.com"), "she sees for whom it was");
    at_carol.says("\"established\"");
    assert_eq!(call.ends(), Some(0), "{}", call.seen);
    assert_eq!(at_carol.ends(), Some(0), "{}", at_carol.seen);
    at_bob.ends();
}

/// A port that was free a moment ago: Kamailio can't choose one itself.
fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port()
}

#[test]
fn our_exchange_on_real_sockets() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("exchange.toml");
    let users: String = ["alice", "bob", "carol"]
        .map(|user| format!("[[exchange.user]]\nname = \"{user}\"\npassword = \"{user}-pw\"\n"))
        .join("forward_busy = \"carol\"\n");
    // Alice's calls go there too, when she is busy: she is not called here.
    let text = format!("[sip]\nlisten = \"127.0.0.1:0\"\n[exchange]\ndomain = \"pbx.example.com\"\n{users}");
    std::fs::write(&config, text).unwrap();
    let mut exchange = Program::start(offhook(home.path(), &config).arg("exchange"));
    let line = exchange.says("\"exchange\"");
    let told: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(told["password"].is_null(), "nobody's password is shown: {line}");
    let address = told["address"].as_str().unwrap().to_owned();
    bob_is_busy_and_carol_answers(home.path(), &address, ["alice-pw", "bob-pw", "carol-pw"]);
}

#[test]
fn the_tour_of_the_demo_shows_every_service() {
    let home = tempfile::tempdir().unwrap();
    let mut tour = Command::new(env!("CARGO_BIN_EXE_offhook"));
    let mut tour = Program::start(tour.env_clear().env("HOME", home.path()).args(["demo", "--headless", "--tour"]));
    for section in ["2.1", "2.2", "2.3", "2.5", "2.6", "2.7", "2.8", "2.9", "2.10", "2.11", "2.12"] {
        let line = tour.says(&format!("{section} "));
        assert!(!line.contains("FAILED"), "{line}");
    }
    assert_eq!(tour.ends(), Some(0), "{}", tour.seen);
}

#[test]
fn the_recipe_for_kamailio() {
    let binary = ["/usr/sbin/kamailio", "/usr/bin/kamailio"].into_iter().find(|path| Path::new(path).exists());
    let Some(binary) = binary else {
        assert!(std::env::var_os("OFFHOOK_REQUIRE_PEERS").is_none(), "kamailio is not installed");
        eprintln!("skipped: kamailio is not installed");
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/kamailio/kamailio.cfg");
    let checked = Command::new("timeout").arg("60").arg(binary).arg("-c").arg("-f").arg(&recipe).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));

    let pbx = format!("127.0.0.1:{}", free_port());
    let config = home.path().join("kamailio.cfg");
    std::fs::write(&config, std::fs::read_to_string(&recipe).unwrap().replace("127.0.0.1:5060", &pbx)).unwrap();
    let mut command = Command::new(binary);
    command.arg("-f").arg(&config).args(["-DD", "-E", "-m", "64", "-M", "8"]).stderr(Stdio::null());
    command.arg("-Y").arg(home.path()).arg("-P").arg(home.path().join("kamailio.pid"));
    let mut kamailio = Program::start(&mut command);
    wait_for(&pbx);
    bob_is_busy_and_carol_answers(home.path(), &pbx, ["change-me-1", "change-me-2", "change-me-3"]);
    // It ends its workers when it is asked to, not when it is killed.
    let _ = Command::new("kill").arg(kamailio.child.id().to_string()).status();
    kamailio.ends();
}

/// Asks until somebody answers.
fn wait_for(pbx: &str) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let here = socket.local_addr().unwrap();
    let options = format!(
        "OPTIONS sip:{pbx} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKready;rport\r\nFrom: <sip:ready@{here}>;tag=1\r\n\
         To: <sip:{pbx}>\r\nCall-ID: ready\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    );
    let end = Instant::now() + DEADLINE;
    while Instant::now() < end {
        let _ = socket.send_to(options.as_bytes(), pbx);
        if socket.recv(&mut [0; 2048]).is_ok() {
            return;
        }
    }
    panic!("nobody answers at {pbx}");
}
