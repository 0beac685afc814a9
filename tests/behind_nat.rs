//! Two phones, each in a network of its own behind a router that translates addresses (NAT), and an exchange and a STUN server
//! out in the world: calls connect, with sound both ways on a path that goes through neither.
//!
//! The networks are namespaces without names, made of veth pairs and nftables: this needs root (or `unshare -r`) and the
//! Debian packages iproute2 and nftables. Where something is missing the test says so and passes by; with
//! `OFFHOOK_REQUIRE_PEERS=1` it fails.

#![allow(clippy::disallowed_methods, reason = "real networks run by the real clock")]

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use offhook::media::goertzel;
use serde_json::Value;

/// Far more than anything needs: the machine may be busy.
const DEADLINE: Duration = Duration::from_secs(45);
/// Where the exchange and the STUN server are.
const SERVER: &str = "198.51.100.10";

/// A network namespace, held by a process that does nothing.
struct Net {
    holder: Child,
}

impl Net {
    fn new() -> io::Result<Net> {
        let mut holder = Command::new("sleep");
        holder.arg("infinity").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        unsafe {
            holder.pre_exec(|| {
                if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 || libc::unshare(libc::CLONE_NEWNET) != 0 {
                    return Err(io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let net = Net { holder: holder.spawn()? };
        net.run(&["ip", "link", "set", "lo", "up"])?;
        Ok(net)
    }

    fn file(&self) -> io::Result<File> {
        File::open(format!("/proc/{}/ns/net", self.holder.id()))
    }

    /// A program that will start in here, and end with the test.
    fn command(&self, program: &str) -> io::Result<Command> {
        let file = self.file()?;
        let mut command = Command::new(program);
        unsafe {
            command.pre_exec(move || {
                if libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) != 0
                    || libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0
                {
                    return Err(io::Error::last_os_error());
                }
                Ok(())
            });
        }
        Ok(command)
    }

    fn run(&self, words: &[&str]) -> io::Result<()> {
        let status = self.command(words[0])?.args(&words[1..]).status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("{words:?}: {status}"))) }
    }

    /// A cable between two networks, with an address at each end.
    fn cable(&self, other: &Net, here: (&str, &str), there: (&str, &str)) -> io::Result<()> {
        let pid = other.holder.id().to_string();
        self.run(&["ip", "link", "add", here.0, "type", "veth", "peer", "name", there.0, "netns", &pid])?;
        for (net, (device, address)) in [(self, here), (other, there)] {
            net.run(&["ip", "address", "add", address, "dev", device])?;
            net.run(&["ip", "link", "set", device, "up"])?;
        }
        Ok(())
    }

    fn route(&self, by: &str) -> io::Result<()> {
        self.run(&["ip", "route", "add", "default", "via", by])
    }

    /// A socket in here, made by a thread that goes there for it.
    fn socket(&self, address: &str) -> io::Result<UdpSocket> {
        let file = self.file()?;
        thread::scope(|scope| {
            let made = scope.spawn(|| match unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) } {
                0 => UdpSocket::bind(address),
                _ => Err(io::Error::last_os_error()),
            });
            made.join().expect("it does not panic")
        })
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// The world, with a router for each of two homes.
struct Networks {
    world: Net,
    routers: [Net; 2],
    homes: [Net; 2],
}

impl Networks {
    fn build() -> io::Result<Networks> {
        let world = Net::new()?;
        let routers = [Net::new()?, Net::new()?];
        let homes = [Net::new()?, Net::new()?];
        for n in 0..2 {
            let (letter, number) = (["a", "b"][n], n + 1);
            let (out, up) = (format!("198.51.{number}.2/24"), format!("198.51.{number}.1/24"));
            world.cable(&routers[n], (&format!("to-{letter}"), &up), ("wan", &out))?;
            let (gateway, home) = (format!("192.168.{number}.1/24"), format!("192.168.{number}.2/24"));
            routers[n].cable(&homes[n], ("lan", &gateway), ("eth0", &home))?;
            homes[n].route(&format!("192.168.{number}.1"))?;
            routers[n].route(&format!("198.51.{number}.1"))?;
            routers[n].run(&["sysctl", "-qw", "net.ipv4.ip_forward=1"])?;
            // What a home router does: addresses are translated on the way out, and nothing comes in unasked.
            let rules = [
                "add table ip nat",
                "add chain ip nat out { type nat hook postrouting priority 100; }",
                "add rule ip nat out oifname wan masquerade",
                "add table ip gate",
                "add chain ip gate pass { type filter hook forward priority 0; policy drop; }",
                "add rule ip gate pass iifname lan accept",
                // What comes unasked must leave no trace in the router: it would take the place of the way out to whoever sent it.
                "add chain ip gate self { type filter hook input priority 0; }",
                "add rule ip gate self iifname wan ct state new drop",
                "add rule ip gate pass ct state established,related accept",
            ];
            for rule in rules {
                routers[n].run(&["nft", rule])?;
            }
        }
        world.run(&["ip", "address", "add", &format!("{SERVER}/32"), "dev", "lo"])?;
        world.run(&["sysctl", "-qw", "net.ipv4.ip_forward=1"])?;
        Ok(Networks { world, routers, homes })
    }
}

/// The tiniest STUN server (RFC 8489): says where a Binding request came from.
fn serve_stun(socket: UdpSocket) {
    thread::spawn(move || {
        let mut bytes = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut bytes) {
            let std::net::IpAddr::V4(ip) = from.ip() else { continue };
            if length < 20 || bytes[..2] != [0, 1] {
                continue;
            }
            let mut answer = vec![1, 1, 0, 12];
            answer.extend(&bytes[4..20]);
            answer.extend([0, 0x20, 0, 8, 0, 1]);
            answer.extend((from.port() ^ 0x2112).to_be_bytes());
            answer.extend(ip.octets().iter().zip([0x21, 0x12, 0xa4, 0x42]).map(|(octet, mask)| octet ^ mask));
            let _ = socket.send_to(&answer, from);
        }
    });
}

/// A phone, driven as a script drives it.
struct Phone {
    name: &'static str,
    process: Child,
    stdin: ChildStdin,
    events: Receiver<Value>,
    seen: Vec<Value>,
    log: PathBuf,
    heard: PathBuf,
}

impl Phone {
    fn start(net: &Net, folder: &Path, name: &'static str, tone: u32, network: &str) -> io::Result<Phone> {
        let account =
            format!("[[account]]\nname = \"{name}\"\nuri = \"sip:{name}@{SERVER}\"\npassword = \"{name}pw\"\n");
        let sip = format!("{account}[sip]\nlisten = \"0.0.0.0:0\"");
        Phone::run(net.command(env!("CARGO_BIN_EXE_offhook"))?, folder, name, tone, &sip, network)
    }

    /// A phone on this machine, at this port, for direct calls.
    fn on_loopback(folder: &Path, name: &'static str, port: u16, network: &str) -> io::Result<Phone> {
        let sip = format!("[sip]\nlisten = \"127.0.0.1:{port}\"");
        Phone::run(Command::new(env!("CARGO_BIN_EXE_offhook")), folder, name, 1000, &sip, network)
    }

    /// A phone in a network, at this address, for direct calls.
    fn at(net: &Net, folder: &Path, name: &'static str, tone: u32, listen: &str) -> io::Result<Phone> {
        let sip = format!("[sip]\nlisten = \"{listen}\"");
        Phone::run(net.command(env!("CARGO_BIN_EXE_offhook"))?, folder, name, tone, &sip, "ice = \"always\"")
    }

    fn run(
        mut command: Command,
        folder: &Path,
        name: &'static str,
        tone: u32,
        sip: &str,
        network: &str,
    ) -> io::Result<Phone> {
        let (log, heard) = (folder.join(format!("{name}.log")), folder.join(format!("{name}.wav")));
        let text = format!(
            "{sip}\n[network]\n{network}\n\
             [audio]\ninput = \"tone:{tone}\"\noutput = \"{}\"\nring = \"null\"\ncodecs = [\"PCMU\"]\nlatency = \"safe\"\n",
            heard.display()
        );
        let config = folder.join(format!("{name}.toml"));
        fs::write(&config, text)?;
        let mut process = command
            .arg("--config")
            .arg(&config)
            .arg("--log")
            .arg(&log)
            .args(["--log-level", "debug", "run", "--json"])
            .env("XDG_STATE_HOME", folder.join(format!("state-{name}")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let stdin = process.stdin.take().expect("a pipe");
        let stdout = process.stdout.take().expect("a pipe");
        let (sender, events) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).unwrap_or(Value::String(line)));
            }
        });
        Ok(Phone { name, process, stdin, events, seen: Vec::new(), log, heard })
    }

    fn tell(&mut self, command: &str) {
        writeln!(self.stdin, "{command}").expect("it runs");
    }

    fn expect(&mut self, event: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + DEADLINE;
        while let Ok(value) = self.events.recv_timeout(end.saturating_duration_since(Instant::now())) {
            self.seen.push(value.clone());
            if value["event"] == event && fits(&value) {
                return value;
            }
        }
        let events: String = self.seen.iter().map(|event| format!("{event}\n")).collect();
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        panic!("{} gave no {event}; it gave:\n{events}\n{log}", self.name);
    }

    /// Waits until so many milliseconds of sound came in.
    fn hears(&mut self) {
        self.expect("stats", |stats| stats["received"].as_u64().is_some_and(|received| received > 100));
    }

    /// Whether what it heard has a tone, once it has ended.
    fn heard(&self, tone: f32) -> f32 {
        let mut file = hound::WavReader::open(&self.heard).expect("a recording");
        let spec = file.spec();
        let samples: Vec<i16> =
            file.samples::<i16>().map_while(Result::ok).step_by(usize::from(spec.channels)).collect();
        // The loudest half second: the call began and ended with silence.
        let part = spec.sample_rate as usize / 2;
        samples.chunks(part).map(|half| goertzel::level(half, tone, spec.sample_rate)).fold(-100.0, f32::max)
    }

    fn quit(&mut self) {
        self.tell("quit");
        let end = Instant::now() + DEADLINE;
        while !matches!(self.process.try_wait(), Ok(Some(_))) {
            assert!(Instant::now() < end, "{} does not quit", self.name);
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Everything but the phones; `None` where it can't be built here, which was then said.
struct Bench {
    networks: Networks,
    folder: tempfile::TempDir,
    _exchange: Exchange,
}

struct Exchange(Child);

impl Drop for Exchange {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Says that a test can't run here, which is a failure where all must run.
fn skip(reason: &str) {
    let required = std::env::var_os("OFFHOOK_REQUIRE_PEERS").is_some_and(|value| !value.is_empty());
    assert!(!required, "the networks can't be built here: {reason}");
    let _ = writeln!(io::stderr(), "skipped: {reason}");
}

fn bench() -> Option<Bench> {
    let networks = match Networks::build() {
        Ok(networks) => networks,
        Err(error) => {
            skip(&format!("{error} (root, or `unshare -r`, and the packages iproute2 and nftables)"));
            return None;
        }
    };
    let folder = tempfile::tempdir().expect("a folder");
    serve_stun(networks.world.socket(&format!("{SERVER}:3478")).expect("a socket"));
    let config = folder.path().join("exchange.toml");
    let users: String = ["alice", "bob"]
        .iter()
        .map(|name| format!("[[exchange.user]]\nname = \"{name}\"\npassword = \"{name}pw\"\n"))
        .collect();
    fs::write(&config, format!("[exchange]\ndomain = \"{SERVER}\"\n{users}")).expect("a file");
    let mut exchange = networks
        .world
        .command(env!("CARGO_BIN_EXE_offhook"))
        .expect("a namespace")
        .arg("--config")
        .arg(&config)
        .args(["--listen", &format!("{SERVER}:5060"), "exchange", "--json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the exchange");
    // It says so when it listens.
    let (sender, lines) = mpsc::channel();
    let output = exchange.stdout.take().expect("a pipe");
    let exchange = Exchange(exchange);
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    lines.recv_timeout(DEADLINE).expect("its first line");
    Some(Bench { networks, folder, _exchange: exchange })
}

impl Bench {
    fn phones(&self, network: &str) -> [Phone; 2] {
        let start = |n: usize, name, tone| {
            Phone::start(&self.networks.homes[n], self.folder.path(), name, tone, network).expect("a phone")
        };
        let mut phones = [start(0, "alice", 1000), start(1, "bob", 600)];
        for phone in &mut phones {
            phone.expect("registered", |_| true);
        }
        phones
    }
}

fn talk([alice, bob]: &mut [Phone; 2]) {
    alice.tell(&format!("call sip:bob@{SERVER}"));
    bob.expect("incoming", |_| true);
    bob.tell("answer");
    alice.expect("established", |_| true);
    bob.expect("established", |_| true);
}

fn connected(phone: &mut Phone) -> (String, String) {
    let event = phone.expect("ice", |event| event["state"] == "connected");
    let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    (text("local"), text("remote"))
}

#[test]
fn two_homes_hear_each_other_on_the_direct_way() {
    let Some(bench) = bench() else { return };
    let mut phones = bench.phones(&format!("stun = \"{SERVER}\""));
    talk(&mut phones);
    let ways = [connected(&mut phones[0]), connected(&mut phones[1])];
    // Each sees the other's router, and itself as the other one sees it.
    assert!(ways[0].1.starts_with("198.51.2.2:") && ways[1].1.starts_with("198.51.1.2:"), "{ways:?}");
    assert_eq!((&ways[0].0, &ways[0].1), (&ways[1].1, &ways[1].0));
    phones.iter_mut().for_each(Phone::hears);

    // With ICE a hold keeps the address, and the way stays.
    phones[0].tell("hold");
    phones[0].expect("held", |_| true);
    phones[1].expect("remote_held", |_| true);
    phones[0].tell("resume");
    phones[0].expect("resumed", |_| true);
    phones.iter_mut().for_each(Phone::hears);

    phones[0].tell("hangup");
    phones.iter_mut().for_each(|phone| drop(phone.expect("ended", |_| true)));
    phones.iter_mut().for_each(Phone::quit);
    assert!(phones[0].heard(600.0) > -30.0, "alice hears bob at {} dB", phones[0].heard(600.0));
    assert!(phones[1].heard(1000.0) > -30.0, "bob hears alice at {} dB", phones[1].heard(1000.0));
}

#[test]
fn a_way_that_dies_is_replaced() {
    let Some(bench) = bench() else { return };
    let mut phones = bench.phones(&format!("stun = \"{SERVER}\""));
    talk(&mut phones);
    let before = connected(&mut phones[0]);
    connected(&mut phones[1]);
    phones.iter_mut().for_each(Phone::hears);

    // One router forgets what it has translated, and translates this port no more.
    let port = before.0.rsplit(':').next().expect("a port");
    let rule = format!("add rule ip gate pass udp sport {port} drop");
    bench.networks.routers[0]
        .run(&["nft", "insert", "rule", "ip", "gate", "pass", "udp", "sport", port, "drop"])
        .expect(&rule);
    bench.networks.routers[0]
        .run(&["nft", "insert", "rule", "ip", "gate", "pass", "udp", "dport", port, "drop"])
        .expect(&rule);
    phones[0].expect("ice", |event| event["state"] == "lost");
    // It comes back: ICE began anew by a re-INVITE finds it again.
    bench.networks.routers[0].run(&["nft", "flush", "chain", "ip", "gate", "pass"]).expect("nft");
    bench.networks.routers[0].run(&["nft", "add", "rule", "ip", "gate", "pass", "accept"]).expect("nft");
    connected(&mut phones[0]);
    phones.iter_mut().for_each(Phone::hears);
    phones.iter_mut().for_each(Phone::quit);
}

#[test]
fn a_silent_stun_server_costs_half_a_second_once() {
    let Some(bench) = bench() else { return };
    // Nobody answers there.
    let mut phones = bench.phones(&format!("stun = \"{SERVER}:9\""));
    for _ in 0..2 {
        phones[0].tell(&format!("call sip:bob@{SERVER}"));
        phones[1].expect("incoming", |_| true);
        phones[0].tell("hangup");
        phones[0].expect("ended", |_| true);
        phones[1].expect("ended", |_| true);
    }
    // Its log is whole when it has ended.
    phones.iter_mut().for_each(Phone::quit);
    let log = fs::read_to_string(&phones[0].log).expect("a log");
    assert_eq!(log.matches("the STUN server does not answer").count(), 1, "asked once a minute");
}

#[test]
fn ice_finds_its_way_over_ipv6() {
    let build = || {
        let nets = [Net::new()?, Net::new()?];
        let pid = nets[1].holder.id().to_string();
        nets[0].run(&["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", &pid])?;
        for (net, address) in nets.iter().zip(["fd00:77::1/64", "fd00:77::2/64"]) {
            net.run(&["ip", "address", "add", address, "dev", "eth0", "nodad"])?;
            net.run(&["ip", "link", "set", "eth0", "up"])?;
        }
        io::Result::Ok(nets)
    };
    let nets = match build() {
        Ok(nets) => nets,
        Err(error) => return skip(&error.to_string()),
    };
    let folder = tempfile::tempdir().expect("a folder");
    let start = |n: usize, name, tone, listen| Phone::at(&nets[n], folder.path(), name, tone, listen).expect("a phone");
    let mut phones = [start(0, "alice", 1000, "[fd00:77::1]:5070"), start(1, "bob", 600, "[fd00:77::2]:5070")];
    for phone in &mut phones {
        phone.tell("state");
        phone.expect("state", |_| true);
    }
    phones[0].tell("call sip:bob@[fd00:77::2]:5070");
    phones[1].expect("incoming", |_| true);
    phones[1].tell("answer");
    let ways = [connected(&mut phones[0]), connected(&mut phones[1])];
    assert!(ways[0].0.starts_with("[fd00:77::1]:") && ways[0].1.starts_with("[fd00:77::2]:"), "{ways:?}");
    assert_eq!((&ways[0].0, &ways[0].1), (&ways[1].1, &ways[1].0));
    phones.iter_mut().for_each(Phone::hears);
    phones.iter_mut().for_each(Phone::quit);
    assert!(phones[0].heard(600.0) > -30.0, "alice hears bob at {} dB", phones[0].heard(600.0));
    assert!(phones[1].heard(1000.0) > -30.0, "bob hears alice at {} dB", phones[1].heard(1000.0));
}

/// Two phones on this machine, for calls one after the other.
struct Pair {
    alice: Phone,
    bob: Phone,
    bobs_port: u16,
    ice: bool,
}

impl Pair {
    fn new(folder: &Path, names: [&'static str; 2], network: &str) -> Pair {
        let free = || UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
        let bobs_port = free();
        let alice = Phone::on_loopback(folder, names[0], free(), network).expect("a phone");
        let bob = Phone::on_loopback(folder, names[1], bobs_port, network).expect("a phone");
        let mut pair = Pair { alice, bob, bobs_port, ice: network.contains("always") };
        for phone in [&mut pair.alice, &mut pair.bob] {
            phone.tell("state");
            phone.expect("state", |_| true);
        }
        pair
    }

    /// Milliseconds from the command to the answer, and to the way, in one more call.
    fn set_up(&mut self) -> (f64, f64) {
        let (alice, bob) = (&mut self.alice, &mut self.bob);
        let start = Instant::now();
        alice.tell(&format!("call sip:bob@127.0.0.1:{}", self.bobs_port));
        bob.expect("incoming", |_| true);
        bob.tell("answer");
        alice.expect("established", |_| true);
        let answered = start.elapsed().as_secs_f64() * 1000.0;
        if self.ice {
            connected(alice);
        }
        let way = start.elapsed().as_secs_f64() * 1000.0;
        alice.tell("hangup");
        alice.expect("ended", |_| true);
        bob.expect("ended", |_| true);
        (answered, way)
    }
}

#[test]
fn ice_does_not_keep_an_answer_waiting() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut off = Pair::new(folder.path(), ["alice", "bob"], "ice = \"off\"");
    let mut always = Pair::new(folder.path(), ["carol", "dave"], "ice = \"always\"");
    // In turn, and of each the quickest: a busy machine makes some calls slow, but what waits for something waits always.
    let calls: Vec<_> = (0..10).map(|_| (off.set_up().0, always.set_up())).collect();
    let quickest = |times: &mut dyn Iterator<Item = f64>| times.fold(f64::INFINITY, f64::min);
    let without = quickest(&mut calls.iter().map(|(without, _)| *without));
    let with = quickest(&mut calls.iter().map(|(_, (with, _))| *with));
    let way = quickest(&mut calls.iter().map(|(_, (_, way))| *way));
    println!("answered after {without:.1} ms without ICE, {with:.1} ms with; the way stood after {way:.1} ms");
    // Checks begin when both descriptions are known: nothing waits for them.
    assert!(with < 3.0 * without + 50.0, "of all calls {calls:?}");
    assert!(way >= with);
    for phone in [&mut off.alice, &mut off.bob, &mut always.alice, &mut always.bob] {
        phone.quit();
    }
}
