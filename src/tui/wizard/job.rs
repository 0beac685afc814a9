//! Something that runs on a thread of its own, with a runtime: starting a phone may run a command for its password, and
//! ending one waits for its goodbyes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use crate::app::wizard::Msg;

/// It. Let go, it ends without another word.
pub(super) struct Job {
    is_wanted: Arc<AtomicBool>,
    finish: Option<oneshot::Sender<()>>,
}

/// Where a job tells how it goes.
pub(super) struct Teller {
    is_wanted: Arc<AtomicBool>,
    sender: UnboundedSender<Msg>,
}

impl Teller {
    pub(super) fn tell(&self, msg: Msg) {
        if self.is_wanted.load(Ordering::SeqCst) {
            // Who listens may have gone.
            let _ = self.sender.send(msg);
        }
    }
}

impl Job {
    /// Starts it. It is given a way to tell, and what resolves when it is to end.
    pub(super) fn start<F: Future<Output = ()>>(
        sender: UnboundedSender<Msg>,
        work: impl FnOnce(Teller, oneshot::Receiver<()>) -> F + Send + 'static,
        failed: impl FnOnce(String) -> Msg + Send + 'static,
    ) -> Job {
        let is_wanted = Arc::new(AtomicBool::new(true));
        let (finish, finished) = oneshot::channel();
        let teller = Teller { is_wanted: Arc::clone(&is_wanted), sender: sender.clone() };
        let spawned = std::thread::Builder::new().name("first-steps".into()).spawn(move || {
            match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime.block_on(work(teller, finished)),
                Err(error) => teller.tell(failed(error.to_string())),
            }
        });
        if let Err(error) = spawned {
            tracing::error!(%error, "no thread");
        }
        Job { is_wanted, finish: Some(finish) }
    }

    /// It is to end, and to say what came of it.
    pub(super) fn finish(&mut self) {
        if let Some(finish) = self.finish.take() {
            let _ = finish.send(());
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.is_wanted.store(false, Ordering::SeqCst);
        self.finish();
    }
}
