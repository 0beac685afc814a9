//! Arguments, one-shot commands, NDJSON, exit codes.
//!
//! | file | what it holds |
//! |---|---|
//! | [`args`] | the command line |
//! | [`exit`] | exit codes, as tables |
//! | [`session`] | a started phone with its events, output and signals; the end within two seconds |
//! | [`out`], [`text`] | standard output; events as JSON or as lines for a person |
//! | [`watch`] | one call from its first event to its exit code |
//! | [`call`], [`register`], [`run`], [`demo`], [`tour`], [`devices`], [`exchange`], [`config`] | the commands |
//! | `dialling`, `people`, `switches` | what a number becomes; the history and the contacts; forwarding and do not disturb |
//! | [`log`] | the log file |
//! | `ui`, `setup` | the terminal UI, and the wizard before it |

pub mod args;
pub mod attach;
pub mod call;
pub mod config;
pub mod demo;
pub mod devices;
mod dialling;
pub mod exchange;
pub mod exit;
pub mod log;
pub mod out;
mod people;
pub mod register;
pub mod run;
pub mod session;
mod setup;
mod switches;
pub mod text;
pub mod tour;
mod ui;
pub mod watch;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::app::wizard::Leave;
use crate::config::{Config, Environment, Files, Loaded, Notice, Overrides, load, nearest};

use args::{Arguments, Command, Global};
use exit::{Exit, Failure};
use out::{Out, Style};
use session::Session;

/// The program: from the arguments to the exit code.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help goes to standard output and is no error; a reader that has gone is none either.
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    match carry_out(arguments) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if !failure.message.is_empty() {
                out::complain(&failure.message);
            }
            failure.exit.into()
        }
    }
}

fn carry_out(arguments: Arguments) -> Result<Exit, Failure> {
    let global = arguments.global;
    let environment = Environment::of_process();
    // Kept until the end: it flushes when it goes.
    let _log = start_log(&global, &environment)?;
    let flags = overrides(&global);
    let context = || Context::load(&global, &flags, &environment);
    match arguments.command {
        None if !ui::has_screen() => {
            let Context { config, account, style } = context()?;
            async_main(run_lines(config, account, style))
        }
        None => {
            let Context { config, .. } = context()?;
            let path = setup::path(&flags, &environment);
            async_main(async {
                let is_first = path.as_ref().is_some_and(|path| !path.exists());
                match if is_first { setup::run(config.clone(), path.clone()).await? } else { Leave::Unwritten } {
                    Leave::Unwritten => ui::run(config, path).await,
                    Leave::Written => ui::run(context()?.config, path).await,
                    Leave::Quit => Ok(Exit::Done),
                }
            })
        }
        Some(Command::Setup) => {
            let (config, path) = (setup::config(&flags, &environment)?, setup::path(&flags, &environment));
            async_main(async {
                match setup::run(config, path.clone()).await? {
                    Leave::Written => ui::run(context()?.config, path).await,
                    Leave::Unwritten | Leave::Quit => Ok(Exit::Done),
                }
            })
        }
        Some(Command::Demo(args::Demo { headless: false, .. })) => {
            let Context { config, style, .. } = context()?;
            async_main(async {
                // It ends with this block, after the phone.
                let (exchange, password) = start_demo()?;
                let config = demo::config(config, exchange.address(), crate::exchange::demo::USER, &password);
                match ui::has_screen() {
                    true => ui::run_demo(config, setup::path(&flags, &environment)).await,
                    false => run_lines(config, None, style).await,
                }
            })
        }
        Some(Command::Demo(args::Demo { headless: true, tour: true })) => {
            let Context { config, style, .. } = context()?;
            async_main(tour::run(config, style))
        }
        Some(Command::Demo(args::Demo { headless: true, tour: false })) => {
            let Context { config, style, .. } = context()?;
            async_main(async {
                let (exchange, password) = start_demo()?;
                let config = demo::headless_config(config, exchange.address(), crate::exchange::demo::USER, &password);
                let session = Session::start(config, stdout(style)?)?;
                demo::headless(session).await.map(|()| Exit::Done)
            })
        }
        Some(Command::Exchange) => {
            let Context { config, style, .. } = context()?;
            async_main(exchange::run(&config, style))
        }
        Some(Command::Run(args::Run { socket })) => {
            let Context { config, account, style } = context()?;
            let path = socket.map(attach::place).transpose()?;
            async_main(async {
                let (session, served) = match path {
                    Some(path) => {
                        let (session, served) = Session::start_served(config, stdout(style)?, &path)?;
                        (session, Some(served))
                    }
                    None => (Session::start(config, stdout(style)?)?, None),
                };
                Ok(run::run(session, account, served).await)
            })
        }
        Some(Command::Attach(args::Attach { socket })) => {
            // The account, and how the UI looks.
            let Context { config, account, style } = context()?;
            let path = attach::place(socket)?;
            async_main(attach::run(config, path, style, account, setup::path(&flags, &environment)))
        }
        Some(Command::Call(call)) => {
            let Context { config, account, style } = context()?;
            call::check_files(call.play.as_deref(), call.record.as_deref())?;
            async_main(async {
                let session = Session::start(call::config_for_call(config), stdout(style)?)?;
                call::call(session, &call, account).await.map(|()| Exit::Done)
            })
        }
        Some(Command::Answer(answer)) => {
            let Context { config, style, .. } = context()?.of_one_account();
            call::check_files(answer.play.as_deref(), answer.record.as_deref())?;
            async_main(async {
                let session = Session::start(call::config_for_answer(config, &answer), stdout(style)?)?;
                call::answer(session, &answer).await.map(|()| Exit::Done)
            })
        }
        Some(Command::Register(register)) => {
            let Context { config, style, .. } = context()?.of_one_account();
            async_main(async {
                let session = Session::start(register::config_for(config, &register)?, stdout(style)?)?;
                register::register(session, &register).await.map(|()| Exit::Done)
            })
        }
        Some(Command::Devices) => {
            out::print(&devices::devices(global.json));
            Ok(Exit::Done)
        }
        Some(Command::Config(args::Config::Init)) => {
            out::print(&config::init(&flags, &environment)?);
            Ok(Exit::Done)
        }
        Some(Command::Config(args::Config::Check(check))) => {
            let loaded = load(&flags, &environment)?;
            warn(&loaded);
            out::print(&config::check(&loaded)?);
            out::print(&dialling::check(&loaded.config, &check.number, global.account.as_deref())?);
            Ok(Exit::Done)
        }
        Some(Command::Forward(args::Switch { words })) => switch(context()?, "forward", &words),
        Some(Command::Dnd(args::Switch { words })) => switch(context()?, "dnd", &words),
        Some(Command::History(history)) => {
            out::print(&people::history(&Files::of_person(), usize::from(history.count), global.json)?);
            Ok(Exit::Done)
        }
        Some(Command::Contacts(command)) => {
            out::print(&people::contacts(&Files::of_person(), command, global.json)?);
            Ok(Exit::Done)
        }
    }
}

fn switch(context: Context, word: &str, words: &[String]) -> Result<Exit, Failure> {
    let Context { config, account, style } = context;
    let line = format!("{word} {}", words.join(" "));
    out::print(&switches::carry_out(&config, account.as_deref(), &line, style == Style::Json)?);
    Ok(Exit::Done)
}

/// The phone without UI: one command a line.
async fn run_lines(config: Config, account: Option<String>, style: Style) -> Result<Exit, Failure> {
    let session = Session::start(config, stdout(style)?)?;
    Ok(run::run(session, account, None).await)
}

/// The demo's exchange, and the password of its users.
fn start_demo() -> Result<(crate::exchange::Exchange, String), Failure> {
    let loopback = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    crate::exchange::demo::start().map_err(|error| exchange::failed(loopback, &error))
}

/// What a command starts from.
struct Context {
    config: Config,
    /// The account that was chosen; it comes first in `config`.
    account: Option<String>,
    style: Style,
}

impl Context {
    fn load(global: &Global, flags: &Overrides, environment: &Environment) -> Result<Context, Failure> {
        let loaded = load(flags, environment)?;
        warn(&loaded);
        let account = global.account.as_deref().or_else(|| environment.get("OFFHOOK_ACCOUNT"));
        let mut config = loaded.config;
        config.files = Files::of_person();
        if let Some(name) = account {
            choose_account(&mut config, name)?;
        }
        let style = if global.json { Style::Json } else { Style::Text };
        Ok(Context { config, account: account.map(str::to_owned), style })
    }

    /// Without the accounts that were not chosen, if one was.
    fn of_one_account(mut self) -> Context {
        if self.account.is_some() {
            self.config.accounts.truncate(1);
        }
        self
    }
}

/// Puts the account first: it is the one that calls.
fn choose_account(config: &mut Config, name: &str) -> Result<(), Failure> {
    match config.accounts.iter().position(|account| account.name == name) {
        Some(place) => {
            config.accounts[..=place].rotate_right(1);
            Ok(())
        }
        None => {
            let hint = nearest(name, config.accounts.iter().map(|account| account.name.as_str()))
                .map(|near| format!(" (did you mean '{near}'?)"))
                .unwrap_or_default();
            Err(Failure::new(Exit::Usage, format!("there is no account '{name}'{hint}")))
        }
    }
}

fn overrides(global: &Global) -> Overrides {
    Overrides {
        config: global.config.clone(),
        listen: global.listen,
        input: global.input.clone(),
        output: global.output.clone(),
    }
}

fn warn(loaded: &Loaded) {
    for notice in &loaded.notices {
        match notice {
            Notice::Warning(text) => {
                out::complain(&format!("warning: {text}"));
                tracing::warn!("{text}");
            }
            Notice::Info(text) => tracing::info!("{text}"),
        }
    }
}

fn start_log(
    global: &Global,
    environment: &Environment,
) -> Result<Option<tracing_appender::non_blocking::WorkerGuard>, Failure> {
    let path = global.log.clone().or_else(|| environment.get("OFFHOOK_LOG").map(PathBuf::from));
    let Some(path) = path else { return Ok(None) };
    let level = match (global.log_level, environment.get("OFFHOOK_LOG_LEVEL")) {
        (Some(level), _) => level,
        (None, Some(text)) => text.parse().map_err(|_| {
            let expected = "expected error, warn, info, debug or trace";
            Failure::new(Exit::Usage, format!("OFFHOOK_LOG_LEVEL: {expected}, found \"{}\"", text.escape_debug()))
        })?,
        (None, None) => tracing::Level::INFO,
    };
    let guard = log::start(&path, level)
        .map_err(|error| Failure::new(Exit::Usage, format!("--log {}: can't be written: {error}", path.display())))?;
    Ok(Some(guard))
}

fn stdout(style: Style) -> Result<Out, Failure> {
    Out::stdout(style).map_err(|error| Failure::new(Exit::Internal, format!("stdout: {error}")))
}

/// Runs a command on a runtime of this thread.
fn async_main(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Internal, format!("can't start: {error}")))?;
    runtime.block_on(command)
}
