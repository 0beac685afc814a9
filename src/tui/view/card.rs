//! The call in front: who it is, how it stands, both directions' levels, the figures of its sound.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span, Text};

use crate::app::call::Call;
use crate::app::requests::Asks;
use crate::app::{App, text};
use crate::phone::snapshot::CallStage;

use super::calls::{arrow, lock_style, state_style};
use super::fit::{block, both_ends, left};
use super::graph;
use super::meter::meter;
use super::theme::Theme;

/// Rows of the card.
pub const ROWS: u16 = 9;
/// Rows of the card on a small screen.
pub const COMPACT_ROWS: u16 = 6;
/// Rows of the card on the smallest.
pub const SMALLEST_ROWS: u16 = 4;

/// Draws it in [`ROWS`], [`COMPACT_ROWS`] or [`SMALLEST_ROWS`].
pub fn draw(frame: &mut Frame, area: Rect, app: &App, call: &Call, theme: Theme) {
    let style = state_style(call, theme);
    let state = format!(" {} {} {} ", call.no, arrow(call.incoming), text::call_state(call));
    let since = call.answered.unwrap_or(call.began);
    let block = block(Line::styled(state, style.patch(theme.strong())), theme)
        .title(Line::styled(format!(" {} ", text::duration(app.since(since))), style).right_aligned());
    let inner = block.inner(area);
    frame.render_widget(block, area);
    // A column of air on both sides.
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let columns = usize::from(inner.width);
    let lines = if area.height >= ROWS {
        vec![
            name(call, columns, theme),
            address(app, call, columns, theme),
            notes(app, call, columns, theme),
            Line::from(microphone(app, call, columns, theme)),
            Line::from(speaker(app, call, columns, theme)),
            graph_row(app, call, columns, theme),
            figures(call, columns, theme),
        ]
    } else {
        let (half, gap) = (columns.saturating_sub(3) / 2, Span::raw("   "));
        // What stands in place of the meters takes the whole row.
        let half = if has_sound(call) { half } else { columns };
        let mut meters = microphone(app, call, half, theme);
        meters.push(gap);
        meters.extend(speaker(app, call, half, theme));
        let name = both_names(call, columns, theme);
        if area.height >= COMPACT_ROWS {
            vec![name, notes(app, call, columns, theme), Line::from(meters), figures(call, columns, theme)]
        } else {
            vec![name, Line::from(meters)]
        }
    };
    frame.render_widget(Text::from(lines), inner);
}

fn name(call: &Call, columns: usize, theme: Theme) -> Line<'static> {
    let codec = call.codec.clone().unwrap_or_default();
    both_ends(Span::styled(call.who().to_owned(), theme.strong()), Span::styled(codec, theme.dim()), columns)
}

fn address(app: &App, call: &Call, columns: usize, theme: Theme) -> Line<'static> {
    let address = if call.name.is_some() { call.peer.clone() } else { String::new() };
    let account = call.account.as_deref().filter(|_| app.accounts.len() > 1);
    let account = account.map(text::via_account).unwrap_or_default();
    both_ends(Span::raw(address), Span::styled(account, theme.dim()), columns)
}

/// Name, address and codec in one row.
fn both_names(call: &Call, columns: usize, theme: Theme) -> Line<'static> {
    let who = match &call.name {
        Some(name) => format!("{name}  {}", call.peer),
        None => call.peer.clone(),
    };
    let codec = call.codec.clone().unwrap_or_default();
    both_ends(Span::styled(who, theme.strong()), Span::styled(codec, theme.dim()), columns)
}

/// What is out of the ordinary.
fn notes(app: &App, call: &Call, columns: usize, theme: Theme) -> Line<'static> {
    let mut notes = Vec::new();
    if app.request_of(call.no).is_some_and(|request| request.asks == Asks::Transfer) {
        notes.push(Span::styled(text::ASKS_TRANSFER, theme.warning()));
    }
    if let Some((stage, code)) = call.transfer {
        notes.push(Span::styled(text::transfer(stage, code), theme.warning()));
    }
    if app.talking && call.is_active() {
        let on_air = if app.tells_releases { text::ON_AIR_HELD } else { text::ON_AIR };
        notes.push(Span::styled(on_air, theme.bad()));
    }
    if let Some(seconds) = call.media_lost {
        notes.push(Span::styled(text::media_lost(seconds), theme.bad()));
    }
    for warning in app.warnings.iter().filter(|_| call.is_active()) {
        notes.push(Span::styled(text::warning(*warning), theme.bad()));
    }
    if app.recorded().is_some_and(|recorded| recorded == call.no || call.conference) {
        notes.push(Span::styled(text::RECORDED, theme.bad()));
    }
    if app.volume != 0.0 && call.is_active() {
        notes.push(Span::styled(text::gain(app.volume), theme.dim()));
    }
    let lock = call.security.lock();
    if let Some(words) = text::lock(&call.security) {
        notes.push(Span::styled(format!("{}{words}", text::lock_mark(lock)), lock_style(lock, theme)));
    }
    if let Some(who) = &call.diverted_from {
        notes.push(Span::styled(text::forwarded_by(who), theme.dim()));
    }
    let mut spans = Vec::new();
    for note in notes {
        if !spans.is_empty() {
            spans.push(Span::styled(" · ", theme.dim()));
        }
        let used: usize = spans.iter().map(Span::width).sum();
        if used + note.width() <= columns || spans.is_empty() {
            spans.push(note);
        }
    }
    Line::from(spans)
}

fn has_sound(call: &Call) -> bool {
    match call.stage {
        CallStage::Early => true,
        CallStage::Established => !call.held,
        CallStage::Calling | CallStage::Ringing | CallStage::Ending => false,
    }
}

fn microphone(app: &App, call: &Call, columns: usize, theme: Theme) -> Vec<Span<'static>> {
    // Before the answer the microphone is closed.
    if !has_sound(call) || call.stage == CallStage::Early {
        return vec![Span::styled(left(text::without_sound(call), columns), theme.dim())];
    }
    meter(text::MICROPHONE, app.levels.input, app.muted.then_some(text::MUTED), columns, theme)
}

fn speaker(app: &App, call: &Call, columns: usize, theme: Theme) -> Vec<Span<'static>> {
    if !has_sound(call) {
        return vec![Span::raw(left("", columns))];
    }
    meter(text::SPEAKER, app.levels.output, None, columns, theme)
}

/// The chosen figure over time, once there are two values.
fn graph_row(app: &App, call: &Call, columns: usize, theme: Theme) -> Line<'static> {
    match call.past_stats.len() {
        0 | 1 => Line::default(),
        _ => Line::from(graph::graph(call, app.graph, columns, theme)),
    }
}

fn figures(call: &Call, columns: usize, theme: Theme) -> Line<'static> {
    let Some(stats) = &call.stats else {
        let text = if call.is_active() { text::NO_FIGURES } else { "" };
        return Line::styled(text, theme.dim());
    };
    let mut spans: Vec<Span> = Vec::new();
    let mut used = 0;
    for (name, figure) in text::figures(stats) {
        let pair = [Span::styled(format!("{name} "), theme.dim()), Span::raw(format!("{figure}   "))];
        used += pair.iter().map(Span::width).sum::<usize>();
        // The blanks after the last one need no room.
        if used > columns + 3 {
            break;
        }
        spans.extend(pair);
    }
    Line::from(spans)
}
