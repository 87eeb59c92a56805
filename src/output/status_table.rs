//! The answer to `status` as text.

use std::io::{self, Write};

use super::cells::{count, plain, time};
use super::input_notes;
use super::table_layout::{Filled, Style, Table, left, right};
use super::tables::{lines, section, section_of, yes_or_no};
use crate::query::answer::{CounterStatus, InputStatus, NotSeenRow, StatusAnswer};

/// The daemon's state, its inputs and counters, and warnings.
pub(super) fn status(answer: &StatusAnswer, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let StatusAnswer { clock, store, .. } = answer;
    writeln!(out, "fwstat {}, running for {}", plain(&answer.version), duration(answer.uptime))?;
    writeln!(out, "clock set   {}, time zone {}", yes_or_no(clock.set), plain(&clock.timezone))?;
    let outside = answer.outside.as_ref().map(|names| plain(&names.join(" ")));
    writeln!(out, "outside     {}", outside.as_deref().unwrap_or("guessed from their names"))?;
    writeln!(out, "store       {}: {}", plain(&store.path), plain(&store.state))?;
    let commit = time(store.last_commit.as_deref());
    writeln!(out, "flash       {} bytes, {} written today", count(store.bytes), count(store.written_today))?;
    writeln!(out, "committed   {commit}")?;
    if let Some(resident) = answer.memory.resident {
        writeln!(out, "memory      {} bytes", count(resident))?;
    }
    for (name, database) in [("countries", answer.countries.as_ref()), ("AS numbers", answer.asns.as_deref())]
    {
        let Some(database) = database else { continue };
        let date = database.date.map_or(String::new(), |date| format!(", data of {date}"));
        writeln!(out, "{name:<10}  {}: {}{date}", plain(&database.path), plain(&database.state))?;
    }
    let why = answer.guard.why.as_ref().map(|why| format!(": {}", plain(why))).unwrap_or_default();
    writeln!(out, "guard       {}{why}", plain(&answer.guard.state))?;
    if let Some(fleet) = answer.fleet.as_ref().filter(|fleet| fleet.enabled) {
        let number = |value: Option<u64>| count(value.unwrap_or(0));
        writeln!(
            out,
            "fleet       {}, last sent {}; batches: {} waiting, {} refused, {} dropped",
            plain(fleet.state.as_deref().unwrap_or("nothing sent yet")),
            time(fleet.last_sent.as_deref()),
            number(fleet.waiting),
            number(fleet.refused),
            number(fleet.dropped)
        )?;
    }
    section("Inputs", style, out)?;
    let columns: &[Filled<'_, InputStatus>] = &[
        (left("input"), &|row| plain(&row.name)),
        (right("received"), &|row| count(row.received)),
        (right("attempts"), &|row| count(row.attempts)),
        (right("malformed"), &|row| count(row.malformed)),
        (right("ignored"), &|row| count(row.ignored)),
        (right("duplicates"), &|row| count(row.duplicates)),
        (right("lost"), &|row| count(row.lost)),
        (left("last"), &|row| time(row.last.as_deref())),
        (left("state").flexible(), &|row| plain(&row.state)),
    ];
    Table::of(&answer.inputs, columns).write(style, out)?;
    for row in &answer.inputs {
        input_notes::uncounted(&row.skipped_because, out)?;
    }
    let rows = answer.counters.as_deref().unwrap_or_default();
    section_of("Firewall rules", rows, style, out, |rows, style, out| {
        let name = |row: &CounterStatus| match &row.zone {
            Some(zone) => format!("zone {}", plain(zone)),
            None => plain(row.place.as_deref().unwrap_or_default()),
        };
        let columns: &[Filled<'_, CounterStatus>] = &[
            (left("rule"), &name),
            (right("counted"), &|row| count(row.packets)),
            (right("received"), &|row| count(row.received)),
        ];
        Table::of(rows, columns).write(style, out)
    })?;
    let rows = answer.not_seen.as_deref().unwrap_or_default();
    section_of("Refused, but not seen one by one", rows, style, out, |rows, style, out| {
        let columns: &[Filled<'_, NotSeenRow>] = &[
            (left("place").flexible(), &|row| plain(&row.place)),
            (right("packets"), &|row| row.packets.map_or("not counted".to_string(), count)),
        ];
        Table::of(rows, columns).write(style, out)
    })?;
    section_of("Warnings", &answer.warnings, style, out, lines)
}

fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::answer::*;

    #[test]
    fn a_status_is_read_at_a_glance() {
        let input = |name: &str, state: &str| InputStatus {
            name: name.into(),
            state: state.into(),
            ..InputStatus::default()
        };
        let answer = StatusAnswer {
            version: "0.1.0".into(),
            uptime: 93_784,
            clock: ClockStatus { set: true, timezone: "JST-9".into() },
            outside: Some(vec!["pppoe-wan".into(), "wg0".into()]),
            inputs: vec![
                InputStatus {
                    received: 6000,
                    attempts: 5990,
                    last: Some("2026-09-12T21:46:20+09:00".into()),
                    ..input("nflog", "running")
                },
                input("logd", "no logd"),
            ],
            counters: Some(vec![CounterStatus {
                zone: Some("wan".into()),
                packets: 6000,
                received: 6000,
                ..CounterStatus::default()
            }]),
            store: StoreStatus { path: "/etc/fwstat".into(), state: "ok".into(), ..StoreStatus::default() },
            memory: MemoryStatus { resident: Some(5_242_880) },
            guard: GuardStatus { state: "off".into(), ..GuardStatus::default() },
            fleet: Some(FleetStatus {
                enabled: true,
                waiting: Some(3),
                dropped: Some(1),
                state: Some("waiting".into()),
                ..FleetStatus::default()
            }),
            warnings: vec!["look here".into()],
            completeness: Completeness::from_reasons(&[]),
            ..StatusAnswer::default()
        };
        let mut out = Vec::new();
        status(&answer, &Style::PLAIN, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        for part in [
            "fwstat 0.1.0, running for 1 d 2 h\n",
            "clock set   yes, time zone JST-9\n",
            "outside     pppoe-wan wg0\n",
            "store       /etc/fwstat: ok\n",
            "fleet       waiting, last sent -; batches: 3 waiting, 0 refused, 1 dropped\n",
            "nflog",
            "6,000",
            "no logd",
            "look here\n",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }
}
