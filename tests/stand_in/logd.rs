//! A logd as ubox has it: a ring of entries, the method `read` without a stream, and a notification
//! `message` (no reply wanted) for each entry while somebody subscribes.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ubus::blobmsg::{BlobBuilder, BlobMsgTable, lookup};
use ubus::envelope::{EnvBuilder, UbusAttr};
use ubus::wire::MsgType;

use super::wire::{Wire, data, number, text};

pub const KERNEL: i32 = 0;
pub const SYSLOG: i32 = 1;
/// After so many notifications the broker is waited for: the one of the tests closes a connection that it cannot
/// read as fast as it is written to, OpenWrt's does not.
const AT_ONCE: u32 = 256;
const TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Clone)]
struct Entry {
    id: i32,
    source: i32,
    priority: i32,
    time_ms: i64,
    msg: String,
}

impl Entry {
    fn put(&self, out: &mut BlobBuilder) {
        out.put_str(Some("msg"), &self.msg);
        out.put_i32(Some("id"), self.id);
        out.put_i32(Some("priority"), self.priority);
        out.put_i32(Some("source"), self.source);
        out.put_i64(Some("time"), self.time_ms);
    }
}

struct Ring {
    entries: VecDeque<Entry>,
    bytes: usize,
    next: i32,
}

/// Stops and forgets its ring when dropped.
pub struct Logd {
    wire: Wire,
    object: u32,
    ring: Arc<Mutex<Ring>>,
    size: usize,
    notified: u32,
    /// The sequence numbers of what the broker answered.
    answered: Receiver<u16>,
    /// Seconds that its clock is ahead of this machine's.
    pub ahead: i64,
    thread: Option<JoinHandle<()>>,
}

impl Logd {
    /// With a ring of 64 KiB.
    pub fn start(socket: &Path) -> Logd {
        Logd::with_ring(socket, 64 * 1024)
    }

    pub fn with_ring(socket: &Path, size: usize) -> Logd {
        let mut wire = Wire::connect(socket).unwrap();
        let ring = Arc::new(Mutex::new(Ring { entries: VecDeque::new(), bytes: 0, next: 0 }));
        let object = wire.add_object(Some("log")).unwrap();
        let mut reader = wire.try_clone().unwrap();
        let shared = Arc::clone(&ring);
        let (answers, answered) = channel();
        let thread = std::thread::spawn(move || serve(&mut reader, object, &shared, &answers));
        Logd { wire, object, ring, size, notified: 0, answered, ahead: 0, thread: Some(thread) }
    }

    pub fn kernel(&mut self, msg: &str) -> i32 {
        self.log(KERNEL, 4, msg, true)
    }

    /// Adds an entry; `notify` false: as if the broker had dropped the notification.
    pub fn log(&mut self, source: i32, priority: i32, msg: &str, notify: bool) -> i32 {
        let mut ring = self.ring.lock().unwrap();
        let time_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
        let time_ms = time_ms + self.ahead * 1000;
        let entry = Entry { id: ring.next, source, priority, time_ms, msg: msg.to_owned() };
        ring.next += 1;
        ring.bytes += entry.msg.len() + 40;
        ring.entries.push_back(entry.clone());
        while ring.bytes > self.size {
            let old = ring.entries.pop_front().unwrap();
            ring.bytes -= old.msg.len() + 40;
        }
        if notify {
            // With the ring locked: an answer of `read` and the notifications stay in order.
            let table = BlobMsgTable::build(|out| entry.put(out));
            let mut attributes = EnvBuilder::new();
            attributes.push_u32(UbusAttr::ObjId, self.object);
            attributes.push_str(UbusAttr::Method, "message");
            attributes.push_u8(UbusAttr::NoReply, 1);
            attributes.push_data(table.contents());
            let _ = self.wire.ask(MsgType::Notify, self.object, attributes);
            self.notified += 1;
        }
        drop(ring);
        if notify && self.notified.is_multiple_of(AT_ONCE) {
            self.wait_for_the_broker();
        }
        entry.id
    }

    /// Until it has read everything.
    fn wait_for_the_broker(&mut self) {
        let Ok(ping) = self.wire.ask(MsgType::Ping, 0, EnvBuilder::new()) else { return };
        while self.answered.recv_timeout(TIMEOUT).is_ok_and(|answered| answered != ping) {}
    }
}

impl Drop for Logd {
    fn drop(&mut self) {
        self.wire.shutdown();
        let _ = self.thread.take().unwrap().join();
    }
}

/// Answers calls until the connection ends.
fn serve(wire: &mut Wire, object: u32, ring: &Mutex<Ring>, answers: &Sender<u16>) {
    while let Ok(frame) = wire.receive() {
        if frame.hdr.ty != MsgType::Invoke {
            let _ = answers.send(frame.hdr.seq);
            continue;
        }
        assert_eq!(text(&frame, UbusAttr::Method), "read");
        assert_eq!(number(&frame, UbusAttr::ObjId), object);
        let arguments = data(&frame, UbusAttr::Data);
        let stream = lookup(arguments, "stream").and_then(|stream| stream.as_bool());
        assert_eq!(stream, Some(false), "the stand-in has no streams");
        let lines = lookup(arguments, "lines").and_then(|lines| lines.as_i32()).unwrap_or(100);
        let ring = ring.lock().unwrap();
        let skipped = ring.entries.len().saturating_sub(lines as usize);
        let table = BlobMsgTable::build(|out| {
            out.open_array(Some("log"));
            if ring.entries.is_empty() {
                // As ubox's logd does.
                out.open_table(None);
                Entry { id: 0, source: 0, priority: 0, time_ms: 0, msg: String::new() }.put(out);
                out.close_table();
            }
            for entry in ring.entries.iter().skip(skipped) {
                out.open_table(None);
                entry.put(out);
                out.close_table();
            }
            out.close_array();
        });
        wire.answer(&frame, object, table.contents());
    }
}
