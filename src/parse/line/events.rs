//! The parsed fields of a packet or login -> an event. Allocates nothing.

use super::*;

/// What the packets of one context have in common: their path, and what follows from it for each of them.
#[derive(Clone, Copy, Default)]
pub struct PathInfo {
    pub(super) path: PathId,
    pub(super) verdict: Verdict,
    /// Not a refused packet.
    pub ignored: bool,
    /// Ignored since the packet was let through.
    pub(super) accepted: bool,
    pub(super) way: Way,
    /// A prefix that may stand behind a bare uptime.
    pub(super) no_tag: bool,
}

impl PathInfo {
    /// Interns the context's path, unless its packets are ignored. `lan_bridge`: the machine has `br-lan`.
    pub fn new(
        context: &netfilter::Context,
        origin: Origin,
        networks: &Networks,
        lan_bridge: bool,
        paths: &mut Paths,
    ) -> PathInfo {
        let (path, accepted) = log_prefix::path(context, origin, networks, lan_bridge);
        let ignored = accepted || context.other_protocol;
        // What is ignored needs no place in the table.
        let id = if ignored { PathId::default() } else { paths.intern(&path) };
        let Path { direction, verdict, group_mac, .. } = path;
        // The interfaces are taken for what their names say, and the packet leaves by another.
        let is_guessed = networks.wan.is_empty() && networks.lan.is_empty();
        let forwarded = is_guessed && !path.output.is_empty();
        let way = Way { direction, group_mac, forwarded, later_fragment: false };
        let is_whole = context.input.is_some() && context.output.is_some();
        let no_tag = is_whole && !context.prefix.split(|&byte| byte == b' ').any(has_pid);
        PathInfo { path: id, verdict, ignored, accepted, way, no_tag }
    }
}

impl LineReader {
    /// The failed login of a daemon's message, if it is one. `time`: Unix seconds.
    pub(super) fn login(&mut self, tag: Tag, text: &[u8], time: i64, paths: &mut Paths) -> Outcome {
        let Some((daemon, event)) = self.logins.read(tag, text, time) else {
            return Outcome::Skipped(Some(Uncounted::OtherProgram));
        };
        let path = paths.intern(&Path { prefix: daemon.to_string(), ..Path::default() });
        Outcome::Event(Event { path, ..event })
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
pub fn event(packet: &Packet, info: &PathInfo, time: i64, uptime: u64) -> Event {
    let (fingerprint, unhashed) = fingerprint_or_id(packet);
    let mut event = Event {
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
        class: Class::default(),
        verdict: info.verdict,
        unhashed,
    };
    event.class = classify(&event, &Way { later_fragment: packet.is_later_fragment(), ..info.way });
    event
}
