//! The header of a log line: timestamp, host, facility and program.
//!
//! Takes a line, gives its stamp, its author and where the message begins. Decides only by the first tag
//! behind the stamp, never by what a message says.
//!
//! The kernel's tag is `kernel:`. A facility, where there is one, must go with it: logread writes the
//! kernel's lines with `kern.`, so any other is a local process that calls itself kernel. In the classic
//! format old klogds write `user.warn kernel:`; `user.notice` there is what logger(1) writes.
//!
//! A line without any tag (`Mar 15 20:55:15 host DROP IN=...`) is `Untagged`. A word that ends in a colon is a
//! tag, unless it is one of a firewall prefix: `name[12]:` always is a tag, `DROP:` and `in:` are not.

use super::stamp::{Stamp, Writer, english_stamp, stamp, uptime};

mod line_start;
mod words;

pub use line_start::{LineStart, line_start};
use words::{KERN, NOTICE, USER, facility_of, is_rule_label, token_is_firewall};

/// Who wrote a line, by its tag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Author<'a> {
    Kernel,
    Daemon(Tag<'a>),
    /// No tag: the message itself must look like the kernel's.
    Untagged,
    /// A process that claims to be the kernel, or nothing that could be a log line.
    Nobody,
}

/// `name[pid]:`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tag<'a> {
    /// The program's name.
    pub name: &'a [u8],
    /// The number in brackets.
    pub pid: Option<u32>,
}

/// The parts of a line before its message.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// The timestamp, if the line has one.
    pub stamp: Option<Stamp>,
    /// Who wrote the line.
    pub author: Author<'a>,
    /// Facility `kern`, or dmesg: any prefix is to be believed.
    pub kern: bool,
    /// Where the message begins.
    pub message: usize,
}

/// Splits a line into header and message.
pub fn header(line: &[u8]) -> Header<'_> {
    let line_start = line_start(line);
    match syslog_protocol(line, line_start) {
        Some(header) => header,
        None => classic(line, line_start),
    }
}

/// Facilities that collectors and appliances give to what they relay.
fn is_local(facility: usize) -> bool {
    (16..24).contains(&facility)
}

/// Whether a line that names the kernel may be the kernel's, by its facility and severity.
fn may_be_kernels(facility: Option<(usize, usize)>) -> bool {
    match facility {
        None | Some((KERN, _)) => true,
        Some((USER, severity)) => severity != NOTICE,
        Some((facility, _)) => is_local(facility),
    }
}

/// Any form but that of RFC 5424.
fn classic(line: &[u8], LineStart { priority: mut facility, stamp, at }: LineStart) -> Header<'_> {
    let mut at = skip_blanks(line, at);
    let writer = stamp.map(|stamp| stamp.writer);
    if writer == Some(Writer::Dmesg) {
        // It shows the kernel's buffer, into which programs can write, too; with -x their facility is shown.
        let author = if facility.is_none_or(|(facility, _)| facility == KERN) {
            Author::Untagged
        } else {
            Author::Nobody
        };
        return Header { stamp, author, kern: true, message: at };
    }
    let relayed = facility.is_some_and(|(facility, _)| is_local(facility));
    // logread -t: the time again in brackets, before the facility.
    if let Some((_, end)) = uptime(line, at)
        && facility_of(word(line, end)).is_some()
    {
        at = end;
    }
    let (mut start, mut named) = (at, false);
    let (mut host, mut hosts): (&[u8], u8) = (b"", 0);
    loop {
        let token = word(line, at);
        let next = skip_blanks(line, at + token.len());
        let kernel = |at| {
            let is_logread = matches!(writer, Some(Writer::Logread | Writer::LuciPage));
            let believed = match facility {
                Some((USER, _)) if is_logread => false,
                Some((facility, _)) if named && is_local(facility) => false,
                _ => may_be_kernels(facility),
            };
            let author = if believed { Author::Kernel } else { Author::Nobody };
            Header { stamp, author, kern: true, message: skip_blanks(line, at) }
        };
        if token.starts_with(b"kernel:") {
            return kernel(at + b"kernel:".len());
        }
        if token == b"kernel[]:" {
            return kernel(next);
        }
        // LuCI's page puts a colon behind it.
        let name =
            if writer == Some(Writer::LuciPage) { token.strip_suffix(b":").unwrap_or(token) } else { token };
        if let Some(known) = facility_of(name)
            && !named
        {
            (facility, at, start, named) = (Some(known), next, next, true);
            continue;
        }
        if let Some(tag) = tag(token) {
            let author = if is_ulogd(tag) { Author::Kernel } else { Author::Daemon(tag) };
            return Header { stamp, author, kern: false, message: next };
        }
        let stamp_at = if hosts == 0 { english_stamp } else { self::stamp };
        if hosts < 2
            && stamp.is_some()
            && let Some(inner) = stamp_at(line, at)
        {
            // Relayed with its own timestamp; the collector's, which all lines have, counts.
            at = skip_blanks(line, inner.end);
            (start, host, hosts) = (at, b"", 0);
            continue;
        }
        let ended = token.is_empty() || token[0] == b'[' || token.contains(&b'=');
        if ended || hosts > 0 && !is_relayed_host(host, hosts, token) || stamp.is_none() {
            let kern = matches!(facility, Some((KERN, _)));
            // UniFi OS sends what its rules log as `user`, without a tag.
            let is_unifi = writer != Some(Writer::Logread) && is_rule_label(token);
            let believed = kern || facility.is_none() || relayed || is_unifi;
            let author = if believed { Author::Untagged } else { Author::Nobody };
            return Header { stamp, author, kern, message: start };
        }
        (host, hosts, at) = (token, hosts + 1, next);
    }
}

/// A host behind a host: a collector that writes the address which sent the line before the line's own host, or the same
/// name twice. Any other second word is a message's.
fn is_relayed_host(first: &[u8], hosts: u8, second: &[u8]) -> bool {
    let is_address = || super::netfilter::address(first).is_some();
    hosts == 1 && !second.is_empty() && (first == second || is_address())
}

/// ulogd2 writes what the firewall gives it over NFLOG, by its output plugin SYSLOG.
fn is_ulogd(tag: Tag) -> bool {
    tag.pid.is_some() && matches!(tag.name, b"ulogd" | b"ulogd2")
}

/// The text before `IN=` of an untagged line, without the host name at its beginning: how many bytes belong
/// to the host. None if it can't be a firewall's prefix.
pub fn host_before_prefix(text: &[u8]) -> Option<usize> {
    let text = without_description(text);
    let mut words = text.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    // A part before a colon that is no word of a firewall is some daemon's tag.
    let foreign = |word: &[u8]| match memchr::memchr(b':', word) {
        Some(colon) => has_pid(word) || !token_is_firewall(&word[..colon]),
        None => false,
    };
    if words.clone().any(foreign) {
        return None;
    }
    let is_prefix = |word: &[u8]| token_is_firewall(word) || is_rule_label(word);
    let Some(first) = words.next() else { return Some(0) };
    if is_prefix(first) || first.starts_with(b"[") {
        return Some(0);
    }
    let mut end = skip_blanks(text, 0) + first.len();
    let second = words.clone().next().filter(|second| !is_prefix(second));
    if let Some(second) = second
        && is_relayed_host(first, 1, second)
    {
        words.next();
        end = skip_blanks(text, end) + second.len();
    }
    let alone = words.clone().next().is_none();
    (alone || words.any(is_prefix)).then(|| skip_blanks(text, end))
}

/// The prefix without what UniFi OS tells of the rule behind its label: `[WAN_LOCAL-D-2000] DESCR="any text" `.
pub fn without_description(prefix: &[u8]) -> &[u8] {
    memchr::memmem::find(prefix, b" DESCR=\"").map_or(prefix, |at| &prefix[..at])
}

/// Whether a word is like `name[123]:`.
pub fn has_pid(word: &[u8]) -> bool {
    let Some(colon) = memchr::memmem::find(word, b"]:") else { return false };
    let Some(open) = memchr::memchr(b'[', &word[..colon]) else { return false };
    open > 0 && is_name(&word[..open]) && word[open + 1..colon].iter().all(u8::is_ascii_digit)
}

/// RFC 5424: `<4>1 2026-09-12T21:46:20Z host kernel - - - message`. Some collectors leave out the priority. Without a
/// name the message may be a line of its own that was relayed.
fn syslog_protocol<'a>(line: &'a [u8], line_start: LineStart) -> Option<Header<'a>> {
    if line_start.stamp.is_some() {
        return None;
    }
    let rest = line.get(line_start.at..)?.strip_prefix(b"1 ")?;
    let at = line.len() - rest.len();
    let stamp = stamp(line, at);
    if stamp.is_none() && line_start.priority.is_none() {
        return None;
    }
    let mut at = stamp.map_or_else(|| at + word(line, at).len(), |stamp| stamp.end);
    let mut fields = [&[][..]; 4];
    for field in &mut fields {
        at = skip_blanks(line, at);
        *field = word(line, at);
        at += field.len();
    }
    let [_host, name, process, _message_kind] = fields;
    at = structured_data(line, skip_blanks(line, at))?;
    let message = line.get(at..).unwrap_or_default();
    let at = at + if message.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let at = skip_blanks(line, at);
    let tag = Tag { name, pid: number(process) };
    let author = match (name, line_start.priority) {
        (b"kernel", facility) if may_be_kernels(facility) => Author::Kernel,
        (b"kernel", _) => Author::Nobody,
        (b"-", _) => {
            let inner = self::line_start(&line[at..]);
            let priority = inner.priority.or(line_start.priority);
            let inner = classic(&line[at..], LineStart { priority, ..inner });
            return Some(Header { stamp: stamp.or(inner.stamp), message: at + inner.message, ..inner });
        }
        _ if is_ulogd(tag) => Author::Kernel,
        _ => Author::Daemon(tag),
    };
    Some(Header { stamp, author, kern: false, message: at })
}

/// The end of `-` or `[id name="value"]...`.
fn structured_data(line: &[u8], mut at: usize) -> Option<usize> {
    if line.get(at) == Some(&b'-') {
        return Some(at + 1);
    }
    let start = at;
    while line.get(at) == Some(&b'[') {
        let mut quoted = false;
        loop {
            match line.get(at)? {
                b'\\' if quoted => at += 1,
                b'"' => quoted = !quoted,
                b']' if !quoted => break,
                _ => {}
            }
            at += 1;
        }
        at += 1;
    }
    (at > start).then_some(at)
}

/// The tag in `name:` or `name[123]:`, if the word is that of a program.
fn tag(token: &[u8]) -> Option<Tag<'_>> {
    let name = token.strip_suffix(b":")?;
    if has_pid(token) {
        let open = memchr::memchr(b'[', name)?;
        return Some(Tag { name: &name[..open], pid: number(&name[open + 1..name.len() - 1]) });
    }
    (!token_is_firewall(name)).then_some(Tag { name, pid: None })
}

fn number(digits: &[u8]) -> Option<u32> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Splits `dropbear[1234]: text`, as logd gives it, into tag and text.
pub fn split_tag(message: &[u8]) -> Option<(Tag<'_>, &[u8])> {
    let at = skip_blanks(message, 0);
    let token = word(message, at);
    let tag = tag(token)?;
    Some((tag, &message[skip_blanks(message, at + token.len())..]))
}

fn is_name(name: &[u8]) -> bool {
    name.iter()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/' | b'(' | b')'))
}

fn skip_blanks(line: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t') = line.get(at) {
        at += 1;
    }
    at
}

/// The bytes from `at` to the next blank or tab.
fn word(line: &[u8], at: usize) -> &[u8] {
    let rest = line.get(at..).unwrap_or_default();
    &rest[..memchr::memchr2(b' ', b'\t', rest).unwrap_or(rest.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> String {
        let header = header(line.as_bytes());
        let author = match header.author {
            Author::Daemon(tag) => String::from_utf8_lossy(tag.name).into_owned(),
            other => format!("{other:?}"),
        };
        format!("{author}|{}", &line[header.message..])
    }

    #[test]
    fn the_first_tag_tells_who_wrote_the_line() {
        for (line, expected) in [
            ("Sat Sep 12 21:46:20 2026 kern.warn kernel: [1.5] drop", "Kernel|[1.5] drop"),
            ("Sat Sep 12 21:46:20 2026 [1789217180.262] kern.warn kernel: [1.5] drop", "Kernel|[1.5] drop"),
            ("Sat Sep 12 21:46:20 2026 user.notice kernel: DROP IN=", "Nobody|DROP IN="),
            ("Sat Sep 12 21:46:20 2026 user.warn kernel: DROP IN=", "Nobody|DROP IN="),
            ("Sat Sep 12 21:46:20 2026 daemon.info dnsmasq[9]: x kernel: DROP", "dnsmasq|x kernel: DROP"),
            ("Mar 15 20:55:15 linux kernel: [1.5] drop", "Kernel|[1.5] drop"),
            ("Mar 15 20:55:15 kernel: DROP IN=", "Kernel|DROP IN="),
            ("Mar 15 20:55:15 host kern.warn kernel: DROP IN=", "Kernel|DROP IN="),
            ("Mar 15 20:55:15 kern.warn kernel: DROP IN=", "Kernel|DROP IN="),
            ("Mar 15 20:55:15 user.warn kernel: DROP IN=", "Kernel|DROP IN="),
            ("Mar 15 20:55:15 user.notice kernel: DROP IN=", "Nobody|DROP IN="),
            ("Mar 15 20:55:15 host daemon.info kernel: DROP IN=", "Nobody|DROP IN="),
            ("Mar 15 20:55:15 host dropbear[1]: kernel: DROP IN=", "dropbear|kernel: DROP IN="),
            ("Mar 15 20:55:15 dropbear: DROP IN=", "dropbear|DROP IN="),
            ("Mar 15 20:55:15 host DROP IN=", "Untagged|host DROP IN="),
            ("Mar 15 20:55:15 host reject wan in: IN=", "Untagged|host reject wan in: IN="),
            ("Mar 15 20:55:15 host [WAN-default-D]IN=", "Untagged|host [WAN-default-D]IN="),
            ("Mar 15 20:55:15 user.notice DROP IN=", "Nobody|DROP IN="),
            ("scan:Mar 15 20:55:15 linux kernel: x", "Kernel|x"),
            ("log/a.txt:12:2026-01-01T00:00:00Z linux kernel: x", "Kernel|x"),
            ("dmesg.0:[1.5] DROP IN=", "Untagged|[1.5] DROP IN="),
            ("<4>Mar 15 20:55:15 linux kernel: x", "Kernel|x"),
            ("<13>Mar 15 20:55:15 linux kernel: x", "Nobody|x"),
            ("<4>1 2026-01-01T00:00:00Z host kernel - - - [1.5] drop", "Kernel|[1.5] drop"),
            ("<4>1 2026-01-01T00:00:00Z host kernel - - [a b=\"]\\\"\"][c] drop", "Kernel|drop"),
            ("<38>1 - host sshd 12 - - Failed", "sshd|Failed"),
            ("Sat 2026-09-12 21:46:20 JST host kernel: x", "Kernel|x"),
            ("[Sat Sep 12 21:46:20 2026] DROP IN=", "Untagged|DROP IN="),
            ("[119160.26] DROP IN=", "Untagged|[119160.26] DROP IN="),
            ("kernel: [1.5] DROP IN=", "Kernel|[1.5] DROP IN="),
            ("> Mar 15 20:55:15 linux kernel: x", "Kernel|x"),
            ("  12. Mar 15 20:55:15 linux kernel: x", "Kernel|x"),
            ("   12\tMar 15 20:55:15 linux kernel: x", "Kernel|x"),
            ("\0\0\0Mar 15 20:55:15 linux kernel: x", "Kernel|x"),
            ("\u{a0}2026-01-01T00:00:00Z linux kernel: x", "Kernel|x"),
            ("> linux kernel: x", "Untagged|> linux kernel: x"),
            ("2017-05-15T21:14:04+02:00 warning kernel[]: [1.5] x", "Kernel|[1.5] x"),
            ("", "Untagged|"),
            // Relayed lines.
            ("Mar 15 20:55:15 192.168.1.1 OpenWrt kernel: [1.5] x", "Kernel|[1.5] x"),
            ("Mar 15 20:55:15 vps vps sshd[9]: x", "sshd|x"),
            ("Mar 15 20:55:15 loghost Mar 15 20:55:14 OpenWrt kernel: [1.5] x", "Kernel|[1.5] x"),
            ("2026-03-15T20:55:15Z\t192.168.1.1\tkernel:\tx", "Kernel|x"),
            ("2026-03-15T20:55:15+01:00\t192.168.1.1\tkernel:\tx", "Kernel|x"),
            ("Mar 15 20:55:15 2001:db8::1 kernel: x", "Kernel|x"),
            ("<13>Mar 15 20:55:15 UDM [WAN_LOCAL-D-2000] x", "Untagged|UDM [WAN_LOCAL-D-2000] x"),
            ("<13>1 2026-01-01T00:00:00Z UDM - - - - [LAN_IN-A-1] x", "Untagged|[LAN_IN-A-1] x"),
            ("<13>Mar 15 20:55:15 host [UFW BLOCK] x", "Nobody|host [UFW BLOCK] x"),
            ("<134>Mar 15 20:55:15 OpenWrt kernel: x", "Kernel|x"),
            ("<134>Mar 15 20:55:15 OpenWrt daemon.info kernel: x", "Nobody|x"),
            ("<134>1 2026-01-01T00:00:00Z host kernel - - - x", "Kernel|x"),
            ("<13>1 2026-01-01T00:00:00Z host kernel - - - x", "Nobody|x"),
            ("1 2026-01-01T00:00:00Z host kernel - - - x", "Kernel|x"),
            ("<134>1 2026-01-01T00:00:00Z loghost - - - - <4>Jan  1 00:00:00 OpenWrt kernel: x", "Kernel|x"),
            ("<13>1 2026-01-01T00:00:00Z loghost - - - - kernel: x", "Nobody|x"),
            ("120 <4>1 2026-01-01T00:00:00Z host kernel - - - x", "Kernel|x"),
            ("120 <13>Mar 15 20:55:15 host kernel: x", "Nobody|x"),
            ("Mar 15 20:55:15 Mar 15 20:55:14 OpenWrt kernel: [1.5] x", "Kernel|[1.5] x"),
            ("2026-03-15 20:55:15\tKern.Warning\t192.168.1.1\tkernel: [1.5] x", "Kernel|[1.5] x"),
            (
                "2026-03-15 20:55:15\tKernel.Warning\t192.168.1.1\tMar 15 20:55:15 OpenWrt kernel: x",
                "Kernel|x",
            ),
            ("2026-03-15 20:55:15\tUser.Notice\t192.168.1.1\tkernel: [1.5] x", "Nobody|[1.5] x"),
            // A second word that is no host.
            ("Mar 15 20:55:15 router my kernel: DROP IN=", "Untagged|router my kernel: DROP IN="),
            ("Mar 15 20:55:15 192.168.1.1 a b kernel: IN=", "Untagged|192.168.1.1 a b kernel: IN="),
            // Other writers.
            ("[Nov 21, 2026, 9:00:00 AM GMT+1] kern.warn: kernel: [1.5] x", "Kernel|[1.5] x"),
            ("[21.11.2026, 09:00:00 MEZ] user.notice: kernel: x", "Nobody|x"),
            ("[2026/11/21 9:00:00 JST] authpriv.warn: dropbear[1]: x", "dropbear|x"),
            ("kern  :warn  : [    1.500000] DROP IN=", "Untagged|[    1.500000] DROP IN="),
            ("user  :notice: [    1.500000] DROP IN=", "Nobody|[    1.500000] DROP IN="),
            ("Nov 21 08:00:00 fw ulogd[812]: DROP IN=", "Kernel|DROP IN="),
            ("Nov 21 08:00:00 fw ulogd: DROP IN=", "ulogd|DROP IN="),
            ("Sat Nov 21 08:00:05 2026 user.info : luci: failed", "|luci: failed"),
        ] {
            assert_eq!(read(line), expected, "{line}");
        }
    }

    #[test]
    fn untagged_text_must_be_a_firewall_prefix() {
        for (text, expected) in [
            ("", Some(0)),
            ("DROP ", Some(0)),
            ("reject wan in: ", Some(0)),
            ("Shorewall:net:DROP:", Some(0)),
            ("banIP/inbound/drop/set.v4: ", Some(0)),
            ("[WAN_LOCAL-default-D]", Some(0)),
            ("@rule[3]: ", Some(0)),
            ("myhost ", Some(7)),
            ("myhost drop wan in: ", Some(7)),
            ("myhost my thing ", None),
            ("myhost sudo: drop ", None),
            ("drop dropbear[12]: ", None),
            ("cron:drop ", None),
            ("UDM [WAN_LOCAL-D-2000] DESCR=\"x: y\" ", Some(4)),
            ("UDM UDM [WAN_LOCAL-R-2000] ", Some(8)),
            ("192.168.1.1 UDM [LAN_IN-RET-2000]", Some(16)),
            ("UDM [some text] ", None),
        ] {
            assert_eq!(host_before_prefix(text.as_bytes()), expected, "{text}");
        }
    }
}
