//! The newest events with their log lines. Takes events, gives them back oldest first. Bounded in number and in bytes.

use std::collections::VecDeque;
use std::fmt::Write;

use crate::event::paths::Path;
use crate::event::services;
use crate::event::{Address, Event, Origin, protocol, tcp};

/// Longer lines are cut.
pub const LONGEST_LINE: usize = 512;

/// An event with its log line, for `recent` and `source`.
#[derive(Clone)]
pub struct RecentEvent {
    /// Counts up from 1.
    pub number: u64,
    pub boot_ms: u64,
    /// The wall time, once it is known: a later step of the clock does not change it.
    pub wall: Option<i64>,
    pub event: Event,
    /// The line of logd, at most [`LONGEST_LINE`] bytes of it; an NFLOG packet has none.
    pub line: Option<Box<[u8]>>,
}

/// The newest events: at most `most`, and a bounded number of bytes.
#[derive(Default)]
pub struct Evidence {
    events: VecDeque<RecentEvent>,
    most: usize,
    /// The number of the newest event, held or not.
    pub last: u64,
}

impl Evidence {
    /// Holds at most `most` events.
    pub fn new(most: usize) -> Evidence {
        Evidence { most, ..Evidence::default() }
    }

    /// Changes how many events are held; the oldest are removed.
    pub fn set_most(&mut self, most: usize) {
        self.most = most;
        while self.events.len() > most {
            self.events.pop_front();
        }
        self.events.shrink_to_fit();
    }

    /// Adds an event, and gives the oldest one that is removed for it.
    #[inline]
    pub fn add(&mut self, held: RecentEvent) -> Option<RecentEvent> {
        self.last = held.number;
        let gone = if self.events.len() >= self.most { self.events.pop_front() } else { None };
        if self.most > 0 {
            self.events.push_back(held);
        }
        gone
    }

    /// The clock is set: gives a wall time to events that have none.
    pub fn label(&mut self, wall_of: impl Fn(u64) -> i64) {
        for held in self.events.iter_mut().filter(|held| held.wall.is_none()) {
            held.wall = Some(wall_of(held.boot_ms));
        }
    }

    /// Removes the events of sources.
    pub fn forget_sources(&mut self, is_meant: impl Fn(Address) -> bool) {
        self.events.retain(|held| !is_meant(held.event.source));
    }

    /// Oldest first.
    pub fn events(&self) -> impl DoubleEndedIterator<Item = &RecentEvent> {
        self.events.iter()
    }
}

/// The raw line, or one made of the packet's fields in the kernel's order.
pub fn line_of(held: &RecentEvent, path: Option<&Path>) -> String {
    if let Some(line) = &held.line {
        return String::from_utf8_lossy(line).into_owned();
    }
    let event = &held.event;
    let mut line = String::new();
    if let Some(path) = path {
        if !path.prefix.is_empty() {
            line = format!("{} ", path.prefix);
        }
        let _ = write!(line, "IN={} OUT={} ", path.input, path.output);
        if !path.bridge_input.is_empty() {
            let _ = write!(line, "PHYSIN={} ", path.bridge_input);
        }
    }
    let name = services::protocol_name(event.protocol).to_ascii_uppercase();
    let _ = write!(line, "SRC={} DST={} LEN={} PROTO={name}", event.source, event.destination, event.length);
    if event.has_known_ports() {
        let _ = write!(line, " SPT={} DPT={}", event.source_port, event.port);
    }
    if matches!(event.protocol, protocol::ICMP | protocol::ICMPV6) {
        let _ = write!(line, " TYPE={} CODE={}", event.icmp_type, event.icmp_code);
    }
    if let Some(flags) = flags_of(event).filter(|flags| !flags.is_empty()) {
        let _ = write!(line, " {flags}");
    }
    if path.is_some_and(|path| path.origin == Origin::Nflog) {
        line.push_str(" (nflog)");
    }
    line
}

/// TCP flags by name; `None` for other protocols.
pub fn flags_of(event: &Event) -> Option<String> {
    if event.protocol != protocol::TCP {
        return None;
    }
    // From the highest bit down.
    let names = ["CWR", "ECE", "URG", "ACK", "PSH", "RST", "SYN", "FIN"];
    let is_set = |bit: &(usize, &str)| event.flags & tcp::CWR >> bit.0 != 0;
    let names: Vec<&str> = names.into_iter().enumerate().filter(is_set).map(|(_, name)| name).collect();
    Some(names.join(" "))
}
