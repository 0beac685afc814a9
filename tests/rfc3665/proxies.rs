//! The proxies of RFC 3665: atlanta.example.com, where Alice is, and biloxi.example.com, where Bob is.

use offhook::exchange::{Config, Exchange, Route, Strangers, User};
use offhook::sip::Uri;
use offhook::sip::digest::Algorithm;

/// Alice's address of record.
pub const ALICE: &str = "sip:alice@atlanta.example.com";
/// Bob's.
pub const BOB: &str = "sip:bob@biloxi.example.com";

/// Where an exchange is reached by a transport.
pub fn hop(exchange: &Exchange, transport: &str) -> String {
    let transport = transport.to_ascii_lowercase();
    let parameter = if transport == "udp" { String::new() } else { format!(";transport={transport}") };
    format!("sip:{}{parameter}", exchange.address())
}

/// Somebody with a password.
pub fn user(name: &str, password: &str) -> User {
    User { name: name.into(), password: password.into() }
}

/// Proxy 2, with MD5 as in the RFC: Bob's, and what it makes of calls from elsewhere.
pub fn biloxi(strangers: Strangers) -> Exchange {
    let users = vec![user("bob", "zanzibar"), user("alice", "second")];
    let config = Config {
        domain: "biloxi.example.com".into(),
        users,
        strangers,
        algorithms: vec![Algorithm::Md5],
        ..Config::default()
    };
    Exchange::start(config).unwrap()
}

/// Proxy 1: Alice's, which knows the way to Bob's.
pub fn atlanta(biloxi: &str) -> Exchange {
    let hop = Uri::parse(biloxi.to_owned().into()).unwrap();
    let routes = vec![Route { domain: "biloxi.example.com".into(), hops: vec![hop] }];
    let users = vec![user("alice", "first")];
    let algorithms = vec![Algorithm::Md5];
    let config = Config { domain: "atlanta.example.com".into(), users, routes, algorithms, ..Config::default() };
    Exchange::start(config).unwrap()
}
