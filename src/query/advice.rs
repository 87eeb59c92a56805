//! Advice about known ports, in English and Japanese, from the installed file `advice.tsv`, so that the texts are not
//! part of the program. Its key is a column of `services.tsv`.
//!
//! ```text
//! telnet TAB English TAB Japanese TAB sources
//! ```

use super::Answer;
use super::answer::{AdviceRow, ServiceRow};
use super::question::Question;
use crate::event::protocol;
use crate::event::services::{self, protocol_name, protocol_number};

/// Reads the installed `advice.tsv`; called only if advice is needed. `None`: not installed.
pub type ReadAdvice = fn() -> Option<String>;

/// The advice about a port, if `text` (the file's) has it.
pub fn find(text: &str, protocol: u8, port: u16) -> Option<AdviceRow> {
    let key = services::look_up(protocol, port)?.advice;
    let mut fields =
        text.lines().map(|line| line.split('\t')).find(|fields| fields.clone().next() == Some(key))?;
    let mut next = || fields.next().map(str::to_string);
    next()?;
    let protocol = protocol_name(protocol).to_string();
    Some(AdviceRow { protocol, port, en: next()?, ja: next()?, sources: next()? })
}

/// Adds the advice about the port in the question, or about a source's most tried port.
pub fn add(question: &Question, answer: &mut Answer, read: ReadAdvice) {
    let some = |rows: Vec<AdviceRow>| Some(rows).filter(|rows| !rows.is_empty());
    match answer {
        Answer::Services(answer) => {
            let Some((port, text)) = question.port.and_then(|port| Some((port, read()?))) else { return };
            let asked = |protocol: &u8| question.protocol.is_none_or(|asked| asked == *protocol);
            let protocols = [protocol::TCP, protocol::UDP].into_iter().filter(asked);
            answer.advice = some(protocols.filter_map(|protocol| find(&text, protocol, port)).collect());
        }
        Answer::Source(answer) => {
            let Some(text) = read() else { return };
            answer.advice = some(of_rows(&text, answer.top_services.get(..1).unwrap_or_default()))
        }
        _ => {}
    }
}

/// The advice about the known ports among rows, each once.
pub fn of_rows(text: &str, rows: &[ServiceRow]) -> Vec<AdviceRow> {
    let mut found: Vec<AdviceRow> = Vec::new();
    for row in rows {
        let advice = protocol_number(&row.protocol).zip(row.port);
        let advice = advice.and_then(|(protocol, port)| find(text, protocol, port));
        found.extend(advice.filter(|advice| found.iter().all(|known| known.en != advice.en)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = include_str!("../../files/usr/share/fwstat/advice.tsv");

    #[test]
    fn every_known_port_has_advice_in_both_languages_with_sources() {
        let mut known = 0;
        for protocol in [protocol::TCP, protocol::UDP] {
            for port in (0..=u16::MAX).filter(|port| services::look_up(protocol, *port).is_some()) {
                let advice = find(TEXT, protocol, port).unwrap_or_else(|| panic!("{protocol} {port}"));
                assert!(
                    (60..=420).contains(&advice.en.len()) && advice.en.is_ascii(),
                    "{port}: {}",
                    advice.en
                );
                assert!((30..=200).contains(&advice.ja.chars().count()), "{port}: {}", advice.ja);
                assert!(advice.ja.ends_with('。') && advice.en.ends_with('.'), "{port}");
                assert!(advice.sources.len() >= 5, "{port}");
                known += 1;
            }
        }
        assert!(known >= 80);
    }

    #[test]
    fn every_line_is_an_advice_that_a_port_has() {
        for line in TEXT.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            assert_eq!(fields.len(), 4, "{line}");
            assert!(services::all().iter().any(|known| known.advice == fields[0]), "{line}");
        }
    }

    #[test]
    fn a_file_out_of_shape_has_no_advice() {
        for text in ["", "telnet", "telnet\ta\tb", "x\ta\tb\tc", "\t\t\t", "=\ttelnet\ta\tb\tc"] {
            assert!(find(text, protocol::TCP, 23).is_none(), "{text}");
        }
    }
}
