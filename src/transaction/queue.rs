//! A queue of things to do at a time, each of which can be set anew or taken back.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;
use std::time::Instant;

/// Deadlines by key: a key has one deadline at most.
#[derive(Debug, Clone)]
pub struct TimerQueue<K> {
    by_time: BTreeMap<(Instant, u64), K>,
    by_key: HashMap<K, (Instant, u64)>,
    next: u64,
}

impl<K> Default for TimerQueue<K> {
    fn default() -> Self {
        TimerQueue { by_time: BTreeMap::new(), by_key: HashMap::new(), next: 0 }
    }
}

impl<K: Clone + Eq + Hash> TimerQueue<K> {
    /// Sets `key` to go off at `at`, in place of an earlier deadline of the same key.
    pub fn set(&mut self, key: K, at: Instant) {
        self.cancel(&key);
        self.next += 1;
        self.by_key.insert(key.clone(), (at, self.next));
        self.by_time.insert((at, self.next), key);
    }

    /// Takes a deadline back, if there is one.
    pub fn cancel(&mut self, key: &K) {
        if let Some(place) = self.by_key.remove(key) {
            self.by_time.remove(&place);
            shrink(&mut self.by_key);
        }
    }

    /// The next deadline and its key.
    pub fn peek(&self) -> Option<(Instant, &K)> {
        self.by_time.first_key_value().map(|((at, _), key)| (*at, key))
    }

    /// Takes the next key whose deadline has come.
    pub fn pop(&mut self, now: Instant) -> Option<K> {
        let (at, _) = self.peek()?;
        if at > now {
            return None;
        }
        let (_, key) = self.by_time.pop_first()?;
        self.by_key.remove(&key);
        shrink(&mut self.by_key);
        Some(key)
    }

    /// How many deadlines are set.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether none is set.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }
}

/// Gives back the room that a burst has left in a map. Small maps keep theirs, and none is moved often: only an eighth may
/// be in use.
pub fn shrink<K: Eq + Hash, V>(map: &mut HashMap<K, V>) {
    if map.capacity() > 64 && map.len() * 8 < map.capacity() {
        map.shrink_to(map.len() * 2);
    }
}

/// The same of a queue that has run empty.
pub fn shrink_queue<T>(queue: &mut VecDeque<T>) {
    if queue.is_empty() && queue.capacity() > 64 {
        queue.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn deadlines_come_in_order_and_only_once() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut queue = TimerQueue::default();
        queue.set("b", at(20));
        queue.set("a", at(10));
        queue.set("c", at(10));
        queue.set("b", at(5));
        queue.set("d", at(1));
        queue.cancel(&"d");
        assert_eq!(queue.pop(at(4)), None);
        assert_eq!(
            [queue.pop(at(10)), queue.pop(at(10)), queue.pop(at(10)), queue.pop(at(99))],
            [Some("b"), Some("a"), Some("c"), None]
        );
        assert!(queue.is_empty());
    }
}
