//! Settings of the phones in the scenarios: Alice's and Bob's, with the names and addresses of RFC 3665.

use std::time::Duration;

use offhook::sdp::{Capabilities, HoldStyle};
use offhook::sip::Uri;
use offhook::ua::command::MediaPorts;
use offhook::ua::config::{Account, AutoAnswer, Credentials, SrtpPolicy, TransferPolicy};
use offhook::ua::{AccountId, Config};

/// The one account that a phone in the scenarios has.
pub const ACCOUNT: AccountId = AccountId(0);
/// Where its sound is received.
pub const MEDIA: MediaPorts = MediaPorts::new(49170, 49171);

pub fn uri(text: &str) -> Uri {
    Uri::parse(text.to_owned().into()).unwrap()
}

/// A phone without account, which takes direct calls.
pub fn direct() -> Config {
    Config {
        accounts: Vec::new(),
        user_agent: "offhook".to_owned(),
        capabilities: Capabilities::from_names(["PCMU", "PCMA"], 20).0,
        srtp: SrtpPolicy::Off,
        srtp_keying: Default::default(),
        hold: HoldStyle::Zero,
        max_calls: 8,
        ring_timeout: Duration::from_secs(120),
        reliable_ringing: false,
        session_expires: Duration::from_secs(1800),
        auto_answer: AutoAnswer::Never,
        auto_answer_after: Duration::ZERO,
        transfers: TransferPolicy::Ask,
        redirects: TransferPolicy::Refuse,
        refer_outside: false,
        bye_also: false,
        auto_answer_from: Vec::new(),
        direct_calls: true,
        keep_alive: None,
    }
}

/// A phone with one account, which takes calls from its own servers only.
pub fn with_account(address: &str, registrar: &str) -> Config {
    let user = uri(address).user().map(|user| String::from_utf8_lossy(user).into_owned()).unwrap_or_default();
    let account = Account {
        name: "work".to_owned(),
        uri: uri(address),
        display_name: Some(user[..1].to_uppercase() + &user[1..]),
        registrar: uri(registrar),
        route: Vec::new(),
        fallbacks: Vec::new(),
        expires: Duration::from_secs(3600),
        register: true,
        srtp: SrtpPolicy::Off,
        srtp_keying: Default::default(),
        credentials: Some(Credentials { user, password: "secret".to_owned() }),
        realms: Vec::new(),
        rewrite_contact: true,
        gruu: true,
        instance: None,
        events: Default::default(),
    };
    Config { accounts: vec![account], direct_calls: false, ..direct() }
}

/// Alice's, by way of the proxy of atlanta.example.com.
pub fn alice() -> Config {
    let mut config = with_account("sip:alice@atlanta.example.com", "sip:atlanta.example.com");
    config.accounts[0].route = vec![uri("sip:ss1.atlanta.example.com;lr")];
    config
}

/// Bob's, at the registrar of biloxi.example.com.
pub fn bob() -> Config {
    with_account("sip:bob@biloxi.example.com", "sip:ss2.biloxi.example.com")
}
