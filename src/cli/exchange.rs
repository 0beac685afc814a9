//! `offhook exchange`: the embedded exchange alone, until a signal.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};

use crate::config::Config;
use crate::config::exchange::settings;
use crate::exchange::{EXTENSIONS, Exchange, demo};

use super::exit::{Exit, Failure};
use super::out::{self, Style};
use super::session::Signals;

/// Where it listens when nobody says: on this machine only.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 5060);

/// Starts it, says where it is and whom it knows, and waits.
pub async fn run(config: &Config, style: Style) -> Result<Exit, Failure> {
    let mut signals = Signals::listen().map_err(|error| Failure::new(Exit::Internal, format!("signals: {error}")))?;
    let (exchange, opened) = start(config)?;
    out::print(&words(exchange.address(), &opened, style));
    signals.next().await;
    exchange.shutdown();
    Ok(Exit::Done)
}

/// Whom it knows.
struct Opened {
    users: Vec<String>,
    /// Theirs, when it was made up.
    password: Option<String>,
    domain: String,
}

fn start(config: &Config) -> Result<(Exchange, Opened), Failure> {
    let configured = config.sip.listen_is_configured;
    let listen = if configured { config.sip.listen } else { LISTEN };
    let (base, password) = demo::config(listen).map_err(|error| failed(listen, &error))?;
    let settings = settings(&config.exchange, base)
        .map_err(|error| Failure::new(Exit::Usage, format!("configuration: {error}")))?;
    let users = settings.users.iter().map(|user| user.name.clone()).collect();
    // A password that somebody chose is not shown.
    let password = config.exchange.users.is_empty().then_some(password);
    let domain = settings.domain.clone();
    let mut started = Exchange::start(settings.clone());
    if !configured && started.as_ref().is_err_and(|error| error.kind() == ErrorKind::AddrInUse) {
        started = Exchange::start(crate::exchange::Config { listen: SocketAddr::new(listen.ip(), 0), ..settings });
    }
    let opened = Opened { users, password, domain };
    started.map(|exchange| (exchange, opened)).map_err(|error| failed(listen, &error))
}

/// Why the exchange does not start.
pub fn failed(listen: SocketAddr, error: &std::io::Error) -> Failure {
    match error.kind() {
        ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable | ErrorKind::PermissionDenied => Failure::new(
            Exit::Network,
            format!(
                "the exchange can't listen at {listen}: {error} (choose another port with --listen, or 0 for any free one)"
            ),
        ),
        // It would be open to others without passwords.
        ErrorKind::InvalidInput => Failure::new(
            Exit::Usage,
            format!("{error} (give each [[exchange.user]] a password, or listen at 127.0.0.1)"),
        ),
        _ => Failure::new(Exit::Internal, format!("the exchange can't start: {error}")),
    }
}

fn words(address: SocketAddr, opened: &Opened, style: Style) -> String {
    let Opened { users, password, domain } = opened;
    match style {
        Style::Json => {
            let extensions: serde_json::Map<String, serde_json::Value> =
                EXTENSIONS.iter().map(|(number, _, about)| ((*number).to_owned(), (*about).into())).collect();
            let line = serde_json::json!({
                "event": "exchange",
                "time": humantime::format_rfc3339_millis(std::time::SystemTime::now()).to_string(),
                "address": address.to_string(),
                "domain": domain,
                "users": users,
                "password": password,
                "extensions": extensions,
            });
            format!("{line}\n")
        }
        Style::Text => {
            let mut text = format!("exchange at sip:{address}\n");
            for user in users {
                let password = password.as_ref().map(|password| format!(", password {password}")).unwrap_or_default();
                let _ = writeln!(text, "  user {user}{password}: sip:{user}@{address}");
            }
            for (number, _, about) in EXTENSIONS {
                let _ = writeln!(text, "  {number} {about}");
            }
            text + "Ctrl-C ends it.\n"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_where_it_is_and_whom_it_knows() {
        let address = "127.0.0.1:5060".parse().unwrap();
        let opened = |password: Option<&str>| Opened {
            users: [demo::USER, demo::SECOND_USER].map(String::from).to_vec(),
            password: password.map(String::from),
            domain: "example.com".into(),
        };
        let text = words(address, &opened(Some("pw")), Style::Text);
        assert!(text.starts_with("exchange at sip:127.0.0.1:5060\n  user you, password pw: sip:you@127.0.0.1:5060\n"));
        assert!(text.contains("  600 echo\n  601 a 440 Hz tone\n"));
        let configured = words(address, &opened(None), Style::Text);
        assert!(configured.contains("\n  user you: sip:you@127.0.0.1:5060\n"));
        let json: serde_json::Value = serde_json::from_str(&words(address, &opened(Some("pw")), Style::Json)).unwrap();
        assert_eq!(json["event"], "exchange");
        assert_eq!(json["extensions"]["602"], "busy");
    }

    #[test]
    fn a_configured_port_in_use_is_a_network_failure() {
        let first = demo::start().unwrap().0;
        let mut config = Config::default();
        config.sip.listen = first.address();
        config.sip.listen_is_configured = true;
        let Err(failure) = start(&config) else { panic!("it started") };
        assert_eq!(failure.exit, Exit::Network);
    }

    #[test]
    fn it_is_not_opened_to_others_without_passwords() {
        let mut config = Config::default();
        config.sip.listen = "0.0.0.0:0".parse().unwrap();
        config.sip.listen_is_configured = true;
        let mut group = crate::config::exchange::ExchangeUser { name: "sales".into(), ..Default::default() };
        group.service.places = vec!["bob".into()];
        config.exchange.users = vec![group];
        let Err(failure) = start(&config) else { panic!("it started") };
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.message.contains("needs users with passwords"), "{}", failure.message);
    }
}
