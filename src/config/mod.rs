//! The configuration: flags over `OFFHOOK_*` variables over the file over the defaults.
//!
//! [`load()`] reads it all into a [`Config`].
//!
//! | file | what |
//! |---|---|
//! | [`account`], [`mod@sip`], [`mod@audio`], [`calls`], [`network`], [`ui`], [`hooks`], [`mod@exchange`], [`services`] | a section each: what it holds, its defaults, the table of its keys |
//! | [`keys`] | a key, and how its value is read |
//! | [`read`] | walks the TOML with these tables |
//! | [`load`](mod@load) | joins the sources |
//! | [`resolve`] | turns the result into what the core wants |
//! | [`secret`] | fetches passwords when they are needed |
//! | [`address`], [`nearest()`] | which addresses this build can use; the word that was meant |
//! | [`edit`], [`mod@file`], [`settings`] | changes one key in the file's text, writes it back, says what can be changed so |
//! | [`instance`], [`error`] | the urn of this phone; what is wrong, and where |

pub mod account;
pub mod address;
pub mod audio;
pub mod calls;
pub mod edit;
pub mod error;
pub mod exchange;
pub mod file;
pub mod hooks;
pub mod instance;
pub mod keys;
pub mod load;
pub mod nearest;
pub mod network;
pub mod read;
pub mod resolve;
pub mod secret;
pub mod services;
pub mod settings;
pub mod sip;
pub mod ui;

pub use account::{Account, Events, RealmCredentials};
pub use audio::{Audio, Latency};
pub use calls::{Calls, Dtmf, HoldMusic};
pub use error::{ConfigError, Place};
pub use hooks::Hooks;
pub use load::{Environment, Loaded, Notice, Overrides, default_path, load};
pub use nearest::nearest;
pub use network::Network;
pub use resolve::user_agent;
pub use secret::{Secret, SecretError};
pub use sip::Sip;
pub use ui::{Notify, Ui};

/// The commented file that `config init` writes. As it stands it changes nothing: every setting in it is commented out.
pub const EXAMPLE: &str = include_str!("../../config.example.toml");

/// Everything.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// `[[account]]`.
    pub accounts: Vec<Account>,
    /// `[sip]`.
    pub sip: Sip,
    /// `[audio]`.
    pub audio: Audio,
    /// `[calls]`.
    pub calls: Calls,
    /// `[network]`.
    pub network: Network,
    /// `[ui]`.
    pub ui: Ui,
    /// `[hooks]`.
    pub hooks: Hooks,
    /// `[exchange]`.
    pub exchange: exchange::Exchange,
    /// `[[screening]]`, in their order.
    pub screening: Vec<crate::services::screening::Rule>,
    /// `[[dialplan]]`, in their order.
    pub dialplan: Vec<crate::services::dialplan::Rewrite>,
    /// `[speed_dial]`.
    pub speed_dial: std::collections::BTreeMap<String, String>,
    /// Where things are remembered; not in the file.
    pub files: Files,
}

/// Where things are remembered; `None`: nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Files {
    /// The calls that were.
    pub history: Option<std::path::PathBuf>,
    /// What was switched on: forwarding, do not disturb.
    pub switches: Option<std::path::PathBuf>,
    /// The contacts.
    pub contacts: Option<std::path::PathBuf>,
    /// A folder for recordings that the person gives no name.
    pub recordings: Option<std::path::PathBuf>,
}

impl Files {
    /// The person's own: `~/.local/state/offhook` and `~/.config/offhook/contacts.toml`, or where XDG_STATE_HOME and
    /// XDG_CONFIG_HOME say.
    pub fn of_person() -> Files {
        use etcetera::BaseStrategy as _;
        let Ok(strategy) = etcetera::choose_base_strategy() else { return Files::default() };
        let state = strategy.state_dir().unwrap_or_else(|| strategy.data_dir()).join("offhook");
        Files {
            history: Some(state.join("history.jsonl")),
            switches: Some(state.join("switches.json")),
            recordings: Some(strategy.data_dir().join("offhook").join("recordings")),
            contacts: Some(strategy.config_dir().join("offhook").join("contacts.toml")),
        }
    }
}

impl Config {
    /// The numbers that no service touches.
    pub fn emergency(&self) -> crate::services::screening::Emergency {
        crate::services::screening::Emergency::new(&self.calls.emergency)
    }

    /// What becomes of a number that is dialled.
    pub fn dial_plan(&self) -> crate::services::dialplan::DialPlan {
        crate::services::dialplan::DialPlan {
            rules: self.dialplan.clone(),
            speed_dial: self.speed_dial.clone(),
            emergency: self.emergency(),
        }
    }
}
