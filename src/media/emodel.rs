//! What a listener would say to a call: the E-model (ITU-T G.107; G.107.1 for wideband), with everything but delay, codec and
//! loss at its default.
//!
//! Each codec is rated on the scale of its own bandwidth, as the two recommendations have it: a 4.3 in wideband sounds better
//! than a 4.4 in narrowband.

use crate::sdp::Codec;

/// The rating without any impairment: G.107 (clause 7.7, its default values) and G.107.1.
const NARROWBAND: f32 = 93.2;
const WIDEBAND: f32 = 129.0;
/// G.107.1 annex A: onto the scale of G.107.
const WIDEBAND_SCALE: f32 = 1.29;

/// What is known of a codec.
struct Impairment {
    without: f32,
    /// Equipment impairment without loss.
    ie: f32,
    /// Robustness against loss.
    bpl: f32,
    scale: f32,
}

/// What is known of each codec, and how well. The scales are certain: 93.2 is G.107's default rating, and 129 with its 1.29 is
/// what implementations of G.107.1 agree on. G.711's 0 and 25.1 (with concealment) are G.113 appendix I of 2007 as it is widely
/// quoted. G.722's 13 and 7.1 are quoted from G.113 appendix IV and the tests behind it (Raake and others, ESSV 2010), but the
/// tables themselves could not be had to check them. For Opus there are none: "currently no Ie,FB values are available", say
/// those who set out to find some from P.863 for the fullband model (G.107.2). It is taken, by our own judgement, for a wideband
/// codec that impairs little and that conceals loss as G.711's concealment does; L16 impairs nothing.
fn impairment(codec: Codec) -> Impairment {
    match codec {
        Codec::Pcmu | Codec::Pcma => Impairment { without: NARROWBAND, ie: 0.0, bpl: 25.1, scale: 1.0 },
        Codec::G722 => Impairment { without: WIDEBAND, ie: 13.0, bpl: 7.1, scale: WIDEBAND_SCALE },
        Codec::Opus => Impairment { without: WIDEBAND, ie: 5.0, bpl: 25.1, scale: WIDEBAND_SCALE },
        Codec::L16 => Impairment { without: WIDEBAND, ie: 0.0, bpl: 25.1, scale: WIDEBAND_SCALE },
    }
}

/// Milliseconds from mouth to ear.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Delay(pub f32);

/// How well a direction of a call is heard.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// The rating on the scale of G.107, 0 to 100.
    pub rating: f32,
    /// What conversation is like, 1 to 4.5.
    pub mos: f32,
    /// What listening is like, delay apart.
    pub listening: f32,
}

/// Rates a direction. `loss` is the share of packets that are not played, 0 to 1; `burst_ratio` how much longer its runs are
/// than with as much loss at random, 1 and more.
pub fn quality(codec: Codec, delay: Delay, loss: f32, burst_ratio: f32) -> Quality {
    let codec = impairment(codec);
    let percent = loss.clamp(0.0, 1.0) * 100.0;
    // G.107 clause 7.5.
    let equipment = codec.ie + (95.0 - codec.ie) * percent / (percent / burst_ratio.max(1.0) + codec.bpl);
    let listening = (codec.without - equipment) / codec.scale;
    let rating = (codec.without - equipment - delay_impairment(delay.0)) / codec.scale;
    Quality { rating: rating.clamp(0.0, 100.0), mos: mos(rating), listening: mos(listening) }
}

/// The whole of Id for a call without audible echo, as Cole and Rosenbluth (2001) fitted it to G.107.
fn delay_impairment(milliseconds: f32) -> f32 {
    0.024 * milliseconds + 0.11 * (milliseconds - 177.3).max(0.0)
}

/// G.107 annex B.
fn mos(rating: f32) -> f32 {
    let r = rating.clamp(0.0, 100.0);
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).clamp(1.0, 4.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(codec: Codec, delay: f32, loss: f32) -> f32 {
        quality(codec, Delay(delay), loss, 1.0).mos
    }

    /// G.107 annex B table B.1: user satisfaction begins at these ratings.
    #[test]
    fn ratings_have_the_mos_of_the_table() {
        for (rating, expected) in [(90.0, 4.34), (80.0, 4.03), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58), (0.0, 1.0)] {
            assert!((mos(rating) - expected).abs() < 0.01, "{rating}: {}", mos(rating));
        }
        assert_eq!(mos(100.0), 4.5);
    }

    #[test]
    fn an_unimpaired_call_has_the_best_of_its_scale() {
        assert!((of(Codec::Pcmu, 0.0, 0.0) - 4.41).abs() < 0.01);
        assert!((of(Codec::L16, 0.0, 0.0) - 4.5).abs() < 0.01);
        for codec in Codec::ALL {
            assert!(of(codec, 20.0, 0.0) > 4.2, "{codec:?}");
        }
    }

    #[test]
    fn a_listener_minds_loss_bursts_and_delay() {
        for codec in Codec::ALL {
            let mut last = 5.0;
            for loss in [0.0, 0.01, 0.05, 0.1, 0.3, 1.0] {
                let now = of(codec, 50.0, loss);
                assert!(now < last && now >= 1.0, "{now} at {loss} in {codec:?}");
                last = now;
            }
            assert!(of(codec, 400.0, 0.0) < of(codec, 100.0, 0.0) - 0.4, "{codec:?}");
            let bursty = quality(codec, Delay(50.0), 0.05, 3.0);
            assert!(bursty.mos < of(codec, 50.0, 0.05) && bursty.listening > bursty.mos);
        }
        // G.711 with concealment at 2 % random loss: R 86.2 by clause 7.5.
        assert!((quality(Codec::Pcma, Delay(0.0), 0.02, 1.0).rating - 86.19).abs() < 0.1);
    }
}
