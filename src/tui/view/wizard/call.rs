//! The steps in which something is tried: the call to the echo, and the registration.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span, Text};

use crate::app::text;
use crate::app::wizard::outcome::{of_call, of_trial};
use crate::app::wizard::{CallStage, Trial, Wizard, words};

use super::super::fit::{both_ends, fit};
use super::super::meter::meter;
use super::super::theme::Theme;
use super::{question, result};

/// The call to the echo.
pub fn draw_call(frame: &mut Frame, area: Rect, wizard: &Wizard, theme: Theme) {
    let columns = usize::from(area.width);
    let mut lines = question(words::ASK_CALL, words::ABOUT_CALL, area, theme);
    match &wizard.call {
        CallStage::None => {}
        CallStage::Starting => lines.push(Line::styled(words::STARTING, theme.dim())),
        CallStage::Talking { input, output, seconds } => {
            let bar = columns.min(60);
            let said = Span::styled(words::TALKING, theme.good());
            lines.push(both_ends(said, Span::styled(text::duration(*seconds), theme.dim()), bar));
            lines.push(Line::from(meter("mic", *input, None, bar, theme)));
            lines.push(Line::from(meter("ear", *output, None, bar, theme)));
        }
        CallStage::Over(called) => lines.extend(result(&of_call(called), columns, theme)),
    }
    frame.render_widget(Text::from(lines), area);
}

/// The registration.
pub fn draw_trial(frame: &mut Frame, area: Rect, wizard: &Wizard, theme: Theme) {
    let columns = usize::from(area.width);
    let account = wizard.account();
    let (uri, host) = account.map(|account| (account.uri, account.host)).unwrap_or_default();
    let mut lines = question(words::ASK_REGISTER, &words::about_register(&uri, &host), area, theme);
    match &wizard.trial {
        Trial::None => {}
        Trial::Running(seconds) => {
            lines.push(Line::styled(fit(&words::trying(&host, *seconds), columns), theme.dim()));
        }
        Trial::Over(tried) => lines.extend(result(&of_trial(tried), columns, theme)),
    }
    frame.render_widget(Text::from(lines), area);
}
