//! What a description asks for of extended reports (RFC 3611 section 5.1).

use sipx_sdp::{Attribute, MediaDescription, SessionDescription};

/// The extended reports that a side wants to get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExtendedReports {
    /// `voip-metrics`: how it is heard.
    pub voip_metrics: bool,
    /// `rcvr-rtt`: it answers a reference time, so that who only receives knows the round trip.
    pub receiver_rtt: bool,
}

/// What `a=rtcp-xr` says; `None`: the author does not know it.
pub(super) fn read(session: &SessionDescription, media: &MediaDescription) -> Option<ExtendedReports> {
    let of_session = || session.attributes.iter().find(|attribute| attribute.name == "rtcp-xr");
    let attribute = media.attribute("rtcp-xr").or_else(of_session)?;
    let mut wanted = ExtendedReports::default();
    for format in attribute.value.as_deref().unwrap_or_default().split_ascii_whitespace() {
        match format.split('=').next().unwrap_or_default() {
            "voip-metrics" => wanted.voip_metrics = true,
            "rcvr-rtt" => wanted.receiver_rtt = true,
            _ => {}
        }
    }
    Some(wanted)
}

/// Asks for all that this phone reads.
pub(super) fn write(line: &mut MediaDescription) {
    line.attributes.push(Attribute::valued("rtcp-xr", "rcvr-rtt=all voip-metrics"));
}
