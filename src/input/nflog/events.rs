//! NFLOG record -> event.
//!
//! What a packet means is decided elsewhere; this joins the pieces. Allocates nothing for a
//! packet whose rule and interfaces were seen before.

use crate::event::paths::{Path, Paths};
use crate::event::{Class, Event, PathId};
use crate::parse::fingerprint;
use crate::sys::netlink::interface_name;

use super::NflogRecord;

/// Paths that are cached; a full cache is emptied.
pub const MAX_CACHED_PATHS: usize = 128;

/// Names of interfaces that are cached.
pub const MAX_INTERFACES: usize = 64;

/// The metadata of a packet in an NFLOG message: log prefix, interfaces, hook (linux/netfilter/nfnetlink_log.h).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PacketMetadata<'a> {
    /// The rule's log prefix (`NFULA_PREFIX`).
    pub prefix: &'a str,
    /// Empty where there is none.
    pub input: &'a str,
    /// The outgoing interface; empty where there is none.
    pub output: &'a str,
    /// The bridge port that it came in by; empty where there is none.
    pub bridge_input: &'a str,
    /// The bridge port that it leaves by; empty where there is none.
    pub bridge_output: &'a str,
    /// The destination MAC is a broadcast or multicast address.
    pub group_mac: bool,
    /// 0 prerouting, 1 input, 2 forward, 3 output, 4 postrouting.
    pub hook: u8,
}

/// Gives path and class of a packet.
pub trait Classifier {
    /// The path that the packet was logged on.
    fn path(&self, metadata: &PacketMetadata<'_>) -> Path;
    /// `event.class` is not set yet.
    fn class(&self, event: &Event, path: &Path) -> Class;
}

/// The metadata with interface indexes, to be compared without names.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    input: u32,
    output: u32,
    bridge_input: u32,
    bridge_output: u32,
    group_mac: bool,
    hook: u8,
}

struct CachedPath {
    key: Key,
    prefix: Box<[u8]>,
    path: PathId,
}

/// Makes events; caches paths and the names of interfaces.
#[derive(Default)]
pub struct NflogEvents {
    cached: Vec<CachedPath>,
    /// Index in `cached` of the last packet's path.
    last: usize,
    interfaces: Vec<(u32, String)>,
    /// The last one. It is made in its place and changed there: to move it would wait for its parts to be written.
    event: Option<Event>,
}

impl NflogEvents {
    /// With empty caches.
    pub fn new() -> NflogEvents {
        NflogEvents::default()
    }

    /// Interfaces are renamed and come and go: call this every now and then.
    pub fn forget(&mut self) {
        self.cached.clear();
        self.interfaces.clear();
    }

    /// The event of a record that was read at `time` (seconds of wall time) and `uptime`
    /// (microseconds since boot). `None` if its rule lets packets through.
    pub fn event(
        &mut self,
        record: &NflogRecord<'_>,
        paths: &mut Paths,
        classifier: &dyn Classifier,
        time: i64,
        uptime: u64,
    ) -> Option<&mut Event> {
        let id = self.path(record, paths, classifier);
        let path = paths.get(id)?;
        if path.accepted {
            return None;
        }
        let packet = &record.packet;
        let event = self.event.insert(Event {
            time,
            source: packet.source,
            destination: packet.destination,
            fingerprint: packet.with_logged(fingerprint),
            uptime,
            count: 1,
            source_port: packet.source_port,
            port: packet.port,
            length: packet.length,
            path: id,
            protocol: packet.protocol,
            flags: packet.flags,
            icmp_type: packet.icmp_type,
            icmp_code: packet.icmp_code,
            class: Class::Attempt,
            verdict: path.verdict,
            unhashed: false,
        });
        event.class = classifier.class(event, path);
        Some(event)
    }

    fn path(&mut self, record: &NflogRecord<'_>, paths: &mut Paths, classifier: &dyn Classifier) -> PathId {
        let message = &record.message;
        let key = Key {
            input: message.input,
            output: message.output,
            bridge_input: message.bridge_input,
            bridge_output: message.bridge_output,
            group_mac: message.group_mac(),
            hook: message.hook,
        };
        let is_it = |known: &CachedPath| known.key == key && *known.prefix == *message.prefix;
        if let Some(known) = self.cached.get(self.last).filter(|known| is_it(known)) {
            return known.path;
        }
        if let Some(place) = self.cached.iter().position(is_it) {
            self.last = place;
            return self.cached[place].path;
        }
        let [input, output, bridge_input, bridge_output] =
            [key.input, key.output, key.bridge_input, key.bridge_output].map(|index| self.name(index));
        let path = classifier.path(&PacketMetadata {
            prefix: &String::from_utf8_lossy(message.prefix),
            input: &input,
            output: &output,
            bridge_input: &bridge_input,
            bridge_output: &bridge_output,
            group_mac: key.group_mac,
            hook: key.hook,
        });
        let id = paths.intern(&path);
        if self.cached.len() >= MAX_CACHED_PATHS {
            self.cached.clear();
        }
        self.last = self.cached.len();
        self.cached.push(CachedPath { key, prefix: message.prefix.into(), path: id });
        id
    }

    /// The name of an interface; its number if it is gone already.
    fn name(&mut self, index: u32) -> String {
        if index == 0 {
            return String::new();
        }
        if let Some((_, name)) = self.interfaces.iter().find(|known| known.0 == index) {
            return name.clone();
        }
        let Some(name) = interface_name(index) else {
            return format!("if{index}");
        };
        if self.interfaces.len() >= MAX_INTERFACES {
            self.interfaces.clear();
        }
        self.interfaces.push((index, name.clone()));
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::packet::Packet;
    use std::cell::Cell;

    use crate::event::paths::Direction;
    use crate::event::{Address, Origin, Verdict, protocol};
    use crate::parse::nflog::Record;

    /// Counts how often it is asked for a path.
    #[derive(Default)]
    struct CountingClassifier(Cell<usize>);

    impl Classifier for CountingClassifier {
        fn path(&self, metadata: &PacketMetadata<'_>) -> Path {
            self.0.set(self.0.get() + 1);
            Path {
                origin: Origin::Nflog,
                prefix: metadata.prefix.trim_end().to_string(),
                input: metadata.input.to_string(),
                output: metadata.output.to_string(),
                bridge_input: metadata.bridge_input.to_string(),
                bridge_output: metadata.bridge_output.to_string(),
                group_mac: metadata.group_mac,
                firewall_zone: None,
                verdict: Verdict::Drop,
                zone: None,
                direction: Direction::Inbound,
                accepted: metadata.prefix.starts_with("MSSFIX"),
            }
        }

        fn class(&self, event: &Event, path: &Path) -> Class {
            if path.group_mac || event.protocol != protocol::UDP { Class::Noise } else { Class::Attempt }
        }
    }

    fn record(prefix: &[u8], input: u32) -> NflogRecord<'_> {
        let packet = Packet {
            source: Address::v4(1),
            protocol: protocol::UDP,
            port: 53,
            length: 28,
            ..Packet::default()
        };
        NflogRecord { message: Record { prefix, input, ..Record::default() }, packet }
    }

    #[test]
    fn a_way_is_judged_once() {
        let (mut events, mut paths, classifier) =
            (NflogEvents::new(), Paths::new(), CountingClassifier::default());
        for _ in 0..3 {
            for prefix in [&b"drop wan in: "[..], b"reject wan in: "] {
                let record = record(prefix, 1);
                let event = events.event(&record, &mut paths, &classifier, 1000, 7).unwrap();
                let path = paths.get(event.path).unwrap();
                assert_eq!((path.prefix.as_bytes(), path.input.as_str()), (prefix.trim_ascii_end(), "lo"));
                assert_eq!(
                    (event.time, event.uptime, event.count, event.fingerprint),
                    (1000, 7, 1, fingerprint(&record.packet))
                );
                assert_eq!((event.class, event.verdict), (Class::Attempt, Verdict::Drop));
            }
        }
        assert_eq!((classifier.0.get(), paths.len()), (2, 2));
        events.forget();
        events.event(&record(b"drop wan in: ", 1), &mut paths, &classifier, 1000, 7).unwrap();
        assert_eq!((classifier.0.get(), paths.len()), (3, 2));
    }

    #[test]
    fn what_a_rule_lets_through_is_no_event() {
        let (mut events, mut paths, classifier) =
            (NflogEvents::new(), Paths::new(), CountingClassifier::default());
        let record = record(b"MSSFIX wan out: ", 1);
        assert!(events.event(&record, &mut paths, &classifier, 0, 0).is_none());
    }

    #[test]
    fn full_tables_start_anew_and_names_of_interfaces_that_are_gone_are_numbers() {
        let (mut events, mut paths, classifier) =
            (NflogEvents::new(), Paths::new(), CountingClassifier::default());
        for index in 1_000_000..1_001_000 {
            let record = record(b"drop", index);
            let path = events.event(&record, &mut paths, &classifier, 0, 0).unwrap().path;
            assert!(events.cached.len() <= MAX_CACHED_PATHS && events.interfaces.len() <= MAX_INTERFACES);
            if index == 1_000_000 {
                assert_eq!(paths.get(path).unwrap().input, "if1000000");
            }
        }
    }
}
