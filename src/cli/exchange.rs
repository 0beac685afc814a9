//! `offhook exchange`: the embedded exchange alone, until a signal.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};

use crate::config::Config;
use crate::exchange::{EXTENSIONS, Exchange, demo};

use super::exit::{Exit, Failure};
use super::out::{self, Style};
use super::session::Signals;

/// Where it listens when nobody says: on this machine only.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 5060);

/// Starts it, says where it is and whom it knows, and waits.
pub async fn run(config: &Config, style: Style) -> Result<Exit, Failure> {
    let mut signals = Signals::listen().map_err(|error| Failure::new(Exit::Internal, format!("signals: {error}")))?;
    let (exchange, password) = start(config)?;
    out::print(&words(exchange.address(), &password, style));
    signals.next().await;
    exchange.shutdown();
    Ok(Exit::Done)
}

fn start(config: &Config) -> Result<(Exchange, String), Failure> {
    let configured = config.sip.listen_is_configured;
    let listen = if configured { config.sip.listen } else { LISTEN };
    let (settings, password) = demo::config(listen).map_err(|error| failed(listen, &error))?;
    let mut started = Exchange::start(settings.clone());
    if !configured && started.as_ref().is_err_and(|error| error.kind() == ErrorKind::AddrInUse) {
        started = Exchange::start(crate::exchange::Config { listen: SocketAddr::new(listen.ip(), 0), ..settings });
    }
    started.map(|exchange| (exchange, password)).map_err(|error| failed(listen, &error))
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
        _ => Failure::new(Exit::Internal, format!("the exchange can't start: {error}")),
    }
}

fn words(address: SocketAddr, password: &str, style: Style) -> String {
    let users = [demo::USER, demo::SECOND_USER];
    match style {
        Style::Json => {
            let extensions: serde_json::Map<String, serde_json::Value> =
                EXTENSIONS.iter().map(|(number, _, about)| ((*number).to_owned(), (*about).into())).collect();
            let line = serde_json::json!({
                "event": "exchange",
                "time": humantime::format_rfc3339_millis(std::time::SystemTime::now()).to_string(),
                "address": address.to_string(),
                "users": users,
                "password": password,
                "extensions": extensions,
            });
            format!("{line}\n")
        }
        Style::Text => {
            let mut text = format!("exchange at sip:{address}\n");
            for user in users {
                let _ = writeln!(text, "  user {user}, password {password}: sip:{user}@{address}");
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
        let text = words(address, "pw", Style::Text);
        assert!(text.starts_with("exchange at sip:127.0.0.1:5060\n  user you, password pw: sip:you@127.0.0.1:5060\n"));
        assert!(text.contains("  600 echo\n  601 a 440 Hz tone\n"));
        let json: serde_json::Value = serde_json::from_str(&words(address, "pw", Style::Json)).unwrap();
        assert_eq!(json["event"], "exchange");
        assert_eq!(json["extensions"]["602"], "busy");
    }

    #[test]
    fn a_configured_port_in_use_is_a_network_failure() {
        let first = demo::start().unwrap().0;
        let mut config = Config::default();
        config.sip.listen = first.address();
        config.sip.listen_is_configured = true;
        assert_eq!(start(&config).unwrap_err().exit, Exit::Network);
    }
}
