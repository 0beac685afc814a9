//! A whole phone, whose messages are watched.

use std::collections::HashSet;

use offhook::config::{Account, Audio, Calls, Config, Events, RealmCredentials, Secret, Sip};
use offhook::net::TlsOptions;
use offhook::phone::command::Command;
use offhook::phone::event::Event;
use offhook::phone::{PhoneHandle, Reply, TraceEntry};
use offhook::ua::config::TransferPolicy;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::patiently;

/// A running phone.
pub struct Phone {
    handle: PhoneHandle,
    events: UnboundedReceiver<Event>,
    trace: UnboundedReceiver<TraceEntry>,
    /// What every message's Via must say; empty: any.
    transport: &'static str,
    seen: HashSet<(bool, String)>,
    /// The messages of the ladder so far.
    pub messages: Vec<String>,
}

/// `user` at `domain`, with this outbound proxy.
pub fn account(uri: &str, password: &str, proxy: &str) -> Account {
    Account {
        name: uri.to_owned(),
        uri: uri.to_owned(),
        display_name: None,
        password: Secret::Plain(password.to_owned()),
        auth_user: None,
        registrar: None,
        proxies: vec![vec![proxy.to_owned()]],
        expires: 3600,
        register: true,
        srtp: None,
        srtp_keying: None,
        credentials: Vec::new(),
        voicemail: None,
        events: Events::none(),
        rewrite_contact: true,
        gruu: false,
    }
}

/// An account that registers nowhere.
pub fn caller(uri: &str, password: &str, proxy: &str) -> Account {
    Account { register: false, ..account(uri, password, proxy) }
}

/// What proves who we are in a further realm.
pub fn credentials(realm: &str, user: &str, password: &str) -> RealmCredentials {
    RealmCredentials { realm: realm.to_owned(), user: user.to_owned(), password: Secret::Plain(password.to_owned()) }
}

impl Phone {
    /// A phone with this account, or with none, all of whose messages go by `transport`.
    pub fn start(transport: &'static str, account: Option<Account>) -> Phone {
        Phone::with_tls(transport, account, TlsOptions::default())
    }

    /// A phone that believes in these authorities.
    pub fn with_tls(transport: &'static str, account: Option<Account>, tls: TlsOptions) -> Phone {
        let config = Config {
            accounts: account.into_iter().collect(),
            sip: Sip { listen: "127.0.0.1:0".parse().unwrap(), listen_is_configured: true, tls, ..Sip::default() },
            // With one codec no INVITE is too long for UDP.
            audio: Audio {
                input: "tone:440".into(),
                output: "null".into(),
                ring: "null".into(),
                codecs: vec!["PCMU".into()],
                ..Audio::default()
            },
            calls: Calls {
                redirects: TransferPolicy::Follow,
                dnd: 486,
                direct_calls: Some(true),
                session_expires: 0,
                ..Calls::default()
            },
            ..Config::default()
        };
        let mut handle = PhoneHandle::start_traced(config).unwrap();
        let (events, trace) = (handle.events(), handle.trace());
        Phone { handle, events, trace, transport, seen: HashSet::new(), messages: Vec::new() }
    }

    /// Its address, as it is called without a proxy.
    pub fn address(&self) -> String {
        format!("sip:phone@{}", self.handle.listen())
    }

    /// Gives a command.
    pub async fn does(&self, command: Command) {
        let said = format!("{command:?}");
        let reply = patiently(&said, self.handle.command(command)).await;
        assert!(matches!(reply, Ok(Reply::Done | Reply::Call(_))), "{said}: {reply:?}");
    }

    /// Calls somebody.
    pub async fn calls(&self, target: &str) {
        self.does(Command::Call { account: None, target: target.to_owned() }).await;
    }

    /// The first event of this name; those before it are passed over.
    pub async fn sees(&mut self, name: &str) -> Value {
        self.sees_fitting(name, |_| true).await
    }

    /// The first event of this name that fits.
    pub async fn sees_fitting(&mut self, name: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let mut passed = Vec::new();
        let wait = async {
            while let Some(event) = self.events.recv().await {
                let value = serde_json::to_value(&event.kind).unwrap();
                if value["event"] == name && fits(&value) {
                    return value;
                }
                passed.push(value.to_string());
            }
            panic!("the phone ended before: {name}; seen: {passed:?}")
        };
        patiently(name, wait).await
    }

    /// The next messages are these, sent (`> INVITE`) and received (`< 180`), each once however often it was repeated; a 100
    /// may come before others.
    #[track_caller]
    pub fn ladder<'a>(&'a mut self, expected: &'a [&'a str]) -> impl Future<Output = ()> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let mut so_far: Vec<String> = Vec::new();
            while so_far.len() < expected.len() {
                let entry = match tokio::time::timeout(crate::PATIENCE, self.trace.recv()).await {
                    Ok(Some(entry)) => entry,
                    _ => panic!("{caller}: of {expected:?} only {so_far:?}"),
                };
                let word = entry.summary.strip_prefix("SIP/2.0 ").unwrap_or(&entry.summary);
                let word = word.split(' ').next().unwrap_or_default();
                let line = format!("{} {word}", if entry.sent { '>' } else { '<' });
                let again = !self.seen.insert((entry.sent, entry.text.clone()));
                // Keep-alives (RFC 5626 section 3.5.1) are in the trace too.
                let keep_alive = entry.text.trim().is_empty();
                if again || keep_alive || line == "< 100" && expected[so_far.len()] != line {
                    continue;
                }
                let via = entry.text.lines().find(|line| line.starts_with("Via:") || line.starts_with("v:"));
                let transport = format!("SIP/2.0/{}", self.transport);
                assert!(
                    via.is_some_and(|via| via.contains(&transport)),
                    "{caller}: not by {transport}: {}",
                    entry.text
                );
                self.messages.push(entry.text);
                so_far.push(line);
                assert_eq!(so_far, expected[..so_far.len()], "{caller}");
            }
        }
    }

    /// The last message of the ladder so far that begins so.
    pub fn message(&self, start: &str) -> &str {
        self.messages.iter().rev().find(|text| text.starts_with(start)).unwrap_or_else(|| panic!("no {start}"))
    }
}

/// The values of a header field.
pub fn values<'a>(message: &'a str, name: &str) -> Vec<&'a str> {
    let head = message.lines().take_while(|line| !line.is_empty());
    let named = head.filter_map(|line| line.split_once(':')).filter(|(field, _)| field.eq_ignore_ascii_case(name));
    named.flat_map(|(_, value)| value.split(',')).map(str::trim).collect()
}
