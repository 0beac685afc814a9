//! What a DTLS handshake costs: both sides in memory, from the first datagram to the keys. Processor time of this thread, the
//! median of a hundred, and the slowest; and what a session's part of it costs the thread of the sound.

// What is measured needs a clock.
#![allow(clippy::disallowed_methods)]

use std::time::Instant;

use offhook::media::Session;
use offhook::media::dtls::{Reply, Request};
use offhook::phone::dtls::{Association, Identity};
use offhook::sdp::dtls::Role;

const ROUNDS: usize = 100;

/// This thread's processor time in microseconds.
fn processor_time() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes to the place that it is given.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

fn show(what: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    let (median, slowest) = (times[times.len() / 2], times[times.len() - 1]);
    println!("{what:<40} {median:>8.1} us {slowest:>10.1} us");
}

fn main() {
    println!("{:<40} {:>11} {:>13}", "", "median", "slowest");
    show("a certificate on P-256", (0..ROUNDS).map(|_| measure(|| drop(Identity::new()))).collect());
    let (client, server) = (Identity::new().expect("a certificate"), Identity::new().expect("a certificate"));
    let mut sides = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        let times = handshake(&client, &server);
        sides[0].push(times[0]);
        sides[1].push(times[1]);
    }
    let [clients, servers] = sides;
    show("a handshake, active", clients);
    show("a handshake, passive", servers);
    show("eight datagrams through a session", (0..ROUNDS).map(|_| session()).collect());
}

fn measure(what: impl FnOnce()) -> f64 {
    let before = processor_time();
    what();
    processor_time() - before
}

/// What one handshake costs either side.
fn handshake(client: &Identity, server: &Identity) -> [f64; 2] {
    let now = Instant::now();
    let mut times = [0.0; 2];
    let mut begin = |own, other: &Identity, role, place: usize| {
        let before = processor_time();
        let side = Association::new(now, own, role, &[other.fingerprint()]).expect("a handshake");
        times[place] = processor_time() - before;
        side
    };
    let mut sides = [begin(client, server, Role::Client, 0), begin(server, client, Role::Server, 1)];
    let mut done = 0;
    while done < 2 {
        for from in [0, 1] {
            let to = 1 - from;
            while let Some(bytes) = sides[from].poll_transmit() {
                times[to] += measure(|| sides[to].handle(&bytes));
            }
            done += usize::from(sides[from].poll_outcome().is_some_and(|outcome| outcome.is_ok()));
        }
    }
    times
}

/// What the thread of the sound has of it: datagrams handed on, both ways.
fn session() -> f64 {
    let now = Instant::now();
    let mut session = Session::new(now, [7; 32]);
    let at = "192.0.2.2:5000".parse().expect("an address");
    let media = agreed();
    session.configure(now, &media);
    let Some(Request::Begin { handshake, .. }) = session.poll_handshake() else { panic!("it begins") };
    measure(|| {
        for _ in 0..4 {
            session.handle_rtp(now, at, &[22; 600]);
            let _ = session.poll_handshake();
            session.handle_handshake(now, Reply::Transmit { handshake, bytes: vec![22; 600] });
            let _ = session.poll_transmit();
        }
    })
}

/// A call whose keys come by a handshake, as offer and answer agree on it.
fn agreed() -> offhook::sdp::Negotiated {
    use offhook::sdp::dtls::{Fingerprint, Hash, Offers};
    use offhook::sdp::{Capabilities, Intent, Keying, LocalMedia, Session};
    let phone = |fill: u8| {
        let mut session = Session::new(Capabilities::from_names(["PCMU"], 20).0, 1);
        session.set_keying(Keying::Optional, [fill; 32]);
        let fingerprint = Fingerprint::new(Hash::Sha256, &[fill; 32]).expect("a digest");
        session.set_dtls(fingerprint, Offers::Made, [fill; 32]);
        session
    };
    let here = LocalMedia::new("192.0.2.1".parse().expect("an address"), 4000, 4001);
    let there = LocalMedia::new("192.0.2.2".parse().expect("an address"), 5000, 5001);
    let offer = phone(1).offer(&there, Intent::Talk);
    phone(2).answer(&offer, &here, Intent::Talk).expect("an answer").1
}
