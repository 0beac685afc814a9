//! Payload type numbers: what they mean must not change while a dialog lives (RFC 3264 section 8.3.2).

use super::{Capabilities, Codec};

/// The numbers that this phone offers for `telephone-event` at each clock rate, unless the dialog has another.
const TELEPHONE_EVENTS: [(u32, u8); 3] = [(8000, 101), (48_000, 102), (16_000, 103)];

/// The numbers that this phone offers for comfort noise (RFC 3389) at each clock rate, unless the dialog has another: 13 is bound
/// for good. Opus makes its own.
const COMFORT_NOISES: [(u32, u8); 2] = [(8000, COMFORT_NOISE), (16_000, 104)];

/// Comfort noise at 8000 Hz (RFC 3551 table 4).
pub(super) const COMFORT_NOISE: u8 = 13;

/// The numbers that may be bound at will (RFC 3551 section 6).
const DYNAMIC: std::ops::RangeInclusive<u8> = 96..=127;

/// The formats of one audio stream that this phone can use, in the order of the description.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Formats {
    /// Codecs with their numbers; each codec once.
    pub codecs: Vec<(u8, Codec)>,
    /// The numbers of `telephone-event` with their clock rates; each rate once.
    pub telephone_events: Vec<(u8, u32)>,
    /// The numbers of comfort noise with their clock rates; each rate once.
    pub comfort_noises: Vec<(u8, u32)>,
}

/// What goes beside the sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Beside {
    pub telephone_events: bool,
    pub comfort_noises: bool,
}

impl Formats {
    fn contains(&self, number: u8) -> bool {
        self.telephone_events.iter().chain(&self.comfort_noises).any(|(taken, _)| *taken == number)
            || self.codecs.iter().any(|(taken, _)| *taken == number)
    }

    /// Whether RTCP can share a port with them: 64 to 95 look like its packet types (RFC 5761 section 4).
    pub fn leave_room_for_rtcp(&self) -> bool {
        !(64..=95).any(|number| self.contains(number))
    }

    /// The `telephone-event` for a codec: the one with its clock, else any.
    pub fn telephone_event_for(&self, codec: Codec) -> Option<(u8, u32)> {
        let events = &self.telephone_events;
        events.iter().find(|(_, rate)| *rate == codec.clock_rate()).or(events.first()).copied()
    }

    /// The comfort noise for a codec: the one with its clock (RFC 3389 section 5.1).
    pub fn comfort_noise_for(&self, codec: Codec) -> Option<u8> {
        let noises = self.comfort_noises.iter().filter(|_| codec != Codec::Opus);
        noises.into_iter().find(|(_, rate)| *rate == codec.clock_rate()).map(|(number, _)| *number)
    }

    /// Those of them that `wanted` says yes to; what goes beside them as `beside` says, comfort noise only for one of them.
    pub fn only(&self, wanted: impl Fn(Codec) -> bool, beside: Beside) -> Formats {
        let codecs: Vec<_> = self.codecs.iter().copied().filter(|(_, codec)| wanted(*codec)).collect();
        let is_used = |noise: u8| codecs.iter().any(|(_, codec)| self.comfort_noise_for(*codec) == Some(noise));
        let comfort_noises = self.comfort_noises.iter().copied();
        Formats {
            telephone_events: self.telephone_events.iter().copied().filter(|_| beside.telephone_events).collect(),
            comfort_noises: comfort_noises.filter(|(number, _)| beside.comfort_noises && is_used(*number)).collect(),
            codecs,
        }
    }
}

/// What the numbers of a dialog mean so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbers {
    bound: Formats,
    /// Numbers that the peer has bound to formats that this phone lacks.
    foreign: Vec<u8>,
}

impl Numbers {
    /// The formats to offer: all that we can, under the numbers in use, else under the customary ones.
    pub fn formats_to_offer(&self, capabilities: &Capabilities) -> Formats {
        let mut formats = Formats::default();
        for &codec in &capabilities.codecs {
            let known = self.bound.codecs.iter().find(|(_, bound)| *bound == codec).map(|(number, _)| *number);
            if let Some(number) = self.choose(known, codec.payload_type(), &formats) {
                formats.codecs.push((number, codec));
            }
        }
        if capabilities.telephone_event {
            // RFC 4733 section 2.5.1.1: each clock rate in use has its own.
            for (rate, customary) in TELEPHONE_EVENTS {
                let in_use = formats.codecs.iter().any(|(_, codec)| codec.clock_rate() == rate);
                let known = self.bound.telephone_events.iter().find(|(_, bound)| *bound == rate);
                let known = known.map(|(number, _)| *number);
                if let Some(number) = self.choose(known, customary, &formats).filter(|_| in_use) {
                    formats.telephone_events.push((number, rate));
                }
            }
        }
        if capabilities.dtx {
            for (rate, customary) in COMFORT_NOISES {
                let in_use = formats.codecs.iter().any(|(_, codec)| codec.clock_rate() == rate);
                let known = self.bound.comfort_noises.iter().find(|(_, bound)| *bound == rate);
                let known = known.map(|(number, _)| *number);
                if let Some(number) = self.choose(known, customary, &formats).filter(|_| in_use) {
                    formats.comfort_noises.push((number, rate));
                }
            }
        }
        formats
    }

    /// Remembers what an offer, or its answer, has bound.
    pub fn learn(&mut self, formats: &Formats, foreign: &[u8]) {
        for &(number, codec) in &formats.codecs {
            self.bound.codecs.retain(|(_, bound)| *bound != codec);
            self.bound.codecs.push((number, codec));
        }
        for &(number, rate) in &formats.telephone_events {
            self.bound.telephone_events.retain(|(_, bound)| *bound != rate);
            self.bound.telephone_events.push((number, rate));
        }
        for &(number, rate) in &formats.comfort_noises {
            self.bound.comfort_noises.retain(|(_, bound)| *bound != rate);
            self.bound.comfort_noises.push((number, rate));
        }
        for &number in foreign {
            if !self.foreign.contains(&number) {
                self.foreign.push(number);
            }
        }
        self.foreign.retain(|number| !formats.contains(*number));
    }

    /// The number in use, else the customary one, else any that means nothing yet.
    fn choose(&self, known: Option<u8>, customary: u8, chosen: &Formats) -> Option<u8> {
        let free = |number: &u8| !self.foreign.contains(number) && !chosen.contains(*number);
        known
            .filter(free)
            .or_else(|| Some(customary).filter(|number| free(number) && !self.bound.contains(*number)))
            .or_else(|| DYNAMIC.rev().find(|number| free(number) && !self.bound.contains(*number)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> Capabilities {
        Capabilities {
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            ptime_ms: 20,
            telephone_event: true,
            dtx: false,
            rtcp_mux: true,
            ice: Default::default(),
        }
    }

    #[test]
    fn the_customary_numbers_are_offered_first() {
        let formats = Numbers::default().formats_to_offer(&ours());
        assert_eq!(formats.codecs, [(0, Codec::Pcmu), (8, Codec::Pcma)]);
        assert_eq!(formats.telephone_events, [(101, 8000)]);
        let all = Capabilities { codecs: Codec::ALL.to_vec(), ..ours() };
        let formats = Numbers::default().formats_to_offer(&all);
        assert_eq!(formats.codecs.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [96, 9, 0, 8, 97]);
        assert_eq!(formats.telephone_events, [(101, 8000), (102, 48_000), (103, 16_000)]);
        assert_eq!(formats.telephone_event_for(Codec::Opus), Some((102, 48_000)));
    }

    #[test]
    fn comfort_noise_is_offered_at_the_clocks_of_codecs_that_need_it() {
        let quiet = |codecs: &[Codec]| Capabilities { codecs: codecs.to_vec(), dtx: true, ..ours() };
        let offered = |codecs: &[Codec]| Numbers::default().formats_to_offer(&quiet(codecs)).comfort_noises;
        assert_eq!(offered(&Codec::ALL), [(13, 8000), (104, 16_000)]);
        assert_eq!(offered(&[Codec::G722]), [(13, 8000)]);
        assert_eq!(offered(&[Codec::Opus]), []);
        let formats = Numbers::default().formats_to_offer(&quiet(&Codec::ALL));
        assert_eq!(
            Codec::ALL.map(|codec| formats.comfort_noise_for(codec)),
            [None, Some(13), Some(13), Some(13), Some(104)]
        );
        let beside = Beside { telephone_events: false, comfort_noises: true };
        assert_eq!(formats.only(|codec| codec == Codec::L16, beside).comfort_noises, [(104, 16_000)]);
        assert_eq!(formats.only(|codec| codec == Codec::Opus, beside).comfort_noises, []);
    }

    #[test]
    fn numbers_in_use_are_kept_and_foreign_ones_avoided() {
        let mut numbers = Numbers::default();
        let learnt = Formats { codecs: vec![(97, Codec::Pcma)], ..Formats::default() };
        numbers.learn(&learnt, &[101, 0, 127]);
        let formats = numbers.formats_to_offer(&ours());
        assert_eq!(formats.codecs, [(126, Codec::Pcmu), (97, Codec::Pcma)]);
        assert_eq!(formats.telephone_events, [(125, 8000)]);
    }

    #[test]
    fn with_every_number_taken_nothing_is_offered() {
        let mut numbers = Numbers::default();
        numbers.learn(&Formats::default(), &(0..=127).collect::<Vec<_>>());
        assert_eq!(numbers.formats_to_offer(&ours()), Formats::default());
    }
}
