//! NFLOG record -> event, as the log's text is read: the same packet is the same event. Allocates nothing for a packet
//! whose rule and interfaces were seen before.

use crate::event::paths::Paths;
use crate::event::{Event, Origin};
use crate::parse::interfaces::Networks;
use crate::parse::line::{PathInfo, event};
use crate::parse::netfilter::Context;
use crate::parse::{fingerprint, log_prefix};
use crate::sys::netlink::interface_name;

use super::NflogRecord;

/// Paths that are cached; a full cache is emptied.
pub const MAX_CACHED_PATHS: usize = 128;

/// Names of interfaces that are cached.
pub const MAX_INTERFACES: usize = 64;

/// What determines the path beside the log prefix, with interface indexes: to be compared without names.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    input: u32,
    output: u32,
    bridge_input: u32,
    bridge_output: u32,
    group_mac: bool,
}

struct CachedPath {
    key: Key,
    prefix: Box<[u8]>,
    info: PathInfo,
}

/// Makes events; caches paths and the names of interfaces.
#[derive(Default)]
pub struct NflogEvents {
    /// The last hit comes first.
    cached: Vec<CachedPath>,
    interfaces: Vec<(u32, String)>,
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
    /// (microseconds since boot). `None` if its rule lets packets through. `networks` tells the direction of those that
    /// were not seen before.
    pub fn event(
        &mut self,
        record: &NflogRecord<'_>,
        paths: &mut Paths,
        networks: &Networks,
        time: i64,
        uptime: u64,
    ) -> Option<Event> {
        let info = self.info(record, paths, networks);
        let event = event(&record.packet, &info, time, uptime);
        let fingerprint = fingerprint(&record.packet.as_logged());
        (!info.ignored).then_some(Event { fingerprint, ..event })
    }

    fn info(&mut self, record: &NflogRecord<'_>, paths: &mut Paths, networks: &Networks) -> PathInfo {
        let message = &record.message;
        let key = Key {
            input: message.input,
            output: message.output,
            bridge_input: message.bridge_input,
            bridge_output: message.bridge_output,
            group_mac: message.group_mac(),
        };
        let is_it = |known: &CachedPath| known.key == key && *known.prefix == *message.prefix;
        if let Some(place) = self.cached.iter().position(is_it) {
            self.cached.swap(0, place);
            return self.cached[0].info;
        }
        let names =
            [key.input, key.output, key.bridge_input, key.bridge_output].map(|index| self.name(index));
        let [input, output, bridge_input, bridge_output] = names.each_ref().map(String::as_bytes);
        let context = Context {
            prefix: message.prefix,
            input: Some(input),
            output: Some(output),
            bridge_input,
            bridge_output,
            group_mac: key.group_mac,
            ..Context::default()
        };
        let path = log_prefix::path(&context, Origin::Nflog, networks, true);
        let info = PathInfo::new(&path, false, networks, paths);
        if self.cached.len() >= MAX_CACHED_PATHS {
            self.cached.clear();
        }
        self.cached.push(CachedPath { key, prefix: message.prefix.into(), info });
        info
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
    use crate::event::paths::Direction;
    use crate::event::{Address, Class, Verdict, protocol};
    use crate::parse::nflog::Record;
    use crate::parse::packet::Packet;

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
        let (mut events, mut paths, networks) = (NflogEvents::new(), Paths::new(), Networks::default());
        for _ in 0..3 {
            for (prefix, verdict) in
                [(&b"drop wan in: "[..], Verdict::Drop), (b"reject wan in: ", Verdict::Reject)]
            {
                let record = record(prefix, 1);
                let event = events.event(&record, &mut paths, &networks, 1000, 7).unwrap();
                let path = paths.get(event.path).unwrap();
                assert_eq!((path.prefix.as_bytes(), path.input.as_str()), (prefix.trim_ascii_end(), "lo"));
                assert_eq!(
                    (event.time, event.uptime, event.count, event.fingerprint),
                    (1000, 7, 1, fingerprint(&record.packet))
                );
                assert_eq!((event.class, event.verdict), (Class::Attempt, verdict));
            }
        }
        assert_eq!((events.cached.len(), paths.len()), (2, 2));
        events.forget();
        // What is inside and outside may have changed.
        let networks = Networks { wan: vec!["lo".into()], ..Networks::default() };
        let event = events.event(&record(b"DROP: ", 1), &mut paths, &networks, 1000, 7).unwrap();
        assert_eq!(paths.get(event.path).unwrap().direction, Direction::Inbound);
    }

    #[test]
    fn what_a_rule_lets_through_is_no_event() {
        let (mut events, mut paths, networks) = (NflogEvents::new(), Paths::new(), Networks::default());
        let record = record(b"MSSFIX wan out: ", 1);
        assert!(events.event(&record, &mut paths, &networks, 0, 0).is_none());
    }

    #[test]
    fn full_tables_start_anew_and_names_of_interfaces_that_are_gone_are_numbers() {
        let (mut events, mut paths, networks) = (NflogEvents::new(), Paths::new(), Networks::default());
        for index in 1_000_000..1_001_000 {
            let record = record(b"drop", index);
            let path = events.event(&record, &mut paths, &networks, 0, 0).unwrap().path;
            assert!(events.cached.len() <= MAX_CACHED_PATHS && events.interfaces.len() <= MAX_INTERFACES);
            if index == 1_000_000 {
                assert_eq!(paths.get(path).unwrap().input, "if1000000");
            }
        }
    }
}
