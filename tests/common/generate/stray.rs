//! Packets that are no attempt: late replies, multicast and broadcast, what the LAN was refused.

use super::packet::{Content, Packet, Place, WAN};
use super::random::Random;
use super::router::{Entry, HOME, Line, Plan};
use super::truth::Class;

const LAN: u32 = 0xc0a8_0100; // 192.168.1.0
const LAN_IN: Place = Place {
    prefix: "reject lan in: ",
    input: "br-lan",
    output: "",
    mac: "00:00:5e:00:53:01:00:00:5e:00:53:21:08:00",
};
const LAN_FORWARD: Place = Place {
    prefix: "DROP ",
    input: "br-lan",
    output: "ppp0",
    mac: "00:00:5e:00:53:01:00:00:5e:00:53:22:08:00",
};
const LAN_CAST: Place =
    Place { prefix: "DROP ", input: "br-lan", output: "", mac: "01:00:5e:7f:ff:fa:00:00:5e:00:53:23:08:00" };
const MODEM_CAST: Place =
    Place { prefix: "DROP ", input: "eth0", output: "", mac: "01:00:5e:00:00:01:00:00:5e:00:53:31:08:00" };
const BROADCAST: Place =
    Place { prefix: "DROP ", input: "eth0", output: "", mac: "ff:ff:ff:ff:ff:ff:00:00:5e:00:53:31:08:00" };

const ALL_HOSTS: u32 = 0xe000_0001; // 224.0.0.1
const MDNS: u32 = 0xe000_00fb; // 224.0.0.251
const SSDP_GROUP: u32 = 0xefff_fffa; // 239.255.255.250

/// Servers that the LAN talks to: their replies come late now and then.
fn server(random: &mut Random) -> u32 {
    random.pick(&[0x1722_0c05, 0x1722_0c09, 0x5db8_d822, 0x6810_85e5, 0x9765_4081, 0xd83a_d34e, 0x0d21_0807])
}

/// One packet of a kind.
type Kind = fn(&mut Random) -> (Packet, Place, Class);

pub fn add(random: &mut Random, plan: &Plan, entries: &mut Vec<Entry>) {
    let kinds: [(f64, Kind); 5] =
        [(90.0, late_tcp), (40.0, late_udp), (40.0, cast), (24.0, lan), (6.0, icmp_error)];
    for (mean, kind) in kinds {
        for _ in 0..random.around(mean * plan.stray as f64 / 100.0) {
            let (mut packet, place, class) = kind(random);
            if plan.plain && class != Class::Egress {
                packet.id = 0;
            }
            // An ID of its own: the same packet in the same second would be another one.
            let twice = !plan.plain && class == Class::Backscatter && random.one_in(8);
            let line = Line::Packet { packet, place, meaning: None, class, copies: 1, twice };
            entries.push(Entry { second: random.below(86_400) as u32, line });
        }
    }
}

fn packet(random: &mut Random, source: u32, destination: u32, length: u16, content: Content) -> Packet {
    let (ttl, id) = (random.between(45, 60) as u8, random.below(65_536) as u16);
    Packet { source, destination, length, ttl, id, content }
}

fn late_tcp(random: &mut Random) -> (Packet, Place, Class) {
    let flags = random.pick(&["ACK", "RST", "ACK PSH", "ACK FIN", "ACK RST", "ACK PSH FIN", "ACK SYN"]);
    let (from, to) = (random.pick(&[443, 443, 80]), random.between(32_768, 60_999) as u16);
    let source = server(random);
    let content = Content::Tcp { from, to, window: 501, flags };
    (packet(random, source, HOME, 52, content), WAN, Class::Backscatter)
}

fn late_udp(random: &mut Random) -> (Packet, Place, Class) {
    let (from, to) = (random.pick(&[53, 53, 123, 443]), random.between(32_768, 60_999) as u16);
    let source = server(random);
    (packet(random, source, HOME, 76, Content::Udp { from, to }), WAN, Class::Backscatter)
}

fn icmp_error(random: &mut Random) -> (Packet, Place, Class) {
    let source = server(random);
    let content = Content::Unreachable { inner: 0x0909_0909 };
    (packet(random, source, HOME, 88, content), WAN, Class::Backscatter)
}

fn cast(random: &mut Random) -> (Packet, Place, Class) {
    let device = LAN + random.between(20, 40) as u32;
    let modem = LAN - 0x100 + 1; // 192.168.0.1
    let (source, destination, length, content, place) = match random.below(6) {
        0 => (modem, ALL_HOSTS, 32, Content::Number(2), MODEM_CAST),
        1 => (device, ALL_HOSTS + 21, 40, Content::Number(2), LAN_CAST),
        2 => (device, MDNS, 96, Content::Udp { from: 5353, to: 5353 }, LAN_CAST),
        3 => (device, SSDP_GROUP, 202, Content::Udp { from: 50_123, to: 1900 }, LAN_CAST),
        4 => (modem, SSDP_GROUP, 350, Content::Udp { from: 1900, to: 1900 }, MODEM_CAST),
        _ => (0, u32::MAX, 328, Content::Udp { from: 68, to: 67 }, BROADCAST),
    };
    let mut packet = packet(random, source, destination, length, content);
    packet.ttl = 1;
    (packet, place, Class::Noise)
}

fn lan(random: &mut Random) -> (Packet, Place, Class) {
    let device = LAN + random.between(20, 40) as u32;
    let from = random.between(32_768, 60_999) as u16;
    let syn = |to| Content::Tcp { from, to, window: 64_240, flags: "SYN" };
    if random.one_in(3) {
        let to = random.pick(&[8443, 445, 139]);
        return (packet(random, device, LAN + 1, 60, syn(to)), LAN_IN, Class::Egress);
    }
    let (to, destination) = (random.pick(&[25, 23, 445]), random.public_address());
    (packet(random, device, destination, 60, syn(to)), LAN_FORWARD, Class::Egress)
}
