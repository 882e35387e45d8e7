//! The kernel's view of UDP sockets: `/proc/net/udp` and `/proc/net/udp6`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// One socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Socket {
    pub(super) local: SocketAddr,
    pub(super) receive_queue: u64,
    pub(super) send_queue: u64,
    pub(super) drops: u64,
}

/// All UDP sockets of this network namespace; none where the system has no such files.
pub(super) fn read() -> Vec<Socket> {
    let mut sockets = Vec::new();
    for path in ["/proc/net/udp", "/proc/net/udp6"] {
        if let Ok(text) = std::fs::read_to_string(path) {
            sockets.extend(parse(&text));
        }
    }
    sockets
}

/// The lines of such a file, without those that cannot be read.
fn parse(text: &str) -> impl Iterator<Item = Socket> {
    text.lines().skip(1).filter_map(parse_line)
}

fn parse_line(line: &str) -> Option<Socket> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let local = parse_address(fields.get(1)?)?;
    let (send, receive) = fields.get(4)?.split_once(':')?;
    Some(Socket {
        local,
        receive_queue: u64::from_str_radix(receive, 16).ok()?,
        send_queue: u64::from_str_radix(send, 16).ok()?,
        drops: fields.last()?.parse().ok()?,
    })
}

/// `0100007F:1F90`: words of the address as the machine stores them, the port as one reads it.
fn parse_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |text: &str| u32::from_str_radix(text, 16).ok().map(u32::to_ne_bytes);
    let ip = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(address)?)),
        32 => {
            let mut bytes = [0; 16];
            for (index, four) in bytes.chunks_exact_mut(4).enumerate() {
                four.copy_from_slice(&word(address.get(8 * index..8 * index + 8)?)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernel_are_read_and_others_left_out() {
        let ipv6 = format!("{}01000000", "0".repeat(24));
        let text = format!(
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid \n\
             1: 0100007F:9C46 00000000:0000 07 00000010:00000A00 00:0 0 1000 0 31337 2 ffff 17\n\
             2: {ipv6}:9C47 {ipv6}:0000 07 00000000:00000000 00:0 0 0 0 1 2 0000 0\n\
             nonsense\n"
        );
        let found: Vec<_> = parse(&text).collect();
        assert_eq!(found.len(), 2);
        assert_eq!(
            found[0].local,
            "127.0.0.1:40006".parse().expect("an address")
        );
        assert_eq!(
            (found[0].send_queue, found[0].receive_queue, found[0].drops),
            (16, 2560, 17)
        );
        assert_eq!(found[1].local, "[::1]:40007".parse().expect("an address"));
    }

    #[test]
    fn socket_of_this_process_is_found() {
        if !std::path::Path::new("/proc/net/udp").exists() {
            eprintln!("skipped: this system has no /proc/net/udp");
            return;
        }
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let address = socket.local_addr().expect("its address");
        assert!(read().iter().any(|socket| socket.local == address));
    }
}
