//! Lines that are not syslog's: JSON of the journal and of ulogd2, pve-firewall's log.

use super::super::stamp::{self, stamp};
use super::*;

impl LineReader {
    /// None: the line is none of these.
    pub(super) fn other_format(&mut self, line: &[u8], paths: &mut Paths) -> Option<Outcome> {
        match line.first()? {
            b'{' | b'[' | 0x1e | b'd' => Some(self.record(record(object(line)?)?, paths)),
            b'0'..=b'9' => self.pve(line, paths),
            _ => None,
        }
    }

    fn record(&mut self, record: Record, paths: &mut Paths) -> Outcome {
        let Record { time, uptime, program, message } = record;
        let time = match time {
            RecordTime::Instant(time) => Some(time),
            RecordTime::Text(text) => stamp(text.as_bytes(), 0).and_then(|stamp| self.time_of(&stamp)),
            RecordTime::None => None,
        };
        match program {
            None => {
                let time = time.unwrap_or_else(|| self.time_of_file());
                match self.packet(&message, time, paths) {
                    Outcome::Event(event) if event.uptime == 0 => Outcome::Event(Event { uptime, ..event }),
                    outcome => outcome,
                }
            }
            Some((name, pid)) => {
                let tag = Tag { name: name.as_bytes(), pid };
                self.login(tag, &message, time.unwrap_or(self.clock.modified), paths)
            }
        }
    }

    /// `0 6 PVEFW-HOST-IN 21/Nov/2026:09:00:00 +0100 policy DROP: IN=vmbr0 ...`: virtual machine (0: the host itself),
    /// log level, chain, time, log prefix and packet.
    fn pve(&mut self, line: &[u8], paths: &mut Paths) -> Option<Outcome> {
        let mut words = line.splitn(4, |&byte| byte == b' ');
        let (machine, level, chain) = (words.next()?, words.next()?, words.next()?);
        let is_number = |word: &[u8]| (1..=9).contains(&word.len()) && word.iter().all(u8::is_ascii_digit);
        if !is_number(machine) || !is_number(level) || chain.is_empty() {
            return None;
        }
        let at = machine.len() + level.len() + chain.len() + 3;
        let stamp = stamp::pve(line, at)?;
        let Some(time) = self.time_of(&stamp) else { return Some(without_time(line)) };
        let message = line[stamp.end..].trim_ascii_start();
        // The chain determines the direction: it becomes part of the log prefix.
        let message = [chain, b" ", message].concat();
        Some(self.packet(&message, time, paths))
    }
}

/// The object of a line of JSON: behind what stands before each entry of `journalctl -o json-seq` (RFC 7464) and
/// `-o json-sse`, and alone if the lines are elements of a list.
pub(super) fn object(line: &[u8]) -> Option<&[u8]> {
    let starts: [&[u8]; 3] = [b"\x1e", b"data: ", b"["];
    let line = starts.iter().find_map(|start| line.strip_prefix(*start)).unwrap_or(line).trim_ascii_end();
    let object = [&b","[..], b"]"].iter().find_map(|end| line.strip_suffix(*end)).unwrap_or(line);
    object.starts_with(b"{").then_some(object)
}
