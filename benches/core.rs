//! The core alone, without sockets: whole dialogs a second between two user agents in memory, what one costs while others
//! are open, and what is left in memory when all have ended.
//!
//! ```text
//! cargo bench --bench core            # the figures of benches/README.md
//! cargo bench --bench core -- --quick # a tenth of the dialogs
//! ```
//!
//! It fails (exit code 1) when a target of benches/README.md is missed.

#![allow(clippy::disallowed_methods)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use offhook::sdp::{Capabilities, HoldStyle};
use offhook::sip::Uri;
use offhook::sip::transport::{Flow, Transport};
use offhook::ua::command::{MediaPorts, Reply};
use offhook::ua::config::{AutoAnswer, TransferPolicy};
use offhook::ua::{CallNo, Command, Config, Event, UserAgent};

/// Whole dialogs a second, at the least.
const TARGET_RATE: f64 = 10_000.0;
/// How much dearer a dialog may be with 10,000 others open than with 10: the caches of the processor are no longer enough.
const TARGET_GROWTH: f64 = 1.5;
/// Live bytes that may be left for each dialog that has ended.
const TARGET_LEFT: f64 = 1.0;
/// A dialog begins every so often, by the user agents' clock: a hundred a second.
const PACE: Duration = Duration::from_millis(10);
const MEDIA: MediaPorts = MediaPorts::new(49170, 49171);

/// Counts the bytes that are allocated.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The processor's time that this thread has had: what else runs on the machine does not count.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is ours to write to.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Two user agents, and the clock that both are told.
struct Pair {
    now: Instant,
    agents: [UserAgent; 2],
    /// The newest call of each, as it was told.
    rung: Option<CallNo>,
    messages: usize,
}

fn address(place: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1 + place as u8], 5060))
}

fn flow(from: usize) -> Flow {
    Flow { transport: Transport::Udp, local: address(from), remote: address(1 - from) }
}

fn config() -> Config {
    Config {
        accounts: Vec::new(),
        user_agent: "offhook".to_owned(),
        capabilities: Capabilities::from_names(["PCMU", "PCMA"], 20).0,
        srtp: Default::default(),
        srtp_keying: Default::default(),
        hold: HoldStyle::Zero,
        max_calls: usize::MAX,
        ring_timeout: Duration::from_secs(120),
        // It rings, and is answered by command long before: a bell for a person would be limited.
        auto_answer: AutoAnswer::Always,
        auto_answer_after: Duration::from_secs(60),
        transfers: TransferPolicy::Refuse,
        redirects: TransferPolicy::Refuse,
        refer_outside: false,
        bye_also: false,
        auto_answer_from: Vec::new(),
        direct_calls: true,
        keep_alive: None,
        reliable_ringing: false,
        session_expires: Duration::ZERO,
    }
}

impl Pair {
    fn new() -> Pair {
        let now = Instant::now();
        let agents = [0, 1].map(|place| UserAgent::new(now, config(), [place as u8 + 1; 32]));
        Pair { now, agents, rung: None, messages: 0 }
    }

    /// Carries messages to and fro until nobody has anything to say.
    fn settle(&mut self) {
        let mut silent = 0;
        let mut place = 0;
        while silent < 2 {
            silent += 1;
            while let Some(out) = self.agents[place].poll_transmit() {
                silent = 0;
                self.messages += 1;
                self.agents[1 - place].handle_datagram(self.now, flow(1 - place), &out.bytes);
            }
            while let Some(query) = self.agents[place].poll_resolve() {
                silent = 0;
                self.agents[place].handle_resolved(self.now, &query, vec![flow(place)]);
            }
            while let Some(event) = self.agents[place].poll_event() {
                silent = 0;
                if let Event::Incoming { call, .. } = event {
                    self.rung = Some(call);
                }
            }
            place = 1 - place;
        }
    }

    fn command(&mut self, place: usize, command: Command) -> Reply {
        let reply = self.agents[place].command(self.now, command).expect("the command is obeyed");
        self.settle();
        reply
    }

    fn pass(&mut self, duration: Duration) {
        self.now += duration;
        for place in [0, 1] {
            while self.agents[place].poll_timeout().is_some_and(|(at, _)| at <= self.now) {
                self.agents[place].handle_timeout(self.now);
                self.settle();
            }
        }
    }

    /// INVITE, 180, 200, ACK.
    fn open(&mut self) -> CallNo {
        self.pass(PACE);
        let target = Uri::parse(bytes::Bytes::from_static(b"sip:bob@10.0.0.2:5060")).expect("a URI");
        let Reply::Call(call) = self.command(0, Command::Dial { account: None, target, media: MEDIA }) else {
            panic!("dialling gives a call")
        };
        let rung = self.rung.take().expect("it rings");
        self.command(1, Command::Answer { call: rung, media: MEDIA });
        call
    }

    /// BYE, 200.
    fn close(&mut self, call: CallNo) {
        self.command(0, Command::Hangup { call });
    }

    /// Whole dialogs, one after the other: the time of one.
    fn run(&mut self, dialogs: usize) -> Duration {
        let start = cpu_time();
        for _ in 0..dialogs {
            let call = self.open();
            self.close(call);
        }
        (cpu_time() - start) / u32::try_from(dialogs).expect("so many")
    }

    fn assert_empty(&self) {
        for agent in &self.agents {
            assert_eq!((agent.calls(), agent.transactions()), (0, (0, 0)), "something is left");
            assert!(agent.poll_timeout().is_none(), "a timer is left");
        }
    }
}

fn main() {
    // `cargo test --benches` runs it too, unoptimised: then it only shows that it runs.
    let real = std::env::args().any(|argument| argument == "--bench");
    let quick = std::env::args().any(|argument| argument == "--quick");
    let scale = if !real {
        500
    } else if quick {
        10
    } else {
        1
    };
    let mut failed = false;
    let mut target = |name: &str, met: bool| {
        println!("    {name}: {}", if met { "yes" } else { "NO" });
        failed |= !met && real;
    };

    let mut pair = Pair::new();
    pair.run(5_000 / scale);
    let messages = pair.messages;
    let dialogs = 50_000 / scale;
    let each = pair.run(dialogs);
    let rate = 1.0 / each.as_secs_f64();
    println!(
        "whole dialogs a second: {rate:.0} ({:.1} messages each)",
        (pair.messages - messages) as f64 / dialogs as f64
    );
    target(&format!("at least {TARGET_RATE}"), rate >= TARGET_RATE);
    drop(pair);

    let mut costs = Vec::new();
    let mut pair = Pair::new();
    let mut open = Vec::new();
    for others in [10, 100, 1_000, 10_000 / scale.min(10)] {
        while open.len() < others {
            open.push(pair.open());
        }
        pair.run(4_000 / scale);
        let each = pair.run(20_000 / scale);
        println!("one dialog beside {others} open ones: {:.1} us", each.as_secs_f64() * 1e6);
        costs.push(each.as_secs_f64());
    }
    let growth = costs.last().zip(costs.first()).map_or(0.0, |(last, first)| last / first);
    target(&format!("at most {TARGET_GROWTH} times that of the first"), growth <= TARGET_GROWTH);
    for call in open.drain(..) {
        pair.pass(PACE);
        pair.close(call);
    }
    pair.pass(Duration::from_secs(200));
    pair.assert_empty();
    drop(pair);

    let mut pair = Pair::new();
    let round = |pair: &mut Pair, dialogs: usize| {
        pair.run(dialogs);
        let at_work = LIVE.load(Relaxed);
        pair.pass(Duration::from_secs(200));
        pair.assert_empty();
        (at_work, LIVE.load(Relaxed))
    };
    // What is kept for the next burst is kept after this one already: it does not grow with the dialogs.
    let (_, before) = round(&mut pair, 5_000 / scale);
    let dialogs = 50_000 / scale;
    let (at_work, after) = round(&mut pair, dialogs);
    let left = after.saturating_sub(before) as f64 / dialogs as f64;
    println!("live bytes: {before} after a first round, {at_work} at work, {after} after {dialogs} more");
    target(&format!("at most {TARGET_LEFT} byte a dialog left"), left <= TARGET_LEFT);
    if failed {
        std::process::exit(1);
    }
}
