//! Notifications of the desktop, in builds with the feature `desktop`: the UI in a terminal, and in the place of the desktop
//! a bus and a notification service that this test plays itself (D-Bus Specification; Desktop Notifications Specification).

#![allow(clippy::disallowed_methods, reason = "a real terminal runs by the real clock")]

mod terminal;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use offhook::config::{Audio, Calls, Config, Sip};
use offhook::phone::{Command, PhoneHandle};
use terminal::{PHONE, Terminal};

/// Whatever is waited for takes milliseconds; a machine that is busy may take longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How the desktop behaves.
#[derive(Clone, Copy)]
enum Desktop {
    Answers,
    /// It takes what is sent, and says nothing.
    Hangs,
}

/// Plays a bus with a notification service at a socket, and tells the summaries of what it is to show.
fn serve(path: &Path, how: Desktop) -> Receiver<String> {
    let listener = UnixListener::bind(path).expect("a socket");
    let (sender, shown) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let sender = sender.clone();
            // A connection ends when its client hangs up.
            thread::spawn(move || match how {
                Desktop::Answers => drop(converse(&stream, &sender)),
                Desktop::Hangs => drop((&stream).read_to_end(&mut Vec::new())),
            });
        }
    });
    shown
}

fn converse(stream: &UnixStream, shown: &Sender<String>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.trim_matches(['\0', '\r', '\n']).split(' ').next()? {
            "BEGIN" => break,
            "AUTH" => writer.write_all(b"OK 0123456789abcdef0123456789abcdef\r\n").ok()?,
            _ => writer.write_all(b"ERROR\r\n").ok()?,
        }
    }
    loop {
        let mut head = [0; 16];
        reader.read_exact(&mut head).ok()?;
        let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (body, serial, fields) = (number(4) as usize, number(8), number(12) as usize);
        let mut rest = vec![0; fields.next_multiple_of(8) + body];
        reader.read_exact(&mut rest).ok()?;
        let (fields, body) = rest.split_at(fields.next_multiple_of(8));
        let is = |member: &str| fields.windows(member.len() + 1).any(|it| it == [member.as_bytes(), b"\0"].concat());
        let reply = if is("Hello") {
            returned(serial, b's', &[&4_u32.to_le_bytes(), &b":1.1\0"[..]].concat())
        } else if is("Notify") {
            shown.send(summary(body)?).ok()?;
            returned(serial, b'u', &7_u32.to_le_bytes())
        } else {
            continue;
        };
        writer.write_all(&reply).ok()?;
    }
}

/// The fourth value of a Notify: name, number, icon, summary.
fn summary(body: &[u8]) -> Option<String> {
    let mut at = 0;
    assert_eq!(text(body, &mut at)?, "offhook");
    at = at.next_multiple_of(4) + 4;
    text(body, &mut at)?;
    text(body, &mut at)
}

/// A text: its length, at a multiple of four bytes, itself, and a zero.
fn text(body: &[u8], at: &mut usize) -> Option<String> {
    let start = at.next_multiple_of(4);
    let length = u32::from_le_bytes(body.get(start..start + 4)?.try_into().ok()?) as usize;
    *at = start + 4 + length + 1;
    String::from_utf8(body.get(start + 4..start + 4 + length)?.to_vec()).ok()
}

/// A method return with one value: reply serial (field 5) and signature (field 8), in 8 bytes each.
fn returned(serial: u32, signature: u8, body: &[u8]) -> Vec<u8> {
    let mut reply = vec![b'l', 2, 1, 1];
    reply.extend(u32::try_from(body.len()).expect("it is short").to_le_bytes());
    reply.extend(1_u32.to_le_bytes());
    reply.extend(15_u32.to_le_bytes());
    reply.extend([5, 1, b'u', 0]);
    reply.extend(serial.to_le_bytes());
    reply.extend([8, 1, b'g', 0, 1, signature, 0, 0]);
    reply.extend(body);
    reply
}

/// The phone in a terminal whose desktop is at this socket, and where it listens.
fn phone(bus: &str) -> Option<(Terminal, SocketAddr)> {
    let terminal = Terminal::new()?;
    terminal.write_file(
        "[sip]\nlisten = \"127.0.0.1:0\"\n[audio]\ninput = \"null\"\noutput = \"null\"\nring = \"null\"\n\
         [ui]\nnotify = \"desktop\"\n",
    );
    let bus = terminal.folder().join(bus);
    let bus = bus.display();
    terminal.run(&format!("DBUS_SESSION_BUS_ADDRESS='unix:path={bus}' '{PHONE}'; echo \"ended with $?\"; exec cat"));
    let screen = terminal.shows("── offhook");
    let words = screen.lines().next().into_iter().flat_map(str::split_whitespace);
    let address = words.filter_map(|word| word.parse().ok()).next().expect("the header says where it listens");
    terminal.shows("No call");
    Some((terminal, address))
}

/// Somebody who calls the phone so many times, one after the other, when told to.
fn caller(phone: SocketAddr) -> impl Fn() {
    let config = Config {
        sip: Sip { listen: "127.0.0.1:0".parse().expect("an address"), listen_is_configured: true, ..Sip::default() },
        audio: Audio { input: "null".into(), output: "null".into(), ring: "null".into(), ..Audio::default() },
        calls: Calls { max_calls: 8, ..Calls::default() },
        ..Config::default()
    };
    let handle = PhoneHandle::start(config).expect("a phone");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    move || {
        let call = Command::Call { account: None, target: format!("sip:alice@{phone}") };
        let answer = async { tokio::time::timeout(PATIENCE, handle.command(call)).await };
        runtime.block_on(answer).expect("an answer in time").expect("it calls");
    }
}

#[test]
fn the_desktop_shows_who_calls() {
    let Some(folder) = Terminal::new() else { return };
    let path = folder.folder().join("bus");
    let shown = serve(&path, Desktop::Answers);
    let Some((terminal, address)) = phone(&path.display().to_string()) else { return };
    let call = caller(address);
    call();
    terminal.shows("Incoming call #1");
    let text = shown.recv_timeout(PATIENCE).expect("a notification");
    assert!(text.ends_with(" calls"), "{text}");
    terminal.press_shown("busy");
    terminal.shows("No call");
}

#[test]
fn a_desktop_that_hangs_holds_up_no_call() {
    let Some(folder) = Terminal::new() else { return };
    let path = folder.folder().join("bus");
    let _shown = serve(&path, Desktop::Hangs);
    let Some((terminal, address)) = phone(&path.display().to_string()) else { return };
    let call = caller(address);
    call();
    terminal.shows("Incoming call #1");
    terminal.press_shown("answer");
    terminal.shows("talking");
    terminal.press_shown("hang up");
    terminal.shows("No call");
    terminal.press_shown("quit");
    terminal.shows("ended with 0");
}

#[test]
fn without_a_desktop_the_terminal_shows_them() {
    let Some((terminal, address)) = phone("nobody-is-here") else { return };
    let file = terminal.folder().join("tapped");
    terminal.tmux(&["pipe-pane", "-t", "demo", "-O", &format!("cat >> '{}'", file.display())]);
    let call = caller(address);
    // The first attempt may be under way when the second comes.
    let end = std::time::Instant::now() + PATIENCE;
    for number in 1.. {
        assert!(std::time::Instant::now() < end, "nothing shows them");
        call();
        terminal.shows(&format!("Incoming call #{number}"));
        terminal.press_shown("busy");
        terminal.shows("No call");
        let written = fs::read(&file).unwrap_or_default();
        if String::from_utf8_lossy(&written).contains("\x1b]777;notify;offhook;") {
            break;
        }
    }
}
