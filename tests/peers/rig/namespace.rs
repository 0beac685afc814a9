//! A network and process namespace that lives exactly as long as this process.
//!
//! One thread enters it and does there whatever the tests ask: it starts programs and opens sockets. Both namespaces
//! are nameless, so two runs can't collide. When this process ends, however it ends, the kernel kills the first
//! process of the namespace and with it every other one.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use super::ABROAD;

type Job = Box<dyn FnOnce() + Send>;

/// The thread inside.
pub struct Namespace {
    jobs: mpsc::Sender<Job>,
}

impl Namespace {
    /// Needs the right to make namespaces.
    pub fn new() -> io::Result<Namespace> {
        let (jobs, todo) = mpsc::channel::<Job>();
        let (ready, entered) = mpsc::channel();
        thread::Builder::new().name("namespace".into()).spawn(move || {
            let result = enter();
            let inside = result.is_ok();
            let _ = ready.send(result);
            if inside {
                todo.into_iter().for_each(|job| job());
            }
        })?;
        entered.recv().map_err(io::Error::other)??;
        Ok(Namespace { jobs })
    }

    /// Does something inside. It must not start a thread: the kernel allows none there.
    pub fn inside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (send, result) = mpsc::channel();
        let job = move || drop(send.send(work()));
        self.jobs.send(Box::new(job)).expect("the thread lives as long as the process");
        result.recv().expect("the work inside panicked")
    }

    /// Starts a program inside.
    pub fn spawn(&self, mut command: Command) -> io::Result<Child> {
        self.inside(move || command.spawn())
    }
}

fn enter() -> io::Result<()> {
    if unsafe { libc::unshare(libc::CLONE_NEWNET | libc::CLONE_NEWPID) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // The first process is the namespace's init: when it dies all others do.
    let mut first = Command::new("sleep");
    first.arg("infinity").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Ctrl-C is for the test process; the signal is sent when the thread that spawned, this one, ends.
    unsafe {
        first.process_group(0).pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        });
    }
    first.spawn()?;
    let address = format!("addr add {ABROAD}/24 dev abroad");
    for line in [
        "link set lo up",
        "link add abroad type veth peer name beyond",
        &address,
        "link set abroad up",
        "link set beyond up",
    ] {
        if !Command::new("ip").args(line.split(' ')).status()?.success() {
            return Err(io::Error::other(format!("ip {line} failed")));
        }
    }
    Ok(())
}
