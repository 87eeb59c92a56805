//! The answer to `rules` as text.

use std::io::{self, Write};

use super::cells::{count, count_with_error, plain, plain_or_absent};
use super::table_layout::{Style, Table, left, right, write_error_note};
use super::tables::{completeness, no_data, port, section};
use crate::query::answer::RulesAnswer;

pub fn rules(answer: &RulesAnswer, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    if answer.rules.is_empty() {
        no_data("no rule fits", out)?;
        return completeness(&answer.completeness, style, out);
    }
    let mut table = Table::new(&[
        left("log prefix").flexible(),
        left("interface").optional(),
        left("zone").optional(),
        right(style.counted),
    ]);
    for row in &answer.rules {
        let (interface, zone) = (row.interface.as_deref(), row.zone.as_deref());
        let prefix = Some(&*row.prefix).filter(|prefix| !prefix.is_empty());
        table.row(vec![
            plain_or_absent(prefix),
            plain_or_absent(interface),
            plain_or_absent(zone),
            count(row.attempts),
        ]);
    }
    table.write(style, out)?;
    if answer.zones.iter().any(|row| row.zone.is_some()) {
        section("Zones", style, out)?;
        let mut table = Table::new(&[left("zone"), right(style.counted)]);
        for row in &answer.zones {
            table.row(vec![plain_or_absent(row.zone.as_deref()), count(row.attempts)]);
        }
        table.write(style, out)?;
    }
    if !answer.targets.is_empty() {
        section("Forwarded to", style, out)?;
        let mut table = Table::new(&[
            left("address"),
            left("protocol"),
            right("port"),
            left("name").optional(),
            right(style.counted),
        ]);
        for row in &answer.targets {
            table.row(vec![
                plain(&row.address),
                plain(&row.protocol),
                port(row.port),
                plain_or_absent(row.name.as_deref()),
                count_with_error(row.attempts, row.error),
            ]);
        }
        table.write(style, out)?;
        write_error_note(answer.targets.iter().map(|row| row.error), out)?;
    }
    completeness(&answer.completeness, style, out)
}
