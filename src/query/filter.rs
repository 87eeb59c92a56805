//! A filter of events as text: terms between blanks, all of which must hold; `!` before a term negates it.
//!
//! ```text
//! class:login  port:22  protocol:udp  zone:wan  verdict:drop  source:198.51.100.0/24  destination:192.0.2.1
//! telnet       any other word: it stands in the log line, in either case
//! ```

use super::question::Prefix;
use crate::event::services;
use crate::event::{Class, Verdict};

/// Most terms of a filter, which bounds the work for each event.
pub const MAX_TERMS: usize = 8;
/// Longest filter, in bytes.
pub const MAX_LENGTH: usize = 200;

/// One condition on an event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Test {
    Class(Class),
    Port(u16),
    Protocol(u8),
    Zone(String),
    Verdict(Verdict),
    Source(Prefix),
    Destination(Prefix),
    /// In lower case.
    Text(String),
}

/// A condition, or its negation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Term {
    pub is_negated: bool,
    pub test: Test,
}

/// Tests of text are last, since they cost most.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    pub terms: Vec<Term>,
}

impl Filter {
    /// The error says what is wrong with which term.
    pub fn parse(text: &str) -> Result<Filter, String> {
        if text.len() > MAX_LENGTH {
            return Err(format!("must be at most {MAX_LENGTH} bytes"));
        }
        let mut terms = Vec::new();
        for word in text.split_whitespace() {
            if terms.len() >= MAX_TERMS {
                return Err(format!("must have at most {MAX_TERMS} terms"));
            }
            let (is_negated, word) = word.strip_prefix('!').map_or((false, word), |rest| (true, rest));
            let test = test(word).map_err(|expected| format!("'{word}': {expected}"))?;
            terms.push(Term { is_negated, test });
        }
        terms.sort_unstable_by_key(|term| matches!(term.test, Test::Text(_)));
        Ok(Filter { terms })
    }

    /// Whether every event passes.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether its answers reveal more of addresses than masked answers show.
    pub fn reveals_addresses(&self) -> bool {
        let reveals = |test: &Test| matches!(test, Test::Source(_) | Test::Destination(_) | Test::Text(_));
        self.terms.iter().any(|term| reveals(&term.test))
    }
}

fn test(word: &str) -> Result<Test, String> {
    let (key, value) = word.split_once(':').unwrap_or(("", word));
    Ok(match key {
        "class" => Test::Class(
            Class::from_name(value).ok_or("expected attempt, backscatter, noise, egress or login")?,
        ),
        "port" => Test::Port(value.parse().map_err(|_| "expected a port from 0 to 65535")?),
        "protocol" => {
            let protocol = services::protocol_number(value);
            Test::Protocol(protocol.ok_or("expected a protocol such as tcp, udp or icmp")?)
        }
        "zone" if !value.is_empty() => Test::Zone(value.to_string()),
        "verdict" => {
            let verdict = Verdict::ALL.into_iter().find(|verdict| verdict.name() == value);
            Test::Verdict(verdict.ok_or("expected drop, reject or unknown")?)
        }
        "source" => Test::Source(Prefix::parse(value)?),
        "destination" => Test::Destination(Prefix::parse(value)?),
        // A word may contain a colon, such as an IPv6 address.
        _ if word.is_empty() => return Err("a word is missing".into()),
        _ => Test::Text(word.to_lowercase()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn terms_are_read_and_text_stands_last() {
        let filter =
            Filter::parse("Telnet !port:22 class:login zone:wan 2001:db8::1 !source:192.0.2.0/24").unwrap();
        let shown: Vec<String> = filter
            .terms
            .iter()
            .map(|term| format!("{}{:?}", if term.is_negated { "!" } else { "" }, term.test))
            .collect();
        assert_eq!(
            shown,
            [
                "!Port(22)",
                "Class(Login)",
                "Zone(\"wan\")",
                "!Source(Prefix { network: 192.0.2.0, length: 24 })",
                "Text(\"telnet\")",
                "Text(\"2001:db8::1\")",
            ]
        );
        assert!(Filter::parse("  ").unwrap().is_empty());
        assert!(
            Filter::parse("a").unwrap().reveals_addresses()
                && !Filter::parse("port:1").unwrap().reveals_addresses()
        );
    }

    #[test]
    fn wrong_terms_are_named() {
        for (text, wrong) in [
            ("port:x", "'port:x': expected a port from 0 to 65535"),
            ("!class:x", "'class:x': expected attempt, backscatter, noise, egress or login"),
            ("source:x", "'source:x': 'x' is no IPv4 or IPv6 address or prefix"),
            ("verdict:", "'verdict:': expected drop, reject or unknown"),
            ("a !", "'': a word is missing"),
            ("a b c d e f g h i", "must have at most 8 terms"),
        ] {
            assert_eq!(Filter::parse(text).unwrap_err(), wrong);
        }
        assert_eq!(Filter::parse(&"x".repeat(201)).unwrap_err(), "must be at most 200 bytes");
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,60}") {
            let _ = Filter::parse(&text);
        }
    }
}
