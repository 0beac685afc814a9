//! What SRTP costs a packet: 20 ms of PCMU made, protected by one side and unprotected by the other. Processor time of this
//! thread, the best of five rounds, with the allocations of a round.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use offhook::media::srtp::Guard;
use offhook::sdp::crypto::{MasterKey, Srtp, Suite};

const PACKETS: u32 = 200_000;
const ROUNDS: u32 = 5;

/// Counts allocations.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// This thread's processor time in nanoseconds.
fn processor_time() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes to a timespec of ours.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// An RTP packet in a buffer that stays.
fn write(packet: &mut Vec<u8>, number: u32) {
    packet.clear();
    packet.extend([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5]);
    packet[2..4].copy_from_slice(&(number as u16).to_be_bytes());
    packet.extend([0xd5; 160]);
}

fn measure(name: &str, mut act: impl FnMut(u32)) {
    let (mut best, mut allocations) = (f64::MAX, 0);
    for round in 0..ROUNDS {
        let (before, start) = (ALLOCATIONS.load(Ordering::Relaxed), processor_time());
        (0..PACKETS).for_each(|n| act(round * PACKETS + n));
        best = best.min((processor_time() - start) / f64::from(PACKETS));
        allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    }
    println!("{name:28} {best:7.0} ns a packet, {allocations} allocations in {PACKETS} packets");
}

fn main() {
    let mut packet = Vec::with_capacity(256);
    measure("plain", |n| {
        write(&mut packet, n);
        black_box(&packet);
    });
    for suite in Suite::ALL {
        let length = suite.key_length() + suite.salt_length();
        let key = |fill| MasterKey::new(suite, &vec![fill; length]).expect("a key as long as the suite's");
        let (mut alice, mut bob) = (Guard::default(), Guard::default());
        alice.configure(&Srtp { send: key(1), receive: key(2), mki_length: 0 }.into());
        bob.configure(&Srtp { send: key(2), receive: key(1), mki_length: 0 }.into());
        measure(suite.name(), |n| {
            write(&mut packet, n);
            assert!(alice.protect(&mut packet) && bob.unprotect(&packet).is_some());
        });
    }
}
