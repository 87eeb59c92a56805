//! Today's figures and the inputs' health in Prometheus' text format (version 0.0.4).
//!
//! Takes answers, gives text. Source addresses are never labels, since the number of series would be unbounded.

use std::io::{self, Write};

use crate::event::Class;
use crate::event::small_map::SmallMap;
use crate::query::answer::{CounterStatus, InputStatus, ServicesAnswer, StatusAnswer, SummaryAnswer};
use crate::query::question::{Question, Topic};
use crate::query::{Answer, AnswerError};

/// Most services of each class.
const SERVICES: u32 = 20;

/// The answers that the metrics are made of, queried one after the other.
#[derive(Debug, Default)]
pub struct Metrics(Vec<Answer>);

impl Metrics {
    /// The next question; `None`: the metrics can be written.
    pub fn question(&self) -> Option<Question> {
        let services = |class| Question { class, limit: SERVICES, ..Question::new(Topic::Services) };
        match self.0.len() {
            0 => Some(Question::new(Topic::Summary)),
            1 => Some(services(Class::Attempt)),
            2 => Some(services(Class::Login)),
            3 => Some(Question::new(Topic::Status)),
            _ => None,
        }
    }

    /// Takes the answer to that question. An error is final.
    pub fn take(&mut self, answered: Result<Answer, AnswerError>) -> Result<(), AnswerError> {
        self.0.push(answered?);
        Ok(())
    }

    /// Writes the metrics, after all questions are answered.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let [
            Answer::Summary(summary),
            Answer::Services(attempts),
            Answer::Services(logins),
            Answer::Status(status),
        ] = &self.0[..]
        else {
            return Ok(());
        };
        write(summary, [(Class::Attempt, attempts), (Class::Login, logins)], status, out)
    }
}

fn write(
    summary: &SummaryAnswer,
    services: [(Class, &ServicesAnswer); 2],
    status: &StatusAnswer,
    out: &mut dyn Write,
) -> io::Result<()> {
    let StatusAnswer { inputs, store, clock, memory, .. } = status;
    let classes = summary.classes.by_name().map(|(class, count)| labelled("class", class, count));
    family("fwstat_events_today", "Events of the local day by class.", &classes, out)?;
    let protocols = named("protocol", &summary.protocols);
    family("fwstat_attempts_today", "Attempts of the local day by protocol.", &protocols, out)?;
    let mut rows: Vec<Row> = Vec::new();
    for (class, answer) in services {
        rows.extend(answer.services.iter().map(|row| {
            let labels = vec![
                ("class", class.name().to_string()),
                ("protocol", row.protocol.to_string()),
                ("port", row.port.map(|port| port.to_string()).unwrap_or_default()),
                ("name", row.name.as_deref().unwrap_or_default().to_string()),
            ];
            (labels, row.attempts)
        }));
    }
    family("fwstat_service_attempts_today", "The most tried services of the local day.", &rows, out)?;
    let help = "Different sources of the local day's attempts.";
    value("fwstat_unique_sources_today", help, summary.unique_sources, out)?;
    let of_inputs = |value: fn(&InputStatus) -> u64| -> Vec<Row> {
        inputs.iter().map(|input| labelled("input", &input.name, value(input))).collect()
    };
    let running = of_inputs(|input| u64::from(input.state == "running"));
    family("fwstat_input_up", "Whether the input runs.", &running, out)?;
    let mut rows: Vec<Row> = Vec::new();
    for input in inputs {
        for (state, count) in [
            ("received", input.received),
            ("attempts", input.attempts),
            ("malformed", input.malformed),
            ("ignored", input.ignored),
            ("duplicates", input.duplicates),
            ("lost", input.lost),
        ] {
            rows.push((vec![("input", input.name.clone()), ("state", state.to_string())], count));
        }
    }
    family("fwstat_input_packets_total", "Packets of an input by result.", &rows, out)?;
    let lost = of_inputs(|input| input.lost);
    family("fwstat_lost_total", "Events that an input lost since the start.", &lost, out)?;
    let version = [labelled("version", &status.version, 1)];
    family("fwstat_build_info", "The program's version.", &version, out)?;
    if let Some(totals) = &status.totals {
        let events = named("class", &totals.events);
        family("fwstat_events_total", "Events since the start by class.", &events, out)?;
        let service = |protocol: &str, port: String, attempts: u64| {
            (vec![("protocol", protocol.to_string()), ("port", port)], attempts)
        };
        let named_services = totals.services.iter();
        let mut rows: Vec<Row> =
            named_services.map(|row| service(&row.protocol, row.port.to_string(), row.attempts)).collect();
        rows.push(service("other", "other".to_string(), totals.other));
        let help = "Attempts since the start at services that have a name.";
        family("fwstat_service_attempts_total", help, &rows, out)?;
        let blocks = named("rule", &totals.blocks);
        family("fwstat_blocks_total", "Blocks begun since the start by rule.", &blocks, out)?;
    }
    if let Some(rows) = &status.counters {
        let row = |row: &CounterStatus| match &row.zone {
            Some(zone) => labelled("zone", zone, row.packets),
            None => labelled("place", row.place.as_deref().unwrap_or_default(), row.packets),
        };
        let rows: Vec<Row> = rows.iter().map(row).collect();
        family("fwstat_rule_packets_total", "Packets counted by fwstat's firewall rules.", &rows, out)?;
    }
    value("fwstat_clock_set", "Whether the wall clock is trusted.", Some(clock.set.into()), out)?;
    value("fwstat_store_bytes", "Size of the store.", Some(store.bytes), out)?;
    let help = "Bytes written to flash today.";
    value("fwstat_store_written_today_bytes", help, Some(store.written_today), out)?;
    let (help, ok) = ("Whether the statistics can be written to flash.", store.state == "ok");
    value("fwstat_store_ok", help, Some(ok.into()), out)?;
    value("fwstat_uptime_seconds", "Since the daemon started.", Some(status.uptime), out)?;
    if let Some(fleet) = status.fleet.as_ref().filter(|fleet| fleet.enabled) {
        value("fwstat_fleet_waiting", "Batches that wait for the fleet's server.", fleet.waiting, out)?;
        value("fwstat_fleet_refused", "Batches that the fleet's server refused.", fleet.refused, out)?;
        value("fwstat_fleet_dropped_total", "Batches that were never sent.", fleet.dropped, out)?;
    }
    value("fwstat_memory_resident_bytes", "Memory of the daemon.", memory.resident, out)
}

/// Labels and value.
type Row = (Vec<(&'static str, String)>, u64);

fn labelled(label: &'static str, value: &str, count: u64) -> Row {
    (vec![(label, value.to_string())], count)
}

fn named(label: &'static str, counts: &SmallMap<String, u64>) -> Vec<Row> {
    counts.iter().map(|(name, count)| labelled(label, name, *count)).collect()
}

/// One value without labels; nothing if it was not measured.
fn value(name: &str, help: &str, value: Option<u64>, out: &mut dyn Write) -> io::Result<()> {
    value.map_or(Ok(()), |value| family(name, help, &[(vec![], value)], out))
}

/// A metric; what only grows is named `_total`.
fn family(name: &str, help: &str, rows: &[Row], out: &mut dyn Write) -> io::Result<()> {
    let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")?;
    for (labels, value) in rows {
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        if labels.is_empty() {
            writeln!(out, "{name} {value}")?;
        } else {
            writeln!(out, "{name}{{{}}} {value}", labels.join(","))?;
        }
    }
    Ok(())
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_its_help_and_type_and_labels_are_escaped() {
        let mut out = Vec::new();
        let rows = [(vec![("zone", "a\"b\\c\nd".to_string())], 5), (vec![], 1)];
        family("x_total", "Some.", &rows, &mut out).unwrap();
        let expected =
            "# HELP x_total Some.\n# TYPE x_total counter\nx_total{zone=\"a\\\"b\\\\c\\nd\"} 5\nx_total 1\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
