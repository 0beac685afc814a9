//! Twinkle and linphone as further phones, driven by lines on their standard input. What they did is read from the wire.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command};
use std::thread;

use super::process::Process;
use super::sound::Card;
use super::wire::Packet;
use super::{ABROAD, DEADLINE, Rig};

/// Which program it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Twinkle, in its console form. It refuses to work at a loopback address.
    Twinkle,
    /// linphonec, of liblinphone.
    Linphone,
}

/// A codec as the two name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    Pcmu,
    Pcma,
    G722,
    Opus,
}

/// A running phone, registered at Kamailio; it answers by itself.
pub struct Console {
    name: &'static str,
    kind: Kind,
    port: u16,
    home: PathBuf,
    process: Process,
    stdin: ChildStdin,
}

impl Kind {
    /// The program and its Debian package.
    pub fn program(self) -> (&'static str, &'static str) {
        match self {
            Kind::Twinkle => ("twinkle-console", "twinkle-console"),
            Kind::Linphone => ("linphonec", "linphone-cli"),
        }
    }
}

impl Rig {
    /// Starts `bob` or `carol` and waits for the registration.
    pub fn console(&self, kind: Kind, name: &'static str, card: Card, codec: Codec) -> Console {
        self.console_encrypting(kind, name, card, codec, "none")
    }

    /// The same with its media encrypted, as linphone names it: `srtp`, `dtls`, `none`.
    pub fn console_encrypting(
        &self,
        kind: Kind,
        name: &'static str,
        card: Card,
        codec: Codec,
        encryption: &str,
    ) -> Console {
        let home = self.folder.join(format!("{name}-{kind:?}"));
        let _ = fs::remove_dir_all(&home);
        // The namespace is ours: any port is free.
        let (port, rtp) = match name {
            "bob" => (5210, 13_000),
            "carol" => (5220, 14_000),
            other => panic!("no ports are set aside for {other}"),
        };
        let (program, _) = kind.program();
        let mut command = Command::new(program);
        self.cards.environment(&mut command);
        command.env("HOME", &home);
        match kind {
            Kind::Twinkle => {
                twinkle(&home, name, port, rtp, card);
                command.arg(format!("{name}.cfg"));
            }
            Kind::Linphone => {
                command.arg("-a").arg("-c").arg(linphone(&home, name, (port, rtp), card, codec, encryption));
            }
        }
        let (process, stdin, mut stdout) = Process::piped(&self.namespace, command, &home.join("log"));
        let mut said = fs::File::create(home.join("said")).expect("a file");
        thread::spawn(move || std::io::copy(&mut stdout, &mut said));
        let registered = |packet: &Packet| {
            let ok = |text: &str| text.starts_with("SIP/2.0 200 ") && text.contains("REGISTER\r\n");
            packet.to.port() == port && packet.sip().is_some_and(ok)
        };
        let mut console = Console { name, kind, port, home, process, stdin };
        assert!(self.wire.wait(1, DEADLINE, registered), "{}", console.failure(self));
        if kind == Kind::Twinkle {
            console.tell("auto_answer -a on");
        }
        console
    }
}

impl Console {
    /// Types a line.
    pub fn tell(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").expect("it reads");
    }

    /// Waits until it has sent `n` messages of which each fits.
    pub fn sends(&mut self, rig: &Rig, what: &str, n: usize, fits: impl Fn(&str) -> bool) {
        let port = self.port;
        let sent = |packet: &Packet| packet.from.port() == port && packet.sip().is_some_and(&fits);
        assert!(rig.wire.wait(n, DEADLINE, sent), "it sent no {what}\n{}", self.failure(rig));
    }

    /// Waits until it has accepted an INVITE that fits.
    pub fn answers(&mut self, rig: &Rig, n: usize) {
        self.sends(rig, "200 to INVITE", n, |text| text.starts_with("SIP/2.0 200 ") && text.contains("INVITE\r\n"));
    }

    /// What ends its call.
    pub fn hang_up(&self) -> &'static str {
        match self.kind {
            Kind::Twinkle => "bye",
            Kind::Linphone => "terminate",
        }
    }

    fn failure(&mut self, rig: &Rig) -> String {
        let said = fs::read_to_string(self.home.join("said")).unwrap_or_default() + &self.process.log();
        format!("{} ({:?}, {})\n{said}\n{}", self.name, self.kind, self.process.state(), rig.wire.ladder())
    }
}

/// Writes its configuration. Only PCMU and PCMA: it mixes up the payload types of others (1.10).
fn twinkle(home: &Path, name: &str, port: u16, rtp: u16, card: Card) {
    let folder = home.join(".twinkle");
    fs::create_dir_all(&folder).expect("a folder");
    let user = format!(
        "user_name={name}\nuser_domain={ABROAD}\nuser_display={name}\nauth_realm=\nauth_name={name}\nauth_pass={name}pw\n\
         registrar={ABROAD}\nregister_at_startup=yes\nregistration_time=3600\ncodecs=g711u,g711a\nptime=20\n\
         dtmf_transport=rfc2833\nsip_transport=udp\nask_user_to_refer=no\nallow_refer=yes\nspeex_dsp_vad=no\n\
         speex_dsp_agc=no\nspeex_dsp_nrd=no\nspeex_dsp_aec=no\n"
    );
    let system = format!(
        "dev_ringtone=alsa:card{card:?}\ndev_speaker=alsa:card{card:?}\ndev_mic=alsa:card{card:?}\nsip_port={port}\n\
         rtp_port={rtp}\nlog_sip=no\nlog_stun=no\nlog_debug=no\nstart_user_profile={name}\nvalidate_audio_dev=no\n"
    );
    fs::write(folder.join(format!("{name}.cfg")), user).expect("a file");
    fs::write(folder.join("twinkle.sys"), system).expect("a file");
}

/// Writes its configuration, with one codec; returns where.
fn linphone(home: &Path, name: &str, (port, rtp): (u16, u16), card: Card, codec: Codec, encryption: &str) -> PathBuf {
    // It makes its database there, and not the folder.
    fs::create_dir_all(home.join(".local/share/linphone")).expect("a folder");
    let text = format!(
        "[sip]\nsip_port={port}\nsip_tcp_port=0\nsip_tls_port=0\ndefault_proxy=0\nping_with_options=0\n\
         media_encryption={encryption}\ninc_timeout=60\nkeepalive_period=0\n[net]\nfirewall_policy=0\nmtu=0\n\
         [rtp]\naudio_rtp_port={rtp}\naudio_jitt_comp=60\n\
         [sound]\nplayback_dev_id=PulseAudio: {card:?}_speaker\ncapture_dev_id=PulseAudio: {card:?}_mic\nringer_dev_id=PulseAudio: {card:?}_speaker\n\
         echocancellation=0\nlocal_ring=\nremote_ring=\n[video]\ndisplay=0\ncapture=0\nenabled=0\n\
         [misc]\nuuid=\nstore_friends=0\nuse_cn=1\n\
         [auth_info_0]\nusername={name}\nuserid={name}\npasswd={name}pw\nrealm=127.0.0.1\ndomain=127.0.0.1\n\
         [proxy_0]\nreg_proxy=<sip:127.0.0.1>\nreg_identity=\"{name}\" <sip:{name}@127.0.0.1>\nreg_expires=3600\n\
         reg_sendregister=1\npublish=0\ndial_escape_plus=0\n"
    );
    let known = [
        ("opus", 48_000, 2, Codec::Opus),
        ("PCMU", 8000, 1, Codec::Pcmu),
        ("PCMA", 8000, 1, Codec::Pcma),
        ("G722", 8000, 1, Codec::G722),
    ];
    let codecs = known.iter().enumerate().map(|(n, (mime, rate, channels, this))| {
        let enabled = u8::from(*this == codec);
        format!("[audio_codec_{n}]\nmime={mime}\nrate={rate}\nchannels={channels}\nenabled={enabled}\n")
    });
    let others =
        ["speex/8000", "speex/16000", "speex/32000", "GSM/8000", "G729/8000"].iter().enumerate().map(|(n, one)| {
            let (mime, rate) = one.split_once('/').expect("a rate");
            format!("[audio_codec_{}]\nmime={mime}\nrate={rate}\nchannels=1\nenabled=0\n", known.len() + n)
        });
    let path = home.join("rc");
    let all = std::iter::once(text).chain(codecs).chain(others).collect::<String>();
    fs::write(&path, all).expect("a file");
    path
}
