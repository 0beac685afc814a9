//! What ICMP said of a datagram of ours: nobody listens there, or no way leads there (RFC 3261 section 18.4).
//!
//! An unconnected UDP socket is told nothing of it unless it asks for the error queue (ip(7), IP_RECVERR). Without it a call
//! to a dead port would be given up by Timer B only, after 32 s.

use std::mem;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use socket2::SockAddr;

/// Asks for the error queue.
pub(super) fn ask(socket: &UdpSocket) -> std::io::Result<()> {
    let (level, option) = match socket.local_addr()? {
        SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_RECVERR),
        SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_RECVERR),
    };
    let on: libc::c_int = 1;
    // SAFETY: `on` is a c_int, as both options want, and outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const on).cast(),
            mem::size_of_val(&on) as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// What stood in the error queue.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// Datagrams to this address do not arrive.
    Unreachable(SocketAddr),
    /// Something that is no failure of the path, e.g. a new path MTU.
    Other,
}

/// The next report, if there is one. Never waits.
pub(super) fn next(socket: &impl AsRawFd) -> Option<Report> {
    // Room for a sock_extended_err, the address of the router that sent it, and alignment.
    #[repr(C, align(8))]
    struct Control([u8; 512]);
    let mut control = Control([0; 512]);
    let mut payload = [0_u8; 1];
    let mut vector = libc::iovec { iov_base: payload.as_mut_ptr().cast(), iov_len: payload.len() };

    // SAFETY: `try_init` gives a zeroed sockaddr_storage and its length; every pointer in `message` points at a live buffer
    // whose length is given beside it, and recvmsg writes the address's true length back.
    let received = unsafe {
        SockAddr::try_init(|storage, length| {
            let mut message: libc::msghdr = mem::zeroed();
            message.msg_name = storage.cast();
            message.msg_namelen = *length;
            message.msg_iov = &raw mut vector;
            message.msg_iovlen = 1;
            message.msg_control = control.0.as_mut_ptr().cast();
            message.msg_controllen = control.0.len() as _;
            let result = libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT);
            if result < 0 {
                return Err(std::io::Error::last_os_error());
            }
            *length = message.msg_namelen;
            Ok(error_number(&message))
        })
    };
    let (errno, destination) = received.ok()?;
    let fatal = matches!(
        errno,
        Some(libc::ECONNREFUSED | libc::EHOSTUNREACH | libc::ENETUNREACH | libc::ENOPROTOOPT | libc::EHOSTDOWN)
    );
    match destination.as_socket() {
        Some(address) if fatal => Some(Report::Unreachable(address)),
        Some(_) | None => Some(Report::Other),
    }
}

/// The error in a message's control data.
///
/// # Safety
///
/// `message` was filled by recvmsg and its control buffer is alive.
unsafe fn error_number(message: &libc::msghdr) -> Option<libc::c_int> {
    // SAFETY: the caller's promise; CMSG_NXTHDR stays within msg_controllen, and the data of an *_RECVERR message begins with
    // a sock_extended_err (ip(7)).
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while !header.is_null() {
            let kind = ((*header).cmsg_level, (*header).cmsg_type);
            if kind == (libc::IPPROTO_IP, libc::IP_RECVERR) || kind == (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) {
                let error: libc::sock_extended_err = std::ptr::read_unaligned(libc::CMSG_DATA(header).cast());
                return libc::c_int::try_from(error.ee_errno).ok();
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_port_is_reported_with_its_address() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        ask(&socket).unwrap();
        assert_eq!(next(&socket), None);

        let dead = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        socket.send_to(b"hello", dead).unwrap();
        // On loopback the answer is there when send_to returns.
        assert_eq!(next(&socket), Some(Report::Unreachable(dead)));
        assert_eq!(next(&socket), None);
    }
}
