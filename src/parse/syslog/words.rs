//! Names of facilities and severities, and the words of firewalls' log prefixes.

use std::sync::LazyLock;

/// Words, split when they are first looked up.
type Words = LazyLock<Vec<&'static [u8]>>;

fn words(text: &'static str) -> Vec<&'static [u8]> {
    text.split_ascii_whitespace().map(str::as_bytes).collect()
}

/// In the order of their numbers.
static FACILITIES: Words = Words::new(|| {
    words(
        "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp security console \
        solaris-cron local0 local1 local2 local3 local4 local5 local6 local7",
    )
});
/// The facility `kern` (RFC 5424, section 6.2.1).
pub(super) const KERN: usize = 0;
/// The facility `user`.
pub(super) const USER: usize = 1;
static SEVERITIES: Words =
    Words::new(|| words("emerg alert crit err warn notice info debug panic error warning none"));
/// The severity `notice`.
pub(super) const NOTICE: usize = 5;

/// Words of firewall prefixes. Whole words: `dropbear` is none.
static FIREWALL_WORDS: Words = Words::new(|| {
    words(
        "drop dropped drops reject rejected deny denied block blocked discard discarded accept \
    accepted allow allowed permit permitted kill invalid bad limit trace audit mssfix in out input output forward fwd \
    inbound outbound incoming state firewall fw iptables ip6tables nft nftables netfilter ufw shorewall banip rule redirect",
    )
});

/// The place of a word in a list, in any case.
fn place_in(list: &[&[u8]], word: &[u8]) -> Option<usize> {
    list.iter().position(|known| known.eq_ignore_ascii_case(word))
}

/// Facility and severity in `kern.warn`.
pub(super) fn facility_of(token: &[u8]) -> Option<(usize, usize)> {
    let dot = memchr::memchr(b'.', token)?;
    Some((facility(&token[..dot])?, severity(&token[dot + 1..])?))
}

/// Collectors write them with capitals, and `Kernel` for `kern`.
pub(super) fn facility(name: &[u8]) -> Option<usize> {
    place_in(&FACILITIES, name).or(name.eq_ignore_ascii_case(b"kernel").then_some(KERN))
}

/// The number of a severity's name (RFC 5424, section 6.2.1).
pub(super) fn severity(name: &[u8]) -> Option<usize> {
    place_in(&SEVERITIES, name)
}

/// Whether a part of the word, between characters that are neither letters nor digits, is one of a firewall's prefix.
pub(super) fn token_is_firewall(token: &[u8]) -> bool {
    let mut parts = token.split(|byte| !byte.is_ascii_alphanumeric());
    parts.any(|part| place_in(&FIREWALL_WORDS, part).is_some())
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
