//! What happened, line by line.

use std::collections::VecDeque;
use std::time::SystemTime;

/// Lines that are kept.
const LINES: usize = 500;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// It is so.
    Info,
    /// It went well.
    Good,
    /// Something to look at.
    Warning,
    /// Something failed.
    Error,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When.
    pub time: SystemTime,
    /// How much it matters.
    pub level: Level,
    /// What.
    pub text: String,
}

/// The last lines.
#[derive(Debug, Clone, Default)]
pub struct Log {
    lines: VecDeque<LogLine>,
}

impl Log {
    /// Adds a line.
    pub fn push(&mut self, time: SystemTime, level: Level, text: String) {
        self.lines.push_back(LogLine { time, level, text });
        while self.lines.len() > LINES {
            self.lines.pop_front();
        }
    }

    /// The lines, the latest last.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &LogLine> + ExactSizeIterator {
        self.lines.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}
