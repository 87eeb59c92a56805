//! The answer to `rules`: attempts by rule and by zone, and the inside destinations of forwarded ones. Takes months,
//! gives rows.

use std::cmp::Reverse;

use super::answer::{RuleRow, RulesAnswer, ServiceRow, TargetRow, ZoneRow};
use super::history::{MonthData, Need, Section};
use super::lists::{cut, rows, service_row};
use super::question::Question;
use super::scan::{Collect, Context, Reasons, Span};
use super::{Answer, AnswerError};
use crate::event::{Address, Service};
use crate::stats::rules::{self, RuleCount};
use crate::stats::sum::{Sum, Table};

/// Collects the answer to `rules`.
#[derive(Default)]
pub(super) struct RuleList {
    attempts: u64,
    rules: Vec<RuleCount>,
    targets: Table<(Service, Address)>,
}

impl RuleList {
    /// Adds what it needs to `need`.
    pub(super) fn new(question: &Question, need: &mut Need) -> RuleList {
        need.add(&[Section::Rules], Span::of(question));
        RuleList::default()
    }
}

impl Collect for RuleList {
    fn add(&mut self, question: &Question, data: &MonthData, reasons: &mut Reasons) {
        Span::of(question).pieces(data, reasons, |summary, _| {
            self.attempts = self.attempts.saturating_add(summary.attempts);
            rules::add_rows(&mut self.rules, &summary.rules);
            self.targets.add(&summary.targets, |_| true);
        });
    }

    fn finish(mut self: Box<Self>, context: &mut Context<'_>) -> Result<Answer, AnswerError> {
        let Context { question, reasons, .. } = context;
        rules::sort(&mut self.rules);
        let mut zones: Vec<ZoneRow> = Vec::new();
        for RuleCount { rule, attempts } in &self.rules {
            match zones.iter_mut().find(|row| row.zone.as_deref().unwrap_or_default() == rule.zone) {
                Some(row) => row.attempts = row.attempts.saturating_add(*attempts),
                None => zones.push(ZoneRow { zone: known(&rule.zone), attempts: *attempts }),
            }
        }
        zones.sort_by_key(|row| Reverse(row.attempts));
        let counted = zones.iter().fold(0, |sum: u64, row| sum.saturating_add(row.attempts));
        if self.attempts > counted {
            reasons.add(format!(
                "of {} attempts it is not known, or no longer kept, which rule logged them",
                self.attempts - counted
            ));
        }
        let shown =
            self.rules.iter().filter(|row| row.attempts >= question.min).take(question.limit as usize);
        let rule = |RuleCount { rule, attempts }: &RuleCount| RuleRow {
            prefix: rule.prefix.clone(),
            interface: known(&rule.interface),
            zone: known(&rule.zone),
            attempts: *attempts,
        };
        let rules = shown.map(rule).collect();
        self.targets.sort();
        let shown = cut(rows(&self.targets), "targets", self.targets.floor(), question, reasons);
        let target = |sum: Sum<(Service, Address)>| {
            let (service, address) = sum.key;
            let ServiceRow { protocol, port, name, attempts, error, .. } =
                service_row(service, sum.attempts, None, sum.error);
            TargetRow { address: address.to_string(), protocol, port, name, attempts, error }
        };
        let targets = shown.into_iter().map(target).collect();
        Ok(Answer::Rules(RulesAnswer { rules, zones, targets, ..RulesAnswer::default() }))
    }
}

fn known(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_string())
}
