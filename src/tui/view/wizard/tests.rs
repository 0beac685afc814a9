//! Whole screens of the wizard. To look at them: `snapshots/`.

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::app::wizard::tests::scenes;

fn render(wizard: &Wizard, (columns, rows): (u16, u16), theme: Theme) -> String {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| draw(frame, wizard, theme)).unwrap();
    terminal.backend().to_string()
}

/// What stands in the title of a snapshot: the step, and the place among its stages.
fn named(scenes: &[Wizard]) -> Vec<(String, &Wizard)> {
    let mut names: Vec<(String, &Wizard)> = Vec::new();
    for wizard in scenes {
        let step = words::step(wizard.step).to_lowercase().replace(' ', "_");
        let stage = names.iter().filter(|(name, _)| name.starts_with(&step)).count();
        names.push((format!("{step}_{stage}"), wizard));
    }
    names
}

fn snapshots(size: (u16, u16), suffix: &str) {
    let scenes = scenes();
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        for (name, wizard) in named(&scenes) {
            insta::assert_snapshot!(format!("wizard_{suffix}_{name}"), render(wizard, size, Theme::TERMINAL));
        }
    });
}

#[test]
fn every_step_at_60_columns() {
    snapshots((60, 15), "60");
}

#[test]
fn every_step_at_80_columns() {
    snapshots((80, 24), "80");
}

#[test]
fn every_step_at_200_columns() {
    snapshots((200, 60), "200");
}

#[test]
fn every_size_draws_and_no_colour_says_more_than_words() {
    for wizard in scenes() {
        for size in (1..=90).map(|size| (size, size.min(40))).chain([(40, 10), (200, 5), (10, 60)]) {
            render(&wizard, size, Theme::TERMINAL);
        }
        let (coloured, plain) = (Theme::TERMINAL, Theme { depth: crate::tui::view::Depth::None, ..Theme::TERMINAL });
        assert_eq!(render(&wizard, (80, 24), coloured), render(&wizard, (80, 24), plain));
    }
}

#[test]
fn a_password_is_never_drawn_until_it_is_asked_for() {
    for mut wizard in scenes() {
        if wizard.step == Step::Password && wizard.field().is_some_and(|field| field.text() == "x") {
            let is_typed = wizard.way == crate::app::wizard::Way::Typed;
            let shows = |wizard: &Wizard| render(wizard, (80, 24), Theme::TERMINAL).contains("› x");
            assert_eq!(shows(&wizard), !is_typed);
            wizard.revealed = true;
            assert!(shows(&wizard));
        }
    }
}
