//! What the other side asks of the Opus that it is sent (RFC 7587 section 6.1).

/// The parameters of its `a=fmtp` that bind or advise who sends; what is left out there has the RFC's default here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpusWishes {
    /// `maxplaybackrate`: it plays no more than so many samples a second, in Hz.
    pub max_playback_rate: u32,
    /// `maxaveragebitrate`: no more than so many bits a second are to be sent.
    pub max_average_bitrate: Option<u32>,
    /// `useinbandfec`: it can use what a packet repeats of the one before.
    pub in_band_fec: bool,
    /// `usedtx`: it would rather hear nothing than silence.
    pub dtx: bool,
    /// `cbr`: each packet is to be of one size.
    pub constant_bitrate: bool,
}

impl Default for OpusWishes {
    fn default() -> OpusWishes {
        OpusWishes {
            max_playback_rate: 48_000,
            max_average_bitrate: None,
            in_band_fec: false,
            dtx: false,
            constant_bitrate: false,
        }
    }
}

impl OpusWishes {
    /// Reads the parameters behind the payload type, such as `maxplaybackrate=16000; useinbandfec=1`. What is unknown, or
    /// out of its range, is passed over; `stereo` too, for we send one channel whatever is asked.
    pub fn read(parameters: &str) -> OpusWishes {
        let mut wishes = OpusWishes::default();
        for parameter in parameters.split(';') {
            let Some((name, value)) = parameter.split_once('=') else { continue };
            let value = value.trim();
            let number = value.parse::<u32>().ok();
            let is_on = value == "1";
            match name.trim().to_ascii_lowercase().as_str() {
                "maxplaybackrate" => {
                    if let Some(rate) = number.filter(|rate| (8000..=48_000).contains(rate)) {
                        wishes.max_playback_rate = rate;
                    }
                }
                "maxaveragebitrate" => {
                    wishes.max_average_bitrate = number.filter(|rate| (6000..=510_000).contains(rate));
                }
                "useinbandfec" => wishes.in_band_fec = is_on,
                "usedtx" => wishes.dtx = is_on,
                "cbr" => wishes.constant_bitrate = is_on,
                _ => {}
            }
        }
        wishes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_and_what_is_no_value_is_passed_over() {
        let usual = OpusWishes::default();
        let table = [
            ("", usual),
            ("useinbandfec=1", OpusWishes { in_band_fec: true, ..usual }),
            (" UseInbandFec = 1 ;stereo=1;sprop-stereo=1; x", OpusWishes { in_band_fec: true, ..usual }),
            (
                "maxplaybackrate=16000; sprop-maxcapturerate=16000; maxaveragebitrate=20000; usedtx=1; cbr=1",
                OpusWishes {
                    max_playback_rate: 16_000,
                    max_average_bitrate: Some(20_000),
                    dtx: true,
                    constant_bitrate: true,
                    ..usual
                },
            ),
            ("maxplaybackrate=7999;maxaveragebitrate=5999;usedtx=2;cbr=yes;useinbandfec=", usual),
            ("maxplaybackrate=4294967296;maxaveragebitrate=-1", usual),
        ];
        for (text, expected) in table {
            assert_eq!(OpusWishes::read(text), expected, "{text}");
        }
    }
}
