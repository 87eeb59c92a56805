//! Interfaces of a packet -> from outside or from inside, and why.
//!
//! Takes a log prefix, interfaces and what the options say about them, gives the direction and the reason for it. Called
//! once for each new log prefix and pair of interfaces, not for each line.
//!
//! What the user names decides. Otherwise what the log prefix says, then the name of the interface. A name that says
//! nothing (`eth0`) is taken for an uplink: on a server it is.

use super::log_prefix::Hint;
use crate::event::Verdict;
use crate::event::paths::Direction;

/// What is known of the machine's interfaces and rules before its log is read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Networks {
    /// Interfaces that lead outside; if there are any, all others are inside. `ppp+` matches all names that begin with `ppp`.
    pub wan: Vec<String>,
    /// Interfaces of the inside; if only these are given, all others lead outside.
    pub lan: Vec<String>,
    /// What the firewall's configuration says of log prefixes.
    pub rules: Vec<NamedRule>,
    /// Interfaces (`ppp+` stands for all that begin so) with the firewall's zone that they are in.
    pub zones: Vec<(String, String)>,
}

/// A rule of the firewall's configuration that logs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamedRule {
    /// The log prefix without blanks at its end.
    pub prefix: String,
    /// None: it lets packets pass.
    pub refuses: Option<Verdict>,
}

/// Why packets of an interface count as coming from outside or inside.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reason {
    NamedWan,
    NamedLan,
    NotNamed,
    LogPrefix,
    NoInput,
    UplinkName,
    InsideName,
    BridgePort,
    WirelessUplink,
    WirelessLan,
    OtherName,
}

impl Reason {
    /// For a person, in the words of [`Networks`]' options.
    pub const fn text(self) -> &'static str {
        match self {
            Reason::NamedWan => "named by --wan",
            Reason::NamedLan => "named by --lan",
            Reason::NotNamed => "not named by --wan or --lan",
            Reason::LogPrefix => "the log prefix says so",
            Reason::NoInput => "sent by the machine itself",
            Reason::UplinkName => "the name of an uplink",
            Reason::InsideName => "a name of the inside (LAN, bridge, container, VPN)",
            Reason::BridgePort => "the bridge port it came in by",
            Reason::WirelessUplink => "wireless, on a machine without br-lan",
            Reason::WirelessLan => "wireless, on a machine with br-lan",
            Reason::OtherName => "not a name of the inside",
        }
    }
}

/// The interfaces in one packet's log line; empty where the line has none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Interfaces<'a> {
    /// None: no `IN=` at all.
    pub input: Option<&'a str>,
    /// `OUT=`
    pub output: &'a str,
    /// `PHYSIN=`: the bridge port that the packet came in by.
    pub bridge_input: &'a str,
}

impl Networks {
    /// The firewall's zone of an interface, as far as its configuration is known.
    pub fn zone_of(&self, interface: &str) -> Option<&str> {
        let zone = self.zones.iter().find(|(name, _)| is_named(interface, name));
        zone.map(|(_, zone)| zone.as_str())
    }

    /// `lan_bridge`: the machine has OpenWrt's `br-lan`.
    pub fn direction(&self, hint: Hint, interfaces: Interfaces, lan_bridge: bool) -> (Direction, Reason) {
        let Interfaces { input, output, bridge_input } = interfaces;
        let named = |names: &[String]| names.iter().any(|name| is_named(input.unwrap_or_default(), name));
        if named(&self.wan) {
            return (Direction::Inbound, Reason::NamedWan);
        }
        if named(&self.lan) {
            return (Direction::Egress, Reason::NamedLan);
        }
        if !self.wan.is_empty() {
            return (Direction::Egress, Reason::NotNamed);
        }
        if !self.lan.is_empty() && input.is_some_and(|input| !matches!(input, "" | "lo")) {
            return (Direction::Inbound, Reason::NotNamed);
        }
        match hint {
            Hint::Inbound => return (Direction::Inbound, Reason::LogPrefix),
            Hint::Egress => return (Direction::Egress, Reason::LogPrefix),
            Hint::Nothing => {}
        }
        let Some(input) = input else { return (Direction::Inbound, Reason::OtherName) };
        if input.is_empty() {
            return (Direction::Egress, Reason::NoInput);
        }
        if is_uplink(input) {
            return (Direction::Inbound, Reason::UplinkName);
        }
        // A bridge between two networks: the port decides.
        let bridges = input == output && input != "br-lan" && !bridge_input.is_empty();
        if bridges {
            let direction = if is_inside(bridge_input) { Direction::Egress } else { Direction::Inbound };
            return (direction, Reason::BridgePort);
        }
        if is_inside(input) {
            return (Direction::Egress, Reason::InsideName);
        }
        if is_wireless(input) {
            return match lan_bridge {
                true => (Direction::Egress, Reason::WirelessLan),
                false => (Direction::Inbound, Reason::WirelessUplink),
            };
        }
        if !bridge_input.is_empty() && is_inside(bridge_input) {
            return (Direction::Egress, Reason::BridgePort);
        }
        (Direction::Inbound, Reason::OtherName)
    }
}

/// `ppp+` names all interfaces that begin with `ppp`, as in the firewall's own rules.
fn is_named(input: &str, name: &str) -> bool {
    match name.strip_suffix(['+', '*']) {
        Some(start) => input.starts_with(start),
        None => input == name,
    }
}

/// A name of OpenWrt, IPFire or pppd for what leads outside.
fn is_uplink(name: &str) -> bool {
    let name = name.strip_prefix("br-").unwrap_or(name);
    starts_with_any(name, &["wan", "wwan", "pppoe", "ppp", "red", "internet"])
}

/// No interface, or a name that is the inside's on OpenWrt, on other routers, or of containers, virtual machines and
/// VPNs.
pub fn is_inside(name: &str) -> bool {
    const EXACT: [&str; 2] = ["", "lo"];
    const BEGINNINGS: [&str; 40] = [
        "br-",
        "lan",
        "guest",
        "iot",
        "switch",
        "green",
        "blue",
        "orange",
        "docker",
        "virbr",
        "vmnet",
        "vboxnet",
        "waydroid",
        "hassio",
        "veth",
        "vnet",
        "tap",
        "fwln",
        "fwpr",
        "lxc",
        "lxd",
        "incusbr",
        "podman",
        "cni",
        "flannel",
        "cali",
        "vxlan",
        "cilium",
        "weave",
        "kube-",
        "wg",
        "tun",
        "utun",
        "nebula",
        "uap",
        "bat",
        "tailscale",
        "zt",
        "vti",
        "ipsec",
    ];
    // `br0` to `brN`, and their VLANs.
    let numbered_bridge = || {
        let number = name.strip_prefix("br").or(name.strip_prefix("bridge"));
        number.is_some_and(|number| number.starts_with(|first: char| first.is_ascii_digit()))
    };
    let access_point = || name.starts_with("phy") && name.contains("-ap");
    !is_uplink(name)
        && (EXACT.contains(&name)
            || starts_with_any(name, &BEGINNINGS)
            || numbered_bridge()
            || access_point())
}

/// `wlan0` is the LAN's on an access point, and the uplink of a laptop.
fn is_wireless(name: &str) -> bool {
    starts_with_any(name, &["wlan", "wlp", "wlx"])
}

fn starts_with_any(name: &str, beginnings: &[&str]) -> bool {
    beginnings.iter().any(|beginning| name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn direction(input: &str, output: &str, port: &str, lan_bridge: bool) -> String {
        let interfaces = Interfaces { input: Some(input), output, bridge_input: port };
        let (direction, reason) = Networks::default().direction(Hint::Nothing, interfaces, lan_bridge);
        format!("{direction:?} {reason:?}")
    }

    #[test]
    fn names_of_the_inside_and_the_outside() {
        for name in [
            "br-lan",
            "lan3",
            "phy0-ap0",
            "br0",
            "br12",
            "br0.20",
            "br-guest",
            "br-iot",
            "switch0",
            "switch0.10",
            "green0",
            "docker0",
            "vmnet8",
            "vxlan.calico",
            "cilium_host",
            "kube-bridge",
            "utun0",
            "bat0",
            "virbr0",
            "wg0",
            "tun0",
            "tailscale0",
            "lo",
        ] {
            assert_eq!(direction(name, "", "", false), "Egress InsideName", "{name}");
        }
        for (name, reason) in [
            ("wan", "UplinkName"),
            ("wanb", "UplinkName"),
            ("br-wan", "UplinkName"),
            ("pppoe-wan", "UplinkName"),
            ("ppp0", "UplinkName"),
            ("wwan0", "UplinkName"),
            ("red0", "UplinkName"),
            ("eth0", "OtherName"),
            ("enp3s0", "OtherName"),
            ("vmbr0", "OtherName"),
            ("phy0-sta0", "OtherName"),
            ("vlan2", "OtherName"),
            ("brother", "OtherName"),
            ("wlan0", "WirelessUplink"),
        ] {
            assert_eq!(direction(name, "", "", false), format!("Inbound {reason}"), "{name}");
        }
        assert_eq!(direction("wlan0", "", "", true), "Egress WirelessLan");
        assert_eq!(direction("", "eth0", "", false), "Egress NoInput");
    }

    #[test]
    fn on_a_bridge_the_port_tells() {
        assert_eq!(direction("vmbr0", "", "tap100i0", false), "Egress BridgePort");
        assert_eq!(direction("vmbr0", "", "eno1", false), "Inbound OtherName");
        assert_eq!(direction("br0", "br0", "eth0", false), "Inbound BridgePort");
        assert_eq!(direction("br0", "br0", "lan2", false), "Egress BridgePort");
        assert_eq!(direction("br0", "eth0", "eth1", false), "Egress InsideName");
        assert_eq!(direction("br-wan", "", "lan2", false), "Inbound UplinkName");
        assert_eq!(direction("br-lan", "br-lan", "eth0", true), "Egress InsideName");
    }

    #[test]
    fn what_the_user_names_decides() {
        let names = |list: &[&str]| list.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        let read = |wan: &[&str], lan: &[&str], hint, input| {
            let networks = Networks { wan: names(wan), lan: names(lan), ..Networks::default() };
            let interfaces = Interfaces { input: Some(input), ..Interfaces::default() };
            let (direction, reason) = networks.direction(hint, interfaces, false);
            format!("{direction:?} {reason:?}")
        };
        assert_eq!(read(&["br-lan"], &[], Hint::Egress, "br-lan"), "Inbound NamedWan");
        assert_eq!(read(&["ppp+"], &[], Hint::Nothing, "ppp3"), "Inbound NamedWan");
        assert_eq!(read(&["ppp0"], &[], Hint::Inbound, "eth1"), "Egress NotNamed");
        assert_eq!(read(&[], &["eth1"], Hint::Inbound, "eth1"), "Egress NamedLan");
        assert_eq!(read(&[], &["eth1"], Hint::Egress, "eth0"), "Inbound NotNamed");
        assert_eq!(read(&[], &["eth1"], Hint::Nothing, ""), "Egress NoInput");
        assert_eq!(read(&["eth1"], &["eth1"], Hint::Nothing, "eth1"), "Inbound NamedWan");
    }
}
