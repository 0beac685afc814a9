//! What the picker of devices and the list of settings want of the outside.

use std::path::PathBuf;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::app::{Msg, picker, settings as list};
use crate::config::{Environment, Ui};

use super::probes::Probes;
use super::{devices, settings};

/// It.
pub struct Panels {
    /// The file; `None`: there is no home for one.
    file: Option<PathBuf>,
    environment: Environment,
    probes: Probes,
    sender: UnboundedSender<picker::News>,
    news: UnboundedReceiver<picker::News>,
}

impl Panels {
    /// For the settings of this file.
    pub fn new(file: Option<PathBuf>) -> Panels {
        let (sender, news) = unbounded_channel();
        Panels { file, environment: Environment::of_process(), probes: Probes::default(), sender, news }
    }

    /// What was found meanwhile; to be waited for.
    pub async fn next(&mut self) -> Msg {
        match self.news.recv().await {
            Some(news) => Msg::Devices(news),
            // Never: the sender is ours.
            None => std::future::pending().await,
        }
    }

    /// How the devices go that are tried.
    pub fn probed(&self) -> Vec<Msg> {
        let heard = self.probes.heard().map(picker::News::Heard);
        let tone = self.probes.tone().map(picker::News::Tone);
        heard.into_iter().chain(tone).map(Msg::Devices).collect()
    }

    /// Does what the picker wants.
    pub fn try_devices(&mut self, wish: picker::Wish) {
        match wish {
            picker::Wish::List => devices::list(self.sender.clone(), picker::News::Found),
            picker::Wish::Listen(name) => self.probes.listen(name.as_deref()),
            picker::Wish::Play(role, name) => self.probes.play(role, &name),
            picker::Wish::Hush => self.probes.hush(),
        }
    }

    /// Does what the list wants, and tells what came of it.
    pub fn change_file(&self, wish: &list::Wish) -> Msg {
        const NO_HOME: &str = "there is no home folder: say where the file is with --config FILE";
        let file = self.file.as_deref().ok_or_else(|| NO_HOME.to_owned());
        Msg::Settings(match wish {
            list::Wish::Read => list::News::Read(file.and_then(|file| settings::rows(file, &self.environment))),
            list::Wish::Write { name, .. } => {
                list::News::Written(name.clone(), file.and_then(|file| settings::write(file, wish)))
            }
        })
    }

    /// What the file says of the UI now.
    pub fn ui(&self) -> Option<Ui> {
        self.file.as_deref().and_then(settings::ui)
    }
}
