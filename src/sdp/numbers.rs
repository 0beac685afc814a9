//! Payload type numbers: what they mean must not change while a dialog lives (RFC 3264 section 8.3.2).

use super::{Capabilities, Codec};

/// The numbers that this phone offers for `telephone-event` at each clock rate, unless the dialog has another.
const TELEPHONE_EVENTS: [(u32, u8); 3] = [(8000, 101), (48_000, 102), (16_000, 103)];

/// The numbers that may be bound at will (RFC 3551 section 6).
const DYNAMIC: std::ops::RangeInclusive<u8> = 96..=127;

/// The formats of one audio stream that this phone can use, in the order of the description.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Formats {
    /// Codecs with their numbers; each codec once.
    pub codecs: Vec<(u8, Codec)>,
    /// The numbers of `telephone-event` with their clock rates; each rate once.
    pub telephone_events: Vec<(u8, u32)>,
}

impl Formats {
    fn contains(&self, number: u8) -> bool {
        self.telephone_events.iter().any(|(taken, _)| *taken == number)
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

    /// Those of them that `wanted` says yes to; `telephone-event` only if `events`.
    pub fn only(&self, wanted: impl Fn(Codec) -> bool, events: bool) -> Formats {
        Formats {
            codecs: self.codecs.iter().copied().filter(|(_, codec)| wanted(*codec)).collect(),
            telephone_events: self.telephone_events.iter().copied().filter(|_| events).collect(),
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
    fn numbers_in_use_are_kept_and_foreign_ones_avoided() {
        let mut numbers = Numbers::default();
        let learnt = Formats { codecs: vec![(97, Codec::Pcma)], telephone_events: Vec::new() };
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
