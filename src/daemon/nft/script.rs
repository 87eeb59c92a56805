//! The table `inet fwstat` as nft's script.
//!
//! Takes the wanted table, gives text. Pure. All that it contains of packets is addresses, formatted here.

use std::fmt::Write;

use crate::guard::Source;
use crate::guard::networks::MAX_RANGES;
use crate::guard::ranges::{Range, as_v4, of_v4};
use crate::parse::nflog::{COPY_RANGE, QUEUE_THRESHOLD};

/// The name of the guard's own table, of family inet.
pub const TABLE: &str = "fwstat";
/// The sets of blocked sources.
pub const BLOCKED: [&str; 2] = ["blocked4", "blocked6"];
/// Names of the sets of addresses that the inside has connections to.
pub const PEERS: [&str; 2] = ["peers4", "peers6"];
/// The sets of sources that many routers saw.
const SHARED: [&str; 2] = ["shared4", "shared6"];
/// Timeout of the elements in milliseconds, should they not be deleted.
const SHARED_MS: u64 = 2 * 86_400_000;
/// Inside addresses, protocols and ports that accepted a connection from outside.
pub const SERVED: [&str; 2] = ["served4", "served6"];
/// Ranges of addresses of blocked networks and countries.
pub const NETWORKS: [&str; 2] = ["networks4", "networks6"];
/// The last address that each of them can hold.
pub const LAST: [u128; 2] = [of_v4(u32::MAX), u128::MAX];
/// Name of the counter of connections whose peer was not added because an inside host opened too many.
pub const PEERS_LIMITED: &str = "peers_limited";
/// Name of the counter of connections whose peer was not added because [`PEERS`] was full.
pub const PEERS_FULL: &str = "peers_full";

/// Peers that are remembered per family: some 100 bytes of kernel memory each, taken as they come.
pub const MAX_PEERS: u32 = 8192;
const MAX_SERVED: u32 = 1024;
/// Inside hosts that opened connections, with the rate of their new peers.
const OPENERS: [&str; 2] = ["openers4", "openers6"];
/// Inside hosts whose rate of new peers is limited.
const MAX_OPENERS: u32 = 1024;
/// New peers that one inside host (IPv6: one /64) may add: with peers remembered for an hour, no host can fill a
/// third of the set.
const OPENER_RATE: &str = "limit rate over 30/minute burst 500 packets";
/// Expired elements count until the kernel collects them.
const SLACK: u32 = 64;
/// A block ends in the kernel this much earlier than in the ledger, never later.
const EARLY_MS: u64 = 50;
/// Elements in one command.
const ELEMENTS_PER_COMMAND: usize = 256;
/// The mask of a /64.
const HALF: &str = "ffff:ffff:ffff:ffff::";

/// What worms look for: Telnet, Windows' file shares and RPC, ADB, TR-069, Winbox, UPnP of cheap routers.
const WORM_PORTS: &str = "23, 2323, 135, 139, 445, 5555, 7547, 8291, 37215, 52869, 60001";
/// The rate at which they are logged; the rule's counter has them all.
const WATCHED_RATE: &str = "limit rate 20/second burst 40 packets";

/// The wanted table.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Spec {
    pub guard: Option<GuardSpec>,
    /// Where dropped and watched packets are logged.
    pub log: Option<LogSpec>,
    /// The WAN interfaces, if connections to the ports of worms are to be watched.
    pub egress: Option<Vec<String>>,
}

/// The guard's part of the table `inet fwstat`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GuardSpec {
    /// False for a dry run: peers are remembered, nothing is blocked.
    pub enforce: bool,
    /// Drop every packet of a blocked source, not only those of no known connection.
    pub all: bool,
    /// The most blocks at a time.
    pub size: u32,
    /// The WAN interfaces; empty if they are not known.
    pub outside: Vec<String>,
    /// Sources that many routers saw, in order: only what belongs to no known connection is refused.
    pub shared: Vec<Source>,
}

/// The chain that logs watched egress to NFLOG.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogSpec {
    /// NFLOG group.
    pub group: u16,
    /// The zone that the packets are counted for, if there is only one.
    pub zone: Option<String>,
}

impl Spec {
    /// Whether sources are blocked: not in a dry run.
    pub fn enforces(&self) -> bool {
        self.guard.as_ref().is_some_and(|guard| guard.enforce)
    }

    /// Whether no table is wanted.
    pub fn is_empty(&self) -> bool {
        self.guard.is_none() && self.egress.is_none()
    }
}

/// Deletes the table, whether it exists or not.
const REMOVE: &str = "table inet fwstat {\n}\ndelete table inet fwstat\n";

/// A blocked source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Blocked {
    pub source: Source,
    /// Remaining milliseconds of its block.
    pub left_ms: u64,
    /// Packets of it that the previous table dropped.
    pub dropped: u64,
}

/// The script that replaces the table, atomically, with these blocks.
pub fn build(spec: &Spec, blocks: &[Blocked]) -> String {
    let mut text = String::from(REMOVE);
    text.push_str("table inet fwstat {\n");
    if let Some(guard) = &spec.guard {
        sets(guard, blocks.len(), &mut text);
        if guard.enforce {
            judging(guard, spec.log.as_ref(), &mut text);
        }
        remembering(guard, &mut text);
    }
    if let Some(outside) = &spec.egress {
        egress(outside, spec.log.as_ref(), &mut text);
    }
    text.push_str("}\n");
    if let Some(guard) = spec.guard.as_ref().filter(|guard| guard.enforce) {
        add(BLOCKED, blocks, &mut text);
        let shared = |source: &Source| Blocked { source: *source, left_ms: SHARED_MS, dropped: 0 };
        add(SHARED, &guard.shared.iter().map(shared).collect::<Vec<_>>(), &mut text);
    }
    text
}

/// `blocks`: their number, which can exceed the option's limit after that was lowered.
fn sets(guard: &GuardSpec, blocks: usize, text: &mut String) {
    let most = guard.size.max(u32::try_from(blocks).unwrap_or(u32::MAX));
    for (place, kind) in ["ipv4_addr", "ipv6_addr"].into_iter().enumerate() {
        let size = most.saturating_add(most / 4).saturating_add(SLACK);
        // A range has two elements: its first address, and the one after its last.
        let network_size = 2 * MAX_RANGES as u32 + SLACK;
        for (set, further, size, flags) in [
            (BLOCKED, "", size, "timeout\n\t\tcounter"),
            (PEERS, "", MAX_PEERS, "dynamic,timeout\n\t\ttimeout 1h"),
            (SERVED, " . inet_proto . inet_service", MAX_SERVED, "dynamic,timeout\n\t\ttimeout 1d"),
            (OPENERS, "", MAX_OPENERS, "dynamic,timeout\n\t\ttimeout 20m"),
            (NETWORKS, "", network_size, "interval,timeout\n\t\tcounter"),
            (SHARED, "", guard.shared.len() as u32, "timeout"),
        ] {
            if size > 0 {
                let set = set[place];
                let _ = write!(
                    text,
                    "\tset {set} {{\n\t\ttype {kind}{further}\n\t\tsize {size}\n\t\tflags {flags}\n\t}}\n"
                );
            }
        }
    }
    let _ = write!(text, "\tcounter {PEERS_LIMITED} {{\n\t}}\n\tcounter {PEERS_FULL} {{\n\t}}\n");
}

/// What belongs to a known connection.
const KNOWN: &str = "ct state { established, related, untracked } return";

/// Before fw4's own chains, which have the priority `filter`.
fn judging(guard: &GuardSpec, log: Option<&LogSpec>, text: &mut String) {
    let (mut counted, mut comment) = (String::new(), String::new());
    if let Some(LogSpec { group, zone }) = log {
        let named = zone.as_ref().map(|zone| format!("{zone} ")).unwrap_or_default();
        counted = format!("{} ", log_statement(*group, &format!("drop {named}blocked")));
        comment = zone.as_ref().map(|zone| format!(" comment \"fwstat {zone}\"")).unwrap_or_default();
    }
    let which = if guard.all {
        // Neighbour discovery must always work.
        "meta l4proto ipv6-icmp icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } return"
    } else {
        // Invalid packets are dropped, too: fw4 lets them reach the zone's policy only.
        KNOWN
    };
    // A blocked network or country can contain peers of connections from inside.
    let known = if guard.all { format!("\t\t{KNOWN}\n") } else { String::new() };
    let _ = write!(
        text,
        "\tchain drop_blocked {{\n\t\tcounter {counted}drop{comment}\n\t}}\n\
         \tchain check_source {{\n\t\t{which}\n\
         \t\tip saddr @blocked4 goto drop_blocked\n\
         \t\tip6 saddr & {HALF} @blocked6 goto drop_blocked\n\
         {known}\
         \t\tip saddr @networks4 goto drop_blocked\n\
         \t\tip6 saddr @networks6 goto drop_blocked\n"
    );
    if !guard.shared.is_empty() {
        // Peers of connections from inside are not blocked, and neither is any known connection.
        let _ = write!(
            text,
            "\t\t{KNOWN}\n\
             \t\tip saddr @peers4 return\n\
             \t\tip6 saddr & {HALF} @peers6 return\n\
             \t\tip saddr @shared4 goto drop_blocked\n\
             \t\tip6 saddr & {HALF} @shared6 goto drop_blocked\n"
        );
    }
    text.push_str("\t}\n");
    for hook in ["input", "forward"] {
        let _ = write!(
            text,
            "\tchain {hook} {{\n\t\ttype filter hook {hook} priority filter - 10\n\t\tjump check_source\n\t}}\n"
        );
    }
}

/// Adds the destinations of connections to the peers: after fw4's chains, so that only accepted packets count. The
/// router's own name and time servers stay peers for longer.
fn remembering(guard: &GuardSpec, text: &mut String) {
    let _ = write!(
        text,
        "\tchain add_peer {{\n\
         \t\tupdate @peers4 {{ ip daddr }} return\n\
         \t\tupdate @peers6 {{ ip6 daddr & {HALF} }} return\n\
         \t\tcounter name {PEERS_FULL}\n\t}}\n"
    );
    // A packet from a served port is a reply, even if the kernel no longer knows the connection; a TCP connection
    // begins with a SYN. The peers of connections that are older than this table are learnt from their next packets.
    let established = if guard.all {
        ""
    } else {
        "\t\tct state established limit rate over 200/second burst 200 packets return\n"
    };
    let opening = format!(
        "\t\tct direction reply return\n\
         \t\tct state != {{ new, established }} return\n\
         \t\tmeta l4proto {{ tcp, udp }} ip saddr . meta l4proto . th sport @served4 return\n\
         \t\tmeta l4proto {{ tcp, udp }} ip6 saddr . meta l4proto . th sport @served6 return\n\
         \t\tct state new tcp flags & (fin | syn | rst | ack) != syn return\n{established}"
    );
    let _ = write!(
        text,
        "\tchain output_peers {{\n\t\ttype filter hook output priority filter + 10\n{opening}\
         \t\tmeta l4proto {{ tcp, udp }} th dport {{ 53, 123, 853 }} update @peers4 {{ ip daddr timeout 1d }} return\n\
         \t\tmeta l4proto {{ tcp, udp }} th dport {{ 53, 123, 853 }} \
         update @peers6 {{ ip6 daddr & {HALF} timeout 1d }} return\n\
         \t\tgoto add_peer\n\t}}\n\
         \tchain forward_peers {{\n\t\ttype filter hook forward priority filter + 10\n"
    );
    let from_outside = if guard.outside.is_empty() {
        String::new()
    } else {
        let names = names(&guard.outside);
        let _ = writeln!(text, "\t\tiifname {{ {names} }} jump served");
        format!("iifname {{ {names} }} ")
    };
    let _ = write!(
        text,
        "{opening}\
         \t\tip daddr @peers4 goto add_peer\n\
         \t\tip6 daddr & {HALF} @peers6 goto add_peer\n\
         \t\tupdate @openers4 {{ ip saddr {OPENER_RATE} }} counter name {PEERS_LIMITED} return\n\
         \t\tupdate @openers6 {{ ip6 saddr & {HALF} {OPENER_RATE} }} counter name {PEERS_LIMITED} return\n\
         \t\tgoto add_peer\n\t}}\n\
         \tchain served {{\n\
         \t\tct state != new return\n\
         \t\tmeta l4proto {{ tcp, udp }} update @served4 {{ ip daddr . meta l4proto . th dport }}\n\
         \t\tmeta l4proto {{ tcp, udp }} update @served6 {{ ip6 daddr . meta l4proto . th dport }}\n\t}}\n\
         \tchain input_served {{\n\t\ttype filter hook input priority filter + 10\n\t\t{from_outside}jump served\n\t}}\n"
    );
}

/// Logs packets to NFLOG with this prefix.
fn log_statement(group: u16, prefix: &str) -> String {
    format!("log group {group} prefix \"{prefix}: \" snaplen {COPY_RANGE} queue-threshold {QUEUE_THRESHOLD}")
}

/// Interfaces as a list of nft.
fn names(interfaces: &[String]) -> String {
    let names: Vec<String> = interfaces.iter().map(|name| format!("\"{name}\"")).collect();
    names.join(", ")
}

/// Before fw4's chains, so that what these refuse is seen too; fw4 logs it by its own rules.
fn egress(outside: &[String], log: Option<&LogSpec>, text: &mut String) {
    let names = names(outside);
    let logged = log.map(|log| format!("\t\t{WATCHED_RATE} {}\n", log_statement(log.group, "fwstat egress")));
    let logged = logged.unwrap_or_default();
    let _ = write!(
        text,
        "\tchain watched {{\n\t\tcounter comment \"fwstat egress\"\n{logged}\t}}\n\
         \tchain egress {{\n\t\ttype filter hook forward priority filter - 5\n\
         \t\tiifname {{ {names} }} return\n\
         \t\toifname {{ {names} }} ct state new tcp dport {{ {WORM_PORTS} }} jump watched\n\t}}\n"
    );
}

/// Adds these sources to a pair of sets.
fn add(sets: [&str; 2], blocks: &[Blocked], text: &mut String) {
    for (place, set) in sets.into_iter().enumerate() {
        let of_family: Vec<&Blocked> =
            blocks.iter().filter(|block| place_of(block.source) == place).collect();
        for some in of_family.chunks(ELEMENTS_PER_COMMAND) {
            let elements: Vec<String> = some.iter().map(|block| element(block)).collect();
            let _ = writeln!(text, "add element inet {TABLE} {set} {{ {} }}", elements.join(", "));
        }
    }
}

/// The place of a source's set in a pair of sets: 0 for IPv4, 1 for IPv6.
pub fn place_of(source: Source) -> usize {
    usize::from(matches!(source, Source::V6(_)))
}

/// The timeout of an element with this remaining time in the ledger. Both in milliseconds.
pub fn timeout_ms(left_ms: u64) -> u64 {
    left_ms.saturating_sub(EARLY_MS).max(1)
}

/// A block as an element of nft.
fn element(block: &Blocked) -> String {
    let left = timeout_ms(block.left_ms);
    let time = format!("{}s{}ms", left / 1000, left % 1000);
    let counter = match block.dropped {
        0 => String::new(),
        packets => format!(" counter packets {packets} bytes 0"),
    };
    format!("{}{counter} timeout {time}", block.source.prefix().network)
}

/// A source as the key of an element, in network byte order.
pub fn key(source: Source) -> Vec<u8> {
    match source {
        Source::V4(bits) => bits.to_be_bytes().to_vec(),
        Source::V6(high) => (u128::from(high) << 64).to_be_bytes().to_vec(),
    }
}

/// The source of an element's key in network byte order (4 or 16 bytes); `None`: another length.
pub fn source_of(key: &[u8]) -> Option<Source> {
    let address = address_of(key)?;
    Some(if key.len() == 4 { Source::V4(address as u32) } else { Source::V6((address >> 64) as u64) })
}

/// A served port as the key of an element: fields in network byte order, each filled up to 32 bits.
pub fn served_key(address: &[u8], protocol: u8, port: u16) -> Vec<u8> {
    let [high, low] = port.to_be_bytes();
    [address, &[protocol, 0, 0, 0], &[high, low, 0, 0]].concat()
}

/// A range as keys of an interval set: its first address and the one after its last, if there is one.
pub fn range_keys(range: Range) -> (usize, Vec<u8>, Option<Vec<u8>>) {
    // Of an IPv4 address only the last four bytes are the key.
    let (family, start) = if as_v4(range).is_some() { (0, 12) } else { (1, 0) };
    let key = |address: u128| address.to_be_bytes()[start..].to_vec();
    (family, key(range.0), (range.1 < LAST[family]).then(|| key(range.1 + 1)))
}

/// The address of an element's key in network byte order (4 or 16 bytes), as in a [`Range`]; `None`: another length.
pub fn address_of(key: &[u8]) -> Option<u128> {
    if let Ok(bits) = <[u8; 4]>::try_from(key) {
        return Some(of_v4(u32::from_be_bytes(bits)));
    }
    <[u8; 16]>::try_from(key).ok().map(u128::from_be_bytes)
}

/// Whether an interface may be named in a rule: the kernel allows more characters than nft's syntax.
pub fn is_plain_interface(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte);
    (1..16).contains(&name.len()) && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_as_written() {
        let spec = Spec {
            guard: Some(GuardSpec {
                enforce: true,
                all: false,
                size: 4096,
                outside: vec!["pppoe-wan".into()],
                shared: Vec::new(),
            }),
            log: Some(LogSpec { group: 32, zone: Some("wan".into()) }),
            egress: Some(vec!["pppoe-wan".into()]),
        };
        let block = |source, left_ms, dropped| Blocked { source, left_ms, dropped };
        let (v4, v6) = (Source::V4(0xc633_6407), Source::V6(0x2001_0db8_0001_0002));
        let blocks = [block(v4, 3_600_000, 0), block(v6, 1_550, 7)];
        let text = build(&spec, &blocks);
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/guard-table.txt");
        if std::env::var_os("FWSTAT_BLESS").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        assert_eq!(text, std::fs::read_to_string(path).unwrap());
        assert!(!build(&Spec { log: None, ..spec.clone() }, &blocks).contains("log group"));
        let mut shared = spec.clone();
        let sources =
            vec![Source::V4(0xb900_0207), Source::V4(0xb900_0208), Source::V6(0x2a00_00db_0000_0000)];
        shared.guard.as_mut().unwrap().shared = sources;
        let shared = build(&shared, &blocks);
        assert!(shared.contains("set shared4 {\n\t\ttype ipv4_addr\n\t\tsize 3\n\t\tflags timeout\n\t}"));
        let timeout = "timeout 172799s950ms";
        assert!(shared.contains(&format!("shared4 {{ 185.0.2.7 {timeout}, 185.0.2.8 {timeout} }}")));
        assert!(shared.contains(&format!("shared6 {{ 2a00:db:: {timeout} }}")));
        assert!(shared.contains("@shared6 goto drop_blocked"));
        let shared = Vec::new();
        let dry = GuardSpec { enforce: false, all: false, size: 9, outside: Vec::new(), shared };
        let dry = build(&Spec { guard: Some(dry), ..spec }, &blocks);
        assert!(!dry.contains("drop") && !dry.contains("198.51.100.7") && dry.contains("peers4"));
    }

    #[test]
    fn the_sets_take_all_blocks_though_fewer_are_allowed_by_now() {
        let block =
            |number: u32| Blocked { source: Source::V4(0x0900_0000 + number), left_ms: 60_000, dropped: 0 };
        let blocks: Vec<_> = (0..3000).map(block).collect();
        let (outside, shared) = (Vec::new(), Vec::new());
        let guard = GuardSpec { enforce: true, all: false, size: 1000, outside, shared };
        let text = build(&Spec { guard: Some(guard), ..Spec::default() }, &blocks);
        let (_, set) = text.split_once("set blocked4 {").unwrap();
        let (_, size) = set.split_once("size ").unwrap();
        let size: usize = size.split_whitespace().next().unwrap().parse().unwrap();
        assert!(size >= blocks.len(), "{size}");
    }

    #[test]
    fn keys_go_there_and_back() {
        for source in [Source::V4(0xc633_6407), Source::V6(0x2001_0db8_0001_0002)] {
            assert_eq!(source_of(&key(source)), Some(source));
        }
        assert_eq!(source_of(b"12345"), None);
    }

    #[test]
    fn only_plain_names_of_interfaces_are_written() {
        for name in ["wan", "pppoe-wan", "eth0.2", "br-lan", "if@x"] {
            assert!(is_plain_interface(name), "{name}");
        }
        for name in ["", "a b", "a\"b", "a}b", "a;b", "sixteen-letters-"] {
            assert!(!is_plain_interface(name), "{name}");
        }
    }
}
