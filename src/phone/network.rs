//! What the phone does when the machine's network changes, or when it has slept.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use crate::net::watch::{Notice, default_addresses};
use crate::ua::command::MediaPorts;
use crate::ua::{CallNo, Command, NetworkChange};

use super::actor::Actor;
use super::event::{Kind, NetworkCause};

/// Where the phone reaches the world from, as it was last looked at.
#[derive(Debug, Default)]
pub(super) struct Whereabouts {
    /// The addresses towards the rest of the world, by IPv4 and IPv6.
    defaults: [Option<IpAddr>; 2],
    /// Hosts of ours that no way led to.
    lost: Vec<SocketAddr>,
    /// What was told last: ways that can't be asked for again must not tell it for ever.
    told: Option<(Option<IpAddr>, Option<IpAddr>)>,
}

impl Whereabouts {
    pub(super) fn new() -> Whereabouts {
        Whereabouts { defaults: default_addresses(), lost: Vec::new(), told: None }
    }
}

/// What has become of the ways in use.
#[derive(Debug, Default, PartialEq)]
struct Look {
    /// The first that leaves from another address, and from which now.
    moved: Option<(IpAddr, IpAddr)>,
    /// One that leads somewhere again.
    back: Option<IpAddr>,
    lost: Vec<SocketAddr>,
    /// All that there are have been lost just now; the address of the first.
    all_lost: Option<IpAddr>,
}

impl Look {
    /// `ways`: the local address so far, the remote host, and the local address now.
    fn new(ways: &[(IpAddr, SocketAddr, Option<IpAddr>)], lost_before: &[SocketAddr]) -> Look {
        let mut look = Look::default();
        for (before, remote, now) in ways {
            match now {
                None => look.lost.push(*remote),
                Some(now) if now != before => look.moved = look.moved.or(Some((*before, *now))),
                Some(now) if lost_before.contains(remote) => look.back = look.back.or(Some(*now)),
                Some(_) => {}
            }
        }
        let news = look.lost.iter().any(|remote| !lost_before.contains(remote));
        let all = look.lost.len() == ways.len();
        look.all_lost = ways.first().filter(|_| news && all).map(|(before, ..)| *before);
        look
    }
}

impl Actor {
    /// The watcher has noticed something.
    pub(super) fn network_noticed(&mut self, now: Instant, notice: Notice) {
        if self.quitting.is_some() {
            return;
        }
        self.sockets.forget_ways(now, notice);
        let ways = self.core.ways(now);
        let ways: Vec<_> = ways
            .into_iter()
            .map(|way| {
                let local = self.sockets.flow_to(now, way.remote).map(|flow| flow.local.ip());
                (way.local.ip(), way.remote, local)
            })
            .collect();
        let look = Look::new(&ways, &self.whereabouts.lost);
        let defaults = std::mem::replace(&mut self.whereabouts.defaults, default_addresses());
        self.whereabouts.lost.clone_from(&look.lost);
        // Without any way in use it is the rest of the world that counts.
        let [before, after] = [defaults, self.whereabouts.defaults].map(|[v4, v6]| v4.or(v6));
        let (cause, from, to) = match (notice, look.moved, look.back) {
            (Notice::Woken, moved, _) => {
                let here = ways.first().map(|(before, ..)| *before).or(after);
                (
                    NetworkCause::Sleep,
                    moved.map_or(here, |(from, _)| Some(from)),
                    moved.map_or(here, |(_, to)| Some(to)),
                )
            }
            (Notice::Network, Some((from, to)), _) => (NetworkCause::Address, Some(from), Some(to)),
            (Notice::Network, None, Some(to)) => (NetworkCause::Back, None, Some(to)),
            (Notice::Network, None, None) => match look.all_lost {
                Some(from) => return self.tell_network(NetworkCause::Lost, Some(from), None),
                None if ways.is_empty() && before != after => match (before, after) {
                    (_, None) => return self.tell_network(NetworkCause::Lost, before, None),
                    (None, Some(_)) => (NetworkCause::Back, None, after),
                    (Some(_), Some(_)) => (NetworkCause::Address, before, after),
                },
                None => return,
            },
        };
        if cause == NetworkCause::Address && self.whereabouts.told == Some((from, to)) {
            return;
        }
        self.resolver.forget();
        self.gatherer.forget();
        let change = if cause == NetworkCause::Sleep { NetworkChange::Woken } else { NetworkChange::Moved };
        self.tell_network(cause, from, to);
        self.core.handle_network_change(now, change);
    }

    fn tell_network(&mut self, cause: NetworkCause, from: Option<IpAddr>, to: Option<IpAddr>) {
        tracing::info!(?cause, ?from, ?to, "the network has changed");
        self.whereabouts.told = Some((from, to));
        let text = |address: Option<IpAddr>| address.map(|address| address.to_string());
        self.desk.tell(Kind::NetworkChanged { cause, from: text(from), to: text(to) });
    }

    /// A call's packets leave from another address now: its sound moves there, and the other side is told.
    pub(super) fn move_sound(&mut self, now: Instant, call: CallNo, address: IpAddr, media: Option<MediaPorts>) {
        let Some(ports) = media else { return };
        let moved =
            self.sound.move_to(call, address, ports).map_err(|error| error.to_string()).and_then(|media| {
                self.core.command(now, Command::Move { call, media }).map_err(|error| error.to_string())
            });
        if let Err(error) = moved {
            self.complain(call, &format!("the sound can't move to {address}: {error}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_look_tells_what_has_become_of_the_ways() {
        let (a, b) = (ip("192.0.2.1"), ip("198.51.100.1"));
        let server: SocketAddr = "203.0.113.1:5060".parse().unwrap();
        let peer: SocketAddr = "203.0.113.2:5060".parse().unwrap();
        let same = Look::new(&[(a, server, Some(a)), (b, peer, Some(b))], &[]);
        assert_eq!(same, Look::default());
        let moved = Look::new(&[(a, server, Some(a)), (a, peer, Some(b))], &[]);
        assert_eq!((moved.moved, moved.back, moved.all_lost), (Some((a, b)), None, None));
        let half = Look::new(&[(a, server, Some(a)), (b, peer, None)], &[]);
        assert_eq!((half.lost.as_slice(), half.all_lost), (&[peer][..], None));
        let gone = Look::new(&[(a, server, None), (b, peer, None)], &[peer]);
        assert_eq!(gone.all_lost, Some(a));
        // Told once.
        assert_eq!(Look::new(&[(a, server, None), (b, peer, None)], &gone.lost).all_lost, None);
        assert_eq!(Look::new(&[(a, server, Some(a)), (b, peer, None)], &gone.lost).back, Some(a));
        assert_eq!(Look::new(&[], &[]), Look::default());
    }
}
