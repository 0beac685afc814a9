//! Kamailio as registrar and proxy on 127.0.0.1:5060 (configs/kamailio.cfg), with TCP and TLS when asked; and as outbound
//! proxy on further addresses (configs/proxy.cfg).

use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::namespace::Namespace;
use super::process::Process;
use super::{ABROAD, DEADLINE};

const OPTIONS: &str = "OPTIONS sip:{IP} SIP/2.0\r
Via: SIP/2.0/UDP 127.0.0.1:5061;branch=z9hG4bKready;rport\r
From: <sip:ready@127.0.0.1>;tag=ready\r
To: <sip:127.0.0.1>\r
Call-ID: ready\r
CSeq: 1 OPTIONS\r
Max-Forwards: 70\r
Content-Length: 0\r\n\r\n";

/// What a Kamailio does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Registrar and proxy, by UDP.
    Registrar,
    /// That, at [`ABROAD`] too.
    RegistrarAbroad,
    /// By TCP and TLS too, the latter on port 5061 with [`AUTHORITY`].
    RegistrarWithStreams,
    /// That, and the sound of calls goes by a [`super::relay::Relay`].
    Relayed,
    /// By UDP, with somebody in it who puts another fingerprint into what alice is told of the other side's certificate.
    Forging,
    /// Outbound proxy.
    Proxy,
    /// That, and it asks alice for the password `proxypw` of the realm `proxy.test`.
    ChallengingProxy,
}

/// The file with the certificate for TLS, its own authority.
pub const AUTHORITY: &str = "kamailio.pem";

/// Starts the registrar at 127.0.0.1, or a proxy elsewhere, and waits until it answers.
pub fn start(namespace: &Namespace, folder: &Path, ip: &str, role: Role) -> Process {
    let name = format!("kamailio-{ip}");
    let config = folder.join(format!("{name}.cfg"));
    let text = match role {
        Role::Registrar | Role::RegistrarAbroad | Role::RegistrarWithStreams | Role::Relayed | Role::Forging => {
            include_str!("../configs/kamailio.cfg")
        }
        Role::Proxy | Role::ChallengingProxy => include_str!("../configs/proxy.cfg"),
    };
    fs::write(&config, text.replace("TLS_CONFIG", &folder.join("tls.cfg").display().to_string())).expect("a file");
    let run = folder.join(&name);
    fs::create_dir_all(&run).expect("a folder");
    // /usr/sbin may be missing in PATH.
    let mut command =
        Command::new(if Path::new("/usr/sbin/kamailio").exists() { "/usr/sbin/kamailio" } else { "kamailio" });
    command.arg("-f").arg(&config).args(["-DD", "-E", "-m", "32", "-M", "4", "-l", &format!("udp:{ip}:5060")]);
    command.arg("-Y").arg(&run).arg("-P").arg(run.join("pid"));
    match role {
        Role::Registrar | Role::Proxy => {}
        Role::RegistrarAbroad => drop(command.args(["-l", &format!("udp:{ABROAD}:5060")])),
        Role::RegistrarWithStreams => {
            identity(folder, ip);
            command.args(["-A", "STREAMS", "-l", &format!("tcp:{ip}:5060"), "-l", &format!("tls:{ip}:5061")]);
        }
        Role::Relayed => drop(command.args(["-A", "RELAYED"])),
        Role::Forging => drop(command.args(["-A", "FORGING"])),
        Role::ChallengingProxy => drop(command.args(["-A", "CHALLENGE"])),
    }
    let mut kamailio = Process::start(namespace, command, &folder.join(format!("{name}.log")));

    let socket = namespace.inside(|| UdpSocket::bind("127.0.0.1:5061")).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a time-out");
    let end = Instant::now() + DEADLINE;
    while Instant::now() < end {
        let _ = socket.send_to(OPTIONS.replace("{IP}", ip).as_bytes(), (ip, 5060));
        if socket.recv(&mut [0; 2048]).is_ok() {
            return kamailio;
        }
    }
    panic!("Kamailio does not answer; it is {}\n{}", kamailio.state(), kamailio.log());
}

/// Ends one: asked, it ends its workers too.
pub fn end(mut kamailio: Process) {
    kamailio.signal(libc::SIGTERM);
    kamailio.wait(DEADLINE);
}

/// A certificate for `ip`, and the file that names it.
fn identity(folder: &Path, ip: &str) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec![ip.to_owned()]).expect("an address");
    let (certificate_file, key_file) = (folder.join(AUTHORITY), folder.join("kamailio.key"));
    fs::write(&certificate_file, params.self_signed(&key).expect("a certificate").pem()).expect("a file");
    fs::write(&key_file, key.serialize_pem()).expect("a file");
    let text = format!(
        "[server:default]\nmethod = TLSv1.2+\nverify_certificate = no\nrequire_certificate = no\n\
         private_key = {}\ncertificate = {}\n[client:default]\nverify_certificate = no\nrequire_certificate = no\n",
        key_file.display(),
        certificate_file.display()
    );
    fs::write(folder.join("tls.cfg"), text).expect("a file");
}
