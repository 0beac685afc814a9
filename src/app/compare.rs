//! An offer and its answer (RFC 3264), row beside row.

use crate::phone::TraceEntry;

use super::trace::Trace;

/// Lines of a description that are looked at.
const LINES: usize = 300;

/// A row: the offer's line and the answer's; both where they are the same.
pub type Row<'a> = (Option<&'a str>, Option<&'a str>);

/// The description that a message carries: what is behind its blank line, when it is SDP.
pub fn description(entry: &TraceEntry) -> Option<&str> {
    let (_, body) = entry.text.split_once("\n\n")?;
    // Within a multipart body it stands behind a part's header fields.
    let at = if body.starts_with("v=0") { 0 } else { body.find("\nv=0")? + 1 };
    body.get(at..)
}

/// The offer and the answer to which the selected message belongs, where it carries one of them.
pub fn offer_and_answer(trace: &Trace) -> Option<(TraceEntry, TraceEntry)> {
    let selected = trace.selected()?;
    description(&selected.entry)?;
    let exchange = exchange(&selected.entry);
    let is_part = |entry: &TraceEntry| self::exchange(entry) == exchange && description(entry).is_some();
    let mut parts = trace.of_same_call().filter(|message| is_part(&message.entry));
    let offer = parts.next()?;
    // RFC 3264 section 5: who was offered answers. A final response repeats the answer of a provisional one.
    let answer = parts.filter(|message| message.entry.sent != offer.entry.sent).last()?;
    Some((offer.entry.clone(), answer.entry.clone()))
}

/// What tells one exchange from others: the call, who began the transaction, and its number, which an ACK shares.
fn exchange(entry: &TraceEntry) -> (&str, bool, &str) {
    let is_response = entry.summary.starts_with("SIP/2.0 ");
    let number = entry.cseq.split_whitespace().next().unwrap_or_default();
    (&entry.call_id, entry.sent != is_response, number)
}

/// Both descriptions, each line beside the same one of the other, what differs beside what is in its place.
pub fn rows<'a>(offer: &'a str, answer: &'a str) -> Vec<Row<'a>> {
    let offer: Vec<&str> = offer.lines().take(LINES).filter(|line| !line.is_empty()).collect();
    let answer: Vec<&str> = answer.lines().take(LINES).filter(|line| !line.is_empty()).collect();
    // The length of the longest common subsequence of what is left of both, from each pair of places on.
    let width = answer.len() + 1;
    let mut common = vec![0u16; (offer.len() + 1) * width];
    for (i, ours) in offer.iter().enumerate().rev() {
        for (j, theirs) in answer.iter().enumerate().rev() {
            common[i * width + j] = match ours == theirs {
                true => common[(i + 1) * width + j + 1] + 1,
                false => common[(i + 1) * width + j].max(common[i * width + j + 1]),
            };
        }
    }
    let mut rows: Vec<Row> = Vec::new();
    let (mut i, mut j) = (0, 0);
    // Where the lines that differ begin: the answer's take their places beside the offer's.
    let mut gap = 0;
    while i < offer.len() || j < answer.len() {
        match (offer.get(i), answer.get(j)) {
            (Some(ours), Some(theirs)) if ours == theirs => {
                rows.push((Some(ours), Some(theirs)));
                gap = rows.len();
                (i, j) = (i + 1, j + 1);
            }
            (Some(ours), theirs) if theirs.is_none() || common[(i + 1) * width + j] >= common[i * width + j + 1] => {
                rows.push((Some(ours), None));
                i += 1;
            }
            (_, Some(theirs)) => {
                match rows.iter_mut().skip(gap).find(|(_, beside)| beside.is_none()) {
                    Some((_, beside)) => *beside = Some(theirs),
                    None => rows.push((None, Some(theirs))),
                }
                j += 1;
            }
            (_, None) => i += 1,
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::sip::transport::Transport;

    fn entry(sent: bool, summary: &str, cseq: &str, sdp: &str) -> TraceEntry {
        TraceEntry {
            time: SystemTime::UNIX_EPOCH,
            sent,
            local: ([192, 0, 2, 7], 5060).into(),
            remote: ([192, 0, 2, 1], 5060).into(),
            transport: Transport::Udp,
            call: None,
            summary: summary.into(),
            call_id: "1".into(),
            cseq: cseq.into(),
            text: format!("{summary}\nCSeq: {cseq}\n\n{sdp}"),
        }
    }

    fn pair(entries: Vec<TraceEntry>) -> Option<(String, String)> {
        let mut trace = Trace::default();
        entries.into_iter().for_each(|entry| trace.push(entry));
        let (offer, answer) = offer_and_answer(&trace)?;
        Some((offer.summary.clone(), answer.summary.clone()))
    }

    #[test]
    fn an_invite_is_answered_by_its_response_or_by_the_ack() {
        let invite = |sdp| entry(true, "INVITE sip:b SIP/2.0", "1 INVITE", sdp);
        let ok = |sdp| entry(false, "SIP/2.0 200 OK", "1 INVITE", sdp);
        let ack = |sdp| entry(true, "ACK sip:b SIP/2.0", "1 ACK", sdp);
        let named = |offer: &str, answer: &str| Some((offer.to_owned(), answer.to_owned()));
        let early = entry(false, "SIP/2.0 183 Session Progress", "1 INVITE", "v=0\n");
        assert_eq!(
            pair(vec![invite("v=0\n"), early, ok("v=0\ns=x\n")]),
            named("INVITE sip:b SIP/2.0", "SIP/2.0 200 OK")
        );
        assert_eq!(pair(vec![invite(""), ok("v=0\n"), ack("v=0\n")]), named("SIP/2.0 200 OK", "ACK sip:b SIP/2.0"));
        // The other side's own transaction may have the same number.
        let theirs = entry(false, "INVITE sip:a SIP/2.0", "1 INVITE", "v=0\n");
        assert_eq!(pair(vec![ok("v=0\n"), theirs]), None);
        assert_eq!(pair(vec![invite("v=0\n"), ok("")]), None);
    }

    #[test]
    fn what_is_the_same_stands_side_by_side() {
        let rows = rows(
            "v=0\nc=a\nm=audio 1 RTP/AVP 0 8\na=x\na=sendrecv\n",
            "v=0\nc=b\nm=audio 2 RTP/AVP 0\na=sendrecv\na=y\n",
        );
        assert_eq!(
            rows,
            [
                (Some("v=0"), Some("v=0")),
                (Some("c=a"), Some("c=b")),
                (Some("m=audio 1 RTP/AVP 0 8"), Some("m=audio 2 RTP/AVP 0")),
                (Some("a=x"), None),
                (Some("a=sendrecv"), Some("a=sendrecv")),
                (None, Some("a=y")),
            ]
        );
    }
}
