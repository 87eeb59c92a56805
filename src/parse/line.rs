//! One log line -> one event.
//!
//! Takes a line's bytes, gives a classified event, or why there is none. Keeps what repeats from
//! line to line: the header up to the message, the hour of the stamp, the context up to the source.
//!
//! Only the kernel's lines become packets; `header` tells who wrote a line. A line without a tag counts if
//! it has the kernel's `IN=... OUT=`, and what stands before that can only be a firewall's prefix: it is
//! empty or a host name alone, or holds a word such as `drop` or `in:`, and no other word with a colon.
//! Behind an uptime any prefix will do, since dmesg shows the kernel's buffer.
//!
//! * Event: a packet with its outer source and destination, however little follows; or a failed login.
//! * Malformed: `IN=` or `OUT=` is there, and an address or the stamp can't be read.
//! * Skipped: everything else; accepted packets and ARP too.

use super::fingerprint::fingerprint_or_id;
use super::interfaces::Networks;
use super::log_prefix;
use super::login::{Logins, unfold};
use super::netfilter::{self, KnownAddress};
use super::packet::Packet;
use super::prefix::Prefix;
use super::stamp::uptime;
use super::structured::{Record, RecordTime, record};
use super::syslog::{Author, Header, Tag, has_pid, header, host_before_prefix, line_start, split_tag};
use super::uncounted::Uncounted;
use super::window::{Padded, Text, Window};
use crate::event::calendar::{Calendar, Date};
use crate::event::classify::{Way, classify};
use crate::event::paths::{Path, Paths};
use crate::event::{Class, Event, Origin, PathId, Verdict};

mod contexts;
mod events;
mod headers;
mod others;
mod repeated;
mod times;

use events::outcome;
pub use events::{PathInfo, event};
use headers::Headers;
use others::object;
pub use repeated::may_repeat;
use times::{micros_of, with_log_timestamp};

/// What a line is.
#[derive(Clone, Copy, Debug)]
pub enum Outcome {
    Event(Event),
    Malformed(Uncounted),
    /// With the reason, if the line looks like a packet.
    Skipped(Option<Uncounted>),
}

/// How lines without a full date get their time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FileClock {
    /// Year of the file's first stamp without a year.
    pub year: i32,
    /// Unix seconds: the time of lines with neither stamp nor a known boot.
    pub modified: i64,
    /// Wall time of uptime 0, for lines that have only an uptime.
    pub boot: Option<i64>,
    /// `year` was inferred, and there are timestamps that need it.
    pub year_assumed: bool,
    /// Unix seconds: a timestamp without a year that would be later is of a clock that was not set yet.
    pub latest: Option<i64>,
}

/// Different contexts that are remembered. Logs have a handful at a time.
const CONTEXTS: usize = 64;
/// Longer ones are read anew each time.
const LONGEST_CONTEXT: usize = 512;

/// Reads the lines of files one after the other, or single messages. Must be given the same `Paths`
/// all its life.
pub struct LineReader {
    networks: Networks,
    /// The machine has OpenWrt's `br-lan`: it was seen in its log.
    lan_bridge: bool,
    calendar: Calendar,
    clock: FileClock,
    /// The day and the instant of a stamp before, for the next one without a year.
    previous: Option<(Date, i64)>,
    headers: Headers,
    /// Most recently used or added first; the last one is evicted.
    contexts: Vec<KnownContext>,
    destination: KnownAddress,
    logins: Logins,
    /// Events whose line has no time of its own.
    undated: u64,
}

/// A context up to the address behind `SRC=`, with the MAC addresses of the last packet.
struct KnownContext {
    text: Prefix,
    info: PathInfo,
}

impl LineReader {
    /// `networks`: which interfaces lead outside. `calendar`: the time zone of timestamps without an offset.
    pub fn new(networks: &Networks, calendar: Calendar) -> LineReader {
        LineReader {
            networks: networks.clone(),
            lan_bridge: false,
            calendar,
            clock: FileClock::default(),
            previous: None,
            headers: Headers::default(),
            contexts: Vec::with_capacity(CONTEXTS),
            destination: KnownAddress::default(),
            logins: Logins::default(),
            undated: 0,
        }
    }

    /// Reads by other networks and another zone from now on. The connections that have not ended are remembered.
    pub fn renew(&mut self, networks: &Networks, calendar: Calendar) {
        let logins = std::mem::take(&mut self.logins);
        *self = LineReader { logins, ..LineReader::new(networks, calendar) };
    }

    /// Begins another file: with its clock, and without state of the lines before.
    pub fn begin_file(&mut self, clock: FileClock) {
        self.clock = clock;
        self.previous = None;
        self.headers.forget();
    }

    /// Events so far whose line had neither a date nor an uptime: they were given the time of the file.
    pub fn undated(&self) -> u64 {
        self.undated
    }

    /// The machine's log names OpenWrt's `br-lan`: its wireless interfaces are inside.
    pub fn set_lan_bridge(&mut self) {
        self.lan_bridge = true;
        self.contexts.clear();
        self.headers.forget();
    }

    /// Reads a line without its newline.
    pub fn read(&mut self, line: &[u8], paths: &mut Paths) -> Outcome {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let outcome = self.read_line(line, paths);
        with_reason(outcome, line)
    }

    fn read_line(&mut self, line: &[u8], paths: &mut Paths) -> Outcome {
        let Some(padded) = Padded::new(line) else { return self.read_unknown(line, paths) };
        let text = padded.window();
        if let Some((time, message)) = self.headers.read(text) {
            let outcome = self.packet(&line[message..], time, paths);
            return with_log_timestamp(outcome, self.headers.fraction(text));
        }
        if self.headers.is_irrelevant(text) {
            return Outcome::Skipped(Some(Uncounted::OtherProgram));
        }
        if let Some((micros, at)) = uptime(line, 0)
            && let Some((info, _)) = self.known_context(text, at)
            && info.no_tag
        {
            return self.packet(line, self.time_of_uptime(micros), paths);
        }
        self.read_unknown(line, paths)
    }

    /// Reads the packet of the line that `text` begins with, if it begins as the lines before did: how many bytes
    /// were read. No line ends within these; `text` may go on behind the line.
    pub fn read_quickly(&mut self, text: Window, event: &mut Event) -> Option<usize> {
        let (time, message) = self.headers.read(text)?;
        let (uptime, context_at) =
            if text.byte(message) == b'[' { uptime(text.from(0), message)? } else { (0, message) };
        let uptime = if uptime == 0 { micros_of(time, self.headers.fraction(text)) } else { uptime };
        let (info, source_at) = self.known_context(text, context_at)?;
        if info.ignored {
            return None;
        }
        let Some((packet, end)) = netfilter::v4_kernel_order(text, source_at, &mut self.destination) else {
            // Apart, so that what is asked of all addresses costs IPv4 nothing.
            let (packet, end) = netfilter::v6_kernel_order(text, source_at, &mut self.destination)?;
            *event = self::event(&packet, &info, time, uptime);
            return Some(end);
        };
        *event = self::event(&packet, &info, time, uptime);
        Some(end)
    }

    /// Reads a message that is known to be the kernel's, such as `[119160.26] reject wan in: IN=...`.
    pub fn read_kernel(&mut self, message: &[u8], time: i64, paths: &mut Paths) -> Outcome {
        let outcome = self.packet(message, time, paths);
        with_reason(outcome, message)
    }

    /// Reads a message of any other process, such as `dropbear[1234]: Bad password...`. Never a packet.
    pub fn read_daemon(&mut self, message: &[u8], time: i64, paths: &mut Paths) -> Outcome {
        let outcome = match split_tag(message) {
            Some((tag, text)) => self.login(tag, text, time, paths),
            None => Outcome::Skipped(Some(Uncounted::OtherProgram)),
        };
        with_reason(outcome, message)
    }

    fn read_unknown(&mut self, line: &[u8], paths: &mut Paths) -> Outcome {
        if let Some(outcome) = self.other_format(line, paths) {
            return outcome;
        }
        let header = header(line);
        let message = &line[header.message..];
        let time = match header.stamp {
            None => None,
            Some(stamp) => match self.time_of(&stamp) {
                Some(time) => Some(time),
                None => return without_time(line),
            },
        };
        let fraction = header.stamp.and_then(|stamp| line.get(stamp.minute_at.checked_add(5)?..));
        match header.author {
            Author::Kernel => {
                let time = time.unwrap_or_else(|| self.time_without_stamp(message));
                if let Some(stamp) = header.stamp {
                    self.headers.remember(line, &stamp, header.message, time);
                }
                let outcome = self.packet(message, time, paths);
                with_log_timestamp(outcome, fraction.unwrap_or_default())
            }
            Author::Daemon(tag) => {
                if let Some(stamp) = header.stamp
                    && !Logins::reads(tag.name)
                {
                    self.headers.remember_irrelevant(line, &stamp, header.message);
                }
                let time = time.unwrap_or(self.clock.modified);
                self.login(tag, message, time, paths)
            }
            Author::Untagged => {
                let outcome = self.untagged(message, &header, time, paths);
                with_log_timestamp(outcome, fraction.unwrap_or_default())
            }
            Author::Nobody => Outcome::Skipped(Some(Uncounted::NotTheKernel)),
        }
    }

    /// A line without a tag: `DROP IN=ppp0 OUT= ...`, with or without stamp, host and uptime before it.
    fn untagged(&mut self, message: &[u8], header: &Header, time: Option<i64>, paths: &mut Paths) -> Outcome {
        let skipped = Outcome::Skipped(Some(Uncounted::Untagged));
        let uptime_end = uptime(message, 0).map(|(_, end)| end);
        let Some(context) = netfilter::context(&message[uptime_end.unwrap_or(0)..]) else { return skipped };
        if context.input.is_none() || context.output.is_none() {
            return skipped;
        }
        let mut words = context.prefix.split(|&byte| byte == b' ');
        if words.clone().any(has_pid) || header.stamp.is_none() && is_journal_field(context.prefix) {
            return skipped;
        }
        if header.stamp.is_none() && uptime_end.is_none() && words.any(|word| word == b"kernel:") {
            // The kernel's, behind a stamp that can't be read.
            return Outcome::Malformed(Uncounted::Time);
        }
        let host = match host_before_prefix(context.prefix) {
            Some(host) => host,
            None if header.kern || uptime_end.is_some() => 0,
            None => return skipped,
        };
        let time = time.unwrap_or_else(|| self.time_without_stamp(message));
        let skipped = if header.kern || uptime_end.is_some() || header.stamp.is_none() { 0 } else { host };
        self.packet(&message[skipped..], time, paths)
    }

    /// A kernel message, from its uptime on.
    fn packet(&mut self, message: &[u8], time: i64, paths: &mut Paths) -> Outcome {
        let message = if message.starts_with(b" ") { message.trim_ascii_start() } else { message };
        let (uptime, at) = uptime(message, 0).unwrap_or((0, 0));
        let message = &message[at..];
        if let Some(padded) = Padded::new(message)
            && let Some((info, source_at)) =
                self.known_context(padded.window(), 0).or_else(|| self.change_device(message))
        {
            let packet = match netfilter::kernel_order(padded.window(), source_at, &mut self.destination) {
                Some((packet, _)) => Some(packet),
                None => netfilter::any_order(&message[source_at - b"SRC=".len()..]),
            };
            return outcome(packet, &info, time, uptime);
        }
        self.packet_of_new_head(message, time, uptime, paths)
    }

    #[inline(never)]
    fn packet_of_new_head(&mut self, message: &[u8], time: i64, uptime: u64, paths: &mut Paths) -> Outcome {
        if let Some((count, inner)) = unfold(message) {
            return match self.packet(inner, time, paths) {
                Outcome::Event(event) => Outcome::Event(Event { count, ..event }),
                outcome => outcome,
            };
        }
        if message.starts_with(b"Last message '") {
            // What it repeats is read apart.
            return Outcome::Skipped(None);
        }
        let Some(context) = netfilter::context(message) else {
            return Outcome::Skipped(Some(Uncounted::Untagged));
        };
        let info = self.info(message, &context, paths);
        let start = context.source_at.map_or(context.prefix.len(), |source_at| source_at - b"SRC=".len());
        let packet = netfilter::any_order(&message[start..]);
        let shaped = context.input.is_some() || context.output.is_some();
        if packet.is_none() && (!shaped || context.other_protocol) {
            return Outcome::Skipped(Some(Uncounted::Untagged));
        }
        outcome(packet, &info, time, uptime)
    }
}

/// Only what looks like a packet needs a reason.
fn with_reason(outcome: Outcome, text: &[u8]) -> Outcome {
    match outcome {
        Outcome::Skipped(Some(_)) if !looks_like_packet(text) => Outcome::Skipped(None),
        outcome => outcome,
    }
}

fn looks_like_packet(line: &[u8]) -> bool {
    let mut keys = memchr::memchr_iter(b'=', line).map(|at| &line[..at]);
    keys.any(|key| key.ends_with(b"SRC")) && keys.any(|key| key.ends_with(b"DST"))
}

/// A line whose date does not exist: a packet's is damaged.
fn without_time(line: &[u8]) -> Outcome {
    if looks_like_packet(line) { Outcome::Malformed(Uncounted::Time) } else { Outcome::Skipped(None) }
}

/// Whether a text is a field of an entry of the journal that was cut off before its time, such as `MESSAGE=`: anybody's.
fn is_journal_field(text: &[u8]) -> bool {
    let is_key = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    memchr::memchr(b'=', text).is_some_and(|equals| equals > 0 && text[..equals].iter().all(is_key))
}

/// Month and day if the line begins with a stamp that has no year.
pub fn day_without_year(line: &[u8]) -> Option<(u8, u8)> {
    let stamp = line_start(line).stamp?;
    stamp.year.is_none().then_some((stamp.month, stamp.day))
}

/// Whether a line begins with a time of any form, or with who wrote it; or is an entry of the journal.
pub fn is_log_line(line: &[u8]) -> bool {
    let header = header(line);
    record(line).is_some()
        || header.stamp.is_some()
        || !matches!(header.author, Author::Untagged)
        || uptime(line, header.message).is_some()
}

/// Whether the kernel names OpenWrt's bridge in this line: any other text can be a stranger's, such as a user name.
pub fn names_lan_bridge(line: &[u8]) -> bool {
    let names = |text: &[u8]| memchr::memmem::find(line, text).is_some();
    names(b"br-lan")
        && match object(line).and_then(record) {
            Some(record) => record.program.is_none(),
            None => match header(line).author {
                Author::Kernel => true,
                Author::Untagged => names(b"IN=br-lan ") || names(b"OUT=br-lan "),
                Author::Daemon(_) | Author::Nobody => false,
            },
        }
}

/// The uptime in microseconds if the line has no other time.
pub fn bare_uptime(line: &[u8]) -> Option<u64> {
    let line_start = line_start(line);
    if line_start.stamp.is_some() {
        return None;
    }
    uptime(line, line_start.at).map(|(micros, _)| micros)
}

#[cfg(test)]
mod form_tests;
#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
