//! The step of the devices.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Text};

use crate::app::wizard::{Wizard, words};

use super::super::devices::{self, Shows};
use super::super::theme::Theme;
use super::split;

/// Draws it.
pub fn draw(frame: &mut Frame, area: Rect, wizard: &Wizard, theme: Theme) {
    let (above, below) = split(area, if area.height >= 13 { 2 } else { 1 });
    frame.render_widget(Text::from(vec![Line::styled(words::ASK_SOUND, theme.strong())]), above);
    devices::draw(frame, below, &wizard.picker, (Shows::Cursor, None), theme);
}
