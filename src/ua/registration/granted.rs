//! What a registrar's 200 gives beside the binding: routes, global addresses, outbound (RFC 3608, 5626, 5627). It is
//! believed from nobody else than the registrar, in its answer to our REGISTER.

use std::net::SocketAddr;
use std::time::Duration;

use crate::sip::{Address, HeaderName, Headers, Response, Uri, number, tokens};

use super::bindings;

/// Hops of a Service-Route; with a longer one none is taken.
const MAX_ROUTES: usize = 8;
/// The longest address that is taken over, in bytes.
const MAX_URI: usize = 512;

/// What an account's registration gives to its calls and other requests.
#[derive(Debug, Clone, Default)]
pub struct Granted {
    /// One of our addresses, and the one at which the registrar sees it.
    pub seen: Option<(SocketAddr, SocketAddr)>,
    /// Service-Route (RFC 3608): follows our own outbound proxies in the Route of requests outside dialogs.
    pub service_route: Vec<Uri>,
    /// The public GRUU (RFC 5627): our Contact in calls.
    pub gruu: Option<Uri>,
    /// The temporary GRUU (RFC 5627), for a caller who does not want to be known.
    pub temporary_gruu: Option<Uri>,
    /// The registrar keeps to RFC 5626: `;ob` in our Contact keeps a dialog on our flow.
    pub outbound: bool,
    /// The longest pause between keep-alives on our flow (RFC 5626 section 4.4).
    pub flow_timer: Option<Duration>,
}

impl Granted {
    /// Reads a 2xx to our REGISTER; `contact` is ours.
    pub(super) fn read(response: &Response, contact: Option<&Uri>) -> Granted {
        let ours = contact.and_then(|contact| bindings::ours(response, contact));
        let gruu = |name| ours.as_ref().and_then(|address| usable(address.param(name)?));
        Granted {
            seen: None,
            service_route: service_route(&response.headers),
            gruu: gruu("pub-gruu"),
            temporary_gruu: gruu("temp-gruu"),
            outbound: tokens(&response.headers, &HeaderName::Require).iter().any(|tag| tag == "outbound"),
            flow_timer: number(&response.headers, &HeaderName::parse(&bytes::Bytes::from_static(b"Flow-Timer")))
                .filter(|seconds| *seconds > 0)
                .map(|seconds| Duration::from_secs(seconds.into())),
        }
    }
}

fn usable(text: &[u8]) -> Option<Uri> {
    let text = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text);
    let uri = Uri::parse(bytes::Bytes::copy_from_slice(text)).ok().filter(|_| text.len() <= MAX_URI)?;
    (uri.scheme().is_sip() && uri.host().is_some()).then_some(uri)
}

/// All of it or nothing: a route with a hop left out leads nowhere. RFC 3608 section 6.1 asks for loose routers.
fn service_route(headers: &Headers) -> Vec<Uri> {
    let rows = headers.get_all(&HeaderName::ServiceRoute).map(|row| row.value().into_owned());
    let hops: Vec<Option<Uri>> = rows
        .flat_map(|row| {
            bindings::split(&row)
                .iter()
                .map(|part| {
                    let uri = Address::parse(part, "Service-Route").ok()?.uri;
                    let loose = uri.params().is_some_and(|params| params.contains("lr"));
                    (loose && uri.scheme().is_sip() && uri.to_bytes().len() <= MAX_URI).then_some(uri)
                })
                .collect::<Vec<_>>()
        })
        .take(MAX_ROUTES + 1)
        .collect();
    if hops.len() > MAX_ROUTES {
        return Vec::new();
    }
    hops.into_iter().collect::<Option<Vec<Uri>>>().unwrap_or_else(|| {
        tracing::debug!("a Service-Route that can't be followed is left out");
        Vec::new()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{ResponseBuilder, StatusCode};

    fn read(rows: &[(&'static str, &str)]) -> Granted {
        let builder = ResponseBuilder::new(StatusCode::new(200).unwrap(), "OK").unwrap();
        let response = rows
            .iter()
            .fold(builder, |builder, (name, value)| {
                let name = HeaderName::parse(&bytes::Bytes::from_static(name.as_bytes()));
                builder.header(name, value.to_string()).unwrap()
            })
            .build();
        let contact = Uri::parse(bytes::Bytes::from_static(b"sip:x7f@192.0.2.1:5060")).unwrap();
        Granted::read(&response, Some(&contact))
    }

    fn routes(rows: &[(&'static str, &str)]) -> Vec<String> {
        read(rows).service_route.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rfc_3608_service_routes_keep_their_order() {
        let rows = [
            ("Service-Route", "<sip:P2.HOME.EXAMPLE.COM;lr>, <sip:HSP.HOME.EXAMPLE.COM;lr>"),
            ("Service-Route", "<sip:p3.example.com;lr>"),
        ];
        assert_eq!(
            routes(&rows),
            ["sip:P2.HOME.EXAMPLE.COM;lr", "sip:HSP.HOME.EXAMPLE.COM;lr", "sip:p3.example.com;lr"]
        );
        assert!(routes(&[]).is_empty());
    }

    #[test]
    fn a_service_route_that_cannot_be_followed_is_left_out_as_a_whole() {
        let long = ["<sip:p.example.com;lr>"; 9].join(", ");
        for bad in ["<sip:p1;lr>, <sip:strict>", "<tel:+1;lr>", "<sip:p1;lr>, nonsense<", &long] {
            assert!(routes(&[("Service-Route", bad)]).is_empty(), "{bad}");
        }
    }

    #[test]
    fn rfc_5627_gruus_are_those_of_our_own_contact() {
        let contacts = "<sip:other@192.0.2.9>;pub-gruu=\"sip:bob@example.com;gr=urn:uuid:no\", \
                        <sip:x7f@192.0.2.1:5060>;pub-gruu=\"sip:bob@example.com;gr=urn:uuid:f81d4fae\";\
                        temp-gruu=\"sip:tgruu.7hs==jd7vnzga5w7fajsc7-ajd6fabz0f8g5@example.com;gr\";expires=3600";
        let granted = read(&[("Contact", contacts)]);
        assert_eq!(granted.gruu.unwrap().to_string(), "sip:bob@example.com;gr=urn:uuid:f81d4fae");
        assert!(granted.temporary_gruu.unwrap().to_string().starts_with("sip:tgruu."));
        let bad = read(&[("Contact", "<sip:x7f@192.0.2.1:5060>;pub-gruu=\"tel:+1\"")]);
        assert_eq!((bad.gruu.is_some(), bad.outbound, bad.flow_timer), (false, false, None));
    }

    #[test]
    fn rfc_5626_outbound_is_what_the_registrar_requires() {
        let granted = read(&[("Require", "Outbound"), ("Flow-Timer", "120")]);
        assert_eq!((granted.outbound, granted.flow_timer), (true, Some(Duration::from_secs(120))));
        let without = read(&[("Supported", "outbound"), ("Flow-Timer", "0")]);
        assert_eq!((without.outbound, without.flow_timer), (false, None));
    }
}
