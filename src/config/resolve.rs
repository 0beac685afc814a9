//! From the configuration to what the core wants: addresses parsed, passwords fetched, defaults filled in.

use std::time::Duration;

use super::error::{ConfigError, Place};
use super::{Account, Config, HoldMusic, Secret, address};
use crate::media::codec::Dtx;
use crate::sdp::{Capabilities, Codec, HoldStyle};
use crate::sip::Uri;
use crate::ua::config::{self as core, Credentials};

/// What the core wants. Runs the password commands, one after the other.
pub fn user_agent(config: &Config) -> Result<core::Config, ConfigError> {
    let codecs = codecs(config);
    if codecs.is_empty() {
        let known = Codec::ALL.map(Codec::name).join(", ");
        return Err(ConfigError::new(
            Place::Setting("audio.codecs"),
            format!("none of them is in this build ({known})"),
        ));
    }
    let accounts = config.accounts.iter().map(|entry| account(entry, config)).collect::<Result<_, _>>()?;
    Ok(core::Config { accounts, ..policy(config) })
}

/// What the core must know but for the accounts; needs no password.
pub fn policy(config: &Config) -> core::Config {
    core::Config {
        accounts: Vec::new(),
        user_agent: concat!("offhook/", env!("CARGO_PKG_VERSION")).into(),
        capabilities: Capabilities {
            codecs: codecs(config),
            ptime_ms: config.audio.ptime,
            telephone_event: true,
            dtx: config.audio.dtx == Dtx::Always,
            rtcp_mux: config.network.rtcp_mux,
            ice: config.network.ice_policy(),
        },
        srtp: config.sip.srtp,
        srtp_keying: config.sip.srtp_keying,
        hold: hold(config),
        max_calls: config.calls.max_calls,
        ring_timeout: Duration::from_secs(config.calls.ring_timeout),
        reliable_ringing: config.calls.reliable_ringing,
        session_expires: Duration::from_secs(config.calls.session_expires),
        auto_answer: config.calls.auto_answer,
        auto_answer_after: Duration::from_millis(config.calls.auto_answer_after),
        transfers: config.calls.transfers,
        redirects: config.calls.redirects,
        refer_outside: config.calls.refer_outside,
        bye_also: config.calls.bye_also,
        auto_answer_from: config.calls.auto_answer_from.clone(),
        direct_calls: direct_calls(config),
        keep_alive: (config.sip.keep_alive > 0).then(|| Duration::from_secs(config.sip.keep_alive.into())),
    }
}

/// The configured codecs that this build has, in their order, each once.
pub fn codecs(config: &Config) -> Vec<Codec> {
    let mut codecs = Vec::new();
    for codec in config.audio.codecs.iter().filter_map(|name| Codec::from_name(name)) {
        if !codecs.contains(&codec) {
            codecs.push(codec);
        }
    }
    codecs
}

/// How a hold is written: music needs an address to go to.
fn hold(config: &Config) -> HoldStyle {
    match config.calls.hold_music {
        HoldMusic::None => config.calls.hold,
        HoldMusic::Tone | HoldMusic::File(_) => HoldStyle::Music,
    }
}

/// Whether calls from strangers are taken: as configured, else when no account registers.
pub fn direct_calls(config: &Config) -> bool {
    config.calls.direct_calls.unwrap_or_else(|| !config.accounts.iter().any(|account| account.register))
}

/// Where an account registers.
pub fn registrar(account: &Account) -> Result<Uri, ConfigError> {
    let fault = |what: &str, fault| ConfigError::new(Place::Account(account.name.clone()), format!("{what}: {fault}"));
    match &account.registrar {
        Some(text) => address::hop(text).map_err(|error| fault("registrar", error)),
        None => {
            let uri = address::of_record(&account.uri).map_err(|error| fault("uri", error))?;
            address::registrar_of(&uri).ok_or_else(|| fault("uri", "it names no host".into()))
        }
    }
}

/// The outbound chain of an account: its first alternative that this build can use, each hop with `;lr`.
pub fn route(account: &Account) -> Result<Vec<Uri>, ConfigError> {
    let mut chains = chains(account)?;
    match (chains.is_empty(), account.proxies.is_empty()) {
        (false, _) => Ok(chains.remove(0)),
        (true, true) => Ok(Vec::new()),
        (true, false) => {
            let problem = "none of its proxies can be used: this build speaks SIP over UDP, TCP and TLS";
            Err(ConfigError::new(Place::Account(account.name.clone()), problem))
        }
    }
}

/// The alternatives after the first, in their order.
pub fn fallbacks(account: &Account) -> Result<Vec<Vec<Uri>>, ConfigError> {
    Ok(chains(account)?.into_iter().skip(1).collect())
}

fn chains(account: &Account) -> Result<Vec<Vec<Uri>>, ConfigError> {
    let hop = |text: &String| {
        address::parse(text)
            .map(address::loose)
            .map_err(|fault| ConfigError::new(Place::Account(account.name.clone()), format!("proxies: {fault}")))
    };
    account.proxies.iter().filter(|chain| usable(chain)).map(|chain| chain.iter().map(hop).collect()).collect()
}

/// Whether this build speaks the transport of a chain's first hop, the only one that it sends to.
pub fn usable(chain: &[String]) -> bool {
    chain.first().is_some_and(|text| address::hop(text).is_ok())
}

fn account(account: &Account, config: &Config) -> Result<core::Account, ConfigError> {
    let place = || Place::Account(account.name.clone());
    let uri = address::of_record(&account.uri).map_err(|fault| ConfigError::new(place(), format!("uri: {fault}")))?;
    let reveal = |what: &str, secret: &Secret| {
        secret.reveal().map_err(|error| ConfigError::new(place(), format!("{what}: {error}")))
    };
    let user = || match &account.auth_user {
        Some(user) => user.clone(),
        None => uri.decoded_user().map(|user| String::from_utf8_lossy(&user).into_owned()).unwrap_or_default(),
    };
    let password = reveal("password_command", &account.password)?;
    let mut realms = Vec::new();
    for entry in &account.credentials {
        if let Some(password) = reveal("credentials.password_command", &entry.password)? {
            realms.push((entry.realm.clone(), Credentials { user: entry.user.clone(), password }));
        }
    }
    Ok(core::Account {
        name: account.name.clone(),
        display_name: account.display_name.clone(),
        registrar: registrar(account)?,
        route: route(account)?,
        fallbacks: fallbacks(account)?,
        expires: Duration::from_secs(account.expires.into()),
        register: account.register,
        srtp: account.srtp.unwrap_or(config.sip.srtp),
        srtp_keying: account.srtp_keying.unwrap_or(config.sip.srtp_keying),
        credentials: password.map(|password| Credentials { user: user(), password }),
        realms,
        rewrite_contact: account.rewrite_contact,
        gruu: account.gruu,
        instance: config.sip.instance.clone(),
        events: events(account, &uri)?,
        uri,
    })
}

fn events(account: &Account, uri: &Uri) -> Result<core::Events, ConfigError> {
    let watch = |text: &String| match address::watched(text, Some(uri)) {
        Ok((uri, name)) => Ok(core::Watch { uri, name }),
        Err(fault) => Err(ConfigError::new(Place::Account(account.name.clone()), format!("watch: {fault}"))),
    };
    Ok(core::Events {
        message_waiting: account.events.message_waiting,
        watch: account.events.watch.iter().map(watch).collect::<Result<_, _>>()?,
        registrations: account.events.registrations,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::read::read;

    fn resolved(text: &str) -> Result<core::Config, String> {
        let config = read(Path::new("c.toml"), text).map_err(|error| error.to_string())?;
        user_agent(&config).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_filled_in() {
        let config =
            resolved("[[account]]\nuri = \"sip:al%20ice@pbx.example.com:5070\"\npassword = \"tiger\"").unwrap();
        let account = &config.accounts[0];
        assert_eq!(account.name, "al ice");
        assert_eq!(account.registrar.to_string(), "sip:pbx.example.com:5070");
        assert_eq!(account.route.len(), 0);
        assert_eq!(account.expires, Duration::from_secs(3600));
        let credentials = account.credentials.clone().unwrap();
        assert_eq!((credentials.user.as_str(), credentials.password.as_str()), ("al ice", "tiger"));
        assert_eq!(config.capabilities.codecs, [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma]);
        assert!(!config.direct_calls);
    }

    #[test]
    fn the_first_usable_alternative_is_the_route() {
        let text = "[[account]]\nuri = \"sip:a@b\"\nproxies = [\"sip:p1;transport=ws\", [\"sip:p2\", \"sip:p3;lr\"], \"sip:p4\"]";
        let config = resolved(text).unwrap();
        let route: Vec<String> = config.accounts[0].route.iter().map(ToString::to_string).collect();
        assert_eq!(route, ["sip:p2;lr", "sip:p3;lr"]);
        let fallbacks = config.accounts[0].fallbacks.iter().flatten();
        assert_eq!(fallbacks.map(ToString::to_string).collect::<Vec<_>>(), ["sip:p4;lr"]);
        assert!(config.accounts[0].credentials.is_none());
    }

    #[test]
    fn direct_calls_unless_something_registers() {
        assert!(resolved("").unwrap().direct_calls);
        assert!(resolved("[[account]]\nuri = \"sip:a@b\"\nregister = false").unwrap().direct_calls);
        assert!(!resolved("[[account]]\nuri = \"sip:a@b\"").unwrap().direct_calls);
        assert!(resolved("[[account]]\nuri = \"sip:a@b\"\n[calls]\ndirect_calls = true").unwrap().direct_calls);
    }

    #[test]
    fn codecs_are_taken_in_their_order_and_once() {
        let config = resolved("[audio]\ncodecs = [\"speex\", \"pcma\", \"PCMU\", \"PCMA\"]").unwrap();
        assert_eq!(config.capabilities.codecs, [Codec::Pcma, Codec::Pcmu]);
    }

    #[test]
    fn a_failing_password_command_names_its_account() {
        let text = "[[account]]\nname = \"work\"\nuri = \"sip:a@b\"\npassword_command = \"exit 7\"";
        let failed = "account 'work': password_command: 'exit 7' failed (exit status: 7)";
        assert_eq!(resolved(text).unwrap_err(), failed);
    }
}
