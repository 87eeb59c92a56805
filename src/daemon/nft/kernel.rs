//! The guard's table in the kernel, over netlink: notifications of changes, reading and changing the elements of its
//! sets.
//!
//! The kernel answers within the system call; no process is started. Knows addresses only, no rules of the guard.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use super::conntrack;
use super::script::{self, BLOCKED, LAST, NETWORKS, PEERS, SERVED, TABLE};
use super::{DATAGRAM, list, range_changes, receive_answer, result_of};
use crate::guard::Source;
use crate::guard::networks::Element;
use crate::guard::ranges::range_of;
use crate::parse::netlink::NFGENMSG;
use crate::parse::nftables::{self, Change, Message, NFNLGRP_NFTABLES, Transaction};
use crate::query::question::Prefix;
use crate::sys::netlink::Netlink;

/// The whole ruleset of a router is some hundred notifications when it is reloaded.
const RECEIVE_BUFFER: usize = 256 << 10;
/// Datagrams read in one iteration of the loop.
const DATAGRAMS_PER_TURN: usize = 256;
/// Elements in one message: its attributes have lengths of 16 bits, and the answer to a message that fails contains it,
/// within [`DATAGRAM`].
const ELEMENTS_PER_MESSAGE: usize = 256;
/// A range has two elements.
const RANGES_PER_MESSAGE: usize = ELEMENTS_PER_MESSAGE / 2;
/// Most ranges that one transaction changes; a group of overlapping ranges, which must change together, may be larger.
/// While a process listens to nftables notifications, some kernels hold a 4 KiB buffer for each element until the
/// transaction is committed, and a range has two elements.
const RANGES_AT_ONCE: usize = 256;
/// How often the sets of networks are listed again, should ranges end while they are changed.
const TRIES: usize = 3;

/// Messages of a map's list that are read; each fills a datagram.
const MAP_MESSAGES: usize = 64;

/// Shorter datagrams fit into every socket's send buffer.
const USUAL_DATAGRAM: usize = 64 << 10;

/// Notifications about tables.
pub struct Notifications {
    socket: Netlink,
    buffer: Box<[u8]>,
}

impl Notifications {
    /// Opens a netlink socket; the error is the kernel's.
    pub fn open() -> io::Result<Notifications> {
        let socket = Netlink::netfilter(1 << (NFNLGRP_NFTABLES - 1))?;
        socket.set_receive_buffer(RECEIVE_BUFFER)?;
        Ok(Notifications { socket, buffer: vec![0; DATAGRAM].into_boxed_slice() })
    }

    /// Readable when there are notifications.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Reads the queued notifications. True if something of the table was deleted, or may have been, by another socket
    /// than `own`.
    pub fn read(&mut self, own: &[u32]) -> io::Result<bool> {
        let mut damaged = false;
        for _ in 0..DATAGRAMS_PER_TURN {
            let datagram = match self.socket.receive(&mut self.buffer) {
                Ok(Some(datagram)) if datagram.from_kernel => datagram,
                Ok(Some(_)) => continue,
                Ok(None) => break,
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    damaged = true;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let is_damage = |message| match message {
                Message::Removed { table, port } => table == TABLE.as_bytes() && !own.contains(&port),
                message => matches!(message, Message::Unknown),
            };
            let bytes = &self.buffer[..datagram.length.min(DATAGRAM)];
            damaged |= datagram.cut || nftables::messages(bytes).any(is_damage);
        }
        Ok(damaged)
    }
}

/// A set that the kernel fills, and the keys of its elements with their remaining milliseconds.
pub type Remembered = (&'static str, Vec<Change>);

/// Takes the messages of an answer.
type Each<'a> = &'a mut dyn FnMut(Message<'_>);

/// A socket for reading and changing elements; the kernel answers each request at once.
pub struct Elements {
    socket: Netlink,
    /// The socket's netlink port id.
    pub port: u32,
    buffer: Box<[u8]>,
    request: u32,
}

impl Elements {
    /// Opens a netlink socket; the error is the kernel's.
    pub fn open() -> io::Result<Elements> {
        let socket = Netlink::netfilter(0)?;
        let port = socket.port()?;
        Ok(Elements { socket, port, buffer: vec![0; DATAGRAM].into_boxed_slice(), request: 0 })
    }

    /// Sends a request and passes every message of the answer to `each`. Returns the errno of the answer, 0 for
    /// success.
    fn ask(&mut self, make: &dyn Fn(u32) -> Vec<u8>, each: Each<'_>) -> io::Result<i32> {
        self.request = self.request.wrapping_add(1);
        let wanted = self.request;
        self.socket.send(&make(wanted))?;
        self.receive(&mut |request| request == wanted, each)
    }

    /// Reads answers up to the one that `is_last`; late answers to earlier requests are skipped.
    fn receive(&mut self, is_last: &mut dyn FnMut(u32) -> bool, each: Each<'_>) -> io::Result<i32> {
        receive_answer(&self.socket, &mut self.buffer, &mut |datagram| {
            for message in nftables::messages(datagram) {
                match message {
                    Message::Answer { request, errno } if is_last(request) => return Some(errno),
                    Message::Done => return Some(0),
                    message => each(message),
                }
            }
            None
        })
    }

    /// Whether the table exists.
    pub fn has_table(&mut self) -> io::Result<bool> {
        match self.ask(&|request| nftables::get_table(TABLE, request), &mut |_| {})? {
            0 => Ok(true),
            libc::ENOENT => Ok(false),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    /// Whether a set has an element with this key. The error: the kernel cannot answer.
    fn has_element(&mut self, set: &str, key: &[u8]) -> io::Result<bool> {
        match self.ask(&|request| nftables::get_element(TABLE, set, key, request), &mut |_| {})? {
            0 => Ok(true),
            // ENOENT: the element, the set or the table does not exist.
            libc::ENOENT if self.has_table()? => Ok(false),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    /// Whether a connection to this source was opened from inside within the time that peers are remembered for. The
    /// error: the kernel cannot answer, for instance without the table.
    pub fn is_remembered(&mut self, source: Source) -> io::Result<bool> {
        self.has_element(PEERS[script::place_of(source)], &script::key(source))
    }

    /// Gives every wanted source to which something else opened a connection that is still tracked, once for each
    /// connection. `requests`: see [`conntrack::all_connections`] and [`conntrack::connections_of`]; the kernel goes through
    /// all its connections for each, however many sources are wanted. Errors: no connection tracking over netlink
    /// (`nf_conntrack_netlink`), no permission, no memory.
    pub fn connected(
        &mut self,
        requests: &[Vec<u8>],
        is_wanted: &dyn Fn(Source) -> bool,
        each: &mut dyn FnMut(Source),
    ) -> io::Result<()> {
        for request in requests {
            list(request, &mut |frame| {
                let entry = frame.body.get(NFGENMSG..).unwrap_or_default();
                if let Some(source) = conntrack::answering(entry).filter(|source| is_wanted(*source))
                    && let Some((place, key)) = conntrack::opener(entry)
                    // From a port that accepts connections from outside, a packet is a reply, even if the kernel no longer
                    // knew the connection.
                    && !self.has_element(SERVED[place], &key).unwrap_or(false)
                {
                    each(source);
                }
                None
            })?;
        }
        Ok(())
    }

    /// Makes the sets of blocked networks hold these ranges, sorted and disjoint, and nothing else. What is blocked before
    /// and after is never let through: only the difference is changed, and ranges that overlap others give way to them in one
    /// transaction. After an error some of it may be changed.
    pub fn set_networks(&mut self, wanted: &[Element]) -> io::Result<()> {
        for _ in 0..TRIES {
            let done = self.change_networks(wanted);
            let errno = done.as_ref().err().and_then(io::Error::raw_os_error);
            // Else a range ended between the list and the change.
            if !matches!(errno, Some(libc::ENOENT | libc::EEXIST | libc::ENOTEMPTY)) {
                return done;
            }
        }
        self.change_networks(wanted)
    }

    /// One try of [`Elements::set_networks`].
    fn change_networks(&mut self, wanted: &[Element]) -> io::Result<()> {
        let mut present = Vec::new();
        for (set, last) in NETWORKS.into_iter().zip(LAST) {
            self.list_ranges(set, last, &mut present)?;
        }
        present.sort_unstable();
        let groups = range_changes::changes(&present, wanted);
        let mut rest = &groups[..];
        while !rest.is_empty() {
            let sizes = rest.iter().scan(0, |sum, group| {
                *sum += group.size();
                Some(*sum)
            });
            let count = sizes.take_while(|size| *size <= RANGES_AT_ONCE).count().max(1);
            let (now, later) = rest.split_at(count);
            self.transact(&mut |transaction| {
                for (family, set) in NETWORKS.into_iter().enumerate() {
                    let of_family = |(range, left): &Element| {
                        let (of, first, behind) = script::range_keys(*range);
                        (of == family).then(|| (first, behind, left.map(script::timeout_ms)))
                    };
                    let removed = now.iter().flat_map(|group| group.removed);
                    let removed: Vec<_> = removed.filter_map(of_family).collect();
                    let added: Vec<_> =
                        now.iter().flat_map(|group| group.added).filter_map(of_family).collect();
                    removed.chunks(RANGES_PER_MESSAGE).for_each(|some| transaction.delete(set, some));
                    added.chunks(RANGES_PER_MESSAGE).for_each(|some| transaction.add(set, some));
                }
            })?;
            rest = later;
        }
        Ok(())
    }

    /// Adds the ranges of a set, each with the milliseconds that are left of it. `last`: the last address of its family.
    fn list_ranges(&mut self, set: &str, last: u128, ranges: &mut Vec<Element>) -> io::Result<()> {
        let before = ranges.len();
        let mut ends: Vec<u128> = Vec::new();
        let errno = self.ask(&|request| nftables::list_elements(TABLE, set, request), &mut |message| {
            let Message::Elements(elements) = message else { return };
            for element in elements.iter() {
                match script::address_of(element.key) {
                    Some(behind) if element.is_end => ends.push(behind),
                    Some(first) => ranges.push(((first, last), element.expires_ms)),
                    None => {}
                }
            }
        })?;
        result_of(errno)?;
        let ranges = &mut ranges[before..];
        ranges.sort_unstable();
        ends.sort_unstable();
        let (mut ends, mut fit) = (ends.into_iter().peekable(), true);
        for at in 0..ranges.len() {
            let next = ranges.get(at + 1).map(|((first, _), _)| *first);
            let (first, last) = &mut ranges[at].0;
            // The end of a range whose time is over: the kernel lists its end alone until it removes both.
            while ends.next_if(|behind| *behind <= *first).is_some() {}
            match ends.next_if(|behind| next.is_none_or(|next| *behind <= next)) {
                Some(behind) => *last = behind - 1,
                // Only the last range can have no end.
                None => fit &= next.is_none(),
            }
        }
        // Else the set was changed while it was read.
        if fit { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ENOENT)) }
    }

    /// Makes the sets of blocked sources have each of these sources with its remaining milliseconds, or not at all, whatever
    /// they had. Atomic: after an error nothing has changed.
    pub fn change(&mut self, sources: &[(Source, Option<u64>)]) -> io::Result<()> {
        self.transact(&mut |transaction| {
            for (place, set) in BLOCKED.into_iter().enumerate() {
                let of_set = sources.iter().filter(|(source, _)| script::place_of(*source) == place);
                let element = |source: Source, left: u64| (script::key(source), None, Some(left));
                // Deleting an element that does not exist is an error, so each is added first.
                let gone: Vec<Change> = of_set.clone().map(|(source, _)| element(*source, 1000)).collect();
                for gone in gone.chunks(ELEMENTS_PER_MESSAGE) {
                    transaction.add(set, gone);
                    transaction.delete(set, gone);
                }
                let new =
                    of_set.filter_map(|(source, left)| Some(element(*source, script::timeout_ms((*left)?))));
                let new: Vec<Change> = new.collect();
                new.chunks(ELEMENTS_PER_MESSAGE).for_each(|new| transaction.add(set, new));
            }
        })
    }

    /// The table's elements about connections: peers and served ports.
    pub fn remembered(&mut self) -> Vec<Remembered> {
        let sets = PEERS.into_iter().chain(SERVED);
        sets.map(|set| {
            let mut elements = Vec::new();
            self.list(set, &mut |element| {
                elements
                    .extend(element.expires_ms.map(|left| (element.key.to_vec(), None, Some(left.max(1)))));
            });
            (set, elements)
        })
        .collect()
    }

    /// Adds the previous table's elements about connections to a new one.
    pub fn remember(&mut self, remembered: &[Remembered]) -> io::Result<()> {
        for (set, elements) in remembered {
            for some in elements.chunks(ELEMENTS_PER_MESSAGE) {
                self.transact(&mut |transaction| transaction.add(set, some))?;
            }
        }
        Ok(())
    }

    /// Deletes the table, whether it exists or not.
    pub fn delete_table(&mut self) -> io::Result<()> {
        self.transact(&mut |transaction| transaction.delete_table())
    }

    /// Sends the requests that `fill` adds as one transaction, which is atomic.
    fn transact(&mut self, fill: &mut dyn FnMut(&mut Transaction<'_>)) -> io::Result<()> {
        let first = self.request.wrapping_add(1);
        let mut transaction = Transaction::new(TABLE, first);
        fill(&mut transaction);
        let (bytes, last) = transaction.finish();
        if last == first {
            return Ok(());
        }
        self.request = last.wrapping_add(1);
        if bytes.len() > USUAL_DATAGRAM {
            self.socket.set_send_buffer(bytes.len())?;
        }
        self.socket.send(&bytes)?;
        let count = last.wrapping_sub(first);
        let mut failed = 0;
        for _ in 0..=count {
            // Each message is answered; of a transaction that fails as a whole only the first one is.
            let mut answered = first;
            let errno = self.receive(
                &mut |request| {
                    answered = request;
                    request.wrapping_sub(first) <= count
                },
                &mut |_| {},
            )?;
            failed = if failed == 0 { errno } else { failed };
            if answered == last || answered == first {
                break;
            }
        }
        result_of(failed)
    }

    /// The packets of a named counter of our table.
    pub fn counter(&mut self, name: &str) -> Option<u64> {
        self.packets(&|request| nftables::get_counter(TABLE, name, request))
    }

    /// Packets that were dropped by the element of these sets that has the first address of the prefix.
    pub fn dropped(&mut self, sets: [&str; 2], prefix: Prefix) -> Option<u64> {
        let (family, key, _) = script::range_keys(range_of(prefix));
        self.packets(&|request| nftables::get_element(TABLE, sets[family], &key, request))
    }

    /// The packets of the counter in the answer to a request.
    fn packets(&mut self, make: &dyn Fn(u32) -> Vec<u8>) -> Option<u64> {
        let mut packets = None;
        let asked = self.ask(make, &mut |message| match message {
            Message::Counter(count) => packets = count,
            Message::Elements(elements) => {
                packets = elements.iter().next().and_then(|element| element.packets);
            }
            _ => {}
        });
        asked.ok().filter(|errno| *errno == 0).and(packets)
    }

    /// Visits every source in a pair of sets, in the order of the kernel's hashes.
    pub fn sources(&mut self, sets: [&str; 2], each: &mut dyn FnMut(Source, nftables::Element<'_>)) {
        for set in sets {
            self.list(set, &mut |element| {
                if let Some(source) = script::source_of(element.key) {
                    each(source, element);
                }
            });
        }
    }

    /// Visits every element of a set.
    fn list(&mut self, set: &str, each: &mut dyn FnMut(nftables::Element<'_>)) {
        // What cannot be listed is restored from the ledger, or learnt again.
        let _ = self.ask(&|request| nftables::list_elements(TABLE, set, request), &mut |message| {
            if let Message::Elements(elements) = message {
                elements.iter().for_each(&mut *each);
            }
        });
    }
}

/// Whether an element of a verdict map of any table drops; `None` if the kernel does not answer or the map is too long.
pub fn map_drops(family: &str, table: &str, map: &str) -> Option<bool> {
    let family = match family {
        "inet" => 1,
        "ip" => 2,
        "netdev" => 5,
        "ip6" => 10,
        _ => return None,
    };
    let (mut drops, mut messages) = (false, 0);
    let listed = list(&nftables::list_elements_of(family, table, map, 1), &mut |frame| {
        if let Message::Elements(elements) = nftables::read(frame) {
            drops |= elements.any_drops();
        }
        messages += 1;
        (messages == MAP_MESSAGES).then_some(libc::EMSGSIZE)
    });
    (drops || listed.is_ok()).then_some(drops)
}
