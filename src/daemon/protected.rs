//! What the router has and uses: its addresses, gateways, name and time servers, and the networks of the inside. None
//! of it is ever blocked.
//!
//! Reads UCI's files, the resolvers' files and `/proc/net`, gives prefixes with the reason. Changes nothing.

use std::fs::File;
use std::io;
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
use crate::sys::read::at_most;

/// Name servers from DHCP and PPP.
const RESOLV: [&str; 3] =
    ["/etc/resolv.conf", "/tmp/resolv.conf.d/resolv.conf.auto", "/tmp/resolv.conf.auto"];
/// Bytes that are read of a file; the rest is ignored.
const MAX_BYTES: u64 = 1 << 20;
const RTF_GATEWAY: u32 = 2;
const RTF_REJECT: u32 = 0x200;

/// Addresses and networks that must not be blocked, each with the reason.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct ProtectedAddresses {
    pub prefixes: Vec<(Prefix, Protection)>,
    /// The interfaces of default routes.
    pub outside: Vec<String>,
}

/// `directory`: UCI's, usually `/etc/config`.
pub(super) fn read(directory: &Path) -> ProtectedAddresses {
    let mut found = kernel_routes();
    found.interfaces();
    found.configured(directory);
    found.prefixes.sort_unstable_by_key(|(prefix, protection)| (*protection, prefix.network, prefix.length));
    found.prefixes.dedup();
    found
}

/// The gateways of the kernel's routing tables, and the interfaces of its default routes.
pub(super) fn kernel_routes() -> ProtectedAddresses {
    let mut found = ProtectedAddresses::default();
    let read = |name: &str| text(&Path::new("/proc/net").join(name));
    found.routes(&read("route"), &read("ipv6_route"));
    found
}

/// A file as text, with U+FFFD for what is not UTF-8; empty if it cannot be read.
pub(super) fn text(path: &Path) -> String {
    try_text(path).unwrap_or_default()
}

/// As [`text`], with the kernel's error about a file that exists.
pub(super) fn try_text(path: &Path) -> io::Result<String> {
    match File::open(path).and_then(|mut file| at_most(&mut file, MAX_BYTES)) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error),
    }
}

/// dnsmasq's `[/domain/]address[@interface][#port]`.
fn server(value: &str) -> &str {
    let address = value.rsplit('/').next().unwrap_or_default();
    let end = address.find(['#', '@', '%']).unwrap_or(address.len());
    &address[..end]
}

/// Columns of `/proc/net/route` (`Iface Destination Gateway Flags RefCnt Use Metric Mask ...`): interface, destination,
/// its mask or length, flags, gateway.
const V4_COLUMNS: [usize; 5] = [0, 1, 7, 3, 2];
/// The same of `/proc/net/ipv6_route`: destination, length, source, length, gateway, metric, two counters, flags, interface.
const V6_COLUMNS: [usize; 5] = [9, 0, 1, 8, 4];

impl ProtectedAddresses {
    /// Adds the addresses in UCI's and the resolvers' files.
    fn configured(&mut self, directory: &Path) {
        let mut resolv: Vec<String> = RESOLV.iter().map(|path| text(Path::new(path))).collect();
        for file in ["dhcp", "network", "system"] {
            let (sections, _) = uci::parse(&text(&directory.join(file)));
            for section in &sections {
                for setting in &section.settings {
                    let protection = match (file, section.kind.as_str(), setting.name.as_str()) {
                        ("dhcp", _, "resolvfile") => {
                            resolv.push(text(Path::new(&setting.value)));
                            continue;
                        }
                        ("dhcp", _, "server") | ("network", _, "dns") => Protection::NameServer,
                        ("network", _, "gateway" | "ip6gw" | "ipgw") => Protection::Gateway,
                        // Most are host names, whose addresses become peers when the router connects to them.
                        ("system", "timeserver", "server") => Protection::TimeServer,
                        _ => continue,
                    };
                    setting.value.split_whitespace().for_each(|word| self.host(server(word), protection));
                }
            }
        }
        for line in resolv.iter().flat_map(|text| text.lines()) {
            let mut words = line.split_whitespace();
            if let (Some("nameserver"), Some(word)) = (words.next(), words.next()) {
                self.host(server(word), Protection::NameServer);
            }
        }
    }

    /// Adds an address; host names are ignored.
    fn host(&mut self, text: &str, protection: Protection) {
        if let Ok(address) = text.parse::<IpAddr>() {
            self.add(address.into(), protection);
        }
    }

    /// Adds an address, unless it is 0.0.0.0 or ::.
    fn add(&mut self, address: Address, protection: Protection) {
        if ![Address::v4(0), Address::v6(0)].contains(&address) {
            let length = if address.is_v4() { 32 } else { 128 };
            self.prefixes.push((Prefix { network: address, length }, protection));
        }
    }

    /// Adds the gateways of the kernel's routing tables, and the interfaces of the default routes.
    fn routes(&mut self, v4: &str, v6: &str) {
        let v4 = v4.lines().map(|line| (line, V4_COLUMNS));
        for (line, columns) in v4.chain(v6.lines().map(|line| (line, V6_COLUMNS))) {
            // Lines that are no routes, such as the heading, are skipped.
            let _ = self.route(line, columns);
        }
        self.outside.sort_unstable();
        self.outside.dedup();
    }

    /// Adds what a line of a routing table says. `None`: it is no route, or its packets go nowhere.
    fn route(&mut self, line: &str, columns: [usize; 5]) -> Option<()> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [interface, destination, mask, flags, gateway] = columns.map(|at| words.get(at).copied());
        let number = |word: Option<&str>| u128::from_str_radix(word?, 16).ok();
        let gateway: IpAddr = match columns {
            // In network byte order.
            V4_COLUMNS => Ipv4Addr::from((number(gateway)? as u32).to_ne_bytes()).into(),
            _ => Ipv6Addr::from_bits(number(gateway)?).into(),
        };
        let is_default = number(destination)? == 0 && number(mask)? == 0;
        let (interface, flags) = (interface?, number(flags)? as u32);
        if flags & RTF_REJECT != 0 || (columns == V6_COLUMNS && interface == "lo") {
            return None;
        }
        if flags & RTF_GATEWAY != 0 {
            self.add(gateway.into(), Protection::Gateway);
        }
        if is_default {
            self.outside.push(interface.to_string());
        }
        Some(())
    }

    /// Adds the addresses of the interfaces, and the networks of those of the inside.
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
                self.prefixes.push((Prefix { network: address, length }, Protection::Lan));
            }
        }
    }
}

/// An IP address; `None`: of another family.
fn ip(address: &SockaddrStorage) -> Option<Address> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(IpAddr::V4(v4.ip()).into());
    }
    address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip()).into())
}

/// A netmask's bits, counted in the address's family.
fn length(address: Address, mask: Address) -> Option<u8> {
    Some(if address.is_v4() {
        // A mask of all ones is no mapped address of anything else.
        mask.as_v4()?.leading_ones() as u8
    } else {
        u128::from_be_bytes(mask.to_bytes()).leading_ones() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(found: &ProtectedAddresses) -> Vec<String> {
        let row = |(prefix, protection): &(Prefix, Protection)| {
            format!("{}/{} {protection:?}", prefix.network, prefix.length)
        };
        found.prefixes.iter().map(row).collect()
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
        let mut found = ProtectedAddresses::default();
        found.routes(&v4, v6);
        assert_eq!(shown(&found), ["203.0.113.1/32 Gateway", "2001:db8::9/128 Gateway"]);
        assert_eq!(found.outside, ["pppoe-wan", "wan6"]);
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
        let mut found = ProtectedAddresses::default();
        found.configured(&directory);
        let rows = shown(&found);
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
            assert!(rows.iter().any(|row| row == expected), "{expected} in {rows:?}");
        }
    }
}
