//! What the core must know; the configuration file's [`crate::config`] is turned into this.

use std::time::Duration;

use crate::sdp::{Capabilities, HoldStyle};
use crate::sip::Uri;

/// The user agent's settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// The accounts; an [`super::AccountId`] is a place in here.
    pub accounts: Vec<Account>,
    /// The `User-Agent` and `Server` header field.
    pub user_agent: String,
    /// Codecs and packet length.
    pub capabilities: Capabilities,
    /// What calls that belong to no account do about SRTP.
    pub srtp: SrtpPolicy,
    /// Where the keys for that come from in their offers.
    pub srtp_keying: SrtpKeying,
    /// How a hold is written.
    pub hold: HoldStyle,
    /// Calls that may be up at a time; one more gets 486.
    pub max_calls: usize,
    /// An incoming call that nobody answered for this long gets 480.
    pub ring_timeout: Duration,
    /// Whether 180 is sent reliably to every caller that can take it so (RFC 3262); else only to those that ask for it.
    pub reliable_ringing: bool,
    /// The session interval that our INVITEs ask for (RFC 4028); zero: none, but what others ask for is obeyed.
    pub session_expires: Duration,
    /// Which calls are answered without a person.
    pub auto_answer: AutoAnswer,
    /// How long an auto-answered call rings before; zero: 200 at once, without a 180.
    pub auto_answer_after: Duration,
    /// What happens when the peer asks to transfer us.
    pub transfers: TransferPolicy,
    /// What happens when the called side sends us elsewhere (3xx).
    pub redirects: TransferPolicy,
    /// A REFER outside any call is taken from our own servers.
    pub refer_outside: bool,
    /// A BYE with Also, the transfer of the 1999 draft, asks for a transfer.
    pub bye_also: bool,
    /// Callers whose wish to be answered at once (Call-Info, Alert-Info, Answer-Mode) is granted: addresses in which `*`
    /// stands for anything.
    pub auto_answer_from: Vec<String>,
    /// Calls from addresses that are neither a registrar nor a proxy of ours are taken.
    pub direct_calls: bool,
    /// The longest pause between the datagrams that keep a way through a translator open; none: never sent, unless the
    /// registrar asks for them.
    pub keep_alive: Option<Duration>,
}

/// One account.
#[derive(Debug, Clone)]
pub struct Account {
    /// The name in commands and events.
    pub name: String,
    /// The address of record.
    pub uri: Uri,
    /// The name in From, if any.
    pub display_name: Option<String>,
    /// Where REGISTER goes (its Request-URI).
    pub registrar: Uri,
    /// The outbound chain, each with `;lr`: sent as Route.
    pub route: Vec<Uri>,
    /// Further chains, in the order in which they are tried when those before fail.
    pub fallbacks: Vec<Vec<Uri>>,
    /// Requested lifetime of the binding.
    pub expires: Duration,
    /// Whether the account registers by itself.
    pub register: bool,
    /// What its calls do about SRTP.
    pub srtp: SrtpPolicy,
    /// Where the keys for that come from in its offers.
    pub srtp_keying: SrtpKeying,
    /// The credentials of the account's own realm.
    pub credentials: Option<Credentials>,
    /// Credentials of further realms.
    pub realms: Vec<(String, Credentials)>,
    /// Whether the address at which the registrar sees us comes into our Contact.
    pub rewrite_contact: bool,
    /// Whether the registrar is asked for GRUUs. Some give them and do not route to them in dialogs.
    pub gruu: bool,
    /// The urn of this phone, `urn:uuid:...` (RFC 5626 section 4.1); with it the registrar is asked for outbound and GRUUs.
    pub instance: Option<String>,
    /// What it subscribes to.
    pub events: Events,
}

/// What an account subscribes to (RFC 6665); by default to nothing.
#[derive(Debug, Clone, Default)]
pub struct Events {
    /// Voice messages (RFC 3842).
    pub message_waiting: MessageWaiting,
    /// Addresses whose dialogs are watched (RFC 4235).
    pub watch: Vec<Watch>,
    /// The account's own bindings, those of other devices too (RFC 3680).
    pub registrations: bool,
}

/// Whether an account subscribes to its message summary. Unsolicited ones are always taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MessageWaiting {
    /// No.
    #[default]
    Never,
    /// Once it has registered; a refusal is not told.
    Auto,
    /// Yes.
    Always,
}

/// An address whose lamp is shown.
#[derive(Debug, Clone)]
pub struct Watch {
    /// The address.
    pub uri: Uri,
    /// Its name on the screen.
    pub name: Option<String>,
}

/// A user name and its password. `Debug` hides the password.
#[derive(Clone)]
pub struct Credentials {
    /// The digest user name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).field("password", &"***").finish()
    }
}

/// Whether calls are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SrtpPolicy {
    /// Never.
    Off,
    /// Where the other side takes it, and with keys in the descriptions only where the signalling goes by TLS.
    #[default]
    Optional,
    /// Where the other side takes it, whatever the way of the signalling: for one whose signalling does not leave the machine. No
    /// setting is called so.
    AnyWay,
    /// Always; other calls are refused. Without TLS the keys in descriptions can be read on their way.
    Required,
}

/// Where the keys of SRTP come from in our offers; those of others are answered as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SrtpKeying {
    /// They stand in the description (RFC 4568).
    #[default]
    Sdes,
    /// A handshake in the way of the sound (RFC 5763).
    Dtls,
}

/// Which calls are answered without a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutoAnswer {
    /// None.
    Never,
    /// Only while no call is up.
    Idle,
    /// Every one; none is held for it.
    Always,
}

/// What happens when the peer asks to transfer us, or sends us elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferPolicy {
    /// A person decides, within 30 s.
    Ask,
    /// The phone follows.
    Follow,
    /// The phone refuses.
    Refuse,
}
