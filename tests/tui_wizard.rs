//! The first start in a real terminal: `offhook` in tmux with an empty home, keys sent, screen read; and what changes the file
//! afterwards.

mod terminal;

use std::os::unix::fs::PermissionsExt as _;

use terminal::{PHONE, Terminal};

const SMALL: (u16, u16) = (60, 15);
const USUAL: (u16, u16) = (80, 24);

/// Runs the phone with these arguments in a terminal of this kind, with this configuration.
fn start(term: &str, size: (u16, u16), file: Option<&str>, arguments: &str) -> Option<Terminal> {
    let terminal = Terminal::new()?;
    if let Some(text) = file {
        terminal.write_file(text);
    }
    terminal.run_at(size, &format!("TERM={term} '{PHONE}' {arguments}; echo \"ended with $?\"; exec cat"));
    Some(terminal)
}

const SCREEN: &str = "screen";

#[test]
fn the_first_start_asks_tries_and_writes() {
    let (exchange, password) = offhook::exchange::demo::start().expect("an exchange");
    let arguments = "--input null --output null --listen 127.0.0.1:0";
    let Some(terminal) = start(SCREEN, SMALL, None, arguments) else { return };
    terminal.shows("What is your SIP address?");
    terminal.type_text(&format!("you@{}", exchange.address()));
    terminal.shows("you registers at 127.0.0.1");
    terminal.press(&["Enter"]);

    // A wrong password is told as one, and there is a way back.
    terminal.shows("What is the password of you@");
    terminal.type_text("wrong");
    let masked = terminal.shows("•••••");
    assert!(!masked.contains("wrong"), "{masked}");
    terminal.press(&["Enter"]);
    terminal.shows("Which devices?");
    terminal.shows("none: silence is sent");
    terminal.press(&["Enter"]);
    terminal.shows("Hear yourself");
    terminal.press(&["Enter"]);
    terminal.shows("a test tone came back after");
    terminal.press(&["Enter"]);
    terminal.shows("Does the PBX take it?");
    terminal.press(&["Enter"]);
    terminal.shows("the password was refused");
    terminal.press(&["Escape"]);
    terminal.shows("Hear yourself");
    terminal.press(&["Escape"]);
    terminal.shows("Which devices?");
    terminal.press(&["Escape"]);
    terminal.shows("What is the password of you@");
    terminal.press(&["C-u"]);
    terminal.type_text(&password);
    terminal.press(&["Enter"]);
    terminal.shows("Which devices?");
    terminal.press(&["s"]);
    terminal.shows("Hear yourself");
    terminal.press(&["s"]);
    terminal.shows("Does the PBX take it?");
    terminal.press(&["Enter"]);
    terminal.shows("registered, after");
    terminal.press(&["Enter"]);

    let last = terminal.shows("Nothing has been written so far.");
    assert!(!last.contains(&password) && last.contains("took the account"), "{last}");
    assert!(!terminal.file().exists());
    terminal.press(&["Enter"]);
    // The phone is there, registered.
    terminal.shows("No call");
    terminal.shows("● you");
    let text = std::fs::read_to_string(terminal.file()).expect("the file");
    assert!(text.contains(&format!("\n[[account]]\nuri = \"sip:you@{}\"\n", exchange.address())), "{text}");
    assert!(text.contains(&format!("\npassword = \"{password}\"\n")) && text.contains("\n#codecs = ["));
    let mode = std::fs::metadata(terminal.file()).expect("the file").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    terminal.press(&["q"]);
    terminal.shows("ended with 0");
}

#[test]
fn nobody_is_held_in_it_and_nothing_is_written_before_its_end() {
    let Some(terminal) = start(SCREEN, USUAL, None, "--listen 127.0.0.1:0") else { return };
    terminal.shows("What is your SIP address?");
    terminal.type_text("alice@pbx.example.com");
    terminal.press(&["Enter"]);
    terminal.shows("What is the password");
    terminal.press(&["Escape"]);
    terminal.shows("What is your SIP address?");
    terminal.press(&["Escape"]);
    // The phone, without an account.
    terminal.shows("No call");
    terminal.press(&["q"]);
    terminal.shows("ended with 0");
    assert!(!terminal.file().exists());

    let Some(terminal) = start(SCREEN, USUAL, None, "setup") else { return };
    terminal.shows("What is your SIP address?");
    terminal.press(&["C-n"]);
    terminal.shows("Which devices?");
    terminal.press(&["C-c"]);
    terminal.shows("ended with 0");
    assert!(!terminal.file().exists());
}

#[test]
fn a_dumb_terminal_gets_lines() {
    let Some(terminal) = start("dumb", USUAL, None, "--listen 127.0.0.1:0") else { return };
    terminal.type_text("hodl\n");
    terminal.shows("unknown command 'hodl' (did you mean 'hold'?)");
    terminal.type_text("quit\n");
    terminal.shows("ended with 0");
}

#[test]
fn settings_and_devices_change_the_file_and_keep_all_else_in_it() {
    let before = "# mine\n[audio]\ninput = \"null\"   # quiet\noutput = 'null'\nring = \"null\"\n\n\
                  [calls]\n# what the PBX knows\nhold = \"zero\" # so\n";
    let Some(terminal) = start(SCREEN, USUAL, Some(before), "--listen 127.0.0.1:0") else { return };
    let file = || std::fs::read_to_string(terminal.file()).expect("the file");
    terminal.shows("No call");

    // To the setting, by its name.
    terminal.press(&["S"]);
    terminal.shows("▸ name");
    terminal.type_text("/calls.hold");
    terminal.shows("with 'calls.hold'");
    terminal.press(&["Enter"]);
    terminal.shows("Enter change");
    terminal.shows("▸ hold ");
    terminal.press(&["Enter"]);
    terminal.shows("calls.hold: written, and in effect");
    assert_eq!(file(), before.replace("\"zero\"", "\"sendonly\""));
    // Someone else writes meanwhile.
    std::fs::write(terminal.file(), file() + "max_calls = 3 # theirs\n").expect("the file");
    terminal.press(&["Enter"]);
    terminal.shows("● inactive");
    terminal.press(&["Escape"]);
    terminal.shows("No call");

    // Another speaker for good: the system's default is there everywhere.
    terminal.press(&["A"]);
    terminal.shows("● none: silence is sent");
    terminal.press(&["Tab"]);
    terminal.shows("▸ ● none: nothing is played");
    let mut screen = terminal.screen();
    while !screen.contains("▸ ○ the system's default") {
        let chosen = screen.lines().rfind(|line| line.contains("  ▸ ")).expect("a chosen row").to_owned();
        terminal.press(&["k"]);
        screen = terminal.changes(&chosen);
    }
    terminal.press(&["w"]);
    terminal.shows("audio.output: written, and in effect");
    let after = before.replace("\"zero\"", "\"inactive\"").replace("'null'", "\"default\"");
    assert_eq!(file(), after + "max_calls = 3 # theirs\n");
    terminal.press(&["Escape"]);
    // A key right behind Esc would be one with Alt.
    terminal.shows("No call");
    terminal.press(&["q"]);
    terminal.shows("ended with 0");
}
