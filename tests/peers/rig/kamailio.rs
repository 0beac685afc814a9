//! Kamailio as registrar and proxy on 127.0.0.1:5060. See configs/kamailio.cfg.

use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::DEADLINE;
use super::namespace::Namespace;
use super::process::Process;

const OPTIONS: &str = "OPTIONS sip:127.0.0.1 SIP/2.0\r
Via: SIP/2.0/UDP 127.0.0.1:5061;branch=z9hG4bKready;rport\r
From: <sip:ready@127.0.0.1>;tag=ready\r
To: <sip:127.0.0.1>\r
Call-ID: ready\r
CSeq: 1 OPTIONS\r
Max-Forwards: 70\r
Content-Length: 0\r\n\r\n";

/// Starts it and waits until it answers.
pub fn start(namespace: &Namespace, folder: &Path) -> Process {
    let config = folder.join("kamailio.cfg");
    fs::write(&config, include_str!("../configs/kamailio.cfg")).expect("a file");
    // /usr/sbin may be missing in PATH.
    let mut command =
        Command::new(if Path::new("/usr/sbin/kamailio").exists() { "/usr/sbin/kamailio" } else { "kamailio" });
    command.arg("-f").arg(&config).args(["-DD", "-E", "-m", "32", "-M", "4", "-l", "udp:127.0.0.1:5060"]);
    command.arg("-Y").arg(folder).arg("-P").arg(folder.join("kamailio.pid"));
    let mut kamailio = Process::start(namespace, command, &folder.join("kamailio.log"));

    let socket = namespace.inside(|| UdpSocket::bind("127.0.0.1:5061")).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a time-out");
    let end = Instant::now() + DEADLINE;
    while Instant::now() < end {
        let _ = socket.send_to(OPTIONS.as_bytes(), "127.0.0.1:5060");
        if socket.recv(&mut [0; 2048]).is_ok() {
            return kamailio;
        }
    }
    panic!("Kamailio does not answer; it is {}\n{}", kamailio.state(), kamailio.log());
}
