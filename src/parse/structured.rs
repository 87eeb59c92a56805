//! Lines of JSON: `journalctl -o json` and ulogd2's output plugin JSON.
//!
//! Takes one line, gives who wrote its message, when, and the message as the kernel would have logged it. Of the journal
//! only entries whose `_TRANSPORT` is `kernel` are the kernel's: fields that begin with `_` are journald's own, no
//! program can set them.

use std::fmt::Write;

use super::json::Reader;

/// More bytes of a message in the form of a list of numbers are not read.
const LONGEST_MESSAGE: usize = 8 * 1024;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    pub time: RecordTime,
    /// The kernel's timestamp in microseconds since boot; 0 if it is not told.
    pub uptime: u64,
    pub writer: RecordWriter,
    pub message: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecordTime {
    /// Unix seconds.
    Instant(i64),
    /// As ISO 8601.
    Text(String),
    None,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecordWriter {
    Kernel,
    Program { name: String, pid: Option<u32> },
}

/// None: it is not JSON, or of neither program.
pub fn record(line: &[u8]) -> Option<Record> {
    let mut fields = Fields::default();
    let mut reader = Reader::new(line);
    reader.table(&mut |reader, key| fields.read(reader, key))?;
    reader.end()?;
    if fields.source.is_some() { Some(fields.ulogd()) } else { fields.journal() }
}

/// What is read of either kind of object.
#[derive(Default)]
struct Fields {
    // journald
    realtime: Option<u64>,
    monotonic: Option<u64>,
    transport: String,
    identifier: String,
    pid: Option<u32>,
    message: Option<Vec<u8>>,
    // ulogd
    timestamp: Option<String>,
    seconds: Option<u64>,
    prefix: String,
    allowed: bool,
    input: String,
    output: String,
    mac: String,
    source: Option<String>,
    destination: String,
    numbers: [Option<u64>; NUMBERS.len()],
}

/// ulogd's keys of numbers, and what the kernel's text has for them. The packet's fields come in the kernel's order.
const NUMBERS: [(&str, &str); 19] = [
    ("ip.totlen", "LEN="),
    ("ip6.payloadlen", ""),
    ("ip.id", "ID="),
    ("ip6.flowlabel", "FLOWLBL="),
    ("ip.protocol", "PROTO="),
    ("ip6.nexthdr", "PROTO="),
    ("src_port", "SPT="),
    ("dest_port", "DPT="),
    ("icmp.type", "TYPE="),
    ("icmpv6.type", "TYPE="),
    ("icmp.code", "CODE="),
    ("icmpv6.code", "CODE="),
    ("tcp.syn", "SYN"),
    ("tcp.ack", "ACK"),
    ("tcp.rst", "RST"),
    ("tcp.fin", "FIN"),
    ("tcp.psh", "PSH"),
    ("tcp.urg", "URG"),
    ("ip.fragoff", ""),
];

impl Fields {
    fn read(&mut self, reader: &mut Reader, key: &str) -> Option<()> {
        match key {
            "__REALTIME_TIMESTAMP" => self.realtime = number(reader)?,
            "_SOURCE_MONOTONIC_TIMESTAMP" => self.monotonic = number(reader)?,
            "_TRANSPORT" => self.transport = text(reader)?,
            "SYSLOG_IDENTIFIER" => self.identifier = text(reader)?,
            "SYSLOG_PID" | "_PID" => {
                self.pid = number(reader)?.and_then(|pid| u32::try_from(pid).ok()).or(self.pid);
            }
            "MESSAGE" => self.message = message(reader)?,
            "timestamp" => self.timestamp = Some(text(reader)?),
            "oob.time.sec" => self.seconds = number(reader)?,
            "oob.prefix" => self.prefix = text(reader)?,
            "oob.in" => self.input = text(reader)?,
            "oob.out" => self.output = text(reader)?,
            "mac.str" | "raw.mac" => self.mac = text(reader)?,
            "src_ip" => self.source = Some(text(reader)?),
            "dest_ip" => self.destination = text(reader)?,
            "action" => self.allowed = text(reader)? == "allowed",
            _ => match NUMBERS.iter().position(|(name, _)| *name == key) {
                Some(place) => self.numbers[place] = number(reader)?,
                None => reader.skip()?,
            },
        }
        Some(())
    }

    fn journal(self) -> Option<Record> {
        let time = match self.realtime {
            Some(micros) => RecordTime::Instant((micros / 1_000_000).cast_signed()),
            None => self.timestamp.map_or(RecordTime::None, RecordTime::Text),
        };
        let is_kernel = self.transport == "kernel";
        let writer = match is_kernel {
            true => RecordWriter::Kernel,
            false => RecordWriter::Program { name: self.identifier, pid: self.pid },
        };
        let uptime = if is_kernel { self.monotonic.unwrap_or(0) } else { 0 };
        Some(Record { time, uptime, writer, message: self.message? })
    }

    /// The packet as the kernel's text would have it.
    fn ulogd(self) -> Record {
        let mut text = String::new();
        // Not an interface's name, nor an address, but what could be a field or end the line's.
        let word = |text: &str| -> String {
            let is_plain = |letter: char| letter.is_ascii_graphic() && !matches!(letter, '=' | '[' | ']');
            text.chars().map(|letter| if is_plain(letter) { letter } else { '?' }).take(64).collect()
        };
        let prefix: String = self.prefix.chars().filter(|letter| !letter.is_control()).take(128).collect();
        let verdict = if self.allowed { "ACCEPT " } else { "" };
        let (input, output, mac) = (word(&self.input), word(&self.output), word(&self.mac));
        let (source, destination) = (word(&self.source.unwrap_or_default()), word(&self.destination));
        let _ = write!(
            text,
            "{verdict}{} IN={input} OUT={output} MAC={mac} SRC={source} DST={destination}",
            prefix.trim_end()
        );
        for ((name, key), value) in NUMBERS.iter().zip(self.numbers) {
            let Some(value) = value else { continue };
            let _ = match (*name, *key) {
                ("ip6.payloadlen", _) => write!(text, " LEN={}", value.saturating_add(40)),
                // In units of 8 bytes; the bits above them are flags.
                ("ip.fragoff", _) if value & 0x1fff != 0 => write!(text, " FRAG:{}", value & 0x1fff),
                ("ip.fragoff", _) => Ok(()),
                (_, key) if key.ends_with('=') => write!(text, " {key}{value}"),
                (_, flag) if value != 0 => write!(text, " {flag}"),
                _ => Ok(()),
            };
        }
        let time = match (self.timestamp, self.seconds) {
            (Some(text), _) => RecordTime::Text(text),
            (None, Some(seconds)) => RecordTime::Instant(seconds.cast_signed()),
            (None, None) => RecordTime::None,
        };
        Record { time, uptime: 0, writer: RecordWriter::Kernel, message: text.into_bytes() }
    }
}

/// A number, which journald writes as text; none if it is anything else.
fn number(reader: &mut Reader) -> Option<Option<u64>> {
    if reader.at_text() {
        return Some(reader.text()?.parse().ok());
    }
    if reader.at_digit() { reader.count().map(Some) } else { reader.skip().map(|()| None) }
}

/// A text; empty if it is anything else.
fn text(reader: &mut Reader) -> Option<String> {
    if reader.at_text() { reader.text() } else { reader.skip().map(|()| String::new()) }
}

/// A message: text, or a list of bytes if it is not UTF-8.
fn message(reader: &mut Reader) -> Option<Option<Vec<u8>>> {
    if reader.at_text() {
        return Some(Some(reader.text()?.into_bytes()));
    }
    if !reader.at_list() {
        return reader.skip().map(|()| None);
    }
    let (mut bytes, mut is_bytes) = (Vec::new(), true);
    reader.list(&mut |reader| {
        if !reader.at_digit() {
            is_bytes = false;
            return reader.skip();
        }
        let byte = u8::try_from(reader.count()?).ok();
        is_bytes &= byte.is_some();
        if bytes.len() < LONGEST_MESSAGE {
            bytes.extend(byte);
        }
        Some(())
    })?;
    Some(is_bytes.then_some(bytes))
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
            writer: RecordWriter::Kernel,
            message: b"[UFW BLOCK] IN=eth0 OUT= ".to_vec(),
        };
        assert_eq!(record(kernel.as_bytes()), Some(expected));
        let program =
            r#"{"_TRANSPORT":"syslog","SYSLOG_IDENTIFIER":"kernel","_PID":"12","MESSAGE":[73,78,61,255]}"#;
        let expected = Record {
            time: RecordTime::None,
            uptime: 0,
            writer: RecordWriter::Program { name: "kernel".into(), pid: Some(12) },
            message: b"IN=\xff".to_vec(),
        };
        assert_eq!(record(program.as_bytes()), Some(expected));
        // A field that was set several times is no single text.
        let twice = r#"{"_TRANSPORT":["kernel","syslog"],"MESSAGE":"x"}"#;
        assert!(matches!(record(twice.as_bytes()).unwrap().writer, RecordWriter::Program { .. }));
        for other in ["{}", r#"{"MESSAGE":null}"#, r#"{"MESSAGE":[1,"a"]}"#, r#"{"MESSAGE":"x"} y"#, "{", "x"]
        {
            assert_eq!(record(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn packets_of_ulogd() {
        let line = r#"{"timestamp": "2026-11-21T08:00:00.034826+0100", "dvc": "Netfilter", "oob.prefix": "DROP: ",
            "oob.in": "ppp0", "oob.out": "", "src_ip": "203.0.113.7", "dest_ip": "192.0.2.10", "ip.protocol": 6,
            "ip.totlen": 60, "ip.id": 7, "ip.fragoff": 16384, "src_port": 41234, "dest_port": 23, "tcp.syn": 1,
            "tcp.ack": 0, "raw.label": 0, "action": "blocked"}"#;
        let read = record(line.as_bytes()).unwrap();
        assert_eq!(read.time, RecordTime::Text("2026-11-21T08:00:00.034826+0100".into()));
        assert_eq!(
            String::from_utf8(read.message).unwrap(),
            "DROP: IN=ppp0 OUT= MAC= SRC=203.0.113.7 DST=192.0.2.10 LEN=60 ID=7 PROTO=6 SPT=41234 DPT=23 SYN"
        );
        let allowed = r#"{"oob.prefix": "web", "src_ip": "203.0.113.7 SRC=1.1.1.1", "action": "allowed"}"#;
        assert_eq!(
            String::from_utf8(record(allowed.as_bytes()).unwrap().message).unwrap(),
            "ACCEPT web IN= OUT= MAC= SRC=203.0.113.7?SRC?1.1.1.1 DST="
        );
    }
}
