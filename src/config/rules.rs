//! UCI text of `/etc/config/firewall` -> the log prefixes of its rules and redirects, and their targets.
//!
//! Takes the text, gives named rules. Opens no file.
//!
//! fw4 logs the packets of a rule as `NAME: `, with its option `name` or else its section's name, of one without both as
//! `@rule[N]: `, or with the text of its option `log`; those of a redirect, which are accepted, in the same way.

use super::uci;
use super::values::is_word;
use crate::event::Verdict;
use crate::parse::interfaces::NamedRule;

/// Most rules that are read.
const MAX_RULES: usize = 1024;

/// The named rules and redirects that log. Bounded by [`MAX_RULES`].
pub fn parse(text: &str) -> Vec<NamedRule> {
    let (sections, _) = uci::parse(text);
    let (mut rules, mut numbers) = (Vec::new(), [0, 0]);
    for section in &sections {
        let value = |name: &str| section.value(name).map(str::trim);
        let number = match section.kind.as_str() {
            "rule" => &mut numbers[0],
            "redirect" => &mut numbers[1],
            _ => continue,
        };
        let unnamed = section.name.clone().unwrap_or_else(|| format!("@{}[{number}]", section.kind));
        *number += 1;
        let is = |word| is_word(word, value("target").unwrap_or_default());
        let refuses = match section.kind.as_str() {
            "redirect" => None,
            _ if is("accept") => None,
            _ if is("reject") => Some(Verdict::Reject),
            _ if is("drop") => Some(Verdict::Drop),
            // Marks and the like: another rule decides about the packet.
            _ => continue,
        };
        let name = value("name").unwrap_or(&unnamed);
        let is_flag =
            |log: &&str| matches!(*log, "" | "0" | "1" | "true" | "false" | "yes" | "no" | "on" | "off");
        let own = value("log").filter(|log| !is_flag(log));
        let prefix = own.map_or_else(|| format!("{name}:"), str::to_string);
        if rules.len() < MAX_RULES && !rules.iter().any(|rule: &NamedRule| rule.prefix == prefix) {
            rules.push(NamedRule { prefix, refuses });
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_and_redirects_by_their_log_prefix() {
        let text = "config defaults\n\toption input REJECT\n\
                    config rule\n\toption name 'Web'\n\toption target 'ACCEPT'\n\toption log '1'\n\
                    config rule\n\toption name 'Block-IoT'\n\toption target 'drop'\n\
                    config rule\n\toption target 'REJECT'\n\
                    config rule\n\toption target 'ACCEPT'\n\toption log 'ssh in: '\n\
                    config rule\n\toption name 'Mark'\n\toption target 'MARK'\n\
                    config redirect\n\toption name 'To-NAS'\n\toption target 'DNAT'\n\
                    config rule 'vpn'\n\toption target 'accept'\n\toption log 'on'\n\
                    config redirect\n\toption log 'off'\n";
        let read = parse(text);
        let rule = |prefix: &str, refuses| NamedRule { prefix: prefix.to_string(), refuses };
        assert_eq!(
            read,
            [
                rule("Web:", None),
                rule("Block-IoT:", Some(Verdict::Drop)),
                rule("@rule[2]:", Some(Verdict::Reject)),
                rule("ssh in:", None),
                rule("To-NAS:", None),
                rule("vpn:", None),
                rule("@redirect[1]:", None),
            ]
        );
    }

    #[test]
    fn a_huge_file_gives_a_bounded_list() {
        let text: String =
            (0..5000).map(|n| format!("config rule\n\toption name r{n}\n\toption target DROP\n")).collect();
        assert_eq!(parse(&text).len(), MAX_RULES);
    }
}
