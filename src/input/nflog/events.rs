//! NFLOG record -> event.
//!
//! A record becomes the context that the log's text would have: the same packet gives the same event. Allocates nothing
//! for a packet whose rule and interfaces were seen before.

use crate::event::paths::Paths;
use crate::event::{Event, Origin};
use crate::parse::fingerprint;
use crate::parse::interfaces::Networks;
use crate::parse::line::{PathInfo, event};
use crate::parse::netfilter::Context;
use crate::parse::nflog::Record;
use crate::sys::netlink::interface_name;

use super::NflogRecord;

/// Paths that are cached; a full cache is emptied.
pub const MAX_CACHED_PATHS: usize = 128;

/// The interface indexes of a message, to be compared without names: input, output, the bridge's ports; and whether the
/// destination MAC is a group's.
type Key = ([u32; 4], bool);

struct CachedPath {
    key: Key,
    prefix: Box<[u8]>,
    info: PathInfo,
}

/// Makes events; caches paths.
#[derive(Default)]
pub struct NflogEvents {
    /// That of the last packet comes first.
    cached: Vec<CachedPath>,
    /// The last one. It is made in its place and changed there: to move it would wait for its parts to be written.
    event: Option<Event>,
}

impl NflogEvents {
    /// Interfaces are renamed and come and go: call this every now and then.
    pub fn forget(&mut self) {
        self.cached.clear();
    }

    /// The event of a record that was read at `time` (seconds of wall time) and `uptime`
    /// (microseconds since boot). `None` if its rule lets packets through.
    pub fn event(
        &mut self,
        record: &NflogRecord<'_>,
        paths: &mut Paths,
        networks: &Networks,
        time: i64,
        uptime: u64,
    ) -> Option<&mut Event> {
        let info = self.info(&record.message, paths, networks);
        if info.ignored {
            return None;
        }
        let event = self.event.insert(event(&record.packet, &info, time, uptime));
        (event.fingerprint, event.unhashed) = (fingerprint(&record.packet.logged()), false);
        Some(event)
    }

    fn info(&mut self, message: &Record<'_>, paths: &mut Paths, networks: &Networks) -> PathInfo {
        let interfaces = [message.input, message.output, message.bridge_input, message.bridge_output];
        let key = (interfaces, message.group_mac());
        let is_it = |known: &CachedPath| known.key == key && *known.prefix == *message.prefix;
        if let Some(place) = self.cached.iter().position(is_it) {
            self.cached.swap(0, place);
            return self.cached[0].info;
        }
        let [input, output, bridge_input, bridge_output] = &interfaces.map(name);
        let context = Context {
            prefix: message.prefix,
            input: Some(input.as_bytes()),
            output: Some(output.as_bytes()),
            bridge_input: bridge_input.as_bytes(),
            bridge_output: bridge_output.as_bytes(),
            group_mac: key.1,
            ..Context::default()
        };
        let info = PathInfo::new(&context, Origin::Nflog, networks, true, paths);
        if self.cached.len() >= MAX_CACHED_PATHS {
            self.cached.clear();
        }
        self.cached.insert(0, CachedPath { key, prefix: message.prefix.into(), info });
        info
    }
}

/// The name of an interface; its number if it is gone already.
fn name(index: u32) -> String {
    match index {
        0 => String::new(),
        _ => interface_name(index).unwrap_or_else(|| format!("if{index}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Address, Class, Verdict, protocol};
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
    fn the_path_of_a_rule_and_its_interfaces_is_made_once() {
        let (mut events, mut paths, networks) = (NflogEvents::default(), Paths::new(), Networks::default());
        for _ in 0..3 {
            for (prefix, verdict) in
                [(&b"drop wan in: "[..], Verdict::Drop), (b"reject wan in: ", Verdict::Reject)]
            {
                let record = record(prefix, 1);
                let event = events.event(&record, &mut paths, &networks, 1000, 7).unwrap();
                let path = paths.get(event.path).unwrap();
                assert_eq!((path.prefix.as_bytes(), path.input.as_str()), (prefix.trim_ascii_end(), "lo"));
                assert_eq!((path.origin, path.group_mac), (Origin::Nflog, false));
                assert_eq!(
                    (event.time, event.uptime, event.count, event.fingerprint),
                    (1000, 7, 1, fingerprint(&record.packet))
                );
                assert_eq!((event.class, event.verdict), (Class::Attempt, verdict));
            }
        }
        assert_eq!((events.cached.len(), paths.iter().count()), (2, 2));
        events.forget();
        events.event(&record(b"drop wan in: ", 1), &mut paths, &networks, 1000, 7).unwrap();
        assert_eq!((events.cached.len(), paths.iter().count()), (1, 2));
    }

    #[test]
    fn what_a_rule_lets_through_is_no_event() {
        let (mut events, mut paths, networks) = (NflogEvents::default(), Paths::new(), Networks::default());
        let record = record(b"MSSFIX wan out: ", 1);
        assert!(events.event(&record, &mut paths, &networks, 0, 0).is_none());
        assert_eq!(paths.iter().count(), 0);
    }

    #[test]
    fn a_later_fragment_is_no_attempt() {
        let (mut events, mut paths, networks) = (NflogEvents::default(), Paths::new(), Networks::default());
        let mut record = record(b"drop wan in: ", 1);
        (record.packet.port, record.packet.fragment_offset) = (0, 1480);
        let event = events.event(&record, &mut paths, &networks, 0, 0).unwrap();
        assert_eq!(event.class, Class::Backscatter);
    }

    #[test]
    fn full_tables_start_anew_and_names_of_interfaces_that_are_gone_are_numbers() {
        let (mut events, mut paths, networks) = (NflogEvents::default(), Paths::new(), Networks::default());
        for index in 1_000_000..1_001_000 {
            let record = record(b"drop", index);
            let path = events.event(&record, &mut paths, &networks, 0, 0).unwrap().path;
            assert!(events.cached.len() <= MAX_CACHED_PATHS);
            if index == 1_000_000 {
                assert_eq!(paths.get(path).unwrap().input, "if1000000");
            }
        }
    }
}
