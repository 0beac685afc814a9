//! Everything at one moment: what `state` gives.

use serde::{Deserialize, Serialize};

use crate::media::processing::Settings;
use crate::media::session::Stats;
use crate::services::forwarding::Forward;
use crate::ua::event::{Lamp, TransferStage};

use super::audio_warning::AudioWarning;
use super::event::CallRef;
use super::security::Security;

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[allow(missing_docs)]
pub struct Snapshot {
    pub accounts: Vec<AccountState>,
    pub calls: Vec<CallState>,
    /// The lamps of watched addresses.
    pub watched: Vec<LampState>,
    pub devices: Devices,
    pub muted: bool,
    /// What is wrong with the sound.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<AudioWarning>,
    /// What is wanted to be done to our voice.
    pub processing: Settings,
    /// The forwardings that are on.
    pub forwarding: Vec<Forward>,
    /// The accounts that are not to be disturbed; null: calls without an account.
    pub dnd: Vec<Option<String>>,
    /// Missed calls that the person has not seen.
    pub missed: usize,
    /// SIP transactions that are open, of either side: some live for 32 s after their last message.
    pub transactions: usize,
}

/// An account at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct AccountState {
    pub name: String,
    pub uri: String,
    pub registration: Registration,
    /// Why it failed.
    pub reason: Option<String>,
    /// New and old voice messages, where the PBX told.
    pub messages: Option<(u32, u32)>,
    /// What to call to hear them: as configured, else as the PBX told.
    pub mailbox: Option<String>,
}

/// A watched address at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct LampState {
    pub account: String,
    pub uri: String,
    pub name: Option<String>,
    pub state: Lamp,
    /// Who rings it, or with whom it talks, where the PBX told.
    pub remote: Option<String>,
    pub remote_name: Option<String>,
}

/// An account's registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Registration {
    Off,
    Registering,
    Registered,
    Failed,
}

/// A call at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CallState {
    #[serde(flatten)]
    pub call: CallRef,
    pub name: Option<String>,
    pub incoming: bool,
    pub state: CallStage,
    pub held: bool,
    pub remote_held: bool,
    /// In the conference.
    pub conference: bool,
    /// Nobody in the conference hears its other side.
    pub muted: bool,
    pub codec: Option<String>,
    #[serde(flatten)]
    pub security: Security,
    /// Seconds since it was answered.
    pub duration_s: Option<f64>,
    /// A transfer of ours that is under way.
    pub transfer: Option<TransferStage>,
    /// Where the peer asks us to call instead.
    pub transfer_request: Option<String>,
    /// Where the called side sends us.
    pub redirect_request: Option<String>,
    /// The file that it, or its conference, is recorded into.
    #[serde(default)]
    pub recording: Option<String>,
    /// The file that is played into it.
    #[serde(default)]
    pub playing: Option<String>,
    pub stats: Option<Stats>,
}

/// How far a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallStage {
    /// We called, nothing rings yet.
    Calling,
    /// It rings, here or there.
    Ringing,
    /// We called, it does not ring yet, and sound comes.
    Early,
    /// It stands.
    Established,
    /// It is being hung up.
    Ending,
}

/// The devices in use, as configured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[allow(missing_docs)]
pub struct Devices {
    pub input: String,
    pub output: String,
    pub ring: String,
}
