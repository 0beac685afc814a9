//! JSON events as they come from a program, and waiting for one of them.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Events so far, filled by a reader thread.
#[derive(Clone, Default)]
pub struct Events {
    shared: Arc<(Mutex<List>, Condvar)>,
}

#[derive(Default)]
struct List {
    events: Vec<Value>,
    /// How many of them were waited for or passed by.
    seen: usize,
    ended: bool,
}

impl Events {
    /// Adds one.
    pub fn push(&self, event: Value) {
        self.change(|list| list.events.push(event));
    }

    /// None will come any more.
    pub fn end(&self) {
        self.change(|list| list.ended = true);
    }

    /// The next event that fits, counted from the one that was waited for last. The ones before it are passed by.
    /// `None` when time is over or none can come any more.
    pub fn next(&self, limit: Duration, fits: impl Fn(&Value) -> bool) -> Option<Value> {
        let end = Instant::now() + limit;
        let (list, more) = &*self.shared;
        let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let seen = list.seen;
            if let Some(at) = list.events.iter().skip(seen).position(&fits) {
                list.seen = seen + at + 1;
                return list.events.get(seen + at).cloned();
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || list.ended {
                return None;
            }
            list = more.wait_timeout(list, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Everything so far, a line each, for messages.
    pub fn dump(&self) -> String {
        let (list, _) = &*self.shared;
        let list = list.lock().unwrap_or_else(PoisonError::into_inner);
        let line = |(at, event): (usize, &Value)| format!("{} {event}\n", if at < list.seen { ' ' } else { '>' });
        list.events.iter().enumerate().map(line).collect()
    }

    fn change(&self, change: impl FnOnce(&mut List)) {
        let (list, more) = &*self.shared;
        change(&mut list.lock().unwrap_or_else(PoisonError::into_inner));
        more.notify_all();
    }
}
