//! Memory that a burst of calls has left is given back to the system: the allocator would keep it for the next one.

/// Transactions that are a burst.
const BURST: usize = 500;

/// Watches for the end of a burst.
#[derive(Debug, Default)]
pub(super) struct AfterBurst {
    seen: bool,
}

impl AfterBurst {
    /// Takes note of how many transactions are open; gives memory back when a burst has gone by.
    pub(super) fn note(&mut self, transactions: usize) {
        self.seen |= transactions > BURST;
        if self.seen && transactions * 8 < BURST {
            self.seen = false;
            give_back();
        }
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn give_back() {
    // SAFETY: it touches nothing but the allocator's own free memory.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn give_back() {}
