//! Packets in the spellings that kernels have for them, each with its service and its source.

/// A packet's text from `IN=` on, and what it is.
#[derive(Clone)]
pub struct Shape {
    pub text: String,
    /// `tcp/23`, or the protocol alone where there is no port.
    pub service: &'static str,
    pub source: String,
}

fn shape(service: &'static str, source: &str, text: String) -> Shape {
    Shape { text, service, source: source.to_string() }
}

/// Ordinary IPv4 attempts: four services, five sources, twelve packets.
pub fn attempts(input: &str, mac: &str) -> Vec<Shape> {
    let kinds = [
        ("tcp/23", "PROTO=TCP SPT=41234 DPT=23 WINDOW=1024 RES=0x00 SYN URGP=0"),
        ("tcp/8080", "DF PROTO=TCP SPT=52808 DPT=8080 WINDOW=29200 RES=0x00 CWR ECE SYN URGP=0"),
        ("udp/1900", "PROTO=UDP SPT=31337 DPT=1900 LEN=40"),
        ("icmp", "PROTO=ICMP TYPE=8 CODE=0 ID=2158 SEQ=512"),
    ];
    let packet = |number: usize| {
        let (service, end) = kinds[number % 4];
        let source = format!("203.0.113.{}", 7 + number % 5);
        let text = format!(
            "IN={input} OUT= MAC={mac} SRC={source} DST=198.51.100.20 LEN=60 TOS=0x00 PREC=0x00 TTL=241 \
             ID={} {end}",
            1000 + number
        );
        shape(service, &source, text)
    };
    (0..12).map(packet).collect()
}

/// What some kernels add: a bridge port, marks, options, sequence numbers, an inner packet.
pub fn decorated(input: &str) -> Vec<Shape> {
    let start = |source: &str| {
        format!(
            "IN={input} OUT= PHYSIN=lan2 MAC=00:00:5e:00:53:04:00:00:5e:00:53:03:08:00 SRC={source} \
             DST=192.168.11.2 LEN=64 TOS=0x00 PREC=0x00 TTL=58 ID=39725 "
        )
    };
    let one = |service, source: &str, end: &str| shape(service, source, start(source) + end);
    vec![
        one(
            "tcp/52808",
            "198.51.100.143",
            "DF PROTO=TCP SPT=443 DPT=52808 WINDOW=16 RES=0x00 ACK PSH URGP=0 MARK=0x3f00",
        ),
        one(
            "tcp/25",
            "198.51.100.144",
            "PROTO=TCP SPT=1 DPT=25 SEQ=1234 ACK=0 WINDOW=512 RES=0x00 SYN URGP=0 OPT (020405B4)",
        ),
        one(
            "tcp/26",
            "198.51.100.145",
            "OPT (9404) PROTO=TCP SPT=1 DPT=26 WINDOW=512 RES=0x00 SYN URGP=0 UID=0 GID=0",
        ),
        one(
            "icmp",
            "198.51.100.146",
            "PROTO=ICMP TYPE=3 CODE=1 [SRC=9.9.9.9 DST=8.8.8.8 LEN=60 TOS=0x00 PREC=0x00 TTL=5 ID=4711 PROTO=UDP \
             SPT=53 DPT=1900 LEN=40 ]",
        ),
        one("tcp/27", "198.51.100.147", "MF PROTO=TCP SPT=1 DPT=27 WINDOW=512 RES=0x00 SYN URGP=0"),
        one("udp", "198.51.100.148", "FRAG:185 PROTO=UDP"),
        one("tcp", "198.51.100.149", "PROTO=TCP INCOMPLETE [8 bytes]"),
    ]
}

/// Protocols that are neither TCP, UDP nor ICMP.
pub fn protocols(input: &str) -> Vec<Shape> {
    let kinds: [(&'static str, &str); 10] = [
        ("sctp/2905", "PROTO=SCTP SPT=38412 DPT=2905"),
        ("sctp/36412", "PROTO=SCTP SPT=38412 DPT=36412"),
        ("dccp/5001", "PROTO=DCCP SPT=5004 DPT=5001"),
        ("udplite/7000", "PROTO=UDPLITE SPT=4000 DPT=7000 LEN=40"),
        ("esp", "PROTO=ESP SPI=0xc0ffee01"),
        ("ah", "PROTO=AH SPI=0xc0ffee02"),
        ("igmp", "PROTO=2"),
        ("gre", "PROTO=47"),
        ("61", "PROTO=61"),
        ("103", "PROTO=103"),
    ];
    let packet = |(number, (service, end)): (usize, (&'static str, &str))| {
        let source = format!("198.51.100.{}", 30 + number % 4);
        let text = format!(
            "IN={input} OUT= MAC= SRC={source} DST=198.51.100.20 LEN=60 TOS=0x00 PREC=0x00 TTL=241 ID=7 {end}"
        );
        shape(service, &source, text)
    };
    kinds.into_iter().enumerate().map(packet).collect()
}

/// IPv6, with addresses as the kernel writes them; the truth has their short form.
pub fn ipv6(input: &str) -> Vec<Shape> {
    let kinds: [(&'static str, &str); 5] = [
        ("tcp/1433", "PROTO=TCP SPT=51397 DPT=1433 WINDOW=5760 RES=0x00 SYN URGP=0"),
        ("tcp/22", "OPT ( ) OPT ( ) PROTO=TCP SPT=58537 DPT=22 WINDOW=8192 RES=0x00 SYN URGP=0"),
        ("udp/1900", "PROTO=UDP SPT=31337 DPT=1900 LEN=40"),
        ("icmpv6", "PROTO=ICMPv6 TYPE=128 CODE=0 ID=4711 SEQ=1"),
        ("tcp/23", "PROTO=TCP SPT=41234 DPT=23 WINDOW=1024 RES=0x00 SYN URGP=0"),
    ];
    let packet = |(number, (service, end)): (usize, (&'static str, &str))| {
        let last = number % 3 + 1;
        let text = format!(
            "IN={input} OUT= MAC=00:00:5e:00:53:01:00:00:5e:00:53:02:86:dd \
             SRC=2001:0db8:0000:f101:0000:0000:0000:000{last} DST=2001:0db8:0000:0001:0000:0000:0000:0001 LEN=80 \
             TC=0 HOPLIMIT=64 FLOWLBL=0 {end}"
        );
        shape(service, &format!("2001:db8:0:f101::{last}"), text)
    };
    kinds.into_iter().enumerate().map(packet).collect()
}
