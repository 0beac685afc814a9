//! The devices in a running thread: opened when they are needed, replaced, lost and taken again, closed.

use std::sync::Arc;
use std::time::Instant;

use crate::audio::device;
use crate::audio::ringer::Ringer;
use crate::media::levels;
use crate::phone::command::{DeviceRole, Side};

use super::devices::{Opened, Parting};
use super::engine::{Engine, LINGER};

/// Whose events are not a call's.
pub(super) const DEVICES: [usize; 3] = [device::key::INPUT, device::key::OUTPUT, device::key::RING];
impl Engine {
    /// A device's socket has something.
    pub(super) fn device_woke(&mut self, now: Instant, key: usize) {
        match key {
            device::key::INPUT => drop(self.input.get_mut().map(|input| input.woken(now))),
            device::key::OUTPUT => drop(self.output.get_mut().map(|output| output.woken(now))),
            device::key::RING => drop(self.ring.get_mut().map(Ringer::woken)),
            _ => (),
        }
    }

    pub(super) fn care_for_devices(&mut self, now: Instant) {
        if self.ticking && self.calls.is_empty() && !self.speaker.is_busy() {
            self.ticking = false;
            self.needed_until = self.needed_until.max(now + LINGER);
            self.levels.set(Side::Input, levels::SILENCE_DBFS);
            self.levels.set(Side::Output, levels::SILENCE_DBFS);
            self.warnings_end(now);
        }
        if let Some(device) = self.input.get_mut().and_then(|input| input.take_move()) {
            self.input.moved(&self.opener, &device);
            self.treatment.devices_changed();
        }
        if let Some(device) = self.output.get_mut().and_then(|output| output.take_move()) {
            self.output.moved(&self.opener, &device);
            self.treatment.devices_changed();
        }
        if let Some(device) = self.ring.get_mut().and_then(Ringer::take_move) {
            self.ring.moved(&self.opener, &device);
        }
        if let Some(why) = self.input.get().and_then(|input| input.failure()) {
            self.input.lost(now, &self.opener, why);
        }
        if let Some(why) = self.output.get().and_then(|output| output.failure()) {
            self.output.lost(now, &self.opener, why);
        }
        if let Some(why) = self.ring.get().and_then(Ringer::failure) {
            self.ring.lost(now, &self.opener, why);
        }
        let latency = self.latency;
        if self.is_needed(now) {
            let wake = Arc::clone(&self.opener.poller);
            self.input.keep_open(now, &self.opener, move |name| {
                device::open_input(name, latency, wake).map(Opened::Input).map_err(|error| error.to_string())
            });
            let wake = Arc::clone(&self.opener.poller);
            self.output.keep_open(now, &self.opener, move |name| {
                device::open_output(name, latency, wake).map(Opened::Output).map_err(|error| error.to_string())
            });
        } else {
            // What has no clock costs nothing, and a file would begin anew.
            if self.input.get().is_none_or(|input| input.is_clocked()) {
                self.input.close(&self.opener);
            }
            if self.output.get().is_none_or(|output| output.is_clocked()) {
                self.output.close(&self.opener);
            }
        }
        if self.ringing {
            let (wake, tone) = (Arc::clone(&self.opener.poller), self.ring_tone.clone());
            self.ring.keep_open(now, &self.opener, move |name| {
                Ringer::open(name, tone.as_deref(), wake).map(Opened::Ring).map_err(|error| error.to_string())
            });
        } else {
            self.ring.close(&self.opener);
        }
    }

    /// Another device: the one before stays in use until it is open, so that the call has no gap.
    pub(super) fn change_device(&mut self, role: DeviceRole, name: String) {
        let parting = |is_clocked: Option<bool>| match is_clocked {
            Some(false) => Parting::AtOnce,
            Some(true) | None => Parting::Late,
        };
        match role {
            DeviceRole::Input => {
                let is_clocked = self.input.get().map(|input| input.is_clocked());
                self.input.rename(name, parting(is_clocked));
            }
            DeviceRole::Output => {
                let is_clocked = self.output.get().map(|output| output.is_clocked());
                self.output.rename(name, parting(is_clocked));
            }
            DeviceRole::Ring => self.ring.rename(name, Parting::Late),
        }
    }

    pub(super) fn opened(&mut self, now: Instant, role: DeviceRole, generation: u64, result: Result<Opened, String>) {
        match (role, result) {
            (DeviceRole::Input, Ok(Opened::Input(input))) => {
                self.input.opened(now, &self.opener, generation, Ok(input));
                self.treatment.devices_changed();
                self.short_since = None;
                self.stalled = false;
                self.microphone_watch.rest(now);
            }
            (DeviceRole::Output, Ok(Opened::Output(output))) => {
                self.output.opened(now, &self.opener, generation, Ok(output));
                self.treatment.devices_changed();
                if let Some(output) = self.output.get() {
                    self.speaker_watch.rest(output.ran_dry());
                    self.speaker.set_rate(output.rate());
                }
            }
            (DeviceRole::Ring, Ok(Opened::Ring(ringer))) => {
                self.ring.opened(now, &self.opener, generation, Ok(ringer));
                // What its socket had already, woke the thread for the one before.
                if let Some(ringer) = self.ring.get_mut() {
                    ringer.woken();
                }
            }
            (DeviceRole::Input, Err(why)) => self.input.opened(now, &self.opener, generation, Err(why)),
            (DeviceRole::Output, Err(why)) => self.output.opened(now, &self.opener, generation, Err(why)),
            (DeviceRole::Ring, Err(why)) => self.ring.opened(now, &self.opener, generation, Err(why)),
            (DeviceRole::Input | DeviceRole::Output | DeviceRole::Ring, Ok(_)) => {
                tracing::error!(?role, "a device was opened for another role");
            }
        }
    }
}
