//! Echo cancellation at 16 kHz: WebRTC's canceller, told by [`Alignment`] how late the echo comes. Left to itself it looks with
//! five adaptive filters, which takes more than half of its time.

use sonora_aec3::block::Block;
use sonora_aec3::block_processor::BlockProcessor;
use sonora_aec3::config::EchoCanceller3Config;

use super::alignment::{Alignment, BLOCK};
use crate::media::levels::nearest;

const RATE: usize = 16_000;
/// Samples of a frame, 10 ms: two blocks and a half.
pub const FRAME: usize = RATE / 100;
/// What a frame lacks at most to its blocks was said before.
const LACKS: usize = BLOCK / 2;
/// Samples by which what is sent comes later: that, and a block that the library keeps.
pub const LATENCY: usize = LACKS + BLOCK;
/// Blocks by which the filter, which is 13 long, begins before the echo, for some of it may come before the loudest; and the most by
/// which it may: it is not moved for less.
const HEADROOM: i64 = 2;
const MOST_HEADROOM: i64 = 5;
/// Where it begins before the echo was found: so many blocks after the sound was given to the speaker.
const FIRST: i64 = 2;
/// The canceller's memory of the speaker, in blocks.
const MOST: i64 = 140;
/// A sample that is louder may have been louder still.
const CLIPPED: u16 = 32_700;
/// Milliseconds of a block, as the library counts; and what it can count with.
const BLOCK_MS: i64 = (BLOCK * 1000 / RATE) as i64;
const MOST_MS: i64 = 1 << 26;

/// Whether a microphone could not take what it heard.
pub fn is_clipped(frame: &[i16]) -> bool {
    frame.iter().any(|sample| sample.unsigned_abs() >= CLIPPED)
}

/// See the module's page.
#[derive(Debug)]
pub struct Canceller {
    processor: BlockProcessor,
    alignment: Alignment,
    far: Vec<i16>,
    near: Vec<i16>,
    /// Without its echo.
    said: Vec<i16>,
    block: Block,
    /// The microphone's block `n` may be an echo of the speaker's block `n` less this, and of those before it.
    offset: Option<i64>,
}

impl Canceller {
    /// Begins with nothing.
    pub fn new() -> Canceller {
        let mut config = EchoCanceller3Config::default();
        config.delay.use_external_delay_estimator = true;
        let mut canceller = Canceller {
            processor: BlockProcessor::new(&config, RATE, 1, 1),
            alignment: Alignment::default(),
            far: Vec::with_capacity(FRAME + BLOCK),
            near: Vec::with_capacity(FRAME + BLOCK),
            said: vec![0; LACKS],
            block: Block::new(1, 1),
            offset: None,
        };
        // It delays by a block from the speaker's first one on, and that is to be always.
        canceller.far(&[0; BLOCK]);
        canceller
    }

    /// What the speaker plays, a frame.
    pub fn far(&mut self, frame: &[i16]) {
        self.far.extend_from_slice(frame);
        let mut blocks = self.far.chunks_exact(BLOCK);
        for samples in &mut blocks {
            fill(&mut self.block, samples);
            self.alignment.far(self.block.view(0, 0));
            self.processor.buffer_render(&self.block);
        }
        let rest = blocks.remainder().len();
        self.far.drain(..self.far.len() - rest);
    }

    /// A frame of what the microphone hears, which could not take it if it is `clipped`; its echo is taken out in `out`, which is as
    /// long.
    pub fn near(&mut self, frame: &[i16], clipped: bool, out: &mut [i16]) {
        self.near.extend_from_slice(frame);
        let mut taken = 0;
        while let Some(samples) = self.near.get(taken..taken + BLOCK) {
            fill(&mut self.block, samples);
            taken += BLOCK;
            self.alignment.near(self.block.view(0, 0));
            let moved = self.align();
            self.processor.process_capture(moved, clipped, None, &mut self.block);
            self.said.extend(self.block.view(0, 0).iter().map(|&sample| nearest(sample)));
        }
        self.near.drain(..taken);
        let count = out.len().min(self.said.len());
        out[..count].copy_from_slice(&self.said[..count]);
        self.said.drain(..count);
    }

    /// How many milliseconds after it was given to the speaker a sound comes back, if one did.
    pub fn echo_delay_ms(&self) -> Option<u32> {
        let delay = self.alignment.offset()? - self.alignment.offset_of(0);
        u32::try_from(delay.max(0) * BLOCK_MS).ok()
    }

    /// Tells the canceller where its filter begins. True: elsewhere than it did, and what it has learnt is not true any more.
    fn align(&mut self) -> bool {
        let wanted = self.alignment.offset().map_or_else(|| self.alignment.offset_of(FIRST), |found| found - HEADROOM);
        let stays = |offset: i64| (0..=MOST_HEADROOM - HEADROOM).contains(&(wanted - offset));
        let before = self.offset;
        let offset = before.filter(|offset| stays(*offset)).unwrap_or(wanted);
        self.offset = Some(offset);
        let ahead = self.alignment.ahead();
        let within = offset.clamp(-ahead, MOST - ahead) * BLOCK_MS;
        self.processor.set_audio_buffer_delay(within.clamp(-MOST_MS, MOST_MS) as i32);
        before.is_some_and(|before| before != offset)
    }
}

fn fill(block: &mut Block, samples: &[i16]) {
    for (to, &from) in block.view_mut(0, 0).iter_mut().zip(samples) {
        *to = f32::from(from);
    }
}
