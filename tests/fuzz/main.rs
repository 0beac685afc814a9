//! The fuzz targets as plain loops, for a stable compiler: each input of the corpus, then seeded mutations of them for some
//! seconds. `OFFHOOK_FUZZ_SECONDS` makes it longer. With a nightly compiler `cargo fuzz run datagram` does the same better.

#![allow(clippy::disallowed_methods, reason = "it runs for so many seconds")]

mod targets;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All files of a folder and those below, in their names' order.
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    let read = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![fs::read(&path).expect("a file")] };
    paths.into_iter().flat_map(read).collect()
}

struct Mutator(ChaCha20Rng);

impl Mutator {
    fn below(&mut self, limit: usize) -> usize {
        self.0.next_u64() as usize % limit.max(1)
    }

    /// Another input made of those of the corpus.
    fn mutate(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = corpus[self.below(corpus.len())].clone();
        for _ in 0..1 + self.below(6) {
            let length = bytes.len();
            if length == 0 {
                break;
            }
            let at = self.below(length);
            let end = (at + 1 + self.below(40)).min(length);
            match self.below(8) {
                0 => bytes[at] = self.0.next_u32() as u8,
                1 => bytes[at] ^= 1 << self.below(8),
                2 => drop(bytes.drain(at..end)),
                3 => {
                    let copy = bytes[at..end].to_vec();
                    bytes.splice(at..at, copy);
                }
                4 => {
                    let other = &corpus[self.below(corpus.len())];
                    let from = self.below(other.len());
                    let part = other[from..(from + self.below(200)).min(other.len())].to_vec();
                    bytes.splice(at..end, part);
                }
                5 => {
                    let numbers = ["0", "-1", "4294967296", "65536", "999999999999999999999", "255", "0.0"];
                    let number = numbers[self.below(numbers.len())];
                    bytes.splice(at..at + 1, number.bytes());
                }
                6 => {
                    let parts = [
                        "\r\n",
                        "\"",
                        "<",
                        ">",
                        ";",
                        ",",
                        "%00",
                        "\0",
                        ";tag=",
                        "[::1]",
                        "\u{1e}\u{1e}\u{1e}\u{1e}",
                        "\r\n ",
                    ];
                    let part = parts[self.below(parts.len())];
                    bytes.splice(at..at, part.bytes());
                }
                _ => bytes.truncate(at),
            }
        }
        bytes
    }
}

fn run(name: &str, seed: u64, target: fn(Instant, &[u8]), corpus: &[Vec<u8>]) {
    let now = Instant::now();
    for input in corpus {
        target(now, input);
    }
    let seconds = std::env::var("OFFHOOK_FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(3);
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut mutator = Mutator(ChaCha20Rng::seed_from_u64(seed));
    let mut rounds = 0_u64;
    while Instant::now() < end {
        let input = mutator.mutate(corpus);
        let result = std::panic::catch_unwind(|| target(now, &input));
        if result.is_err() {
            let file = std::env::temp_dir().join(format!("offhook-fuzz-{name}"));
            let _ = fs::write(&file, &input);
            panic!("{name}: round {rounds} failed; its input is in {}", file.display());
        }
        rounds += 1;
    }
    assert!(rounds > 0, "nothing was tried");
    println!("{name}: {rounds} inputs");
}

#[test]
fn datagram() {
    let tag = targets::local_tag(Instant::now());
    let mut corpus = files(&root().join("tests/torture/messages"));
    // What belongs to the call has its tag, which nobody can know before.
    corpus.extend(
        files(&root().join("fuzz/corpus/datagram"))
            .into_iter()
            .map(|input| String::from_utf8_lossy(&input).replace("LOCALTAG", &tag).into_bytes()),
    );
    run("datagram", 1, targets::datagram, &corpus);
}

#[test]
fn sdp() {
    run("sdp", 2, targets::sdp, &files(&root().join("fuzz/corpus/sdp")));
}

#[test]
fn rtp() {
    run("rtp", 3, targets::rtp, &files(&root().join("fuzz/corpus/rtp")));
}

#[test]
fn rtcp() {
    run("rtcp", 4, targets::rtcp, &files(&root().join("fuzz/corpus/rtcp")));
}

#[test]
fn dtls() {
    run("dtls", 6, targets::dtls, &files(&root().join("fuzz/corpus/dtls")));
}

#[test]
fn stun() {
    run("stun", 5, targets::stun, &files(&root().join("fuzz/corpus/stun")));
}
