//! Names of facilities and severities, and the words of firewalls' log prefixes.

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
/// The facility `kern` (RFC 5424, section 6.2.1).
pub(super) const KERN: usize = 0;
/// The facility `user`.
pub(super) const USER: usize = 1;
const SEVERITIES: [&[u8]; 12] = [
    b"emerg", b"alert", b"crit", b"err", b"warn", b"notice", b"info", b"debug", b"panic", b"error",
    b"warning", b"none",
];
/// The severity `notice`.
pub(super) const NOTICE: usize = 5;

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

/// Facility and severity in `kern.warn`.
pub(super) fn facility_of(token: &[u8]) -> Option<(usize, usize)> {
    let dot = memchr::memchr(b'.', token)?;
    Some((facility(&token[..dot])?, severity(&token[dot + 1..])?))
}

/// Collectors write them with capitals, and `Kernel` for `kern`.
pub(super) fn facility(name: &[u8]) -> Option<usize> {
    let known = FACILITIES.iter().position(|known| known.eq_ignore_ascii_case(name));
    known.or(name.eq_ignore_ascii_case(b"kernel").then_some(KERN))
}

/// The number of a severity's name (RFC 5424, section 6.2.1).
pub(super) fn severity(name: &[u8]) -> Option<usize> {
    SEVERITIES.iter().position(|known| known.eq_ignore_ascii_case(name))
}

/// Whether a part of the word, between characters that are neither letters nor digits, is one of a firewall's prefix.
pub(super) fn token_is_firewall(token: &[u8]) -> bool {
    token
        .split(|byte| !byte.is_ascii_alphanumeric())
        .any(|word| FIREWALL_WORDS.iter().any(|known| word.eq_ignore_ascii_case(known)))
}

/// `[WAN_LOCAL-D-2000]`, `[WAN_IN-20-A]`, `[LAN_IN-RET-2000]`: the label of a rule of EdgeOS, VyOS or UniFi OS, in which
/// a part of its own tells what the rule does.
pub(super) fn is_rule_label(word: &[u8]) -> bool {
    let Some(label) = word.strip_prefix(b"[").and_then(|word| word.strip_suffix(b"]")) else { return false };
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let mut parts = label.split(|&byte| byte == b'-').skip(1);
    label.iter().all(is_name)
        && parts.any(|part| matches!(part, b"A" | b"D" | b"R" | b"RET" | b"ACC" | b"DNAT" | b"NAT" | b"MASQ"))
}
