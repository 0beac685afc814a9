//! RTP and RTCP (RFC 3550): packets, sequence arithmetic, jitter buffer, telephone-event, reports.
