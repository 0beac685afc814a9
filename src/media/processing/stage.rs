//! One step of the processing. Each adds a delay of a few ms while it runs: it comes and goes by a cross-fade between the
//! sound with it and the sound without, and none of that is a click.

use sonora::config::{
    AdaptiveDigital, GainController2, MaxProcessingRate, NoiseSuppression, NoiseSuppressionLevel, Pipeline,
};
use sonora::{AudioProcessing, Config, StreamConfig};

use super::canceller::{Canceller, is_clipped};
use super::full_band::FullBand;
use super::high_pass::HighPass;
use super::{Step, WIDE};

/// Frames that a step hears before it is heard: its delay has passed then.
const WARM_UP: u32 = 3;
/// Of the evened voice: its level is `-HEADROOM_DB` less what speech has above its mean.
const HEADROOM_DB: f32 = 5.0;
const MOST_GAIN_DB: f32 = 30.0;
/// Nothing is known of the voice yet: it begins as it is.
const FIRST_GAIN_DB: f32 = 0.0;
const GAIN_DB_A_SECOND: f32 = 6.0;
/// Noise is not brought up beyond this.
const MOST_NOISE_DBFS: f32 = -50.0;

/// What a stage is doing.
enum State {
    Off,
    /// It hears, and is not heard before so many frames.
    Starting(Box<Work>, u32),
    On(Box<Work>),
    /// Heard for the last time in the next frame.
    Ending(Box<Work>, Then),
}

/// What works while a stage is on.
struct Work {
    /// `sonora` has one too, which took a quarter of the time of noise suppression: it multiplies and adds by calls of the C
    /// library's `fmaf`, unless it is built for one processor only.
    high_pass: Option<HighPass>,
    processor: Processor,
    filtered: Vec<i16>,
}

/// Who does the work.
enum Processor {
    Canceller(Box<Canceller>),
    FullBand(Box<FullBand>),
    Sonora(Box<AudioProcessing>),
}

impl Work {
    /// A frame that the speaker plays.
    fn far(&mut self, frame: &[i16]) {
        match &mut self.processor {
            Processor::Canceller(canceller) => canceller.far(frame),
            Processor::FullBand(canceller) => canceller.far(frame),
            Processor::Sonora(_) => (),
        }
    }

    /// A frame of the microphone made better; `out` is as long.
    fn near(&mut self, frame: &[i16], out: &mut [i16]) {
        let clipped = is_clipped(frame);
        self.filtered.clear();
        self.filtered.extend_from_slice(frame);
        if let Some(high_pass) = &mut self.high_pass {
            high_pass.process(&mut self.filtered);
        }
        match &mut self.processor {
            Processor::Canceller(canceller) => canceller.near(&self.filtered, clipped, out),
            Processor::FullBand(canceller) => canceller.near(&self.filtered, clipped, out),
            Processor::Sonora(processing) => {
                if processing.process_capture_i16(&self.filtered, out).is_err() {
                    out.copy_from_slice(frame);
                }
            }
        }
    }
}

/// What follows on an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Off,
    Anew,
}

pub struct Stage {
    step: Step,
    rate: u32,
    state: State,
    out: Vec<i16>,
}

impl Stage {
    pub fn new(step: Step, rate: u32) -> Stage {
        Stage { step, rate, state: State::Off, out: vec![0; rate as usize / 100] }
    }

    /// Whether it works, or is about to.
    pub fn is_on(&self) -> bool {
        match self.state {
            State::Off | State::Ending(_, Then::Off) => false,
            State::Starting(..) | State::On(_) | State::Ending(_, Then::Anew) => true,
        }
    }

    pub fn switch(&mut self, on: bool) {
        if on == self.is_on() {
            return;
        }
        self.state = match (on, std::mem::replace(&mut self.state, State::Off)) {
            (true, State::Ending(one, Then::Off | Then::Anew)) => State::On(one),
            (true, State::Off | State::Starting(..) | State::On(_)) => State::Starting(self.begin(), WARM_UP),
            (false, State::On(one) | State::Ending(one, _)) => State::Ending(one, Then::Off),
            // Nobody has heard it.
            (false, State::Starting(..) | State::Off) => State::Off,
        }
    }

    /// Forgets what it has learnt.
    pub fn begin_anew(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Off) {
            State::On(one) => State::Ending(one, Then::Anew),
            State::Starting(..) => State::Starting(self.begin(), WARM_UP),
            State::Off => State::Off,
            State::Ending(one, then) => State::Ending(one, then),
        }
    }

    /// A frame that the speaker plays.
    pub fn far(&mut self, frame: &[i16]) {
        match &mut self.state {
            State::Off => (),
            State::Starting(one, _) | State::On(one) | State::Ending(one, _) => {
                one.far(frame);
            }
        }
    }

    /// A frame of the microphone, made better in place.
    pub fn near(&mut self, frame: &mut [i16]) {
        self.state = match std::mem::replace(&mut self.state, State::Off) {
            State::Off => State::Off,
            State::Starting(mut one, left) => {
                one.near(frame, &mut self.out);
                if left > 0 {
                    State::Starting(one, left - 1)
                } else {
                    fade(frame, &self.out);
                    State::On(one)
                }
            }
            State::On(mut one) => {
                one.near(frame, &mut self.out);
                frame.copy_from_slice(&self.out);
                State::On(one)
            }
            State::Ending(mut one, then) => {
                one.near(frame, &mut self.out);
                let raw = frame.to_vec();
                frame.copy_from_slice(&self.out);
                fade(frame, &raw);
                match then {
                    Then::Off => State::Off,
                    Then::Anew => State::Starting(self.begin(), WARM_UP),
                }
            }
        };
    }

    /// After how many milliseconds an echo came back, where the canceller has found one.
    pub fn echo_delay_ms(&self) -> Option<u32> {
        let State::On(one) = &self.state else { return None };
        match &one.processor {
            Processor::Canceller(canceller) => canceller.echo_delay_ms(),
            Processor::FullBand(canceller) => canceller.echo_delay_ms(),
            Processor::Sonora(_) => None,
        }
    }

    fn begin(&self) -> Box<Work> {
        let high_pass = match self.step {
            Step::Echo | Step::Noise => Some(HighPass::new(self.rate)),
            Step::Gain => None,
        };
        let processor = match self.step {
            Step::Echo if self.rate == WIDE => Processor::Canceller(Box::new(Canceller::new())),
            Step::Echo => Processor::FullBand(Box::new(FullBand::new())),
            Step::Noise => self.sonora(Config { noise_suppression: Some(noise_suppression()), ..Config::default() }),
            Step::Gain => self.sonora(Config { gain_controller2: Some(gain_control()), ..Config::default() }),
        };
        Box::new(Work { high_pass, processor, filtered: Vec::with_capacity(self.out.len()) })
    }

    fn sonora(&self, config: Config) -> Processor {
        let format = StreamConfig::new(self.rate, 1);
        let pipeline =
            Pipeline { maximum_internal_processing_rate: MaxProcessingRate::Rate48kHz, ..Pipeline::default() };
        let builder = AudioProcessing::builder().config(Config { pipeline, ..config });
        Processor::Sonora(Box::new(builder.capture_config(format).render_config(format).build()))
    }
}

fn noise_suppression() -> NoiseSuppression {
    NoiseSuppression { level: NoiseSuppressionLevel::High, ..NoiseSuppression::default() }
}

fn gain_control() -> GainController2 {
    let adaptive_digital = Some(AdaptiveDigital {
        headroom_db: HEADROOM_DB,
        max_gain_db: MOST_GAIN_DB,
        initial_gain_db: FIRST_GAIN_DB,
        max_gain_change_db_per_second: GAIN_DB_A_SECOND,
        max_output_noise_level_dbfs: MOST_NOISE_DBFS,
    });
    GainController2 { adaptive_digital, ..GainController2::default() }
}

/// From what stands in `frame` to `to`, in one frame.
fn fade(frame: &mut [i16], to: &[i16]) {
    let length = frame.len() as i32;
    for (at, (sample, &to)) in (1..).zip(frame.iter_mut().zip(to)) {
        *sample = ((i32::from(*sample) * (length - at) + i32::from(to) * at) / length) as i16;
    }
}
