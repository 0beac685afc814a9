//! TCP and TLS over real sockets: framing, reuse, certificates, limits.
#![allow(clippy::disallowed_methods)] // Sockets run by the clock.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use offhook::net::{Bound, PortInUse, Received, Sockets, Tls, TlsOptions};
use offhook::sip::transport::{Flow, Transmit, Transport};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

/// Whatever is waited for takes milliseconds; a machine that is busy may take longer.
const PATIENCE: Duration = Duration::from_secs(30);
/// However a test goes wrong, it ends.
const LIMIT: Duration = Duration::from_secs(120);
const OPTIONS: &str = "OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 0\r\n\r\n";

fn run<T>(test: impl Future<Output = T>) -> T {
    let ends = async { tokio::time::timeout(LIMIT, test).await.expect("the test ends") };
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(ends)
}

fn sockets(tls: &TlsOptions) -> (Sockets, SocketAddr, Option<u16>) {
    let bound = Bound::bind("127.0.0.1:0".parse().unwrap(), PortInUse::Fail).unwrap();
    let bound = bound.with_streams(Tls::load(tls).unwrap());
    let (listen, tls_port) = (bound.listen(), bound.tls_port());
    (bound.start().unwrap(), listen, tls_port)
}

/// What comes next: a message, or why a connection failed.
async fn next(sockets: &mut Sockets) -> Result<(Flow, String), String> {
    let wait = async {
        loop {
            sockets.ready().await;
            match sockets.receive(Instant::now()) {
                Some(Received::Message { flow, bytes }) => {
                    return Ok((flow, String::from_utf8_lossy(bytes).into_owned()));
                }
                Some(Received::Failed { reason, .. }) => return Err(reason),
                Some(Received::Unreachable(flow)) => return Err(flow.remote.to_string()),
                None => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("nothing came")
}

fn transmit(flow: Flow, text: &str) -> Transmit {
    Transmit { flow, bytes: text.to_owned().into() }
}

#[test]
fn split_and_pipelined_messages_come_whole_and_are_answered_by_the_same_connection() {
    run(async {
        let (mut sockets, listen, _) = sockets(&TlsOptions::default());
        let mut peer = TcpStream::connect(listen).unwrap();
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        let two = OPTIONS.repeat(2);
        let (first, rest) = two.split_at(20);
        peer.write_all(first.as_bytes()).unwrap();
        peer.write_all(rest.as_bytes()).unwrap();
        for _ in 0..2 {
            let (flow, text) = next(&mut sockets).await.unwrap();
            assert_eq!(
                (flow.transport, flow.remote, text.as_str()),
                (Transport::Tcp, peer.local_addr().unwrap(), OPTIONS)
            );
            sockets.send(&transmit(flow, "SIP/2.0 200 OK\r\n\r\n")).unwrap();
        }
        let mut answers = vec![0; 36];
        let read = tokio::task::spawn_blocking(move || {
            peer.read_exact(&mut answers).unwrap();
            // RFC 5626 section 4.4.1.
            peer.write_all(b"\r\n\r\n").unwrap();
            let mut pong = [0; 2];
            peer.read_exact(&mut pong).unwrap();
            (answers, pong)
        });
        let (answers, pong) = read.await.unwrap();
        assert_eq!(answers, b"SIP/2.0 200 OK\r\n\r\nSIP/2.0 200 OK\r\n\r\n");
        assert_eq!(&pong, b"\r\n");
        assert_eq!(sockets.connections(), 1);
    });
}

#[test]
fn what_can_not_be_framed_ends_its_connection_and_no_other() {
    run(async {
        let (mut sockets, listen, _) = sockets(&TlsOptions::default());
        let mut bad = TcpStream::connect(listen).unwrap();
        bad.write_all(b"OPTIONS sip:a@b SIP/2.0\r\nTo: x\r\n\r\n").unwrap();
        let reason = next(&mut sockets).await.unwrap_err();
        assert!(reason.ends_with("sent a message without a Content-Length"), "{reason}");
        let mut good = TcpStream::connect(listen).unwrap();
        good.write_all(OPTIONS.as_bytes()).unwrap();
        assert_eq!(next(&mut sockets).await.unwrap().1, OPTIONS);
        assert_eq!(sockets.connections(), 1);
    });
}

#[test]
fn a_connection_is_made_on_demand_made_again_and_a_refused_one_says_so() {
    run(async {
        let (mut sockets, ..) = sockets(&TlsOptions::default());
        let peer = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let remote = peer.local_addr().unwrap();
        let flow = sockets.flow_by(Instant::now(), Transport::Tcp, remote, "127.0.0.1").unwrap();
        for _ in 0..2 {
            sockets.send(&transmit(flow, OPTIONS)).unwrap();
            sockets.send(&transmit(flow, OPTIONS)).unwrap();
            // Without a blocking thread, which could not be given up.
            let (mut connection, _) =
                tokio::time::timeout(PATIENCE, peer.accept()).await.expect("a connection").unwrap();
            let mut both = vec![0; 2 * OPTIONS.len()];
            let read = tokio::io::AsyncReadExt::read_exact(&mut connection, &mut both);
            tokio::time::timeout(PATIENCE, read).await.expect("both").unwrap();
            drop(connection);
            let reason = next(&mut sockets).await.unwrap_err();
            assert!(reason.ends_with("closed the connection"), "{reason}");
        }
        drop(peer);
        sockets.send(&transmit(flow, OPTIONS)).unwrap();
        let reason = next(&mut sockets).await.unwrap_err();
        assert!(reason.starts_with(&format!("no connection to {remote}: ")), "{reason}");
    });
}

#[test]
fn idle_connections_of_one_source_are_limited() {
    run(async {
        let (mut sockets, listen, _) = sockets(&TlsOptions::default());
        let mut idle = Vec::new();
        for _ in 0..400 {
            idle.push(tokio::net::TcpStream::connect(listen).await.unwrap());
            while sockets.receive(Instant::now()).is_some() {}
        }
        // Whoever was one too many is hung up on.
        let end = Instant::now() + PATIENCE;
        let gone = |stream: &tokio::net::TcpStream| !matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
        while idle.len() > 256 && Instant::now() < end {
            let _ = tokio::time::timeout(Duration::from_millis(100), sockets.ready()).await;
            while sockets.receive(Instant::now()).is_some() {}
            idle.retain(|stream| !gone(stream));
        }
        assert_eq!((idle.len(), sockets.connections()), (256, 256));
    });
}

/// A certificate for these names, its own authority, written to `folder`.
fn certificate(folder: &Path, names: &[&str], expired: bool) -> TlsOptions {
    let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
    if expired {
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 1);
    }
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let (certificate_file, key_file) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&certificate_file, certificate.pem()).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    TlsOptions { ca_file: None, certificate: Some(certificate_file), key: Some(key_file), verify: true }
}

/// A phone sends to a server that it found by the name `host`; what it or the server is told.
fn meet(names: &[&str], expired: bool, host: &str, trusted: bool, verify: bool) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let options = certificate(folder.path(), names, expired);
        let (mut server, _, port) = sockets(&options);
        let remote = SocketAddr::from(([127, 0, 0, 1], port.unwrap()));
        let ca_file = options.certificate.clone().filter(|_| trusted);
        let (mut phone, ..) = sockets(&TlsOptions { ca_file, verify, ..TlsOptions::default() });
        let flow = phone.flow_by(Instant::now(), Transport::Tls, remote, host).unwrap();
        phone.send(&transmit(flow, OPTIONS)).unwrap();
        loop {
            tokio::select! {
                came = next(&mut phone) => return came.map(|(_, text)| text),
                came = next(&mut server) => if let Ok((back, text)) = came {
                    assert_eq!(back.transport, Transport::Tls);
                    server.send(&transmit(back, &text)).unwrap();
                },
            }
        }
    })
}

#[test]
fn a_certificate_is_believed_for_its_name_its_time_and_its_authority_only() {
    let names = ["pbx.example.com", "127.0.0.1"];
    assert_eq!(meet(&names, false, "pbx.example.com", true, true), Ok(OPTIONS.to_owned()));
    assert_eq!(meet(&names, false, "127.0.0.1", true, true), Ok(OPTIONS.to_owned()));
    let refused = |host: &str, why: &str| Err(format!("the certificate of {host} is not valid: {why}"));
    let other = "other.example.com";
    assert_eq!(meet(&names, false, other, true, true), refused(other, "it is another server's"));
    let pbx = "pbx.example.com";
    assert_eq!(meet(&names, true, pbx, true, true), refused(pbx, "it has expired"));
    let unsigned = meet(&names, false, pbx, false, true).unwrap_err();
    assert!(unsigned.contains("nobody whom this machine trusts") || unsigned.contains("trusts no"), "{unsigned}");
    assert_eq!(meet(&names, true, other, false, false), Ok(OPTIONS.to_owned()), "tls_verify = false");
}
