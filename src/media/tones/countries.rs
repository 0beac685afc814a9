//! The tones of the progress of a call by country (ITU-T E.180 Supplement 2): what people there know from their telephone.

use super::Pattern;

/// Peak of each frequency in dBFS: of tones that one waits by, and of one that interrupts.
const LEVEL_DBFS: f32 = -16.0;
const WAITING_DBFS: f32 = -20.0;

/// A country's tones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Country {
    /// Two letters (ISO 3166, and `uk`), or `eu` for what most of Europe has.
    pub code: &'static str,
    /// It rings at the other side.
    pub ringback: Pattern,
    /// The other side is busy.
    pub busy: Pattern,
    /// The call can't be made.
    pub congestion: Pattern,
    /// A second call waits: heard once.
    pub call_waiting: Pattern,
}

/// Frequencies in Hz, then ms of sound and of silence.
type Tone = ([f32; 2], &'static [(u32, u32)]);

const fn country(code: &'static str, ringback: Tone, busy: Tone, congestion: Tone, waiting: Tone) -> Country {
    Country {
        code,
        ringback: again(ringback),
        busy: again(busy),
        congestion: again(congestion),
        call_waiting: Pattern { frequencies: waiting.0, level_dbfs: WAITING_DBFS, cadence: waiting.1, repeats: false },
    }
}

const fn again(tone: Tone) -> Pattern {
    Pattern { frequencies: tone.0, level_dbfs: LEVEL_DBFS, cadence: tone.1, repeats: true }
}

const F400: [f32; 2] = [400.0, 0.0];
const F414: [f32; 2] = [414.0, 0.0];
const F420: [f32; 2] = [420.0, 0.0];
const F425: [f32; 2] = [425.0, 0.0];
const F440: [f32; 2] = [440.0, 0.0];
const F450: [f32; 2] = [450.0, 0.0];
const F1000: [f32; 2] = [1000.0, 0.0];
const F1400: [f32; 2] = [1400.0, 0.0];
const UK_RING: [f32; 2] = [400.0, 450.0];
const AU_RING: [f32; 2] = [413.0, 438.0];
const AE_RING: [f32; 2] = [400.0, 425.0];
const PH_RING: [f32; 2] = [425.0, 480.0];
const US_RING: [f32; 2] = [440.0, 480.0];
const US_BUSY: [f32; 2] = [480.0, 620.0];
// 400 Hz that swells 25 and 16 times a second, and 425 Hz that does 24 times: two tones that beat so.
const IN_RING: [f32; 2] = [387.5, 412.5];
const JP_RING: [f32; 2] = [392.0, 408.0];
const SG_RING: [f32; 2] = [413.0, 437.0];
const ZA_RING: [f32; 2] = [383.0, 417.0];

const ONE_IN_FIVE: &[(u32, u32)] = &[(1000, 4000)];
const ONE_IN_SIX: &[(u32, u32)] = &[(1000, 5000)];
const ONE_IN_FOUR: &[(u32, u32)] = &[(1000, 3000)];
const DOUBLE_RING: &[(u32, u32)] = &[(400, 200), (400, 2000)];
const TWO_BEEPS: &[(u32, u32)] = &[(200, 200), (200, 0)];
const TWO_SHORT: &[(u32, u32)] = &[(150, 150), (150, 0)];
const TWO_APART: &[(u32, u32)] = &[(200, 600), (200, 0)];

/// All of them, `eu` first.
#[rustfmt::skip]
pub const COUNTRIES: &[Country] = &[
    country("eu", (F425, ONE_IN_FIVE), (F425, &[(480, 480)]), (F425, &[(240, 240)]), (F425, TWO_BEEPS)),
    country("ae", (AE_RING, DOUBLE_RING), (F400, &[(375, 375)]), (F425, &[(400, 350), (225, 525)]), (F420, &[(40, 1960), (40, 0)])),
    country("ar", (F425, &[(1000, 4500)]), (F425, &[(300, 300)]), (F425, &[(200, 300)]), (F425, &[(200, 0)])),
    country("at", (F420, ONE_IN_SIX), (F420, &[(400, 400)]), (F420, &[(200, 200)]), (F420, &[(40, 1960), (40, 0)])),
    country("au", (AU_RING, DOUBLE_RING), (F425, &[(375, 375)]), (F425, &[(375, 375)]), (F425, TWO_BEEPS)),
    country("be", (F425, ONE_IN_FOUR), (F425, &[(500, 500)]), (F425, &[(167, 167)]), (F1400, &[(175, 175), (175, 0)])),
    country("bg", (F425, ONE_IN_FIVE), (F425, &[(500, 500)]), (F425, &[(250, 250)]), (F425, TWO_SHORT)),
    country("br", (F425, ONE_IN_FIVE), (F425, &[(250, 250)]), (F425, &[(250, 250), (750, 250)]), (F425, &[(50, 1000), (50, 0)])),
    country("ca", (US_RING, &[(2000, 4000)]), (US_BUSY, &[(500, 500)]), (US_BUSY, &[(250, 250)]), (F440, &[(300, 0)])),
    country("ch", (F425, ONE_IN_FIVE), (F425, &[(500, 500)]), (F425, &[(200, 200)]), (F425, TWO_BEEPS)),
    country("cl", (F400, ONE_IN_FOUR), (F400, &[(500, 500)]), (F400, &[(200, 200)]), (F400, &[(250, 0)])),
    country("cn", (F450, ONE_IN_FIVE), (F450, &[(350, 350)]), (F450, &[(700, 700)]), (F450, &[(400, 0)])),
    country("cr", (F450, &[(1200, 4900)]), (F450, &[(330, 330)]), (F450, &[(330, 330)]), (F450, TWO_SHORT)),
    country("cz", (F425, ONE_IN_FIVE), (F425, &[(330, 330)]), (F425, &[(165, 165)]), (F425, &[(330, 0)])),
    country("de", (F425, ONE_IN_FIVE), (F425, &[(480, 480)]), (F425, &[(240, 240)]), (F425, TWO_BEEPS)),
    country("dk", (F425, ONE_IN_FIVE), (F425, &[(500, 500)]), (F425, &[(200, 200)]), (F425, TWO_APART)),
    country("ee", (F425, ONE_IN_FIVE), (F425, &[(300, 300)]), (F425, &[(200, 200)]), (F425, TWO_SHORT)),
    country("es", (F425, &[(1500, 3000)]), (F425, &[(200, 200)]), (F425, &[(200, 200), (200, 200), (200, 600)]), (F425, &[(175, 175), (175, 0)])),
    country("fi", (F425, ONE_IN_FIVE), (F425, &[(300, 300)]), (F425, &[(200, 200)]), (F425, TWO_SHORT)),
    country("fr", (F440, &[(1500, 3500)]), (F440, &[(500, 500)]), (F440, &[(250, 250)]), (F440, &[(300, 0)])),
    country("gr", (F425, ONE_IN_FIVE), (F425, &[(300, 300)]), (F425, &[(200, 200)]), (F425, TWO_SHORT)),
    country("hu", (F425, &[(1250, 3750)]), (F425, &[(300, 300)]), (F425, &[(300, 300)]), (F425, &[(40, 1960), (40, 0)])),
    country("il", (F414, ONE_IN_FOUR), (F414, &[(500, 500)]), (F414, &[(250, 250)]), (F414, &[(100, 100), (100, 100), (600, 0)])),
    country("in", (IN_RING, DOUBLE_RING), (F400, &[(750, 750)]), (F400, &[(250, 250)]), (F400, &[(200, 100), (200, 0)])),
    country("it", (F425, ONE_IN_FIVE), (F425, &[(500, 500)]), (F425, &[(200, 200)]), (F425, &[(400, 100), (250, 100), (150, 0)])),
    country("jp", (JP_RING, &[(1000, 2000)]), (F400, &[(500, 500)]), (F400, &[(500, 500)]), (JP_RING, &[(500, 0)])),
    country("lt", (F425, ONE_IN_FIVE), (F425, &[(350, 350)]), (F425, &[(200, 200)]), (F425, TWO_SHORT)),
    country("mo", (F425, ONE_IN_FIVE), (F425, &[(500, 500)]), (F425, &[(250, 250)]), (F425, &[(200, 0)])),
    country("mx", (F425, ONE_IN_FIVE), (F425, &[(250, 250)]), (F425, &[(250, 250)]), (F425, TWO_APART)),
    country("my", (F425, DOUBLE_RING), (F425, &[(500, 500)]), (F425, &[(500, 500)]), (F425, &[(100, 0)])),
    country("nl", (F425, ONE_IN_FIVE), (F425, &[(500, 500)]), (F425, &[(250, 250)]), (F425, &[(500, 0)])),
    country("no", (F425, ONE_IN_FIVE), (F425, &[(500, 500)]), (F425, &[(200, 200)]), (F425, TWO_APART)),
    country("nz", (UK_RING, DOUBLE_RING), (F400, &[(500, 500)]), (F400, &[(250, 250)]), (F400, &[(200, 0)])),
    country("pa", (F425, &[(1200, 4650)]), (F425, &[(320, 320)]), (F425, &[(320, 320)]), (F425, &[(180, 180), (180, 0)])),
    country("ph", (PH_RING, ONE_IN_FIVE), (US_BUSY, &[(500, 500)]), (US_BUSY, &[(250, 250)]), (F440, &[(300, 0)])),
    country("pl", (F425, ONE_IN_FIVE), (F425, &[(500, 500)]), (F425, &[(500, 500)]), (F425, TWO_SHORT)),
    country("pt", (F425, ONE_IN_SIX), (F425, &[(500, 500)]), (F425, &[(200, 200)]), (F440, &[(300, 0)])),
    country("ru", (F425, ONE_IN_FIVE), (F425, &[(350, 350)]), (F425, &[(175, 175)]), (F425, &[(200, 0)])),
    country("se", (F425, ONE_IN_SIX), (F425, &[(250, 250)]), (F425, &[(250, 750)]), (F425, &[(200, 500), (200, 0)])),
    country("sg", (SG_RING, DOUBLE_RING), (F425, &[(750, 750)]), (F425, &[(250, 250)]), (SG_RING, &[(300, 200), (300, 0)])),
    country("th", (F400, ONE_IN_FIVE), (F400, &[(500, 500)]), (F400, &[(300, 300)]), (F1000, &[(400, 0)])),
    country("tr", (F450, &[(2000, 4000)]), (F450, &[(500, 500)]), (F450, &[(200, 200), (200, 200), (200, 200), (600, 200)]), (F450, TWO_APART)),
    country("tw", (US_RING, &[(1000, 2000)]), (US_BUSY, &[(500, 500)]), (US_BUSY, &[(250, 250)]), (F440, &[(250, 250), (250, 0)])),
    country("uk", (UK_RING, DOUBLE_RING), (F400, &[(375, 375)]), (F400, &[(400, 350), (225, 525)]), (F400, &[(100, 0)])),
    country("us", (US_RING, &[(2000, 4000)]), (US_BUSY, &[(500, 500)]), (US_BUSY, &[(250, 250)]), (F440, &[(300, 0)])),
    country("ve", (F425, ONE_IN_FIVE), (F425, &[(500, 500)]), (F425, &[(250, 250)]), (UK_RING, &[(300, 0)])),
    country("za", (ZA_RING, DOUBLE_RING), (F400, &[(500, 500)]), (F400, &[(250, 250)]), (ZA_RING, &[(250, 250), (250, 0)])),
];

/// What most of Europe has.
pub const EUROPE: &Country = &COUNTRIES[0];

/// A country's tones by its code, in either case; `gb` is `uk`.
pub fn of(code: &str) -> Option<&'static Country> {
    let code = if code.eq_ignore_ascii_case("gb") { "uk" } else { code };
    COUNTRIES.iter().find(|country| country.code.eq_ignore_ascii_case(code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::goertzel;
    use crate::media::levels::rms_dbfs;
    use crate::media::tones::Generator;

    #[test]
    fn every_country_has_tones_that_can_be_told_apart() {
        assert!(COUNTRIES.len() > 40);
        for country in COUNTRIES {
            let others = COUNTRIES.iter().filter(|other| other.code == country.code).count();
            assert_eq!((others, country.code.len()), (1, 2), "{}", country.code);
            for tone in [&country.ringback, &country.busy, &country.congestion] {
                assert!(tone.repeats && tone.cadence.iter().all(|&(on, off)| on >= 100 && off >= 100), "{country:?}");
                assert!((300.0..700.0).contains(&tone.frequencies[0]));
            }
            let longest = |tone: &Pattern| tone.cadence.iter().map(|&(_, off)| off).max();
            assert!(longest(&country.ringback) > longest(&country.busy), "{}: ringback pauses", country.code);
            let waiting = &country.call_waiting;
            assert!(!waiting.repeats && waiting.cadence.last().is_some_and(|&(on, off)| on > 0 && off == 0));
        }
    }

    #[test]
    fn they_sound_as_the_table_says() {
        for country in COUNTRIES {
            for tone in [country.ringback, country.busy] {
                let (on, off) = tone.cadence[0];
                let mut heard = vec![0; (on + off) as usize * 8];
                Generator::new(tone, 8000).fill(&mut heard);
                let (sound, silence) = heard.split_at(on as usize * 8);
                // Over what both frequencies of a beat fit into.
                for frequency in tone.frequencies.into_iter().filter(|frequency| *frequency > 0.0) {
                    let level = goertzel::level(&sound[80..sound.len() - 80], frequency, 8000);
                    assert!((level + 19.0).abs() < 2.0, "{}: {frequency} Hz at {level}", country.code);
                }
                assert!(rms_dbfs(silence) < -90.0, "{}", country.code);
            }
        }
    }

    #[test]
    fn codes_are_found_in_either_case() {
        assert_eq!(of("DE").map(|country| country.code), Some("de"));
        assert_eq!(of("gb"), of("uk"));
        assert_eq!(of("eu"), Some(EUROPE));
        assert!(of("xx").is_none() && of("").is_none());
    }
}
