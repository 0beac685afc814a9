//! By how much the canceller makes the echo softer, measured at its two ends: what the microphone hears against what is sent,
//! while the other side speaks. Its own figure is of its linear filter alone, which with a real sound server, whose delay is never
//! quite steady, does a small part of the work; the rest is done by holding down what is left.

/// A frame of the other side that is louder than this, mean of squares, can come back (-45 dBFS),
const SPEECH: f32 = 34_000.0;
/// for so many frames.
const COMES_BACK: u32 = 30;
/// What is softer than this, mean of squares, is the noise of the room and no echo (-60 dBFS).
const NOISE: f32 = 1075.0;
/// Frames of a figure.
const FRAMES: u32 = 100;
/// In some of the last figures our side may have spoken too: the best of them counts.
const FIGURES: usize = 5;

/// The measure.
#[derive(Debug, Default)]
pub(super) struct Softened {
    /// Frames for which an echo may still come.
    comes: u32,
    heard: f32,
    sent: f32,
    frames: u32,
    figures: [Option<f32>; FIGURES],
    next: usize,
}

impl Softened {
    /// A frame that the speaker plays.
    pub(super) fn far(&mut self, frame: &[i16]) {
        if power(frame) > SPEECH {
            self.comes = COMES_BACK;
        }
    }

    /// A frame of the microphone, of this power before the canceller, and after it.
    pub(super) fn near(&mut self, heard: f32, after: &[i16]) {
        if self.comes == 0 {
            return;
        }
        self.comes -= 1;
        if heard < NOISE {
            return;
        }
        self.heard += heard;
        self.sent += power(after);
        self.frames += 1;
        if self.frames == FRAMES {
            let softer = 10.0 * (self.heard / self.sent.max(1.0)).log10();
            self.figures[self.next] = Some(softer.max(0.0));
            self.next = (self.next + 1) % FIGURES;
            (self.heard, self.sent, self.frames) = (0.0, 0.0, 0);
        }
    }

    /// In dB; none before the other side has spoken, and come back, for a second.
    pub(super) fn db(&self) -> Option<f32> {
        self.figures.iter().flatten().copied().reduce(f32::max)
    }
}

/// The mean of squares.
pub(super) fn power(frame: &[i16]) -> f32 {
    let sum: f32 = frame.iter().map(|sample| f32::from(*sample) * f32::from(*sample)).sum();
    sum / frame.len().max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_best_of_the_last_seconds_in_which_the_other_side_spoke() {
        let (loud, soft) = ([5000; 160], [500; 160]);
        let mut measure = Softened::default();
        let mut second = |far: &[i16], heard: &[i16], sent: &[i16]| {
            for _ in 0..FRAMES {
                measure.far(far);
                measure.near(power(heard), sent);
            }
            measure.db()
        };
        // Nobody speaks there, and the room hums.
        assert_eq!(second(&[0; 160], &loud, &loud), None);
        assert_eq!(second(&loud, &[10; 160], &[10; 160]), None);
        let close =
            |db: Option<f32>, expected: f32| assert!(db.is_some_and(|db| (db - expected).abs() < 0.1), "{db:?}");
        close(second(&loud, &loud, &soft), 20.0);
        // Both speak: ours is not made softer.
        close(second(&loud, &loud, &loud), 20.0);
        for _ in 0..5 {
            second(&loud, &loud, &loud);
        }
        close(second(&loud, &loud, &loud), 0.0);
    }
}
