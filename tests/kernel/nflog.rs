//! The kernel's NFLOG for real: packets of one network namespace, refused and logged in another.
#![allow(unsafe_code)]

use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::guarded::WITHIN;
use crate::support::flood::flood;
use crate::support::namespaces::{Network, OUTSIDE_V4, OUTSIDE_V6, ROUTER_V4, ROUTER_V6};
use fwstat::event::protocol;
use fwstat::input::Counters;
use fwstat::input::nflog::{NflogError, NflogReader, NflogRecord};
use fwstat::parse::nflog::QUEUE_THRESHOLD;
use fwstat::sys::netlink::interface_name;
use fwstat::sys::wait::{readable, wait};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, getsockname, sendto, socket,
};
use nix::time::{ClockId, clock_gettime};

const GROUP: u16 = 32;
const FRAMES: &str = include_str!("../support/frames.py");

const RULES: &str = r#"
table inet test {
    counter refused { }
    chain fragments {
        type filter hook prerouting priority -450;
        iifname "wan" ip frag-off & 0x3fff != 0 counter name refused log group 32 prefix "fragment: " snaplen 128 queue-threshold 20 drop
        iifname "wan" exthdr frag exists counter name refused log group 32 prefix "fragment: " snaplen 128 queue-threshold 20 drop
    }
    chain input {
        type filter hook input priority 0;
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, mld2-listener-report } accept
        iifname "wan" counter name refused log group 32 prefix "drop wan in: " snaplen 128 queue-threshold 20 drop
    }
    chain output {
        type filter hook output priority 0;
        oifname "wan" udp dport 9999 counter name refused log group 32 prefix "reject wan out: " snaplen 128 queue-threshold 20 drop
    }
}
"#;

/// The rules with the batches that our own rule files ask for.
fn rules() -> String {
    RULES.replace("queue-threshold 20", &format!("queue-threshold {QUEUE_THRESHOLD}"))
}

/// Waits and reads like the daemon until `enough`, or nothing has come for so long.
fn read_until(
    reader: &mut NflogReader,
    each: &mut dyn FnMut(&NflogRecord<'_>),
    quiet: Duration,
    enough: &dyn Fn(&Counters) -> bool,
) {
    let mut last = Instant::now();
    while !enough(&reader.counters) && last.elapsed() < quiet {
        let limit = Some(Duration::from_millis(200));
        if wait(&mut [readable(reader.fd())], limit).unwrap() > 0 {
            while reader.read(4096, each).unwrap() {}
            last = Instant::now();
        }
    }
}

/// What a record says, in one line.
fn line(record: &NflogRecord<'_>) -> String {
    let (message, packet) = (&record.message, &record.packet);
    let name = |index| if index == 0 { "-".to_string() } else { interface_name(index).unwrap() };
    let mut line = format!(
        "{:?} in {} out {} {} > {} protocol {} ports {} {} length {} flags {:#04x} id {:#x}",
        String::from_utf8_lossy(message.prefix),
        name(message.input),
        name(message.output),
        packet.source,
        packet.destination,
        packet.protocol,
        packet.source_port,
        packet.port,
        packet.length,
        packet.flags,
        packet.id,
    );
    if matches!(packet.protocol, protocol::ICMP | protocol::ICMPV6) {
        line += &format!(
            " icmp {} {} {:#x} {}",
            packet.icmp_type, packet.icmp_code, packet.icmp_id, packet.icmp_sequence
        );
    }
    for (is, word) in [
        (packet.is_later_fragment(), format!(" at {}", packet.fragment_offset)),
        (packet.truncated, " truncated".to_string()),
        (message.group_mac(), " broadcast".to_string()),
    ] {
        if is {
            line += &word;
        }
    }
    line
}

#[test]
fn every_kind_of_packet_arrives_with_its_fields() {
    let Some(network) = Network::up() else { return };
    network.nft(RULES);
    thread::scope(|scope| {
        scope.spawn(|| {
            Network::enter(&network.router);
            let mut reader = NflogReader::open(GROUP, Counters::default()).unwrap();
            network.python(&format!(
                "{FRAMES}
ipv4(6, tcp(54321, 23, 0x02))
ipv4(6, tcp(443, 50000, 0x12), options=bytes.fromhex('94040000'))
ipv4(17, udp(40000, 1900, b'x' * 300))
ipv4(1, echo(8, 0x1234, 7))
ipv4(1, bytes.fromhex('030a000000000000') + b'\\x45' + bytes(27))
ipv4(132, udp(1000, 5060, bytes(8)))
ipv4(47, bytes(8))
ipv4(17, udp(68, 67), destination=b'\\xff' * 4, to='ff' * 6)
ipv4(6, tcp(54321, 23, 0x02)[:6])
ipv4(17, udp(1024, 53, bytes(16)), ident=0xff, fragment=0x2000)
ipv4(17, bytes(24), ident=0xff, fragment=0x2003)
ipv4(17, bytes(10), ident=0xff, fragment=0x0006)
ipv6(6, tcp(54321, 22, 0x02))
ipv6(17, udp(5353, 161))
ipv6(58, echo(128, 0x4321, 9))
ipv6(60, bytes.fromhex('1100010400000000') + udp(1024, 53))
ipv6(44, bytes.fromhex('11000001000000ff') + udp(1024, 53, bytes(16)))
ipv6(44, bytes.fromhex('11000018000000ff') + bytes(10))
ipv4(17, udp(40000, 40001, bytes(1400)))
"
            ));
            let socket = UdpSocket::bind((ROUTER_V4, 7777)).unwrap();
            assert!(socket.send_to(b"hello", (OUTSIDE_V4, 9999)).is_err());
            let mut lines = Vec::new();
            let mut each = |record: &NflogRecord<'_>| lines.push(line(record));
            read_until(&mut reader, &mut each, WITHIN, &|counters| counters.received >= 20);
            let (from4, from6) = (
                format!("{OUTSIDE_V4} > {ROUTER_V4} protocol"),
                format!("{OUTSIDE_V6} > {ROUTER_V6} protocol"),
            );
            let wan = "\"drop wan in: \" in wan out -";
            let fragment = "\"fragment: \" in wan out -";
            let expected = [
                format!("{wan} {from4} 6 ports 54321 23 length 40 flags 0x02 id 0x1c46"),
                format!("{wan} {from4} 6 ports 443 50000 length 44 flags 0x12 id 0x1c46"),
                format!("{wan} {from4} 17 ports 40000 1900 length 328 flags 0x00 id 0x1c46"),
                format!("{wan} {from4} 1 ports 0 0 length 28 flags 0x00 id 0x1c46 icmp 8 0 0x1234 7"),
                format!("{wan} {from4} 1 ports 0 0 length 56 flags 0x00 id 0x1c46 icmp 3 10 0x0 0"),
                format!("{wan} {from4} 132 ports 1000 5060 length 36 flags 0x00 id 0x1c46"),
                format!("{wan} {from4} 47 ports 0 0 length 28 flags 0x00 id 0x1c46"),
                format!(
                    "{wan} {OUTSIDE_V4} > 255.255.255.255 protocol 17 ports 68 67 length 28 flags 0x00 \
                     id 0x1c46 broadcast"
                ),
                format!("{wan} {from4} 6 ports 54321 23 length 26 flags 0x00 id 0x1c46 truncated"),
                format!("{fragment} {from4} 17 ports 1024 53 length 44 flags 0x00 id 0xff"),
                format!("{fragment} {from4} 17 ports 0 0 length 44 flags 0x00 id 0xff at 24"),
                format!("{fragment} {from4} 17 ports 0 0 length 30 flags 0x00 id 0xff at 48"),
                format!("{wan} {from6} 6 ports 54321 22 length 60 flags 0x02 id 0xabcde"),
                format!("{wan} {from6} 17 ports 5353 161 length 48 flags 0x00 id 0xabcde"),
                format!("{wan} {from6} 58 ports 0 0 length 48 flags 0x00 id 0xabcde icmp 128 0 0x4321 9"),
                format!("{wan} {from6} 17 ports 1024 53 length 56 flags 0x00 id 0xabcde"),
                format!("{fragment} {from6} 17 ports 1024 53 length 72 flags 0x00 id 0xff000abcde"),
                format!("{fragment} {from6} 17 ports 0 0 length 58 flags 0x00 id 0xff000abcde at 24"),
                format!("{wan} {from4} 17 ports 40000 40001 length 1428 flags 0x00 id 0x1c46"),
            ];
            let output = lines.pop().unwrap();
            assert_eq!(lines.join("\n"), expected.join("\n"));
            assert!(output.starts_with("\"reject wan out: \" in - out wan "), "{output}");
            assert!(output.contains("protocol 17 ports 7777 9999 length 33"), "{output}");
            let counters = reader.counters;
            assert_eq!(counters.received, network.counter("refused"));
            assert_eq!((counters.lost, counters.malformed), (0, 0));
        });
    });
}

#[test]
fn the_last_packet_of_a_quiet_moment_comes_within_a_few_hundred_milliseconds() {
    let Some(network) = Network::up() else { return };
    network.nft(RULES);
    thread::scope(|scope| {
        scope.spawn(|| {
            Network::enter(&network.router);
            let mut reader = NflogReader::open(GROUP, Counters::default()).unwrap();
            let outside = network.outside.clone();
            let socket = thread::spawn(move || {
                Network::enter(&outside);
                UdpSocket::bind((OUTSIDE_V4, 1234)).unwrap()
            });
            let socket = socket.join().unwrap();
            let mut waited = Vec::new();
            for _ in 0..5 {
                let sent = Instant::now();
                socket.send_to(b"x", (ROUTER_V4, 53)).unwrap();
                wait(&mut [readable(reader.fd())], Some(WITHIN)).unwrap();
                waited.push(sent.elapsed());
                let mut packets = 0;
                reader.read(10, &mut |_| packets += 1).unwrap();
                assert_eq!(packets, 1);
            }
            // The median, as other programs can make some slower.
            waited.sort();
            assert!(waited[waited.len() / 2] < Duration::from_millis(500), "{waited:?}");
        });
    });
}

#[test]
fn a_group_has_one_listener_and_the_second_is_told_so() {
    let Some(network) = Network::up() else { return };
    thread::scope(|scope| {
        scope.spawn(|| {
            Network::enter(&network.router);
            let first = NflogReader::open(GROUP, Counters::default()).unwrap();
            match NflogReader::open(GROUP, Counters::default()) {
                Err(NflogError::GroupTaken(GROUP)) => {}
                other => panic!("{:?}", other.map(|reader| reader.counters)),
            }
            assert!(NflogReader::open(GROUP + 1, Counters::default()).is_ok());
            drop(first);
            assert!(NflogReader::open(GROUP, Counters::default()).is_ok());
        });
    });
}

#[test]
fn without_the_capability_it_says_so() {
    let Some(network) = Network::up() else { return };
    thread::scope(|scope| {
        scope.spawn(|| {
            Network::enter(&network.router);
            // The user of this thread alone: the system call, not the C library's function.
            let nobody: libc::c_long = 65_534;
            // SAFETY: takes numbers only and changes nothing but this thread's own user.
            let changed = unsafe { libc::syscall(libc::SYS_setresuid, nobody, nobody, nobody) };
            assert_eq!(changed, 0);
            assert!(matches!(NflogReader::open(GROUP, Counters::default()), Err(NflogError::NoPermission)));
        });
    });
}

#[test]
fn what_another_process_sends_to_the_socket_is_no_packet() {
    let Some(network) = Network::up() else { return };
    thread::scope(|scope| {
        scope.spawn(|| {
            Network::enter(&network.router);
            let mut reader = NflogReader::open(GROUP, Counters::default()).unwrap();
            let address: NetlinkAddr = getsockname(reader.fd().as_raw_fd()).unwrap();
            let flags = SockFlag::SOCK_CLOEXEC;
            let socket =
                socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkNetFilter).unwrap();
            // A packet message with nothing in it; from the kernel it would count as malformed.
            let mut forged = 20u32.to_ne_bytes().to_vec();
            forged.extend(0x0400u16.to_ne_bytes());
            forged.resize(20, 0);
            sendto(socket.as_raw_fd(), &forged, &address, MsgFlags::empty()).unwrap();
            reader.read(10, &mut |_| panic!("a forged packet")).unwrap();
            assert_eq!(reader.counters, Counters::default());
        });
    });
}

#[test]
fn what_does_not_fit_into_the_buffer_is_counted_exactly() {
    let Some(network) = Network::up() else { return };
    network.nft(&rules());
    thread::scope(|scope| {
        let (step, steps) = std::sync::mpsc::sync_channel(0);
        let network = &network;
        scope.spawn(move || {
            Network::enter(&network.outside);
            let socket = UdpSocket::bind((OUTSIDE_V4, 1234)).unwrap();
            socket.connect((ROUTER_V4, 53)).unwrap();
            for count in steps {
                flood(&socket, count);
            }
        });
        scope.spawn(move || {
            Network::enter(&network.router);
            let mut reader = NflogReader::open(GROUP, Counters::default()).unwrap();
            // Nobody reads; the next step begins when this one is over.
            for count in [100_000, 0] {
                step.send(count).unwrap();
            }
            read_until(&mut reader, &mut |_| {}, Duration::from_secs(1), &|_| false);
            let held = reader.counters.received;
            step.send(1).unwrap();
            drop(step);
            read_until(&mut reader, &mut |_| {}, WITHIN, &|counters| counters.received > held);
            let counters = reader.counters;
            eprintln!("the buffer held {held} packets");
            let refused = network.counter("refused");
            assert_eq!(counters.received + counters.lost, refused);
            // The link drops few.
            assert!(refused > 95_000, "{refused}");
            assert!(counters.lost > 0, "{counters:?}");
            assert!(held >= 15_000, "{held}");
        });
    });
}

#[test]
fn two_million_packets_at_full_rate_are_received_or_known_to_be_lost() {
    const PACKETS: usize = 2_000_000;
    let Some(network) = Network::up() else { return };
    network.nft(&rules());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let (ready, readied) = std::sync::mpsc::channel();
        let (network, done) = (&network, &done);
        scope.spawn(move || {
            Network::enter(&network.outside);
            let socket = UdpSocket::bind((OUTSIDE_V4, 1234)).unwrap();
            socket.connect((ROUTER_V4, 53)).unwrap();
            readied.recv().unwrap();
            let start = Instant::now();
            flood(&socket, PACKETS);
            eprintln!("sent at {:.0} packets/s", PACKETS as f64 / start.elapsed().as_secs_f64());
            done.store(true, Ordering::Release);
            // A loss is known only when a later packet arrives.
            thread::sleep(Duration::from_millis(300));
            flood(&socket, 1);
        });
        scope.spawn(move || {
            Network::enter(&network.router);
            let mut reader = NflogReader::open(GROUP, Counters::default()).unwrap();
            ready.send(()).unwrap();
            let mut ports = 0u64;
            let start = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap();
            read_until(
                &mut reader,
                &mut |record| ports += u64::from(record.packet.port == 53),
                Duration::from_secs(20),
                &|counters| counters.received + counters.lost > PACKETS as u64,
            );
            let end = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap();
            let seconds = Duration::from(end - start).as_secs_f64();
            assert!(done.load(Ordering::Acquire));
            let counters = reader.counters;
            eprintln!(
                "received {} lost {}; {:.3} CPU s per million",
                counters.received,
                counters.lost,
                seconds * 1e6 / counters.received as f64,
            );
            assert_eq!(counters.received + counters.lost, network.counter("refused"));
            assert!(ports >= PACKETS as u64 - counters.lost);
            assert_eq!(counters.malformed, 0);
        });
    });
}
