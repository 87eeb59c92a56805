//! What the report says in words: what changed, what needs care, what was blocked.

use std::net::IpAddr;

use super::super::cells::count;
use super::words::Language;
use super::{Ask, ShellError, service};
use crate::event::Class;
use crate::event::calendar::Month;
use crate::live::open_day::mask;
use crate::query::Answer;
use crate::query::answer::{BlocksAnswer, MonthRow, ServiceRow, SourceRow, SummaryAnswer};
use crate::query::question::{MAX_LIMIT, Question, Topic};

/// Sentences of a list.
const MOST: usize = 5;
/// Smaller counts of a month are no change worth a sentence, and no device to look at.
const LEAST: u64 = 100;
/// The daemon remembers so many blocks that ended.
const REMEMBERED: usize = 64;

/// What a month is compared with, and what else is known of it.
#[derive(Default)]
pub(super) struct Findings {
    /// The services of the month before; `None` where it is not stored.
    before: Option<(Vec<ServiceRow>, bool)>,
    devices: Vec<SourceRow>,
    blocks: Option<BlocksAnswer>,
}

fn is_private(row: &SourceRow) -> bool {
    match row.address.parse() {
        Ok(IpAddr::V4(address)) => address.is_private(),
        Ok(IpAddr::V6(address)) => address.octets()[0] & 0xfe == 0xfc,
        Err(_) => false,
    }
}

impl Findings {
    /// `months`: the month and the one before, as far as they are stored.
    /// `addresses`: those of others, too, are shown whole.
    pub(super) fn gather(
        month: Month,
        months: &[MonthRow],
        addresses: bool,
        ask: Ask<'_>,
    ) -> Result<Findings, ShellError> {
        let mut findings = Findings::default();
        let before = Month(month.0 - 1);
        if months.iter().any(|row| row.month == before) {
            let question = Question {
                from: Some(before.first_day()),
                to: Some(before.last_day()),
                limit: MAX_LIMIT,
                ..Question::new(Topic::Services)
            };
            if let Answer::Services(answer) = ask(&question)? {
                findings.before = Some((answer.services, answer.completeness.complete));
            }
        }
        let question = Question {
            from: Some(month.first_day()),
            to: Some(month.last_day()),
            limit: MOST as u32,
            min: LEAST,
            class: Class::Egress,
            ..Question::new(Topic::Sources)
        };
        if let Answer::Sources(mut answer) = ask(&question)? {
            // A private address names nobody to others, and the device can be found by it.
            let (inside, others) = answer.sources.into_iter().partition(is_private);
            answer.sources = others;
            let mut others = Answer::Sources(answer);
            if !addresses {
                mask(&mut others);
            }
            findings.devices = inside;
            if let Answer::Sources(others) = others {
                findings.devices.extend(others.sources);
            }
        }
        // A store knows no blocks.
        if let Ok(Answer::Blocks(answer)) =
            ask(&Question { limit: MAX_LIMIT, ..Question::new(Topic::Blocks) })
        {
            findings.blocks = Some(answer);
        }
        Ok(findings)
    }

    /// Services that were tried at least twice as often as in the month before, or half as often; most attempts first.
    pub(super) fn changes(&self, summary: &SummaryAnswer, language: Language) -> Vec<String> {
        let Some((before, complete)) = &self.before else {
            return vec![
                language.pick("The month before is not stored.", "前月の記録はありません。").to_string(),
            ];
        };
        let mut changes = Vec::new();
        for row in &summary.services {
            let known = before.iter().find(|old| old.protocol == row.protocol && old.port == row.port);
            let old = match known {
                Some(known) => known.attempts,
                None if *complete => 0,
                None => continue,
            };
            let (most, least) = (row.attempts.max(old), row.attempts.min(old));
            if most >= LEAST && most / 2 >= least && changes.len() < MOST {
                let (name, new, old) = (service(row), count(row.attempts), count(old));
                changes.push(match language {
                    Language::English => format!("{name}: {new} attempts, {old} in the month before."),
                    Language::Japanese => format!("{name}：{new}回、前月は{old}回。"),
                });
            }
        }
        if changes.is_empty() {
            let same = language.pick(
                "No port was tried twice or half as often as in the month before.",
                "前月の2倍以上、または半分以下になったポートはありません。",
            );
            changes.push(same.to_string());
        }
        changes
    }

    /// Ports that are open and attacked, devices of the inside, failed logins.
    pub(super) fn cares(&self, month: Month, summary: &SummaryAnswer, language: Language) -> Vec<String> {
        let mut cares = Vec::new();
        let exposure = summary.exposure.iter().filter(|exposure| exposure.since.month() == month);
        for row in exposure.flat_map(|exposure| &exposure.ports).filter(|row| row.attempts > 0).take(MOST) {
            let (port, by, attempts) = (row.port, &row.by, count(row.attempts));
            let protocol = row.protocol.to_ascii_uppercase();
            cares.push(match language {
                Language::English => format!(
                    "Port {protocol} {port} is open to the Internet ({by}) and was tried {attempts} times: close it \
                     if nobody needs it."
                ),
                Language::Japanese => format!(
                    "ポート{protocol} {port}はインターネットに開いていて（{by}）、{attempts}回試されました。不要なら閉じてください。"
                ),
            });
        }
        for row in &self.devices {
            let (address, attempts) = (&*row.address, count(row.attempts));
            cares.push(match language {
                Language::English => format!(
                    "The device {address} tried {attempts} times to reach what the firewall refuses: look whether it \
                     is infected."
                ),
                Language::Japanese => format!(
                    "機器{address}は、拒否される接続を{attempts}回試みました。感染していないか確かめてください。"
                ),
            });
        }
        if summary.classes.login > 0 {
            let logins = count(summary.classes.login);
            cares.push(match language {
                Language::English => format!("Logins failed {logins} times: use keys instead of passwords."),
                Language::Japanese => {
                    format!("ログインの失敗が{logins}回ありました。パスワードではなく鍵を使ってください。")
                }
            });
        }
        if cares.is_empty() {
            let nothing = language.pick(
                "Nothing: no attacked port is open, as far as is known.",
                "ありません（分かっている範囲では、攻撃されて開いているポートはありません）。",
            );
            cares.push(nothing.to_string());
        }
        cares
    }

    /// Which blocks began in the month; `None` where that is not known.
    pub(super) fn blocked(&self, month: Month, language: Language) -> Option<String> {
        let blocks = self.blocks.as_ref()?;
        let (month, mut sources, mut rules) = (month.to_string(), Vec::new(), [0u64; 4]);
        let names = ["flood", "scan", "login", "manual"];
        let history = blocks.history.as_deref().unwrap_or_default();
        let ended = history.iter().map(|row| (&row.address, &row.since, &row.rule, row.dry));
        let active = blocks.blocks.iter().map(|row| (&row.address, &row.since, &row.rule, row.dry));
        for (address, since, rule, _) in active.chain(ended).filter(|(.., dry)| !dry) {
            if !since.starts_with(&month) {
                continue;
            }
            if !sources.contains(&address) {
                sources.push(address);
            }
            if let Some(at) = names.iter().position(|name| name == rule) {
                rules[at] += 1;
            }
        }
        let number = count(sources.len() as u64);
        let [flood, scan, login, manual] = rules.map(count);
        let at_least = history.len() >= REMEMBERED;
        Some(match language {
            Language::English if sources.is_empty() => "No source was blocked.".to_string(),
            Language::Japanese if sources.is_empty() => "ブロックした送信元はありません。".to_string(),
            Language::English => format!(
                "Blocked sources: {}{number} (floods {flood}, scans {scan}, failed logins {login}, by hand {manual}).",
                if at_least { "at least " } else { "" }
            ),
            Language::Japanese => format!(
                "{number}個{}の送信元をブロックしました（大量送信{flood}、スキャン{scan}、ログイン失敗{login}、手動{manual}）。",
                if at_least { "以上" } else { "" }
            ),
        })
    }
}
