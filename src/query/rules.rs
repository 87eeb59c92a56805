//! The answer about the firewall's rules: attempts by rule and by zone, and what inside forwarded ones were aimed at.

use super::answer::{RuleRow, RulesAnswer, TargetRow, ZoneRow};
use super::history::{MonthData, Need, Section};
use super::lists::{LeftOut, MAX_ROWS, service_row};
use super::question::Question;
use super::scan::{Reasons, Span};
use crate::event::{Address, Service};
use crate::query::short::AddressText;
use crate::stats::rules::{self, RuleCount};
use crate::stats::sum::Table;

/// Collects the answer to `rules`.
pub(super) struct RuleList {
    question: Question,
    span: Span,
    attempts: u64,
    rules: Vec<RuleCount>,
    targets: Table<(Service, Address)>,
}

impl RuleList {
    pub(super) fn new(question: &Question) -> RuleList {
        RuleList {
            span: Span::of(question),
            question: question.clone(),
            attempts: 0,
            rules: Vec::new(),
            targets: Table::new(MAX_ROWS),
        }
    }

    /// The sections that the answer needs, added to those of `need`.
    pub(super) fn need(&self, need: Need) -> Need {
        need.and(&[Section::Rules], self.span.from, self.span.to)
    }

    /// Adds a month.
    pub(super) fn add(&mut self, data: &MonthData, reasons: &mut Reasons) {
        let RuleList { span, attempts, rules, targets, .. } = self;
        span.pieces(data, reasons, |summary, _| {
            *attempts = attempts.saturating_add(summary.attempts);
            rules::add_rows(rules, &summary.rules);
            targets.add_pairs(&summary.targets, |_, _| true);
        });
    }

    /// The answer, after the last month.
    pub(super) fn finish(mut self, mut reasons: Reasons) -> RulesAnswer {
        let question = &self.question;
        rules::sort(&mut self.rules);
        let mut zones: Vec<ZoneRow> = Vec::new();
        for RuleCount { rule, attempts } in &self.rules {
            match zones.iter_mut().find(|row| row.zone.as_deref().unwrap_or_default() == rule.zone) {
                Some(row) => row.attempts = row.attempts.saturating_add(*attempts),
                None => zones.push(ZoneRow { zone: known(&rule.zone), attempts: *attempts }),
            }
        }
        zones.sort_by_key(|row| std::cmp::Reverse(row.attempts));
        let counted = zones.iter().fold(0, |sum: u64, row| sum.saturating_add(row.attempts));
        if self.attempts > counted {
            reasons.add(format!(
                "of {} attempts it is not known, or no longer kept, which rule logged them",
                self.attempts - counted
            ));
        }
        let shown = |attempts: u64| attempts >= question.min;
        let rules = self.rules.iter().filter(|row| shown(row.attempts)).take(question.limit as usize);
        let rules = rules.map(|RuleCount { rule, attempts }| RuleRow {
            prefix: rule.prefix.clone(),
            interface: known(&rule.interface),
            zone: known(&rule.zone),
            attempts: *attempts,
        });
        let rules = rules.collect();
        self.targets.sort();
        let sums = self.targets.rows().iter().filter(|sum| shown(sum.attempts)).take(question.limit as usize);
        let mut missing = 0;
        let mut targets: Vec<TargetRow> = Vec::new();
        for sum in sums {
            missing = missing.max(self.targets.missing(sum));
            let service = service_row(sum.key.0, sum.attempts, None, sum.error);
            targets.push(TargetRow {
                address: AddressText::of(sum.key.1),
                protocol: service.protocol,
                port: service.port,
                name: service.name,
                attempts: sum.attempts,
                error: sum.error,
            });
        }
        let (last, floor) = (targets.last().map_or(0, |row| row.attempts), self.targets.floor());
        LeftOut { what: "targets", floor, missing }.explain(question, targets.len(), last, &mut reasons);
        RulesAnswer { rules, zones, targets, completeness: reasons.finish() }
    }
}

fn known(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_string())
}
