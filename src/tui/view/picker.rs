//! The picker of devices, over everything else.

use ratatui::Frame;
use ratatui::layout::Rect;

use crate::app::devices::{Picker, ROLES};
use crate::app::{App, text};

use super::devices::{self, Shows};
use super::fit::pop_up;
use super::theme::Theme;

/// Columns inside, where there is room.
const COLUMNS: u16 = 70;
/// Rows besides the choices.
const FIXED: usize = 7;

/// Draws it.
pub fn draw(frame: &mut Frame, area: Rect, app: &App, picker: &Picker, theme: Theme) {
    let most = ROLES.iter().map(|role| picker.choices(*role).len()).max().unwrap_or(0);
    let rows = u16::try_from(most.max(3) + FIXED).unwrap_or(u16::MAX);
    let columns = COLUMNS.min(area.width.saturating_sub(4));
    let style = theme.accent().patch(theme.strong());
    let inner = pop_up(frame, area, (columns + 2, rows), text::DEVICES_TITLE, style);
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let call = (!app.calls.is_empty()).then_some(app.levels.input);
    devices::draw(frame, inner, picker, (Shows::Current, call), theme);
}
