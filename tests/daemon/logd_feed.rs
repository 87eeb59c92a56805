//! The logd feed over a link whose broker is a script: forged notifications, and the speed.

use std::time::Duration;

use fwstat::event::calendar::Calendar;
use fwstat::input::logd::LogFeed;
use fwstat::live::{Engine, Input, InputItem, Now};
use fwstat::parse::interfaces::Networks;
use fwstat::parse::line::{LineReader, Outcome};
use fwstat::ubus::link::Link;
use nix::time::{ClockId, clock_gettime};
use ubus::blobmsg::BlobMsgTable;
use ubus::envelope::{EnvBuilder, UbusAttr};
use ubus::wire::{Codec, Frame, MsgType};

const LISTENER: u32 = 77;
const LOGD: u32 = 88;

#[derive(Default)]
struct Scripted {
    link: Link,
    feed: LogFeed,
    entries: u64,
    bytes: u64,
}

impl Scripted {
    /// A feed that follows logd and has read an empty backlog.
    fn following() -> Scripted {
        let mut scripted = Scripted::default();
        scripted.receive(&frame(MsgType::Hello, 0, 9, EnvBuilder::new()));
        // Requests in order: 1 the listener, 2 events, 3 lookup, 4 subscribe, 5 read.
        scripted.receive(&frame(MsgType::Data, 1, 0, with(UbusAttr::ObjId, LISTENER)));
        scripted.receive(&frame(MsgType::Status, 1, 0, with(UbusAttr::Status, 0)));
        scripted.receive(&frame(MsgType::Data, 3, 0, with(UbusAttr::ObjId, LOGD)));
        scripted.receive(&frame(MsgType::Status, 3, 0, with(UbusAttr::Status, 0)));
        scripted.receive(&frame(MsgType::Status, 4, 0, with(UbusAttr::Status, 0)));
        let mut empty = EnvBuilder::new();
        empty.push_data(
            BlobMsgTable::build(|out| {
                out.open_array(Some("log"));
                out.close_array();
            })
            .contents(),
        );
        scripted.receive(&frame(MsgType::Data, 5, LOGD, empty));
        scripted.receive(&frame(MsgType::Status, 5, LOGD, with(UbusAttr::Status, 0)));
        assert_eq!(scripted.feed.state_name(), "running");
        scripted.link.outgoing.wrote(usize::MAX / 2);
        scripted
    }

    fn receive(&mut self, mut bytes: &[u8]) {
        let Scripted { link, feed, entries, bytes: total } = self;
        while !bytes.is_empty() {
            let space = link.inbox.space();
            let count = space.len().min(bytes.len());
            space[..count].copy_from_slice(&bytes[..count]);
            link.inbox.filled(count);
            bytes = &bytes[count..];
            link.process(&mut |outgoing, event| {
                feed.on_event(0, outgoing, &event, &mut |_, _, msg| {
                    *entries += 1;
                    *total += msg.len() as u64;
                });
            })
            .unwrap();
        }
    }
}

fn frame(kind: MsgType, sequence: u16, peer: u32, attributes: EnvBuilder) -> Vec<u8> {
    Codec::write_frame(&Frame::to_peer(kind, sequence, peer, attributes.finish()))
}

fn with(attribute: UbusAttr, number: u32) -> EnvBuilder {
    let mut attributes = EnvBuilder::new();
    attributes.push_u32(attribute, number);
    attributes
}

fn notification(id: i32, msg: &str, no_reply: bool) -> Vec<u8> {
    let table = BlobMsgTable::build(|out| {
        out.put_str(Some("msg"), msg);
        out.put_i32(Some("id"), id);
        out.put_i32(Some("priority"), 4);
        out.put_i32(Some("source"), 0);
        out.put_i64(Some("time"), 1_789_000_000_000 + id as i64);
    });
    let mut attributes = EnvBuilder::new();
    if no_reply {
        attributes.push_u8(UbusAttr::NoReply, 1);
    }
    attributes.push_u32(UbusAttr::ObjId, LISTENER);
    attributes.push_str(UbusAttr::Method, "message");
    attributes.push_str(UbusAttr::User, "root");
    attributes.push_str(UbusAttr::Group, "root");
    attributes.push_data(table.contents());
    frame(MsgType::Invoke, 1, 1234, attributes)
}

#[test]
fn a_call_that_looks_like_a_notification_gives_no_entry() {
    let mut scripted = Scripted::following();
    scripted.receive(&notification(0, "true", true));
    scripted.receive(&notification(1, "forged", false));
    assert_eq!(scripted.entries, 1);
    // The caller has its answer all the same.
    assert!(!scripted.link.outgoing.waiting().is_empty());
}

#[test]
fn a_notification_without_its_fields_is_malformed() {
    let mut scripted = Scripted::following();
    let mut attributes = EnvBuilder::new();
    attributes.push_u8(UbusAttr::NoReply, 1);
    attributes.push_u32(UbusAttr::ObjId, LISTENER);
    attributes.push_str(UbusAttr::Method, "message");
    attributes.push_data(&[1, 2, 3]);
    scripted.receive(&frame(MsgType::Invoke, 1, 1234, attributes));
    assert_eq!((scripted.entries, scripted.feed.state.counts.malformed), (0, 1));
}

/// `cargo test --release --test daemon logd_feed -- --ignored --nocapture`: from the message to the statistics.
#[test]
#[ignore = "a measurement"]
fn speed() {
    const ENTRIES: i32 = 1_000_000;
    /// 2026-06-10 00:00 UTC
    const START: i64 = 1_781_049_600;
    let mut scripted = Scripted::following();
    let mut lines = LineReader::new(&Networks::default(), Calendar::utc());
    let mut engine = Engine::new(Calendar::utc(), 0, 200);
    let mut seconds = 0.0;
    for chunk in 0..100 {
        let each = ENTRIES / 100;
        let now = Now { boot_ms: 60_000 + chunk as u64 * 1000, wall: START + i64::from(chunk) };
        engine.clock.synchronized(now);
        engine.tick(now);
        let ids = chunk * each..(chunk + 1) * each;
        let bytes: Vec<u8> = ids
            .flat_map(|id| {
                let line = format!(
                    "[119160.262669] reject wan in: IN=br-wan OUT= PHYSIN=lan2 \
                     MAC=00:00:5e:00:53:04:00:00:5e:00:53:03:08:00 SRC=198.51.{}.{} DST=192.168.11.2 LEN=40 \
                     TOS=0x00 PREC=0x00 TTL=58 ID={} PROTO=TCP SPT=443 DPT={} WINDOW=16 RES=0x00 SYN URGP=0",
                    id >> 8 & 0x1f,
                    id & 0xff,
                    id & 0xffff,
                    id % 500
                );
                notification(id, &line, true)
            })
            .collect();
        let cpu = || clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).unwrap();
        let start = cpu();
        let Scripted { link, feed, .. } = &mut scripted;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let space = link.inbox.space();
            let count = space.len().min(rest.len());
            space[..count].copy_from_slice(&rest[..count]);
            link.inbox.filled(count);
            rest = &rest[count..];
            link.process(&mut |outgoing, event| {
                feed.on_event(0, outgoing, &event, &mut |_, _, msg| {
                    let read = lines.read_kernel(msg, now.wall, &mut engine.paths);
                    let Outcome::Event(mut event) = read else { panic!("an event") };
                    let item = InputItem::Event(&mut event, Some(now.wall * 1000), Some(msg));
                    engine.take(now, Input::Logd, item);
                });
            })
            .unwrap();
        }
        seconds += Duration::from(cpu() - start).as_secs_f64();
    }
    assert_eq!(engine.health(Input::Logd).attempts, ENTRIES as u64);
    let per_second = f64::from(ENTRIES) / seconds;
    println!("{per_second:.0} entries per CPU second");
    assert!(per_second >= 300_000.0);
}
