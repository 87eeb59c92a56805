//! The start of a log line: priority and timestamp, after prefixes of `grep` (`file:`) or of a forum post (`> `, numbers).

use super::super::stamp::{Stamp, stamp, uptime};
use super::words::{facility, severity};
use super::{skip_blanks, word};

/// How a line begins: `file:` of grep and `<4>` are passed over.
#[derive(Clone, Copy, Debug)]
pub struct LineStart {
    /// Facility and severity (RFC 3164), if the line has them.
    pub priority: Option<(usize, usize)>,
    /// The timestamp, if the line has one.
    pub stamp: Option<Stamp>,
    /// Behind the stamp; without one, where it would stand.
    pub at: usize,
}

/// Reads the start of a log line of any format.
pub fn line_start(line: &[u8]) -> LineStart {
    let start = skip_octet_count(line, skip_blanks(line, 0));
    let plain = beginning_at(line, start);
    if plain.stamp.is_some() || plain.priority.is_some() || line.get(start) == Some(&b'[') {
        return plain;
    }
    let quoted_at = skip_quotation(line);
    if quoted_at != start {
        let quoted = beginning_at(line, quoted_at);
        if quoted.stamp.is_some() {
            return quoted;
        }
    }
    // `grep` over several files writes `name:`, with -n `name:12:`.
    let name = word(line, start);
    for colon in memchr::memchr_iter(b':', name) {
        let found = beginning_at(line, start + colon + 1);
        let file = &name[..colon];
        let bare = found.stamp.is_none() && uptime(line, found.at).is_some();
        if found.stamp.is_some() || (bare && file != b"kernel" && !file.contains(&b'[')) {
            return found;
        }
    }
    plain
}

/// Behind what stands before a line that was quoted or pasted: `> `, `| `, `- `, a line number, a no-break space; or the
/// zeros that a log file begins with after it was cut to nothing while it was written.
fn skip_quotation(line: &[u8]) -> usize {
    let is_mark = |byte: &u8| b"\0 \t>|*-`\"#\xc2\xa0".contains(byte);
    let skip_marks = |at: usize| at + line[at..].iter().take_while(|byte| is_mark(byte)).count();
    let at = skip_marks(0);
    let digits = line[at..].iter().take(7).take_while(|byte| byte.is_ascii_digit()).count();
    let is_marked = matches!(line.get(at + digits), Some(b'.' | b':' | b')'));
    let end = at + digits + usize::from(is_marked);
    // `1 2026-01-01T...` is the version of RFC 5424.
    let is_number = digits > 0
        && match line.get(end) {
            Some(b' ') => is_marked || at > 0,
            Some(b'\t') => true,
            _ => false,
        };
    if is_number { skip_marks(end) } else { at }
}

/// Behind the count of octets that a message over TCP begins with (RFC 6587): `120 <4>`.
fn skip_octet_count(line: &[u8], at: usize) -> usize {
    let digits = line[at..].iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
    let is_count = digits > 0 && line[at + digits..].starts_with(b" <");
    if is_count { at + digits + 1 } else { at }
}

fn beginning_at(line: &[u8], at: usize) -> LineStart {
    let (priority, at) = match priority(line, at).or_else(|| decoded_priority(line, at)) {
        Some((priority, end)) => (Some(priority), end),
        None => (None, at),
    };
    let stamp = stamp(line, at);
    LineStart { priority, stamp, at: stamp.map_or(at, |stamp| stamp.end) }
}

/// `<4>`: facility and severity, and where it ends.
fn priority(line: &[u8], at: usize) -> Option<((usize, usize), usize)> {
    let rest = line.get(at..)?.strip_prefix(b"<")?;
    let length = rest.iter().take(4).position(|&byte| byte == b'>')?;
    let digits = &rest[..length];
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
    (value < 192).then_some(((value >> 3, value & 7), at + 2 + length))
}

/// `kern  :warn  : ` of dmesg -x.
fn decoded_priority(line: &[u8], at: usize) -> Option<((usize, usize), usize)> {
    let mut at = at;
    let mut part = || {
        let start = at;
        at += line.get(at..)?.iter().take(12).position(|&byte| byte == b':')? + 1;
        Some(line[start..at - 1].trim_ascii_end())
    };
    let (facility, severity) = (facility(part()?)?, severity(part()?)?);
    line.get(at..)?.strip_prefix(b" ")?;
    Some(((facility, severity & 7), at + 1))
}
