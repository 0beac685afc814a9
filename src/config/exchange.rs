//! `[exchange]`: who may use the embedded exchange (`offhook exchange`), and what happens to their calls.

use std::collections::BTreeMap;
use std::time::Duration;

use super::address;
use super::error::{ConfigError, Place};
use super::keys::{Key, Kind};
use super::secret::Secret;
use crate::exchange::service::MAX_PLACES;
use crate::exchange::{self, EXTENSIONS, Order, Pattern, Service, Strangers, User};
use crate::sip::Host;
use crate::sip::digest::Algorithm;

/// `[exchange]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// The domain of its users, and their realm. Default: the one of `offhook demo`.
    pub domain: Option<String>,
    /// Calls from other domains.
    pub strangers: Strangers,
    /// Numbers that screening never touches.
    pub emergency: Vec<String>,
    /// The digest algorithms that are offered, the preferred one first.
    pub digest: Vec<Algorithm>,
    /// `[[exchange.user]]`. None: those of `offhook demo`.
    pub users: Vec<ExchangeUser>,
    /// `[[exchange.route]]`.
    pub routes: Vec<ExchangeRoute>,
}

/// `[[exchange.user]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ExchangeUser {
    /// The user part of his address, and his digest user name.
    pub name: String,
    /// His password. None: he has no phone, his calls go elsewhere.
    pub password: Secret,
    /// What happens to his calls.
    pub service: Service,
}

/// `[[exchange.route]]`: the way to another domain.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExchangeRoute {
    /// The domain; `*` for all that are names.
    pub domain: String,
    /// Proxies with an IP address, the next one for when one is dead.
    pub hops: Vec<String>,
}

impl Default for Exchange {
    fn default() -> Self {
        let exchange::Config { strangers, emergency, algorithms, .. } = exchange::Config::default();
        Exchange { domain: None, strangers, emergency, digest: algorithms, users: Vec::new(), routes: Vec::new() }
    }
}

impl Default for ExchangeUser {
    fn default() -> Self {
        ExchangeUser { name: String::new(), password: Secret::None, service: Service::default() }
    }
}

const TARGET: &str = "a user or number of the exchange, or an address such as \"sip:bob@192.0.2.7\"";
const TARGETS: &str = "a list of users, numbers or addresses such as [\"carol\", \"sip:bob@192.0.2.7\"]";
const PATTERNS: &str = "a list of patterns such as [\"0900*\", \"*@spam.example\", \"anonymous\"]";

/// Keys of `[exchange]`.
pub const EXCHANGE: &[Key<Exchange>] = &[
    Key {
        name: "domain",
        kind: Kind::Text { expected: "a domain such as \"pbx.example.com\"", set: |to, text| set_domain(to, text) },
    },
    Key {
        name: "strangers",
        kind: Kind::Choice {
            words: &["allow", "challenge", "refuse"],
            set: |to, i| to.strangers = [Strangers::Allow, Strangers::Challenge, Strangers::Refuse][i],
        },
    },
    Key {
        name: "emergency",
        kind: Kind::List {
            expected: "a list of numbers such as [\"112\", \"911\"]",
            set: |to, list| {
                for number in &list {
                    name(number).map_err(|why| format!("\"{}\": {why}", number.escape_debug()))?;
                }
                to.emergency = list;
                Ok(())
            },
        },
    },
    Key {
        name: "digest",
        kind: Kind::List { expected: "a list of algorithms such as [\"SHA-256\", \"MD5\"]", set: set_digest },
    },
    Key { name: "user", kind: Kind::Tables { written: "[[exchange.user]]" } },
    Key { name: "route", kind: Kind::Tables { written: "[[exchange.route]]" } },
];

/// Keys of `[[exchange.user]]`.
pub const USER: &[Key<ExchangeUser>] = &[
    Key {
        name: "name",
        kind: Kind::Text {
            expected: "a name or number in quotes",
            set: |user, text| {
                name(text)?;
                if EXTENSIONS.iter().any(|(number, _, _)| *number == text) {
                    return Err("that is an extension of the exchange itself".into());
                }
                user.name = text.into();
                Ok(())
            },
        },
    },
    Key { name: "password", kind: Kind::Password { set: |user, text| user.password = Secret::Plain(text.into()) } },
    Key {
        name: "password_command",
        kind: Kind::Text {
            expected: "a shell command in quotes",
            set: |user, text| {
                if text.trim().is_empty() {
                    return Err("it is empty".into());
                }
                user.password = Secret::Command(text.into());
                Ok(())
            },
        },
    },
    Key {
        name: "display_name",
        kind: Kind::Text {
            expected: "a name in quotes",
            set: |user, text| {
                if text.trim().is_empty() || text.chars().any(char::is_control) {
                    return Err("it is empty or has control characters".into());
                }
                user.service.display_name = Some(text.into());
                Ok(())
            },
        },
    },
    Key {
        name: "forward",
        kind: Kind::Text { expected: TARGET, set: |user, text| target(&mut user.service.forward, text) },
    },
    Key {
        name: "forward_busy",
        kind: Kind::Text { expected: TARGET, set: |user, text| target(&mut user.service.forward_busy, text) },
    },
    Key {
        name: "forward_no_answer",
        kind: Kind::Text { expected: TARGET, set: |user, text| target(&mut user.service.forward_no_answer, text) },
    },
    Key {
        name: "no_answer_after",
        kind: Kind::Number { min: 1, max: 170, set: |user, n| user.service.no_answer_after = seconds(n) },
    },
    Key { name: "ring", kind: Kind::List { expected: TARGETS, set: set_places } },
    Key {
        name: "ring_order",
        kind: Kind::Choice {
            words: &["together", "in turn"],
            set: |user, i| user.service.order = [Order::Together, Order::InTurn][i],
        },
    },
    Key {
        name: "ring_time",
        kind: Kind::Number { min: 1, max: 170, set: |user, n| user.service.ring_time = seconds(n) },
    },
    Key {
        name: "redirect",
        kind: Kind::Text { expected: TARGET, set: |user, text| target(&mut user.service.redirect, text) },
    },
    Key {
        name: "block",
        kind: Kind::List { expected: PATTERNS, set: |user, list| patterns(&mut user.service.block, &list) },
    },
    Key {
        name: "allow",
        kind: Kind::List { expected: PATTERNS, set: |user, list| patterns(&mut user.service.allow, &list) },
    },
    Key {
        name: "block_outgoing",
        kind: Kind::List { expected: PATTERNS, set: |user, list| patterns(&mut user.service.block_outgoing, &list) },
    },
];

/// Keys of `[[exchange.route]]`.
pub const ROUTE: &[Key<ExchangeRoute>] = &[
    Key {
        name: "domain",
        kind: Kind::Text {
            expected: "a domain such as \"biloxi.example.com\", or \"*\"",
            set: |route, text| {
                if text != "*" {
                    host(text)?;
                }
                route.domain = text.into();
                Ok(())
            },
        },
    },
    Key {
        name: "via",
        kind: Kind::List {
            expected: "a list of proxies with IP addresses such as [\"sip:192.0.2.1\", \"sip:192.0.2.2:5070\"]",
            set: |route, list| {
                for text in &list {
                    let fault = |why: &str| format!("\"{}\": {why}", text.escape_debug());
                    let uri = address::hop(text).map_err(|why| fault(&why))?;
                    if !matches!(uri.host(), Some(Host::Ip(_))) {
                        return Err(fault("the exchange looks up no names"));
                    }
                }
                route.hops = list;
                Ok(())
            },
        },
    },
];

impl ExchangeUser {
    /// What is missing once all keys are read.
    pub fn fault(&self) -> Option<String> {
        if self.name.is_empty() {
            return Some("the user has no name, such as name = \"bob\"".into());
        }
        if self.password == Secret::None && !self.service.leads_elsewhere() {
            let name = &self.name;
            return Some(format!(
                "user '{name}' has neither a password nor a place where the calls go (ring, forward)"
            ));
        }
        None
    }
}

impl ExchangeRoute {
    /// What is missing once all keys are read.
    pub fn fault(&self) -> Option<String> {
        let complete = !self.domain.is_empty() && !self.hops.is_empty();
        (!complete).then(|| "a route needs a domain and via, such as via = [\"sip:192.0.2.1\"]".into())
    }
}

/// What the exchange wants; `base` has where it listens, and whatever is not configured here. Runs the password commands.
///
/// # Errors
/// A password command fails.
pub fn settings(config: &Exchange, base: exchange::Config) -> Result<exchange::Config, ConfigError> {
    let mut users = Vec::new();
    let mut services = BTreeMap::new();
    for user in &config.users {
        let password = user.password.reveal().map_err(|error| {
            let place = Place::Setting("exchange.user");
            ConfigError::new(place, format!("user '{}': {error}", user.name))
        })?;
        users.push(User { name: user.name.clone(), password: password.unwrap_or_default() });
        if user.service != Service::default() {
            services.insert(user.name.clone(), user.service.clone());
        }
    }
    let hops = |route: &ExchangeRoute| exchange::Route {
        domain: route.domain.clone(),
        hops: route.hops.iter().filter_map(|hop| address::hop(hop).ok()).collect(),
    };
    Ok(exchange::Config {
        domain: config.domain.clone().unwrap_or(base.domain),
        users: if users.is_empty() { base.users } else { users },
        services,
        routes: config.routes.iter().map(hops).collect(),
        strangers: config.strangers,
        emergency: config.emergency.clone(),
        algorithms: config.digest.clone(),
        ..base
    })
}

fn seconds(n: u32) -> Duration {
    Duration::from_secs(n.into())
}

fn host(text: &str) -> Result<(), String> {
    match Host::parse_hostport(&text.to_owned().into()) {
        Ok((_, None)) => Ok(()),
        Ok((_, Some(_))) => Err("without a port".into()),
        Err(_) => Err("it is no host name".into()),
    }
}

fn set_domain(to: &mut Exchange, text: &str) -> Result<(), String> {
    host(text)?;
    to.domain = Some(text.into());
    Ok(())
}

fn set_digest(to: &mut Exchange, list: Vec<String>) -> Result<(), String> {
    // Few phones know session keys, and a nonce serves many requests without.
    let known = |text: &String| match Algorithm::parse(text) {
        Some(algorithm) if !algorithm.is_session() => Ok(algorithm),
        _ => Err(format!("\"{}\": MD5, SHA-256 or SHA-512-256", text.escape_debug())),
    };
    let algorithms: Vec<Algorithm> = list.iter().map(known).collect::<Result<_, _>>()?;
    if algorithms.is_empty() {
        return Err("name one at least".into());
    }
    to.digest = algorithms;
    Ok(())
}

/// A user name: it stands in URIs as it is.
fn name(text: &str) -> Result<(), String> {
    if text.is_empty() || text.len() > 64 {
        return Err("1 to 64 characters".into());
    }
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '*');
    if text.chars().all(good) { Ok(()) } else { Err("letters, digits and - _ . + * only".into()) }
}

fn check_target(text: &str) -> Result<(), String> {
    match text.contains([':', '@']) {
        true => address::of_record(text).map(drop),
        false => name(text),
    }
}

fn target(slot: &mut Option<String>, text: &str) -> Result<(), String> {
    check_target(text)?;
    *slot = Some(text.into());
    Ok(())
}

fn set_places(user: &mut ExchangeUser, list: Vec<String>) -> Result<(), String> {
    if list.len() > MAX_PLACES {
        return Err(format!("{MAX_PLACES} at most"));
    }
    for text in &list {
        check_target(text).map_err(|why| format!("\"{}\": {why}", text.escape_debug()))?;
    }
    user.service.places = list;
    Ok(())
}

fn patterns(slot: &mut Vec<Pattern>, list: &[String]) -> Result<(), String> {
    let read = |text: &String| Pattern::new(text).map_err(|why| format!("\"{}\": {why}", text.escape_debug()));
    *slot = list.iter().map(read).collect::<Result<_, _>>()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn parse(text: &str) -> Result<super::super::Config, String> {
        super::super::read::read(Path::new("c.toml"), text).map_err(|error| error.to_string())
    }

    const EVERYTHING: &str = r#"
[exchange]
domain = "example.com"
strangers = "challenge"
emergency = ["110"]
digest = ["SHA-512-256", "MD5"]
[[exchange.user]]
name = "bob"
password = "secret"
display_name = "Bob"
forward_busy = "carol"
forward_no_answer = "sip:+4930@192.0.2.9"
no_answer_after = 12
ring = ["carol", "sip:bob@192.0.2.7"]
ring_order = "in turn"
ring_time = 9
block = ["0900*", "anonymous"]
allow = ["*@example.com"]
block_outgoing = ["00*"]
[[exchange.user]]
name = "sales"
ring = ["bob", "carol"]
[[exchange.user]]
name = "old"
redirect = "bob"
[[exchange.user]]
name = "away"
forward = "601"
[[exchange.route]]
domain = "biloxi.example.com"
via = ["sip:192.0.2.1", "sip:192.0.2.2:5070"]
"#;

    #[test]
    fn every_key_is_read_and_reaches_the_exchange() {
        let read = parse(EVERYTHING).unwrap().exchange;
        let config = settings(&read, exchange::Config::default()).unwrap();
        assert_eq!(config.domain, "example.com");
        assert_eq!(config.strangers, Strangers::Challenge);
        assert_eq!(config.emergency, ["110"]);
        assert_eq!(config.algorithms, [Algorithm::Sha512_256, Algorithm::Md5]);
        assert_eq!(config.users.len(), 4);
        assert_eq!((config.users[0].name.as_str(), config.users[0].password.as_str()), ("bob", "secret"));
        let bob = &config.services["bob"];
        let list = |texts: &[&str]| -> Vec<Pattern> { texts.iter().map(|text| Pattern::new(text).unwrap()).collect() };
        let expected = Service {
            display_name: Some("Bob".into()),
            forward: None,
            forward_busy: Some("carol".into()),
            forward_no_answer: Some("sip:+4930@192.0.2.9".into()),
            no_answer_after: Duration::from_secs(12),
            places: vec!["carol".into(), "sip:bob@192.0.2.7".into()],
            order: Order::InTurn,
            ring_time: Duration::from_secs(9),
            redirect: None,
            block: list(&["0900*", "anonymous"]),
            allow: list(&["*@example.com"]),
            block_outgoing: list(&["00*"]),
        };
        assert_eq!(*bob, expected);
        assert_eq!(config.services["old"].redirect.as_deref(), Some("bob"));
        assert_eq!(config.services["away"].forward.as_deref(), Some("601"));
        assert_eq!(config.routes[0].hops[1].to_string(), "sip:192.0.2.2:5070");
        let known: Vec<&str> = EXCHANGE.iter().map(|key| key.name).chain(USER.iter().map(|key| key.name)).collect();
        let written = |name: &&&str| {
            EVERYTHING.contains(&format!("\n{name} = ")) || EVERYTHING.contains(&format!("[[exchange.{name}]]"))
        };
        let missing: Vec<&&str> = known.iter().filter(|name| !written(name)).collect();
        assert_eq!(missing, [&"password_command"]);
    }

    #[test]
    fn what_is_wrong_and_where() {
        let user = "[[exchange.user]]\nname = \"bob\"\n";
        let table = [
            (
                "[exchange]\ndomian = \"a\"".to_owned(),
                "c.toml:2: unknown key 'domian' in exchange (did you mean 'domain'?)",
            ),
            (
                "[exchange]\ndomain = \"a b\"".to_owned(),
                "c.toml:2: exchange.domain: expected a domain such as \"pbx.example.com\", found \"a b\" (it is no host name)",
            ),
            (
                "[exchange]\ndigest = [\"MD5-sess\"]".to_owned(),
                "c.toml:2: exchange.digest: expected a list of algorithms such as [\"SHA-256\", \"MD5\"], found a list (\"MD5-sess\": MD5, SHA-256 or SHA-512-256)",
            ),
            (
                "[exchange.user]\nname = \"bob\"".to_owned(),
                "c.toml:1: exchange.user: expected [[exchange.user]], with two brackets, once for each",
            ),
            (
                user.to_owned(),
                "c.toml:1: user 'bob' has neither a password nor a place where the calls go (ring, forward)",
            ),
            (
                format!("{user}password = \"a\"\n\n{user}password = \"b\""),
                "c.toml:5: a second user is named 'bob': give each a name of its own",
            ),
            (
                format!("{user}forward = \"my desk\""),
                "c.toml:3: exchange.user.forward: expected a user or number of the exchange, or an address such as \"sip:bob@192.0.2.7\", found \"my desk\" (letters, digits and - _ . + * only)",
            ),
            (
                format!("{user}ring_order = \"sometimes\""),
                "c.toml:3: exchange.user.ring_order: expected \"together\" or \"in turn\", found \"sometimes\"",
            ),
            (
                format!("{user}block = [\"a b\"]"),
                "c.toml:3: exchange.user.block: expected a list of patterns such as [\"0900*\", \"*@spam.example\", \"anonymous\"], found a list (\"a b\": a pattern has no spaces, quotes, brackets or semicolons)",
            ),
            (
                format!("{user}password = 5"),
                "c.toml:3: exchange.user.password: expected a text in quotes, found a number without quotes",
            ),
            (
                "[[exchange.user]]\nname = \"600\"".to_owned(),
                "c.toml:2: exchange.user.name: expected a name or number in quotes, found \"600\" (that is an extension of the exchange itself)",
            ),
            (
                "[[exchange.route]]\ndomain = \"b.example\"".to_owned(),
                "c.toml:1: a route needs a domain and via, such as via = [\"sip:192.0.2.1\"]",
            ),
            (
                "[[exchange.route]]\nvia = [\"sip:b.example\"]".to_owned(),
                "c.toml:2: exchange.route.via: expected a list of proxies with IP addresses such as [\"sip:192.0.2.1\", \"sip:192.0.2.2:5070\"], found a list (\"sip:b.example\": the exchange looks up no names)",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(parse(&text).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn nobody_configured_leaves_the_users_of_the_demo() {
        let base = exchange::Config {
            users: vec![User { name: "you".into(), password: "x".into() }],
            ..exchange::Config::default()
        };
        let config = settings(&Exchange::default(), base).unwrap();
        assert_eq!(config.users[0].name, "you");
        let failing = "[[exchange.user]]\nname = \"bob\"\npassword_command = \"exit 3\"";
        let error = settings(&parse(failing).unwrap().exchange, exchange::Config::default()).unwrap_err();
        assert!(error.to_string().starts_with("exchange.user: user 'bob': "), "{error}");
    }
}
