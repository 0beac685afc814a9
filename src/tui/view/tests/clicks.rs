//! What can be clicked is where it shows.

use super::*;
use crate::app::mouse::Target;

fn drawn(scene: &Scene) -> (Buffer, Hits) {
    let (columns, rows) = scene.app.size;
    let mut hits = Hits::default();
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| hits = draw(frame, &scene.app, Theme::TERMINAL)).unwrap();
    (terminal.backend().buffer().clone(), hits)
}

fn words(buffer: &Buffer, place: Rect) -> String {
    let cells = (place.x..place.right()).map(|x| buffer[(x, place.y)].symbol());
    cells.collect::<String>().trim().to_owned()
}

#[test]
fn each_key_of_the_footer_is_hit_where_its_name_stands() {
    for scene in [Scene::two_calls(80, 24), Scene::two_calls(60, 15), people(80, 24), Scene::two_calls(200, 60)] {
        let (buffer, hits) = drawn(&scene);
        let mut keys = 0;
        for (place, target) in hits.all() {
            let Target::Key(key) = target else { continue };
            assert!(words(&buffer, place).starts_with(&text::key(key)), "{key:?} in {place:?}");
            assert_eq!(hits.at(place.x + 1, place.y), Some(target));
            keys += 1;
        }
        assert!(keys > 3);
    }
}

#[test]
fn the_keys_of_a_pop_up_are_hit() {
    let scene = with(Scene::established(60, 15), |scene| drop(scene.incoming(2)));
    let (buffer, hits) = drawn(&scene);
    let answer = hits.all().find(|(_, target)| *target == Target::Key(Key::Char('a')));
    assert_eq!(answer.map(|(place, _)| words(&buffer, place)).as_deref(), Some("a answer"));
}

#[test]
fn rows_are_hit_where_they_show() {
    let scene = with(Scene::two_calls(200, 60).with_trace().with_people(), |_| {});
    let (buffer, hits) = drawn(&scene);
    let mut seen = [false; 3];
    for (place, target) in hits.all() {
        let words = words(&buffer, place);
        match target {
            Target::Call(no) => {
                seen[0] = true;
                assert!(words.contains(&no.to_string()), "{words}");
            }
            Target::Rung(0) => {
                seen[1] = true;
                assert!(words.contains("INVITE") || words.contains("RTP"), "{words}");
            }
            Target::Person(crate::app::people::List::Contacts, 0) => {
                seen[2] = true;
                assert!(words.contains("Bob Builder"), "{words}");
            }
            _ => {}
        }
    }
    assert_eq!(seen, [true; 3]);
}
