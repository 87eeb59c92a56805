use super::*;
use crate::event::Address;
use crate::parse::fingerprint_of;
use proptest::prelude::*;

#[path = "../../tests/fuzz/log_line.rs"]
mod log_line;

pub(super) const TCP: &str = "SRC=198.51.100.7 DST=192.0.2.1 LEN=40 TOS=0x00 PREC=0x00 TTL=58 ID=54321 DF PROTO=TCP SPT=40000 DPT=23 \
                   WINDOW=1024 RES=0x00 SYN URGP=0 ";

pub(super) fn reader() -> LineReader {
    let mut reader = LineReader::new(&Networks::default(), Calendar::new("JST-9").unwrap());
    // 2026-09-13 00:00 JST
    let clock =
        FileClock { year: 2026, modified: 1_789_225_200, boot: Some(1_789_000_000), ..FileClock::default() };
    reader.begin_file(clock);
    reader
}

pub(super) fn outcome(line: &str) -> (Outcome, Paths) {
    let mut paths = Paths::new();
    (reader().read(line.as_bytes(), &mut paths), paths)
}

/// The time and the path of one line, with a packet behind it.
pub(super) fn way_of(line: &str) -> String {
    let line = line.replace("...", TCP);
    let (outcome, paths) = outcome(&line);
    match outcome {
        Outcome::Malformed(_) => "malformed".to_string(),
        Outcome::Skipped(_) => "skipped".to_string(),
        Outcome::Event(event) => {
            assert_eq!(event.service().port, 23, "{line}");
            let path = paths.get(event.path).unwrap();
            let time = Calendar::utc().rfc3339(event.time).replace("+00:00", "Z");
            let (prefix, verdict) = (&path.prefix, event.verdict.name());
            format!("{time} {prefix}|{}>{} {verdict} {:?}", path.input, path.output, path.direction)
        }
    }
}

#[test]
fn years_follow_from_the_stamp_before() {
    let mut reader = reader();
    let mut paths = Paths::new();
    reader.begin_file(FileClock { year: 2023, ..FileClock::default() });
    for (stamp, expected) in [
        ("Dec 30 23:00:00", "2023-12-30"),
        ("Dec 31 23:00:00", "2023-12-31"),
        ("Jan  1 01:00:00", "2024-01-01"),
        ("Dec 31 23:59:59", "2023-12-31"),
        ("Jan  1 01:00:00", "2024-01-01"),
        ("Feb 29 01:00:00", "2024-02-29"),
        ("Aug 15 01:00:00", "2024-08-15"),
        ("Jan 10 01:00:00", "2025-01-10"),
        // A day that 2025 does not have.
        ("Feb 29 01:00:00", "malformed"),
        ("Mar  1 01:00:00", "2025-03-01"),
    ] {
        let line = format!("{stamp} linux kernel: [1.5] DROP IN=eth0 OUT= {TCP}");
        let date = match reader.read(line.as_bytes(), &mut paths) {
            Outcome::Event(event) => Calendar::new("JST-9").unwrap().hour_of(event.time).date.to_string(),
            _ => "malformed".to_string(),
        };
        assert_eq!(date, expected);
    }
}

/// A router without a real-time clock starts with the date of its firmware.
#[test]
fn lines_of_a_boot_before_the_clock_was_set_are_not_dated_in_the_future() {
    let (mut reader, mut paths) = (reader(), Paths::new());
    let latest = Some(1_795_996_800); // 2026-11-30
    // The year of a file that begins so, as the order of its dates has it.
    reader.begin_file(FileClock { year: 2027, latest, ..FileClock::default() });
    for (stamp, expected) in [
        ("May  5 05:05:20", "2026-05-05T05:05:20"),
        ("May  5 05:05:21", "2026-05-05T05:05:21"),
        ("Nov 28 10:00:00", "2026-11-28T10:00:00"),
        ("May  5 05:05:20", "2026-11-28T10:00:00"),
        ("May  5 05:05:30", "2026-11-28T10:00:10"),
        ("Jan  1 09:00:01", "2026-11-28T10:00:00"),
        ("Nov 28 10:02:00", "2026-11-28T10:02:00"),
        ("Nov 29 00:00:01", "2026-11-29T00:00:01"),
    ] {
        let line = format!("{stamp} linux kernel: [1.5] DROP IN=eth0 OUT= {TCP}");
        let Outcome::Event(event) = reader.read(line.as_bytes(), &mut paths) else { panic!() };
        assert_eq!(
            Calendar::new("JST-9").unwrap().rfc3339(event.time),
            format!("{expected}+09:00"),
            "{stamp}"
        );
    }
}

#[test]
fn failed_logins() {
    let mut paths = Paths::new();
    let message = "authpriv.warn dropbear[1234]: Bad password attempt for 'root' from 192.0.2.1:4022";
    let line = format!("Sat Sep 12 21:46:20 2026 {message}");
    let Outcome::Event(event) = reader().read(line.as_bytes(), &mut paths) else { panic!() };
    assert_eq!(
        (event.class, event.service().port, event.source),
        (Class::Login, 22, Address::v4(0xc000_0201))
    );
    assert_eq!(event.destination, Address::default());
    assert_eq!(paths.get(event.path).unwrap().prefix, "dropbear");
    let line = "Sat Sep 12 21:46:20 2026 kern.warn kernel: dropbear[1]: Bad password attempt for 'x' from 192.0.2.1:4022";
    assert!(matches!(reader().read(line.as_bytes(), &mut paths), Outcome::Skipped(_)));
}

#[test]
fn entries_of_logd_come_without_header() {
    let (mut reader, mut paths) = (reader(), Paths::new());
    let message = format!("[119160.26] reject wan in: IN=eth1 OUT= MAC= {TCP}");
    let outcome = reader.read_kernel(message.as_bytes(), 5, &mut paths);
    let Outcome::Event(event) = outcome else { panic!() };
    assert_eq!((event.time, event.uptime), (5, 119_160_260_000));
    assert_eq!(paths.get(event.path).unwrap().origin, Origin::Log);
    let outcome = reader.read_daemon(message.as_bytes(), 5, &mut paths);
    assert!(matches!(outcome, Outcome::Skipped(_)));
    let forged = format!("kernel: DROP IN=eth1 OUT= MAC= {TCP}");
    assert!(matches!(reader.read_daemon(forged.as_bytes(), 5, &mut paths), Outcome::Skipped(_)));
    let login = b"dropbear[1234]: Bad password attempt for 'root' from 192.0.2.1:4022";
    assert!(matches!(reader.read_daemon(login, 5, &mut paths), Outcome::Event(_)));
}

/// The messages of OpenWrt's logd: what real dropbear 2022.83, LuCI 25.12 and logd gave for failed logins, and the forms of
/// other versions as that logd gives them (an empty tag is a colon alone).
#[test]
fn failed_logins_as_logd_gives_them() {
    let (mut reader, mut paths) = (reader(), Paths::new());
    let mut logins = |messages: &[&str]| -> Vec<(String, u32)> {
        let mut found = Vec::new();
        for message in messages {
            match reader.read_daemon(message.as_bytes(), 5, &mut paths) {
                Outcome::Event(event) => found.push((event.source.to_string(), event.count)),
                Outcome::Skipped(None) => {}
                other => panic!("{message} {other:?}"),
            }
        }
        found
    };
    let once = |address: &str| vec![(address.to_string(), 1)];
    for (messages, address) in [
        (
            &[
                "dropbear[830]: Child connection from 192.0.2.1:43580",
                "dropbear[830]: Login attempt for nonexistent user",
                "dropbear[830]: Exit before auth from <192.0.2.1:43580>: Exited normally",
            ][..],
            "192.0.2.1",
        ),
        (
            &[
                "dropbear[828]: Child connection from 192.0.2.2:43576",
                "dropbear[828]: Generated hostkey /etc/dropbear/dropbear_ed25519_host_key, fingerprint is SHA256:gwAny",
                "dropbear[828]: Bad password attempt for 'root' from 192.0.2.2:43576",
                "dropbear[828]: Exit before auth from <192.0.2.2:43576>: (user 'root', 1 fails): Exited normally",
            ],
            "192.0.2.2",
        ),
        (&["dropbear[9]: Bad password attempt for 'root' from [2001:db8::7]:50022"], "2001:db8::7"),
        (&["dispatcher.uc: luci: failed login on / for root from 192.0.2.3"], "192.0.2.3"),
        (&[": luci: failed login on / for root from 192.0.2.4"], "192.0.2.4"),
        (&["luci: failed login on / for root from 192.0.2.5"], "192.0.2.5"),
        (&["uhttpd[999]: [info] luci: failed login on / for root from 192.0.2.6"], "192.0.2.6"),
        (&["sshd-session[77]: Failed password for root from 192.0.2.7 port 40 ssh2"], "192.0.2.7"),
    ] {
        assert_eq!(logins(messages), once(address), "{messages:?}");
    }
    for message in
        ["evil: luci: failed login on / for root from 192.0.2.8", "dropbear[824]: Running in background"]
    {
        assert_eq!(logins(&[message]), []);
    }
}

#[test]
fn fingerprints_are_the_packets_alone() {
    let of = |context: &str, fields: &str| match outcome(&format!(
        "Mar 15 20:55:15 l kernel: {context}{fields}"
    ))
    .0
    {
        Outcome::Event(event) => fingerprint_of(&event),
        _ => panic!("{context}"),
    };
    let first = of("[1.5] drop wan in: IN=eth1 OUT= MAC= ", TCP);
    assert_eq!(of("[1.6] DROP IN=br-wan OUT=lan PHYSIN=eth1 ", &TCP.replace("TTL=58", "TTL=57")), first);
    assert_ne!(of("[1.6] DROP IN=br-wan OUT= ", &TCP.replace("54321", "54322")), first);
}

#[test]
fn the_pre_scan_sees_the_same_stamps() {
    for (line, day, uptime) in [
        ("Mar 15 20:55:15 linux kernel: x", Some((3, 15)), None),
        ("<4>Dec 15 20:55:15 linux kernel: x", Some((12, 15)), None),
        ("a.log:Dec 15 20:55:15 linux kernel: x", Some((12, 15)), None),
        ("Sat Sep 12 21:46:20 2026 kern.warn kernel: [1.5] x", None, None),
        ("2015-03-07T05:09:30+02:00 host kernel: x", None, None),
        ("[ 3445.031964] DROP IN=", None, Some(3_445_031_964)),
        ("<4>[ 3445.031964] DROP IN=", None, Some(3_445_031_964)),
        ("DROP IN=", None, None),
    ] {
        assert_eq!(day_without_year(line.as_bytes()), day, "{line}");
        assert_eq!(bare_uptime(line.as_bytes()), uptime, "{line}");
    }
}

#[test]
fn what_begins_like_the_lines_before_is_read_quickly() {
    const V6: &str = "SRC=2001:0db8:0000:0000:0000:0000:0000:0007 DST=2001:0db8:0000:0000:0000:0000:0000:0001 LEN=60 TC=0 \
                      HOPLIMIT=55 FLOWLBL=0 PROTO=TCP SPT=40000 DPT=23 WINDOW=1024 RES=0x00 SYN URGP=0 ";
    let other = TCP.replace(" DF ", " ").replace(" SYN ", " ACK RST ");
    for fields in [TCP, V6, &other] {
        let line = format!("Mar 15 20:55:15 l kernel: [1.5] drop wan in: IN=eth1 OUT= MAC= {fields}");
        let (mut reader, mut paths) = (reader(), Paths::new());
        let read = reader.read(line.as_bytes(), &mut paths);
        let mut text = format!("{line}\n{line}").into_bytes();
        text.resize(Window::SIZE.max(text.len()), b'\n');
        let mut event = Event::default();
        let end = reader.read_quickly(Window::new(&text).unwrap(), &mut event).unwrap();
        assert_eq!(&line[end..], "0 ", "{line}");
        assert!(matches!(read, Outcome::Event(read) if read == event), "{read:?} {event:?}");
    }
}

/// Lines to be mutated.
fn seeds() -> Vec<Vec<u8>> {
    let headers = [
        "Sat Sep 12 21:46:20 2026 kern.warn kernel: [119160.262669] ",
        "2026-09-12T21:46:20.5+09:00 host kernel: [1.5] ",
        "<4>1 2026-09-12T21:46:20Z host kernel - - - ",
        "[ 100.262669] ",
    ];
    let contexts = [
        "reject wan in: IN=br-wan OUT= PHYSIN=lan2 MAC=00:00:5e:00:53:04:00:00:5e:00:53:03:08:00 ",
        "reject wan in: IN=br-wan OUT= PHYSIN=lan2 MAC=ff:ff:ff:ff:ff:ff:00:00:5e:00:53:03:08:00 ",
        "reject wan in: IN=br-wan OUT= MAC=00:00:5e:00:53:04:00:00:5e:00:53:03:08:00 ",
        "[UFW BLOCK] IN=eth0 OUT= MAC= ",
        "DROP IN= OUT=eth0 ",
    ];
    let packets = [
        TCP,
        "SRC=1.2.3.4 DST=5.6.7.8 LEN=60 TOS=0x00 PREC=0x00 TTL=1 ID=1 PROTO=TCP SPT=443 DPT=5 SEQ=7 ACK=8 WINDOW=1 RES=0x00 ACK URGP=0 ",
        "SRC=1.2.3.4 DST=5.6.7.8 LEN=189 TOS=0x00 PREC=0xC0 TTL=64 ID=4 CE DF MF OPT (0102) PROTO=UDP SPT=3 DPT=53 LEN=169",
        "SRC=1.2.3.4 DST=5.6.7.8 LEN=28 TOS=0x00 PREC=0x00 TTL=64 ID=8 PROTO=ICMP TYPE=8 CODE=0 ID=2158 SEQ=512 ",
        "SRC=2001:0db8:0000:f101:0000:0000:0000:0002 DST=2001:0db8:0000:f101:0000:0000:0000:0001 LEN=80 TC=0 HOPLIMIT=64 FLOWLBL=3 PROTO=ICMPv6 TYPE=3 CODE=0 [SRC=",
    ];
    let mut seeds = Vec::new();
    for header in headers {
        for context in contexts {
            seeds.extend(packets.map(|packet| format!("{header}{context}{packet}").into_bytes()));
        }
    }
    seeds
}

/// A seed with a few bytes changed, taken out or put in.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        Just(b' '),
        Just(b'='),
        Just(b'['),
        Just(b']'),
        Just(b':'),
        Just(b'.'),
        b'0'..=b'9',
        b'A'..=b'Z',
        any::<u8>()
    ];
    let change = (any::<prop::sample::Index>(), 0..4u8, byte);
    (prop::sample::select(seeds()), prop::collection::vec(change, 0..4)).prop_map(|(mut line, changes)| {
        for (place, kind, byte) in changes {
            if line.is_empty() {
                break;
            }
            let at = place.index(line.len());
            match kind {
                0 => line[at] = byte,
                1 => line.insert(at, byte),
                2 => drop(line.remove(at)),
                _ => line.truncate(at.max(line.len() / 2)),
            }
        }
        line
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_remembered_changes_nothing(lines in prop::collection::vec(mutated(), 1..6)) {
        let (mut warm, mut paths) = (reader(), Paths::new());
        for line in &lines {
            let (mut cold, mut cold_paths) = (reader(), Paths::new());
            // Years follow from the stamp before.
            cold.previous = warm.previous;
            let kept = warm.read(line, &mut paths);
            let fresh = cold.read(line, &mut cold_paths);
            match (kept, fresh) {
                (Outcome::Event(kept), Outcome::Event(fresh)) => {
                    prop_assert_eq!(paths.get(kept.path), cold_paths.get(fresh.path));
                    let kept = Event { path: fresh.path, ..kept };
                    prop_assert_eq!(format!("{kept:?}"), format!("{fresh:?}"), "{}", String::from_utf8_lossy(line));
                }
                (kept, fresh) => prop_assert_eq!(
                    std::mem::discriminant(&kept),
                    std::mem::discriminant(&fresh),
                    "{}",
                    String::from_utf8_lossy(line)
                ),
            }
        }
    }

    #[test]
    fn what_follows_a_line_changes_nothing(first in mutated(), second in mutated(), known in mutated()) {
        let first: Vec<u8> = first.into_iter().filter(|byte| *byte != b'\n').collect();
        let mut text = [&first[..], b"\n", &second, b"\n"].concat();
        text.resize(text.len().max(Window::SIZE), b' ');
        let (mut reader, mut paths) = (reader(), Paths::new());
        for line in [&known, &first] {
            reader.read(line, &mut paths);
        }
        let mut event = Event::default();
        let window = Window::new(&text).unwrap();
        if let Some(end) = reader.read_quickly(window, &mut event) {
            prop_assert!(end <= first.len());
            let whole = reader.read(&first, &mut paths);
            prop_assert!(matches!(whole, Outcome::Event(whole) if whole == event), "{whole:?} {event:?}");
        }
    }

    #[test]
    fn the_fast_reader_reads_what_the_tolerant_one_reads(line in mutated()) {
        if let Some(at) = memchr::memmem::find(&line, b"SRC=")
            && let Some(padded) = Padded::new(&line)
            && let Some((fast, _)) = netfilter::kernel_order(padded.window(), at + 4, &mut KnownAddress::default()) {
                prop_assert_eq!(Some(fast), netfilter::any_order(&line[at..]));
            }
        log_line::log_line(&line);
    }

    #[test]
    fn any_bytes_are_read_without_panic(line in prop::collection::vec(any::<u8>(), 0..300)) {
        log_line::log_line(&line);
    }
}

/// What a daemon says that is known to be irrelevant is passed over; whoever comes behind it is not.
#[test]
fn lines_of_dull_daemons_are_known_by_their_tag() {
    let stamps = [
        "Mar 15 20:55:1# linux",
        "Sun Mar 15 20:55:1# 2026 daemon.info",
        "2026-03-15T20:55:1#+09:00 linux",
        "2026-03-15T20:55:1#.123456Z linux",
    ];
    for stamp in stamps {
        let (mut reader, mut paths) = (reader(), Paths::new());
        let kernel = stamp.replace("daemon.info", "kern.warn");
        let mut read = |stamp: &str, second: u32, rest: &str| {
            let line = format!("{} {}", stamp.replace('#', &second.to_string()), rest.replace("...", TCP));
            let quick = Padded::new(line.as_bytes()).unwrap();
            let event = reader.read_quickly(quick.window(), &mut Event::default());
            match reader.read(line.as_bytes(), &mut paths) {
                Outcome::Event(event) => event.class.name(),
                Outcome::Malformed(_) => "malformed",
                Outcome::Skipped(_) if event.is_some() => "read quickly only",
                Outcome::Skipped(_) => "skipped",
            }
        };
        for second in 0..3 {
            assert_eq!(read(&kernel, second, "kernel: DROP IN=eth0 OUT= MAC= ..."), "attempt", "{stamp}");
            for text in
                ["dnsmasq[12]: query", "hostapd: wlan0:", "dnsmasq[12]: kernel: DROP IN=eth0 OUT= ..."]
            {
                assert_eq!(read(stamp, second, text), "skipped", "{stamp} {text}");
            }
            // Another, whose tag begins alike; no tag at all; and one that tells of failed logins.
            let dropbear = "dropbear[12]: Bad password attempt for 'root' from 198.51.100.7:40000";
            assert_eq!(read(stamp, second, dropbear), "login", "{stamp}");
            assert_eq!(read(&kernel, second, "kernel:DROP IN=eth0 OUT= MAC= ..."), "attempt", "{stamp}");
        }
        // A stamp that only looks like those before.
        assert_eq!(
            read(&kernel.replace("20:55", "20:5x"), 0, "kernel: DROP IN=eth0 OUT= MAC= ..."),
            "malformed"
        );
    }
}

/// Whatever was expected from the lines before, a line is read as it would be alone.
#[test]
fn lines_are_read_quickly_as_they_are_read_alone() {
    let headers = [
        "2026-03-15T20:55:1#+09:00 linux kernel: ",
        "2026-03-15T20:55:1#+08:00 linux kernel: ",
        "2026-03-15T20:55:1#Z linux kernel: ",
        "2026-03-15T20:55:1#Z linux kernel: [119160.26] ",
        "2026-03-15T20:56:1#Z linux kernel: ",
        "2026-03-15T21:55:1#Z linux kernel: ",
    ];
    let contexts = [
        "DROP IN=eth1 OUT= MAC= ",
        "DROP IN=eth1 OUT= MAC=00:00:5e:00:53:01:00:00:5e:00:53:02:08:00 ",
        "DROP IN=eth1 OUT= MAC=00:00:5e:00:53:03:00:00:5e:00:53:02:08:00 ",
        "REJECT IN=eth1 OUT=br-lan MAC= ",
        "DROP IN=br-lan OUT= MAC= ",
    ];
    let fields =
        [TCP.to_string(), TCP.replace("192.0.2.1", "192.0.2.255"), TCP.replace("PROTO=TCP", "PROTO=47")];
    let (mut quick_reader, mut paths) = (reader(), Paths::new());
    let (mut number, mut quickly) = (1u32, 0);
    let (mut header, mut context) = (0, 0);
    for turn in 0..4000 {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // What repeats is expected.
        if number >> 29 == 0 {
            header = (number >> 20) as usize % headers.len();
        }
        if number >> 28 == 5 {
            context = (number >> 16) as usize % contexts.len();
        }
        let second = turn % 10;
        let fields = &fields[(number >> 10) as usize % 20 % fields.len()];
        let line =
            format!("{}{}{fields}", headers[header].replace('#', &second.to_string()), contexts[context]);
        let mut event = Event::default();
        let padded = Padded::new(line.as_bytes()).unwrap();
        let read = quick_reader.read_quickly(padded.window(), &mut event);
        quickly += u32::from(read.is_some());
        if read.is_none() {
            let Outcome::Event(slow) = quick_reader.read(line.as_bytes(), &mut paths) else {
                panic!("{line}")
            };
            event = slow;
        }
        let Outcome::Event(alone) = reader().read(line.as_bytes(), &mut paths) else { panic!("{line}") };
        assert_eq!(event, alone, "{line}");
    }
    assert!(quickly > 2000, "{quickly}");
}

#[test]
fn what_does_not_look_like_a_packet_needs_no_reason() {
    let mut reader = LineReader::new(&Networks::default(), Calendar::utc());
    let mut paths = Paths::new();
    for message in [
        "[ 7753.752904] eth0: left allmulticast mode",
        "[ 12.000001] br-lan: port 2(eth1) entered blocking state",
    ] {
        let outcome = reader.read_kernel(message.as_bytes(), 0, &mut paths);
        assert!(matches!(outcome, Outcome::Skipped(None)), "{message}");
    }
    let odd = b"[ 1.000001] something SRC=192.0.2.1 DST=192.0.2.2";
    assert!(!matches!(reader.read_kernel(odd, 0, &mut paths), Outcome::Skipped(None)));
}

#[test]
fn only_the_kernel_names_the_bridge_of_openwrt() {
    let json = |writer: &str| format!("{{\"_TRANSPORT\":\"{writer}\",\"MESSAGE\":\"DROP IN=br-lan OUT=\"}}");
    for (line, named) in [
        ("Mar 15 20:55:15 h kernel: [1.5] br-lan: port 1(lan1) entered forwarding state", true),
        ("Mar 15 20:55:15 h kernel: DROP IN=wlan0 OUT=br-lan SRC=1.1.1.1", true),
        ("Mar 15 20:55:15 h DROP IN=br-lan OUT= SRC=1.1.1.1", true),
        (&json("kernel"), true),
        (&json("syslog"), false),
        ("Mar 15 20:55:15 h sshd[9]: Invalid user IN=br-lan OUT= from 203.0.113.7 port 40", false),
        ("Mar 15 20:55:15 h sshd[9]: Invalid user kernel: br-lan from 203.0.113.7 port 40", false),
        ("Mar 15 20:55:15 h kernel: DROP IN=wlan0 OUT= SRC=1.1.1.1", false),
    ] {
        assert_eq!(names_lan_bridge(line.as_bytes()), named, "{line}");
    }
}
