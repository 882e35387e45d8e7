//! Socket addresses in the form the kernel takes and gives.

use std::mem::{size_of, zeroed};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Room for an IPv4 or IPv6 socket address as the kernel lays it out.
#[derive(Clone, Copy)]
pub(super) union RawAddress {
    family: libc::sa_family_t,
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

/// Bytes to offer the kernel for an address that it fills in.
pub(super) const RAW_ADDRESS_LENGTH: libc::socklen_t = to_length(size_of::<RawAddress>());

#[expect(
    clippy::cast_possible_truncation,
    reason = "sizes of socket addresses are tiny"
)]
const fn to_length(size: usize) -> libc::socklen_t {
    size as libc::socklen_t
}

impl RawAddress {
    /// An address of no family.
    pub(super) fn unspecified() -> Self {
        // SAFETY: SYS-1 (kernel address structures are plain integers): all-zero bytes are valid.
        unsafe { zeroed() }
    }

    /// The kernel's form of `address`, and its length.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "address families are below 256"
    )]
    pub(super) fn new(address: &SocketAddr) -> (Self, libc::socklen_t) {
        let mut raw = Self::unspecified();
        match address {
            SocketAddr::V4(v4) => {
                raw.v4 = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: v4.port().to_be(),
                    sin_addr: libc::in_addr {
                        s_addr: u32::from(*v4.ip()).to_be(),
                    },
                    sin_zero: [0; 8],
                };
                (raw, to_length(size_of::<libc::sockaddr_in>()))
            }
            SocketAddr::V6(v6) => {
                raw.v6 = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: v6.port().to_be(),
                    sin6_flowinfo: v6.flowinfo(),
                    sin6_addr: libc::in6_addr {
                        s6_addr: v6.ip().octets(),
                    },
                    sin6_scope_id: v6.scope_id(),
                };
                (raw, to_length(size_of::<libc::sockaddr_in6>()))
            }
        }
    }

    /// The address the kernel filled in; `None` for another family.
    pub(super) fn to_socket_address(self) -> Option<SocketAddr> {
        // SAFETY: SYS-1: every bit pattern is a valid value of every variant.
        let family = unsafe { self.family };
        match i32::from(family) {
            libc::AF_INET => {
                // SAFETY: SYS-1, as above.
                let v4 = unsafe { self.v4 };
                let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
                Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
            }
            libc::AF_INET6 => {
                // SAFETY: SYS-1, as above.
                let v6 = unsafe { self.v6 };
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                let port = u16::from_be(v6.sin6_port);
                Some(SocketAddrV6::new(ip, port, v6.sin6_flowinfo, v6.sin6_scope_id).into())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_the_round_trip_through_the_kernels_form() {
        for text in ["127.0.0.1:40123", "[::1]:40123", "[fe80::1%7]:9"] {
            let address: SocketAddr = text.parse().expect("an address");
            assert_eq!(
                RawAddress::new(&address).0.to_socket_address(),
                Some(address)
            );
        }
        assert_eq!(RawAddress::unspecified().to_socket_address(), None);
    }
}
