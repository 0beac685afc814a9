//! A program inside the namespace, with its log; killed when dropped.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::namespace::Namespace;

/// A running program.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it with stdout and stderr in `log`.
    pub fn start(namespace: &Namespace, mut command: Command, log: &Path) -> Process {
        let file = File::create(log).expect("a log file");
        command.stdin(Stdio::null()).stdout(file.try_clone().expect("a log file"));
        Process::with_output(namespace, command, log, file)
    }

    /// Starts it with pipes for stdin and stdout, and stderr in `log`.
    pub fn piped(namespace: &Namespace, mut command: Command, log: &Path) -> (Process, ChildStdin, ChildStdout) {
        let file = File::create(log).expect("a log file");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::with_output(namespace, command, log, file);
        let stdin = process.child.stdin.take().expect("a pipe");
        let stdout = process.child.stdout.take().expect("a pipe");
        (process, stdin, stdout)
    }

    fn with_output(namespace: &Namespace, mut command: Command, log: &Path, stderr: File) -> Process {
        command.stderr(stderr);
        let program = command.get_program().to_owned();
        let child = namespace.spawn(command).unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        Process { child, log: log.to_owned() }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: i32) {
        unsafe { libc::kill(self.child.id().cast_signed(), signal) };
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let end = Instant::now() + limit;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < end => thread::sleep(Duration::from_millis(2)),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// The log so far.
    pub fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Whether it ended, for messages.
    pub fn state(&mut self) -> String {
        let ended = |status: ExitStatus| match status.signal() {
            Some(signal) => format!("killed by signal {signal}"),
            None => format!("exited with {}", status.code().unwrap_or_default()),
        };
        let status: io::Result<Option<ExitStatus>> = self.child.try_wait();
        status.ok().flatten().map_or("running".to_owned(), ended)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
