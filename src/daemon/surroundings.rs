//! What the router has and uses: its addresses, gateways, name and time servers, and the networks of the
//! inside. None of it is ever blocked.

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrStorage;

use crate::config::uci;
use crate::event::Address;
use crate::guard::Protection;
use crate::parse::interfaces::is_inside;
use crate::query::question::Prefix;

/// Name servers from DHCP and PPP.
const RESOLV: [&str; 3] =
    ["/etc/resolv.conf", "/tmp/resolv.conf.d/resolv.conf.auto", "/tmp/resolv.conf.auto"];
/// Longer files are cut.
const MAX_BYTES: u64 = 256 << 10;
const RTF_GATEWAY: u32 = 2;
const RTF_REJECT: u32 = 0x200;

/// Addresses and networks that must not be blocked, each with the reason.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Surroundings {
    pub protected: Vec<(Prefix, Protection)>,
    /// Interfaces that a default route leads through.
    pub outside: Vec<String>,
}

/// `directory`: UCI's, usually `/etc/config`.
pub(super) fn read(directory: &Path) -> Surroundings {
    let mut surroundings = Surroundings::default();
    surroundings.routes(&text(Path::new("/proc/net/route")), &text(Path::new("/proc/net/ipv6_route")));
    surroundings.interfaces();
    surroundings.configured(directory);
    surroundings.protected.sort_by_key(|(prefix, protection)| (*protection, prefix.network, prefix.length));
    surroundings.protected.dedup();
    surroundings.outside.sort();
    surroundings.outside.dedup();
    surroundings
}

/// The interfaces that a default route leads through at present.
pub(super) fn default_route_interfaces() -> Vec<String> {
    let mut surroundings = Surroundings::default();
    surroundings.routes(&text(Path::new("/proc/net/route")), &text(Path::new("/proc/net/ipv6_route")));
    surroundings.outside.sort();
    surroundings.outside.dedup();
    surroundings.outside
}

/// Empty if it cannot be read.
fn text(path: &Path) -> String {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes));
    read.map_or(String::new(), |_| String::from_utf8_lossy(&bytes).into_owned())
}

/// dnsmasq's `[/domain/]address[@interface][#port]`.
fn server(value: &str) -> &str {
    let address = value.rsplit('/').next().unwrap_or_default();
    let end = address.find(['#', '@', '%']).unwrap_or(address.len());
    &address[..end]
}

impl Surroundings {
    /// What the files of UCI and the resolvers name.
    fn configured(&mut self, directory: &Path) {
        let mut resolv: Vec<String> = RESOLV.iter().map(|path| text(Path::new(path))).collect();
        let dhcp = text(&directory.join("dhcp"));
        let (sections, _) = uci::parse(&dhcp);
        for setting in sections.iter().flat_map(|section| &section.settings) {
            match setting.name.as_str() {
                "server" => self.host(server(&setting.value), Protection::NameServer),
                "resolvfile" => resolv.push(text(Path::new(&setting.value))),
                _ => {}
            }
        }
        resolv.iter().for_each(|text| self.name_servers(text));
        let network = text(&directory.join("network"));
        let (sections, _) = uci::parse(&network);
        for setting in sections.iter().flat_map(|section| &section.settings) {
            let protection = match setting.name.as_str() {
                "dns" => Protection::NameServer,
                "gateway" | "ip6gw" | "ipgw" => Protection::Gateway,
                _ => continue,
            };
            setting.value.split_whitespace().for_each(|word| self.host(word, protection));
        }
        let system = text(&directory.join("system"));
        let (sections, _) = uci::parse(&system);
        for section in sections.iter().filter(|section| section.kind == "timeserver") {
            for setting in section.settings.iter().filter(|setting| setting.name == "server") {
                // Most are names: to whom these lead the kernel sees, and remembers as peers.
                setting.value.split_whitespace().for_each(|word| self.host(word, Protection::TimeServer));
            }
        }
    }

    fn host(&mut self, text: &str, protection: Protection) {
        if let Ok(address) = text.parse::<IpAddr>() {
            self.add(address.into(), protection);
        }
    }

    fn add(&mut self, address: Address, protection: Protection) {
        let unspecified = [Address::v4(0), Address::v6(0)].contains(&address);
        if !unspecified {
            let length = if address.is_v4() { 32 } else { 128 };
            self.protected.push((Prefix { network: address, length }, protection));
        }
    }

    fn name_servers(&mut self, text: &str) {
        for line in text.lines() {
            let mut words = line.split_whitespace();
            if words.next() == Some("nameserver")
                && let Some(word) = words.next()
            {
                self.host(server(word), Protection::NameServer);
            }
        }
    }

    /// The kernel's tables of routes as text.
    fn routes(&mut self, v4: &str, v6: &str) {
        for line in v4.lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let number = |at: usize| words.get(at).and_then(|word| u32::from_str_radix(word, 16).ok());
            let (Some(target), Some(gateway), Some(flags), Some(mask)) =
                (number(1), number(2), number(3), number(7))
            else {
                continue;
            };
            if flags & RTF_REJECT != 0 {
                continue;
            }
            if flags & RTF_GATEWAY != 0 {
                self.add(IpAddr::V4(Ipv4Addr::from(gateway.to_ne_bytes())).into(), Protection::Gateway);
            }
            if target == 0 && mask == 0 {
                self.outside.push(words[0].to_string());
            }
        }
        for line in v6.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let number = |at: usize| words.get(at).and_then(|word| u128::from_str_radix(word, 16).ok());
            let (Some(target), Some(length), Some(gateway), Some(flags)) =
                (number(0), number(1), number(4), number(8))
            else {
                continue;
            };
            let flags = flags as u32;
            if flags & RTF_REJECT != 0 || words.len() < 10 || words[9] == "lo" {
                continue;
            }
            if flags & RTF_GATEWAY != 0 {
                self.add(IpAddr::V6(Ipv6Addr::from_bits(gateway)).into(), Protection::Gateway);
            }
            if target == 0 && length == 0 {
                self.outside.push(words[9].to_string());
            }
        }
    }

    fn interfaces(&mut self) {
        let Ok(interfaces) = getifaddrs() else { return };
        for interface in interfaces {
            let Some(address) = interface.address.as_ref().and_then(ip) else { continue };
            self.add(address, Protection::Own);
            if let Some(peer) = interface.destination.as_ref().and_then(ip)
                && interface.flags.contains(InterfaceFlags::IFF_POINTOPOINT)
            {
                self.add(peer, Protection::Gateway);
            }
            let name = &interface.interface_name;
            let inside = !self.outside.contains(name) && (!self.outside.is_empty() || is_inside(name));
            let length = interface.netmask.as_ref().and_then(ip).and_then(|mask| length(address, mask));
            if let Some(length) = length.filter(|length| inside && *length > 0) {
                self.protected.push((Prefix { network: address, length }, Protection::Lan));
            }
        }
    }
}

fn ip(address: &SockaddrStorage) -> Option<Address> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(IpAddr::V4(v4.ip()).into());
    }
    address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip()).into())
}

/// A netmask's bits, counted in the address's family.
fn length(address: Address, mask: Address) -> Option<u8> {
    let ones = if address.is_v4() {
        // A mask of all ones is no mapped address of anything else.
        mask.as_v4()?.leading_ones()
    } else {
        u128::from_be_bytes(mask.to_bytes()).leading_ones()
    };
    u8::try_from(ones).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(surroundings: &Surroundings) -> Vec<String> {
        let row = |(prefix, protection): &(Prefix, Protection)| {
            format!("{}/{} {protection:?}", prefix.network, prefix.length)
        };
        surroundings.protected.iter().map(row).collect()
    }

    #[test]
    fn gateways_and_the_way_out_are_read_from_the_kernels_tables() {
        // As a machine of this byte order prints them.
        let hex = |address: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(address));
        let v4 = format!(
            "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
             pppoe-wan\t00000000\t{}\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
             br-lan\t{}\t00000000\t0001\t0\t0\t0\t{}\t0\t0\t0\n\
             bad line\n",
            hex([203, 0, 113, 1]),
            hex([192, 168, 1, 0]),
            hex([255, 255, 255, 0])
        );
        let v6 = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
                  20010db8000000000000000000000009 00000400 00000001 00000000 00000003 wan6\n\
                  00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
                  00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n";
        let mut surroundings = Surroundings::default();
        surroundings.routes(&v4, v6);
        assert_eq!(shown(&surroundings), ["203.0.113.1/32 Gateway", "2001:db8::9/128 Gateway"]);
        assert_eq!(surroundings.outside, ["pppoe-wan", "wan6"]);
    }

    #[test]
    fn name_and_time_servers_are_read_from_uci_and_resolv_conf() {
        let directory = std::env::temp_dir().join(format!("fwstat-around-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let write = |name: &str, text: &str| std::fs::write(directory.join(name), text).unwrap();
        write("auto", "# Interface wan\nnameserver 203.0.113.53\nnameserver fe80::1%wan\nsearch lan\n");
        let resolv = directory.join("auto").display().to_string();
        write(
            "dhcp",
            &format!(
                "config dnsmasq\n\tlist server '/example.org/203.0.113.54#5353'\n\tlist server '2001:db8::53'\n\
                 \tlist server 'https://x'\n\toption resolvfile '{resolv}'\n"
            ),
        );
        write(
            "network",
            "config interface 'wan'\n\toption dns '203.0.113.55 203.0.113.56'\n\toption gateway '203.0.113.2'\n",
        );
        write(
            "system",
            "config timeserver 'ntp'\n\tlist server '203.0.113.123'\n\tlist server '0.openwrt.pool.ntp.org'\n",
        );
        let mut surroundings = Surroundings::default();
        surroundings.configured(&directory);
        let found = shown(&surroundings);
        std::fs::remove_dir_all(&directory).unwrap();
        for expected in [
            "203.0.113.53/32 NameServer",
            "203.0.113.54/32 NameServer",
            "203.0.113.55/32 NameServer",
            "203.0.113.56/32 NameServer",
            "2001:db8::53/128 NameServer",
            "fe80::1/128 NameServer",
            "203.0.113.2/32 Gateway",
            "203.0.113.123/32 TimeServer",
        ] {
            assert!(found.iter().any(|row| row == expected), "{expected} in {found:?}");
        }
    }
}
