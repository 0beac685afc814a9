//! The SIP ALG of RFC 3665 section 3.5: a proxy that stays in the call's way, and carries its sound through itself.

use std::net::SocketAddr;

use tokio::net::UdpSocket;

use crate::phone::values;

/// A running gateway; it ends with its runtime.
pub struct Gateway {
    /// Where it takes messages.
    pub address: SocketAddr,
    /// Where its sound is for Alice, and for whoever she calls.
    pub sound: [SocketAddr; 2],
}

impl Gateway {
    /// One that sends what has no further Route to `onward`, Bob's proxy.
    pub async fn start(onward: SocketAddr) -> Gateway {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (inside, outside) =
            (UdpSocket::bind("127.0.0.1:0").await.unwrap(), UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let address = socket.local_addr().unwrap();
        let sound = [inside.local_addr().unwrap(), outside.local_addr().unwrap()];
        tokio::spawn(signalling(socket, onward, sound));
        tokio::spawn(relay(inside, outside));
        Gateway { address, sound }
    }
}

/// Each side's sound goes to where the other's comes from.
async fn relay(inside: UdpSocket, outside: UdpSocket) {
    let (mut alice, mut bob): (Option<SocketAddr>, Option<SocketAddr>) = (None, None);
    let (mut from_alice, mut from_bob) = ([0; 2048], [0; 2048]);
    loop {
        tokio::select! {
            Ok((length, from)) = inside.recv_from(&mut from_alice) => {
                alice = Some(from);
                if let Some(bob) = bob { let _ = outside.send_to(&from_alice[..length], bob).await; }
            }
            Ok((length, from)) = outside.recv_from(&mut from_bob) => {
                bob = Some(from);
                if let Some(alice) = alice { let _ = inside.send_to(&from_bob[..length], alice).await; }
            }
        }
    }
}

async fn signalling(socket: UdpSocket, onward: SocketAddr, sound: [SocketAddr; 2]) {
    let own = socket.local_addr().unwrap();
    let mut buffer = vec![0; 65_535];
    // The first one is hers.
    let mut alice = None;
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines: Vec<String> = head.split("\r\n").map(str::to_owned).collect();
        // Whatever Alice says of her sound is for the other side, and the other way round.
        let from_alice = from == *alice.get_or_insert(from);
        let body = describe(body, sound[usize::from(from_alice)]);
        let to = if lines[0].starts_with("SIP/2.0") { back(&mut lines) } else { forth(&mut lines, own, from, onward) };
        for line in lines.iter_mut().filter(|line| line.to_ascii_lowercase().starts_with("content-length:")) {
            *line = format!("Content-Length: {}", body.len());
        }
        let _ = socket.send_to(format!("{}\r\n\r\n{body}", lines.join("\r\n")).as_bytes(), to).await;
    }
}

/// The description with our address in it.
fn describe(body: &str, sound: SocketAddr) -> String {
    let line = |line: &str| match line.strip_prefix("m=audio ").and_then(|rest| rest.split_once(' ')) {
        Some((_, rest)) => format!("m=audio {} {rest}\r\n", sound.port()),
        // Where its control packets go is ours to say too.
        None if line.starts_with("a=rtcp:") => String::new(),
        None => format!("{line}\r\n"),
    };
    body.lines().map(line).collect()
}

/// A response: our Via off; it goes where the next one says.
fn back(lines: &mut Vec<String>) -> SocketAddr {
    let ours = lines.iter().position(|line| line.starts_with("Via:")).unwrap();
    lines.remove(ours);
    let next = lines.iter().find(|line| line.starts_with("Via:")).unwrap();
    let sent_by = next.split(' ').nth(2).unwrap().split(';').next().unwrap();
    sent_by.parse().unwrap()
}

/// A request: our Via on, our Route off, our Record-Route in.
fn forth(lines: &mut Vec<String>, own: SocketAddr, from: SocketAddr, onward: SocketAddr) -> SocketAddr {
    let routes: Vec<String> = values(&lines.join("\r\n"), "Route").into_iter().map(str::to_owned).collect();
    let others: Vec<&String> = routes.iter().filter(|route| !route.contains(&own.to_string())).collect();
    lines.retain(|line| !line.starts_with("Route:"));
    let via = lines.iter().position(|line| line.starts_with("Via:")).unwrap();
    let branch = lines[via].split("branch=").nth(1).unwrap().split(';').next().unwrap().to_owned();
    // The answer goes to sent-by: the address it came from.
    debug_assert!(lines[via].contains(&from.to_string()));
    lines.insert(via, format!("Via: SIP/2.0/UDP {own};branch={branch}alg"));
    let in_dialog = lines.iter().any(|line| line.starts_with("To:") && line.contains(";tag="));
    if lines[0].starts_with("INVITE ") && !in_dialog {
        lines.insert(via, format!("Record-Route: <sip:{own};lr>"));
    }
    for route in others.iter().rev() {
        lines.insert(via, format!("Route: {route}"));
    }
    let next = others.first().map_or_else(|| lines[0].split(' ').nth(1).unwrap(), |route| route.as_str());
    let host = next.split(['@', ':', ';', '>']).find(|part| part.starts_with("127."));
    let port = next.split([':', ';', '>', '@']).find_map(|part| part.parse::<u16>().ok());
    match (host, port) {
        (Some(host), Some(port)) => SocketAddr::new(host.parse().unwrap(), port),
        _ => onward,
    }
}
