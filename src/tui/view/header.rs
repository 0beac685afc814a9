//! The header: the program, where it listens, and each account with its registration.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::app::calls::Account;
use crate::app::{App, Whose, text};
use crate::phone::snapshot::Registration;

use super::fit::{fit, left, width};
use super::theme::Theme;

/// Accounts that show at most.
const ACCOUNTS: usize = 3;

/// Rows that the header takes.
pub fn rows(app: &App) -> u16 {
    let accounts = app.accounts.len().clamp(1, ACCOUNTS + 1);
    let switched = u16::from(!text::switched_on(app).is_empty());
    1 + switched + u16::try_from(accounts).unwrap_or(1)
}

/// Draws it.
pub fn draw(frame: &mut Frame, area: Rect, app: &App, theme: Theme) {
    let columns = usize::from(area.width);
    let mut lines = vec![title(app, columns, theme)];
    if app.accounts.is_empty() {
        lines.push(Line::styled(format!("  {}", text::NO_ACCOUNT), theme.dim()));
    }
    let names = app.accounts.iter().map(|account| width(&account.name)).max().unwrap_or(0).clamp(4, 16);
    for account in app.accounts.iter().take(ACCOUNTS) {
        lines.push(row(account, names, columns, app.settings.utc_offset, theme));
    }
    if app.accounts.len() > ACCOUNTS {
        let more = text::more_accounts(app.accounts.len() - ACCOUNTS);
        lines.push(Line::styled(format!("    {more}"), theme.dim()));
    }
    let switched = text::switched_on(app);
    if !switched.is_empty() {
        lines.push(Line::styled(format!("  {}", fit(&switched, columns.saturating_sub(4))), theme.warning()));
    }
    frame.render_widget(ratatui::text::Text::from(lines), area);
}

fn title(app: &App, columns: usize, theme: Theme) -> Line<'static> {
    let at = match app.settings.phone {
        Whose::Ours => app.settings.listen.clone(),
        Whose::Attached => text::attached_to(&app.settings.listen),
    };
    let listen = fit(&at, columns.saturating_sub(16));
    let rule = columns.saturating_sub(width(text::NAME) + width(&listen) + 8);
    Line::from(vec![
        Span::styled("── ", theme.border()),
        Span::styled(text::NAME, theme.accent().patch(theme.strong())),
        Span::styled(format!(" {} ", "─".repeat(rule)), theme.border()),
        Span::styled(listen, theme.dim()),
        Span::styled(" ──", theme.border()),
    ])
}

fn row(account: &Account, names: usize, columns: usize, utc_offset: i32, theme: Theme) -> Line<'static> {
    let (mark, style) = mark(account.registration, theme);
    let messages = text::messages(account).unwrap_or_default();
    let state = text::registration(account.registration);
    let used = 2 + 2 + names + 2 + 14 + 2;
    let rest = columns.saturating_sub(used + 1);
    let messages = fit(&messages, rest.saturating_sub(10));
    let gap = if messages.is_empty() { 0 } else { 2 };
    let detail = rest.saturating_sub(width(&messages) + gap);
    let detail = left(&text::account_detail(account, utc_offset), detail) + &" ".repeat(gap);
    let detail_style = if account.reason.is_some() { style } else { theme.dim() };
    Line::from(vec![
        Span::styled(format!("  {mark} "), style),
        Span::styled(left(&account.name, names), theme.strong()),
        Span::styled(format!("  {}  ", left(state, 14)), style),
        Span::styled(detail, detail_style),
        Span::styled(messages, theme.warning()),
    ])
}

fn mark(registration: Registration, theme: Theme) -> (&'static str, Style) {
    match registration {
        Registration::Off => ("○", theme.dim()),
        Registration::Registering => ("◌", theme.warning()),
        Registration::Registered => ("●", theme.good()),
        Registration::Failed => ("×", theme.bad()),
    }
}
