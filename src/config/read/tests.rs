use std::path::Path;

use super::read;
use crate::config::exchange::{self, Exchange};
use crate::config::{
    Account, Audio, Calls, Config, Dtmf, EXAMPLE, Events, Latency, RealmCredentials, Secret, Sip, account, audio,
    calls, network, sip,
};
use crate::media::processing::{Settings, Switch};
use crate::sdp::HoldStyle;
use crate::services::dialplan::Rewrite;
use crate::services::screening::Calls::{Incoming, Outgoing};
use crate::services::screening::{Action, Rule};
use crate::ua::config::{AutoAnswer, MessageWaiting, SrtpPolicy, TransferPolicy};

fn parse(text: &str) -> Result<Config, String> {
    read(Path::new("c.toml"), text).map_err(|error| error.to_string())
}

/// Every key of the file, with a value that is not its default.
const EVERYTHING: &str = r#"
[[account]]
name = "work"
uri = "sip:alice@pbx.example.com"
display_name = "Alice"
password_command = "pass show pbx"
auth_user = "alice2"
registrar = "sip:reg.example.com"
proxies = ["sip:p1.example.com;transport=tls", ["sip:p2.example.com", "sip:p3.example.com;lr"]]
expires = 1_800
register = false
credentials = [{ realm = "other.example", user = "al", password = "tiger" }]
rewrite_contact = false
srtp = "required"
gruu = true
voicemail = "sip:*97@pbx.example.com"
mwi = false
watch = ["sip:201@pbx.example.com", "Bob <sip:202@pbx.example.com>"]
reg_events = true
[[account]]
uri = "sip:bob@[2001:db8::1]:5070"
password = "lion"
proxies = "sip:p4.example.com"
[sip]
listen = "127.0.0.1:0"
keep_alive = 20
srtp = "off"
[network]
ice = "always"
stun = "stun.example.com"
rtcp_mux = false
dscp_sip = 26
dscp_rtp = 0
rtp_ports = "30000-30100"
[audio]
input = "tone:440"
output = "null"
ring = "alsa:hw:0"
codecs = ["PCMA", "opus"]
ptime = 30
dtx = true
latency = "safe"
tones = "US"
ring_tone = "/a/ring.wav"
echo_cancellation = false
noise_suppression = "always"
auto_gain = true
[calls]
auto_answer = "idle"
auto_answer_after = 1500
max_calls = 1000
hold = "sendonly"
transfers = "follow"
redirects = "refuse"
refer_outside = true
bye_also = true
auto_answer_from = ["sip:boss@pbx", "*@pbx"]
ring_timeout = 30
reliable_ringing = true
session_expires = 600
dtmf = "info"
direct_calls = true
emergency = ["110"]
dnd = "busy"
park = "*68"
redial_busy = true
redial_every = 10
redial_times = 3
hold_music = "music.wav"
[[screening]]
calls = "incoming"
account = "work"
action = "decline"
match = ["+49900*", "anonymous"]
[[screening]]
name = "no premium"
calls = "outgoing"
action = "forbid"
match = ["0900*"]
[[dialplan]]
name = "inland"
match = "0[1-9]*"
to = "+49$1$2"
test = [["0171", "sip:+49171@pbx.example.com"]]
[speed_dial]
1 = "bob@example.com"
"#;

#[test]
fn every_key_is_read() {
    let text = |text: &str| text.to_owned();
    let config = parse(EVERYTHING).unwrap();
    let work = Account {
        name: text("work"),
        uri: text("sip:alice@pbx.example.com"),
        display_name: Some(text("Alice")),
        password: Secret::Command(text("pass show pbx")),
        auth_user: Some(text("alice2")),
        registrar: Some(text("sip:reg.example.com")),
        proxies: vec![
            vec![text("sip:p1.example.com;transport=tls")],
            vec![text("sip:p2.example.com"), text("sip:p3.example.com;lr")],
        ],
        expires: 1800,
        register: false,
        srtp: Some(SrtpPolicy::Required),
        srtp_keying: None,
        credentials: vec![RealmCredentials {
            realm: text("other.example"),
            user: text("al"),
            password: Secret::Plain(text("tiger")),
        }],
        voicemail: Some(text("sip:*97@pbx.example.com")),
        rewrite_contact: false,
        gruu: true,
        events: Events {
            message_waiting: MessageWaiting::Never,
            watch: vec![text("sip:201@pbx.example.com"), text("Bob <sip:202@pbx.example.com>")],
            registrations: true,
        },
    };
    let bob = Account {
        name: text("bob"),
        uri: text("sip:bob@[2001:db8::1]:5070"),
        display_name: None,
        password: Secret::Plain(text("lion")),
        auth_user: None,
        registrar: None,
        proxies: vec![vec![text("sip:p4.example.com")]],
        expires: 3600,
        register: true,
        srtp: None,
        srtp_keying: None,
        credentials: Vec::new(),
        voicemail: None,
        rewrite_contact: true,
        gruu: false,
        events: Events::default(),
    };
    let network = network::Network {
        ice: network::Ice::Always,
        stun: Some(text("stun.example.com")),
        rtcp_mux: false,
        dscp_sip: 26,
        dscp_rtp: 0,
        rtp_ports: Some(30_000..=30_100),
    };
    let audio = Audio {
        input: text("tone:440"),
        output: text("null"),
        ring: text("alsa:hw:0"),
        codecs: vec![text("PCMA"), text("opus")],
        ptime: 30,
        dtx: crate::media::codec::Dtx::Always,
        latency: Latency::Safe,
        tones: crate::media::tones::countries::of("us").unwrap(),
        ring_tone: Some("/a/ring.wav".into()),
        processing: Settings { echo: Switch::Off, noise: Switch::Always, gain: Switch::On },
    };
    let calls = Calls {
        auto_answer: AutoAnswer::Idle,
        auto_answer_after: 1500,
        max_calls: 1000,
        hold: HoldStyle::SendOnly,
        transfers: TransferPolicy::Follow,
        redirects: TransferPolicy::Refuse,
        refer_outside: true,
        bye_also: true,
        auto_answer_from: vec![text("sip:boss@pbx"), text("*@pbx")],
        ring_timeout: 30,
        reliable_ringing: true,
        session_expires: 600,
        dtmf: Dtmf::Info,
        direct_calls: Some(true),
        emergency: vec![text("110")],
        dnd: 486,
        park: Some(text("*68")),
        redial_busy: true,
        redial_every: 10,
        redial_times: 3,
        hold_music: crate::config::HoldMusic::File(text("music.wav")),
    };
    let rule = |name: &str, calls, account: Option<&str>, action, patterns: &[&str]| {
        let patterns: Vec<String> = patterns.iter().map(|pattern| text(pattern)).collect();
        Rule::new(name, calls, account.map(text), action, &patterns).unwrap()
    };
    let screening = vec![
        rule("screening 1", Incoming, Some("work"), Action::Refuse(603), &["+49900*", "anonymous"]),
        rule("no premium", Outgoing, None, Action::Refuse(403), &["0900*"]),
    ];
    let dialplan = vec![Rewrite {
        name: text("inland"),
        account: None,
        pattern: "0[1-9]*".parse().unwrap(),
        to: text("+49$1$2"),
        tests: vec![(text("0171"), text("sip:+49171@pbx.example.com"))],
    }];
    let speed_dial = [(text("1"), text("bob@example.com"))].into();
    let files = crate::config::Files::default();
    let sip = Sip {
        listen: "127.0.0.1:0".parse().unwrap(),
        listen_is_configured: true,
        keep_alive: 20,
        srtp: SrtpPolicy::Off,
        srtp_keying: Default::default(),
        ..Sip::default()
    };
    let accounts = vec![work, bob];
    let exchange = Exchange::default();
    let (ui, hooks) = (Default::default(), Default::default());
    let expected =
        Config { accounts, sip, audio, calls, network, screening, dialplan, speed_dial, ui, hooks, files, exchange };
    assert_eq!(config, expected);
}

#[test]
fn notifications_and_hooks() {
    use crate::config::Notify;
    let config = parse("[ui]\nnotify = \"osc\"\n[hooks]\nincoming = [\"notify-send\", \"a call\"]\n").unwrap();
    assert_eq!(config.ui.notify, Notify::Osc);
    assert!(config.ui.mouse);
    assert_eq!(config.hooks.incoming, ["notify-send", "a call"]);
    assert!(parse("[ui]\nnotify = \"loud\"\n").is_err());
    assert!(parse("[hooks]\nended = [\"\"]\n").is_err());
    assert!(parse("[hooks]\nended = \"notify-send\"\n").is_err());
}

#[test]
fn nothing_is_the_defaults() {
    assert_eq!(parse(""), Ok(Config::default()));
    assert_eq!(parse("[audio]\n[calls]\n[sip]\n"), Ok(Config::default()));
}

#[test]
fn the_example_changes_nothing_and_all_of_it_is_valid() {
    assert_eq!(parse(EXAMPLE), Ok(Config::default()));
    let uncommented: String = EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if !rest.is_empty() && !rest.starts_with([' ', '#']) => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let config = parse(&uncommented).unwrap();
    assert_eq!(config.accounts.len(), 1);
    for name in account::KEYS.iter().map(|key| key.name).chain(audio::KEYS.iter().map(|key| key.name)) {
        assert!(EXAMPLE.contains(&format!("{name} = ")), "{name} is missing in config.example.toml");
    }
    for name in network::KEYS.iter().map(|key| key.name) {
        assert!(EXAMPLE.contains(&format!("#{name} = ")), "{name} is missing in config.example.toml");
    }
    for name in calls::KEYS.iter().map(|key| key.name).chain(sip::KEYS.iter().map(|key| key.name)) {
        assert!(EXAMPLE.contains(&format!("#{name} = ")), "{name} is missing in config.example.toml");
    }
    let users = exchange::USER.iter().map(|key| key.name).chain(exchange::ROUTE.iter().map(|key| key.name));
    for name in users.chain(["domain", "strangers", "emergency"]) {
        assert!(EXAMPLE.contains(&format!("{name} = ")), "exchange: {name} is missing in config.example.toml");
    }
    // What the comments call defaults are the defaults.
    assert_eq!(
        (config.audio, config.calls),
        (
            Audio { ring_tone: Some("/usr/share/sounds/ring.wav".into()), ..Audio::default() },
            Calls { direct_calls: Some(false), park: Some("*68".into()), ..Calls::default() }
        )
    );
}

#[test]
fn what_is_wrong_and_where() {
    let account = "[[account]]\nuri = \"sip:a@b\"\n";
    let table = [
        (
            "[sip]\n\nlisten = 5060",
            "c.toml:3: sip.listen: expected an address and port such as \"0.0.0.0:5060\" or \"[::]:5060\", found 5060",
        ),
        (
            "[sip]\nlisten = \"pbx\"",
            "c.toml:2: sip.listen: expected an address and port such as \"0.0.0.0:5060\" or \"[::]:5060\", found \"pbx\"",
        ),
        ("[sip]\nlsten = \":0\"", "c.toml:2: unknown key 'lsten' in sip (did you mean 'listen'?)"),
        (
            "[sip]\ncolour = 1",
            "c.toml:2: unknown key 'colour' in sip (known: listen, keep_alive, srtp, srtp_keying, ca_file, tls_cert, tls_key, tls_verify)",
        ),
        ("\n[auido]\n", "c.toml:2: unknown section 'auido' (did you mean 'audio'?)"),
        (
            "listen = 1",
            "c.toml:1: unknown section 'listen' (known: account, sip, audio, calls, network, screening, dialplan, speed_dial, ui, hooks, exchange)",
        ),
        ("sip = 1", "c.toml:1: sip: expected a section, written [sip]"),
        ("[account]\nuri = \"sip:a@b\"", "c.toml:1: expected [[account]], with two brackets, once for each account"),
        ("[[account]]\nname = \"x\"", "c.toml:1: the account has no uri, such as uri = \"sip:alice@pbx.example.com\""),
        (
            "[[account]]\nuri = \"alice\"",
            "c.toml:2: account.uri: expected an address such as \"sip:alice@pbx.example.com\", found \"alice\" (missing or malformed URI scheme)",
        ),
        (
            "[[account]]\nuri = \"sip:a@b;transport=ws\"",
            "c.toml:2: account.uri: expected an address such as \"sip:alice@pbx.example.com\", found \"sip:a@b;transport=ws\" (this build speaks SIP over UDP, TCP and TLS)",
        ),
        (
            "[[account]]\nuri = \"sip:a@b\"\nname = \"my work\"",
            "c.toml:3: account.name: expected a name in quotes, without spaces, found \"my work\" (commands write it as @NAME)",
        ),
        (
            "[[account]]\nuri = \"sip:a@b\"\npassword = 1234",
            "c.toml:3: account.password: expected a text in quotes, found a number without quotes",
        ),
        (
            "[[account]]\nuri = \"sip:a@b\"\npassword = \"x\"\npassword_command = \"y\"",
            "c.toml:4: account: password and password_command exclude each other",
        ),
        (
            "[[account]]\nuri = \"sip:a@b\"\nexpires = 0",
            "c.toml:3: account.expires: expected a whole number from 1 to 604800, found 0",
        ),
        (
            "[[account]]\nuri = \"sip:a@b\"\nregister = \"yes\"",
            "c.toml:3: account.register: expected true or false, found \"yes\"",
        ),
        (
            "[[account]]\nuri = \"sip:a@b\"\nproxies = [\"sip:p;transport=ws\"]",
            "c.toml:3: account.proxies: expected a list of addresses such as [\"sip:p1.example.com\", \"sip:p2.example.com\"], found a list (this build speaks SIP over UDP, TCP and TLS)",
        ),
        (
            "[[account]]\nuri = \"sip:a@b\"\nproxies = [\"p1\"]",
            "c.toml:3: account.proxies: expected a list of addresses such as [\"sip:p1.example.com\", \"sip:p2.example.com\"], found a list (\"p1\": missing or malformed URI scheme)",
        ),
        (
            "[[account]]\nuri = \"sip:a@b\"\ncredentials = [{ realm = \"r\" }]",
            "c.toml:3: account.credentials: an entry needs a realm, a user and a password",
        ),
        (
            "[[account]]\nuri = \"sip:a@b\"\ncredentials = [\n{ relm = \"r\" }]",
            "c.toml:4: unknown key 'relm' in account.credentials (did you mean 'realm'?)",
        ),
        (
            "[[account]]\nuri = \"sip:a@b\"\n[[account]]\nuri = \"sip:a@c\"",
            "c.toml:3: a second account is named 'a': give each a name of its own",
        ),
        ("[audio]\nptime = 5", "c.toml:2: audio.ptime: expected a whole number from 10 to 60, found 5"),
        ("[audio]\nptime = 20.0", "c.toml:2: audio.ptime: expected a whole number from 10 to 60, found 20.0"),
        ("[audio]\nlatency = \"lo\"", "c.toml:2: audio.latency: expected \"low\" or \"safe\", found \"lo\""),
        (
            "[audio]\ncodecs = [\"speex\"]",
            "c.toml:2: audio.codecs: expected a list of codec names such as [\"PCMU\", \"PCMA\"], found a list (this build has opus, G722, PCMU, PCMA, L16)",
        ),
        (
            "[audio]\ncodecs = \"PCMU\"",
            "c.toml:2: audio.codecs: expected a list of codec names such as [\"PCMU\", \"PCMA\"], found \"PCMU\"",
        ),
        (
            "[audio]\ninput = \"\"",
            "c.toml:2: audio.input: expected a device in quotes, such as \"default\" (see offhook devices), found \"\" (it is empty)",
        ),
        (
            "[calls]\nauto_answer = \"true\"",
            "c.toml:2: calls.auto_answer: expected false, true or \"idle\", found \"true\"",
        ),
        ("[speed_dial]\n1 = 5", "c.toml:2: speed_dial.1: expected a number, a name or an address in quotes"),
        (
            "[speed_dial]\nbob = \"5\"",
            "c.toml:2: speed_dial.bob: a short number has one to four digits; it is dialled with a star in front",
        ),
        ("[screening]\nname = \"x\"", "c.toml:1: expected [[screening]], with two brackets, once for each rule"),
        (
            "[[screening]]\ncalls = \"incoming\"\naction = \"forbid\"\nmatch = [\"[1\"]",
            "c.toml:1: screening: match: \"[1\": a [ has no ]",
        ),
        (
            "[[screening]]\ncalls = \"outgoing\"\naction = \"silence\"\nmatch = [\"1\"]",
            "c.toml:1: screening: a rule for outgoing calls allows or forbids",
        ),
        (
            "[[screening]]\naccount = \"x\"\ncalls = \"outgoing\"\naction = \"forbid\"\nmatch = [\"1\"]",
            "c.toml:1: screening: rule 'screening 1' is for account 'x', which there is not",
        ),
        ("[[dialplan]]\nmatch = \"0*\"\nto = \"$2\"", "c.toml:1: dialplan: to: $2: the pattern has 1 wildcards"),
        (
            "[calls]\nemergency = [\"police\"]",
            "c.toml:2: calls.emergency: expected a list of numbers such as [\"112\", \"911\"], found a list (\"police\": it is no number)",
        ),
        (
            "[calls]\nhold = \"one\"",
            "c.toml:2: calls.hold: expected \"zero\", \"sendonly\" or \"inactive\", found \"one\"",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(parse(text), Err(expected.into()), "{text}");
    }
    assert!(parse(account).is_ok());
    assert!(parse("[calls]\nhold = \n").unwrap_err().starts_with("c.toml:2: not valid TOML: "));
    assert!(parse("[calls]\nmax_calls = 1\nmax_calls = 2\n").unwrap_err().starts_with("c.toml:3: not valid TOML: "));
}

#[test]
fn a_password_never_stands_in_a_message() {
    let error = parse("[[account]]\nuri = \"sip:a@b\"\npassword = 987654").unwrap_err();
    assert!(!error.contains("987654"), "{error}");
}
