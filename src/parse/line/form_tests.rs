//! Forms of lines and packets: each with what is read of it.

use super::tests::{TCP, outcome, way_of};
use super::*;
use crate::event::tcp;

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
        // Of an entry of the journal that was cut off before its time.
        ("    MESSAGE=[UFW BLOCK] IN=ppp0 OUT= MAC= ...", "skipped"),
        ("_CMDLINE=drop IN=ppp0 OUT= ...", "skipped"),
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
            "<13>Mar 15 20:55:15 UDM UDM [WAN_LOCAL-D-2000] DESCR=\"x\" IN=eth8 OUT= ...",
            "2026-03-15T11:55:15Z [WAN_LOCAL-D-2000]|eth8> drop Inbound",
        ),
        (
            "Mar 15 20:55:15 2001:db8::1 kernel: DROP IN=eth0 OUT= ...",
            "2026-03-15T11:55:15Z DROP|eth0> drop Inbound",
        ),
        (
            "2015-03-07T05:09:30+02:00\t192.0.2.1\tkernel:\tDROP IN=eth0 OUT= ...",
            "2015-03-07T03:09:30Z DROP|eth0> drop Inbound",
        ),
        (
            "> Mar 15 20:55:15 linux kernel: DROP IN=eth0 OUT= ...",
            "2026-03-15T11:55:15Z DROP|eth0> drop Inbound",
        ),
        (
            "[{\"_TRANSPORT\":\"kernel\",\"__REALTIME_TIMESTAMP\":\"1789216000000000\",\"MESSAGE\":\"DROP IN=eth0 OUT= ...\"},",
            "2026-09-12T12:26:40Z DROP|eth0> drop Inbound",
        ),
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
        "Sat Sep 12 21:46:20 2026 user.notice [WAN_LOCAL-D-2000] IN=eth1 OUT= ...",
        "<13>Mar 15 20:55:15 host [UFW BLOCK] IN=eth1 OUT= ...",
        // Accepted, or not IP.
        "Mar 15 20:55:15 gw.example.org UDM [WAN_IN-A-2000] DESCR=\"do not block\" IN=eth8 OUT=br0 ...",
        "<4>Mar 15 20:55:15 UDM [WAN_IN-A-2000] DESCR=\"do not block\" IN=eth8 OUT=br0 ...",
        "UDM [LAN_LOCAL-RET-2000] IN=eth8 OUT= ...",
        "Mar 15 20:55:15 host ulogd[12]: [NEW] ORIG: SRC=192.0.2.1 DST=192.0.2.2 PROTO=TCP SPT=1 DPT=23 PKTS=0 BYTES=0 , \
         REPLY: SRC=192.0.2.2 DST=192.0.2.1 PROTO=TCP SPT=23 DPT=1 PKTS=0 BYTES=0",
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

/// Ubuntu writes a line to several files, with the same timestamp.
#[test]
fn without_an_uptime_the_microseconds_of_the_log_tell_messages_apart() {
    for (header, expected) in [
        ("2026-03-15T20:55:15.000123+00:00 vps kernel: ", 1_773_608_115_000_123),
        ("2026-03-15T20:55:15.123456789Z vps kernel: ", 1_773_608_115_123_456),
        ("2026-03-15T20:55:15.000123Z vps kernel: [ 3445.031964] ", 3_445_031_964),
        ("2026-03-15T20:55:15.000000+00:00 vps kernel: ", 0),
        ("2026-03-15T20:55:15.123+00:00 vps kernel: ", 0),
        ("2026-03-15T20:55:15+00:00 vps kernel: ", 0),
        ("1773608115.000123 vps kernel: ", 0),
        ("Mar 15 20:55:15 vps kernel: ", 0),
    ] {
        let mut reader = super::tests::reader();
        for prefix in ["[UFW BLOCK] ", "[UFW BLOCK] ", "DROP ", "DROP ", "DROP "] {
            let line = format!("{header}{prefix}IN=eth0 OUT= {TCP}");
            let Outcome::Event(event) = reader.read(line.as_bytes(), &mut Paths::new()) else { panic!() };
            assert_eq!(event.uptime, expected, "{line}");
        }
    }
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
