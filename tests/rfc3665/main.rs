//! Every flow of RFC 3665 over real sockets, on the transport that the flow shows: whole phones, exchanges for its proxies,
//! and scripted peers where one side is somebody else. Each phone's trace must be the ladder that the RFC draws.

#![allow(clippy::disallowed_methods, reason = "sockets run by the clock")]

mod failures;
mod gateway;
mod peer;
mod phone;
mod proxies;
mod registration;
mod sessions;

use std::time::Duration;

/// Whatever is waited for takes milliseconds, but for a server that does not answer: 32 s (Timer B). A busy machine takes longer.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// However a test goes wrong, it ends.
const LIMIT: Duration = Duration::from_secs(300);

/// Runs a test.
pub fn run(test: impl Future<Output = ()>) {
    let ends = async { tokio::time::timeout(LIMIT, test).await.expect("the test ends") };
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(ends);
}

/// Waits for something, at most [`PATIENCE`].
pub async fn patiently<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("not seen: {what}"))
}
