//! Lines of JSON: `journalctl -o json` and ulogd2's output plugin JSON.
//!
//! Takes one line, gives who wrote its message, when, and the message as the kernel would have logged it. Of the journal
//! only entries whose `_TRANSPORT` is `kernel` are the kernel's: fields that begin with `_` are journald's own, no
//! program can set them. ulogd's names are those of its plugins (`input/packet/ulogd_inppkt_NFLOG.c`,
//! `filter/raw2packet/ulogd_raw2packet_BASE.c`, `filter/ulogd_filter_IP2STR.c` and others); its records of connections
//! (NFCT) and other programs' that have `src_ip`, too, are no packets.

use std::fmt::Write;

use serde_json::{Map, Value};

/// One log record of a structured format: journald's JSON, or RFC 5424.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Record {
    /// When it was logged.
    pub time: RecordTime,
    /// The kernel's timestamp in microseconds since boot; 0 if absent.
    pub uptime: u64,
    /// Name and process id of who logged it; `None`: the kernel.
    pub program: Option<(String, Option<u32>)>,
    /// The text, unescaped.
    pub message: Vec<u8>,
}

/// The time of a record, as its format gives it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum RecordTime {
    /// Unix seconds.
    Instant(i64),
    /// As ISO 8601.
    Text(String),
    None,
}

/// None: it is not JSON, or of neither program.
pub(super) fn record(line: &[u8]) -> Option<Record> {
    let mut fields = Fields(serde_json::from_slice(line).ok()?);
    match fields.0.remove("MESSAGE").and_then(message) {
        Some(message) => Some(fields.journal(message)),
        None if NFLOG.iter().any(|key| fields.0.contains_key(*key)) => fields.ulogd(),
        None => None,
    }
}

/// Keys of ulogd's input plugin NFLOG.
const NFLOG: [&str; 5] = ["oob.prefix", "oob.hook", "oob.in", "oob.out", "raw.pktlen"];

/// ulogd's keys of numbers, and what the kernel's text has for them. The packet's fields come in the kernel's order. The
/// plugin JSON writes `src_port` and `dest_port` for the ports of TCP, UDP and SCTP.
const NUMBERS: [(&str, &str); 25] = [
    ("ip.totlen", "LEN="),
    ("ip6.payloadlen", ""),
    ("ip.id", "ID="),
    ("ip6.flowlabel", "FLOWLBL="),
    ("ip.fragoff", ""),
    ("ip6.fragoff", "FRAG:"),
    ("ip.protocol", "PROTO="),
    ("ip6.nexthdr", "PROTO="),
    ("src_port", "SPT="),
    ("dest_port", "DPT="),
    ("icmp.type", "TYPE="),
    ("icmpv6.type", "TYPE="),
    ("icmp.code", "CODE="),
    ("icmpv6.code", "CODE="),
    ("icmp.echoid", "ID="),
    ("icmpv6.echoid", "ID="),
    ("icmp.echoseq", "SEQ="),
    ("icmpv6.echoseq", "SEQ="),
    ("tcp.syn", "SYN"),
    ("tcp.ack", "ACK"),
    ("tcp.rst", "RST"),
    ("tcp.fin", "FIN"),
    ("tcp.psh", "PSH"),
    ("tcp.urg", "URG"),
    ("tcp.urgp", "URGP="),
];

/// An object of either program. Of two equal keys the last one counts.
struct Fields(Map<String, Value>);

impl Fields {
    /// A number, which journald writes as text; none if it is anything else.
    fn number(&self, key: &str) -> Option<u64> {
        let value = self.0.get(key)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str()
    }

    fn journal(&self, message: Vec<u8>) -> Record {
        let time = match self.number("__REALTIME_TIMESTAMP") {
            Some(micros) => RecordTime::Instant((micros / 1_000_000).cast_signed()),
            None => self.local_time(),
        };
        if self.text("_TRANSPORT") == Some("kernel") {
            let uptime = self.number("_SOURCE_MONOTONIC_TIMESTAMP").unwrap_or(0);
            return Record { time, uptime, program: None, message };
        }
        let pid = self.number("_PID").or_else(|| self.number("SYSLOG_PID"));
        let name = self.text("SYSLOG_IDENTIFIER").unwrap_or_default().to_string();
        let pid = pid.and_then(|pid| u32::try_from(pid).ok());
        Record { time, uptime: 0, program: Some((name, pid)), message }
    }

    /// A text of local time, in some versions of ulogd without the zone.
    fn local_time(&self) -> RecordTime {
        self.text("timestamp").map_or(RecordTime::None, |text| RecordTime::Text(text.to_string()))
    }

    /// The packet as the kernel's text would have it. None: ARP, or addresses that are not written as text.
    fn ulogd(&self) -> Option<Record> {
        let mut text = String::new();
        // Not an interface's name, nor an address, but what could be a field or end the line's.
        let word = |text: &str| -> String {
            let is_plain = |letter: char| letter.is_ascii_graphic() && !matches!(letter, '=' | '[' | ']');
            text.chars().map(|letter| if is_plain(letter) { letter } else { '?' }).take(64).collect()
        };
        let prefix = self.text("oob.prefix").unwrap_or_default();
        let prefix: String = prefix.chars().filter(|letter| !letter.is_control()).take(128).collect();
        let verdict = if self.text("action") == Some("allowed") { "ACCEPT " } else { "" };
        let of = |key| word(self.text(key).unwrap_or_default());
        // Without the plugin IFINDEX no interface is named.
        let interfaces = match self.text("oob.in") {
            Some(input) => format!(" IN={} OUT={}", word(input), of("oob.out")),
            None => String::new(),
        };
        let (source, destination) = (word(self.text("src_ip")?), of("dest_ip"));
        let (prefix, mac) = (prefix.trim_end(), of("mac.str"));
        let _ = write!(text, "{verdict}{prefix}{interfaces} MAC={mac} SRC={source} DST={destination}");
        for (name, key) in NUMBERS.iter() {
            let Some(value) = self.number(name) else { continue };
            let _ = match (*name, *key) {
                ("ip6.payloadlen", _) => write!(text, " LEN={}", value.saturating_add(40)),
                // In units of 8 bytes; the bits above them are flags.
                ("ip.fragoff", _) if value & 0x1fff != 0 => write!(text, " FRAG:{}", value & 0x1fff),
                ("ip.fragoff", _) => Ok(()),
                (_, key) if key.ends_with(['=', ':']) => write!(text, " {key}{value}"),
                (_, flag) if value != 0 => write!(text, " {flag}"),
                _ => Ok(()),
            };
        }
        let time = match self.number("oob.time.sec") {
            Some(seconds) if seconds > 0 => RecordTime::Instant(seconds.cast_signed()),
            _ => self.local_time(),
        };
        Some(Record { time, uptime: 0, program: None, message: text.into_bytes() })
    }
}

/// A message: text, or a list of bytes if it is not UTF-8.
fn message(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.into_bytes()),
        Value::Array(bytes) => {
            bytes.iter().map(|byte| byte.as_u64().and_then(|byte| u8::try_from(byte).ok())).collect()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_the_journal() {
        let kernel = r#"{"__REALTIME_TIMESTAMP":"1795248000000000","_TRANSPORT":"kernel","SYSLOG_IDENTIFIER":"kernel",
            "_SOURCE_MONOTONIC_TIMESTAMP":"100000037","MESSAGE":"[UFW BLOCK] IN=eth0 OUT= "}"#;
        let expected = Record {
            time: RecordTime::Instant(1_795_248_000),
            uptime: 100_000_037,
            program: None,
            message: b"[UFW BLOCK] IN=eth0 OUT= ".to_vec(),
        };
        assert_eq!(record(kernel.as_bytes()), Some(expected));
        let program =
            r#"{"_TRANSPORT":"syslog","SYSLOG_IDENTIFIER":"kernel","_PID":"12","MESSAGE":[73,78,61,255]}"#;
        let expected = Record {
            time: RecordTime::None,
            uptime: 0,
            program: Some(("kernel".into(), Some(12))),
            message: b"IN=\xff".to_vec(),
        };
        assert_eq!(record(program.as_bytes()), Some(expected));
        // A field that was set several times is no single text.
        let twice = r#"{"_TRANSPORT":["kernel","syslog"],"MESSAGE":"x"}"#;
        assert!(record(twice.as_bytes()).unwrap().program.is_some());
        for other in ["{}", r#"{"MESSAGE":null}"#, r#"{"MESSAGE":[1,"a"]}"#, r#"{"MESSAGE":"x"} y"#, "{", "x"]
        {
            assert_eq!(record(other.as_bytes()), None, "{other}");
        }
    }

    /// As ulogd 2.0.8 writes it with the stack NFLOG, BASE, IFINDEX, IP2STR, HWHDR, JSON.
    const ULOGD: &str = r#"{"timestamp": "2026-11-21T09:00:00.034826", "dvc": "Netfilter", "raw.pktlen": 60,
        "raw.pktcount": 1, "oob.prefix": "DROP: ", "oob.time.sec": 1795248000, "oob.time.usec": 34826, "oob.mark": 0,
        "oob.ifindex_in": 2, "oob.hook": 1, "raw.mac_len": 14, "oob.family": 2, "oob.protocol": 2048, "raw.label": 0,
        "raw.type": 1, "raw.mac.addrlen": 6, "ip.protocol": 6, "ip.tos": 0, "ip.ttl": 50, "ip.totlen": 60, "ip.ihl": 5,
        "ip.csum": 1, "ip.id": 7, "ip.fragoff": 16384, "src_port": 41234, "dest_port": 23, "tcp.seq": 1,
        "tcp.ackseq": 0, "tcp.window": 1024, "tcp.syn": 1, "tcp.ack": 0, "tcp.urgp": 0, "oob.in": "ppp0",
        "oob.out": "", "src_ip": "203.0.113.7", "dest_ip": "192.0.2.10", "mac.saddr.str": "00:00:5e:00:53:03",
        "mac.daddr.str": "00:00:5e:00:53:04", "mac.str": "00:00:5e:00:53:04:00:00:5e:00:53:03:08:00"}"#;

    fn text(line: &str) -> String {
        record(line.as_bytes()).map_or("none".into(), |record| String::from_utf8(record.message).unwrap())
    }

    #[test]
    fn packets_of_ulogd() {
        let mac = "MAC=00:00:5e:00:53:04:00:00:5e:00:53:03:08:00";
        let read = record(ULOGD.as_bytes()).unwrap();
        assert_eq!((read.time, read.program), (RecordTime::Instant(1_795_248_000), None));
        let packet = format!(
            "DROP: IN=ppp0 OUT= {mac} SRC=203.0.113.7 DST=192.0.2.10 LEN=60 ID=7 PROTO=6 SPT=41234 DPT=23 SYN URGP=0"
        );
        assert_eq!(text(ULOGD), packet);
        let without_seconds = ULOGD.replace("\"oob.time.sec\": 1795248000,", "");
        let local = RecordTime::Text("2026-11-21T09:00:00.034826".into());
        assert_eq!(record(without_seconds.as_bytes()).unwrap().time, local);
        // With `boolean_label=1`.
        let labelled = |action| ULOGD.replace("\"raw.label\": 0", &format!("\"action\": \"{action}\""));
        assert_eq!(text(&labelled("allowed")), format!("ACCEPT {packet}"));
        assert_eq!(text(&labelled("blocked")), packet);
        let forged = ULOGD.replace("\"203.0.113.7\"", "\"203.0.113.7 SRC=1.1.1.1\"");
        assert!(text(&forged).contains(" SRC=203.0.113.7?SRC?1.1.1.1 DST=192.0.2.10 "));
        let v6 = r#"{"oob.prefix": "", "src_ip": "2001:db8::7", "dest_ip": "2001:db8::1", "ip6.payloadlen": 20,
            "ip6.flowlabel": 9, "ip6.fragoff": 1448, "ip6.nexthdr": 58, "icmpv6.type": 128, "icmpv6.code": 0,
            "icmpv6.echoid": 5, "icmpv6.echoseq": 6, "oob.in": "eth0", "oob.out": ""}"#;
        assert_eq!(
            text(v6),
            " IN=eth0 OUT= MAC= SRC=2001:db8::7 DST=2001:db8::1 LEN=60 FLOWLBL=9 FRAG:1448 PROTO=58 TYPE=128 CODE=0 \
             ID=5 SEQ=6"
        );
    }

    #[test]
    fn without_names_of_interfaces_none_is_written() {
        let line =
            r#"{"oob.prefix": "DROP", "oob.hook": 1, "src_ip": "203.0.113.7", "dest_ip": "192.0.2.10"}"#;
        assert_eq!(text(line), "DROP MAC= SRC=203.0.113.7 DST=192.0.2.10");
    }

    #[test]
    fn records_of_connections_and_of_other_programs_are_no_packets() {
        for line in [
            // ulogd's NFCT.
            r#"{"timestamp": "2026-11-21T08:00:00", "dvc": "Netfilter", "orig.ip.protocol": 6, "src_ip": "203.0.113.7",
                "dest_ip": "192.0.2.10", "orig.l4.sport": 4000, "orig.l4.dport": 22, "ct.mark": 0, "ct.id": 5,
                "ct.event": 1, "flow.start.sec": 1795248000, "oob.family": 2, "oob.protocol": 0}"#,
            r#"{"timestamp":"2026-11-21T08:00:00.1+0000","event_type":"alert","src_ip":"203.0.113.7","src_port":4000,
                "dest_ip":"192.0.2.10","dest_port":22,"proto":"TCP"}"#,
            r#"{"eventid":"cowrie.login.failed","src_ip":"203.0.113.7","timestamp":"2026-11-21T08:00:00Z"}"#,
            r#"{"oob.prefix": "DROP", "oob.in": "eth0", "oob.out": "", "oob.protocol": 2054}"#,
        ] {
            assert_eq!(record(line.as_bytes()), None, "{line}");
        }
    }
}
