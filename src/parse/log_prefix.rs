//! Log prefix -> verdict, zone, and what it says of the direction.
//!
//! Takes the text before `IN=` with the interfaces behind it, gives a `Path`. Called once for each new log prefix and
//! pair of interfaces, not for each line.

use super::interfaces::{Networks, WIRELESS_LAN, WIRELESS_UPLINK};
use super::netfilter::Context;
use super::syslog::without_description;
use crate::event::paths::Direction::{self, Egress, Inbound};
use crate::event::paths::Path;
use crate::event::{Origin, Verdict};

/// The log prefix of our own rule for connections to the ports of worms.
const EGRESS: &str = "fwstat egress:";

/// Longer texts are cut: prefixes have at most 127 bytes in the kernel, interfaces 15.
const LONGEST_TEXT: usize = 128;

/// The path of a packet by its log prefix and interfaces, and whether the firewall let it pass or only watched it.
pub fn path(context: &Context, origin: Origin, networks: &Networks, lan_bridge: bool) -> (Path, bool) {
    let prefix = text(without_description(context.prefix).trim_ascii_end());
    let (verdict, accepted) = match networks.rules.iter().find(|rule| rule.prefix == prefix) {
        Some(rule) => (rule.refuses.unwrap_or_default(), rule.refuses.is_none()),
        None => verdict(&prefix),
    };
    let (zone, hint) = zone(&prefix);
    let input = text(context.input.unwrap_or_default());
    let firewall_zone = zone.filter(|_| prefix != EGRESS).or_else(|| networks.zone_of(&input));
    let mut path = Path {
        origin,
        firewall_zone: firewall_zone.map(str::to_string),
        zone: zone.map(str::to_string),
        prefix: prefix.clone(),
        input,
        output: text(context.output.unwrap_or_default()),
        bridge_input: text(context.bridge_input),
        bridge_output: text(context.bridge_output),
        group_mac: context.group_mac,
        verdict,
        direction: Inbound,
    };
    (path.direction, _) = networks.direction(hint, context.input.is_some(), &path, lan_bridge);
    (path, accepted)
}

/// Printable ASCII; `?` replaces any other byte.
pub fn text(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(LONGEST_TEXT)];
    bytes.iter().map(|&byte| if matches!(byte, b' '..=b'~') { byte as char } else { '?' }).collect()
}

/// The first word that is a verdict; the second value says that the packet was not refused.
fn verdict(prefix: &str) -> (Verdict, bool) {
    let accepted = (Verdict::Unknown, true);
    // Also fw4's redirects, and what IPFire's rules let through.
    let is_watched = ["TRACE:", "MSSFIX ", "@redirect["].iter().any(|start| prefix.starts_with(start))
        // Firewalla's log of connections that its rules let pass (A), that it tracks (C) or routes (R).
        || ["[UFW AUDIT", "[FW_ADT]A=A ", "[FW_ADT]A=C ", "[FW_ADT]A=R "].iter().any(|text| prefix.contains(text))
        // ulogd2's record of a connection: `[NEW] ORIG: SRC=...`.
        || prefix.ends_with("ORIG:");
    if is_watched {
        return accepted;
    }
    if let Some((_, parts)) = label(prefix).and_then(|label| label.split_once('-')) {
        // VyOS writes at the end, too: continue, jump, offload, queue, synproxy.
        if matches!(parts.rsplit('-').next(), Some("C" | "J" | "O" | "Q" | "S")) {
            return accepted;
        }
        // The last one tells: EdgeOS and VyOS write it at the end, UniFi OS before a number; a name may have such a part.
        for part in parts.rsplit('-') {
            match part {
                // Translations of addresses, too.
                "A" | "ACC" | "RET" | "DNAT" | "SNAT" | "NAT" | "MASQ" => return accepted,
                "D" => return (Verdict::Drop, false),
                "R" => return (Verdict::Reject, false),
                _ => {}
            }
        }
    }
    let words = prefix.split(|letter: char| !letter.is_ascii_alphanumeric());
    let (mut negated, mut translated) = (false, prefix.contains("-ACC-"));
    for word in words.filter(|word| !word.is_empty()) {
        let is_negated = std::mem::replace(&mut negated, word.eq_ignore_ascii_case("not"));
        match word.to_ascii_lowercase().as_str() {
            "accepted" | "allowed" | "permitted" if is_negated => return (Verdict::Drop, false),
            "accept" | "accepted" | "allow" | "allowed" | "permit" | "permitted" | "pass" | "passed" => {
                return accepted;
            }
            // Where addresses are translated, and tables of IPFire and Endian: what is refused there says so behind it.
            "dnat" | "snat" | "masquerade" | "redirect" | "forwardfw" | "inputfw" | "outgoingfw" => {
                translated = true
            }
            "reject" | "rejected" => return (Verdict::Reject, false),
            "drop" | "dropped" | "drops" | "deny" | "denied" | "block" | "blocked" | "discard"
            | "discarded" | "bad" | "invalid" | "kill" | "killed" => return (Verdict::Drop, false),
            _ => {}
        }
    }
    // Shorewall's action LOG leaves the verdict to the rules behind it.
    let only_logs = prefix.starts_with("Shorewall:") && prefix.trim_end_matches(':').ends_with(":LOG");
    if translated || only_logs { accepted } else { (Verdict::Unknown, false) }
}

/// The text in brackets that EdgeOS, VyOS and UniFi OS begin their prefixes with: `WAN_LOCAL-default-D`. A host's name
/// may stand before it.
fn label(prefix: &str) -> Option<&str> {
    prefix.split(' ').find_map(|word| Some(word.strip_prefix('[')?.split_once(']')?.0))
}

/// Zones that lead outside: `wan`, `wanb`, `wan2`, `wan6`, `wwan`; Shorewall's `net`; IPFire's `red`.
fn is_outside(zone: &str) -> bool {
    let zone = zone.to_ascii_lowercase();
    zone.starts_with("wan")
        || ["wwan", "internet", "inet", "net", "red", "ext", "external", "world"].contains(&zone.as_str())
}

/// The zone in a prefix of fw4 (`reject wan in:`, `drop wan invalid ct state:`) or fw3 (`REJECT(src wan)`,
/// `REJECT wan in:`), and what this or any other prefix says of the direction.
fn zone(prefix: &str) -> (Option<&str>, Option<Direction>) {
    let is_verdict =
        |word: &str| ["reject", "drop", "accept"].iter().any(|known| word.eq_ignore_ascii_case(known));
    let of_zone = |zone: &str| Some(if is_outside(zone) { Inbound } else { Egress });
    if prefix == EGRESS {
        return (Some("egress"), Some(Egress));
    }
    if let Some((word, rest)) = prefix.split_once('(')
        && is_verdict(word)
        && let Some((side, rest)) = rest.split_once(' ')
        && let Some((zone, _)) = rest.split_once(')')
    {
        // banIP's own prefix, which names no zone.
        if zone == "banIP" {
            return (None, if side == "dest" { Some(Egress) } else { None });
        }
        return (Some(zone), if side == "dest" { Some(Egress) } else { of_zone(zone) });
    }
    let mut words = prefix.trim_end_matches(':').split(' ');
    if let (Some(word), Some(zone), Some(chain)) = (words.next(), words.next(), words.next())
        && is_verdict(word)
    {
        match (chain, words.next()) {
            ("in" | "forward" | "blocked", None) | ("invalid", Some("ct")) => {
                return (Some(zone), of_zone(zone));
            }
            ("out", None) => return (Some(zone), Some(Egress)),
            _ => {}
        }
    }
    (None, other_direction(prefix))
}

/// What prefixes that name no zone of OpenWrt say.
fn other_direction(prefix: &str) -> Option<Direction> {
    if let Some(rest) = prefix.strip_prefix("banIP/") {
        return match rest.split('/').next().unwrap_or_default() {
            "outbound" | "fwd-lan" => Some(Egress),
            _ => None,
        };
    }
    let first = prefix.split(' ').next().unwrap_or_default();
    let shorewall = prefix.strip_prefix("Shorewall:").and_then(|rest| rest.split(':').next());
    let chain = shorewall.or(Some(first).filter(|first| first.contains('-')));
    let is_zone = |zone: &str| is_outside(zone) || matches!(zone, "loc" | "lan" | "fw" | "dmz" | "vpn");
    let of_zones = || {
        let (from, to) = chain.and_then(|chain| chain.split_once('-').or_else(|| chain.split_once('2')))?;
        let are_zones = is_zone(from) && (is_zone(to) || to == "all");
        are_zones.then(|| if is_outside(from) { Inbound } else { Egress })
    };
    let of_word = |word: &str| match word.to_ascii_lowercase().as_str() {
        "outbound" | "outgoing" | "outg" | "egress" => Some(Egress),
        "inbound" | "incoming" | "ingress" => Some(Inbound),
        _ => None,
    };
    let by_chain = label(prefix).and_then(rule_set).or_else(|| pve_chain(first)).or_else(of_zones);
    by_chain.or_else(|| prefix.split(|letter: char| !letter.is_ascii_alphanumeric()).find_map(of_word))
}

/// Chains of Proxmox VE, which are about a machine or a security group: `PVEFW-HOST-IN`, `tap100i0-OUT`, `veth100i0-IN`,
/// `GROUP-web-IN`; `host-in`, `guest-100-in`, `group-web-in` of its firewall with nftables.
fn pve_chain(chain: &str) -> Option<Direction> {
    let (owner, side) = chain.rsplit_once('-')?;
    let is_numbered = |start: &&str| {
        let number = owner.strip_prefix(*start);
        number.is_some_and(|number| number.starts_with(|first: char| first.is_ascii_digit()))
    };
    let is_known = ["PVEFW-HOST", "host"].contains(&owner)
        || ["GROUP-", "group-"].iter().any(|start| owner.starts_with(start))
        || ["tap", "veth", "guest-"].iter().any(is_numbered);
    match side {
        _ if !is_known => None,
        "IN" | "in" => Some(Inbound),
        "OUT" | "out" => Some(Egress),
        _ => None,
    }
}

/// Rule sets of EdgeOS and UniFi OS: `WAN_IN` and `WAN_LOCAL` stand where packets come in from outside, `WAN_OUT` where
/// they go out to it, `LAN_IN`, `LAN_LOCAL` and those of guests where they come in from inside.
fn rule_set(label: &str) -> Option<Direction> {
    let (network, rest) = label.split_once('_')?;
    let side = rest.split('-').next().unwrap_or_default();
    match (is_outside(network), side.trim_start_matches("V6_").trim_start_matches("v6_")) {
        (true, "IN" | "LOCAL") => Some(Inbound),
        (true, "OUT") => Some(Egress),
        (false, "IN" | "LOCAL") if ["LAN", "GUEST", "DMZ", "VPN"].contains(&network) => Some(Egress),
        _ => None,
    }
}

/// Whether packets of this path count as coming from outside, and why: for people.
pub fn reason(path: &Path, networks: &Networks, lan_bridge: bool) -> &'static str {
    let (_, hint) = zone(&path.prefix);
    let (direction, reason) = networks.direction(hint, true, path, lan_bridge);
    match path.direction {
        known if known == direction => reason,
        // It was read before `br-lan` was seen in the log.
        Inbound => WIRELESS_UPLINK,
        Egress => WIRELESS_LAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(prefix: &str, input: &str) -> String {
        let context =
            Context { prefix: prefix.as_bytes(), input: Some(input.as_bytes()), ..Context::default() };
        let (path, accepted) = path(&context, Origin::Log, &Networks::default(), false);
        let accepted = if accepted { " accepted" } else { "" };
        let zone = path.zone.as_deref().unwrap_or("-");
        format!("{} {zone} {:?}{accepted}", path.verdict.name(), path.direction)
    }

    #[test]
    fn prefixes_of_the_usual_firewalls() {
        for (prefix, input, expected) in [
            ("reject wan in: ", "eth1", "reject wan Inbound"),
            ("drop wan in: ", "br-wan", "drop wan Inbound"),
            ("drop wan forward: ", "eth1", "drop wan Inbound"),
            ("drop wan invalid ct state: ", "eth1", "drop wan Inbound"),
            ("reject wan out: ", "br-lan", "reject wan Egress"),
            ("reject wan out: ", "eth7", "reject wan Egress"),
            ("reject guest in: ", "br-guest", "reject guest Egress"),
            ("drop wanb in: ", "eth3", "drop wanb Inbound"),
            ("drop wan6 in: ", "eth3", "drop wan6 Inbound"),
            ("drop wwan in: ", "phy1-sta0", "drop wwan Inbound"),
            ("drop internet in: ", "eth3", "drop internet Inbound"),
            ("drop wan blocked: ", "eth1", "drop wan Inbound"),
            ("fwstat egress: ", "br-guest", "unknown egress Egress"),
            ("accept wan in: ", "eth1", "unknown wan Inbound accepted"),
            ("@rule[3]: ", "eth1", "unknown - Inbound"),
            ("@redirect[0]: ", "wan", "unknown - Inbound accepted"),
            ("MSSFIX wan out: ", "", "unknown - Egress accepted"),
            ("REJECT(src wan)", "eth1", "reject wan Inbound"),
            ("DROP(dest wan)", "eth1", "drop wan Egress"),
            ("DROP(src banIP) ", "pppoe-wan", "drop - Inbound"),
            ("REJECT(dst banIP) ", "br-lan", "reject - Egress"),
            ("REJECT wan in: ", "eth1", "reject wan Inbound"),
            ("banIP/inbound/drop/set.v4: ", "eth1", "drop - Inbound"),
            ("banIP/outbound/reject/set.v4: ", "eth5", "reject - Egress"),
            ("banIP/fwd-lan/reject/set.v4: ", "eth5", "reject - Egress"),
            ("banIP/inp-wan/drop/set.v4: ", "eth5", "drop - Inbound"),
            ("banIP/pre-syn/drop: ", "eth5", "drop - Inbound"),
            ("[UFW BLOCK] ", "eth0", "drop - Inbound"),
            ("[UFW LIMIT BLOCK] ", "eth0", "drop - Inbound"),
            ("[UFW AUDIT] ", "eth0", "unknown - Inbound accepted"),
            ("[UFW ALLOW] ", "eth0", "unknown - Inbound accepted"),
            ("[BLOCKED - OUTBOUND] ", "eth0", "drop - Egress"),
            ("OUTBOUND CONN TCP: ", "eth1", "unknown - Egress"),
            ("INBOUND TCP: ", "br0", "unknown - Inbound"),
            ("Shorewall:net2fw:DROP:", "wlan0", "drop - Inbound"),
            ("Shorewall:net-fw:DROP:", "br0", "drop - Inbound"),
            ("Shorewall:loc-net:REJECT:", "eth0", "reject - Egress"),
            ("Shorewall:loc2net:REJECT:", "eth0", "reject - Egress"),
            ("Shorewall:fw-net:REJECT:", "", "reject - Egress"),
            ("Shorewall:net-all:DROP:", "eth0", "drop - Inbound"),
            ("Shorewall:all-all:REJECT:", "eth0", "reject - Inbound"),
            ("Shorewall:FORWARD:REJECT:", "eth0", "reject - Inbound"),
            ("loc-net REJECT ", "eth0", "reject - Egress"),
            ("net-fw DROP ", "eth0", "drop - Inbound"),
            ("[WAN_LOCAL-default-D]", "eth0", "drop - Inbound"),
            ("[WAN_IN-20-A]", "eth0", "unknown - Inbound accepted"),
            ("[WAN_OUT-20-D]", "switch0", "drop - Egress"),
            ("[WAN_OUT-20-D]", "eth3", "drop - Egress"),
            ("[LAN_IN-2000-R]", "eth3", "reject - Egress"),
            ("[WAN_LOCAL-D-2000] DESCR=\"do not accept\" ", "eth8", "drop - Inbound"),
            ("[WAN_IN-A-2000] DESCR=\"do not block web\" ", "eth8", "unknown - Inbound accepted"),
            ("[LAN_IN-RET-2000] ", "br0", "unknown - Egress accepted"),
            ("[ipv4-NAM-LAN-A-default-D]", "eth0", "drop - Inbound"),
            ("[FW-D-WAN_LOCAL-30001] DESCR=\"x\" ", "eth8", "drop - Inbound"),
            ("[DST-NAT-10]", "eth0", "unknown - Inbound accepted"),
            ("[SRC-NAT-10-MASQ]", "", "unknown - Egress accepted"),
            ("[PREROUTING-DNAT-1] ", "eth8", "unknown - Inbound accepted"),
            ("[NAT-5-DNAT] ", "eth8", "unknown - Inbound accepted"),
            ("fw-ACC-web ", "eth0", "unknown - Inbound accepted"),
            ("PASS web ", "eth0", "unknown - Inbound accepted"),
            ("Not allowed: ", "eth0", "drop - Inbound"),
            ("PVEFW-HOST-IN policy DROP: ", "vmbr0", "drop - Inbound"),
            ("PVEFW-HOST-OUT policy REJECT: ", "", "reject - Egress"),
            ("tap101i0-IN policy DROP: ", "fwbr101i0", "drop - Inbound"),
            ("veth101i0-OUT REJECT: ", "fwbr101i0", "reject - Egress"),
            ("GROUP-web-IN DROP: ", "fwbr100i0", "drop - Inbound"),
            ("GROUP-web-OUT DROP: ", "fwbr100i0", "drop - Egress"),
            ("guest-100-in policy DROP: ", "fwbr100i0", "drop - Inbound"),
            ("group-web-out DROP: ", "fwbr100i0", "drop - Egress"),
            ("DNAT ", "red0", "unknown - Inbound accepted"),
            ("SNAT ", "red0", "unknown - Inbound accepted"),
            ("ICMP-REDIRECT-DROP ", "eth0", "drop - Inbound"),
            ("INPUTFW:DROP:2 ", "eth1", "drop - Inbound"),
            ("OUTGOINGFW:REJECT:2 ", "br0", "reject - Egress"),
            ("INPUTFW:ACCEPT:2 ", "eth1", "unknown - Inbound accepted"),
            ("SFW2-FWDext-ACC-FORW ", "eth0", "unknown - Inbound accepted"),
            ("Shorewall:net2fw:LOG:", "eth0", "unknown - Inbound accepted"),
            ("UDM [WAN_IN-A-2000] DESCR=\"x\" ", "eth8", "unknown - Inbound accepted"),
            ("my gateway [LAN_LOCAL-RET-2000] ", "eth8", "unknown - Egress accepted"),
            ("[ipv4-NAM-WAN-LAN-10-C]", "eth0", "unknown - Inbound accepted"),
            ("[ipv4-FWD-filter-10-J]", "eth0", "unknown - Inbound accepted"),
            ("[ipv4-NAM-VLAN-C-10-D]", "eth0", "drop - Inbound"),
            ("[ipv4-NAM-VLAN-C-10]", "eth0", "unknown - Inbound"),
            ("[FW_ADT]A=A D=I CD=O ", "eth0", "unknown - Inbound accepted"),
            ("[FW_ADT]D=I CD=O ", "eth0", "unknown - Inbound"),
            ("[NEW] ORIG:", "", "unknown - Egress accepted"),
            ("FORWARDFW ", "red0", "unknown - Inbound accepted"),
            ("INPUTFW ", "red0", "unknown - Inbound accepted"),
            ("DROP_INPUT ", "red0", "drop - Inbound"),
            ("DROP_FORWARD ", "green0", "drop - Egress"),
            ("TRACE: raw:PREROUTING:policy:2 ", "eth0", "unknown - Inbound accepted"),
            ("DROP INVALID ", "eth0", "drop - Inbound"),
            ("ICMP ", "eth0", "unknown - Inbound"),
            ("", "", "unknown - Egress"),
            ("", "lo", "unknown - Egress"),
            ("DROP ", "lan3", "drop - Egress"),
            ("DROP ", "phy0-ap0", "drop - Egress"),
            ("DROP ", "phy0-sta0", "drop - Inbound"),
            ("dropbear ", "ppp0", "unknown - Inbound"),
        ] {
            assert_eq!(read(prefix, input), expected, "{prefix} {input}");
        }
    }

    #[test]
    fn the_firewalls_configuration_tells_what_its_rules_do() {
        use crate::parse::interfaces::NamedRule;
        let rule = |prefix: &str, refuses| NamedRule { prefix: prefix.to_string(), refuses };
        let rules = vec![rule("Web:", None), rule("Allow-nothing:", Some(Verdict::Drop))];
        let networks = Networks { rules, ..Networks::default() };
        let read = |prefix: &str| {
            let context = Context { prefix: prefix.as_bytes(), input: Some(b"eth0"), ..Context::default() };
            let (path, accepted) = path(&context, Origin::Log, &networks, false);
            (accepted, path.verdict)
        };
        assert_eq!(read("Web: "), (true, Verdict::Unknown));
        assert_eq!(read("Webmail: "), (false, Verdict::Unknown));
        assert_eq!(read("Allow-nothing: "), (false, Verdict::Drop));
    }

    #[test]
    fn texts_are_printable_and_short() {
        assert_eq!(text(b"a\0\xff\x1b[b"), "a???[b");
        assert_eq!(text(&[b'x'; 500]).len(), 128);
    }
}
