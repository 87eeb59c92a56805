//! What the fuzz targets do: one function for each place where hostile bytes come in. They must not panic, hang or
//! allocate by a number that the bytes name; what they check beside is said where it is checked.

use std::io::{Cursor, Read};
use std::rc::Rc;

use fwstat::calendar::{Calendar, Date, Month};
use fwstat::config::{Config, rules, zones};
use fwstat::event::Address;
use fwstat::geoip::mmdb::{Bytes, Layout, Walk};
use fwstat::input::content::Content;
use fwstat::input::gzip::Gzip;
use fwstat::input::imported::Imported;
use fwstat::input::journal_text::{Form as JournalForm, JournalText};
use fwstat::input::lines::{Line, Lines};
use fwstat::input::netifd;
use fwstat::input::seen::SeenMessages;
use fwstat::input::uncounted::UncountedLines;
use fwstat::parse::interfaces::Networks;
use fwstat::parse::line::{LineReader, Outcome};
use fwstat::parse::login::Logins;
use fwstat::parse::nflog::{Message, messages};
use fwstat::parse::packet::Packet;
use fwstat::parse::syslog::Tag;
use fwstat::parse::{json, line, nflog};
use fwstat::paths::Paths;
use fwstat::stats::countries::Country;
use fwstat::store::aside::Aside;
use fwstat::store::format::{self, Kind, Payload, PayloadForm};
use fwstat::store::records::{self, Form};
use fwstat::ubus::blob;
use fwstat::ubus::link::{BusEvent, Link};

pub type Target = (&'static str, fn(&[u8]));

pub const ALL: [Target; 13] = [
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
    ("json_text", json_text),
    ("ubus_message", ubus_message),
];

/// A line of a log. The fast and the slow reader must agree.
pub fn log_line(data: &[u8]) {
    line::read_anything(data);
}

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

/// A file of the store. What is read must read the same when it is written again.
pub fn store_file(data: &[u8]) {
    let Ok(contents) = format::read(data) else { return };
    for block in &contents.blocks {
        match block.kind {
            Kind::Day => {
                if let Ok(day) = records::read_day(Date(block.key), &block.payload) {
                    let again = records::write_day(&day, Form::Packed);
                    assert_eq!(records::read_day(day.date, &again).as_ref(), Ok(&day));
                }
            }
            Kind::Month => drop(records::read_month(Month(block.key), &block.payload)),
            Kind::Imported => drop(Imported::decode(&block.payload.bytes)),
            Kind::Zone => {}
            Kind::State => drop(fwstat::store::today::decode(data)),
            Kind::Blocks => drop(fwstat::store::ledger::decode(data)),
            Kind::Aside => drop(Aside::decode(&block.payload.bytes)),
        }
    }
    let again = format::read(&format::write(&contents.blocks)).expect("the version is ours");
    assert_eq!((again.blocks, again.damage), (contents.blocks, None));
    // The records themselves, without the checksums around them.
    for form in [PayloadForm::Plain, PayloadForm::Packed] {
        let payload = Payload { bytes: data.to_vec(), form };
        let _ = records::read_day(Date(18_358), &payload);
        let _ = records::read_month(Month(603), &payload);
    }
    let _ = Imported::decode(data);
    let _ = fwstat::store::ledger::read(data);
    if let Ok(aside) = Aside::decode(data) {
        assert_eq!(Aside::decode(&aside.encode().bytes), Ok(aside));
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
    let sound = layout.check(&mut bytes).is_ok();
    let mut walk = Walk::default();
    for bits in (0..64u32).map(|step| step.wrapping_mul(0x0431_8c63)) {
        let v6 = Address::v6(u128::from(bits) << 96 | u128::from(bits));
        for address in [Address::v4(bits), v6] {
            // The way down from the last address must lead where a new way leads.
            let told = walk.country(&layout, &mut bytes, address);
            assert_eq!(told, Walk::default().country(&layout, &mut bytes, address));
            assert!(told.is_none_or(|Country(code)| !sound || code.iter().all(u8::is_ascii_uppercase)));
        }
    }
}

/// A compressed log, in lines.
pub fn gzip(data: &[u8]) {
    // A few bytes can stand for gigabytes: what is read of them is read in the same small buffers.
    let mut lines = Lines::new(Gzip::new(data, Rc::default()).take(1 << 20), b"");
    while let Some(line) = lines.next_line() {
        if let Line::Whole(line) = line {
            assert!(line.len() <= fwstat::input::lines::LONGEST);
        }
    }
}

/// A file of any kind: packed, UTF-16, the journal's, or no log at all.
pub fn log_file(data: &[u8]) {
    let Ok(content) = Content::new(Box::new(Cursor::new(data.to_vec()))) else { return };
    let mut lines = Lines::new(content.take(1 << 20), b"");
    let mut reader = LineReader::new(&Networks::default(), Calendar::utc());
    let mut paths = Paths::new();
    let mut uncounted = UncountedLines::default();
    while let Some(line) = lines.next_line() {
        if let Line::Whole(line) = line
            && let Outcome::Malformed(reason) | Outcome::Skipped(Some(reason)) = reader.read(line, &mut paths)
        {
            uncounted.add(reason, 1, line);
        }
    }
    for row in uncounted.rows() {
        assert!(!row.example.contains(char::is_control) && !row.reason.contains(char::is_control));
    }
}

/// The journal's formats: whatever stands in a message, an entry is one line of JSON.
pub fn journal(data: &[u8]) {
    for form in [JournalForm::Export, JournalForm::Verbose] {
        let mut text = Vec::new();
        let whole = JournalText::new(data, form).read_to_end(&mut text).is_ok();
        assert!(whole && text.len() <= 8 * data.len() + 200);
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let mut reader = json::Reader::new(line);
            assert!(reader.skip().and_then(|()| reader.end()).is_some());
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
        assert!(!problem.to_string().contains(|c: char| c.is_control()), "{problem}");
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
                packet.with_logged(|packet| packet.port);
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
            elements.for_each(drop);
        }
    }
}

/// What `nft` prints of its rules.
pub fn json_text(data: &[u8]) {
    let read = |of: fn(&mut json::Reader) -> Option<()>| {
        let mut reader = json::Reader::new(data);
        of(&mut reader).and_then(|()| reader.end()).is_some()
    };
    let is_json = read(|reader| reader.skip());
    let list_of_any = read(|reader| reader.list(&mut |reader| reader.skip()));
    let text = read(|reader| reader.text().map(drop));
    let count = read(|reader| reader.count().map(drop));
    assert!(is_json || !(list_of_any || text || count));
    assert!(!is_json || data.trim_ascii_start().first() != Some(&b'[') || list_of_any);
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
    netifd::interfaces(&blob::to_value(bytes));
}
