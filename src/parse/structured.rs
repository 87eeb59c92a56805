//! Lines of JSON: `journalctl -o json` and ulogd2's output plugin JSON.
//!
//! Takes one line, gives who wrote its message, when, and the message as the kernel would have logged it. Of the journal
//! only entries whose `_TRANSPORT` is `kernel` are the kernel's: fields that begin with `_` are journald's own, no
//! program can set them. ulogd's names are those of its plugins (`input/packet/ulogd_inppkt_NFLOG.c`,
//! `filter/raw2packet/ulogd_raw2packet_BASE.c`, `filter/ulogd_filter_IP2STR.c` and others); its records of connections
//! (NFCT) and other programs' that have `src_ip`, too, are no packets.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::json::Reader;

/// More bytes of a message in the form of a list of numbers are not read.
const LONGEST_MESSAGE: usize = 8 * 1024;

/// One log record of a structured format: journald's JSON, or RFC 5424.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Record {
    /// Unix seconds.
    pub time: Option<i64>,
    /// Without `time`: the local time as ISO 8601; empty if there is none either.
    pub timestamp: String,
    /// The kernel's timestamp in microseconds since boot; 0 if absent.
    pub uptime: u64,
    /// Name and process id of the program that wrote it. None: the kernel did.
    pub program: Option<(String, Option<u32>)>,
    pub message: Vec<u8>,
}

/// None: it is not JSON, or of neither program.
pub(super) fn record(line: &[u8]) -> Option<Record> {
    let (mut reader, mut fields) = (Reader::new(line), Fields::new());
    reader.table(&mut |reader, key| {
        fields.insert(key.to_string(), value(reader)?);
        Some(())
    })?;
    reader.end()?;
    match message(&fields) {
        Some(message) => Some(of_journal(&fields, message)),
        None => of_ulogd(&fields),
    }
}

/// A JSON object's values by their keys.
type Fields = BTreeMap<String, Value>;

enum Value {
    Text(String),
    Number(u64),
    /// A list of bytes.
    Bytes(Vec<u8>),
    Other,
}

fn value(reader: &mut Reader) -> Option<Value> {
    if reader.at_text() {
        return reader.text().map(Value::Text);
    }
    let mut number = reader.clone();
    if let Some(count) = number.count() {
        *reader = number;
        return Some(Value::Number(count));
    }
    if !reader.at_list() {
        return reader.skip().map(|()| Value::Other);
    }
    let (mut bytes, mut is_bytes) = (Vec::new(), true);
    reader.list(&mut |reader| {
        let Value::Number(number) = value(reader)? else {
            is_bytes = false;
            return Some(());
        };
        let byte = u8::try_from(number).ok();
        is_bytes &= byte.is_some();
        if bytes.len() < LONGEST_MESSAGE {
            bytes.extend(byte);
        }
        Some(())
    })?;
    Some(if is_bytes { Value::Bytes(bytes) } else { Value::Other })
}

/// A text; empty if it is absent or anything else.
fn text<'a>(fields: &'a Fields, key: &str) -> &'a str {
    if let Some(Value::Text(text)) = fields.get(key) { text } else { "" }
}

/// A whole number, which journald writes as text.
fn number(fields: &Fields, key: &str) -> Option<u64> {
    match fields.get(key)? {
        Value::Number(number) => Some(*number),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    }
}

/// A message: text, or a list of bytes if it is not UTF-8.
fn message(fields: &Fields) -> Option<Vec<u8>> {
    match fields.get("MESSAGE")? {
        Value::Text(text) => Some(text.clone().into_bytes()),
        Value::Bytes(bytes) => Some(bytes.clone()),
        _ => None,
    }
}

fn of_journal(fields: &Fields, message: Vec<u8>) -> Record {
    let time = number(fields, "__REALTIME_TIMESTAMP").map(|micros| (micros / 1_000_000).cast_signed());
    let timestamp = text(fields, "timestamp").to_string();
    if text(fields, "_TRANSPORT") == "kernel" {
        let uptime = number(fields, "_SOURCE_MONOTONIC_TIMESTAMP").unwrap_or(0);
        return Record { time, timestamp, uptime, program: None, message };
    }
    let pid = number(fields, "SYSLOG_PID").or_else(|| number(fields, "_PID"));
    let pid = pid.and_then(|pid| u32::try_from(pid).ok());
    let program = Some((text(fields, "SYSLOG_IDENTIFIER").to_string(), pid));
    Record { time, timestamp, uptime: 0, program, message }
}

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

/// The packet as the kernel's text would have it. None: no record of the input plugin NFLOG, ARP, or addresses that are
/// not written as text.
fn of_ulogd(fields: &Fields) -> Option<Record> {
    let of_nflog = ["oob.prefix", "oob.hook", "oob.in", "oob.out", "raw.pktlen"];
    if !of_nflog.iter().any(|key| fields.contains_key(*key)) || !fields.contains_key("src_ip") {
        return None;
    }
    // Not an interface's name, nor an address, but what could be a field or end the line's.
    let word = |key: &str| -> String {
        let is_plain = |letter: char| letter.is_ascii_graphic() && !matches!(letter, '=' | '[' | ']');
        let letters = text(fields, key).chars();
        letters.map(|letter| if is_plain(letter) { letter } else { '?' }).take(64).collect()
    };
    let prefix = text(fields, "oob.prefix").chars().filter(|letter| !letter.is_control());
    let prefix: String = prefix.take(128).collect();
    let verdict = if text(fields, "action") == "allowed" { "ACCEPT " } else { "" };
    // Without the plugin IFINDEX no interface is named.
    let interfaces = match fields.contains_key("oob.in") {
        true => format!(" IN={} OUT={}", word("oob.in"), word("oob.out")),
        false => String::new(),
    };
    let (source, destination, mac) = (word("src_ip"), word("dest_ip"), word("mac.str"));
    let prefix = prefix.trim_end();
    let mut message = format!("{verdict}{prefix}{interfaces} MAC={mac} SRC={source} DST={destination}");
    for (name, key) in NUMBERS {
        let Some(value) = number(fields, name) else { continue };
        let _ = match (name, key) {
            ("ip6.payloadlen", _) => write!(message, " LEN={}", value.saturating_add(40)),
            // In units of 8 bytes; the bits above them are flags.
            ("ip.fragoff", _) if value & 0x1fff != 0 => write!(message, " FRAG:{}", value & 0x1fff),
            ("ip.fragoff", _) => Ok(()),
            (_, key) if key.ends_with(['=', ':']) => write!(message, " {key}{value}"),
            (_, flag) if value != 0 => write!(message, " {flag}"),
            _ => Ok(()),
        };
    }
    let seconds = number(fields, "oob.time.sec").filter(|seconds| *seconds > 0);
    Some(Record {
        time: seconds.map(u64::cast_signed),
        // Of some versions without the zone.
        timestamp: text(fields, "timestamp").to_string(),
        uptime: 0,
        program: None,
        message: message.into_bytes(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_the_journal() {
        let kernel = r#"{"__REALTIME_TIMESTAMP":"1795248000000000","_TRANSPORT":"kernel","SYSLOG_IDENTIFIER":"kernel",
            "_SOURCE_MONOTONIC_TIMESTAMP":"100000037","MESSAGE":"[UFW BLOCK] IN=eth0 OUT= "}"#;
        let expected = Record {
            time: Some(1_795_248_000),
            timestamp: String::new(),
            uptime: 100_000_037,
            program: None,
            message: b"[UFW BLOCK] IN=eth0 OUT= ".to_vec(),
        };
        assert_eq!(record(kernel.as_bytes()), Some(expected));
        let program =
            r#"{"_TRANSPORT":"syslog","SYSLOG_IDENTIFIER":"kernel","_PID":"12","MESSAGE":[73,78,61,255]}"#;
        let expected = Record {
            time: None,
            timestamp: String::new(),
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
        assert_eq!((read.time, read.program), (Some(1_795_248_000), None));
        let packet = format!(
            "DROP: IN=ppp0 OUT= {mac} SRC=203.0.113.7 DST=192.0.2.10 LEN=60 ID=7 PROTO=6 SPT=41234 DPT=23 SYN URGP=0"
        );
        assert_eq!(text(ULOGD), packet);
        let without_seconds = ULOGD.replace("\"oob.time.sec\": 1795248000,", "");
        let read = record(without_seconds.as_bytes()).unwrap();
        assert_eq!((read.time, &read.timestamp[..]), (None, "2026-11-21T09:00:00.034826"));
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
