//! How often one source may make the phone ring: a bell that never stops is no phone any more.
//!
//! `net` limits datagrams; this limits what reaches a person. The account's own servers are not limited, for they carry
//! everybody's calls, and neither are calls that are answered without a person.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Calls that one source may ring at once, after a while of silence.
const BURST: u32 = 20;
/// How long until it may ring once more.
const PAUSE: Duration = Duration::from_secs(2);
/// Sources remembered at a time.
const MAX_SOURCES: usize = 1_024;

/// What each source has rung of late.
#[derive(Debug, Default)]
pub struct Doorbell {
    /// When a source has all of its [`BURST`] again.
    full_at: HashMap<IpAddr, Instant>,
}

impl Doorbell {
    /// Whether a call from `source` may ring now; it is counted if so.
    pub fn rings(&mut self, now: Instant, source: IpAddr) -> bool {
        if self.full_at.len() >= MAX_SOURCES && !self.full_at.contains_key(&source) {
            self.full_at.retain(|_, full_at| *full_at > now);
            if self.full_at.len() >= MAX_SOURCES {
                return false;
            }
        }
        let full_at = self.full_at.entry(source).or_insert(now);
        let after = (*full_at).max(now) + PAUSE;
        if after > now + PAUSE * BURST {
            return false;
        }
        *full_at = after;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_rings_a_burst_and_then_at_the_pace() {
        let mut bell = Doorbell::default();
        let now = Instant::now();
        let rung = |bell: &mut Doorbell, now| (0..100).filter(|_| bell.rings(now, [192, 0, 2, 1].into())).count();
        assert_eq!(rung(&mut bell, now), BURST as usize);
        assert_eq!(rung(&mut bell, now + PAUSE * 3), 3);
        assert_eq!(rung(&mut bell, now + PAUSE * 1_000), BURST as usize);
        assert!(bell.rings(now, [192, 0, 2, 2].into()), "another is not touched");
    }

    #[test]
    fn the_table_is_bounded_and_forgets_the_quiet() {
        let mut bell = Doorbell::default();
        let now = Instant::now();
        let rung = (0..5_000_u32).filter(|number| bell.rings(now, std::net::Ipv4Addr::from(*number).into())).count();
        assert_eq!(rung, MAX_SOURCES);
        assert!(bell.rings(now + PAUSE, [192, 0, 2, 1].into()));
        assert_eq!(bell.full_at.len(), 1);
    }
}
