//! The addresses of clients of the router's web server: a block must not lock out the client that requests it.
//!
//! Takes UCI's `uhttpd` and `/proc/net/tcp`, gives single addresses. Changes nothing.

use std::net::IpAddr;
use std::path::Path;

use super::protected::text;
use crate::config::uci;
use crate::query::question::Prefix;

const ESTABLISHED: &str = "01";

/// Remote addresses of the connections to the web server; one of them is the client of a request that came through it.
/// `directory`: UCI's.
pub(super) fn of_the_web(directory: &Path) -> Vec<Prefix> {
    let ports = web_ports(&text(&directory.join("uhttpd")));
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| text(Path::new(path)));
    tables.iter().flat_map(|table| peers(table, &ports)).collect()
}

fn web_ports(uhttpd: &str) -> Vec<u16> {
    let (sections, _) = uci::parse(uhttpd);
    let settings = sections.iter().flat_map(|section| &section.settings);
    let listened = settings.filter(|setting| matches!(setting.name.as_str(), "listen_http" | "listen_https"));
    let words = listened.flat_map(|setting| setting.value.split_whitespace());
    let mut ports: Vec<u16> = words.filter_map(|word| word.rsplit(':').next()?.parse().ok()).collect();
    ports.extend([80, 443]);
    ports
}

/// The remote addresses in `/proc/net/tcp` or `tcp6` that are connected to one of these ports.
fn peers(text: &str, ports: &[u16]) -> Vec<Prefix> {
    let peer = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().take(4).collect();
        let [_, local, remote, ESTABLISHED] = words[..] else { return None };
        let port = u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok()?;
        let address = address_of(remote.rsplit_once(':')?.0).filter(|_| ports.contains(&port))?;
        Some(Prefix { network: address.into(), length: if address.is_ipv4() { 32 } else { 128 } })
    };
    text.lines().skip(1).filter_map(peer).collect()
}

/// An address as `/proc/net/tcp` prints it: 32-bit words in the machine's byte order.
fn address_of(hex: &str) -> Option<IpAddr> {
    let word = |at| u32::from_str_radix(hex.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    let words = (0..hex.len()).step_by(8).map(word).collect::<Option<Vec<_>>>()?.concat();
    let v4 = <[u8; 4]>::try_from(&*words).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(&*words).map(IpAddr::from)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_ends_of_web_connections_are_found() {
        let v4 = |address: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(address));
        let mapped = format!("{}{}{}{}", v4([0; 4]), v4([0; 4]), v4([0, 0, 255, 255]), v4([203, 0, 113, 9]));
        let (router, caller) = (v4([198, 51, 100, 1]), v4([203, 0, 113, 7]));
        let text = format!(
            "  sl  local_address rem_address   st\n\
             0: {router}:0050 {caller}:C001 01 0\n\
             1: {router}:0016 {router}:C001 01 0\n\
             2: {router}:1F90 {router}:C001 06 0\n\
             3: {mapped}:1F90 {mapped}:C001 01 0\n\
             4: nonsense\n"
        );
        let ports = web_ports("config uhttpd 'main'\n\tlist listen_http '[::]:8080'\n");
        let found: Vec<String> =
            peers(&text, &ports).iter().map(|prefix| prefix.network.to_string()).collect();
        assert_eq!(found, ["203.0.113.7", "203.0.113.9"]);
    }
}
