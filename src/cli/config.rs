//! `offhook config init` and `offhook config check`.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::config::load::named_path;
use crate::config::{self, Account, Environment, Loaded, Notice, Overrides, resolve};

use super::exit::{Exit, Failure};

/// Writes the commented configuration, for the owner's eyes only. An existing file is left alone.
pub fn init(flags: &Overrides, environment: &Environment) -> Result<String, Failure> {
    let path = named_path(flags, environment).or_else(config::default_path);
    let path =
        path.ok_or_else(|| Failure::new(Exit::Usage, "there is no home folder: say where with --config FILE"))?;
    write_new(&path).map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::AlreadyExists => "it exists already, and was left as it is".to_owned(),
            _ => format!("can't be written: {error}"),
        };
        Failure::new(Exit::Usage, format!("{}: {why}", path.display()))
    })?;
    Ok(format!("wrote {}\nfill in your account, then: offhook config check\n", path.display()))
}

fn write_new(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(config::EXAMPLE.as_bytes())
}

/// What the configuration holds, for a person. It has been read without an error.
pub fn check(loaded: &Loaded) -> Result<String, Failure> {
    let Loaded { config, path, notices } = loaded;
    let mut lines = Vec::new();
    lines.push(match path {
        Some(path) => format!("{}: good", path.display()),
        None => format!("{}: no such file, so all is at its default", default_path().display()),
    });
    for account in &config.accounts {
        describe(account, &mut lines)?;
    }
    if config.accounts.is_empty() {
        lines.push("no account: direct calls only".into());
    }
    lines.push(format!("listens at {}", config.sip.listen));
    let codecs: Vec<&str> = resolve::codecs(config).into_iter().map(crate::sdp::Codec::name).collect();
    let audio = &config.audio;
    lines.push(format!("input {}, output {}, ring {}", audio.input, audio.output, audio.ring));
    lines.push(format!("codecs {}, {} ms a packet", codecs.join(", "), audio.ptime));
    for notice in notices {
        // Warnings have been written to standard error.
        if let Notice::Info(text) = notice {
            lines.push(format!("note: {text}"));
        }
    }
    Ok(lines.join("\n") + "\n")
}

fn default_path() -> PathBuf {
    config::default_path().unwrap_or_else(|| PathBuf::from("config.toml"))
}

fn describe(account: &Account, lines: &mut Vec<String>) -> Result<(), Failure> {
    lines.push(format!("account {}: {}", account.name, account.uri));
    let registrar = resolve::registrar(account)?;
    lines.push(match account.register {
        true => format!("  registers at {registrar} for {} s", account.expires),
        false => "  does not register".into(),
    });
    let route = resolve::route(account)?;
    if !route.is_empty() {
        let route: Vec<String> = route.iter().map(ToString::to_string).collect();
        lines.push(format!("  through {}", route.join(", then ")));
    }
    lines.push(format!("  password: {}", account.password.source()));
    for entry in &account.credentials {
        lines.push(format!("  realm {}: user {}, password {}", entry.realm, entry.user, entry.password.source()));
    }
    Ok(())
}
