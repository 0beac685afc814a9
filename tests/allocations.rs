//! The media thread allocates and frees nothing for a packet, nor does the sound server's back end, which runs on it: counted
//! by an allocator that counts for each thread. Once in 5 s RTCP and the figures may. Echo cancellation, noise suppression and gain are
//! a library's, which allocates some fifty times for each 10 ms: they are off here.

#![allow(clippy::disallowed_methods)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use offhook::config;
use offhook::media::codec::Dtx;
use offhook::media::processing::{Settings, Switch};
use offhook::media::session;
use offhook::phone::dtls::Identity;
use offhook::phone::media_thread::{MediaThread, Order, Report};
use offhook::sdp::crypto::{MasterKey, Srtp, Suite};
use offhook::sdp::dtls::{Agreed, Role};
use offhook::sdp::ice::{self, Candidate, Component, Credentials, Kind};
use offhook::sdp::{Codec, ComfortNoise, Negotiated, Protection};
use offhook::ua::CallNo;
use offhook::ua::command::MediaPorts;

/// Threads that are told apart.
const THREADS: usize = 512;
static COUNTS: [AtomicU64; THREADS] = [const { AtomicU64::new(0) }; THREADS];
static NAMES: [AtomicI32; THREADS] = [const { AtomicI32::new(0) }; THREADS];
static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static PLACE: Cell<usize> = const { Cell::new(usize::MAX) };
}

struct Counting;

fn count() {
    // A thread that ends has no place any more.
    let _ = PLACE.try_with(|place| {
        if place.get() == usize::MAX {
            place.set(NEXT.fetch_add(1, Relaxed) % THREADS);
            // SAFETY: a system call without arguments.
            NAMES[place.get()].store(unsafe { libc::gettid() }, Relaxed);
        }
        COUNTS[place.get()].fetch_add(1, Relaxed);
    });
}

// SAFETY: all is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count();
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const CALL: CallNo = CallNo(1);
/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);
/// In which is counted, and how many of these.
const WINDOW: Duration = Duration::from_millis(200);
const WINDOWS: usize = 30;

struct Phone {
    thread: MediaThread,
    reports: Receiver<Report>,
    ports: MediaPorts,
}

impl Phone {
    fn new(input: &str, output: &str, identity: Option<Arc<Identity>>) -> Phone {
        let processing = Settings { echo: Switch::Off, noise: Switch::Off, gain: Switch::Off };
        let (input, output, ring) = (input.to_owned(), output.to_owned(), "null".to_owned());
        let audio = config::Audio { input, output, ring, processing, dtx: Dtx::Always, ..config::Audio::default() };
        let (sender, reports) = channel();
        let report = move |report| drop(sender.send(report));
        let thread = MediaThread::spawn(&audio, &config::Network::default(), identity, report).expect("a thread");
        let ports = thread.open(CALL, LOOPBACK).expect("ports");
        thread.order(Order::Prepare);
        Phone { thread, reports, ports }
    }

    fn talk_to(
        &self,
        other: &Phone,
        codec: Codec,
        payload_type: u8,
        protection: Protection,
        ice: Option<Box<ice::Agreed>>,
    ) {
        // Each packet is listened to whether it is silence.
        let noise = (codec.clock_rate() == 8000).then_some(13);
        let receive = noise.into_iter().map(|number| (number, 8000)).collect();
        let media = Negotiated {
            remote_rtp: SocketAddr::new(LOOPBACK, other.ports.rtp),
            remote_rtcp: Some(SocketAddr::new(LOOPBACK, other.ports.rtcp)),
            rtcp_mux: false,
            xr: Default::default(),
            ice: ice.map(|ice| *ice),
            codec,
            send_payload_type: payload_type,
            receive: vec![(payload_type, codec)],
            send_telephone_event: None,
            receive_telephone_events: Vec::new(),
            comfort_noise: ComfortNoise { send: noise, receive },
            opus: Default::default(),
            ptime_ms: 20,
            send: true,
            receive_audio: true,
            held_by_peer: false,
            protection,
        };
        self.thread.order(Order::Configure { call: CALL, media: Box::new(media) });
        self.thread.order(Order::OpenMicrophone { call: CALL });
    }

    fn expect(&self, what: &str, wanted: impl Fn(&Report) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while let Ok(report) = self.reports.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if wanted(&report) {
                return;
            }
        }
        panic!("no {what}");
    }

    /// Lets a time pass, in which what is reported is thrown away.
    fn pass(&self, time: Duration) {
        let end = Instant::now() + time;
        while self.reports.recv_timeout(end.saturating_duration_since(Instant::now())).is_ok() {}
    }
}

/// How often the media threads have allocated or freed.
fn counts() -> Vec<u64> {
    let threads = fs::read_dir("/proc/self/task").expect("threads").flatten();
    let media = threads
        .filter(|thread| fs::read_to_string(thread.path().join("comm")).is_ok_and(|name| name.trim() == "media"));
    let mut numbers: Vec<i32> = media.filter_map(|thread| thread.file_name().to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    let place = |number: &i32| NAMES.iter().position(|name| name.load(Relaxed) == *number);
    numbers.iter().filter_map(place).map(|place| COUNTS[place].load(Relaxed)).collect()
}

/// Where the keys come from.
#[derive(Clone, Copy)]
enum Keys {
    None,
    Described(Suite),
    Handshake,
}

/// A call, and what is done to its sound.
#[derive(Clone, Copy)]
struct Case<'a> {
    /// alice's devices.
    input: &'a str,
    output: &'a str,
    codec: Codec,
    payload_type: u8,
    keys: Keys,
    ice: bool,
    /// alice records it here.
    file: Option<&'a Path>,
}

impl Case<'_> {
    fn new<'a>(input: &'a str, output: &'a str) -> Case<'a> {
        Case { input, output, codec: Codec::Pcmu, payload_type: 0, keys: Keys::None, ice: false, file: None }
    }
}

/// Keys of a suite, from either side.
fn described(suite: Suite, role: Role) -> Srtp {
    let key = |fill| MasterKey::new(suite, &vec![fill; suite.key_length() + suite.salt_length()]).expect("a key");
    let (send, receive) = match role {
        Role::Client => (key(1), key(2)),
        Role::Server => (key(2), key(1)),
    };
    Srtp { send, receive, mki_length: 0 }
}

/// What one side has agreed on for the ways to the other one.
fn ways(role: ice::Role, ours: MediaPorts, theirs: MediaPorts) -> Box<ice::Agreed> {
    let credentials =
        |port: u16| Credentials { ufrag: format!("u{port}"), password: format!("a password for {port:8}") };
    let candidates = |ports: MediaPorts| {
        let one = |component, port, priority| {
            let address = SocketAddr::new(LOOPBACK, port);
            Candidate { foundation: "1".into(), component, priority, address, kind: Kind::Host, base: Some(address) }
        };
        vec![one(Component::Rtp, ports.rtp, 2_130_706_431), one(Component::Rtcp, ports.rtcp, 2_130_706_430)]
    };
    Box::new(ice::Agreed {
        local: credentials(ours.rtp),
        remote: credentials(theirs.rtp),
        local_candidates: candidates(ours),
        remote_candidates: candidates(theirs),
        role,
        remote_lite: false,
        remote_ice2: true,
    })
}

/// How often each of two phones that talk allocates or frees, in each window.
fn talk(case: Case<'_>) -> Vec<Vec<u64>> {
    let Case { input, output, codec, payload_type, keys, ice, file } = case;
    let identity = || match keys {
        Keys::None | Keys::Described(_) => None,
        Keys::Handshake => Some(Arc::new(Identity::new().expect("a certificate"))),
    };
    let protection = |role, peer: &Option<Arc<Identity>>| match (keys, peer) {
        (Keys::Described(suite), _) => Protection::from(described(suite, role)),
        (Keys::None | Keys::Handshake, None) => Protection::None,
        (Keys::None | Keys::Handshake, Some(peer)) => {
            let remote = vec![peer.fingerprint()];
            Protection::Dtls(Box::new(Agreed { role, remote, local_id: None, remote_id: None }))
        }
    };
    let (alices, bobs) = (identity(), identity());
    let alice = Phone::new(input, output, alices.clone());
    let bob = Phone::new("tone:440", "null", bobs.clone());
    let of_ice = |role, ours: &Phone, theirs: &Phone| ice.then(|| ways(role, ours.ports, theirs.ports));
    let alices_way = of_ice(ice::Role::Controlling, &alice, &bob);
    let bobs_way = of_ice(ice::Role::Controlled, &bob, &alice);
    alice.talk_to(&bob, codec, payload_type, protection(Role::Client, &bobs), alices_way);
    bob.talk_to(&alice, codec, payload_type, protection(Role::Server, &alices), bobs_way);
    if let Some(path) = file {
        alice.thread.order(Order::Record { call: CALL, path: path.to_owned() });
    }
    let is_flowing = |report: &Report| matches!(report, Report::Session { event: session::Event::Flowing { .. }, .. });
    alice.expect("RTP", is_flowing);
    bob.expect("RTP", is_flowing);
    // Whatever grows has grown by then.
    let is_figures = |report: &Report| matches!(report, Report::Session { event: session::Event::Stats(_), .. });
    alice.expect("figures", is_figures);
    let mut windows = Vec::new();
    let mut before = counts();
    assert!(before.len() == 2 && before.iter().all(|count| *count > 0), "two media threads that began: {before:?}");
    for _ in 0..WINDOWS {
        alice.pass(WINDOW);
        let now = counts();
        windows.push(now.iter().zip(&before).map(|(now, before)| now - before).collect());
        before = now;
    }
    assert!(alice.thread.finish(PATIENCE) && bob.thread.finish(PATIENCE), "the threads end");
    windows
}

/// In which windows nothing may be allocated: all but those with RTCP, figures, or a machine that stood still.
fn assert_none(what: &str, windows: &[Vec<u64>]) {
    assert_quiet(what, windows, 7);
}

/// At least so many of ten windows are without.
fn assert_quiet(what: &str, windows: &[Vec<u64>], of_ten: usize) {
    for phone in 0..2 {
        let quiet = windows.iter().filter(|window| window[phone] == 0).count();
        assert!(
            quiet * 10 >= windows.len() * of_ten,
            "{what}, phone {phone}: {quiet} of {} quiet: {windows:?}",
            windows.len()
        );
    }
}

/// A sound server with one card, ended with the test.
struct Server(Child);

impl Server {
    fn start(folder: &Path) -> Option<Server> {
        let mut command = Command::new("pulseaudio");
        command.args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--realtime=no"]);
        command.args(["--high-priority=no", "--disallow-exit", "--log-level=error"]);
        let socket = folder.join("pulse.socket");
        command.args(["-L", &format!("module-native-protocol-unix socket={} auth-anonymous=1", socket.display())]);
        command.args(["-L", "module-null-sink sink_name=spk rate=48000 channels=2"]);
        command.env("HOME", folder).env("PULSE_RUNTIME_PATH", folder).stdin(Stdio::null()).stderr(Stdio::null());
        let server = Server(command.spawn().ok()?);
        // SAFETY: no other thread of this program runs yet that reads the environment.
        unsafe {
            std::env::set_var("PULSE_SERVER", format!("unix:{}", socket.display()));
            std::env::set_var("HOME", folder);
        }
        let (_keep, clock) = channel::<()>();
        let deadline = Instant::now() + PATIENCE;
        while !offhook::audio::list().iter().any(|device| device.id == "spk.monitor") {
            assert!(Instant::now() < deadline, "the sound server answers");
            let _ = clock.recv_timeout(Duration::from_millis(20));
        }
        Some(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_packet_allocates_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path());
    let tone = Case::new("tone:300", "null");
    assert_none("PCMU, no card", &talk(tone));
    assert_none("PCMU by DTLS-SRTP, no card", &talk(Case { keys: Keys::Handshake, ..tone }));
    let keys = Keys::Described(Suite::AesCm128HmacSha1Tag80);
    assert_none("PCMU by SRTP, no card", &talk(Case { keys, ..tone }));
    // Each side asks the other every few seconds whether it still consents (RFC 7675), for RTP and for RTCP: that takes memory.
    assert_quiet("PCMU by SRTP and ICE, no card", &talk(Case { keys, ice: true, ..tone }), 4);
    assert_none("PCMU, a silent microphone", &talk(Case::new("null", "null")));
    let file = folder.path().join("talk.wav");
    assert_none("PCMU, recorded", &talk(Case { file: Some(&file), ..tone }));
    assert!(fs::metadata(&file).is_ok_and(|file| file.len() > 100_000), "it was recorded");
    if server.is_some() {
        let card = Case::new("spk.monitor", "spk");
        assert_none("PCMU, cards", &talk(card));
        assert_none("Opus, cards", &talk(Case { codec: Codec::Opus, payload_type: 96, ..card }));
    }
}
