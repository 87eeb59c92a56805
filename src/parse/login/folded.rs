//! Lines that repeat a message: rsyslog's and sysklogd's folded repetitions. Pure.

/// Most repetitions of one line; a larger number is not believed.
pub const MAX_FOLDED: u32 = 1_000_000;

/// How many messages rsyslog's `message repeated N times: [ ... ]` stands for, and the message in the brackets.
pub fn unfold(message: &[u8]) -> Option<(u32, &[u8])> {
    let rest = message.strip_prefix(b"message repeated ")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let count: u32 = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    let inner = rest[digits..].strip_prefix(b" times: [")?.trim_ascii_end().strip_suffix(b"]")?;
    (1..=MAX_FOLDED).contains(&count).then(|| (count, inner.trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_messages() {
        for (text, expected) in [
            ("message repeated 4 times: [ a b]", Some((4, "a b"))),
            ("message repeated 2 times: [ [UFW BLOCK] IN=eth0]", Some((2, "[UFW BLOCK] IN=eth0"))),
            ("message repeated 2 times: [ a ] ", Some((2, "a"))),
            ("message repeated 2 times: [ a] b", None),
            ("message repeated 0 times: [ a]", None),
            ("message repeated 1000001 times: [ a]", None),
            ("message repeated times: [ a]", None),
            ("last message repeated 2 times", None),
        ] {
            let expected = expected.map(|(count, inner)| (count, inner.as_bytes()));
            assert_eq!(unfold(text.as_bytes()), expected, "{text}");
        }
    }
}
