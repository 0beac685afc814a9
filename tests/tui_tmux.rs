//! The terminal UI in a real terminal: `offhook demo` in tmux at 80x24, keys sent, screen read.

mod terminal;

use terminal::Terminal;

/// The line of the big box of the active call: its number and what it does.
fn active(screen: &str) -> &str {
    screen.lines().find(|line| line.contains("╭ #")).unwrap_or_default()
}

#[test]
fn a_call_from_the_first_key_to_the_last() {
    let Some(terminal) = Terminal::demo() else { return };
    terminal.shows("registered");
    terminal.shows("600 echo");

    terminal.press(&["c"]);
    terminal.shows("Call ›");
    terminal.type_text("600");
    terminal.press(&["Enter"]);
    terminal.wait("call 1 talking", |screen| active(screen).contains("#1") && active(screen).contains("talking"));

    terminal.press(&["h"]);
    terminal.wait("call 1 held", |screen| active(screen).contains("held"));
    terminal.press(&["h"]);
    terminal.wait("call 1 talking", |screen| active(screen).contains("talking"));

    terminal.press(&["x"]);
    terminal.shows("you hung up");
    terminal.shows("No call");

    // The next one by its number alone.
    terminal.type_text("600");
    terminal.press(&["Enter"]);
    terminal.wait("call 2 talking", |screen| active(screen).contains("#2") && active(screen).contains("talking"));

    terminal.press(&["t"]);
    terminal.shows("Transfer #2");
    terminal.type_text("601");
    terminal.press(&["Enter"]);
    terminal.shows("transfer: answered (200)");
    terminal.shows("No call");

    terminal.press(&["q"]);
    let left = terminal.shows("ended with 0");
    assert!(!left.contains("offhook"), "the UI is gone from the screen:\n{left}");
}

#[test]
fn services_people_and_completion_by_keys() {
    let Some(terminal) = Terminal::demo() else { return };
    terminal.shows("registered");

    // Do not disturb shows until it is off.
    terminal.press(&["D"]);
    terminal.shows("demo: do not disturb");
    terminal.press(&["D"]);
    terminal.wait("no do not disturb", |screen| !screen.lines().take(4).any(|line| line.contains("do not disturb")));

    // A forwarding asks where to.
    terminal.press(&["f", "j", "Enter"]);
    terminal.shows("Forward all calls to ›");
    terminal.type_text("605");
    terminal.press(&["Enter"]);
    terminal.shows("all calls forwarded to 605");
    terminal.press(&["Enter"]);
    terminal.wait("no forwarding", |screen| !screen.contains("all calls forwarded"));
    terminal.press(&["Escape"]);
    // A key right behind Esc would be one with Alt.
    terminal.wait("no services", |screen| !screen.contains("when nobody answers"));

    // A command and its target by Tab; the call is in the list then, and is called again from there.
    terminal.type_text(":cal");
    terminal.press(&["Tab"]);
    terminal.type_text(" 602");
    terminal.press(&["Enter"]);
    terminal.shows("486");
    terminal.press(&["b"]);
    terminal.shows("Past calls");
    terminal.shows("failed: 486");
    terminal.press(&["Enter"]);
    terminal.wait("602 called again", |screen| screen.contains("#2 602 486"));
    terminal.press(&["q"]);
    terminal.shows("ended with 0");
}

#[test]
fn the_screen_follows_the_size_of_the_terminal() {
    let Some(terminal) = Terminal::demo() else { return };
    terminal.shows("registered");
    for (columns, rows) in [(132, 43), (60, 16), (80, 24)] {
        terminal.tmux(&["resize-window", "-t", "demo", "-x", &columns.to_string(), "-y", &rows.to_string()]);
        let fills = |screen: &str| {
            let width = screen.lines().next().map_or(0, |line| line.chars().count());
            width == columns && screen.lines().count() == rows && screen.contains("? help")
        };
        terminal.wait(&format!("{columns}x{rows}"), fills);
    }
    // Ctrl-C without a call ends it at once.
    terminal.press(&["C-c"]);
    terminal.shows("ended with");
}
