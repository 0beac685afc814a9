//! The media thread from the phone's side: it is started when it is first needed, or when nothing more urgent is left.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::config;
use crate::ua::CallNo;
use crate::ua::command::MediaPorts;

use super::dtls::Identity;
use super::media_thread::{MediaThread, Order, Report, Sockets};

/// How long the media thread may take to finish its files.
const FINISH: Duration = Duration::from_millis(150);

/// Where the levels are read from: empty until the media thread runs.
pub(super) type SharedThread = Arc<OnceLock<MediaThread>>;

/// The media thread, running or not yet.
pub(super) struct Sound {
    audio: config::Audio,
    network: config::Network,
    identity: Option<Arc<Identity>>,
    thread: SharedThread,
    /// Given to the thread when it starts: when it ends the channel ends.
    reporter: Option<mpsc::UnboundedSender<Report>>,
    reports: mpsc::UnboundedReceiver<Report>,
}

impl Sound {
    pub(super) fn new(
        audio: config::Audio,
        network: config::Network,
        identity: Option<Arc<Identity>>,
        thread: SharedThread,
    ) -> Sound {
        let (reporter, reports) = mpsc::unbounded_channel();
        Sound { audio, network, identity, thread, reporter: Some(reporter), reports }
    }

    /// Starts the thread, unless it runs.
    pub(super) fn thread(&mut self) -> io::Result<&MediaThread> {
        if self.thread.get().is_none() {
            let reporter = self.reporter.take().ok_or_else(|| io::Error::other("the media thread has not started"))?;
            let started = MediaThread::spawn(&self.audio, &self.network, self.identity.clone(), move |report| {
                let _ = reporter.send(report);
            })?;
            let _ = self.thread.set(started);
        }
        self.thread.get().ok_or_else(|| io::Error::other("the media thread has not started"))
    }

    /// Binds a call's ports.
    pub(super) fn open(&mut self, call: CallNo, address: IpAddr) -> io::Result<MediaPorts> {
        self.thread()?.open(call, address)
    }

    /// Binds ports for a call that has no number yet.
    pub(super) fn bind(&mut self, address: IpAddr) -> io::Result<Sockets> {
        self.thread()?.bind(address)
    }

    /// Gives a call the ports that were bound for it.
    pub(super) fn adopt(&mut self, call: CallNo, sockets: Sockets) -> io::Result<MediaPorts> {
        self.thread()?.adopt(call, sockets)
    }

    /// Binds a call's ports anew, at another address.
    pub(super) fn move_to(&mut self, call: CallNo, address: IpAddr, ports: MediaPorts) -> io::Result<MediaPorts> {
        self.thread()?.move_to(call, address, ports)
    }

    pub(super) fn order(&mut self, order: Order) {
        match self.thread() {
            Ok(thread) => thread.order(order),
            Err(error) => tracing::error!(%error, ?order, "no sound"),
        }
    }

    /// The next report; waits for ever once the thread has ended.
    pub(super) async fn report(&mut self) -> Report {
        match self.reports.recv().await {
            Some(report) => report,
            None => std::future::pending().await,
        }
    }

    /// Ends the thread and waits until its files are finished, not for ever. What it still says goes to `report`.
    pub(super) async fn finish(&mut self, mut report: impl FnMut(Report)) {
        let Some(thread) = self.thread.get() else { return };
        thread.order(Order::Quit);
        let last_words = async {
            while let Some(last) = self.reports.recv().await {
                report(last);
            }
        };
        if tokio::time::timeout(FINISH, last_words).await.is_err() {
            tracing::warn!("the media thread did not end in time");
        }
    }
}
