//! What a SIP message is (RFC 3261 section 7).
//!
//! The only room that names the SIP library: everyone else imports from here, so that the library can be replaced in one
//! folder.

pub mod digest;
pub mod transport;

pub use sipx_sip::headers::{Address, CSeq, Contact, ContactValue, ContentType, Expires, From, MaxForwards, To, Via};
pub use sipx_sip::{
    ClientTransaction, Header, HeaderName, Headers, Host, HostName, Limits, Message, Method, Output, Param, Params,
    Reliability, Request, RequestBuilder, Response, ResponseBuilder, Scheme, ServerTransaction, StatusCode, Timer,
    Timers, TransactionKey, TuEvent, TypedHeader, Uri, parse_datagram,
};
