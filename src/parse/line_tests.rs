use super::*;
use crate::event::tcp;
use crate::parse::fingerprint_of;
use proptest::prelude::*;

const TCP: &str = "SRC=198.51.100.7 DST=192.0.2.1 LEN=40 TOS=0x00 PREC=0x00 TTL=58 ID=54321 DF PROTO=TCP SPT=40000 DPT=23 \
                   WINDOW=1024 RES=0x00 SYN URGP=0 ";

fn reader() -> LineReader {
    let mut reader = LineReader::new(&Networks::default(), Calendar::new("JST-9").unwrap());
    // 2026-09-13 00:00 JST
    let clock = FileClock { year: Some(2026), modified: 1_789_225_200, boot: Some(1_789_000_000) };
    reader.begin_file(clock);
    reader
}

fn outcome(line: &str) -> (Outcome, Paths) {
    let mut paths = Paths::new();
    (reader().read(line.as_bytes(), &mut paths), paths)
}

/// The time and the info of one line, with a packet behind it.
fn way_of(line: &str) -> String {
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

/// The packet that the kernel told of in these fields.
fn packet_of(fields: &str) -> String {
    let line = format!("Mar 15 20:55:15 linux kernel: [1.5] DROP IN=eth0 OUT= MAC= {fields}");
    match outcome(&line).0 {
        Outcome::Malformed(_) => "malformed".to_string(),
        Outcome::Skipped(_) => "skipped".to_string(),
        Outcome::Event(e) => {
            let flags: String = [
                ('S', tcp::SYN),
                ('A', tcp::ACK),
                ('R', tcp::RST),
                ('F', tcp::FIN),
                ('P', tcp::PSH),
                ('U', tcp::URG),
                ('E', tcp::ECE),
                ('C', tcp::CWR),
            ]
            .iter()
            .filter_map(|(letter, bit)| (e.flags & bit != 0).then_some(*letter))
            .collect();
            let ports = format!("{}>{}", e.source_port, e.port);
            let icmp = format!("{}/{}", e.icmp_type, e.icmp_code);
            let kind = if matches!(e.protocol, 1 | 58) { icmp } else { ports };
            let class = e.class.name();
            format!("{} {} {} {kind} {} {flags} {class}", e.source, e.destination, e.protocol, e.length)
                .replace("  ", " ")
        }
    }
}

#[test]
fn every_header_and_prefix() {
    for (line, expected) in [
        (
            "Sat Sep 12 21:46:20 2026 kern.warn kernel: [119160.262669] reject wan in: IN=br-wan OUT= PHYSIN=lan2 \
             MAC=00:00:5e:00:53:04:00:00:5e:00:53:03:08:00 ...",
            "2026-09-12T12:46:20Z reject wan in:|br-wan> reject Inbound",
        ),
        (
            "Mar 15 20:55:15 linux kernel: [810294.788657] DROP IN=eth0 OUT= MAC= ...",
            "2026-03-15T11:55:15Z DROP|eth0> drop Inbound",
        ),
        ("May  5 05:05:05 kernel: DROP IN=eth0 OUT= ...", "2026-05-04T20:05:05Z DROP|eth0> drop Inbound"),
        (
            "Mar 15 20:55:15 router kern.warn kernel: DROP IN=eth0 OUT=br-lan ...",
            "2026-03-15T11:55:15Z DROP|eth0>br-lan drop Inbound",
        ),
        (
            "2015-03-07T05:09:30.045015+02:00 host kernel: DROP: IN=eth0 OUT= ...",
            "2015-03-07T03:09:30Z DROP:|eth0> drop Inbound",
        ),
        (
            "2015-03-07 05:09:30,045 host kernel: DROP: IN=eth0 OUT= ...",
            "2015-03-06T20:09:30Z DROP:|eth0> drop Inbound",
        ),
        (
            "<4>1 2026-09-12T21:46:20Z host kernel - - - [1.5] [UFW BLOCK] IN=eth0 OUT= ...",
            "2026-09-12T21:46:20Z [UFW BLOCK]|eth0> drop Inbound",
        ),
        (
            "<4>Mar 15 20:55:15 host kernel: [WAN_LOCAL-default-D]IN=eth0 OUT= ...",
            "2026-03-15T11:55:15Z [WAN_LOCAL-default-D]|eth0> drop Inbound",
        ),
        (
            "Sat 2026-09-12 21:46:20 JST host kernel: banIP/inbound/drop/set.v4: IN=pppoe-wan OUT= MAC= ...",
            "2026-09-12T12:46:20Z banIP/inbound/drop/set.v4:|pppoe-wan> drop Inbound",
        ),
        (
            "[Sat Sep 12 21:46:20 2026] my rule: IN=eth0 OUT= ...",
            "2026-09-12T12:46:20Z my rule:|eth0> unknown Inbound",
        ),
        (
            "[ 100.262669] Shorewall:wlan0_mac:DROP:IN=wlan0 OUT= ...",
            "2026-09-10T00:28:20Z Shorewall:wlan0_mac:DROP:|wlan0> drop Inbound",
        ),
        ("DROP IN=ppp0 OUT= MAC= ...", "2026-09-12T15:00:00Z DROP|ppp0> drop Inbound"),
        ("IN=ppp0 OUT= MAC= ...\r", "2026-09-12T15:00:00Z |ppp0> unknown Inbound"),
        ("Mar 15 20:55:15 DROP IN=ppp0 OUT= MAC= ...", "2026-03-15T11:55:15Z DROP|ppp0> drop Inbound"),
        ("Mar 15 20:55:15 box DROP IN=ppp0 OUT= ...", "2026-03-15T11:55:15Z DROP|ppp0> drop Inbound"),
        ("Mar 15 20:55:15 box [1.5] x y IN=ppp0 OUT= DROP ...", "skipped"),
        ("Mar 15 20:55:15 box IN=ppp0 OUT= ...", "2026-03-15T11:55:15Z |ppp0> unknown Inbound"),
        (
            "Mar 15 20:55:15 reject wan in: IN=eth1 OUT= ...",
            "2026-03-15T11:55:15Z reject wan in:|eth1> reject Inbound",
        ),
        (
            "a_scan:Mar 15 20:55:15 linux kernel: DROP(src wan)IN=eth1 OUT= ...",
            "2026-03-15T11:55:15Z DROP(src wan)|eth1> drop Inbound",
        ),
        ("kernel: [100.5] DROP IN= OUT=eth0 ...", "2026-09-10T00:28:20Z DROP|>eth0 drop Egress"),
        (
            "Mar 15 20:55:15 h kernel: DROP OUT=lo IN=eth0 ...",
            "2026-03-15T11:55:15Z DROP|eth0>lo drop Inbound",
        ),
    ] {
        assert_eq!(way_of(line), expected, "{line}");
    }
}

#[test]
fn only_the_kernel_makes_packets() {
    for line in [
        "Sat Sep 12 21:46:20 2026 user.notice kernel: [1.5] reject wan in: IN=eth1 OUT= ...",
        "Sat Sep 12 21:46:20 2026 user.warn kernel: reject wan in: IN=eth1 OUT= ...",
        "Sat Sep 12 21:46:20 2026 authpriv.warn dropbear[1]: x kernel: reject wan in: IN=eth1 OUT= ...",
        "Sat Sep 12 21:46:20 2026 daemon.info dnsmasq-dhcp[9]: DHCPACK name IN=eth1 OUT= ...",
        "Mar 15 20:55:15 host dropbear[1]: DROP IN=eth1 OUT= ...",
        "Mar 15 20:55:15 dropbear: DROP IN=eth1 OUT= ...",
        "Mar 15 20:55:15 host su: kernel: DROP IN=eth1 OUT= ...",
        "Mar 15 20:55:15 user.notice kernel: DROP IN=eth1 OUT= ...",
        "<13>Mar 15 20:55:15 host kernel: DROP IN=eth1 OUT= ...",
        "<30>1 2026-09-12T21:46:20Z host hostapd 1 - - kernel: DROP IN=eth1 OUT= ...",
        "2026-09-12T21:46:20Z host hostapd: kernel: DROP IN=eth1 OUT= ...",
        "[100.5] dropbear[12]: DROP IN=eth1 OUT= ...",
        "xx dropbear[12]: kernel: DROP IN=eth1 OUT= ...",
        // Accepted, or not IP.
        "Mar 15 20:55:15 host kernel: accept wan in: IN=eth1 OUT= ...",
        "Mar 15 20:55:15 host kernel: [UFW AUDIT] IN=eth1 OUT= ...",
        "Mar 15 20:55:15 host kernel: MSSFIX wan out: IN= OUT=eth1 ...",
        "Mar 15 20:55:15 host kernel: DROP IN=eth1 OUT= ARP HTYPE=1 PTYPE=0x0800 OPCODE=1 IPSRC=192.0.2.1",
        "Mar 15 20:55:15 host kernel: DROP IN=eth1 OUT= MACSRC=00:00:5e:00:53:04 MACDST=ff:ff:ff:ff:ff:ff MACPROTO=88cc",
        "Mar 15 20:55:15 host kernel: device eth0 entered promiscuous mode",
        "",
    ] {
        assert_eq!(way_of(line), "skipped", "{line}");
    }
}

#[test]
fn an_unreadable_stamp_or_address_is_malformed() {
    for line in [
        "ar 15 20:55:15 linux kernel: [1.5] DROP IN=eth0 OUT= ...",
        "Mar 15 25:55:15 linux kernel: [1.5] DROP IN=eth0 OUT= ...",
        "Mar 15 20:55:15 linux kernel: [1.5] DROP IN=eth0 OUT= MAC=",
        "Mar 15 20:55:15 linux kernel: [1.5] DROP IN=eth0",
        "Mar 15 20:55:15 linux kernel: [1.5] DROP IN=eth0 OUT= SRC=198.51.100.7 DST=192.0.",
        "Mar 15 20:55:15 linux kernel: [1.5] DROP IN=eth0 OUT= SRC=198.51.100.7",
        "Mar 15 20:55:15 linux kernel: [1.5] DROP IN=eth0 OUT= SRC=198.51.100.777 DST=192.0.2.1 LEN=40",
        "Mar 15 20:55:15 linux kernel: [1.5] DROP IN=eth0 OUT= SRC= DST=192.0.2.1 LEN=40",
        "Mar 15 20:55:15 linux kernel: [1.5] DROP IN=eth0 OUT= [SRC=198.51.100.7 DST=192.0.2.1 ]",
    ] {
        assert_eq!(way_of(line), "malformed", "{line}");
    }
}

#[test]
fn packets() {
    for (fields, expected) in [
        (TCP, "198.51.100.7 192.0.2.1 6 40000>23 40 S attempt"),
        (
            "SRC=1.2.3.4 DST=5.6.7.8 LEN=60 TOS=0x00 PREC=0x00 TTL=1 ID=1 CE DF PROTO=TCP SPT=443 DPT=5 SEQ=77 ACK=88 \
             WINDOW=1 RES=0x00 ACK PSH URGP=0 OPT (020405B4) MARK=0x3f00 ",
            "1.2.3.4 5.6.7.8 6 443>5 60 AP backscatter",
        ),
        (
            "SRC=1.2.3.4 DST=5.6.7.8 LEN=60 TOS=0x00 PREC=0x00 TTL=1 ID=1 PROTO=TCP SPT=443 DPT=5 SEQ=77 ACK=88 WINDOW=1 \
             RES=0x00 CWR ECE URG RST FIN URGP=0 UID=0 GID=0",
            "1.2.3.4 5.6.7.8 6 443>5 60 RFUEC backscatter",
        ),
        (
            "SRC=1.2.3.4 DST=5.6.7.8 LEN=189 TOS=0x00 PREC=0xC0 TTL=64 ID=45067 PROTO=UDP SPT=33197 DPT=53 LEN=169",
            "1.2.3.4 5.6.7.8 17 33197>53 189 attempt",
        ),
        (
            "SRC=1.2.3.4 DST=5.6.7.8 LEN=20 TOS=0x00 PREC=0x00 TTL=56 ID=50515 PROTO=162 ",
            "1.2.3.4 5.6.7.8 162 0>0 20 attempt",
        ),
        (
            "SRC=1.2.3.4 DST=5.6.7.8 LEN=36 TOS=0x00 PREC=0xC0 TTL=1 ID=0 PROTO=IGMP",
            "1.2.3.4 5.6.7.8 2 0>0 36 noise",
        ),
        (
            "SRC=1.2.3.4 DST=5.6.7.8 LEN=20 TOS=0x00 PREC=0x00 TTL=56 ID=5 PROTO=UDPLITE INCOMPLETE [0 bytes] ",
            "1.2.3.4 5.6.7.8 136 0>0 20 attempt",
        ),
        (
            "SRC=1.2.3.4 DST=5.6.7.8 LEN=20 TOS=0x00 PREC=0x00 TTL=56 ID=5 PROTO=ESP SPI=0xdeadbeef ",
            "1.2.3.4 5.6.7.8 50 0>0 20 attempt",
        ),
        (
            "SRC=1.2.3.4 DST=5.6.7.8 LEN=28 TOS=0x00 PREC=0x00 TTL=64 ID=18443 PROTO=ICMP TYPE=8 CODE=0 ID=2158 SEQ=512 ",
            "1.2.3.4 5.6.7.8 1 8/0 28 attempt",
        ),
        (
            "SRC=1.2.3.4 DST=5.6.7.8 LEN=88 TOS=0x00 PREC=0x00 TTL=64 ID=1 PROTO=ICMP TYPE=3 CODE=1 [SRC=9.9.9.9 DST=8.8.8.8 \
             LEN=60 TOS=0x00 PREC=0x00 TTL=1 ID=1 PROTO=TCP SPT=1 DPT=2 WINDOW=1 RES=0x00 SYN URGP=0 ] ",
            "1.2.3.4 5.6.7.8 1 3/1 88 backscatter",
        ),
        (
            "SRC=1.2.3.4 DST=5.6.7.8 LEN=1500 TOS=0x00 PREC=0x00 TTL=64 ID=1 MF FRAG:185 PROTO=UDP ",
            "1.2.3.4 5.6.7.8 17 0>0 1500 backscatter",
        ),
        (
            "SRC=2001:0db8:0000:f101:0000:0000:0000:0002 DST=2001:0db8:0000:f101:0000:0000:0000:0001 LEN=80 TC=0 \
             HOPLIMIT=64 FLOWLBL=0 PROTO=TCP SPT=46395 DPT=80 WINDOW=5760 RES=0x00 SYN URGP=0 ",
            "2001:db8:0:f101::2 2001:db8:0:f101::1 6 46395>80 80 S attempt",
        ),
        (
            "SRC=2001:db8::2 DST=2001:db8::1 LEN=132 TC=0 HOPLIMIT=64 FLOWLBL=9 OPT ( ) OPT ( ) PROTO=UDP SPT=1 DPT=2 LEN=8 ",
            "2001:db8::2 2001:db8::1 17 1>2 132 attempt",
        ),
        (
            "SRC=2001:db8::2 DST=2001:db8::1 LEN=72 TC=0 HOPLIMIT=64 FLOWLBL=9 FRAG:0 INCOMPLETE ID:0000abcd PROTO=ICMPv6 \
             TYPE=128 CODE=0 ID=1 SEQ=1 ",
            "2001:db8::2 2001:db8::1 58 128/0 72 attempt",
        ),
        // Cut lines, and lines of other writers.
        ("SRC=1.2.3.4 DST=5.6.7.8", "1.2.3.4 5.6.7.8 0 0>0 0 attempt"),
        ("SRC=1.2.3.4 DST=5.6.7.8 LEN=40 TOS=0x00 PREC=0x00 TTL=5", "1.2.3.4 5.6.7.8 0 0>0 40 attempt"),
        (
            "SRC=1.2.3.4 DST=5.6.7.8 LEN=40 TOS=0x00 PREC=0x00 TTL=5 ID=1 PROTO=TCP SPT=99 DPT=12",
            "1.2.3.4 5.6.7.8 6 99>12 40 attempt",
        ),
        ("DPT=12 SPT=99 PROTO=tcp WHAT=ever DST=5.6.7.8 SRC=1.2.3.4", "1.2.3.4 5.6.7.8 6 99>12 0 attempt"),
    ] {
        assert_eq!(packet_of(fields), expected, "{fields}");
    }
}

#[test]
fn the_uptime_is_kept() {
    let Outcome::Event(event) = outcome(&format!("[ 3445.031964] DROP IN=eth0 OUT= {TCP}")).0 else {
        panic!()
    };
    assert_eq!(event.uptime, 3_445_031_964);
}

#[test]
fn group_macs_are_noise_and_anonymous_ones_are_not() {
    for (mac, class) in [
        ("MAC=ff:ff:ff:ff:ff:ff:00:00:5e:00:53:03:08:00 ", Class::Noise),
        ("MAC=01:00:5e:00:00:01:00:00:5e:00:53:03:08:00 ", Class::Noise),
        ("MAC=33:33:ff:00:00:01:00:00:5e:00:53:03:86:dd ", Class::Noise),
        ("MACSRC=00:00:5e:00:53:03 MACDST=33:33:ff:00:00:01 MACPROTO=86dd ", Class::Noise),
        ("MAC=23:87:fc:c6:24:58:00:21:3f:98:99:78:09:00 ", Class::Attempt),
        ("MAC=00:00:5e:00:53:04:ff:ff:ff:ff:ff:ff:08:00 ", Class::Attempt),
    ] {
        let line = format!("Mar 15 20:55:15 linux kernel: DROP IN=eth0 OUT= {mac}{TCP}");
        let Outcome::Event(event) = outcome(&line).0 else { panic!("{line}") };
        assert_eq!(event.class, class, "{mac}");
    }
}

#[test]
fn years_follow_from_the_stamp_before() {
    let mut reader = reader();
    let mut paths = Paths::new();
    reader.begin_file(FileClock { year: Some(2023), modified: 0, boot: None });
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
    for (modified, expected) in [(1_789_225_200, "2025-12-30"), (1_798_600_000, "2026-12-30")] {
        reader.begin_file(FileClock { year: None, modified, boot: None });
        let line = format!("Dec 30 12:00:00 linux kernel: [1.5] DROP IN=eth0 OUT= {TCP}");
        let Outcome::Event(event) = reader.read(line.as_bytes(), &mut paths) else { panic!() };
        assert_eq!(Calendar::utc().hour_of(event.time).date.to_string(), expected);
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
    let outcome = reader.read_kernel(message.as_bytes(), 5, Origin::Logd, &mut paths);
    let Outcome::Event(event) = outcome else { panic!() };
    assert_eq!((event.time, event.uptime), (5, 119_160_260_000));
    assert_eq!(paths.get(event.path).unwrap().origin, Origin::Logd);
    let outcome = reader.read_daemon(message.as_bytes(), 5, Origin::Logd, &mut paths);
    assert!(matches!(outcome, Outcome::Skipped(_)));
    let forged = format!("kernel: DROP IN=eth1 OUT= MAC= {TCP}");
    assert!(matches!(
        reader.read_daemon(forged.as_bytes(), 5, Origin::Logd, &mut paths),
        Outcome::Skipped(_)
    ));
    let login = b"dropbear[1234]: Bad password attempt for 'root' from 192.0.2.1:4022";
    assert!(matches!(reader.read_daemon(login, 5, Origin::Logd, &mut paths), Outcome::Event(_)));
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
            && let Some(text) = Padded::new(&line).window()
            && let Some((fast, _)) = netfilter::kernel_order(text, at + 4, &mut KnownAddress::default()) {
                prop_assert_eq!(Some(fast), netfilter::any_order(&line[at..]));
            }
        read_anything(&line);
    }

    #[test]
    fn any_bytes_are_read_without_panic(line in prop::collection::vec(any::<u8>(), 0..300)) {
        read_anything(&line);
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
            let quick = Padded::new(line.as_bytes());
            let event = reader.read_quickly(quick.window().unwrap(), &mut Event::default());
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
        let padded = Padded::new(line.as_bytes());
        let read = quick_reader.read_quickly(padded.window().unwrap(), &mut event);
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
        let outcome = reader.read_kernel(message.as_bytes(), 0, Origin::Logd, &mut paths);
        assert!(matches!(outcome, Outcome::Skipped(None)), "{message}");
    }
    let odd = b"[ 1.000001] something SRC=192.0.2.1 DST=192.0.2.2";
    assert!(!matches!(reader.read_kernel(odd, 0, Origin::Logd, &mut paths), Outcome::Skipped(None)));
}
