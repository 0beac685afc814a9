//! `offhook demo --headless --tour`: the telephone services of the examples of 1999, one after the other, with three phones
//! and the exchange on this machine; one line each with what was seen.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::config::Config;
use crate::exchange::{Exchange, Order, Pattern, Service, demo as exchange_demo};
use crate::phone::event::Kind;
use crate::phone::{Command, Event, PhoneHandle, Reply};
use crate::ua::CallNo;
use crate::ua::config::{AutoAnswer, TransferPolicy};
use crate::ua::event::TransferStage;

use super::exit::{Exit, Failure};
use super::out::{self, Style};

/// How long anything that is waited for may take.
const LIMIT: Duration = Duration::from_secs(20);
/// Talk, so that a hold or a conference is one of calls that stand.
const PAUSE: Duration = Duration::from_millis(300);

/// A phone and what it tells.
struct Phone {
    name: &'static str,
    phone: PhoneHandle,
    events: mpsc::UnboundedReceiver<Event>,
}

/// All that takes part.
struct Tour {
    alice: Phone,
    bob: Phone,
    carol: Phone,
}

/// What was seen, or why it was not.
type Seen = Result<String, String>;

/// Runs every service and prints its line. The exchange ends last.
pub async fn run(base: Config, style: Style) -> Result<Exit, Failure> {
    let (exchange, password) = open()?;
    let mut tour = Tour::start(&base, exchange.address(), &password).await?;
    let mut failed = 0;
    macro_rules! stop {
        ($section:literal, $service:literal, $way:ident) => {
            let seen = timeout(LIMIT, tour.$way()).await.unwrap_or_else(|_| Err("it took too long".to_owned()));
            failed += usize::from(seen.is_err());
            tell(style, $section, $service, &seen);
            tour.clear().await;
        };
    }
    stop!("2.1", "call hold", hold);
    stop!("2.2", "consultation hold", consultation);
    stop!("2.3", "unattended transfer", transfer);
    stop!("2.4", "attended transfer", attended);
    stop!("2.5", "forwarding, unconditional", forward_always);
    stop!("2.6", "forwarding, busy", forward_busy);
    stop!("2.7", "forwarding, no answer", forward_no_answer);
    stop!("2.8", "3-way call", three_way);
    stop!("2.9", "single line extension", single_line);
    stop!("2.10", "find-me", find_me);
    stop!("2.11", "incoming call screening", screened_incoming);
    stop!("2.12", "outgoing call screening", screened_outgoing);
    tour.quit().await;
    exchange.shutdown();
    match failed {
        0 => Ok(Exit::Done),
        _ => Err(Failure::new(Exit::Internal, format!("{failed} services did not work"))),
    }
}

/// An exchange on loopback whose numbers have the services, and the password of its users.
fn open() -> Result<(Exchange, String), Failure> {
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let failed = |error: std::io::Error| super::exchange::failed(loopback, &error);
    let (mut config, password) = exchange_demo::config(loopback).map_err(failed)?;
    config.users = ["alice", "bob", "carol"]
        .map(|name| crate::exchange::User { name: name.into(), password: password.clone() })
        .to_vec();
    config.services = services();
    Ok((Exchange::start(config).map_err(failed)?, password))
}

/// Numbers named after their services. 602 is a busy line, 603 one that nobody answers.
fn services() -> BTreeMap<String, Service> {
    let to = |name: &str| Some(name.to_owned());
    let ring = |places: &[&str]| places.iter().map(|place| (*place).to_owned()).collect();
    let patterns = |text: &str| Pattern::new(text).into_iter().collect();
    let second = Duration::from_secs(1);
    [
        ("always", Service { forward: to("bob"), ..Service::default() }),
        ("busy", Service { places: ring(&["602"]), forward_busy: to("bob"), ..Service::default() }),
        (
            "unanswered",
            Service {
                places: ring(&["603"]),
                forward_no_answer: to("bob"),
                no_answer_after: second,
                ..Service::default()
            },
        ),
        ("line", Service { places: ring(&["carol", "bob"]), ..Service::default() }),
        (
            "anywhere",
            Service {
                places: ring(&["603", "602", "bob"]),
                order: Order::InTurn,
                ring_time: second,
                ..Service::default()
            },
        ),
        ("screened", Service { forward: to("bob"), block: patterns("alice"), ..Service::default() }),
        ("alice", Service { block_outgoing: patterns("0900*"), ..Service::default() }),
    ]
    .map(|(name, service)| (name.to_owned(), service))
    .into()
}

fn tell(style: Style, section: &str, service: &str, seen: &Seen) {
    let line = match (style, seen) {
        (Style::Text, Ok(text)) => format!("{section:<5} {service:<26} {text}\n"),
        (Style::Text, Err(why)) => format!("{section:<5} {service:<26} FAILED: {why}\n"),
        (Style::Json, _) => {
            let (passed, text) = (seen.is_ok(), seen.as_ref().unwrap_or_else(|why| why));
            let line = serde_json::json!({
                "time": humantime::format_rfc3339_millis(std::time::SystemTime::now()).to_string(),
                "event": "tour", "section": section, "service": service, "passed": passed, "seen": text,
            });
            format!("{line}\n")
        }
    };
    out::print(&line);
}

impl Tour {
    async fn start(base: &Config, exchange: SocketAddr, password: &str) -> Result<Tour, Failure> {
        let phone = async |name: &'static str, answers_after: Option<u64>| {
            let mut config = super::demo::headless_config(base.clone(), exchange, name, password);
            config.calls.transfers = TransferPolicy::Follow;
            if let Some(after) = answers_after {
                config.calls.auto_answer = AutoAnswer::Always;
                config.calls.auto_answer_after = after;
            }
            let mut phone = PhoneHandle::start(config)?;
            let events = phone.events();
            let mut phone = Phone { name, phone, events };
            let registered = phone.until(|kind| matches!(kind, Kind::Registered { .. }).then_some(()));
            match timeout(LIMIT, registered).await {
                Ok(Ok(())) => Ok(phone),
                Ok(Err(why)) => Err(Failure::new(Exit::Internal, why)),
                Err(_) => Err(Failure::new(Exit::Internal, format!("{name} can't register"))),
            }
        };
        Ok(Tour {
            alice: phone("alice", None).await?,
            bob: phone("bob", Some(100)).await?,
            carol: phone("carol", Some(1500)).await?,
        })
    }

    async fn hold(&mut self) -> Seen {
        self.alice.call_and_talk("605").await?;
        self.alice.give(Command::Hold { call: None }).await?;
        self.alice.until(|kind| matches!(kind, Kind::Held { .. }).then_some(())).await?;
        self.alice.give(Command::Resume { call: None }).await?;
        self.alice.until(|kind| matches!(kind, Kind::Resumed { .. }).then_some(())).await?;
        Ok("alice held the music and took it back".into())
    }

    async fn consultation(&mut self) -> Seen {
        self.alice.call_and_talk("bob").await?;
        let second = self.alice.call_and_talk("605").await?;
        self.bob.until(|kind| matches!(kind, Kind::RemoteHeld { .. }).then_some(())).await?;
        self.alice.give(Command::Swap).await?;
        self.bob.until(|kind| matches!(kind, Kind::RemoteResumed { .. }).then_some(())).await?;
        self.alice.give(Command::Hangup { call: Some(second) }).await?;
        Ok("bob was held while alice asked 605, then swapped back".into())
    }

    async fn transfer(&mut self) -> Seen {
        self.alice.call_and_talk("bob").await?;
        self.alice.give(Command::Transfer { call: None, target: "605".into() }).await?;
        self.alice
            .until(|kind| match kind {
                Kind::Transfer { stage: TransferStage::Accepted, .. } => Some(()),
                _ => None,
            })
            .await?;
        let peer = self.bob.established().await?;
        let peer = if peer.contains("605") { peer } else { self.bob.established().await? };
        Ok(format!("bob was sent on to {peer}"))
    }

    async fn attended(&mut self) -> Seen {
        let first = self.alice.call_and_talk("bob").await?;
        let second = self.alice.call_and_talk("carol").await?;
        let begun = tokio::time::Instant::now();
        self.alice.give(Command::TransferWith { call: first, with: second }).await?;
        for _ in [first, second] {
            self.alice.ended().await?;
        }
        let took = begun.elapsed().as_millis();
        let by = self
            .carol
            .until(|kind| match kind {
                Kind::Replaced { by, .. } => Some(*by),
                _ => None,
            })
            .await?;
        let Reply::State(state) = self.carol.give(Command::State).await? else {
            return Err("the phone gave no state".into());
        };
        let joined = state.calls.iter().find(|call| call.call.call == by).ok_or("the call to carol is gone")?;
        Ok(format!("carol talks to {}, and alice has left, {took} ms after she asked", joined.call.peer))
    }

    async fn forward_always(&mut self) -> Seen {
        self.forwarded("always").await
    }

    async fn forward_busy(&mut self) -> Seen {
        self.forwarded("busy").await
    }

    async fn forward_no_answer(&mut self) -> Seen {
        self.forwarded("unanswered").await
    }

    async fn forwarded(&mut self, number: &str) -> Seen {
        self.alice.call_and_talk(number).await?;
        let diverted_from = self
            .bob
            .until(|kind| match kind {
                Kind::Incoming { diverted_from, .. } => Some(diverted_from.clone()),
                _ => None,
            })
            .await?;
        match diverted_from {
            Some(from) if from.contains(number) => Ok(format!("bob answered, and saw that it was for {from}")),
            other => Err(format!("bob answered, but saw {other:?}")),
        }
    }

    async fn three_way(&mut self) -> Seen {
        let first = self.alice.call_and_talk("bob").await?;
        let second = self.alice.call_and_talk("carol").await?;
        self.alice.give(Command::Conference { calls: vec![first, second] }).await?;
        let members = self
            .alice
            .until(|kind| match kind {
                Kind::Conference { calls, .. } if calls.len() == 2 => Some(calls.len()),
                _ => None,
            })
            .await?;
        tokio::time::sleep(PAUSE).await;
        Ok(format!("alice mixes {members} calls: bob and carol hear each other"))
    }

    async fn single_line(&mut self) -> Seen {
        self.alice.call_and_talk("line").await?;
        self.bob.established().await?;
        self.carol.until(|kind| matches!(kind, Kind::Incoming { .. }).then_some(())).await?;
        self.carol.ended().await?;
        Ok("bob and carol rang, bob answered, carol stopped ringing".into())
    }

    async fn find_me(&mut self) -> Seen {
        let begun = tokio::time::Instant::now();
        self.alice.call_and_talk("anywhere").await?;
        self.bob.established().await?;
        Ok(format!("603 rang, 602 was busy, bob was found after {:.1} s", begun.elapsed().as_secs_f64()))
    }

    async fn screened_incoming(&mut self) -> Seen {
        self.refused("screened", "Terminating").await
    }

    async fn screened_outgoing(&mut self) -> Seen {
        self.refused("0900123", "Originating").await
    }

    async fn refused(&mut self, number: &str, word: &str) -> Seen {
        self.alice.give(Command::Call { account: None, target: number.into() }).await?;
        let (code, reason) = self.alice.ended().await?;
        match code {
            Some(403) if reason.contains(word) => Ok(format!("alice called {number}: 403 {reason}")),
            _ => Err(format!("{code:?} {reason}")),
        }
    }

    /// Ends all calls, and forgets what was told.
    async fn clear(&mut self) {
        for phone in [&mut self.alice, &mut self.bob, &mut self.carol] {
            let _ = phone.phone.command(Command::HangupAll).await;
        }
        tokio::time::sleep(PAUSE).await;
        for phone in [&mut self.alice, &mut self.bob, &mut self.carol] {
            while phone.events.try_recv().is_ok() {}
        }
    }

    async fn quit(self) {
        for phone in [self.alice, self.bob, self.carol] {
            let _ = timeout(super::session::QUIT, phone.phone.command(Command::Quit)).await;
        }
    }
}

impl Phone {
    async fn give(&mut self, command: Command) -> Result<Reply, String> {
        self.phone.command(command).await.map_err(|refused| refused.message)
    }

    /// Calls, and waits until it talks.
    async fn call_and_talk(&mut self, number: &str) -> Result<CallNo, String> {
        let Reply::Call(call) = self.give(Command::Call { account: None, target: number.into() }).await? else {
            return Err("the phone gave no call".into());
        };
        self.established().await?;
        tokio::time::sleep(PAUSE).await;
        Ok(call)
    }

    /// Who is talked to then.
    async fn established(&mut self) -> Result<String, String> {
        self.until(|kind| match kind {
            Kind::Established { call, .. } => Some(Ok(call.peer.clone())),
            Kind::Ended { code, reason, .. } => Some(Err(format!("the call ended: {code:?} {reason}"))),
            _ => None,
        })
        .await?
    }

    async fn ended(&mut self) -> Result<(Option<u16>, String), String> {
        self.until(|kind| match kind {
            Kind::Ended { code, reason, .. } => Some((*code, reason.clone())),
            _ => None,
        })
        .await
    }

    /// The next thing told that `wanted` picks.
    async fn until<T>(&mut self, wanted: impl Fn(&Kind) -> Option<T>) -> Result<T, String> {
        while let Some(event) = self.events.recv().await {
            if let Some(found) = wanted(&event.kind) {
                return Ok(found);
            }
        }
        Err(format!("{}'s phone has ended by itself", self.name))
    }
}
