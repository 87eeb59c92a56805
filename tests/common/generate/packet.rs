//! A packet as the kernel's netfilter log writes it.

use std::io::Write;
use std::net::Ipv4Addr;

/// Where a packet was seen: what stands before `SRC=`.
#[derive(Clone, Copy)]
pub struct Place {
    pub prefix: &'static str,
    pub input: &'static str,
    pub output: &'static str,
    pub mac: &'static str,
}

pub const WAN: Place = Place { prefix: "DROP ", input: "ppp0", output: "", mac: "" };
/// The second prefix under which the very same packet can be logged.
pub const WAN_AGAIN: Place = Place { prefix: "drop wan invalid ct state: ", ..WAN };

#[derive(Clone, Copy)]
pub struct Packet {
    pub source: u32,
    pub destination: u32,
    pub length: u16,
    pub ttl: u8,
    pub id: u16,
    pub content: Content,
}

#[derive(Clone, Copy)]
pub enum Content {
    Tcp {
        from: u16,
        to: u16,
        window: u16,
        flags: &'static str,
    },
    Udp {
        from: u16,
        to: u16,
    },
    Echo {
        id: u16,
        sequence: u16,
    },
    /// An ICMP error; its inner packet names `inner` as the source and claims to go to UDP 1900.
    Unreachable {
        inner: u32,
    },
    /// A protocol that the log only numbers.
    Number(u8),
}

impl Packet {
    /// The line's text from the prefix on, without a line end.
    pub fn write(&self, place: &Place, out: &mut Vec<u8>) {
        let Place { prefix, input, output, mac } = place;
        let Packet { length, ttl, id, .. } = self;
        let (source, destination) = (Ipv4Addr::from(self.source), Ipv4Addr::from(self.destination));
        write!(
            out,
            "{prefix}IN={input} OUT={output} MAC={mac} SRC={source} DST={destination} LEN={length} TOS=0x00 \
             PREC=0x00 TTL={ttl} ID={id} "
        )
        .unwrap();
        match self.content {
            Content::Tcp { from, to, window, flags } => {
                write!(out, "PROTO=TCP SPT={from} DPT={to} WINDOW={window} RES=0x00 {flags} URGP=0")
            }
            Content::Udp { from, to } => {
                write!(out, "PROTO=UDP SPT={from} DPT={to} LEN={}", length - 20)
            }
            Content::Echo { id, sequence } => write!(out, "PROTO=ICMP TYPE=8 CODE=0 ID={id} SEQ={sequence}"),
            Content::Unreachable { inner } => write!(
                out,
                "PROTO=ICMP TYPE=3 CODE=3 [SRC={} DST={destination} LEN=60 TOS=0x00 PREC=0x00 TTL=50 ID=4711 \
                 PROTO=UDP SPT=53 DPT=1900 LEN=40 ]",
                Ipv4Addr::from(inner)
            ),
            Content::Number(number) => write!(out, "PROTO={number}"),
        }
        .unwrap();
    }
}
