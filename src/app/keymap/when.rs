//! When a line of the table applies.

use crate::app::{App, Whose, compare, layout};
use crate::phone::snapshot::CallStage;

pub(super) fn always(_: &App) -> bool {
    true
}

pub(super) fn ends_with_us(app: &App) -> bool {
    app.settings.phone == Whose::Ours
}

pub(super) fn goes_on(app: &App) -> bool {
    app.settings.phone == Whose::Attached
}

pub(super) fn rings_here(app: &App) -> bool {
    app.ringing_call().is_some()
}

pub(super) fn has_request(app: &App) -> bool {
    app.shown_request().is_some()
}

/// An incoming call that rings is refused instead.
pub(super) fn can_hang_up(app: &App) -> bool {
    app.shown_call().is_some_and(|call| !call.rings_here() && call.stage != CallStage::Ending)
}

pub(super) fn is_active(app: &App) -> bool {
    app.shown_call().is_some_and(|call| call.is_active())
}

pub(super) fn is_not_active(app: &App) -> bool {
    !is_active(app)
}

pub(super) fn is_established(app: &App) -> bool {
    app.shown_call().is_some_and(|call| call.stage == CallStage::Established)
}

pub(super) fn is_held(app: &App) -> bool {
    is_established(app) && !is_active(app)
}

pub(super) fn can_swap(app: &App) -> bool {
    let mut established = app.calls.iter().filter(|call| call.stage == CallStage::Established);
    app.calls.iter().any(|call| call.is_active()) && established.any(|call| call.held)
}

pub(super) fn can_hand_over(app: &App) -> bool {
    app.calls_to_join().is_some()
}

pub(super) fn in_conference(app: &App) -> bool {
    app.calls.iter().any(|call| call.conference)
}

pub(super) fn is_idle(app: &App) -> bool {
    app.calls.is_empty()
}

pub(super) fn is_in_call(app: &App) -> bool {
    !app.calls.is_empty()
}

pub(super) fn has_calls(app: &App) -> bool {
    app.calls.len() > 1
}

pub(super) fn can_mute(app: &App) -> bool {
    !app.muted && !app.calls.is_empty()
}

pub(super) fn is_muted(app: &App) -> bool {
    app.muted
}

pub(super) fn has_accounts(app: &App) -> bool {
    app.accounts.len() > 1
}

pub(super) fn is_undisturbed(app: &App) -> bool {
    !app.dnd.is_empty()
}

pub(super) fn is_disturbed(app: &App) -> bool {
    app.dnd.is_empty()
}

/// The phone knows whom we called last, in this run or before it.
pub(super) fn can_redial(app: &App) -> bool {
    app.book.has_dialled()
}

pub(super) fn has_suggestions(app: &App) -> bool {
    !app.suggestions().is_empty()
}

pub(super) fn can_record(app: &App) -> bool {
    is_established(app) && !is_recorded(app)
}

pub(super) fn is_recorded(app: &App) -> bool {
    app.recorded().is_some()
}

pub(super) fn has_chosen(app: &App) -> bool {
    app.line().is_some_and(|line| line.choice.is_some())
}

pub(super) fn can_choose(app: &App) -> bool {
    let line = app.line().filter(|line| !line.is_browsing());
    line.is_some_and(|line| app.suggestions().len() > line.choice.map_or(0, |choice| choice + 1))
}

pub(super) fn can_go_back(app: &App) -> bool {
    has_dialled(app) && !has_chosen(app)
}

pub(super) fn has_person(app: &App) -> bool {
    app.chosen().is_some()
}

pub(super) fn has_dialled(app: &App) -> bool {
    !app.dialled.is_empty()
}

pub(super) fn has_commands(app: &App) -> bool {
    !app.commands.is_empty()
}

pub(super) fn has_messages(app: &App) -> bool {
    app.trace.selected().is_some()
}

pub(super) fn has_figures(app: &App) -> bool {
    app.shown_call().is_some_and(|call| call.stats.is_some())
}

pub(super) fn is_wide(app: &App) -> bool {
    app.size.0 >= layout::WIDE
}

pub(super) fn has_rows(app: &App) -> bool {
    app.trace.visible_len() > 0
}

pub(super) fn has_call_trace(app: &App) -> bool {
    app.selected.is_some_and(|call| app.trace.call_id(call).is_some())
}

pub(super) fn has_past_call(app: &App) -> bool {
    app.chosen_call().is_some()
}

pub(super) fn has_answer(app: &App) -> bool {
    compare::offer_and_answer(&app.trace).is_some()
}

pub(super) fn can_filter(app: &App) -> bool {
    has_rows(app) && !is_filtered(app)
}

pub(super) fn is_filtered(app: &App) -> bool {
    app.trace.filter().is_some()
}
