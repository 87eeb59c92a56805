//! The answer to `rules` as text. Takes an answer, gives tables.

use std::io::{self, Write};

use super::cells::{ABSENT, count, count_with_error, plain, plain_or_absent};
use super::table_layout::{Filled, Style, Table, left, right, write_error_note};
use super::tables::{port, section};
use crate::query::answer::{RuleRow, RulesAnswer, TargetRow, ZoneRow};

/// Attempts by rule and by zone, and the destinations of forwarded ones.
pub(super) fn rules(answer: &RulesAnswer, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let zone = |zone: &Option<String>| plain_or_absent(zone.as_deref());
    let columns: &[Filled<'_, RuleRow>] = &[
        (left("log prefix").flexible(), &|row| match &*row.prefix {
            "" => ABSENT.to_string(),
            prefix => plain(prefix),
        }),
        (left("interface").optional(), &|row| plain_or_absent(row.interface.as_deref())),
        (left("zone").optional(), &|row| zone(&row.zone)),
        (right(style.counted), &|row| count(row.attempts)),
    ];
    Table::of(&answer.rules, columns).write_or("no rule fits", style, out)?;
    let has_rules = !answer.rules.is_empty();
    if has_rules && answer.zones.iter().any(|row| row.zone.is_some()) {
        section("Zones", style, out)?;
        let columns: &[Filled<'_, ZoneRow>] =
            &[(left("zone"), &|row| zone(&row.zone)), (right(style.counted), &|row| count(row.attempts))];
        Table::of(&answer.zones, columns).write(style, out)?;
    }
    if has_rules && !answer.targets.is_empty() {
        section("Forwarded to", style, out)?;
        let columns: &[Filled<'_, TargetRow>] = &[
            (left("address"), &|row| plain(&row.address)),
            (left("protocol"), &|row| plain(&row.protocol)),
            (right("port"), &|row| port(row.port)),
            (left("name").optional(), &|row| plain_or_absent(row.name.as_deref())),
            (right(style.counted), &|row| count_with_error(row.attempts, row.error)),
        ];
        Table::of(&answer.targets, columns).write(style, out)?;
        write_error_note(answer.targets.iter().map(|row| row.error), out)?;
    }
    Ok(())
}
