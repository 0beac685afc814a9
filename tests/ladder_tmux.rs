//! A long ladder in a real terminal: ten thousand rows, older ones from disk, a storm of sizes; and what the screen costs.
//!
//! `OFFHOOK_LADDER_ROWS=100000 cargo test --release --test ladder_tmux -- --nocapture` says what a long one takes.

#![allow(clippy::disallowed_methods, reason = "a real terminal runs by the real clock")]

mod terminal;

use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use terminal::{PHONE, Terminal};

/// Requests that wait for their answer at once.
const WINDOW: usize = 16;

/// The phone without an account, and where it listens.
fn phone() -> Option<(Terminal, SocketAddr)> {
    let terminal = Terminal::new()?;
    // Without a file it would ask for one.
    let config = terminal.folder().join("phone.toml");
    fs::write(&config, "").expect("an empty configuration");
    let config = config.display();
    let devices = "--listen 127.0.0.1:0 --input null --output null";
    terminal.run(&format!("'{PHONE}' --config '{config}' {devices}; echo \"ended with $?\"; exec cat"));
    let screen = terminal.shows("── offhook");
    let address =
        screen.lines().next().and_then(|line| line.split_whitespace().find(|word| word.starts_with("127.0.0.1:")));
    let address = address.and_then(|address| address.parse().ok()).expect("the header says where it listens");
    Some((terminal, address))
}

/// Asks the phone so many times what it can do: two rows each.
fn ask(phone: SocketAddr, times: usize) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
    let here = socket.local_addr().expect("it has one");
    let mut answered = 0;
    for number in 0..times {
        let request = format!(
            "OPTIONS sip:{phone} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{number}\r\nMax-Forwards: 70\r\n\
             From: <sip:test@{here}>;tag=t{number}\r\nTo: <sip:{phone}>\r\nCall-ID: flow-{number}@here\r\n\
             CSeq: {number} OPTIONS\r\nContact: <sip:test@{here}>\r\nContent-Length: 0\r\n\r\n"
        );
        socket.send_to(request.as_bytes(), phone).expect("it goes");
        while number + 1 - answered >= WINDOW || (number + 1 == times && answered < times) {
            match socket.recv(&mut [0; 2048]) {
                // A machine that was put to sleep has woken.
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                received => received.expect("the phone answers"),
            };
            answered += 1;
        }
    }
}

/// The process of the phone, below the shell of the terminal.
fn process(terminal: &Terminal) -> u32 {
    let shell = terminal.tmux(&["list-panes", "-t", "demo", "-F", "#{pane_pid}"]).trim().to_owned();
    let children = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).expect("it has children");
    children.split_whitespace().next().and_then(|pid| pid.parse().ok()).expect("the phone")
}

/// A line of what the system knows of a process, in kB.
fn kilobytes(process: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("it is told");
    line.trim_start_matches(':').trim().trim_end_matches("kB").trim().parse().expect("a number")
}

#[test]
fn ten_thousand_rows_are_scrolled_searched_and_survive_a_storm_of_sizes() {
    let rows: usize = std::env::var("OFFHOOK_LADDER_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(10_000);
    let Some((terminal, phone)) = phone() else { return };
    let process = process(&terminal);
    let before = kilobytes(process, "VmRSS");
    ask(phone, rows / 2);
    terminal.press(&["i"]);
    terminal.wait("all rows", |screen| screen.contains(&format!(" {rows} ╮")));
    println!("{rows} rows: {} kB resident, {before} kB before", kilobytes(process, "VmRSS"));
    assert!(kilobytes(process, "RssAnon") < 60_000, "{rows} rows in {} kB", kilobytes(process, "RssAnon"));

    // The first one comes from disk.
    terminal.press(&["Home", "Enter"]);
    terminal.shows("Call-ID: flow-0@here");
    terminal.press(&["Escape"]);
    // A key right behind Esc would be one with Alt.
    terminal.shows("SIP ladder ─");
    // So does what is found; a part of it shows before all is searched.
    terminal.type_text("/flow-17@");
    terminal.wait("what is found", |screen| screen.contains(" 2 with 'flow-17@' ╮"));
    terminal.press(&["Enter", "Home", "Enter"]);
    terminal.shows("Call-ID: flow-17@here");
    terminal.press(&["Escape"]);

    let calm = terminal.wait("the ladder", |screen| screen.contains(" 2 with 'flow-17@' ╮"));
    let mut seed = 7_u32;
    for _ in 0..60 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (columns, rows) = (20 + (seed >> 8) % 180, 5 + (seed >> 20) % 55);
        terminal.tmux(&["resize-window", "-t", "demo", "-x", &columns.to_string(), "-y", &rows.to_string()]);
        terminal.press(&["Up", "Down"]);
    }
    terminal.tmux(&["resize-window", "-t", "demo", "-x", "80", "-y", "24"]);
    terminal.press(&["Home"]);
    terminal.wait("the screen as it was before the storm", |screen| screen == calm);
    terminal.press(&["Escape"]);
    terminal.shows("No call");
    terminal.press(&["q"]);
    terminal.shows("ended with 0");
}

/// What a terminal is sent, as it goes into a file.
fn tapped(terminal: &Terminal) -> impl Fn() -> u64 + use<> {
    let file = terminal.folder().join("tapped");
    terminal.tmux(&["pipe-pane", "-t", "demo", "-O", &format!("cat >> '{}'", file.display())]);
    move || fs::metadata(&file).map_or(0, |file| file.len())
}

/// Waits until a call has been up so many seconds or more; how many they are, and the screen.
fn seconds_talked(terminal: &Terminal, least: u64) -> (u64, String) {
    let seconds = |screen: &str| {
        let (before, _) = screen.split_once(" ╮")?;
        let (minutes, seconds) = before.rsplit(' ').next()?.split_once(':')?;
        Some(minutes.parse::<u64>().ok()? * 60 + seconds.parse::<u64>().ok()?)
    };
    // Of all frames, that of the call ends with its time.
    let of_call = |screen: &str| screen.lines().filter_map(seconds).next();
    let screen =
        terminal.wait(&format!("{least} seconds or more"), |screen| of_call(screen).is_some_and(|it| it >= least));
    (of_call(&screen).expect("it shows"), screen)
}

#[test]
fn nothing_is_sent_when_nothing_changes_and_little_in_a_quiet_call() {
    let Some(terminal) = Terminal::demo() else { return };
    terminal.shows("registered");
    let sent = tapped(&terminal);
    // What was on its way arrives; then there is nothing.
    let mut quiet_since = (sent(), Instant::now());
    let end = Instant::now() + Duration::from_secs(20);
    while quiet_since.1.elapsed() < Duration::from_secs(3) {
        assert!(Instant::now() < end, "an idle screen goes on being sent");
        if sent() != quiet_since.0 {
            quiet_since = (sent(), Instant::now());
        }
        thread::sleep(Duration::from_millis(50));
    }

    terminal.type_text("600");
    terminal.press(&["Enter"]);
    terminal.shows("talking");
    // The screen may not be seen in each of its seconds.
    let (began, _) = seconds_talked(&terminal, 2);
    let before = sent();
    let (ended, screen) = seconds_talked(&terminal, began + 5);
    let bytes = sent() - before;
    println!("{} bytes a second in a quiet call", bytes / (ended - began));
    assert!(bytes <= (ended - began) * 2_048, "{bytes} bytes from second {began} to {ended}:\n{screen}");
    terminal.press(&["x"]);
    terminal.shows("No call");
    terminal.press(&["q"]);
    terminal.shows("ended with 0");
}
