//! The report's content, section by section, for both forms. Takes answers, gives a [`Document`]; has no markup.

use super::super::cells::{self, about, count, mean, ratio, service_label};
use super::MonthReport;
use super::words::{self, Language};
use crate::query::answer::AdviceRow;

/// A report in its language.
pub(super) struct Document {
    pub language: Language,
    pub title: String,
    /// The month in a few sentences.
    pub headline: String,
    pub sections: Vec<Section>,
}

/// A heading with what is below it.
pub(super) struct Section {
    pub title: &'static str,
    /// Whether it has figures, which a printed page shows in two columns.
    pub is_figure: bool,
    pub parts: Vec<Part>,
}

/// A part of a section.
pub(super) enum Part {
    List(Vec<String>),
    Paragraph(String),
    /// A paragraph in small print.
    Note(String),
    Bars(Vec<Bar>),
    Table(Table),
    Advice(Vec<AdviceRow>),
}

/// A bar of a chart.
pub(super) struct Bar {
    pub name: String,
    /// The label below it.
    pub short: String,
    pub attempts: u64,
    pub is_anomalous: bool,
}

/// A table with as many cells in each row as there are columns.
pub(super) struct Table {
    pub columns: &'static [Column],
    pub rows: Vec<Vec<String>>,
}

/// A column: its heading, and for numbers their width in text, 0 for those that are in HTML only.
pub(super) type Column = (words::Text, Option<usize>);

const SERVICES: [Column; 4] = [
    (words::SERVICE, None),
    (words::ATTEMPTS, Some(11)),
    (words::SHARE, Some(7)),
    (words::DIFFERENT, Some(9)),
];
const COUNTRIES: [Column; 4] = [
    (words::COUNTRY, None),
    (words::ATTEMPTS, Some(11)),
    (words::SHARE, Some(0)),
    (words::DIFFERENT, Some(9)),
];
const SOURCES: [Column; 3] = [(words::ADDRESS, None), (words::COUNTRY, None), (words::ATTEMPTS, Some(11))];

impl Document {
    /// The document of a report whose questions are answered.
    pub(super) fn new(report: &MonthReport, advice: Vec<AdviceRow>) -> Document {
        let language = report.wanted.language;
        let title = format!("{}, {}", language.pick(words::TITLE), report.wanted.month);
        let mut document = Document { language, title, headline: headline(report), sections: Vec::new() };
        document.add_words(report);
        document.add_charts(report);
        document.add_tables(report);
        if !advice.is_empty() {
            document.add(words::ADVICE, false, vec![Part::Advice(advice)]);
        }
        document.add_notes(report);
        document
    }

    fn add(&mut self, title: words::Text, is_figure: bool, parts: Vec<Part>) {
        self.sections.push(Section { title: self.language.pick(title), is_figure, parts });
    }

    /// Adds the sections before the figures.
    fn add_words(&mut self, report: &MonthReport) {
        let MonthReport { findings, summary, .. } = report;
        let language = self.language;
        self.add(words::CHANGED, false, vec![Part::List(findings.changes(summary, language))]);
        let warnings = findings.warnings(report.wanted.month, summary, language);
        self.add(words::CARE, false, vec![Part::List(warnings)]);
        if let Some(blocked) = findings.blocked(language) {
            self.add(words::BLOCKED, false, vec![Part::List(blocked)]);
        }
        let anomalies = match summary.anomalies.as_slice() {
            [] => Part::Paragraph(language.pick(words::NONE).to_string()),
            rows => Part::List(rows.iter().map(|row| language.anomaly(row)).collect()),
        };
        self.add(words::ANOMALIES, false, vec![anomalies]);
    }

    fn add_charts(&mut self, report: &MonthReport) {
        let days = report.days.iter().map(|row| {
            let name = row.date.to_string();
            let is_anomalous = report.summary.anomalies.iter().any(|anomaly| anomaly.date == row.date);
            Bar { short: name[8..].to_string(), name, attempts: row.attempts, is_anomalous }
        });
        let hours = report.summary.hours.iter().flatten().map(|row| Bar {
            name: format!("{:02}:00", row.hour),
            short: row.hour.to_string(),
            attempts: row.attempts,
            is_anomalous: false,
        });
        for (title, bars) in [(words::DAYS, days.collect::<Vec<Bar>>()), (words::HOURS, hours.collect())] {
            if bars.iter().any(|bar| bar.attempts > 0) {
                self.add(title, true, vec![Part::Bars(bars)]);
            }
        }
    }

    fn add_tables(&mut self, report: &MonthReport) {
        let (language, total) = (self.language, report.summary.attempts);
        let figures = |name: String, attempts, sources, error| {
            vec![name, count(attempts), percent(attempts, total), about(sources, error)]
        };
        let rows = report.summary.services.iter().map(|row| {
            let service = service_label(&row.protocol, row.port, row.name.as_deref());
            figures(service, row.attempts, row.unique_sources, row.unique_sources_error)
        });
        let rows = rows.collect();
        self.add(words::SERVICES, true, vec![Part::Table(Table { columns: &SERVICES, rows })]);
        let countries = match &report.countries {
            Err(reason) => {
                let (absent, reason) = (language.pick(words::NO_COUNTRIES), language.sentences(reason));
                vec![Part::Paragraph(format!("{absent}: {reason}"))]
            }
            Ok(answer) => {
                let rows = answer.countries.iter().map(|row| {
                    let unknown = language.pick(words::UNKNOWN_COUNTRY);
                    let country = if row.country == "ZZ" { unknown } else { &row.country };
                    figures(country.into(), row.attempts, row.unique_sources, row.unique_sources_error)
                });
                let table = Part::Table(Table { columns: &COUNTRIES, rows: rows.collect() });
                let reason = answer.completeness.incomplete_because.as_ref();
                [table].into_iter().chain(reason.map(|reason| Part::Note(self.incomplete(reason)))).collect()
            }
        };
        self.add(words::COUNTRIES, true, countries);
        let rows = report.summary.sources.iter().map(|row| {
            let country = row.country.as_deref().filter(|code| *code != "ZZ").unwrap_or_default();
            vec![row.address.to_string(), country.to_string(), count(row.attempts)]
        });
        let rows = rows.collect();
        self.add(words::SOURCES, true, vec![Part::Table(Table { columns: &SOURCES, rows })]);
    }

    /// Adds the notes.
    fn add_notes(&mut self, report: &MonthReport) {
        let pick = |text| self.language.pick(text).to_string();
        let mut notes = vec![pick(words::REGISTRATION), pick(words::FORGED)];
        if !report.wanted.addresses {
            notes.push(pick(words::MASKED));
        }
        notes.extend(
            report.summary.completeness.incomplete_because.as_ref().map(|reason| self.incomplete(reason)),
        );
        self.add(words::NOTES, false, vec![Part::List(notes)]);
    }

    fn incomplete(&self, reason: &str) -> String {
        format!("{}: {}", self.language.pick(words::INCOMPLETE), self.language.sentences(reason))
    }

    /// The advice in the report's language.
    pub(super) fn advice<'a>(&self, row: &'a AdviceRow) -> &'a str {
        if self.language == Language::Japanese { &row.ja } else { &row.en }
    }
}

/// The month's figures in sentences.
fn headline(report: &MonthReport) -> String {
    let MonthReport { summary, month, before, .. } = report;
    let language = report.wanted.language;
    let sources =
        summary.unique_sources.map(|sources| language.say(words::HEADLINE_SOURCES, &[&count(sources)]));
    let per_day = mean(summary.attempts_per_day.unwrap_or(0.0));
    let parts = [&count(summary.attempts), &summary.days.to_string(), &per_day, &sources.unwrap_or_default()];
    let mut text = language.say(words::HEADLINE, &parts.map(String::as_str));
    let Some(month) = month else { return text };
    let before = before.as_ref().map(|row| row.attempts_per_day).filter(|before| *before > 0.0);
    let against_month = before.map(|before| month.attempts_per_day / before);
    for (sentence, compared) in
        [(words::AGAINST_MONTH, against_month), (words::AGAINST_YEAR, month.year_over_year)]
    {
        if compared.is_some() {
            let ratio = ratio(compared);
            text += &language.say(sentence, &[&ratio, ratio.trim_start_matches('x')]);
        }
    }
    let usual = month.anomalous.zip(month.attempts_per_day_usual);
    if let Some((cells, per_day)) = usual.filter(|(cells, _)| *cells > 0) {
        let sentence = if cells == 1 { words::WITHOUT_ONE } else { words::WITHOUT_SEVERAL };
        text += &language.say(sentence, &[&count(cells), &mean(per_day)]);
    }
    text
}

fn percent(part: u64, all: u64) -> String {
    if all == 0 { String::new() } else { cells::percent(part, all) }
}
