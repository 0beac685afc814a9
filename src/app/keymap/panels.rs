//! The keys of the picker of devices and of the list of settings.

use super::Key::Char;
use super::Keys::{Either, One};
use super::Shown::{Footer, Help};
use super::when::*;
use super::{Action as A, Binding, Context as C, Key, MAIN, binding};
use crate::app::App;
use crate::app::text;
use crate::phone::command::DeviceRole;

/// They, and what opens them.
pub(super) static ALL: &[Binding] = &[
    binding(MAIN, One(Char(' ')), A::Talk, text::TALK, Footer, can_talk),
    binding(MAIN, One(Char(' ')), A::Talk, text::TALK_ENDS, Footer, is_talking),
    binding(MAIN, One(Char(' ')), A::Talk, text::TALK_BEGINS, Help, can_mute),
    binding(&[C::Devices], One(Key::Enter), A::UseDevice, text::USE_DEVICE, Footer, always),
    binding(&[C::Devices], One(Char('w')), A::KeepDevice, text::KEEP_DEVICE, Footer, always),
    binding(&[C::Devices], One(Char('t')), A::TestSound, text::TEST_SOUND, Footer, is_heard),
    binding(&[C::Devices], One(Key::Tab), A::NextRole, text::NEXT_ROLE, Footer, always),
    binding(&[C::Devices], Either(Key::Up, Char('k')), A::DeviceUp, text::UP, Footer, always),
    binding(&[C::Devices], Either(Key::Down, Char('j')), A::DeviceDown, text::DOWN, Footer, always),
    binding(&[C::Devices], Either(Char('A'), Char('q')), A::Back, text::CLOSE_PANE, Help, always),
    binding(&[C::Settings], Either(Key::Enter, Char(' ')), A::ChangeSetting, text::CHANGE_SETTING, Footer, has_setting),
    binding(&[C::Settings], One(Char('d')), A::ResetSetting, text::RESET_SETTING, Footer, is_set),
    binding(&[C::Settings], One(Char('/')), A::FindSetting, text::FIND_SETTING, Footer, always),
    binding(&[C::Settings], One(Key::Tab), A::OtherSettings, text::OTHER_SETTINGS, Footer, always),
    binding(&[C::Settings], Either(Key::Up, Char('k')), A::Up, text::UP, Footer, always),
    binding(&[C::Settings], Either(Key::Down, Char('j')), A::Down, text::DOWN, Footer, always),
    binding(&[C::Settings], One(Key::PageUp), A::PageUp, text::PAGE_UP, Help, always),
    binding(&[C::Settings], One(Key::PageDown), A::PageDown, text::PAGE_DOWN, Help, always),
    binding(&[C::Settings], Either(Char('S'), Char('q')), A::Back, text::CLOSE_PANE, Help, always),
    binding(&[C::FindSetting], One(Key::Enter), A::Submit, text::KEEP, Footer, always),
    binding(&[C::FindSetting], One(Key::Up), A::Up, text::UP, Footer, has_setting),
    binding(&[C::FindSetting], One(Key::Down), A::Down, text::DOWN, Footer, has_setting),
    binding(&[C::Value], One(Key::Enter), A::Submit, text::SUBMIT_VALUE, Footer, always),
];

fn can_talk(app: &App) -> bool {
    !app.calls.is_empty() && app.muted && !app.talking
}

fn is_talking(app: &App) -> bool {
    !app.calls.is_empty() && app.talking
}

fn is_heard(app: &App) -> bool {
    app.picker().is_some_and(|picker| picker.role != DeviceRole::Input)
}

fn has_setting(app: &App) -> bool {
    app.settings_panel().is_some_and(|panel| panel.chosen().is_some())
}

fn is_set(app: &App) -> bool {
    app.settings_panel().and_then(|panel| panel.chosen()).is_some_and(|row| row.value.is_some())
}
