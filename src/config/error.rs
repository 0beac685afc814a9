//! What is wrong with the configuration, and where.

use std::fmt;
use std::path::PathBuf;

/// A bad key, type or value: the place, and what was expected there. Exit code 2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct ConfigError {
    /// Where.
    pub place: Place,
    /// What was expected and what was found.
    pub problem: String,
}

/// Where a setting stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The file as a whole.
    File(PathBuf),
    /// A line of the file, counted from 1.
    Line(PathBuf, usize),
    /// An environment variable.
    Variable(String),
    /// A flag of the command line.
    Flag(&'static str),
    /// An account, once the file has been read.
    Account(String),
    /// A setting, once the file has been read.
    Setting(&'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(path) => write!(f, "{}", path.display()),
            Place::Line(path, line) => write!(f, "{}:{line}", path.display()),
            Place::Variable(name) => f.write_str(name),
            Place::Flag(name) => f.write_str(name),
            Place::Account(name) => write!(f, "account '{name}'"),
            Place::Setting(name) => f.write_str(name),
        }
    }
}

impl ConfigError {
    pub(crate) fn new(place: Place, problem: impl Into<String>) -> ConfigError {
        ConfigError { place, problem: problem.into() }
    }
}
