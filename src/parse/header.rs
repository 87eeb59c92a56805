//! What stands before the message: stamp, host, facility, and who wrote the line.
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

use super::stamp::{Stamp, stamp, uptime};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Author<'a> {
    Kernel,
    Daemon(&'a [u8]),
    /// No tag: the message itself must look like the kernel's.
    Untagged,
    /// A process that claims to be the kernel, or nothing that could be a log line.
    Nobody,
}

#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    pub stamp: Option<Stamp>,
    pub author: Author<'a>,
    /// Facility `kern`, or dmesg: any prefix is to be believed.
    pub kern: bool,
    /// Where the message begins.
    pub message: usize,
}

/// How a line begins: `file:` of grep and `<4>` are passed over.
#[derive(Clone, Copy, Debug)]
pub struct Beginning {
    pub priority: Option<u16>,
    pub stamp: Option<Stamp>,
    /// Behind the stamp; without one, where it would stand.
    pub at: usize,
}

const FACILITIES: [&[u8]; 24] = [
    b"kern",
    b"user",
    b"mail",
    b"daemon",
    b"auth",
    b"syslog",
    b"lpr",
    b"news",
    b"uucp",
    b"cron",
    b"authpriv",
    b"ftp",
    b"ntp",
    b"security",
    b"console",
    b"solaris-cron",
    b"local0",
    b"local1",
    b"local2",
    b"local3",
    b"local4",
    b"local5",
    b"local6",
    b"local7",
];
const KERN: usize = 0;
const USER: usize = 1;
const SEVERITIES: [&[u8]; 12] = [
    b"emerg", b"alert", b"crit", b"err", b"warn", b"notice", b"info", b"debug", b"panic", b"error",
    b"warning", b"none",
];
const NOTICE: usize = 5;

/// Words of firewall prefixes. Whole words: `dropbear` is none.
const FIREWALL_WORDS: [&[u8]; 46] = [
    b"drop",
    b"dropped",
    b"drops",
    b"reject",
    b"rejected",
    b"deny",
    b"denied",
    b"block",
    b"blocked",
    b"discard",
    b"discarded",
    b"accept",
    b"accepted",
    b"allow",
    b"allowed",
    b"permit",
    b"permitted",
    b"kill",
    b"invalid",
    b"bad",
    b"limit",
    b"trace",
    b"audit",
    b"mssfix",
    b"in",
    b"out",
    b"input",
    b"output",
    b"forward",
    b"fwd",
    b"inbound",
    b"outbound",
    b"incoming",
    b"state",
    b"firewall",
    b"fw",
    b"iptables",
    b"ip6tables",
    b"nft",
    b"nftables",
    b"netfilter",
    b"ufw",
    b"shorewall",
    b"banip",
    b"rule",
    b"redirect",
];

pub fn header(line: &[u8]) -> Header<'_> {
    let beginning = beginning(line);
    let Beginning { priority, stamp, at } = beginning;
    if let Some(header) = syslog_protocol(line, beginning) {
        return header;
    }
    let mut at = skip_blanks(line, at);
    // dmesg -T shows the kernel's buffer.
    if stamp.is_some_and(|stamp| line[stamp.end - 1] == b']') {
        return Header { stamp, author: Author::Untagged, kern: true, message: at };
    }
    let mut facility = priority.map(|priority| (usize::from(priority >> 3), usize::from(priority & 7)));
    // logread -t: the time again in brackets, before the facility.
    if let Some((_, end)) = uptime(line, at)
        && facility_of(word(line, end)).is_some()
    {
        at = end;
    }
    let (mut start, mut host, mut named) = (at, false, false);
    loop {
        let token = word(line, at);
        let next = skip_blanks(line, at + token.len());
        let kernel = |at| {
            let believed = match facility {
                None | Some((KERN, _)) => true,
                Some((USER, severity)) => severity != NOTICE && !stamp.is_some_and(|stamp| stamp.logread),
                Some(_) => false,
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
        if let Some(known) = facility_of(token)
            && !named
        {
            (facility, at, start, named) = (Some(known), next, next, true);
            continue;
        }
        if let Some(name) = tag(token) {
            return Header { stamp, author: Author::Daemon(name), kern: false, message: next };
        }
        let ended = token.is_empty() || token[0] == b'[' || token.contains(&b'=');
        if ended || host || stamp.is_none() {
            let kern = matches!(facility, Some((KERN, _)));
            let author = if kern || facility.is_none() { Author::Untagged } else { Author::Nobody };
            return Header { stamp, author, kern, message: start };
        }
        (host, at) = (true, next);
    }
}

/// The text before `IN=` of an untagged line, without the host name at its beginning: how many bytes belong
/// to the host. None if it can't be a firewall's prefix.
pub fn host_before_prefix(text: &[u8]) -> Option<usize> {
    let mut words = text.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    // A part before a colon that is no word of a firewall is some daemon's tag.
    let foreign = |word: &[u8]| match memchr::memchr(b':', word) {
        Some(colon) => has_pid(word) || !token_is_firewall(&word[..colon]),
        None => false,
    };
    if words.clone().any(foreign) {
        return None;
    }
    let Some(first) = words.next() else { return Some(0) };
    let rest_is_firewall = words.clone().any(token_is_firewall);
    if token_is_firewall(first) || first.starts_with(b"[") {
        return Some(0);
    }
    let alone = words.next().is_none();
    (alone || rest_is_firewall).then(|| {
        let leading = skip_blanks(text, 0);
        skip_blanks(text, leading + first.len())
    })
}

/// Whether a word is like `name[123]:`.
pub fn has_pid(word: &[u8]) -> bool {
    let Some(colon) = memchr::memmem::find(word, b"]:") else { return false };
    let Some(open) = memchr::memchr(b'[', &word[..colon]) else { return false };
    open > 0 && is_name(&word[..open]) && word[open + 1..colon].iter().all(u8::is_ascii_digit)
}

pub fn beginning(line: &[u8]) -> Beginning {
    let start = skip_blanks(line, 0);
    let plain = beginning_at(line, start);
    if plain.stamp.is_some() || plain.priority.is_some() || line.get(start) == Some(&b'[') {
        return plain;
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

fn beginning_at(line: &[u8], at: usize) -> Beginning {
    let (priority, at) = match priority(line, at) {
        Some((priority, end)) => (Some(priority), end),
        None => (None, at),
    };
    let stamp = stamp(line, at);
    Beginning { priority, stamp, at: stamp.map_or(at, |stamp| stamp.end) }
}

/// `<4>`
fn priority(line: &[u8], at: usize) -> Option<(u16, usize)> {
    let rest = line.get(at..)?.strip_prefix(b"<")?;
    let length = rest.iter().take(4).position(|&byte| byte == b'>')?;
    let digits = &rest[..length];
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0u16, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    (value < 192).then_some((value, at + 2 + length))
}

/// RFC 5424: `<4>1 2026-09-12T21:46:20Z host kernel - - - message`.
fn syslog_protocol<'a>(line: &'a [u8], beginning: Beginning) -> Option<Header<'a>> {
    let priority = beginning.priority?;
    let rest = line.get(beginning.at..)?.strip_prefix(b"1 ")?;
    let at = beginning.at + (line.len() - beginning.at - rest.len());
    let stamp = stamp(line, at);
    let mut at = stamp.map_or_else(|| at + word(line, at).len(), |stamp| stamp.end);
    let mut fields = [&[][..]; 4];
    for field in &mut fields {
        at = skip_blanks(line, at);
        *field = word(line, at);
        at += field.len();
    }
    let [_host, name, _process, _message_kind] = fields;
    at = structured_data(line, skip_blanks(line, at))?;
    let message = line.get(at..).unwrap_or_default();
    let at = at + if message.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let (facility, severity) = (usize::from(priority >> 3), usize::from(priority & 7));
    let author = match (name, facility) {
        (b"kernel", KERN) => Author::Kernel,
        (b"kernel", USER) if severity != NOTICE => Author::Kernel,
        (b"kernel", _) => Author::Nobody,
        (name, _) => Author::Daemon(name),
    };
    Some(Header { stamp, author, kern: false, message: skip_blanks(line, at) })
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

fn facility_of(token: &[u8]) -> Option<(usize, usize)> {
    let dot = memchr::memchr(b'.', token)?;
    let facility = FACILITIES.iter().position(|&name| name == &token[..dot])?;
    let severity = SEVERITIES.iter().position(|&name| name == &token[dot + 1..])?;
    Some((facility, severity))
}

/// The name in `name:` or `name[123]:`, if the word is the tag of a program.
fn tag(token: &[u8]) -> Option<&[u8]> {
    let name = token.strip_suffix(b":")?;
    if has_pid(token) {
        return name.split(|&byte| byte == b'[').next();
    }
    (!token_is_firewall(name)).then_some(name)
}

/// Splits `dropbear[1234]: text`, as logd gives it, into name and text.
pub fn split_tag(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = skip_blanks(message, 0);
    let token = word(message, at);
    let name = tag(token)?;
    Some((name, &message[skip_blanks(message, at + token.len())..]))
}

fn is_name(name: &[u8]) -> bool {
    name.iter()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/' | b'(' | b')'))
}

fn token_is_firewall(token: &[u8]) -> bool {
    token
        .split(|byte| !byte.is_ascii_alphanumeric())
        .any(|word| FIREWALL_WORDS.iter().any(|known| word.eq_ignore_ascii_case(known)))
}

fn skip_blanks(line: &[u8], mut at: usize) -> usize {
    while line.get(at) == Some(&b' ') {
        at += 1;
    }
    at
}

/// The bytes from `at` to the next blank.
pub fn word(line: &[u8], at: usize) -> &[u8] {
    let rest = line.get(at..).unwrap_or_default();
    &rest[..memchr::memchr(b' ', rest).unwrap_or(rest.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> String {
        let header = header(line.as_bytes());
        let author = match header.author {
            Author::Daemon(name) => String::from_utf8_lossy(name).into_owned(),
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
            ("2017-05-15T21:14:04+02:00 warning kernel[]: [1.5] x", "Kernel|[1.5] x"),
            ("", "Untagged|"),
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
        ] {
            assert_eq!(host_before_prefix(text.as_bytes()), expected, "{text}");
        }
    }
}
