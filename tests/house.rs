//! Who may know whom: the rooms without I/O name no runtime, device, socket or clock, and imports point down.

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms without I/O, and what they may not name.
const PURE: [&str; 8] = ["app", "media", "rtp", "sdp", "services", "sip", "transaction", "ua"];
const OUTSIDE: [&str; 9] = [
    "tokio::",
    "cpal::",
    "polling::",
    "socket2::",
    "std::net::UdpSocket",
    "std::net::Tcp",
    "std::fs",
    "Instant::now",
    "SystemTime::now",
];

/// A room, and the rooms it may not import: those above it.
const ABOVE: [(&str, &[&str]); 10] = [
    ("sip", &["sdp", "transaction", "ua", "rtp", "media", "audio", "net", "phone", "app", "tui", "cli", "exchange"]),
    ("sdp", &["transaction", "ua", "rtp", "media", "audio", "net", "phone", "app", "tui", "cli", "exchange"]),
    ("transaction", &["sdp", "ua", "rtp", "media", "audio", "net", "phone", "app", "tui", "cli", "exchange"]),
    ("rtp", &["ua", "media", "audio", "net", "phone", "app", "tui", "cli", "exchange", "transaction"]),
    ("media", &["ua", "audio", "net", "phone", "app", "tui", "cli", "exchange", "transaction", "sip"]),
    ("ua", &["rtp", "media", "audio", "net", "phone", "app", "tui", "cli", "exchange", "config"]),
    ("audio", &["ua", "phone", "app", "tui", "cli", "exchange"]),
    ("phone", &["app", "tui", "cli", "exchange", "remote"]),
    ("remote", &["app", "tui", "cli", "exchange", "net", "audio", "sip", "sdp", "transaction"]),
    ("app", &["tui", "cli", "exchange", "net", "audio", "remote"]),
];

/// The lines of a source file before its tests, with their numbers; comments left out.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(number, line)| (number + 1, line.to_owned()))
        .collect()
}

fn sources(room: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                // A folder of tests is tests.
                if entry.file_name().is_some_and(|name| name != "tests") {
                    walk(&entry, found);
                }
            } else if entry.extension().is_some_and(|extension| extension == "rs")
                && entry.file_name().is_some_and(|name| name != "tests.rs")
            {
                found.push(entry);
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room), &mut found);
    assert!(!found.is_empty(), "there is no room {room}");
    found
}

/// Every place in `room` whose code has one of `words`.
fn places(room: &str, words: &[String]) -> Vec<String> {
    let mut places = Vec::new();
    for path in sources(room) {
        for (number, line) in code(&path) {
            if let Some(word) = words.iter().find(|word| line.contains(word.as_str())) {
                places.push(format!("{}:{number}: {word}", path.display()));
            }
        }
    }
    places
}

#[test]
fn rooms_without_io_name_nothing_from_outside() {
    let words: Vec<String> = OUTSIDE.map(String::from).to_vec();
    let found: Vec<String> = PURE.iter().flat_map(|room| places(room, &words)).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn imports_point_down() {
    let mut found = Vec::new();
    for (room, above) in ABOVE {
        let words: Vec<String> = above.iter().map(|other| format!("crate::{other}::")).collect();
        found.extend(places(room, &words));
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn only_one_room_names_the_sip_library_and_one_the_sdp_library() {
    let all = ["app", "audio", "cli", "config", "exchange", "media", "net", "phone", "rtp", "transaction", "tui", "ua"];
    let words = ["sipx_sip".to_owned(), "sipx_sdp".to_owned()];
    let found: Vec<String> = all.iter().flat_map(|room| places(room, &words)).collect();
    assert!(found.is_empty(), "{found:#?}");
}
