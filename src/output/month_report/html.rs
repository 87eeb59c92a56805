//! The report as one HTML file: pictures as inline SVG, no script, nothing fetched.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::super::cells::{about, count};
use super::{AdviceRow, MonthReport, percent, service};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:46em;margin:2em auto;padding:0 1em;color:#222;\
background:#fff}h1{font-size:1.5em}h2{font-size:1.1em;margin:1.6em 0 .4em;border-bottom:1px solid #ccc}table{border-\
collapse:collapse;width:100%}td,th{padding:.2em .6em .2em 0;text-align:left;border-bottom:1px solid #eee}.n{text-align:\
right;font-variant-numeric:tabular-nums}svg{width:100%;height:auto}rect{fill:#2f6fab}rect.odd{fill:#c0392b}text{font:\
11px system-ui,sans-serif;fill:#555}li{margin:.3em 0}.small{color:#666;font-size:.85em}@media screen and (prefers-color-scheme:\
dark){body{color:#ddd;background:#181818}text{fill:#aaa}td,th{border-color:#333}h2{border-color:#555}.small{color:#999}\
rect{fill:#5b9bd5}rect.odd{fill:#e06c5c}}@page{size:A4;margin:11mm}@media print{body{font-size:9px;line-height:1.3;\
max-width:none;margin:0;padding:0;color:#000}h1{font-size:15px;margin:0}h2{font-size:11px;margin:.8em 0 .2em;break-after:\
avoid}.grid{display:grid;grid-template-columns:1fr 1fr;gap:0 2em}section,svg,tr,li{break-inside:avoid}ul,p{margin:.3em 0}\
td,th{padding-top:0;padding-bottom:0}rect{print-color-adjust:exact;-webkit-print-color-adjust:exact}}";

pub(super) fn write(report: &MonthReport, advice: &[AdviceRow], out: &mut dyn Write) -> io::Result<()> {
    out.write_all(page(report, advice).as_bytes())
}

/// Text as HTML shows it; control characters are no text.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

/// Writing to a string cannot fail.
macro_rules! put {
    ($page:expr, $($part:tt)*) => {{ let _ = write!($page, $($part)*); }};
}

fn page(report: &MonthReport, advice: &[AdviceRow]) -> String {
    let language = report.wanted.language;
    let words = language.words();
    let title = escaped(&report.title());
    let mut page = String::new();
    put!(
        page,
        "<!DOCTYPE html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n<p>{}</p>\n",
        words.code,
        escaped(&report.headline()),
    );
    for (title, sentences) in report.in_words() {
        heading(&mut page, title);
        list(&mut page, sentences.into_iter());
    }
    heading(&mut page, words.anomalies);
    if report.anomalies.anomalies.is_empty() {
        put!(page, "<p>{}</p>\n", words.none);
    } else {
        let items = report.anomalies.anomalies.iter().map(|row| language.anomaly(row));
        list(&mut page, items);
    }
    page.push_str("<div class=\"grid\">\n");
    let odd = |date| report.anomalies.anomalies.iter().any(|row| row.date == date);
    let days: Vec<Bar> = report
        .days
        .iter()
        .map(|row| {
            let name = row.date.to_string();
            Bar { short: name[8..].to_string(), name, attempts: row.attempts, odd: odd(row.date) }
        })
        .collect();
    chart(&mut page, words.days, &days);
    let hours: Vec<Bar> = report
        .hours
        .iter()
        .map(|row| Bar {
            short: row.hour.to_string(),
            name: format!("{:02}:00", row.hour),
            attempts: row.attempts,
            odd: false,
        })
        .collect();
    chart(&mut page, words.hours, &hours);
    tables(&mut page, report);
    page.push_str("</div>\n");
    if !advice.is_empty() {
        heading(&mut page, words.advice);
    }
    for row in advice {
        put!(
            page,
            "<p><b>{} {}</b>: {} <span class=\"small\">{}: {}</span></p>\n",
            escaped(&row.protocol.to_ascii_uppercase()),
            row.port,
            escaped(report.advice_text(row)),
            words.from,
            escaped(&row.sources),
        );
    }
    heading(&mut page, words.notes);
    list(&mut page, report.notes().into_iter());
    put!(page, "<p class=\"small\">fwstat {}</p>\n</body>\n</html>\n", env!("CARGO_PKG_VERSION"));
    page
}

fn tables(page: &mut String, report: &MonthReport) {
    let words = report.wanted.language.words();
    let total = report.summary.attempts;
    page.push_str("<section>\n");
    heading(page, words.services);
    head(
        page,
        &[(words.service, false), (words.attempts, true), (words.share, true), (words.different, true)],
    );
    for row in &report.summary.services {
        let sources = about(row.unique_sources, row.unique_sources_error);
        let (attempts, share) = (count(row.attempts), percent(row.attempts, total));
        cells(page, &[(&service(row), false), (&attempts, true), (&share, true), (&sources, true)]);
    }
    page.push_str("</table>\n</section>\n<section>\n");
    heading(page, words.countries);
    match &report.countries {
        Err(reason) => {
            let reason = report.wanted.language.sentences(reason);
            put!(page, "<p>{}: {}</p>\n", words.no_countries, escaped(&reason));
        }
        Ok(countries) => {
            head(
                page,
                &[
                    (words.country, false),
                    (words.attempts, true),
                    (words.share, true),
                    (words.different, true),
                ],
            );
            for row in &countries.countries {
                let country = if row.country == "ZZ" { words.unknown_country } else { &row.country };
                let sources = about(row.unique_sources, row.unique_sources_error);
                let (attempts, share) = (count(row.attempts), percent(row.attempts, total));
                cells(page, &[(country, false), (&attempts, true), (&share, true), (&sources, true)]);
            }
            page.push_str("</table>\n");
            if let Some(reason) = &countries.completeness.incomplete_because {
                let reason = report.wanted.language.sentences(reason);
                put!(page, "<p class=\"small\">{}: {}</p>\n", words.incomplete, escaped(&reason));
            }
        }
    }
    page.push_str("</section>\n<section>\n");
    heading(page, words.sources);
    head(page, &[(words.address, false), (words.country, false), (words.attempts, true)]);
    for row in &report.summary.sources {
        let country = row.country.as_deref().filter(|code| *code != "ZZ").unwrap_or_default();
        cells(page, &[(&row.address, false), (country, false), (&count(row.attempts), true)]);
    }
    page.push_str("</table>\n</section>\n");
}

fn heading(page: &mut String, text: &str) {
    put!(page, "<h2>{}</h2>\n", escaped(text));
}

fn list(page: &mut String, items: impl Iterator<Item = String>) {
    page.push_str("<ul>\n");
    items.for_each(|item| put!(page, "<li>{}</li>\n", escaped(&item)));
    page.push_str("</ul>\n");
}

/// The cells of a row, each with whether it is a number.
fn row(page: &mut String, tag: &str, cells: &[(&str, bool)]) {
    page.push_str("<tr>");
    for (text, number) in cells {
        let class = if *number { " class=\"n\"" } else { "" };
        put!(page, "<{tag}{class}>{}</{tag}>", escaped(text));
    }
    page.push_str("</tr>\n");
}

fn head(page: &mut String, cells: &[(&str, bool)]) {
    page.push_str("<table>\n");
    row(page, "th", cells);
}

fn cells(page: &mut String, cells: &[(&str, bool)]) {
    row(page, "td", cells);
}

struct Bar {
    short: String,
    name: String,
    attempts: u64,
    odd: bool,
}

/// Bars over a line, in a picture of 720 x 190.
fn chart(page: &mut String, title: &str, bars: &[Bar]) {
    let most = bars.iter().map(|bar| bar.attempts).max().unwrap_or(0);
    if most == 0 {
        return;
    }
    page.push_str("<section>\n");
    heading(page, title);
    put!(
        page,
        "<svg viewBox=\"0 0 720 190\" role=\"img\" aria-label=\"{}\">\n\
         <text x=\"0\" y=\"12\">{}</text>\n<path d=\"M0 170h720\" stroke=\"#888\"/>\n",
        escaped(title),
        count(most),
    );
    let step = 720.0 / bars.len() as f64;
    for (at, bar) in bars.iter().enumerate() {
        let height = bar.attempts as f64 / most as f64 * 150.0;
        let class = if bar.odd { " class=\"odd\"" } else { "" };
        put!(
            page,
            "<rect{class} x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\">\
             <title>{}: {}</title></rect>\n<text x=\"{:.1}\" y=\"184\" text-anchor=\"middle\">{}</text>\n",
            at as f64 * step + step * 0.1,
            170.0 - height,
            step * 0.8,
            escaped(&bar.name),
            count(bar.attempts),
            (at as f64 + 0.5) * step,
            escaped(&bar.short),
        );
    }
    page.push_str("</svg>\n</section>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_markup() {
        assert_eq!(escaped("<a href='x'>\"&\u{1b}"), "&lt;a href=&#39;x&#39;&gt;&quot;&amp; ");
        for c in (0..=0x10_ffff).filter_map(char::from_u32) {
            let text = escaped(&c.to_string());
            assert!(!text.contains(['<', '>', '"', '\'']) && !text.chars().any(char::is_control));
        }
    }
}
