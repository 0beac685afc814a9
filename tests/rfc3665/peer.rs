//! Somebody else: messages as text on a socket.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::patiently;
use crate::phone::values;

/// A description without anything special, for audio at this address.
pub fn sdp(at: SocketAddr) -> String {
    let ip = at.ip();
    format!("v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {} RTP/AVP 0\r\n", at.port())
}

/// Where a peer's messages go.
pub enum Peer {
    /// By datagrams.
    Udp(UdpSocket),
    /// By a connection, of which so much has been read.
    Tcp(TcpStream, Vec<u8>),
}

impl Peer {
    /// At this address, any port.
    pub async fn udp(ip: &str) -> Peer {
        Peer::Udp(UdpSocket::bind((ip, 0)).await.unwrap())
    }

    /// Connected to a server.
    pub async fn tcp(to: SocketAddr) -> Peer {
        Peer::Tcp(TcpStream::connect(to).await.unwrap(), Vec::new())
    }

    /// Its own address.
    pub fn address(&self) -> SocketAddr {
        match self {
            Peer::Udp(socket) => socket.local_addr().unwrap(),
            Peer::Tcp(stream, _) => stream.local_addr().unwrap(),
        }
    }

    /// Sends a message, to `to` where there is no connection. `head` has all but Content-Length.
    pub async fn sends(&mut self, to: SocketAddr, head: &str, body: &str) {
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let text = format!("{head}{kind}Content-Length: {}\r\n\r\n{body}", body.len());
        match self {
            Peer::Udp(socket) => drop(socket.send_to(text.as_bytes(), to).await.unwrap()),
            Peer::Tcp(stream, _) => stream.write_all(text.as_bytes()).await.unwrap(),
        }
    }

    /// The next message that begins so; repeated and other ones are passed over.
    pub async fn gets(&mut self, start: &str) -> (String, SocketAddr) {
        patiently(start, async {
            loop {
                let (text, from) = self.next().await;
                if text.starts_with(start) {
                    return (text, from);
                }
            }
        })
        .await
    }

    async fn next(&mut self) -> (String, SocketAddr) {
        match self {
            Peer::Udp(socket) => {
                let mut buffer = vec![0; 65_535];
                let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
                (String::from_utf8_lossy(&buffer[..length]).into_owned(), from)
            }
            Peer::Tcp(stream, read) => loop {
                if let Some(length) = whole(read) {
                    let message: Vec<u8> = read.drain(..length).collect();
                    return (String::from_utf8(message).unwrap(), stream.peer_addr().unwrap());
                }
                assert_ne!(stream.read_buf(read).await.unwrap(), 0, "the connection was closed");
            },
        }
    }
}

/// How long the first message is, once all of it is there.
fn whole(read: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(read).ok()?;
    let body = text.find("\r\n\r\n")? + 4;
    let length: usize = values(text, "Content-Length").first()?.parse().ok()?;
    (read.len() >= body + length).then_some(body + length)
}

/// The header of a response to `request`; `more` are whole lines.
pub fn response(request: &str, status: &str, tag: &str, more: &str) -> String {
    let mut head = format!("SIP/2.0 {status}\r\n");
    for line in request.lines().take_while(|line| !line.is_empty()) {
        let Some((name, _)) = line.split_once(':') else { continue };
        match name {
            "Via" | "From" | "Call-ID" | "CSeq" | "Record-Route" => head += &format!("{line}\r\n"),
            "To" if line.contains(";tag=") => head += &format!("{line}\r\n"),
            "To" => head += &format!("{line};tag={tag}\r\n"),
            _ => {}
        }
    }
    head + more
}

/// The address in a Contact.
pub fn contact(message: &str) -> String {
    let contact = values(message, "Contact");
    contact[0].split(['<', '>']).nth(1).unwrap().to_owned()
}
