//! Services on the phone: what it does with a call before a person is asked, and what it remembers. No I/O, no clock.
//!
//! - [`pattern`]: numbers and addresses with wildcards; [`address`]: the number, user and host of a URI
//! - [`forwarding`]: forwarding and do not disturb, per account (draft-sparks-sip-service-examples-00 sections 2.5 to 2.7)
//! - [`screening`]: who may ring here, and whom this phone may call (sections 2.11 and 2.12)
//! - [`dialplan`]: what a number that was dialled becomes; speed dial
//! - [`history`]: the calls that were; [`contacts`], [`vcard`]: the people that are known

pub mod address;
pub mod contacts;
pub mod dialplan;
pub mod forwarding;
pub mod history;
pub mod pattern;
pub mod screening;
pub mod vcard;
