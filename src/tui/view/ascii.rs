//! The screen in ASCII, for terminals whose locale is not UTF-8.

use ratatui::buffer::Buffer;
use unicode_width::UnicodeWidthStr;

/// Signs that the screen uses, and what stands for each.
const SIGNS: &[(&str, &str)] = &[
    ("─", "-"),
    ("━", "="),
    ("═", "="),
    ("╌", "."),
    ("┄", "."),
    ("│", "|"),
    ("┼", "+"),
    ("╭", "+"),
    ("╮", "+"),
    ("╰", "+"),
    ("╯", "+"),
    ("←", "<"),
    ("→", ">"),
    ("↑", "^"),
    ("↓", "v"),
    ("▸", ">"),
    ("›", ">"),
    ("…", "~"),
    ("●", "*"),
    ("○", "o"),
    ("◌", "."),
    ("■", "#"),
    ("♪", "!"),
    ("◆", "E"),
    ("◇", "e"),
    ("×", "x"),
    ("≠", "!"),
    ("·", "-"),
    ("•", "*"),
    ("Δ", "+"),
    ("▁", "_"),
    ("▂", "."),
    ("▃", ","),
    ("▄", "-"),
    ("▅", "="),
    ("▆", "+"),
    ("▇", "*"),
    ("█", "#"),
];

/// Replaces what is not ASCII: signs by what stands for them, letters by a question mark.
pub fn replace(buffer: &mut Buffer) {
    let columns = usize::from(buffer.area.width).max(1);
    let mut covered = 0;
    for (place, cell) in buffer.content.iter_mut().enumerate() {
        if place % columns == 0 {
            covered = 0;
        }
        if covered > 0 {
            // The second half of a wide character.
            covered -= 1;
            cell.set_symbol(" ");
            continue;
        }
        if cell.symbol().is_ascii() {
            continue;
        }
        covered = cell.symbol().width().saturating_sub(1);
        let sign = SIGNS.iter().find(|(sign, _)| *sign == cell.symbol()).map_or("?", |(_, ascii)| ascii);
        cell.set_symbol(sign);
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn nothing_moves() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 2));
        buffer.set_string(0, 0, "▸ ● Zoë 山", Style::new());
        buffer.set_string(0, 1, "─▇…→ bob", Style::new());
        replace(&mut buffer);
        let text: Vec<&str> = buffer.content.iter().map(|cell| cell.symbol()).collect();
        assert_eq!(text.concat(), "> * Zo? ?   -*~> bob    ");
    }
}
