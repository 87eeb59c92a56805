//! The ubus object and the logd feed against a real broker in another process.

use std::io::Write;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::stand_in::broker::Broker;
use crate::stand_in::logd::{Logd, SYSLOG};
use crate::stand_in::wire::{Wire, data, number, text};
use fwstat::cli::client;
use fwstat::cli::shell::ShellError;
use fwstat::input::Counters;
use fwstat::input::logd::{LogFeed, Mark};
use fwstat::output::blobmsg::{AnswerError, Answered, Answers, BusCommand, FwstatObject, Reply};
use fwstat::output::rendering::Rendering;
use fwstat::query::question::{Question, Topic};
use fwstat::ubus::call::{CallError, call};
use fwstat::ubus::{Connection, Status, blob};
use serde_json::{Map, Value, json};
use ubus::blobmsg::BlobMsgTable;
use ubus::envelope::UbusAttr;
use ubus::wire::MsgType;

/// For what is only to happen at last, on a machine that is busy with other things.
const WITHIN: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Seen {
    questions: Vec<Question>,
    commands: Vec<BusCommand>,
    /// `kernel` or `syslog`, and the text.
    entries: Vec<String>,
    /// Answers that follow.
    later: Vec<(u64, Answered)>,
    counts: Counters,
    mark: Option<Mark>,
    registered: Option<u32>,
    logd: &'static str,
    failures: u64,
}

impl Answers for Seen {
    fn answer(&mut self, rendering: Rendering) -> Reply {
        let question = rendering.question().unwrap();
        self.questions.push(question.clone());
        let answered = match question.topic {
            Topic::Countries => Err(AnswerError::NoData("no country database".into())),
            Topic::Recent => Ok(blob::table(&json!({ "events": vec!["x".repeat(1000); 1000] }))),
            _ => Ok(blob::table(
                &json!({"topic": question.topic.name(), "limit": question.limit, "complete": true}),
            )),
        };
        // Every second answer takes a while.
        let number = self.questions.len() as u64;
        if number.is_multiple_of(2) {
            self.later.push((number, answered));
            return Reply::Later(number);
        }
        Reply::Now(answered)
    }

    fn command(&mut self, command: BusCommand) -> Reply {
        self.commands.push(command);
        Reply::Now(Ok(BlobMsgTable::empty()))
    }

    fn finished(&mut self) -> Vec<(u64, Answered)> {
        std::mem::take(&mut self.later)
    }
}

/// A loop as the daemon's, in a thread.
struct Station {
    seen: Arc<Mutex<Seen>>,
    events: Arc<Mutex<Vec<(String, Value)>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Station {
    fn start(socket: &Path, mark: Option<Mark>) -> Station {
        let station =
            Station { seen: Arc::default(), events: Arc::default(), stop: Arc::default(), thread: None };
        let (seen, events, stop) =
            (Arc::clone(&station.seen), Arc::clone(&station.events), Arc::clone(&station.stop));
        let mut connection = Connection::new(socket);
        let thread = std::thread::spawn(move || {
            let (mut object, mut feed) = (FwstatObject::default(), LogFeed::resume(mark));
            let start = Instant::now();
            while !stop.load(Ordering::Relaxed) {
                let now = start.elapsed().as_millis() as u64;
                let mut seen = seen.lock().unwrap();
                let mut entries = Vec::new();
                let mut give = |kernel: bool, _, msg: &[u8]| {
                    let from = if kernel { "kernel" } else { "syslog" };
                    entries.push(format!("{from} {}", String::from_utf8_lossy(msg)));
                };
                if let Some(outgoing) = connection.outgoing() {
                    object.on_time(now, outgoing);
                    object.send_finished(outgoing, &mut *seen);
                    feed.on_time(now, outgoing, &mut give);
                    for (name, data) in events.lock().unwrap().drain(..) {
                        outgoing.send_event(&name, &data);
                    }
                }
                let mut on_event = |outgoing: &mut _, event: fwstat::ubus::BusEvent<'_>| {
                    object.on_event(now, outgoing, &event, &mut *seen);
                    feed.on_event(now, outgoing, &event, &mut give);
                };
                connection.on_time(now, &mut on_event);
                connection.on_ready(now, &mut on_event);
                let idle = entries.is_empty();
                seen.entries.append(&mut entries);
                seen.counts = feed.state.counts;
                seen.mark = feed.state.mark;
                seen.registered = object.id();
                seen.logd = feed.state_name();
                seen.failures = connection.failures;
                drop(seen);
                // As the daemon: while there is something to read it does not wait.
                if idle {
                    std::thread::sleep(Duration::from_millis(1));
                } else {
                    std::thread::yield_now();
                }
            }
        });
        Station { thread: Some(thread), ..station }
    }

    fn wait(&self, what: &str, done: impl Fn(&Seen) -> bool) {
        let until = Instant::now() + WITHIN;
        while !done(&self.seen.lock().unwrap()) {
            let seen = self.seen.lock().unwrap();
            assert!(
                Instant::now() < until,
                "not within {WITHIN:?}: {what}; {:?} {} failures {} {:?} {:?}",
                seen.registered,
                seen.logd,
                seen.failures,
                seen.counts,
                seen.entries.iter().rev().take(5).collect::<Vec<_>>()
            );
            drop(seen);
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn registered(&self) {
        self.wait("registered", |seen| seen.registered.is_some());
    }

    fn entries(&self, expected: &[&str]) {
        self.wait(&format!("{expected:?}"), |seen| seen.entries.len() >= expected.len());
        assert_eq!(self.seen.lock().unwrap().entries, expected);
    }

    fn stop(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        let Station { seen, thread, .. } = self;
        thread.unwrap().join().unwrap();
        std::mem::take(&mut seen.lock().unwrap())
    }
}

fn socket(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("fwstat-ubus-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    directory.join(format!("{name}.sock"))
}

fn ask(socket: &Path, method: &str, arguments: Value) -> Result<Value, CallError> {
    call(socket, "fwstat", method, &arguments, WITHIN)
}

#[test]
fn the_object_is_listed_with_its_arguments() {
    let broker = Broker::start(&socket("listed"));
    let station = Station::start(&broker.socket, None);
    station.registered();
    let found = Wire::connect(&broker.socket).unwrap().lookup("fwstat").unwrap().unwrap();
    let signature = blob::to_value(data(&found, UbusAttr::Signature));
    // 3: text, 5: a number of 32 bits.
    let common = json!({"from": 3, "to": 3, "class": 3, "protocol": 3, "port": 5, "source": 3,
        "country": 3, "min": 5, "limit": 5, "format": 3, "columns": 5, "color": 5});
    let mut services = common.clone();
    services["daily"] = json!(5);
    let expected = json!({
        "summary": common, "services": services, "sources": common, "hours": common, "days": common,
        "months": common, "countries": common, "asns": common, "anomalies": common,
        "rules": {"from": 3, "to": 3, "class": 3, "min": 5, "limit": 5,
            "format": 3, "columns": 5, "color": 5},
        "source": {"address": 3, "from": 3, "to": 3, "class": 3, "limit": 5,
            "format": 3, "columns": 5, "color": 5},
        "recent": {"limit": 5, "cursor": 5, "class": 3, "protocol": 3, "port": 5, "source": 3, "country": 3,
            "filter": 3, "format": 3, "columns": 5, "color": 5},
        "blocks": {"limit": 5, "cursor": 5, "source": 3, "format": 3, "columns": 5, "color": 5},
        "status": {"format": 3, "columns": 5, "color": 5},
        "report": {"month": 3, "format": 3, "lang": 3, "addresses": 5},
        "metrics": {},
        "block": {"address": 3, "for": 3, "reason": 3, "caller": 3},
        "unblock": {"address": 3},
        "guard-test": {"address": 3},
        "commit": {},
        "release": {"forget": 3},
        "block-list": {"list": 3, "for": 3, "reason": 3, "caller": 3},
    });
    assert_eq!(signature, expected);
}

#[test]
fn calls_are_answered_and_bad_ones_refused_with_the_reason() {
    let broker = Broker::start(&socket("calls"));
    let station = Station::start(&broker.socket, None);
    station.registered();
    let ask = |method: &str, arguments| ask(&broker.socket, method, arguments);

    let answer = ask("services", json!({"limit": 3, "ubus_rpc_session": "0", "x": [1]})).unwrap();
    assert_eq!(answer, json!({"topic": "services", "limit": 3, "complete": true}));
    assert_eq!(ask("commit", json!({})).unwrap(), json!({}));

    let refused = |method, arguments| match ask(method, arguments) {
        Err(CallError::Refused { status, because }) => (status, because.unwrap_or_default()),
        other => panic!("{method}: {other:?}"),
    };
    assert_eq!(
        refused("services", json!({"port": 70000})),
        (Status::INVALID_ARGUMENT, "port: '70000' is not a port number (0 to 65535)".into())
    );
    assert_eq!(
        refused("block", json!({"address": "here"})),
        (Status::INVALID_ARGUMENT, "address: 'here' is no IPv4 or IPv6 address or prefix".into())
    );
    assert_eq!(refused("countries", json!({})), (Status::NO_DATA, "no country database".into()));
    assert_eq!(refused("recent", json!({})).0, Status::UNKNOWN_ERROR);
    let unknown = ask("delete_everything", json!({})).unwrap_err().to_string();
    assert_eq!(unknown, "the running fwstat knows no 'delete_everything': it is another version");

    let seen = station.stop();
    assert_eq!(seen.commands, [BusCommand::Commit]);
    assert_eq!(seen.questions.len(), 3);
}

/// A daemon that ran before an update of the package and goes on.
#[test]
fn an_answer_without_text_is_of_another_version() {
    let broker = Broker::start(&socket("version"));
    let station = Station::start(&broker.socket, None);
    station.registered();
    let mut out = Vec::new();
    let asked = client::ask(Topic::Services, Map::new(), &broker.socket, false, &mut out);
    let Err(ShellError::Failure(error)) = asked else { panic!("it was printed") };
    assert_eq!(
        error,
        "the running fwstat is of another version than this program: /etc/init.d/fwstat restart"
    );
    assert_eq!(out, b"");
    station.stop();
}

#[test]
fn without_a_daemon_or_a_bus_the_shell_is_told_what_to_do() {
    let broker = Broker::start(&socket("none"));
    assert_eq!(
        ask(&broker.socket, "summary", json!({})).unwrap_err().to_string(),
        "the fwstat daemon is not running: start it with /etc/init.d/fwstat start, \
         or ask a store directory with --db DIR"
    );
    let nowhere = Path::new("/nowhere/ubus.sock");
    assert_eq!(
        ask(nowhere, "summary", json!({})).unwrap_err().to_string(),
        "ubus is not running here: cannot connect to /nowhere/ubus.sock: No such file or directory \
         (os error 2); ask a store directory with --db DIR"
    );
    let silent = socket("silent");
    let _listener = UnixListener::bind(&silent).unwrap();
    let late = call(&silent, "fwstat", "summary", &json!({}), Duration::from_millis(50)).unwrap_err();
    assert_eq!(late.to_string(), "fwstat did not answer 'summary' in time");
}

#[test]
fn a_caller_that_is_gone_hurts_nobody() {
    let broker = Broker::start(&socket("gone"));
    let station = Station::start(&broker.socket, None);
    station.registered();
    for _ in 0..20 {
        let mut caller = Wire::connect(&broker.socket).unwrap();
        let object = number(&caller.lookup("fwstat").unwrap().unwrap(), UbusAttr::ObjId);
        caller.invoke(object, "summary", &[]).unwrap();
    }
    assert!(ask(&broker.socket, "summary", json!({})).is_ok());
    assert_eq!(station.stop().failures, 0);
}

#[test]
fn malformed_arguments_are_refused() {
    let broker = Broker::start(&socket("malformed"));
    let station = Station::start(&broker.socket, None);
    station.registered();
    let mut caller = Wire::connect(&broker.socket).unwrap();
    let object = number(&caller.lookup("fwstat").unwrap().unwrap(), UbusAttr::ObjId);
    for bytes in [&[0x83, 0, 0, 200, 0, 4][..], &[0xff; 40], &[0; 8]] {
        let sequence = caller.invoke(object, "summary", bytes).unwrap();
        assert_eq!(caller.answers(sequence).unwrap().1, 2, "{bytes:?}");
    }
    assert!(station.stop().questions.is_empty());
}

#[test]
fn events_reach_who_listens() {
    let broker = Broker::start(&socket("events"));
    let station = Station::start(&broker.socket, None);
    station.registered();
    let mut listener = Wire::connect(&broker.socket).unwrap();
    let object = listener.add_object(None).unwrap();
    let pattern = blob::table(&json!({"object": object as i32, "pattern": "fwstat.*"}));
    let sequence = listener.invoke(1, "register", pattern.contents()).unwrap();
    assert_eq!(listener.answers(sequence).unwrap().1, 0);
    let block = json!({"address": "192.0.2.1", "rule": "flood"});
    station.events.lock().unwrap().push(("fwstat.block".into(), block.clone()));
    let event = listener.receive().unwrap();
    assert_eq!((event.hdr.ty, text(&event, UbusAttr::Method)), (MsgType::Invoke, "fwstat.block".into()));
    assert_eq!(blob::to_value(data(&event, UbusAttr::Data)), block);
}

#[test]
fn the_backlog_and_what_follows_come_once() {
    let broker = Broker::start(&socket("backlog"));
    let mut logd = Logd::start(&broker.socket);
    logd.kernel("[1.0] first");
    logd.log(SYSLOG, 86, "dropbear[1]: Bad password attempt", true);
    let station = Station::start(&broker.socket, None);
    station.wait("follows", |seen| seen.logd == "running" && seen.entries.len() == 2);
    logd.kernel("[2.0] third");
    logd.log(2, 4, "internal", true);
    logd.log(0, 30, "[2.1] procd: written to /dev/kmsg", true);
    logd.kernel("[3.0] last");
    let all = [
        "kernel [1.0] first",
        "syslog dropbear[1]: Bad password attempt",
        "kernel [2.0] third",
        "kernel [3.0] last",
    ];
    station.entries(&all);
    let seen = station.stop();
    assert_eq!((seen.counts.ignored, seen.counts.lost, seen.counts.duplicates), (2, 0, 0));

    logd.kernel("[4.0] while we were away");
    let again = Station::start(&broker.socket, seen.mark);
    again.entries(&["kernel [4.0] while we were away"]);
    let seen = again.stop();
    assert_eq!((seen.counts.reread, seen.counts.lost, seen.counts.restarts), (6, 0, 0));
}

#[test]
fn a_dropped_notification_is_read_from_the_ring() {
    let broker = Broker::start(&socket("dropped"));
    let mut logd = Logd::start(&broker.socket);
    let station = Station::start(&broker.socket, None);
    station.wait("follows", |seen| seen.logd == "running");
    logd.kernel("a");
    logd.log(0, 4, "b", false);
    logd.kernel("c");
    station.entries(&["kernel a", "kernel b", "kernel c"]);
    assert_eq!(station.stop().counts.lost, 0);
}

#[test]
fn logd_restarts_and_nothing_is_doubled() {
    let broker = Broker::start(&socket("restart"));
    let mut logd = Logd::start(&broker.socket);
    let station = Station::start(&broker.socket, None);
    station.wait("follows", |seen| seen.logd == "running");
    for text in ["a", "b", "c"] {
        logd.kernel(text);
    }
    station.entries(&["kernel a", "kernel b", "kernel c"]);
    drop(logd);
    station.wait("sees that logd has gone", |seen| seen.logd == "no logd");
    let mut logd = Logd::start(&broker.socket);
    assert_eq!(logd.kernel("d"), 0);
    logd.kernel("e");
    station.entries(&["kernel a", "kernel b", "kernel c", "kernel d", "kernel e"]);
    let counts = station.stop().counts;
    assert_eq!((counts.received, counts.lost, counts.restarts), (5, 0, 1));
}

#[test]
fn the_broker_is_killed_and_everything_comes_back() {
    let path = socket("killed");
    let station = Station::start(&path, None);
    std::thread::sleep(Duration::from_millis(300));
    let mut broker = Broker::start(&path);
    let mut logd = Logd::start(&path);
    station.registered();
    station.wait("follows", |seen| seen.logd == "running");
    logd.kernel("before");
    station.entries(&["kernel before"]);
    for round in 0..2 {
        broker.kill();
        station.wait("sees that ubus has gone", |seen| seen.registered.is_none());
        assert!(ask(&path, "summary", json!({})).unwrap_err().to_string().starts_with("ubus is not running"));
        broker = Broker::start(&path);
        let started = Instant::now();
        station.registered();
        assert!(started.elapsed() < Duration::from_secs(30));
        assert!(ask(&path, "summary", json!({})).is_ok());
        drop(logd);
        logd = Logd::start(&path);
        logd.kernel("after");
        station.wait("entries again", |seen| seen.entries.len() == 2 + round);
    }
    assert_eq!(station.stop().counts.lost, 0);
}

#[test]
fn a_broker_that_dies_in_the_middle_of_a_message_is_left_for_the_next() {
    let path = socket("half");
    let listener = UnixListener::bind(&path).unwrap();
    let station = Station::start(&path, None);
    let hello = [0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 4];
    for bytes in [&hello[..7], &[hello, [0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0]].concat(), &[7; 12]] {
        listener.accept().unwrap().0.write_all(bytes).unwrap();
    }
    drop(listener);
    std::fs::remove_file(&path).unwrap();
    let broker = Broker::start(&path);
    station.registered();
    assert!(ask(&broker.socket, "summary", json!({})).is_ok());
    assert!(station.stop().failures >= 3);
}

#[test]
fn a_flood_faster_than_we_read_is_drained_and_counted() {
    let broker = Broker::start(&socket("flood"));
    let mut logd = Logd::start(&broker.socket);
    let station = Station::start(&broker.socket, None);
    station.wait("follows", |seen| seen.logd == "running");
    let line = format!("[1.0] reject wan in: {}", "x".repeat(250));
    for _ in 0..50_000 {
        logd.kernel(&line);
    }
    station.wait("drained", |seen| {
        let counts = seen.counts;
        counts.received + counts.lost >= 50_000
    });
    let seen = station.stop();
    assert_eq!(seen.counts.received + seen.counts.lost, 50_000);
    assert_eq!(seen.entries.len() as u64, seen.counts.received);
    println!("flood: {:?}, lost connections {}", seen.counts, seen.failures);
}

#[test]
fn a_feed_that_stood_still_goes_on_and_counts_what_is_gone() {
    let broker = Broker::start(&socket("stalled"));
    let mut logd = Logd::start(&broker.socket);
    let station = Station::start(&broker.socket, None);
    station.wait("follows", |seen| seen.logd == "running");
    let stalled = station.seen.lock().unwrap();
    let line = format!("[1.0] reject wan in: {}", "x".repeat(250));
    for _ in 0..50_000 {
        logd.kernel(&line);
    }
    std::thread::sleep(Duration::from_millis(200));
    drop(stalled);
    station.wait("caught up", |seen| {
        let counts = seen.counts;
        counts.received + counts.lost >= 50_000
    });
    logd.kernel("and on");
    station.wait("and on", |seen| seen.entries.last().is_some_and(|last| last == "kernel and on"));
    let seen = station.stop();
    assert_eq!(seen.counts.received + seen.counts.lost, 50_001);
    // OpenWrt's broker drops what it cannot send, this one the whole connection.
    assert!(seen.counts.lost > 0, "{:?}", seen.counts);
    assert_eq!(seen.counts.restarts, 0);
}
