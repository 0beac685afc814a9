//! The terminal: its lifecycle and its widgets.

mod view;
