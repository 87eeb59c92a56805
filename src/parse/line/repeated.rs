//! `last message repeated N times` of syslogd (sysklogd, BSD, busybox): it repeats the last message of the same host.
//! syslog-ng writes `Last message 'its first 20 bytes' repeated N times, suppressed by syslog-ng on HOST` as a message of
//! the same program.
//!
//! Takes such a line with the text before it, gives what the message counts that many times more. Where the message is
//! not certain (it is not within the text at hand, or has no tag) nothing is counted.

use super::super::login::MAX_FOLDED;
use super::*;

/// Lines before it that are looked at: those of other hosts can stand between.
const MAX_LINES: usize = 64;
/// Words of a host: twice, or with the facility behind it.
const MAX_WORDS: usize = 3;

/// Whether a line may be one that repeats the message before it.
pub fn may_repeat(line: &[u8]) -> bool {
    let line = line.strip_suffix(b" ---").unwrap_or(line);
    line.ends_with(b" times") || line.ends_with(b" time") || before_suppressed(line).is_some()
}

/// The text before syslog-ng's last words.
fn before_suppressed(line: &[u8]) -> Option<&[u8]> {
    line[..memchr::memrchr(b' ', line)?].strip_suffix(b" times, suppressed by syslog-ng on")
}

struct Repetition<'a> {
    /// What stands between the timestamp and the words of repetition, with the blank behind it: the host, and the program
    /// if syslog-ng wrote it.
    writer: &'a [u8],
    /// The first bytes of the message, if syslog-ng wrote it.
    message: &'a [u8],
    stamp_end: usize,
    number: &'a str,
}

fn repetition(line: &[u8]) -> Option<Repetition<'_>> {
    let stamp = line_start(line).stamp?;
    let text = line.get(stamp.end..)?;
    if let Some(text) = before_suppressed(text) {
        let quote = memchr::memmem::rfind(text, b"' repeated ")?;
        let (text, number) = (&text[..quote], &text[quote + b"' repeated ".len()..]);
        let start = b"Last message '";
        let at = memchr::memmem::find(text, start)?;
        let (writer, message) = (&text[..at], &text[at + start.len()..]);
        // The program's tag, and nothing of its message.
        let header = header(line);
        let number = count(number)?;
        let begins = header.message == stamp.end + at;
        return begins.then_some(Repetition { writer, message, stamp_end: stamp.end, number });
    }
    let at = memchr::memmem::find(text, b"last message repeated ")?;
    let (host, rest) = text.split_at(at);
    let host = host.strip_suffix(b"--- ").unwrap_or(host);
    let rest = rest.strip_suffix(b" ---").unwrap_or(rest);
    let rest = rest.strip_suffix(b" times").or_else(|| rest.strip_suffix(b" time"))?;
    let number = count(rest.get(b"last message repeated ".len()..)?)?;
    // A program's tag would make it that program's text.
    let is_host = !host.iter().any(|byte| matches!(byte, b':' | b'[' | b'='))
        && host.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).count() <= MAX_WORDS;
    is_host.then_some(Repetition { writer: host, message: b"", stamp_end: stamp.end, number })
}

fn count(digits: &[u8]) -> Option<&str> {
    let number = std::str::from_utf8(digits).ok()?;
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit())
        && number.parse().is_ok_and(|number| (1..=MAX_FOLDED).contains(&number));
    is_number.then_some(number)
}

impl LineReader {
    /// Reads a line that repeats the message before it. `before`: the text before the line, with whole lines only. None:
    /// it is not such a line, or it is not certain which message it repeats.
    pub fn read_repeated(&mut self, line: &[u8], before: &[u8], paths: &mut Paths) -> Option<Outcome> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Repetition { writer, message: beginning_of_message, stamp_end, number } = repetition(line)?;
        let before = before.strip_suffix(b"\n").unwrap_or(before);
        let lines = before.rsplit(|byte| *byte == b'\n').take(MAX_LINES);
        let mut of_writer = lines.filter_map(|other| {
            let other = other.strip_suffix(b"\r").unwrap_or(other);
            let message = other.get(line_start(other).stamp?.end..)?.strip_prefix(writer)?;
            let repeats: [&[u8]; 3] = [b"last message repeated ", b"--- last ", b"Last message '"];
            (!repeats.iter().any(|start| message.starts_with(start))).then_some((other, message))
        });
        let (last, text) = of_writer.next()?;
        if !text.starts_with(beginning_of_message) {
            return None;
        }
        let header = header(last);
        if matches!(header.author, Author::Untagged | Author::Nobody) {
            return None;
        }
        let stamp = line_start(last).stamp?;
        let (tag, message) = (last.get(stamp.end..header.message)?, last.get(header.message..)?);
        // As rsyslog writes it.
        let parts =
            [&line[..stamp_end], tag, b"message repeated ", number.as_bytes(), b" times: [ ", message, b"]"];
        Some(self.read(&parts.concat(), paths))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: &str =
        "kernel: DROP IN=eth0 OUT= SRC=203.0.113.7 DST=192.0.2.10 LEN=60 PROTO=TCP SPT=4 DPT=23";
    const LOGIN: &str = "sshd[9]: Failed password for root from 203.0.113.7 port 40 ssh2";

    /// Repetitions of the message; 0: the line is no such line.
    fn count(before: &[&str], line: &str) -> u32 {
        let mut reader = LineReader::new(&Networks::default(), Calendar::utc());
        reader.begin_file(FileClock { year: 2026, ..FileClock::default() });
        let before: String = before.iter().map(|line| format!("Nov 21 08:00:00 {line}\n")).collect();
        let line = format!("Nov 21 08:00:05 {line}");
        assert!(may_repeat(line.as_bytes()));
        match reader.read_repeated(line.as_bytes(), before.as_bytes(), &mut Paths::new()) {
            Some(Outcome::Event(event)) => {
                assert_eq!(event.time, 1_795_248_005);
                event.count
            }
            _ => 0,
        }
    }

    #[test]
    fn the_last_message_of_the_same_host_counts_again() {
        let (packet, login) = (format!("h {PACKET}"), format!("h {LOGIN}"));
        let (packet, login) = (packet.as_str(), login.as_str());
        assert_eq!(count(&[packet], "h last message repeated 2 times"), 2);
        assert_eq!(count(&[login], "h last message repeated 1 time"), 1);
        assert_eq!(count(&[login], "h --- last message repeated 3 times ---"), 3);
        assert_eq!(count(&[packet, "g cron[1]: x"], "h last message repeated 2 times"), 2);
        assert_eq!(count(&[packet, "h last message repeated 4 times"], "h last message repeated 2 times"), 2);
        assert_eq!(count(&[PACKET], "last message repeated 2 times"), 2);
        let facility = format!("h kern.warn {PACKET}");
        assert_eq!(count(&[&facility], "h kern.warn last message repeated 2 times"), 2);
    }

    #[test]
    fn what_syslog_ng_suppressed_counts_again() {
        let (packet, login) = (format!("h {PACKET}"), format!("h {LOGIN}"));
        let (packet, login) = (packet.as_str(), login.as_str());
        let of_kernel = |text: &str| {
            format!("h kernel: Last message '{text}' repeated 4 times, suppressed by syslog-ng on h")
        };
        let first = &PACKET["kernel: ".len()..][..20];
        assert_eq!(count(&[packet], &of_kernel(first)), 4);
        assert_eq!(count(&[packet, "h cron[1]: x"], &of_kernel(first)), 4);
        let of_sshd =
            "h sshd[9]: Last message 'Failed password for ' repeated 2 times, suppressed by syslog-ng on h";
        assert_eq!(count(&[login], of_sshd), 2);
        // Another message, another program, no program.
        assert_eq!(count(&[packet], &of_kernel("ACCEPT IN=eth0 OUT= ")), 0);
        assert_eq!(count(&[packet, "h kernel: x"], &of_kernel(first)), 0);
        assert_eq!(count(&[packet], &of_kernel(first).replace("kernel:", "cron[1]:")), 0);
        assert_eq!(count(&[packet], &of_kernel(first).replace("kernel: ", "")), 0);
        let within = format!("h cron[1]: x {}", of_kernel(first));
        assert_eq!(count(&[packet], &within), 0);
    }

    #[test]
    fn another_message_counts_nothing() {
        let (packet, login) = (format!("h {PACKET}"), format!("h {LOGIN}"));
        let (packet, login) = (packet.as_str(), login.as_str());
        assert_eq!(count(&[packet, "h cron[1]: x"], "h last message repeated 2 times"), 0);
        assert_eq!(count(&[packet], "g last message repeated 2 times"), 0);
        assert_eq!(count(&[], "h last message repeated 2 times"), 0);
        // Text of a program, and too many.
        assert_eq!(count(&[login], "h sshd[9]: last message repeated 2 times"), 0);
        assert_eq!(count(&[packet], "h last message repeated 9999999 times"), 0);
        assert_eq!(count(&[packet], "h last message repeated +1 times"), 0);
        assert_eq!(count(&[packet], "h last message repeated times"), 0);
        // Without a tag it could be anybody's text.
        assert_eq!(
            count(&["h DROP IN=eth0 OUT= SRC=203.0.113.7 DST=192.0.2.10"], "h last message repeated 2 times"),
            0
        );
    }
}
