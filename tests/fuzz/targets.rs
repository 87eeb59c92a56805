//! What the fuzz targets do: one function for each place where hostile bytes come in. They must not panic, hang or
//! allocate by a number that the bytes name; what they check beside is said where it is checked.

use std::io::{Cursor, Read};
use std::rc::Rc;

use fwstat::config::{Config, rules, zones};
use fwstat::event::calendar::{Calendar, Month};
use fwstat::event::paths::Paths;
use fwstat::event::{Address, Class, Event};
use fwstat::geoip;
use fwstat::geoip::mmdb::{Bytes, Layout, Walk};
use fwstat::input::content::Content;
use fwstat::input::gzip::Gzip;
use fwstat::input::imported::Imported;
use fwstat::input::journal_text::{Form as JournalForm, JournalText};
use fwstat::input::lines::{Line, Lines};
use fwstat::input::logd::{Entry, LogdState, backlog_entries};
use fwstat::input::netifd;
use fwstat::input::seen::SeenMessages;
use fwstat::input::uncounted::UncountedLines;
use fwstat::output::blobmsg::{
    Answered, Answers, BusCommand, FwstatObject, Length, MAX_REASON, METHODS, Reply,
};
use fwstat::output::rendering::Rendering;
use fwstat::parse::interfaces::Networks;
use fwstat::parse::line::{FileClock, LineReader, Outcome, bare_uptime, day_without_year};
use fwstat::parse::login::Logins;
use fwstat::parse::netfilter::{self, KnownAddress};
use fwstat::parse::nflog;
use fwstat::parse::nflog::{Message, messages};
use fwstat::parse::packet::Packet;
use fwstat::parse::syslog::Tag;
use fwstat::parse::window::Padded;
use fwstat::query::history::{self, History, Need};
use fwstat::query::question::MAX_LIMIT;
use fwstat::query::target::MAX_NETWORKS;
use fwstat::stats::countries::Country;
use fwstat::stats::summary::DaySummary;
use fwstat::store::container::Open;
use fwstat::store::container::{self, Kind, Section};
use fwstat::store::directory::Directory;
use fwstat::store::{Retention, Store, ledger, pieces};
use fwstat::ubus::blob;
use fwstat::ubus::link::{BusEvent, Link};
use ubus::blobmsg::BlobMsgTable;
use ubus::envelope::{EnvBuilder, UbusAttr};
use ubus::wire::{Codec, Frame, MsgType};

#[path = "log_line.rs"]
mod log_line;
pub use log_line::log_line;

pub type Target = (&'static str, fn(&[u8]));

pub const ALL: &[Target] = &[
    ("log_line", log_line),
    ("login_line", login_line),
    ("store_file", store_file),
    ("gzip", gzip),
    ("log_file", log_file),
    ("journal", journal),
    ("seen_messages", seen_messages),
    ("country_database", country_database),
    ("options", options),
    ("nflog_datagram", nflog_datagram),
    ("nftables_datagram", nftables_datagram),
    ("ubus_message", ubus_message),
    ("ubus_call", ubus_call),
    ("logd_backlog", logd_backlog),
    ("nft_counters", nft_counters),
    ("netifd_interfaces", netifd_interfaces),
    ("conntrack_datagram", conntrack_datagram),
];

/// A daemon's message; its name is what stands before the first zero.
pub fn login_line(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let (name, message) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let mut logins = Logins::default();
    for (number, name) in [name, b"dropbear", b"sshd", b"rpcd", b""].into_iter().enumerate() {
        let tag = Tag { name, pid: data.first().map(|byte| u32::from(byte % 4)) };
        for message in message.split(|byte| *byte == b'\n') {
            logins.read(tag, message, number as i64);
        }
        logins.read(tag, data, 1000);
    }
}

/// A file of the store, whatever it is taken for: a month, one of its days, a piece of an open day, the rest. What is readable of a month
/// must be readable again after a day was added to it. Sections are also tried without the checksums around them.
pub fn store_file(data: &[u8]) {
    read_file(data);
    for kind in SECTIONS {
        read_file(&container::write(7, vec![Section::plain(kind, data.to_vec())]));
    }
    let _ = Imported::decode(data);
    let _ = ledger::read(data);
}

const SECTIONS: [Kind; 19] = [
    Kind::Summary,
    Kind::Cells,
    Kind::Totals,
    Kind::Services,
    Kind::ServiceHours,
    Kind::Sources,
    Kind::SourceHours,
    Kind::Pairs,
    Kind::Countries,
    Kind::Sample,
    Kind::SampleCountries,
    Kind::SampleServices,
    Kind::Addresses,
    Kind::State,
    Kind::Deferred,
    Kind::Imported,
    Kind::Zone,
    Kind::Deletions,
    Kind::Blocks,
];

const EVERYTHING: [history::Section; 11] = [
    history::Section::Totals,
    history::Section::Services,
    history::Section::ServiceHours,
    history::Section::Sources,
    history::Section::SourceHours,
    history::Section::Pairs,
    history::Section::Countries,
    history::Section::Sample,
    history::Section::SampleServices,
    history::Section::SampleCountries,
    history::Section::Cells,
];

fn read_file(data: &[u8]) {
    let month = Month::parse("2020-04").expect("a month");
    let piece = pieces::name_of(month.first_day(), 0);
    let (first, date) = (month.first_day(), month.last_day());
    let days = [first, date].map(|date| format!("{date}.fws"));
    let names = [format!("{month}.fws"), piece.clone(), "store.fws".into(), "later.fws".into()];
    let names = names.into_iter().chain(days);
    let files = names.map(|name| (name, data.to_vec())).collect();
    let mut store =
        Store::open(Directory::Memory(files), Retention::default(), Some(7)).expect("files in memory");
    if let Ok(meta) = store.meta() {
        let _ = Imported::decode(&meta.imported);
    }
    let _ = store.later();
    let _ = store.piece(&piece);
    if let Ok(file) = Open::from_bytes(data.to_vec()) {
        ledger::newer(&file, "", None);
    }
    for class in Class::ALL {
        let need = Need::new(class).and(&EVERYTHING, first, date);
        let _ = store.month(month, &need);
    }
    let Ok(added) = store.add(&[date], [Ok(DaySummary::new(date))]) else { return };
    let changes = added.changes.into_iter().map(|(name, bytes)| (name, bytes.unwrap_or_default()));
    let mut again =
        Store::open(Directory::Memory(changes.collect()), Retention::default(), Some(7)).expect("the same");
    // Of a fresh month only the day that was added is written again.
    let is_fresh = again.month(month, &Need::new(Class::Attempt)).detail == history::Detail::Fresh;
    for class in Class::ALL {
        let need = Need::new(class).and(&EVERYTHING, if is_fresh { date } else { first }, date);
        assert_eq!(again.month(month, &need).damage, None);
    }
}

/// An MMDB file. Of one that is refused nothing is told; of another any address can be asked for.
pub fn country_database(data: &[u8]) {
    struct Held<'a>(&'a [u8]);
    impl Bytes for Held<'_> {
        fn length(&self) -> u64 {
            self.0.len() as u64
        }
        fn read(&mut self, at: u64, into: &mut [u8]) -> Option<()> {
            let start = usize::try_from(at).ok()?;
            into.copy_from_slice(self.0.get(start..start.checked_add(into.len())?)?);
            Some(())
        }
    }
    let mut bytes = Held(data);
    let Ok(layout) = Layout::read(&mut bytes) else { return };
    let sound = layout.check(&mut bytes, geoip::Content::Countries).is_ok();
    // Of networks only parts of a large file are checked.
    let _ = layout.check(&mut bytes, geoip::Content::Networks);
    let mut walk = Walk::default();
    for bits in (0..64u32).map(|step| step.wrapping_mul(0x0431_8c63)) {
        let v6 = Address::v6(u128::from(bits) << 96 | u128::from(bits));
        for address in [Address::v4(bits), v6] {
            // The way down from the last address must lead where a new way leads.
            let record = walk.record(&layout, &mut bytes, address);
            assert_eq!(record, Walk::default().record(&layout, &mut bytes, address));
            let Some(record) = record else { continue };
            let country = layout.country_at(&mut bytes, record);
            assert!(!sound || country.is_ok());
            if let Ok(Some(Country(code))) = country {
                assert!(code.iter().all(u8::is_ascii_uppercase));
            }
            if let Ok(Some(network)) = layout.network_at(&mut bytes, record) {
                assert!(network.name.len() <= 96 && !network.name.contains(char::is_control));
            }
        }
    }
    if let Ok(ranges) = layout.ranges_of(&mut bytes, Country(*b"JP"), 1000) {
        assert!(ranges.len() <= 1000 && ranges.windows(2).all(|pair| pair[0].1 < pair[1].0));
    }
}

/// A compressed log, in lines.
pub fn gzip(data: &[u8]) {
    // A few bytes can stand for gigabytes: what is read of them is read in the same small buffers.
    let mut lines = Lines::new(Gzip::new(data, Rc::default()).take(1 << 20));
    while let Some(line) = lines.next_line() {
        if let Line::Whole(line) = line {
            assert!(line.len() <= fwstat::input::lines::LONGEST);
        }
    }
}

/// A file of any kind: packed, UTF-16, the journal's, or no log at all.
pub fn log_file(data: &[u8]) {
    let Ok(content) = Content::new(Box::new(Cursor::new(data.to_vec()))) else { return };
    // A million empty lines fit into 200 bytes of bzip2.
    let mut lines = Lines::new(content.take(1 << 17));
    let mut reader = LineReader::new(&Networks::default(), Calendar::utc());
    reader.begin_file(FileClock { year: 2026, ..FileClock::default() });
    let mut paths = Paths::new();
    let mut uncounted = UncountedLines::default();
    while let Some(line) = lines.next_line() {
        if let Line::Whole(line) = line {
            if let Outcome::Malformed(reason) | Outcome::Skipped(Some(reason)) = reader.read(line, &mut paths)
            {
                uncounted.add(reason, 1, line);
            }
            let (line, before) = lines.with_lines_before();
            let repeated = reader.read_repeated(line.trim_ascii_end(), before, &mut paths);
            assert!(!matches!(repeated, Some(Outcome::Event(event)) if event.count == 0));
        }
    }
    for row in uncounted.rows() {
        assert!(!row.example.contains(char::is_control) && !row.reason.contains(char::is_control));
    }
}

/// The journal's formats: whatever stands in a message, an entry is one line of JSON.
pub fn journal(data: &[u8]) {
    for form in [JournalForm::Export, JournalForm::Verbose, JournalForm::Pretty] {
        let mut text = Vec::new();
        let whole = JournalText::new(data, form).read_to_end(&mut text).is_ok();
        assert!(whole && text.len() <= 8 * data.len() + 200);
        if form == JournalForm::Pretty {
            // What is no JSON stays none.
            continue;
        }
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            assert!(serde_json::from_slice::<serde_json::Value>(line).is_ok());
        }
    }
}

/// The memory of kernel messages. What is read must be the same when it is written again.
pub fn seen_messages(data: &[u8]) {
    if let Some(seen) = SeenMessages::from_bytes(data) {
        assert_eq!(seen.to_bytes(), data);
    }
}

/// `/etc/config/fwstat`, and the firewall's zones beside it. Whatever is wrong with it is a sentence of printable text.
pub fn options(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (_, problems) = Config::parse("/etc/config/fwstat", &text);
    zones::parse(&text);
    rules::parse(&text);
    for problem in problems {
        assert!(!problem.sentence.contains(|c: char| c.is_control()), "{problem:?}");
    }
}

/// What the kernel hands over for packets, which strangers fill.
pub fn nflog_datagram(data: &[u8]) {
    let mut count = 0;
    for message in messages(data) {
        count += 1;
        if let Message::Packet(record) = message {
            record.group_mac();
            if let Some(packet) = Packet::parse(record.payload) {
                packet.logged();
                packet.is_later_fragment();
            }
        }
    }
    assert!(count <= data.len() / 16 + 1);
    let _ = Packet::parse(data);
    let _ = nflog::messages(data).count();
}

/// A datagram of the kernel about tables.
pub fn nftables_datagram(data: &[u8]) {
    use fwstat::parse::nftables::{Message, messages};
    for message in messages(data) {
        if let Message::Elements(elements) = message {
            elements.iter().for_each(drop);
        }
    }
}

/// What comes from ubusd, in pieces of any size: the first byte tells the size.
pub fn ubus_message(data: &[u8]) {
    let Some((size, bytes)) = data.split_first() else { return };
    let mut link = Link::default();
    for piece in bytes.chunks(usize::from(*size) + 1) {
        let mut piece = piece;
        while !piece.is_empty() {
            let space = link.inbox.space();
            let taken = piece.len().min(space.len());
            if taken == 0 {
                return;
            }
            space[..taken].copy_from_slice(&piece[..taken]);
            link.inbox.filled(taken);
            piece = &piece[taken..];
            let mut on_event = |_: &mut _, event: BusEvent<'_>| {
                if let BusEvent::Call(call) = event {
                    blob::to_value(call.data);
                }
            };
            if link.process(&mut on_event).is_err() {
                return;
            }
        }
    }
    netifd_interfaces(bytes);
}

/// A call of a method of ours: the first byte picks the method, the rest is its arguments. Whatever they are, the
/// caller gets one status, and what is asked of the daemon is within its bounds.
pub fn ubus_call(data: &[u8]) {
    struct Asked;
    impl Answers for Asked {
        fn answer(&mut self, rendering: Rendering) -> Reply {
            let question = rendering.question().unwrap();
            assert!((1..=MAX_LIMIT).contains(&question.limit));
            assert!(question.from.is_none() || question.to.is_none() || question.from <= question.to);
            Reply::Now(Ok(BlobMsgTable::empty()))
        }
        fn command(&mut self, command: BusCommand) -> Reply {
            if let BusCommand::Block(wish) = command {
                assert!(wish.reason.is_none_or(|reason| reason.len() <= MAX_REASON));
                if let Length::Seconds(seconds) = wish.length {
                    assert!((1..=315_360_000).contains(&seconds));
                }
                assert!((1..=MAX_NETWORKS).contains(&wish.targets.len()) || wish.is_list);
            }
            Reply::Now(Ok(BlobMsgTable::empty()))
        }
        fn finished(&mut self) -> Vec<(u64, Answered)> {
            Vec::new()
        }
    }
    const OBJECT: u32 = 7;
    let Some((method, arguments)) = data.split_first() else { return };
    if (8_000..8_300).contains(&arguments.len()) {
        // About the limit the length of the rest decides.
        return;
    }
    let (mut link, mut object) = (Link::default(), FwstatObject::default());
    let (method, _) = METHODS[usize::from(*method) % METHODS.len()];
    let message = |kind, sequence: u16, peer: u32, attributes: EnvBuilder| {
        Codec::write_frame(&Frame::to_peer(kind, sequence, peer, attributes.finish()))
    };
    let number = |attribute, number| {
        let mut attributes = EnvBuilder::new();
        attributes.push_u32(attribute, number);
        attributes
    };
    let mut call = number(UbusAttr::ObjId, OBJECT);
    call.push_str(UbusAttr::Method, method);
    call.push_data(arguments);
    let mut calls = 0;
    // As the broker sends them: the greeting, the answer to our registration, the call.
    for bytes in [
        vec![0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4],
        message(MsgType::Data, 1, 0, number(UbusAttr::ObjId, OBJECT)),
        message(MsgType::Status, 1, 0, number(UbusAttr::Status, 0)),
        message(MsgType::Invoke, 5, 9, call),
    ] {
        link.outgoing.wrote(link.outgoing.unwritten);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let space = link.inbox.space();
            let taken = rest.len().min(space.len());
            space[..taken].copy_from_slice(&rest[..taken]);
            link.inbox.filled(taken);
            rest = &rest[taken..];
            link.begin_turn();
            let handed = link.process(&mut |outgoing, event| {
                calls += u32::from(matches!(event, BusEvent::Call(_)));
                object.on_event(0, outgoing, &event, &mut Asked);
            });
            if handed.is_err() {
                return;
            }
        }
    }
    // A call that is longer than any of ours is refused before the object sees it.
    assert_eq!((object.id(), calls), (Some(OBJECT), u32::from(arguments.len() < 8_000)));
    let mut statuses = 0;
    while let Some(kind) = link.outgoing.waiting().get(1) {
        // UBUS_MSG_STATUS
        statuses += u32::from(*kind == 1);
        link.outgoing.wrote(link.outgoing.waiting().len());
    }
    assert_eq!(statuses, 1);
}

/// The answer of logd's `read`, and an entry alone as it is notified; what they say is read as lines.
pub fn logd_backlog(data: &[u8]) {
    let (mut lines, mut paths) = (LineReader::new(&Networks::default(), Calendar::utc()), Paths::default());
    let mut take = |kernel: bool, time_ms: i64, msg: &[u8]| {
        let seconds = time_ms.div_euclid(1000);
        if kernel {
            lines.read_kernel(msg, seconds, &mut paths);
        } else {
            lines.read_daemon(msg, seconds, &mut paths);
        }
    };
    let mut state = LogdState::default();
    for _ in 0..2 {
        state.reading();
        state.backlog(|| backlog_entries(data), &mut take);
        if let Some(entry) = Entry::read(data) {
            state.live(&entry, 0, &mut take);
        }
    }
    state.logd_gone(&mut take);
}

/// What `nft -j list ruleset` prints.
pub fn nft_counters(data: &[u8]) {
    if let Some(ruleset) = fwstat::daemon::Ruleset::read(data) {
        ruleset.counted();
        ruleset.unseen(&["wan".to_string()], fwstat::daemon::Read { nflog: Some(32), logd: true });
    }
}

/// netifd's `network.interface dump`.
pub fn netifd_interfaces(data: &[u8]) {
    netifd::interfaces(&blob::to_value(data));
}

/// Connections as the kernel lists them.
pub fn conntrack_datagram(data: &[u8]) {
    use fwstat::daemon::nft::conntrack::{answering, opener};
    let frames = fwstat::parse::netlink::frames(data).flatten();
    for entry in std::iter::once(data).chain(frames.map(|frame| frame.body)) {
        answering(entry);
        opener(entry);
    }
}
