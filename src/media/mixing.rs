//! Sums of sounds that do not crack when they get loud.

/// Up to here a sum is passed as it is (-2.5 dBFS).
const KNEE: i32 = 24_576;
const ROOM: i32 = 32_767 - KNEE;

/// Brings a sum of samples into 16 bits: as it is up to -2.5 dBFS, then bent towards full scale, which it never reaches.
pub fn soft_clip(sum: i32) -> i16 {
    let over = i64::from(sum).abs() - i64::from(KNEE);
    if over <= 0 {
        return sum as i16;
    }
    let room = i64::from(ROOM);
    let bent = i64::from(KNEE) + room * over / (room + over);
    if sum < 0 { -bent as i16 } else { bent as i16 }
}

/// Adds `more` to `sound`, sample by sample, as far as both go.
pub fn add(sound: &mut [i16], more: &[i16]) {
    for (sample, &other) in sound.iter_mut().zip(more) {
        *sample = soft_clip(i32::from(*sample) + i32::from(other));
    }
}

/// Adds `more` to a sum that is not clipped yet: for three sounds and more, [`soft_clip`] at the end.
pub fn accumulate(sum: &mut [i32], more: &[i16]) {
    for (sample, &other) in sum.iter_mut().zip(more) {
        *sample = sample.saturating_add(i32::from(other));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_sums_are_exact_and_loud_ones_bend() {
        let mut sound = [100, -100, 24_000, -24_000, 32_767, -32_768];
        add(&mut sound, &[1, -1, 0, 0, 32_767, -32_768]);
        assert_eq!(sound[..4], [101, -101, 24_000, -24_000]);
        assert!(sound[4] > 30_000 && sound[5] < -30_000);
    }

    #[test]
    fn the_curve_rises_everywhere() {
        let mut last = soft_clip(-400_000);
        for sum in -399_999..400_000 {
            let clipped = soft_clip(sum);
            assert!(clipped >= last, "falls at {sum}");
            last = clipped;
        }
        assert!(soft_clip(i32::MAX) > 32_000 && soft_clip(i32::MIN) < -32_000);
    }

    #[test]
    fn many_sounds_are_summed_before_they_are_clipped() {
        let mut sum = [0i32; 2];
        for _ in 0..3 {
            accumulate(&mut sum, &[20_000, -5]);
        }
        assert_eq!(sum, [60_000, -15]);
    }
}
