//! What is wanted -> nft's language. Pure. Nothing of a packet gets into it but addresses, written by us.

use std::fmt::Write;

use crate::guard::Source;
use crate::input::nflog::{COPY_RANGE, QUEUE_THRESHOLD};

/// The table, of family inet, that is ours alone.
pub const TABLE: &str = "fwstat";
/// The sets of blocked sources, and of those to whom connections were opened from inside.
pub const BLOCKED: [&str; 2] = ["blocked4", "blocked6"];
pub const PEERS: [&str; 2] = ["peers4", "peers6"];

/// Peers that are remembered: some 100 bytes of kernel memory each, taken as they come.
const MOST_PEERS: u32 = 8192;
/// Elements that are over still count until the kernel collects them.
const SLACK: u32 = 64;
/// A block ends in the kernel so much earlier than in the ledger, never later.
const EARLY_MS: u64 = 50;
/// Elements in one command.
const AT_ONCE: usize = 256;

/// What worms look for: Telnet, Windows' file shares and RPC, ADB, TR-069, Winbox, UPnP of cheap routers.
const WORM_PORTS: &str = "23, 2323, 135, 139, 445, 5555, 7547, 8291, 37215, 52869, 60001";
/// Logged of them at most so many a second; the rule's counter has them all.
const WATCHED_RATE: &str = "limit rate 20/second burst 40 packets";

/// What the table shall be.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Spec {
    pub guard: Option<GuardSpec>,
    /// Where dropped and watched packets are logged.
    pub log: Option<LogSpec>,
    /// The interfaces to outside, if connections to the ports of worms are to be watched.
    pub egress: Option<Vec<String>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GuardSpec {
    /// False for a dry run: peers are remembered, nothing is blocked.
    pub enforce: bool,
    /// Every packet of a blocked source, not only new connections.
    pub all: bool,
    pub size: u32,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogSpec {
    pub group: u16,
    /// The zone that the packets are counted for, if there is only one.
    pub zone: Option<String>,
}

impl Spec {
    pub fn is_empty(&self) -> bool {
        self.guard.is_none() && self.egress.is_none()
    }
}

/// Takes the table away, whether it is there or not.
pub const REMOVE: &str = "table inet fwstat {\n}\ndelete table inet fwstat\n";

/// Makes the table anew with these blocks (and the milliseconds that are left of each), all at once.
pub fn build(spec: &Spec, blocks: &[(Source, u64)]) -> String {
    let mut text = String::from(REMOVE);
    text.push_str("table inet fwstat {\n");
    if let Some(guard) = &spec.guard {
        sets(guard, &mut text);
        if guard.enforce {
            judging(guard, spec.log.as_ref(), &mut text);
        }
        peers(guard, &mut text);
    }
    if let Some(outside) = &spec.egress {
        egress(outside, spec.log.as_ref(), &mut text);
    }
    text.push_str("}\n");
    if spec.guard.is_some_and(|guard| guard.enforce) {
        add(blocks, &mut text);
    }
    text
}

fn sets(guard: &GuardSpec, text: &mut String) {
    for (place, kind) in ["ipv4_addr", "ipv6_addr"].into_iter().enumerate() {
        let size = guard.size.saturating_add(guard.size / 4).saturating_add(SLACK);
        let (blocked, peers) = (BLOCKED[place], PEERS[place]);
        let _ = write!(
            text,
            "\tset {blocked} {{\n\t\ttype {kind}\n\t\tsize {size}\n\t\tflags timeout\n\t\tcounter\n\t}}\n\
             \tset {peers} {{\n\t\ttype {kind}\n\t\tsize {MOST_PEERS}\n\t\tflags dynamic,timeout\n\
             \t\ttimeout 1h\n\t}}\n"
        );
    }
}

/// Before fw4's own chains, which have the priority `filter`.
fn judging(guard: &GuardSpec, log: Option<&LogSpec>, text: &mut String) {
    let (mut counted, mut comment) = (String::new(), String::new());
    if let Some(LogSpec { group, zone }) = log {
        let named = zone.as_ref().map(|zone| format!("{zone} ")).unwrap_or_default();
        counted = format!(
            "log group {group} prefix \"drop {named}blocked: \" snaplen {COPY_RANGE} \
             queue-threshold {QUEUE_THRESHOLD} "
        );
        comment = zone.as_ref().map(|zone| format!(" comment \"fwstat {zone}\"")).unwrap_or_default();
    }
    let which = if guard.all {
        // Neighbours of the link must find one another in any case.
        "meta l4proto ipv6-icmp icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } return"
    } else {
        "ct state != new return"
    };
    let _ = write!(
        text,
        "\tchain refuse {{\n\t\tcounter {counted}drop{comment}\n\t}}\n\
         \tchain judge {{\n\t\t{which}\n\
         \t\tip saddr @blocked4 goto refuse\n\
         \t\tip6 saddr & ffff:ffff:ffff:ffff:: @blocked6 goto refuse\n\t}}\n"
    );
    for hook in ["input", "forward"] {
        let _ = write!(
            text,
            "\tchain {hook} {{\n\t\ttype filter hook {hook} priority filter - 10\n\t\tjump judge\n\t}}\n"
        );
    }
}

/// Remembers to whom connections are opened: after fw4's chains, so that only what they let through counts.
/// Name and time servers are remembered for longer.
fn peers(guard: &GuardSpec, text: &mut String) {
    let going_on = if guard.all { "" } else { "limit rate 200/second burst 200 packets " };
    text.push_str(
        "\tchain remember {\n\
         \t\tmeta l4proto { tcp, udp } th dport { 53, 123, 853 } update @peers4 { ip daddr timeout 1d } return\n\
         \t\tmeta l4proto { tcp, udp } th dport { 53, 123, 853 } \
         update @peers6 { ip6 daddr & ffff:ffff:ffff:ffff:: timeout 1d } return\n\
         \t\tupdate @peers4 { ip daddr }\n\
         \t\tupdate @peers6 { ip6 daddr & ffff:ffff:ffff:ffff:: }\n\t}\n",
    );
    for (chain, hook) in [("opened", "output"), ("opened_through", "forward")] {
        let _ = write!(
            text,
            "\tchain {chain} {{\n\t\ttype filter hook {hook} priority filter + 10\n\
             \t\tct direction reply return\n\
             \t\tct state new goto remember\n\
             \t\tct state established {going_on}goto remember\n\t}}\n"
        );
    }
}

/// Before fw4's chains, so that what these refuse is seen too; fw4 logs it in its own way.
fn egress(outside: &[String], log: Option<&LogSpec>, text: &mut String) {
    let names: Vec<String> = outside.iter().map(|name| format!("\"{name}\"")).collect();
    let names = names.join(", ");
    let logged = log.map_or(String::new(), |LogSpec { group, .. }| {
        format!(
            "\t\t{WATCHED_RATE} log group {group} prefix \"fwstat egress: \" snaplen {COPY_RANGE} \
             queue-threshold {QUEUE_THRESHOLD}\n"
        )
    });
    let _ = write!(
        text,
        "\tchain watched {{\n\t\tcounter comment \"fwstat egress\"\n{logged}\t}}\n\
         \tchain egress {{\n\t\ttype filter hook forward priority filter - 5\n\
         \t\tiifname {{ {names} }} return\n\
         \t\toifname {{ {names} }} ct state new tcp dport {{ {WORM_PORTS} }} jump watched\n\t}}\n"
    );
}

/// Adds these blocks to the table that is there.
pub fn add(blocks: &[(Source, u64)], text: &mut String) {
    for (place, set) in BLOCKED.into_iter().enumerate() {
        let of_family: Vec<&(Source, u64)> =
            blocks.iter().filter(|(source, _)| place_of(*source) == place).collect();
        for some in of_family.chunks(AT_ONCE) {
            let elements: Vec<String> = some.iter().map(|(source, left)| element(*source, *left)).collect();
            let _ = writeln!(text, "add element inet {TABLE} {set} {{ {} }}", elements.join(", "));
        }
    }
}

/// Takes these sources out of the table that is there, whether they are in it or not.
pub fn remove(sources: &[Source], text: &mut String) {
    for source in sources {
        let set = BLOCKED[place_of(*source)];
        let _ = writeln!(
            text,
            "add element inet {TABLE} {set} {{ {} }}\ndelete element inet {TABLE} {set} {{ {} }}",
            element(*source, 1000),
            key_text(*source)
        );
    }
}

/// 0 for IPv4, 1 for IPv6.
fn place_of(source: Source) -> usize {
    usize::from(matches!(source, Source::V6(_)))
}

fn key_text(source: Source) -> String {
    source.prefix().network.to_string()
}

fn element(source: Source, left_ms: u64) -> String {
    let left = left_ms.saturating_sub(EARLY_MS).max(1);
    let (seconds, ms) = (left / 1000, left % 1000);
    let time = match (seconds, ms) {
        (0, ms) => format!("{ms}ms"),
        (seconds, 0) => format!("{seconds}s"),
        (seconds, ms) => format!("{seconds}s{ms}ms"),
    };
    format!("{} timeout {time}", key_text(source))
}

/// A source as the key of an element, in network byte order.
pub fn key(source: Source) -> Vec<u8> {
    match source {
        Source::V4(bits) => bits.to_be_bytes().to_vec(),
        Source::V6(high) => (u128::from(high) << 64).to_be_bytes().to_vec(),
    }
}

pub fn source_of(key: &[u8]) -> Option<Source> {
    if let Ok(bits) = <[u8; 4]>::try_from(key) {
        return Some(Source::V4(u32::from_be_bytes(bits)));
    }
    let bits = <[u8; 16]>::try_from(key).ok()?;
    Some(Source::V6((u128::from_be_bytes(bits) >> 64) as u64))
}

/// The set that a source belongs to, of a pair of them.
pub fn set_of(sets: [&'static str; 2], source: Source) -> &'static str {
    sets[place_of(source)]
}

/// Whether an interface may be named in a rule: the kernel allows more letters than we do.
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
            guard: Some(GuardSpec { enforce: true, all: false, size: 4096 }),
            log: Some(LogSpec { group: 32, zone: Some("wan".into()) }),
            egress: Some(vec!["pppoe-wan".into()]),
        };
        let blocks = [(Source::V4(0xc633_6407), 3_600_000), (Source::V6(0x2001_0db8_0001_0002), 1_550)];
        let text = build(&spec, &blocks);
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/guard-table.txt");
        if std::env::var_os("FWSTAT_BLESS").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        assert_eq!(text, std::fs::read_to_string(path).unwrap());
        assert!(!build(&Spec { log: None, ..spec.clone() }, &blocks).contains("log group"));
        let dry = Spec { guard: Some(GuardSpec { enforce: false, all: false, size: 9 }), ..spec };
        let dry = build(&dry, &blocks);
        assert!(!dry.contains("drop") && !dry.contains("198.51.100.7") && dry.contains("peers4"));
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
