//! What the ladder saves for Wireshark: tshark reads it back, and sees the same messages from and to the same places.
//!
//! Needs tshark (`./dev test` installs it). Where it is missing the test says that it was skipped; with
//! `OFFHOOK_REQUIRE_PEERS=1` it fails.

#![allow(clippy::disallowed_methods, reason = "a file and a program from outside")]

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, SystemTime};

use offhook::app::trace::{Format, Trace};
use offhook::phone::TraceEntry;
use offhook::sip::transport::{Flow, Transport};

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 16384 RTP/AVP 0 8\r\n\
                   a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\na=sendrecv\r\n";

fn message(first: &str, cseq: &str, body: &str) -> String {
    format!(
        "{first}\r\nVia: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK1\r\nFrom: <sip:alice@example.com>;tag=1\r\n\
         To: <sip:bob@example.com>\r\nCall-ID: abc@192.0.2.7\r\nCSeq: {cseq}\r\n\
         Authorization: Digest username=\"alice\", realm=\"x\", nonce=\"n\", uri=\"sip:x\", response=\"0123456789abcdef\"\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// A call by each transport, on IPv4 and IPv6, one INVITE of which came twice.
fn trace() -> Trace {
    let mut trace = Trace::default();
    let mut time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    for (transport, local, remote) in [
        (Transport::Udp, "192.0.2.7:5060", "198.51.100.1:5062"),
        (Transport::Udp, "[2001:db8::7]:40123", "[2001:db8::1]:5060"),
        (Transport::Tcp, "192.0.2.7:40125", "198.51.100.1:5060"),
        (Transport::Tls, "192.0.2.7:40126", "198.51.100.1:5061"),
    ] {
        let flow = Flow { transport, local: address(local), remote: address(remote) };
        for (sent, text) in [
            (true, message("INVITE sip:bob@example.com SIP/2.0", "1 INVITE", SDP)),
            (true, message("INVITE sip:bob@example.com SIP/2.0", "1 INVITE", SDP)),
            (false, message("SIP/2.0 200 OK", "1 INVITE", SDP)),
            (true, message("ACK sip:bob@example.com SIP/2.0", "1 ACK", "")),
        ] {
            time += Duration::from_millis(500);
            trace.push(TraceEntry::new(time, sent, flow, text.as_bytes()));
        }
    }
    trace
}

/// The fields of each packet that tshark takes for SIP.
fn read(file: &std::path::Path, fields: &[&str]) -> Option<Vec<String>> {
    let mut command = Command::new("tshark");
    command.args(["-r"]).arg(file).args([
        "-Y",
        "sip",
        "-T",
        "fields",
        "-E",
        "separator=/s",
        "-o",
        "ip.check_checksum:TRUE",
    ]);
    command.args(["-o", "udp.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let Ok(output) = command.output() else {
        let required = std::env::var_os("OFFHOOK_REQUIRE_PEERS").is_some_and(|value| !value.is_empty());
        assert!(!required, "tshark is not installed (Debian package tshark)");
        let _ = writeln!(std::io::stderr(), "skipped: tshark is not installed (Debian package tshark)");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).lines().map(|line| line.trim().to_owned()).collect())
}

#[test]
fn tshark_reads_back_what_is_saved() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ladder.pcapng");
    let mut file = File::create(&path).expect("a file");
    trace().write(Format::Pcapng, 0, &mut file).expect("it is written");
    drop(file);
    let bytes = std::fs::read(&path).expect("it is there");
    for secret in [&b"0123456789abcdef"[..], b"WVNfX19z"] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret), "a secret is in the file");
    }

    let Some(messages) = read(&path, &["sip.Method", "sip.Status-Code", "sip.CSeq.method", "sip.Call-ID"]) else {
        return;
    };
    let expected = [
        "INVITE INVITE abc@192.0.2.7",
        "INVITE INVITE abc@192.0.2.7",
        "200 INVITE abc@192.0.2.7",
        "ACK ACK abc@192.0.2.7",
    ];
    let words: Vec<String> =
        messages.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(words, expected.repeat(4));

    let at = |fields: &[&str]| read(&path, fields).unwrap_or_default();
    let udp = at(&["ip.src", "udp.srcport", "ip.dst", "udp.dstport"]);
    assert_eq!(udp[0], "192.0.2.7 5060 198.51.100.1 5062");
    assert_eq!(udp[2], "198.51.100.1 5062 192.0.2.7 5060");
    let v6 = at(&["ipv6.src", "udp.srcport", "ipv6.dst", "udp.dstport"]);
    assert_eq!(v6[4], "2001:db8::7 40123 2001:db8::1 5060");
    let tcp = at(&["ip.src", "tcp.srcport", "ip.dst", "tcp.dstport"]);
    assert_eq!(tcp[8], "192.0.2.7 40125 198.51.100.1 5060");
    assert_eq!(tcp[10], "198.51.100.1 5060 192.0.2.7 40125");
    // The description is read as one, and the time is right.
    let sdp = at(&["sdp.media.port"]);
    assert_eq!(sdp.iter().filter(|port| *port == "16384").count(), 12);
    let times = at(&["frame.time_epoch"]);
    assert!(times[1].starts_with("1790000001.000"), "{}", times[1]);
    // Nothing is malformed, no checksum wrong.
    let troubles = at(&["_ws.malformed", "ip.checksum.status", "udp.checksum.status", "tcp.checksum.status"]);
    assert!(troubles.iter().all(|line| !line.contains('0') && !line.contains("Malformed")), "{troubles:?}");
}
