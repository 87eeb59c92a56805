//! Commands that are executed in this process: questions about a store or log files, and exports.
//!
//! Takes validated arguments, writes text or JSON to standard output, gives sentences for standard error. Computes no
//! figure.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::Instant;

use serde_json::{Map, Value};

use crate::cli::arguments::{Backend, DEFAULT_CONFIG, DEFAULT_RUN, Format, Input, StoreOptions};
use crate::cli::fleet_export::{self, Range};
use crate::cli::{client, offline, upkeep};
use crate::daemon;
use crate::event::services;
use crate::event::{Class, Service};
use crate::input::file::Progress;
use crate::output::export::{self, ExportRow};
use crate::output::json;
use crate::output::month_report::{MonthReport, Wanted};
use crate::output::tables::{self, Report, Style, write_answer};
use crate::query::AnswerError;
use crate::query::history::{History, Need, Section};
use crate::query::open::WithOpenDays;
use crate::query::question::{Question, Topic};
use crate::query::record::Field;
use crate::store::Retention;
use crate::sys::installed;

/// The result of a command that gave an answer.
pub struct Outcome {
    /// Sentences for standard error; the command exits with 1.
    pub failures: Vec<String>,
    /// Sentences for standard error; the command exits with 0.
    pub notes: Vec<String>,
}

impl Outcome {
    /// No failures and no notes.
    pub fn fine() -> Outcome {
        Outcome::with_notes(Vec::new())
    }

    /// One failure.
    pub fn failed(sentence: String) -> Outcome {
        Outcome { failures: vec![sentence], notes: Vec::new() }
    }

    /// No failures.
    pub fn with_notes(notes: Vec<String>) -> Outcome {
        Outcome { failures: Vec::new(), notes }
    }
}

/// Why a command did not complete.
pub enum ShellError {
    /// A sentence with what failed, where and why.
    Failure(String),
    /// Writing the answer failed.
    Output(io::Error),
}

impl From<String> for ShellError {
    fn from(sentence: String) -> ShellError {
        ShellError::Failure(sentence)
    }
}

impl From<&str> for ShellError {
    fn from(sentence: &str) -> ShellError {
        ShellError::Failure(sentence.to_string())
    }
}

impl From<io::Error> for ShellError {
    fn from(error: io::Error) -> ShellError {
        ShellError::Output(error)
    }
}

impl From<AnswerError> for ShellError {
    fn from(error: AnswerError) -> ShellError {
        ShellError::Failure(error.to_string())
    }
}

/// The result of what a command does.
pub(super) type Result<T> = std::result::Result<T, ShellError>;

/// Reads, showing the progress on a terminal.
fn with_meter<T>(read: impl FnOnce(&mut dyn FnMut(Progress)) -> T) -> T {
    let (started, is_terminal) = (Instant::now(), io::stderr().is_terminal());
    let mut is_shown = false;
    let done = read(&mut |progress| {
        if !is_terminal || started.elapsed().as_millis() < 700 {
            return;
        }
        is_shown = true;
        let part = progress.total.filter(|total| *total > 0).map(|total| progress.done * 100 / total);
        let percent = part.map_or(String::new(), |percent| format!(", {percent} %"));
        // A closed terminal is no reason to stop.
        let _ = write!(io::stderr(), "\r\x1b[K{} lines{percent}", progress.lines);
    });
    if is_shown {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    done
}

/// The error of a program without the feature `files`.
fn reads_no_files<T>() -> Result<T> {
    Err("this build reads no log files: install the package fwstat-full, or use a PC".into())
}

/// Reads log files into a store and prints what became of the lines.
pub fn import(input: &Input, backend: &Backend, out: &mut dyn Write) -> Result<Outcome> {
    // Without the feature the compiler removes the code for files.
    if !cfg!(feature = "files") {
        return reads_no_files();
    }
    // Rows that retention drops cannot be restored, so it is the daemon's.
    let keep = match backend {
        Backend::Daemon { .. } => daemon::store::keep(&daemon::load(Path::new(DEFAULT_CONFIG), None).0),
        Backend::Store(_) => Retention::default(),
    };
    let run = Path::new(DEFAULT_RUN).join("state");
    let reading = upkeep::with_directory(backend, None, |directory| {
        Ok(with_meter(|progress| offline::import(input, directory, &run, keep, progress))?)
    });
    let offline::Reading { counts, failures, notes } = reading?;
    tables::input(&counts, out)?;
    Ok(Outcome { failures, notes })
}

/// Reads log files into memory and prints the tables.
pub fn report(input: &Input, question: &Question, as_json: bool, out: &mut dyn Write) -> Result<Outcome> {
    if !cfg!(feature = "files") {
        return reads_no_files();
    }
    let (reading, mut opened) = with_meter(|progress| offline::report(input, progress))?;
    let mut report = Report { input: reading.counts, ..Report::default() };
    for (topic, _) in Report::TOPICS {
        let mut question = Question { topic, ..question.clone() };
        if topic == Topic::Anomalies {
            // Anomalies are days of attempts, whatever else is asked for.
            question.class = Class::Attempt;
        }
        report.answers.push(opened.answer(&question)?);
    }
    if as_json {
        print_json(&report, out)?;
    } else {
        let mut style = Style::for_stdout();
        style.counted = tables::counted(question.class);
        tables::report(&report, &style, out)?;
    }
    Ok(Outcome { failures: reading.failures, notes: reading.notes })
}

/// Writes one line of JSON.
pub(super) fn print_json(answer: &dyn Field, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", json::text(answer))
}

/// Asks the daemon or a store, and prints the answer.
pub fn ask(
    question: &Question,
    arguments: Map<String, Value>,
    backend: &Backend,
    as_json: bool,
    out: &mut dyn Write,
) -> Result<Outcome> {
    let store = match backend {
        Backend::Daemon { ubus } => return client::ask(question.topic, arguments, ubus, as_json, out),
        Backend::Store(store) => store,
    };
    let mut opened = offline::open_store(store)?;
    let answer = opened.answer(question)?;
    if as_json {
        print_json(&answer, out)?
    } else {
        let style = Style { counted: tables::counted(question.class), ..Style::for_stdout() };
        write_answer(&answer, &style, out)?
    }
    Ok(Outcome::with_notes(opened.notes()))
}

/// The report of a month from the daemon or a store.
pub fn month(wanted: Wanted, backend: &Backend, out: &mut dyn Write) -> Result<Outcome> {
    let store = match backend {
        Backend::Daemon { ubus } => return client::month(wanted, ubus, out),
        Backend::Store(store) => store,
    };
    let mut opened = offline::open_store(store)?;
    let mut report = MonthReport::new(wanted);
    while let Some(question) = report.question() {
        report.take(opened.answer(&question))?;
    }
    report.write(installed::advice, out)?;
    Ok(Outcome::with_notes(opened.notes()))
}

/// Exports from the daemon or a store. `range`: of batches.
pub fn export(format: Format, range: &Range, backend: &Backend, out: &mut dyn Write) -> Result<Outcome> {
    match (format, backend) {
        (Format::Ndjson, Backend::Daemon { ubus }) => client::export_batches(ubus, range, out),
        (Format::Ndjson, Backend::Store(store)) => fleet_export::export(store, range, None, out),
        (Format::Prometheus, Backend::Daemon { ubus }) => client::metrics(ubus, out),
        (Format::Prometheus, Backend::Store(_)) => {
            Err("the prometheus format shows the running daemon's counters: leave out --db".into())
        }
        (_, Backend::Daemon { .. }) => {
            Err("json and csv export the stored days: name the store with --db, such as --db /etc/fwstat"
                .into())
        }
        (_, Backend::Store(store)) => export_days(format, store, out),
    }
}

/// Every service of every stored day, in all classes.
fn export_days(format: Format, store: &StoreOptions, out: &mut dyn Write) -> Result<Outcome> {
    let mut opened = offline::open_store(store)?;
    let (stored, open) = opened.days();
    let mut history = WithOpenDays { stored, open: &open };
    let mut rows = history.months().into_iter().flat_map(|month| export_month(&mut history, month));
    match format {
        Format::Csv => export::csv(&mut rows, out)?,
        _ => export::array(&mut rows, out)?,
    }
    drop(rows);
    let failures = opened.changed().into_iter().collect();
    // It has no countries.
    Ok(Outcome { failures, notes: opened.store_notes() })
}

fn export_month(history: &mut dyn History, month: crate::event::calendar::Month) -> Vec<ExportRow> {
    let mut rows = Vec::new();
    for class in Class::ALL {
        let need = Need::new(class).and(&[Section::Services], month.first_day(), month.last_day());
        for day in history.month(month, &need).days {
            rows.extend(day.summary.services.rows.iter().map(|row| ExportRow {
                date: day.date,
                class: class.name(),
                protocol: services::protocol_name(row.service.protocol).into_owned(),
                port: Service::has_ports(row.service.protocol).then_some(row.service.port),
                attempts: row.attempts,
                unique_sources: row.distinct.map(|distinct| distinct.number),
                error: row.error,
            }));
        }
    }
    rows.sort_by_key(|row| row.date);
    rows
}
