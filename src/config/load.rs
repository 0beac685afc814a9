//! Joins the sources: flags over `OFFHOOK_*` variables over the file over the defaults.
//!
//! Every key of `[sip]`, `[audio]`, `[calls]` and `[network]` has the variable `OFFHOOK_SECTION_KEY`, such as `OFFHOOK_AUDIO_PTIME`. The
//! flags that are no keys have `OFFHOOK_FLAG`: [`FLAG_VARIABLES`]. An empty variable counts as not set.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use super::error::{ConfigError, Place};
use super::keys::{Given, Key};
use super::{Account, Audio, Config, Secret, audio, calls, nearest, network, read, resolve, sip};
use crate::sdp::Codec;

/// Variables of flags that are no keys of the file.
pub const FLAG_VARIABLES: [&str; 4] = ["OFFHOOK_CONFIG", "OFFHOOK_ACCOUNT", "OFFHOOK_LOG", "OFFHOOK_LOG_LEVEL"];

/// What flags say.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--config`: the file, which must exist.
    pub config: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<SocketAddr>,
    /// `--input`.
    pub input: Option<String>,
    /// `--output`.
    pub output: Option<String>,
}

/// The `OFFHOOK_*` variables.
#[derive(Debug, Clone, Default)]
pub struct Environment(Vec<(String, String)>);

/// A configuration and what is to be said about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Everything.
    pub config: Config,
    /// The file that was read; `None`: there is none.
    pub path: Option<PathBuf>,
    /// In the order in which they came up.
    pub notices: Vec<Notice>,
}

/// Something that a person may want to know; not an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// To the screen and the log.
    Warning(String),
    /// To the log only.
    Info(String),
}

impl Environment {
    /// Those of this process.
    pub fn of_process() -> Environment {
        let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
        Environment::from_pairs(std::env::vars_os().map(|(name, value)| (text(name), text(value))))
    }

    /// Those among `pairs` that are ours and not empty.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Environment {
        let ours = |(name, value): &(String, String)| name.starts_with("OFFHOOK_") && !value.is_empty();
        Environment(pairs.into_iter().filter(ours).collect())
    }

    /// The value of a variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

/// Reads everything.
pub fn load(flags: &Overrides, environment: &Environment) -> Result<Loaded, ConfigError> {
    let mut notices = Vec::new();
    let (path, mut config) = file(flags, environment, &mut notices)?;
    apply(&mut config.sip, "SIP", sip::KEYS, environment)?;
    apply(&mut config.audio, "AUDIO", audio::KEYS, environment)?;
    apply(&mut config.calls, "CALLS", calls::KEYS, environment)?;
    apply(&mut config.network, "NETWORK", network::KEYS, environment)?;
    if let Some(listen) = flags.listen {
        config.sip.listen = listen;
        config.sip.listen_is_configured = true;
    }
    for (slot, flag) in [(&mut config.audio.input, &flags.input), (&mut config.audio.output, &flags.output)] {
        if let Some(device) = flag {
            slot.clone_from(device);
        }
    }
    unknown_variables(environment, &mut notices);
    missing_codecs(&config, &mut notices);
    skipped_proxies(&config.accounts, &mut notices);
    if !config.sip.tls.verify {
        let text = "sip.tls_verify = false: no server's certificate is checked, anyone on the way can listen";
        notices.push(Notice::Warning(text.into()));
    }
    Ok(Loaded { config, path, notices })
}

/// `~/.config/offhook/config.toml`, or where `XDG_CONFIG_HOME` says.
pub fn default_path() -> Option<PathBuf> {
    let strategy = etcetera::choose_base_strategy().ok()?;
    Some(strategy.config_dir().join("offhook").join("config.toml"))
}

/// The file that the flag or the variable names.
pub fn named_path(flags: &Overrides, environment: &Environment) -> Option<PathBuf> {
    flags.config.clone().or_else(|| environment.get("OFFHOOK_CONFIG").map(PathBuf::from))
}

/// The file's part. A file that was named must exist; the default one need not.
fn file(
    flags: &Overrides,
    environment: &Environment,
    notices: &mut Vec<Notice>,
) -> Result<(Option<PathBuf>, Config), ConfigError> {
    let named = named_path(flags, environment);
    let Some(path) = named.clone().or_else(default_path) else { return Ok((None, Config::default())) };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => {
            return Ok((None, Config::default()));
        }
        Err(error) => return Err(ConfigError::new(Place::File(path), unreadable(&error))),
    };
    let config = read::read(&path, &text)?;
    if has_password(&config) && readable_by_others(&path) {
        let path = path.display();
        notices.push(Notice::Warning(format!("{path} holds a password and others can read it: chmod 600 {path}")));
    }
    Ok((Some(path), config))
}

fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file (offhook setup writes one)".into(),
        io::ErrorKind::InvalidData => "it is not UTF-8 text".into(),
        _ => format!("can't be read: {error}"),
    }
}

fn has_password(config: &Config) -> bool {
    let plain = |secret: &Secret| matches!(secret, Secret::Plain(_));
    let of_account =
        |account: &Account| plain(&account.password) || account.credentials.iter().any(|entry| plain(&entry.password));
    config.accounts.iter().any(of_account) || config.exchange.users.iter().any(|user| plain(&user.password))
}

#[cfg(unix)]
fn readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|data| data.permissions().mode() & 0o044 != 0)
}

#[cfg(not(unix))]
fn readable_by_others(_: &Path) -> bool {
    false
}

fn variable(section: &str, key: &str) -> String {
    format!("OFFHOOK_{section}_{}", key.to_ascii_uppercase())
}

fn apply<T>(target: &mut T, section: &str, keys: &[Key<T>], environment: &Environment) -> Result<(), ConfigError> {
    if environment.0.is_empty() {
        return Ok(());
    }
    for key in keys {
        let name = variable(section, key.name);
        if let Some(value) = environment.get(&name) {
            key.set(target, Given::Text(value)).map_err(|problem| ConfigError::new(Place::Variable(name), problem))?;
        }
    }
    Ok(())
}

/// Every variable that means something.
pub fn variables() -> Vec<String> {
    fn of<T>(section: &'static str, keys: &'static [Key<T>]) -> impl Iterator<Item = String> {
        keys.iter().map(move |key| variable(section, key.name))
    }
    let keys = of("SIP", sip::KEYS).chain(of("AUDIO", audio::KEYS)).chain(of("CALLS", calls::KEYS));
    let keys = keys.chain(of("NETWORK", network::KEYS));
    FLAG_VARIABLES.map(String::from).into_iter().chain(keys).collect()
}

/// What hooks are told by; `OFFHOOK_ACCOUNT` is a flag's variable too.
const HOOK_VARIABLES: [&str; 9] = [
    "OFFHOOK_EVENT",
    "OFFHOOK_CALL",
    "OFFHOOK_PEER",
    "OFFHOOK_NAME",
    "OFFHOOK_CALLED",
    "OFFHOOK_CODEC",
    "OFFHOOK_DURATION",
    "OFFHOOK_CODE",
    "OFFHOOK_REASON",
];

fn unknown_variables(environment: &Environment, notices: &mut Vec<Notice>) {
    if environment.0.is_empty() {
        return;
    }
    let known = variables();
    for (name, _) in &environment.0 {
        // A hook may run this program again.
        if known.contains(name) || HOOK_VARIABLES.contains(&name.as_str()) {
            continue;
        }
        // The common beginning says nothing about what was meant.
        let short = |name: &'_ str| name.trim_start_matches("OFFHOOK_").to_owned();
        let shortened: Vec<String> = known.iter().map(|name| short(name)).collect();
        let hint = nearest(&short(name), shortened.iter().map(String::as_str))
            .map(|near| format!(" (did you mean OFFHOOK_{near}?)"))
            .unwrap_or_default();
        notices.push(Notice::Warning(format!("{name} means nothing to this build{hint}")));
    }
}

fn missing_codecs(config: &Config, notices: &mut Vec<Notice>) {
    let missing: Vec<&str> =
        config.audio.codecs.iter().map(String::as_str).filter(|name| Codec::from_name(name).is_none()).collect();
    if missing.is_empty() {
        return;
    }
    let text = format!(
        "audio.codecs: skipped {}, not in this build (it has {})",
        missing.join(", "),
        Codec::ALL.map(Codec::name).join(", ")
    );
    let by_default = config.audio.codecs == Audio::default().codecs;
    notices.push(if by_default { Notice::Info(text) } else { Notice::Warning(text) });
}

fn skipped_proxies(accounts: &[Account], notices: &mut Vec<Notice>) {
    for account in accounts {
        for chain in account.proxies.iter().filter(|chain| !resolve::usable(chain)) {
            let (name, chain) = (&account.name, chain.join(", "));
            let text = format!("account '{name}': proxy {chain} skipped, this build speaks SIP over UDP, TCP and TLS");
            notices.push(Notice::Warning(text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::from_pairs(pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())))
    }

    fn write(text: &str) -> (tempfile::TempDir, Overrides) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        (folder, Overrides { config: Some(path), ..Overrides::default() })
    }

    #[test]
    fn flags_win_over_variables_over_the_file_over_defaults() {
        let (_folder, mut flags) =
            write("[sip]\nlisten = \"127.0.0.1:1\"\n[audio]\ninput = \"file\"\noutput = \"file\"\nring = \"file\"\n");
        let variables = environment(&[
            ("OFFHOOK_SIP_LISTEN", "127.0.0.1:2"),
            ("OFFHOOK_AUDIO_INPUT", "variable"),
            ("OFFHOOK_AUDIO_OUTPUT", "variable"),
            ("OFFHOOK_AUDIO_CODECS", "PCMA, PCMU"),
            ("OFFHOOK_CALLS_AUTO_ANSWER", "idle"),
            ("OFFHOOK_AUDIO_RING", ""),
        ]);
        flags.input = Some("flag".into());
        flags.listen = Some("127.0.0.1:3".parse().unwrap());
        let config = load(&flags, &variables).unwrap().config;
        assert_eq!(config.sip.listen.port(), 3);
        assert_eq!(config.audio.input, "flag");
        assert_eq!(config.audio.output, "variable");
        assert_eq!(config.audio.ring, "file");
        assert_eq!(config.audio.ptime, 20);
        assert_eq!(config.audio.codecs, ["PCMA", "PCMU"]);
        assert_eq!(config.calls.auto_answer, crate::ua::config::AutoAnswer::Idle);
        flags.listen = None;
        assert_eq!(load(&flags, &variables).unwrap().config.sip.listen.port(), 2);
        assert_eq!(load(&flags, &Environment::default()).unwrap().config.sip.listen.port(), 1);
    }

    #[test]
    fn variables_are_checked() {
        let (_folder, flags) = write("");
        let error = load(&flags, &environment(&[("OFFHOOK_AUDIO_PTIME", "7")])).unwrap_err();
        assert_eq!(error.to_string(), "OFFHOOK_AUDIO_PTIME: expected a whole number from 10 to 60, found \"7\"");
        let loaded = load(&flags, &environment(&[("OFFHOOK_SIP_LISTN", "x"), ("HOME", "/")])).unwrap();
        let hint = "OFFHOOK_SIP_LISTN means nothing to this build (did you mean OFFHOOK_SIP_LISTEN?)";
        assert!(loaded.notices.contains(&Notice::Warning(hint.into())), "{:?}", loaded.notices);
    }

    #[test]
    fn a_named_file_must_exist() {
        let flags = Overrides { config: Some("/nowhere/c.toml".into()), ..Overrides::default() };
        let error = load(&flags, &Environment::default()).unwrap_err();
        assert_eq!(error.to_string(), "/nowhere/c.toml: there is no such file (offhook setup writes one)");
    }

    #[test]
    fn codecs_that_are_missing_are_noticed_louder_when_asked_for() {
        let (_folder, flags) = write("[audio]\ncodecs = [\"speex\", \"PCMU\"]\n");
        let text = "audio.codecs: skipped speex, not in this build (it has opus, G722, PCMU, PCMA, L16)".to_owned();
        assert_eq!(load(&flags, &Environment::default()).unwrap().notices, [Notice::Warning(text)]);
        let (_folder, flags) = write("");
        assert_eq!(load(&flags, &Environment::default()).unwrap().notices, []);
    }

    #[cfg(unix)]
    #[test]
    fn a_password_that_others_can_read_is_a_warning() {
        use std::os::unix::fs::PermissionsExt;
        let quiet = "[audio]\ncodecs = [\"PCMU\"]\n[[account]]\nuri = \"sip:a@b\"\n";
        let loud = format!("{quiet}password = \"x\"\n");
        for (text, mode, warnings) in [(quiet, 0o644, 0), (&loud, 0o644, 1), (&loud, 0o640, 1), (&loud, 0o600, 0)] {
            let (_folder, flags) = write(text);
            let path = flags.config.as_ref().unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(load(&flags, &Environment::default()).unwrap().notices.len(), warnings, "{mode:o} {text}");
        }
    }

    #[test]
    fn proxies_that_can_not_be_used_are_noticed() {
        let (_folder, flags) = write(
            "[audio]\ncodecs = [\"PCMU\"]\n[[account]]\nuri = \"sip:a@b\"\nproxies = [\"sip:p;transport=ws\", \"sip:q\"]\n",
        );
        let text =
            "account 'a': proxy sip:p;transport=ws skipped, this build speaks SIP over UDP, TCP and TLS".to_owned();
        assert_eq!(load(&flags, &Environment::default()).unwrap().notices, [Notice::Warning(text)]);
    }
}
