//! What the fuzz targets do: one function for each place where hostile bytes come in. They must not panic, hang or
//! allocate by a number that the bytes name; what they check beside is said where it is checked.

use std::io::Read;

use fwstat::calendar::{Calendar, Date, Month};
use fwstat::config::{Config, zones};
use fwstat::event::{Address, Origin};
use fwstat::geoip::mmdb::{Bytes, Layout, Walk};
use fwstat::input::gzip::Gzip;
use fwstat::input::imported::Imported;
use fwstat::input::lines::{Line, Lines};
use fwstat::input::logd::{Entry, LogdState, backlog_entries};
use fwstat::input::netifd;
use fwstat::output::blobmsg::{AnswerError, Answers, BusCommand, FwstatObject, MAX_REASON, METHODS};
use fwstat::parse::line::LineReader;
use fwstat::parse::login::Logins;
use fwstat::parse::nflog::{Message, messages};
use fwstat::parse::packet::Packet;
use fwstat::parse::{json, line, nflog};
use fwstat::paths::Paths;
use fwstat::query::question::{MAX_LIMIT, Question};
use fwstat::stats::countries::Country;
use fwstat::store::aside::Aside;
use fwstat::store::format::{self, Kind, Payload, PayloadForm};
use fwstat::store::records::{self, Form};
use fwstat::ubus::blob;
use fwstat::ubus::link::{BusEvent, Link};
use ubus::blobmsg::BlobMsgTable;
use ubus::envelope::{EnvBuilder, UbusAttr};
use ubus::wire::{Codec, Frame, MsgType};

pub type Target = (&'static str, fn(&[u8]));

pub const ALL: &[Target] = &[
    ("log_line", log_line),
    ("login_line", login_line),
    ("store_file", store_file),
    ("gzip", gzip),
    ("country_database", country_database),
    ("options", options),
    ("nflog_datagram", nflog_datagram),
    ("nftables_datagram", nftables_datagram),
    ("json_text", json_text),
    ("ubus_message", ubus_message),
    ("ubus_call", ubus_call),
    ("logd_backlog", logd_backlog),
    ("nft_counters", nft_counters),
    ("netifd_interfaces", netifd_interfaces),
    ("conntrack_datagram", conntrack_datagram),
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
    for name in [name, b"dropbear", b"sshd", b"rpcd"] {
        logins.read(name, message);
        logins.read(name, data);
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
    let mut lines = Lines::new(Gzip::new(data).take(1 << 20), b"");
    while let Some(line) = lines.next_line() {
        if let Line::Whole(line) = line {
            assert!(line.len() <= fwstat::input::lines::LONGEST);
        }
    }
}

/// `/etc/config/fwstat`, and the firewall's zones beside it. Whatever is wrong with it is a sentence of printable text.
pub fn options(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (_, problems) = Config::parse("/etc/config/fwstat", &text);
    zones::parse(&text);
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
    netifd_interfaces(bytes);
}

/// A call of a method of ours: the first byte picks the method, the rest is its arguments. Whatever they are, the
/// caller gets one status, and what is asked of the daemon is within its bounds.
pub fn ubus_call(data: &[u8]) {
    struct Asked;
    impl Answers for Asked {
        fn answer(&mut self, question: &Question) -> Result<BlobMsgTable, AnswerError> {
            assert!((1..=MAX_LIMIT).contains(&question.limit));
            assert!(question.from.is_none() || question.to.is_none() || question.from <= question.to);
            Ok(BlobMsgTable::empty())
        }
        fn command(&mut self, command: BusCommand) -> Result<BlobMsgTable, AnswerError> {
            if let BusCommand::Block(wish) = command {
                assert!(wish.reason.is_none_or(|reason| reason.len() <= MAX_REASON));
                assert!(wish.seconds.is_none_or(|seconds| (1..=315_360_000).contains(&seconds)));
            }
            Ok(BlobMsgTable::empty())
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
    // As the broker sends them: the greeting, the answer to our registration, the call.
    for bytes in [
        vec![0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4],
        message(MsgType::Data, 1, 0, number(UbusAttr::ObjId, OBJECT)),
        message(MsgType::Status, 1, 0, number(UbusAttr::Status, 0)),
        message(MsgType::Invoke, 5, 9, call),
    ] {
        link.outgoing.wrote(link.outgoing.unwritten());
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let space = link.inbox.space();
            let taken = rest.len().min(space.len());
            space[..taken].copy_from_slice(&rest[..taken]);
            link.inbox.filled(taken);
            rest = &rest[taken..];
            link.begin_turn();
            let handed =
                link.process(&mut |outgoing, event| object.on_event(0, outgoing, &event, &mut Asked));
            if handed.is_err() {
                return;
            }
        }
    }
    // A call that is longer than any of ours is refused before the object sees it.
    assert_eq!((object.id(), object.calls), (Some(OBJECT), u64::from(arguments.len() < 8_000)));
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
    let (mut lines, mut paths) = (LineReader::new(&[], Calendar::utc()), Paths::default());
    let mut take = |kernel: bool, time_ms: i64, msg: &[u8]| {
        let seconds = time_ms.div_euclid(1000);
        if kernel {
            lines.read_kernel(msg, seconds, Origin::Logd, &mut paths);
        } else {
            lines.read_daemon(msg, seconds, Origin::Logd, &mut paths);
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
    if let Some(zones) = fwstat::daemon::zones(data) {
        assert!(zones.len() <= 16);
    }
}

/// netifd's `network.interface dump`.
pub fn netifd_interfaces(data: &[u8]) {
    netifd::interfaces(&blob::to_value(data));
}

/// Connections as the kernel lists them.
pub fn conntrack_datagram(data: &[u8]) {
    use fwstat::guard::Source;
    use fwstat::nft::conntrack::opener_to;
    for source in [Source::V4(0xc633_6407), Source::V6(0x2001_0db8_0001_0002)] {
        opener_to(data, source);
        for frame in fwstat::parse::netlink::frames(data).map_while(Result::ok) {
            opener_to(frame.body, source);
        }
    }
}
