//! The pictures of the README and of each theme, made from the screens themselves. They fail when they are stale;
//! `UPDATE_SCREENS=1 cargo test --lib screens` makes them anew.

use std::path::Path;

use super::svg::{self, Paper};
use super::*;

fn is_current(file: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("UPDATE_SCREENS").is_some_and(|value| !value.is_empty()) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        return std::fs::write(&path, made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == made, "{file} is stale: run UPDATE_SCREENS=1 cargo test --lib screens");
}

const TRUE_DARK: Theme = Theme { palette: Palette::Dark, depth: Depth::True, glyphs: Glyphs::Unicode };

fn picture(name: &str, scene: &Scene, theme: Theme, paper: &Paper) {
    let terminal = render(&scene.app, scene.app.size, theme);
    is_current(&format!("assets/screens/{name}.svg"), &svg::draw(terminal.backend().buffer(), "offhook", paper));
}

#[test]
fn pictures_of_the_screens() {
    picture("call", &Scene::of_a_day(96, 28), TRUE_DARK, &svg::DARK);
    picture("ladder", &with(Scene::of_a_day(96, 24), |scene| drop(scene.keys("I"))), TRUE_DARK, &svg::DARK);
    picture("wide", &Scene::of_a_day(190, 46), TRUE_DARK, &svg::DARK);
    picture("people", &with(Scene::of_a_day(96, 24), |scene| drop(scene.keys("b"))), TRUE_DARK, &svg::DARK);
}

#[test]
fn pictures_of_the_themes() {
    let light = Theme { palette: Palette::Light, ..TRUE_DARK };
    let contrast = Theme { palette: Palette::Contrast, depth: Depth::Sixteen, ..TRUE_DARK };
    let light_sixteen = Theme { depth: Depth::Sixteen, ..light };
    let ascii = Theme { glyphs: Glyphs::Ascii, ..Theme::TERMINAL };
    for (name, theme, paper) in [
        ("dark", TRUE_DARK, &svg::DARK),
        ("light", light, &svg::LIGHT),
        ("contrast", contrast, &svg::DARK),
        ("sixteen", Theme::TERMINAL, &svg::DARK),
        ("light-sixteen", light_sixteen, &svg::LIGHT),
        ("none", PLAIN, &svg::DARK),
        ("ascii", ascii, &svg::DARK),
    ] {
        picture(&format!("theme-{name}"), &Scene::of_a_day(80, 24), theme, paper);
    }
}

/// The screen that stands in the README as a text.
#[test]
fn the_readme_shows_the_ladder_as_it_is() {
    let scene = with(Scene::of_a_day(80, 24), |scene| drop(scene.keys("I")));
    let terminal = render(&scene.app, scene.app.size, Theme::TERMINAL);
    let buffer = terminal.backend().buffer();
    let rows = (0..buffer.area.height).map(|y| {
        let row: String = (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
        format!("    {row}").trim_end().to_owned()
    });
    let screen = rows.collect::<Vec<_>>().join("\n");
    let (begin, end) = ("<!-- screen: made by the tests -->\n\n", "\n\n<!-- end of screen -->");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let (before, rest) = readme.split_once(begin).expect("the README has a place for it");
    let (_, after) = rest.split_once(end).expect("and it ends");
    is_current("README.md", &format!("{before}{begin}{screen}{end}{after}"));
}

#[test]
fn in_ascii_nothing_else_shows() {
    let ascii = Theme { glyphs: Glyphs::Ascii, ..Theme::TERMINAL };
    for scene in scenes().into_iter().chain([Scene::of_a_day(200, 60)]) {
        let terminal = render(&scene.app, scene.app.size, ascii);
        let strange = terminal.backend().buffer().content().iter().find(|cell| !cell.symbol().is_ascii());
        assert_eq!(strange, None);
    }
}

#[test]
fn lamps_and_registrations_are_told_apart_without_colour_and_in_ascii() {
    for glyphs in [Glyphs::Unicode, Glyphs::Ascii] {
        let scene = people(80, 40);
        let terminal = render(&scene.app, (80, 40), Theme { glyphs, ..PLAIN });
        let buffer = terminal.backend().buffer().clone();
        let sign = |name: &str| {
            let row = |y: u16| (0..80).map(|x| buffer[(x, y)].symbol()).collect::<String>();
            let y = (0..40).find(|y| row(*y).contains(name)).unwrap_or_else(|| panic!("no {name}"));
            buffer[(3, y)].symbol().to_owned()
        };
        let signs = ["Bob Builder", "Carol", "Dave", "Erin", "desk"].map(sign);
        for (place, sign) in signs.iter().enumerate() {
            assert!(!signs[..place].contains(sign), "{sign} twice in {signs:?}");
        }
    }
}
