//! Interfaces of a packet -> from outside or from inside, and why.
//!
//! Takes a log prefix, interfaces and what the options say about them, gives the direction and the reason for it. Called
//! once for each new log prefix and pair of interfaces, not for each line.
//!
//! What the user names decides. Otherwise what the log prefix says, then the name of the interface. A name that says
//! nothing (`eth0`) is taken for an uplink: on a server it is.

use crate::event::Verdict;
use crate::event::paths::{Direction, Path};

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

const OTHER_NAME: &str = "not a name of the inside";
const BRIDGE_PORT: &str = "the bridge port it came in by";
/// Why a wireless interface leads outside.
pub(super) const WIRELESS_UPLINK: &str = "wireless, on a machine without br-lan";
/// Why a wireless interface is inside.
pub(super) const WIRELESS_LAN: &str = "wireless, on a machine with br-lan";

impl Networks {
    /// The firewall's zone of an interface, as far as its configuration is known.
    pub fn zone_of(&self, interface: &str) -> Option<&str> {
        let zone = self.zones.iter().find(|(name, _)| is_named(interface, name));
        zone.map(|(_, zone)| zone.as_str())
    }

    /// The direction of a packet by the interfaces of its path, and the reason for a person, in the words of these options.
    /// `hint`: what the log prefix says; `has_input`: the line has `IN=`; `lan_bridge`: the machine has OpenWrt's `br-lan`.
    pub fn direction(
        &self,
        hint: Option<Direction>,
        has_input: bool,
        path: &Path,
        lan_bridge: bool,
    ) -> (Direction, &'static str) {
        use Direction::{Egress, Inbound};
        let Path { input: name, output, bridge_input, .. } = path;
        let named = |names: &[String]| names.iter().any(|known| is_named(name, known));
        if named(&self.wan) {
            (Inbound, "named by --wan")
        } else if named(&self.lan) {
            (Egress, "named by --lan")
        } else if !self.wan.is_empty() {
            (Egress, "not named by --wan or --lan")
        } else if !self.lan.is_empty() && !matches!(name.as_str(), "" | "lo") {
            (Inbound, "not named by --wan or --lan")
        } else if let Some(direction) = hint {
            (direction, "the log prefix says so")
        } else if !has_input {
            (Inbound, OTHER_NAME)
        } else if name.is_empty() {
            (Egress, "sent by the machine itself")
        } else if is_uplink(name) {
            (Inbound, "the name of an uplink")
        } else if name == output && name != "br-lan" && !bridge_input.is_empty() {
            // A bridge between two networks: the port decides.
            (if is_inside(bridge_input) { Egress } else { Inbound }, BRIDGE_PORT)
        } else if is_inside(name) {
            (Egress, "a name of the inside (LAN, bridge, container, VPN)")
        } else if starts_with_any(name, WIRELESS) {
            if lan_bridge { (Egress, WIRELESS_LAN) } else { (Inbound, WIRELESS_UPLINK) }
        } else if !bridge_input.is_empty() && is_inside(bridge_input) {
            (Egress, BRIDGE_PORT)
        } else {
            (Inbound, OTHER_NAME)
        }
    }
}

/// `ppp+` names all interfaces that begin with `ppp`, as in the firewall's own rules.
fn is_named(input: &str, name: &str) -> bool {
    match name.strip_suffix(['+', '*']) {
        Some(start) => input.starts_with(start),
        None => input == name,
    }
}

/// Names begin so on OpenWrt, IPFire and with pppd for what leads outside.
const UPLINKS: &str = "wan wwan pppoe ppp red internet";
/// `wlan0` is the LAN's on an access point, and the uplink of a laptop.
const WIRELESS: &str = "wlan wlp wlx";
/// Names begin so for the inside on OpenWrt, on other routers, or of containers, virtual machines and VPNs.
const INSIDE: &str = "br- lan guest iot switch green blue orange docker virbr vmnet vboxnet waydroid hassio veth vnet \
    tap fwln fwpr lxc lxd incusbr podman cni flannel cali vxlan cilium weave kube- wg tun utun nebula uap bat tailscale zt \
    vti ipsec";

fn is_uplink(name: &str) -> bool {
    starts_with_any(name.strip_prefix("br-").unwrap_or(name), UPLINKS)
}

/// No interface, or a name that is the inside's.
pub fn is_inside(name: &str) -> bool {
    // `br0` to `brN`, and their VLANs.
    let numbered_bridge = || {
        let number = name.strip_prefix("br").or(name.strip_prefix("bridge"));
        number.is_some_and(|number| number.starts_with(|first: char| first.is_ascii_digit()))
    };
    let access_point = || name.starts_with("phy") && name.contains("-ap");
    !is_uplink(name)
        && (matches!(name, "" | "lo") || starts_with_any(name, INSIDE) || numbered_bridge() || access_point())
}

/// Whether `name` begins with one of these words.
fn starts_with_any(name: &str, beginnings: &str) -> bool {
    beginnings.split_ascii_whitespace().any(|beginning| name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn direction(input: &str, output: &str, port: &str, lan_bridge: bool) -> String {
        let path =
            Path { input: input.into(), output: output.into(), bridge_input: port.into(), ..Path::default() };
        let (direction, reason) = Networks::default().direction(None, true, &path, lan_bridge);
        format!("{direction:?} {reason}")
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
            assert_eq!(
                direction(name, "", "", false),
                "Egress a name of the inside (LAN, bridge, container, VPN)",
                "{name}"
            );
        }
        for (name, reason) in [
            ("wan", "the name of an uplink"),
            ("wanb", "the name of an uplink"),
            ("br-wan", "the name of an uplink"),
            ("pppoe-wan", "the name of an uplink"),
            ("ppp0", "the name of an uplink"),
            ("wwan0", "the name of an uplink"),
            ("red0", "the name of an uplink"),
            ("eth0", "not a name of the inside"),
            ("enp3s0", "not a name of the inside"),
            ("vmbr0", "not a name of the inside"),
            ("phy0-sta0", "not a name of the inside"),
            ("vlan2", "not a name of the inside"),
            ("brother", "not a name of the inside"),
            ("wlan0", "wireless, on a machine without br-lan"),
        ] {
            assert_eq!(direction(name, "", "", false), format!("Inbound {reason}"), "{name}");
        }
        assert_eq!(direction("wlan0", "", "", true), "Egress wireless, on a machine with br-lan");
        assert_eq!(direction("", "eth0", "", false), "Egress sent by the machine itself");
    }

    #[test]
    fn on_a_bridge_the_port_tells() {
        assert_eq!(direction("vmbr0", "", "tap100i0", false), "Egress the bridge port it came in by");
        assert_eq!(direction("vmbr0", "", "eno1", false), "Inbound not a name of the inside");
        assert_eq!(direction("br0", "br0", "eth0", false), "Inbound the bridge port it came in by");
        assert_eq!(direction("br0", "br0", "lan2", false), "Egress the bridge port it came in by");
        assert_eq!(
            direction("br0", "eth0", "eth1", false),
            "Egress a name of the inside (LAN, bridge, container, VPN)"
        );
        assert_eq!(direction("br-wan", "", "lan2", false), "Inbound the name of an uplink");
        assert_eq!(
            direction("br-lan", "br-lan", "eth0", true),
            "Egress a name of the inside (LAN, bridge, container, VPN)"
        );
    }

    #[test]
    fn what_the_user_names_decides() {
        let names = |list: &[&str]| list.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        let read = |wan: &[&str], lan: &[&str], hint, input: &str| {
            let networks = Networks { wan: names(wan), lan: names(lan), ..Networks::default() };
            let path = Path { input: input.into(), ..Path::default() };
            let (direction, reason) = networks.direction(hint, true, &path, false);
            format!("{direction:?} {reason}")
        };
        assert_eq!(read(&["br-lan"], &[], Some(Direction::Egress), "br-lan"), "Inbound named by --wan");
        assert_eq!(read(&["ppp+"], &[], None, "ppp3"), "Inbound named by --wan");
        assert_eq!(
            read(&["ppp0"], &[], Some(Direction::Inbound), "eth1"),
            "Egress not named by --wan or --lan"
        );
        assert_eq!(read(&[], &["eth1"], Some(Direction::Inbound), "eth1"), "Egress named by --lan");
        assert_eq!(
            read(&[], &["eth1"], Some(Direction::Egress), "eth0"),
            "Inbound not named by --wan or --lan"
        );
        assert_eq!(read(&[], &["eth1"], None, ""), "Egress sent by the machine itself");
        assert_eq!(read(&["eth1"], &["eth1"], None, "eth1"), "Inbound named by --wan");
    }
}
