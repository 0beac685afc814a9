//! `[[account]]`: who we are at a PBX, and how it is reached.

use super::keys::{Key, Kind, in_list, no_controls, not_empty};
use super::sip::{KEYINGS, SRTP, SRTP_KEYINGS, SRTP_POLICIES};
use super::{Secret, address, resolve};
use crate::ua::config::{MessageWaiting, SrtpKeying, SrtpPolicy};

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
    pub srtp: Option<SrtpPolicy>,
    /// Where the keys for that come from in its offers; default: as `[sip]` says.
    pub srtp_keying: Option<SrtpKeying>,
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
    pub message_waiting: MessageWaiting,
    /// Watched addresses: `sip:201@pbx`, `Bob <sip:201@pbx>`, or a number at the account's host.
    pub watch: Vec<String>,
    /// `reg_events`: the bindings of other devices.
    pub registrations: bool,
}

impl Default for Events {
    fn default() -> Self {
        Events { message_waiting: MessageWaiting::Auto, watch: Vec::new(), registrations: false }
    }
}

impl Events {
    /// Subscribes to nothing: for commands that end before an answer matters.
    pub fn none() -> Events {
        Events { message_waiting: MessageWaiting::Never, ..Events::default() }
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

const ADDRESS: &str = "an address such as \"sip:alice@pbx.example.com\"";
const HOP: &str = "an address such as \"sip:pbx.example.com\"";

/// `[[account]]`.
pub const KEYS: &[Key<Account>] = &[
    Key { name: "name", kind: Kind::Text { expected: "a name in quotes, without spaces", set: set_name } },
    Key {
        name: "uri",
        kind: Kind::Text {
            expected: ADDRESS,
            set: |account, text| address::of_record(text).map(|_| account.uri = text.into()),
        },
    },
    Key {
        name: "display_name",
        kind: Kind::Text {
            expected: "a name in quotes",
            set: |account, text| no_controls(text).map(|()| account.display_name = Some(text.into())),
        },
    },
    Key {
        name: "password",
        kind: Kind::Password { set: |account, text| account.password = Secret::Plain(text.into()) },
    },
    Key {
        name: "password_command",
        kind: Kind::Text {
            expected: "a shell command in quotes",
            set: |account, text| not_empty(text).map(|()| account.password = Secret::Command(text.into())),
        },
    },
    Key {
        name: "auth_user",
        kind: Kind::Text {
            expected: "a name in quotes",
            set: |account, text| no_controls(text).map(|()| account.auth_user = Some(text.into())),
        },
    },
    Key {
        name: "registrar",
        kind: Kind::Text {
            expected: HOP,
            set: |account, text| address::hop(text).map(|_| account.registrar = Some(text.into())),
        },
    },
    Key { name: "proxies", kind: Kind::Chains { set: set_proxies } },
    Key { name: "expires", kind: Kind::Number { min: 1, max: 604_800, set: |account, n| account.expires = n } },
    Key { name: "register", kind: Kind::Flag { set: |account, on| account.register = on } },
    Key { name: "srtp", kind: Kind::Choice { words: SRTP, set: |account, i| account.srtp = Some(SRTP_POLICIES[i]) } },
    Key {
        name: "srtp_keying",
        kind: Kind::Choice { words: KEYINGS, set: |account, i| account.srtp_keying = Some(SRTP_KEYINGS[i]) },
    },
    Key { name: "rewrite_contact", kind: Kind::Flag { set: |account, on| account.rewrite_contact = on } },
    Key { name: "gruu", kind: Kind::Flag { set: |account, on| account.gruu = on } },
    Key { name: "credentials", kind: Kind::Realms { set: |account, realms| account.credentials = realms } },
    Key {
        name: "voicemail",
        kind: Kind::Text {
            expected: "an address such as \"sip:*97@pbx.example.com\"",
            set: |account, text| address::callable(text).map(|_| account.voicemail = Some(text.into())),
        },
    },
    Key {
        name: "mwi",
        kind: Kind::Choice {
            words: &["auto", "true", "false"],
            set: |account, i| {
                account.events.message_waiting =
                    [MessageWaiting::Auto, MessageWaiting::Always, MessageWaiting::Never][i];
            },
        },
    },
    Key {
        name: "watch",
        kind: Kind::List {
            expected: "a list of addresses such as [\"sip:201@pbx.example.com\", \"Bob <sip:202@pbx.example.com>\"]",
            set: set_watch,
        },
    },
    Key { name: "reg_events", kind: Kind::Flag { set: |account, on| account.events.registrations = on } },
];

/// One entry of `credentials`.
pub const REALM: &[Key<RealmCredentials>] = &[
    Key {
        name: "realm",
        kind: Kind::Text {
            expected: "a realm in quotes",
            set: |entry, text| not_empty(text).map(|()| entry.realm = text.into()),
        },
    },
    Key {
        name: "user",
        kind: Kind::Text {
            expected: "a name in quotes",
            set: |entry, text| not_empty(text).map(|()| entry.user = text.into()),
        },
    },
    Key { name: "password", kind: Kind::Password { set: |entry, text| entry.password = Secret::Plain(text.into()) } },
    Key {
        name: "password_command",
        kind: Kind::Text {
            expected: "a shell command in quotes",
            set: |entry, text| not_empty(text).map(|()| entry.password = Secret::Command(text.into())),
        },
    },
];

fn set_name(account: &mut Account, text: &str) -> Result<(), String> {
    no_controls(text)?;
    if text.contains(char::is_whitespace) || text.starts_with('@') {
        return Err("commands write it as @NAME".into());
    }
    account.name = text.into();
    Ok(())
}

fn set_proxies(account: &mut Account, chains: Vec<Vec<String>>) -> Result<(), String> {
    for text in chains.iter().flatten() {
        address::parse(text).map_err(|fault| in_list(text, fault))?;
    }
    if chains.iter().any(Vec::is_empty) {
        return Err("a chain is empty".into());
    }
    if !chains.is_empty() && !chains.iter().any(|chain| resolve::usable(chain)) {
        return Err("this build speaks SIP over UDP, TCP and TLS".into());
    }
    account.proxies = chains;
    Ok(())
}

/// Addresses; a number or a name alone gets the account's host later.
fn set_watch(account: &mut Account, texts: Vec<String>) -> Result<(), String> {
    for text in &texts {
        address::watched(text, None).map_err(|fault| in_list(text, fault))?;
    }
    account.events.watch = texts;
    Ok(())
}
