//! Echo cancellation at 16 kHz: WebRTC's canceller, told by [`Alignment`] how late the echo comes. Left to itself it looks with
//! five adaptive filters, which takes more than half of its time.

use sonora_aec3::block::Block;
use sonora_aec3::block_processor::BlockProcessor;
use sonora_aec3::config::EchoCanceller3Config;

use super::alignment::{Alignment, BLOCK};
use crate::media::levels::nearest;

const RATE: usize = 16_000;
/// Samples by which what is sent comes later, for frames of 10 ms: half a block that a frame lacks at most, and the canceller's own.
pub const LATENCY: usize = BLOCK / 2 + BLOCK;
/// Blocks by which the filter, which is 13 long, begins before the echo, for some of it may come before the loudest; and the most by
/// which it may: it is not moved for less.
const HEADROOM: usize = 2;
const MOST_HEADROOM: i64 = 5;
/// Where it begins before a delay was found.
const FIRST: usize = 2;
/// The canceller's memory of the speaker, in blocks.
const MOST: i64 = 140;
/// A sample that is louder may have been louder still.
const SATURATED: i16 = 32_700;

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
    /// The first block of the speaker that it takes for the cause of an echo: this many before the microphone's.
    offset: i64,
}

impl Canceller {
    /// For frames of so many samples.
    pub fn new(frame: usize) -> Canceller {
        let mut config = EchoCanceller3Config::default();
        config.delay.use_external_delay_estimator = true;
        config.validate();
        // A frame need not be a whole number of blocks: what it lacks at most was said before.
        let lacks = (0..BLOCK).map(|n| n * frame % BLOCK).max().unwrap_or(0);
        Canceller {
            processor: BlockProcessor::new(&config, RATE, 1, 1),
            alignment: Alignment::default(),
            far: Vec::with_capacity(frame + BLOCK),
            near: Vec::with_capacity(frame + BLOCK),
            said: vec![0; lacks],
            block: Block::new(1, 1),
            offset: FIRST as i64,
        }
    }

    /// What the speaker plays.
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

    /// What the microphone hears; its echo is taken out in `out`, which is as long.
    pub fn near(&mut self, frame: &[i16], out: &mut [i16]) {
        self.near.extend_from_slice(frame);
        let mut taken = 0;
        while let Some(samples) = self.near.get(taken..taken + BLOCK) {
            fill(&mut self.block, samples);
            let saturated = samples.iter().any(|sample| sample.unsigned_abs() >= SATURATED.unsigned_abs());
            taken += BLOCK;
            self.alignment.near(self.block.view(0, 0));
            self.align();
            self.processor.process_capture(false, saturated, None, &mut self.block);
            self.said.extend(self.block.view(0, 0).iter().map(|&sample| nearest(sample)));
        }
        self.near.drain(..taken);
        let count = out.len().min(self.said.len());
        out[..count].copy_from_slice(&self.said[..count]);
        self.said.drain(..count);
    }

    /// After how many milliseconds an echo came back, if one did.
    pub fn echo_delay_ms(&self) -> Option<u32> {
        self.alignment.found().map(|blocks| (blocks * BLOCK * 1000 / RATE) as u32)
    }

    /// Tells the canceller which block of the speaker this one of the microphone is the first echo of.
    fn align(&mut self) {
        let wanted =
            self.alignment.offset(self.alignment.found().map_or(FIRST, |found| found.saturating_sub(HEADROOM)));
        if wanted < self.offset || wanted - self.offset > MOST_HEADROOM - HEADROOM as i64 {
            self.offset = wanted;
        }
        let ahead = self.alignment.ahead();
        let offset = self.offset.clamp(-ahead, MOST - ahead);
        self.processor.set_audio_buffer_delay((offset * (BLOCK * 1000 / RATE) as i64) as i32);
    }
}

fn fill(block: &mut Block, samples: &[i16]) {
    for (to, &from) in block.view_mut(0, 0).iter_mut().zip(samples) {
        *to = f32::from(from);
    }
}
