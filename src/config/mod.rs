//! The configuration: flags over `OFFHOOK_*` variables over the file over the defaults.
//!
//! [`load()`] reads it all into a [`Config`]; [`keys`] is the table of what may stand in the file, [`read`] walks the TOML with it,
//! [`load`](mod@load) joins the sources, [`resolve`] turns the result into what the core wants, [`secret`] fetches passwords
//! when they are needed, [`mod@exchange`] is the section of the embedded exchange, [`address`] says which addresses this build can use, [`nearest()`] finds the word that was meant;
//! [`edit`] changes one key in the file's text, [`mod@file`] writes it back, [`settings`] says what can be changed so.

pub mod address;
pub mod edit;
pub mod error;
pub mod exchange;
pub mod file;
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
pub mod ui;

use crate::media::processing::Settings;
use crate::media::tones::countries::{self, Country};

pub use error::{ConfigError, Place};
pub use load::{Environment, Loaded, Notice, Overrides, default_path, load};
pub use nearest::nearest;
pub use network::Network;
pub use resolve::user_agent;
pub use secret::{Secret, SecretError};
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

/// Programs that are run, each with its arguments; empty: none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hooks {
    /// When a call comes in and rings.
    pub incoming: Vec<String>,
    /// When a call is answered, here or there.
    pub answered: Vec<String>,
    /// When a call has ended.
    pub ended: Vec<String>,
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

/// `[[account]]`. Addresses are checked when the file is read.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// Its name; the URI's user when none is given.
    pub name: String,
    /// The address of record, e.g. `sip:alice@pbx.example.com`.
    pub uri: String,
    /// The name in From.
    pub display_name: Option<String>,
    /// Where the password comes from.
    pub password: Secret,
    /// The digest user; default: the URI's user.
    pub auth_user: Option<String>,
    /// Default: the URI's host.
    pub registrar: Option<String>,
    /// Outbound proxies: alternatives, each a chain of one or more.
    pub proxies: Vec<Vec<String>>,
    /// Seconds.
    pub expires: u32,
    /// Whether it registers by itself.
    pub register: bool,
    /// Whether its calls are encrypted; default: as `[sip]` says.
    pub srtp: Option<crate::ua::config::SrtpPolicy>,
    /// Where the keys for that come from in its offers; default: as `[sip]` says.
    pub srtp_keying: Option<crate::ua::config::SrtpKeying>,
    /// Further realms.
    pub credentials: Vec<RealmCredentials>,
    /// The voice mailbox's address.
    pub voicemail: Option<String>,
    /// Whether the address at which the registrar sees us comes into our Contact.
    pub rewrite_contact: bool,
    /// Whether the registrar is asked for GRUUs, which are our Contact in calls then.
    pub gruu: bool,
    /// What it subscribes to.
    pub events: Events,
}

/// What an account subscribes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Events {
    /// `mwi`: voice messages.
    pub message_waiting: crate::ua::config::MessageWaiting,
    /// Watched addresses: `sip:201@pbx`, `Bob <sip:201@pbx>`, or a number at the account's host.
    pub watch: Vec<String>,
    /// `reg_events`: the bindings of other devices.
    pub registrations: bool,
}

impl Default for Events {
    fn default() -> Self {
        Events { message_waiting: crate::ua::config::MessageWaiting::Auto, watch: Vec::new(), registrations: false }
    }
}

impl Events {
    /// Subscribes to nothing: for commands that end before an answer matters.
    pub fn none() -> Events {
        Events { message_waiting: crate::ua::config::MessageWaiting::Never, ..Events::default() }
    }
}

/// Credentials of a further realm.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct RealmCredentials {
    pub realm: String,
    pub user: String,
    pub password: Secret,
}

/// `[sip]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Sip {
    /// The address to listen at; port 0: any free one.
    pub listen: std::net::SocketAddr,
    /// Whether the file, a variable or a flag gave it: then a port in use is an error (exit code 6).
    pub listen_is_configured: bool,
    /// Seconds between the datagrams that keep a way through a translator open; 0: none.
    pub keep_alive: u32,
    /// The urn of this phone (see [`instance`]); no key of the file.
    pub instance: Option<String>,
    /// Whether calls are encrypted; an account may say otherwise.
    pub srtp: crate::ua::config::SrtpPolicy,
    /// Where the keys for that come from in our offers; an account may say otherwise.
    pub srtp_keying: crate::ua::config::SrtpKeying,
    /// TLS: whom to believe, who we are.
    pub tls: crate::net::TlsOptions,
}

/// `[audio]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Audio {
    /// A device, `null`, `tone:440`, or a .wav file (looped).
    pub input: String,
    /// A device, `null`, or a .wav file (written).
    pub output: String,
    /// A device or `null`.
    pub ring: String,
    /// Codec names in order of preference, as configured (those unknown to this build are skipped with a notice).
    pub codecs: Vec<String>,
    /// Milliseconds a packet, 10 to 60.
    pub ptime: u8,
    /// Whether silence is sent.
    pub dtx: crate::media::codec::Dtx,
    /// Device periods.
    pub latency: Latency,
    /// Whose tones of ringing, busy and congestion are heard.
    pub tones: &'static Country,
    /// A WAV file to ring with, in place of the built-in tone.
    pub ring_tone: Option<std::path::PathBuf>,
    /// `echo_cancellation`, `noise_suppression`, `auto_gain`.
    pub processing: Settings,
}

/// Device periods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Latency {
    /// 10 ms in, 5 ms out.
    Low,
    /// 20 ms both.
    Safe,
}

/// `[calls]`.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Calls {
    pub auto_answer: crate::ua::config::AutoAnswer,
    /// Milliseconds; 0: at once.
    pub auto_answer_after: u64,
    pub max_calls: usize,
    pub hold: crate::sdp::HoldStyle,
    pub transfers: crate::ua::config::TransferPolicy,
    pub redirects: crate::ua::config::TransferPolicy,
    pub refer_outside: bool,
    pub bye_also: bool,
    /// Callers whose wish to be answered at once is granted; `*` stands for anything.
    pub auto_answer_from: Vec<String>,
    /// Seconds.
    pub ring_timeout: u64,
    pub reliable_ringing: bool,
    /// Seconds; 0: no session timer of our own.
    pub session_expires: u64,
    pub dtmf: Dtmf,
    pub direct_calls: Option<bool>,
    /// Numbers that screening, forwarding, do not disturb and the dial plan never touch.
    pub emergency: Vec<String>,
    /// The status code that a caller gets while the person is not to be disturbed.
    pub dnd: u16,
    /// Where calls are parked: a target, or `dtmf:` and digits.
    pub park: Option<String>,
    /// A busy number that we called is called again by itself.
    pub redial_busy: bool,
    /// Seconds between these calls.
    pub redial_every: u32,
    /// How many of them.
    pub redial_times: u32,
    pub hold_music: HoldMusic,
}

/// What the other side hears while we hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HoldMusic {
    /// Nothing.
    None,
    /// A quiet tone every few seconds.
    Tone,
    /// A .wav file, looped.
    File(String),
}

/// How digits are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Dtmf {
    /// telephone-event where offered, else as tones.
    Auto,
    Rfc4733,
    Info,
    Inband,
}

impl Default for Sip {
    fn default() -> Self {
        Sip {
            listen: std::net::SocketAddr::from(([0, 0, 0, 0], 5060)),
            listen_is_configured: false,
            tls: crate::net::TlsOptions::default(),
            keep_alive: 30,
            srtp: Default::default(),
            srtp_keying: Default::default(),
            instance: None,
        }
    }
}

impl Default for Audio {
    fn default() -> Self {
        Audio {
            input: "default".into(),
            output: "default".into(),
            ring: "default".into(),
            codecs: ["opus", "G722", "PCMU", "PCMA"].map(String::from).to_vec(),
            ptime: 20,
            dtx: crate::media::codec::Dtx::WhenAsked,
            latency: Latency::Low,
            tones: countries::EUROPE,
            ring_tone: None,
            processing: Settings::default(),
        }
    }
}

impl Default for Calls {
    fn default() -> Self {
        Calls {
            auto_answer: crate::ua::config::AutoAnswer::Never,
            auto_answer_after: 0,
            max_calls: 8,
            hold: crate::sdp::HoldStyle::Zero,
            transfers: crate::ua::config::TransferPolicy::Ask,
            redirects: crate::ua::config::TransferPolicy::Ask,
            refer_outside: false,
            bye_also: false,
            auto_answer_from: Vec::new(),
            ring_timeout: 120,
            reliable_ringing: false,
            session_expires: 1800,
            dtmf: Dtmf::Auto,
            direct_calls: None,
            emergency: ["112", "911"].map(String::from).to_vec(),
            dnd: 480,
            park: None,
            redial_busy: false,
            redial_every: 30,
            redial_times: 10,
            hold_music: HoldMusic::None,
        }
    }
}
