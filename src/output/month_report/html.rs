//! The report as one HTML file: inline SVG, no script, no external resource. Takes a [`Document`] and escapes all of
//! its text.

use std::fmt::Write;

use super::super::cells::{count, decimal};
use super::document::{Bar, Column, Document, Part, Section, Table};
use super::words;

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

/// Text escaped for HTML, without control characters.
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

/// The complete file.
pub(super) fn page(document: &Document) -> String {
    let title = escaped(&document.title);
    let mut page = String::new();
    put!(
        page,
        "<!DOCTYPE html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n<p>{}</p>\n",
        document.language.code(),
        escaped(&document.headline),
    );
    for of_kind in document.sections.chunk_by(|a, b| a.is_figure == b.is_figure) {
        let (begin, end) = match of_kind[0].is_figure {
            true => ("<section>\n", "</section>\n"),
            false => ("", ""),
        };
        page.push_str(if begin.is_empty() { "" } else { "<div class=\"grid\">\n" });
        for Section { title, parts, .. } in of_kind {
            put!(page, "{begin}<h2>{}</h2>\n", escaped(title));
            parts.iter().for_each(|part| put_part(&mut page, document, title, part));
            page.push_str(end);
        }
        page.push_str(if begin.is_empty() { "" } else { "</div>\n" });
    }
    put!(page, "<p class=\"small\">fwstat {}</p>\n</body>\n</html>\n", env!("CARGO_PKG_VERSION"));
    page
}

fn put_part(page: &mut String, document: &Document, title: &str, part: &Part) {
    match part {
        Part::List(items) => {
            page.push_str("<ul>\n");
            items.iter().for_each(|item| put!(page, "<li>{}</li>\n", escaped(item)));
            page.push_str("</ul>\n");
        }
        Part::Paragraph(text) => put!(page, "<p>{}</p>\n", escaped(text)),
        Part::Note(text) => put!(page, "<p class=\"small\">{}</p>\n", escaped(text)),
        Part::Bars(bars) => chart(page, title, bars),
        Part::Table(Table { columns, rows }) => {
            let heading = |(heading, _): &Column| document.language.pick(*heading).to_string();
            page.push_str("<table>\n");
            put_row(page, "th", columns, &columns.iter().map(heading).collect::<Vec<_>>());
            rows.iter().for_each(|row| put_row(page, "td", columns, row));
            page.push_str("</table>\n");
        }
        Part::Advice(rows) => rows.iter().for_each(|row| {
            put!(
                page,
                "<p><b>{} {}</b>: {} <span class=\"small\">{}: {}</span></p>\n",
                escaped(&row.protocol.to_ascii_uppercase()),
                row.port,
                escaped(document.advice(row)),
                document.language.pick(words::FROM),
                escaped(&row.sources),
            );
        }),
    }
}

fn put_row(page: &mut String, tag: &str, columns: &[Column], cells: &[String]) {
    page.push_str("<tr>");
    for ((_, width), text) in columns.iter().zip(cells) {
        let class = if width.is_some() { " class=\"n\"" } else { "" };
        put!(page, "<{tag}{class}>{}</{tag}>", escaped(text));
    }
    page.push_str("</tr>\n");
}

/// Bars over a line, in a picture of 720 x 190.
fn chart(page: &mut String, title: &str, bars: &[Bar]) {
    let most = bars.iter().map(|bar| bar.attempts).max().unwrap_or(0);
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
        let class = if bar.is_anomalous { " class=\"odd\"" } else { "" };
        put!(
            page,
            "<rect{class} x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\">\
             <title>{}: {}</title></rect>\n<text x=\"{}\" y=\"184\" text-anchor=\"middle\">{}</text>\n",
            decimal(at as f64 * step + step * 0.1, 1),
            decimal(170.0 - height, 1),
            decimal(step * 0.8, 1),
            decimal(height, 1),
            escaped(&bar.name),
            count(bar.attempts),
            decimal((at as f64 + 0.5) * step, 1),
            escaped(&bar.short),
        );
    }
    page.push_str("</svg>\n");
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
