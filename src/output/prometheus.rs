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
    let classes = summary.classes.by_name().map(|(class, count)| labelled("class", class, count));
    family("fwstat_events_today", "gauge", "Events of the local day by class.", &classes, out)?;
    let protocols = named("protocol", &summary.protocols);
    family("fwstat_attempts_today", "gauge", "Attempts of the local day by protocol.", &protocols, out)?;
    let rows: Vec<Row> = services
        .into_iter()
        .flat_map(|(class, answer)| answer.services.iter().map(move |row| (class, row)))
        .map(|(class, row)| {
            let labels = vec![
                ("class", class.name().to_string()),
                ("protocol", row.protocol.to_string()),
                ("port", row.port.map(|port| port.to_string()).unwrap_or_default()),
                ("name", row.name.as_deref().unwrap_or_default().to_string()),
            ];
            (labels, row.attempts)
        })
        .collect();
    let help = "The most tried services of the local day.";
    family("fwstat_service_attempts_today", "gauge", help, &rows, out)?;
    let help = "Different sources of the local day's attempts.";
    gauge("fwstat_unique_sources_today", help, summary.unique_sources, out)?;
    inputs(status, out)?;
    totals(status, out)?;
    if let Some(rows) = &status.counters {
        let rows: Vec<Row> = rows.iter().map(rule_packets).collect();
        let help = "Packets counted by fwstat's firewall rules.";
        family("fwstat_rule_packets_total", "counter", help, &rows, out)?;
    }
    let StatusAnswer { store, clock, memory, .. } = status;
    let ok = u64::from(store.state == "ok");
    for (name, help, value) in [
        ("fwstat_clock_set", "Whether the wall clock is trusted.", u64::from(clock.set)),
        ("fwstat_store_bytes", "Size of the store.", store.bytes),
        ("fwstat_store_written_today_bytes", "Bytes written to flash today.", store.written_today),
        ("fwstat_store_ok", "Whether the statistics can be written to flash.", ok),
        ("fwstat_uptime_seconds", "Since the daemon started.", status.uptime),
    ] {
        gauge(name, help, Some(value), out)?;
    }
    if let Some(fleet) = status.fleet.as_ref().filter(|fleet| fleet.enabled) {
        for (name, kind, help, value) in [
            ("fwstat_fleet_waiting", "gauge", "Batches that wait for the fleet's server.", fleet.waiting),
            ("fwstat_fleet_refused", "gauge", "Batches that the fleet's server refused.", fleet.refused),
            ("fwstat_fleet_dropped_total", "counter", "Batches that were never sent.", fleet.dropped),
        ] {
            let rows: Vec<_> = value.map(|value| (vec![], value)).into_iter().collect();
            family(name, kind, help, &rows, out)?;
        }
    }
    gauge("fwstat_memory_resident_bytes", "Memory of the daemon.", memory.resident, out)
}

fn rule_packets(row: &CounterStatus) -> Row {
    match &row.zone {
        Some(zone) => labelled("zone", zone, row.packets),
        None => labelled("place", row.place.as_deref().unwrap_or_default(), row.packets),
    }
}

fn inputs(status: &StatusAnswer, out: &mut dyn Write) -> io::Result<()> {
    let running = |row: &InputStatus| labelled("input", &row.name, u64::from(row.state == "running"));
    let running: Vec<Row> = status.inputs.iter().map(running).collect();
    family("fwstat_input_up", "gauge", "Whether the input runs.", &running, out)?;
    let mut rows = Vec::new();
    for input in &status.inputs {
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
    family("fwstat_input_packets_total", "counter", "Packets of an input by result.", &rows, out)
}

/// Counters since the daemon's start.
fn totals(status: &StatusAnswer, out: &mut dyn Write) -> io::Result<()> {
    let lost: Vec<Row> =
        status.inputs.iter().map(|input| labelled("input", &input.name, input.lost)).collect();
    family("fwstat_lost_total", "counter", "Events that an input lost since the start.", &lost, out)?;
    let version = [labelled("version", &status.version, 1)];
    family("fwstat_build_info", "gauge", "The program's version.", &version, out)?;
    let Some(totals) = &status.totals else { return Ok(()) };
    let events = named("class", &totals.events);
    family("fwstat_events_total", "counter", "Events since the start by class.", &events, out)?;
    let service = |protocol: &str, port: String, attempts: u64| {
        (vec![("protocol", protocol.to_string()), ("port", port)], attempts)
    };
    let services = totals.services.iter();
    let mut rows: Vec<Row> =
        services.map(|row| service(&row.protocol, row.port.to_string(), row.attempts)).collect();
    rows.push(service("other", "other".to_string(), totals.other));
    let help = "Attempts since the start at services that have a name.";
    family("fwstat_service_attempts_total", "counter", help, &rows, out)?;
    let blocks = named("rule", &totals.blocks);
    family("fwstat_blocks_total", "counter", "Blocks begun since the start by rule.", &blocks, out)
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
fn gauge(name: &str, help: &str, value: Option<u64>, out: &mut dyn Write) -> io::Result<()> {
    value.map_or(Ok(()), |value| family(name, "gauge", help, &[(vec![], value)], out))
}

fn family(name: &str, kind: &str, help: &str, rows: &[Row], out: &mut dyn Write) -> io::Result<()> {
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
        family("x_total", "counter", "Some.", &rows, &mut out).unwrap();
        let expected =
            "# HELP x_total Some.\n# TYPE x_total counter\nx_total{zone=\"a\\\"b\\\\c\\nd\"} 5\nx_total 1\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
