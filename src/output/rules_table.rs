//! The answer to `rules` as text. Takes an answer, gives tables.

use std::io::{self, Write};

use super::cells::{count, count_with_error, plain, plain_or_absent};
use super::table_layout::{Style, Table, left, right, write_error_note};
use super::tables::{completeness, port, section};
use crate::query::answer::RulesAnswer;

/// Attempts by rule and by zone, and the destinations of forwarded ones.
pub fn rules(answer: &RulesAnswer, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    Table::of(
        &answer.rules,
        &[
            (left("log prefix").flexible(), &|row| {
                plain_or_absent(Some(&*row.prefix).filter(|prefix| !prefix.is_empty()))
            }),
            (left("interface").optional(), &|row| plain_or_absent(row.interface.as_deref())),
            (left("zone").optional(), &|row| plain_or_absent(row.zone.as_deref())),
            (right(style.counted), &|row| count(row.attempts)),
        ],
    )
    .write_or("no rule fits", style, out)?;
    let has_rules = !answer.rules.is_empty();
    if has_rules && answer.zones.iter().any(|row| row.zone.is_some()) {
        section("Zones", style, out)?;
        Table::of(
            &answer.zones,
            &[
                (left("zone"), &|row| plain_or_absent(row.zone.as_deref())),
                (right(style.counted), &|row| count(row.attempts)),
            ],
        )
        .write(style, out)?;
    }
    if has_rules && !answer.targets.is_empty() {
        section("Forwarded to", style, out)?;
        Table::of(
            &answer.targets,
            &[
                (left("address"), &|row| plain(&row.address)),
                (left("protocol"), &|row| plain(&row.protocol)),
                (right("port"), &|row| port(row.port)),
                (left("name").optional(), &|row| plain_or_absent(row.name.as_deref())),
                (right(style.counted), &|row| count_with_error(row.attempts, row.error)),
            ],
        )
        .write(style, out)?;
        write_error_note(answer.targets.iter().map(|row| row.error), out)?;
    }
    completeness(&answer.completeness, style, out)
}
