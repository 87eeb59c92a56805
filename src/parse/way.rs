//! Log prefix and interfaces -> path: verdict, zone, direction.
//!
//! Takes a head's texts and the interfaces that lead outside, gives a `Path`. Called once for each new
//! head, not for each line.

use super::netfilter::Head;
use crate::event::{Origin, Verdict};
use crate::paths::{Direction, Path};

/// What our own rule for connections to the ports of worms says.
const EGRESS: &str = "fwstat egress:";

/// Longer texts are cut: prefixes have at most 127 bytes in the kernel, interfaces 15.
const LONGEST_TEXT: usize = 128;

pub fn path(head: &Head, origin: Origin, wan: &[String]) -> Path {
    let prefix = text(head.prefix.trim_ascii_end());
    let (verdict, accepted) = verdict(&prefix);
    let (zone, outbound) = zone(&prefix);
    let input = text(head.input.unwrap_or_default());
    let inbound = if !wan.is_empty() {
        wan.iter().any(|name| is_named(&input, name))
    } else {
        let named_inside = outbound || zone.is_some_and(|zone| !zone.eq_ignore_ascii_case("wan"));
        (head.input.is_none() || !is_inside(&input)) && !named_inside
    };
    Path {
        origin,
        zone: zone.map(str::to_string),
        prefix: prefix.clone(),
        input,
        output: text(head.output.unwrap_or_default()),
        bridge_input: text(head.bridge_input),
        bridge_output: text(head.bridge_output),
        group_mac: head.group_mac,
        verdict,
        direction: if inbound { Direction::Inbound } else { Direction::Egress },
        accepted,
    }
}

/// Printable ASCII; `?` stands for any other byte.
pub fn text(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(LONGEST_TEXT)];
    bytes.iter().map(|&byte| if matches!(byte, b' '..=b'~') { byte as char } else { '?' }).collect()
}

/// `ppp+` names all interfaces that begin with `ppp`, as in the firewall's own rules.
fn is_named(input: &str, name: &str) -> bool {
    match name.strip_suffix(['+', '*']) {
        Some(start) => input.starts_with(start),
        None => input == name,
    }
}

/// No interface, or one that OpenWrt gives to the inside.
pub fn is_inside(input: &str) -> bool {
    matches!(input, "" | "lo" | "br-lan")
        || input.starts_with("lan")
        || input.starts_with("wlan")
        || (input.starts_with("phy") && input.contains("-ap"))
}

/// The first word that tells a verdict; the second value says that the packet was not refused.
fn verdict(prefix: &str) -> (Verdict, bool) {
    let accepted = (Verdict::Unknown, true);
    if prefix.starts_with("TRACE:") || prefix.starts_with("MSSFIX ") || prefix.contains("[UFW AUDIT") {
        return accepted;
    }
    let words = prefix.split(|letter: char| !letter.is_ascii_alphanumeric());
    for word in words {
        match word.to_ascii_lowercase().as_str() {
            "accept" | "accepted" | "allow" | "allowed" | "permit" | "permitted" => return accepted,
            "reject" | "rejected" => return (Verdict::Reject, false),
            "drop" | "dropped" | "drops" | "deny" | "denied" | "block" | "blocked" | "discard"
            | "discarded" | "bad" | "invalid" | "kill" | "killed" => return (Verdict::Drop, false),
            _ => {}
        }
    }
    // EdgeOS and VyOS: `[WAN_LOCAL-default-D]`.
    match prefix.strip_suffix(']').map(|prefix| &prefix.as_bytes()[prefix.len().saturating_sub(2)..]) {
        Some(b"-A") => accepted,
        Some(b"-D") => (Verdict::Drop, false),
        Some(b"-R") => (Verdict::Reject, false),
        _ => (Verdict::Unknown, false),
    }
}

/// The zone in a prefix of fw4 (`reject wan in:`, `drop wan invalid ct state:`) or fw3 (`REJECT(src wan)`,
/// `REJECT wan in:`), and whether the prefix says that the packet was on its way out.
fn zone(prefix: &str) -> (Option<&str>, bool) {
    let is_verdict =
        |word: &str| ["reject", "drop", "accept"].iter().any(|known| word.eq_ignore_ascii_case(known));
    if let Some((word, rest)) = prefix.split_once('(')
        && is_verdict(word)
        && let Some((side, rest)) = rest.split_once(' ')
        && let Some((zone, _)) = rest.split_once(')')
    {
        return (Some(zone), side == "dest");
    }
    if prefix == EGRESS {
        return (Some("egress"), true);
    }
    let mut words = prefix.trim_end_matches(':').split(' ');
    if let (Some(word), Some(zone), Some(chain)) = (words.next(), words.next(), words.next())
        && is_verdict(word)
    {
        match (chain, words.next()) {
            ("in" | "forward" | "blocked", None) | ("invalid", Some("ct")) => return (Some(zone), false),
            ("out", None) => return (Some(zone), true),
            _ => {}
        }
    }
    (None, prefix.starts_with("banIP/outbound/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(prefix: &str, input: &str, wan: &[&str]) -> String {
        let head = Head { prefix: prefix.as_bytes(), input: Some(input.as_bytes()), ..Head::default() };
        let wan: Vec<String> = wan.iter().map(|name| name.to_string()).collect();
        let path = path(&head, Origin::File, &wan);
        let accepted = if path.accepted { " accepted" } else { "" };
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
            ("drop wan blocked: ", "eth1", "drop wan Inbound"),
            ("fwstat egress: ", "br-guest", "unknown egress Egress"),
            ("accept wan in: ", "eth1", "unknown wan Inbound accepted"),
            ("@rule[3]: ", "eth1", "unknown - Inbound"),
            ("MSSFIX wan out: ", "", "unknown - Egress accepted"),
            ("REJECT(src wan)", "eth1", "reject wan Inbound"),
            ("DROP(dest wan)", "eth1", "drop wan Egress"),
            ("REJECT wan in: ", "eth1", "reject wan Inbound"),
            ("banIP/inbound/drop/set.v4: ", "eth1", "drop - Inbound"),
            ("banIP/outbound/reject/set.v4: ", "eth5", "reject - Egress"),
            ("[UFW BLOCK] ", "eth0", "drop - Inbound"),
            ("[UFW AUDIT] ", "eth0", "unknown - Inbound accepted"),
            ("[UFW ALLOW] ", "eth0", "unknown - Inbound accepted"),
            ("Shorewall:wlan0_mac:DROP:", "wlan0", "drop - Egress"),
            ("[WAN_LOCAL-default-D]", "eth0", "drop - Inbound"),
            ("[WAN_IN-20-A]", "eth0", "unknown - Inbound accepted"),
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
            assert_eq!(read(prefix, input, &[]), expected, "{prefix} {input}");
        }
    }

    #[test]
    fn with_a_list_the_interface_alone_decides() {
        assert_eq!(read("reject lan in: ", "br-lan", &["br-lan"]), "reject lan Inbound");
        assert_eq!(read("drop wan in: ", "eth1", &["pppoe-wan"]), "drop wan Egress");
    }

    #[test]
    fn texts_are_printable_and_short() {
        assert_eq!(text(b"a\0\xff\x1b[b"), "a???[b");
        assert_eq!(text(&[b'x'; 500]).len(), 128);
    }
}
