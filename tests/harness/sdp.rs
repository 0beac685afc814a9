//! Session descriptions of the other side.

/// A description of `address`, `port`, version and further lines.
pub fn at(address: &str, port: u16, version: u32, formats: &str, lines: &str) -> String {
    format!(
        "v=0\r\no=bob 2890844527 {version} IN IP4 192.0.2.201\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP {formats}\r\na=rtpmap:0 PCMU/8000\r\n{lines}"
    )
}

/// Bob's description, as RFC 3665 has it.
pub fn bob() -> String {
    at("192.0.2.201", 3456, 1, "0", "")
}

/// The next version of it with a direction.
pub fn directed(version: u32, direction: &str) -> String {
    at("192.0.2.201", 3456, version, "0", &format!("a={direction}\r\n"))
}
