//! The parsed fields of a packet or login -> an event. Allocates nothing.

use super::*;

impl LineReader {
    /// The failed login of a daemon's message, if it is one. `time`: Unix seconds.
    pub(super) fn login(
        &mut self,
        tag: Tag,
        text: &[u8],
        time: i64,
        origin: Origin,
        paths: &mut Paths,
    ) -> Outcome {
        let Some(login) = self.logins.read(tag, text, time) else {
            return Outcome::Skipped(Some(Uncounted::OtherProgram));
        };
        let path = paths.intern(&Path {
            origin,
            prefix: login.daemon.to_string(),
            input: String::new(),
            output: String::new(),
            bridge_input: String::new(),
            bridge_output: String::new(),
            group_mac: false,
            firewall_zone: None,
            verdict: Verdict::Unknown,
            zone: None,
            direction: Direction::Inbound,
            accepted: false,
        });
        let packet = Packet {
            source: login.source,
            protocol: protocol::TCP,
            source_port: login.source_port,
            port: login.port,
            ..Default::default()
        };
        Outcome::Event(Event {
            time,
            source: login.source,
            destination: Address::default(),
            fingerprint: fingerprint(&packet),
            uptime: 0,
            count: login.count,
            source_port: login.source_port,
            port: login.port,
            length: 0,
            path,
            protocol: protocol::TCP,
            flags: 0,
            icmp_type: 0,
            icmp_code: 0,
            class: Class::Login,
            verdict: Verdict::Unknown,
            unhashed: false,
        })
    }
}

/// The outcome of a line with this packet; `None`: an address could not be read. `uptime`: see [`Event::uptime`].
pub(super) fn outcome(packet: Option<Packet>, info: &PathInfo, time: i64, uptime: u64) -> Outcome {
    match packet {
        _ if info.ignored => Outcome::Skipped(info.accepted.then_some(Uncounted::Accepted)),
        None => Outcome::Malformed(Uncounted::Address),
        Some(packet) => Outcome::Event(event(&packet, info, time, uptime)),
    }
}

/// The classified event of a packet. `time`: Unix seconds; `uptime`: see [`Event::uptime`].
#[inline(always)]
pub(super) fn event(packet: &Packet, info: &PathInfo, time: i64, uptime: u64) -> Event {
    let class = classify(&Facts {
        direction: info.direction,
        protocol: packet.protocol,
        flags: packet.flags,
        source_port: packet.source_port,
        port: packet.port,
        icmp_type: packet.icmp_type,
        source: packet.source,
        destination: packet.destination,
        group_mac: info.group_mac,
        later_fragment: packet.fragment_offset != 0,
        forwarded: info.forwarded,
    });
    let (fingerprint, unhashed) = fingerprint_or_id(packet);
    Event {
        time,
        source: packet.source,
        destination: packet.destination,
        fingerprint,
        uptime,
        count: 1,
        source_port: packet.source_port,
        port: packet.port,
        length: packet.length,
        path: info.path,
        protocol: packet.protocol,
        flags: packet.flags,
        icmp_type: packet.icmp_type,
        icmp_code: packet.icmp_code,
        class,
        verdict: info.verdict,
        unhashed,
    }
}
