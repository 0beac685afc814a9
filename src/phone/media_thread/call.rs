//! One call: its session, its sockets, and what is played into it and recorded of it.

use std::collections::VecDeque;
use std::time::Instant;

use crate::audio::simple::Player;
use crate::media::resample::Resampler;
use crate::media::tones::Digits;
use crate::media::{Session, Transmit, mixing};
use crate::phone::command::PlayAs;
use crate::sdp::Negotiated;

use super::conference::Member;
use super::recording::Recording;
use super::sockets::Sockets;

/// A voice takes so many parts of a second to come and to go: cut, it would click.
const RAMPS_A_SECOND: u32 = 200;
/// What is softer than this needs no ramp.
const SOFT: i16 = 64;

/// One call's sound.
pub struct Call {
    pub session: Session,
    /// When the session wants attention, as the engine has noted it.
    pub due: Option<Instant>,
    sockets: Sockets,
    pub media: Option<Negotiated>,
    /// When microphone samples may leave; `None` before the answer.
    pub open_at: Option<Instant>,
    opened: bool,
    playing: Option<(Player, PlayAs)>,
    played: Vec<i16>,
    /// We hold it; with what it hears then, once that is there.
    held: Option<Option<Player>>,
    pub tones: Option<Digits>,
    sent_digits: VecDeque<char>,
    pub recording: Option<Recording>,
    pub voice: Voice,
    /// Its place in the conference, if it is in it.
    pub member: Option<Member>,
}

impl Call {
    pub fn new(now: Instant, seed: [u8; 32], sockets: Sockets) -> Call {
        Call {
            session: Session::new(now, seed),
            due: None,
            sockets,
            media: None,
            open_at: None,
            opened: false,
            playing: None,
            played: Vec::new(),
            held: None,
            tones: None,
            sent_digits: VecDeque::new(),
            recording: None,
            voice: Voice::default(),
            member: None,
        }
    }

    pub fn sockets(&self) -> &Sockets {
        &self.sockets
    }

    /// Other sockets from now on; the answer is the old ones.
    pub fn replace_sockets(&mut self, sockets: Sockets) -> Sockets {
        std::mem::replace(&mut self.sockets, sockets)
    }

    /// Whether its sound belongs into the speaker.
    pub fn is_heard(&self) -> bool {
        self.media.as_ref().is_some_and(|media| media.receive_audio)
    }

    /// Whether the microphone is heard at the other side.
    pub fn uses_microphone(&self, now: Instant) -> bool {
        let open = self.open_at.is_some_and(|at| at <= now);
        open && self.session.sends() && self.held.is_none() && !matches!(self.playing, Some((_, PlayAs::Instead)))
    }

    /// Plays a sound, from the answer on; the one before ends.
    pub fn play(&mut self, player: Player, how: PlayAs) {
        self.playing = Some((player, how));
    }

    /// Plays no more; false: nothing was played.
    pub fn stop_playing(&mut self) -> bool {
        self.playing.take().is_some()
    }

    /// From now on the microphone is not for this call, or is again.
    pub fn set_held(&mut self, held: bool) {
        self.held = held.then_some(None);
    }

    /// What a held side hears; it may have been taken back meanwhile.
    pub fn hold_music(&mut self, player: Player) {
        if let Some(music) = &mut self.held {
            *music = Some(player);
        }
    }

    /// Gives the session this tick's samples: the microphone's, or what is played or dialled in their place. True when
    /// a sound that was played has ended.
    pub fn speak(&mut self, now: Instant, microphone: &[i16], scratch: &mut Vec<i16>) -> bool {
        let open = self.open_at.is_some_and(|at| at <= now);
        if open != self.opened {
            self.opened = open;
            self.session.set_microphone_open(open);
        }
        let rate = self.session.sample_rate();
        scratch.clear();
        scratch.extend_from_slice(microphone);
        let mut ended = false;
        if let Some(music) = &mut self.held {
            match music {
                Some(player) => player.read(rate, scratch),
                None => scratch.fill(0),
            }
        } else if open && let Some((player, how)) = &mut self.playing {
            match how {
                PlayAs::Instead => player.read(rate, scratch),
                PlayAs::Mixed => {
                    self.played.resize(scratch.len(), 0);
                    player.read(rate, &mut self.played);
                    mixing::add(scratch, &self.played);
                }
            }
            ended = player.is_over();
            if ended {
                self.playing = None;
            }
        }
        if let Some(digits) = &mut self.tones {
            digits.fill(scratch);
            self.sent_digits.extend(std::iter::from_fn(|| digits.poll_sent()));
            if digits.is_finished() {
                self.tones = None;
            }
        }
        if !open {
            scratch.fill(0);
        }
        // A conference is recorded as a whole, not member by member.
        if let (Some(recording), None) = (&mut self.recording, &self.member) {
            recording.us(rate, scratch);
        }
        self.session.capture(now, scratch);
        ended
    }

    /// The next digit that was sent as a tone.
    pub fn poll_digit(&mut self) -> Option<char> {
        self.sent_digits.pop_front()
    }

    /// Whether nobody is to hear the other side, who is a member of the conference.
    fn is_muted(&self) -> bool {
        self.member.as_ref().is_some_and(|member| member.muted)
    }

    /// Takes `count` samples from the session for the speaker, the recording and the conference, in which `rates` are
    /// used, into `scratch`.
    pub fn listen(&mut self, now: Instant, count: usize, rates: &[u32], scratch: &mut Vec<i16>) {
        scratch.resize(count, 0);
        self.session.playout(now, scratch);
        if let (Some(recording), None) = (&mut self.recording, &self.member) {
            recording.them(self.session.sample_rate(), scratch);
        }
        if self.is_muted() {
            scratch.fill(0);
        }
        let rate = self.session.sample_rate();
        if let Some(member) = &mut self.member {
            member.said(scratch, rate, rates);
        }
    }

    /// Sends what the session has to send.
    pub fn flush(&mut self) {
        while let Some(transmit) = self.session.poll_transmit() {
            let bytes = match transmit {
                Transmit::Rtp { to, bytes } => {
                    self.sockets.rtp.send(to, &bytes);
                    bytes
                }
                Transmit::Rtcp { to, bytes } => {
                    self.sockets.rtcp.send(to, &bytes);
                    bytes
                }
            };
            self.session.recycle(bytes);
        }
    }
}

/// A call's sound on its way to the speaker, at the speaker's rate.
#[derive(Default)]
pub struct Voice {
    resampler: Option<Resampler>,
    pub waiting: Vec<i16>,
    /// Samples in which it comes and goes.
    ramp: i32,
    /// How many of them it has come up.
    risen: i32,
    /// How many are left to go down, from the last sample.
    left: i32,
    last: i32,
    /// It comes at another rate since: from what it was just before, so many samples ago.
    seam: Option<(i32, i32)>,
}

impl Voice {
    /// Takes samples at `from` Hz for a speaker at `to` Hz; `longer` as [`Resampler::adjust`] has it, for a speaker with a
    /// clock of its own.
    pub fn push(&mut self, samples: &[i16], from: u32, to: u32, longer: Option<f64>) {
        let fits =
            |one: &Resampler| (one.from_rate(), one.to_rate(), one.is_adjustable()) == (from, to, longer.is_some());
        if !self.resampler.as_ref().is_some_and(fits) {
            if self.resampler.as_ref().is_some_and(|one| one.to_rate() != to) {
                self.waiting.clear();
            }
            // The new filter knows nothing of what was before: it would begin with a step.
            let fallen = self.last * self.left / self.ramp.max(1);
            let before = self.waiting.last().map_or(fallen, |last| i32::from(*last));
            self.seam = self.resampler.is_some().then_some((before, 0));
            self.resampler = match longer {
                Some(_) => Resampler::adjustable(from, to),
                None => Resampler::new(from, to),
            };
            self.ramp = (to / RAMPS_A_SECOND).cast_signed();
        }
        let Some(resampler) = &mut self.resampler else { return };
        let begin = self.waiting.len();
        if let Some(longer) = longer {
            resampler.adjust(longer);
        }
        resampler.process(samples, &mut self.waiting);
        if let Some((before, at)) = &mut self.seam {
            for sample in self.waiting.iter_mut().skip(begin).take((self.ramp - *at).max(0).cast_unsigned() as usize) {
                *sample = ((i32::from(*sample) * *at + *before * (self.ramp - *at)) / self.ramp.max(1)) as i16;
                *at += 1;
            }
            self.seam = self.seam.filter(|(_, at)| *at < self.ramp);
        }
    }

    /// Adds up to `sum.len()` samples to a sum.
    pub fn mix_into(&mut self, sum: &mut [i32]) {
        let count = self.waiting.len().min(sum.len());
        for sample in self.waiting.iter_mut().take(count) {
            if self.risen >= self.ramp {
                break;
            }
            if self.risen > 0 || sample.saturating_abs() > SOFT {
                *sample = (i32::from(*sample) * self.risen / self.ramp) as i16;
                self.risen += 1;
            }
        }
        mixing::accumulate(sum, &self.waiting[..count]);
        if let Some(last) = self.waiting.drain(..count).next_back() {
            (self.last, self.left) = (i32::from(last), self.ramp);
        }
    }

    /// It is heard no more: goes down to silence from where it was.
    pub fn fall_into(&mut self, sum: &mut [i32]) {
        self.waiting.clear();
        self.risen = 0;
        for sum in sum.iter_mut().take(self.left.cast_unsigned() as usize) {
            self.left -= 1;
            *sum += self.last * self.left / self.ramp.max(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tone of 300 Hz, as loud as this, as codecs of these rates bring it one after the other.
    #[test]
    fn another_rate_in_the_call_does_not_click() {
        const PEAK: f64 = 8000.0;
        for to in [16_000, 48_000] {
            let (mut voice, mut heard) = (Voice::default(), Vec::new());
            for (place, rate) in [8000u32, 16_000, 48_000, 8000, 48_000, 16_000].into_iter().enumerate() {
                for piece in 0..10 {
                    let at = |n: u32| (place * 10 + piece) as f64 * 0.021 + f64::from(n) / f64::from(rate);
                    let tone = |n| (PEAK * (std::f64::consts::TAU * 300.0 * at(n)).sin()) as i16;
                    let samples: Vec<i16> = (0..rate * 21 / 1000).map(tone).collect();
                    voice.push(&samples, rate, to, None);
                    // Some of it waits while the rate changes.
                    let mut sum = vec![0; voice.waiting.len().saturating_sub(if place % 2 == 0 { 0 } else { 30 })];
                    voice.mix_into(&mut sum);
                    heard.extend(sum);
                }
            }
            let own = PEAK * std::f64::consts::TAU * 300.0 / f64::from(to);
            let step = heard.windows(2).map(|pair| (pair[1] - pair[0]).abs()).max().unwrap_or_default();
            // On top of the tone's own step: from one end to the other in 5 ms.
            let allowed = own * 1.1 + 2.0 * PEAK * f64::from(RAMPS_A_SECOND) / f64::from(to);
            assert!(f64::from(step) < allowed, "{to}: a step of {step}, {allowed} allowed");
        }
    }

    #[test]
    fn a_voice_comes_and_goes_without_a_click() {
        let (mut voice, mut heard) = (Voice::default(), Vec::new());
        let mut listen = |voice: &mut Voice, is_heard: bool| {
            let mut sum = [0; 160];
            if is_heard {
                voice.mix_into(&mut sum)
            } else {
                voice.fall_into(&mut sum)
            }
            heard.extend(sum);
        };
        for piece in [&[0; 160], &[8000; 160], &[8000; 160]] {
            voice.push(piece, 8000, 8000, None);
            listen(&mut voice, true);
        }
        listen(&mut voice, false);
        listen(&mut voice, false);
        voice.push(&[-8000; 160], 8000, 8000, None);
        listen(&mut voice, true);
        // 5 ms are 40 samples.
        let step = heard.windows(2).map(|pair| (pair[1] - pair[0]).abs()).max();
        assert_eq!(step, Some(200));
        assert_eq!((heard[160], heard[200], heard[479]), (0, 8000, 8000));
        assert_eq!((heard[480], heard[519], heard[799]), (7800, 0, 0));
        assert_eq!(heard[959], -8000);
    }

    #[test]
    fn a_voice_at_the_speakers_own_rate_keeps_pace_with_its_clock() {
        for rate in [8000, 48_000] {
            let second = vec![0; rate as usize];
            for (longer, expected) in
                [(None, 10.0), (Some(0.0), 10.0), (Some(0.000_2), 10.002), (Some(-0.000_2), 9.998)]
            {
                let mut voice = Voice::default();
                for _ in 0..10 {
                    voice.push(&second, rate, rate, longer);
                }
                let seconds = voice.waiting.len() as f64 / f64::from(rate);
                // The filter keeps a millisecond back.
                assert!((seconds - expected).abs() < 0.001_1, "{rate} Hz, {longer:?}: {seconds} s");
            }
        }
    }
}
