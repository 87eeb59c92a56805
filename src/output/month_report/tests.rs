use super::super::golden::golden;
use super::*;
use crate::query::answer::{BlockRow, BlocksAnswer, EndedRow};
use crate::query::record::Record;
use crate::ubus::blob::fill;
use serde_json::json;

fn parse<T: Record + Default>(value: serde_json::Value) -> T {
    let mut record = T::default();
    fill(&mut record, value).unwrap();
    record
}

fn block(address: &str, since: &str) -> BlockRow {
    BlockRow { address: address.into(), since: since.into(), rule: "flood".into(), ..BlockRow::default() }
}

fn ended(address: &str, rule: &str, dry: bool) -> EndedRow {
    let since = "2020-04-02T00:00:00+09:00".into();
    EndedRow { address: address.into(), since, rule: rule.into(), dry, ..EndedRow::default() }
}

fn answer(question: &Question) -> Result<Answer, ShellError> {
    Ok(match question.topic {
        Topic::Summary => Answer::Summary(parse(json!({
            "from": "2020-04-01", "to": "2020-04-30", "timezone": "JST-9", "days": 30, "attempts": 200_000,
            "attempts_per_day": 6666.7, "unique_sources": 6412,
            "classes": {"attempt": 200_000, "backscatter": 0, "noise": 0, "egress": 0, "login": 0}, "protocols": {},
            "services": [
                {"protocol": "udp", "port": 1900, "name": "SSDP", "attempts": 92_900, "error": 0},
                {"protocol": "tcp", "port": 9, "name": "<script>alert(1)</script>", "attempts": 2, "error": 0}],
            "sources": [{"address": "180.188.7.9", "attempts": 50_000, "error": 0, "country": "JP"},
                        {"address": "2001:db8::7", "attempts": 4, "error": 0, "country": "ZZ"}],
            "anomalies": [], "exposure": {"since": "2020-04-01", "ports": [
                {"protocol": "tcp", "port": 22, "by": "rule '<b>ssh</b>'", "attempts": 720},
                {"protocol": "tcp", "port": 443, "by": "rule 'web'", "attempts": 0}]}, "complete": true}))),
        Topic::Months => {
            Answer::Months(parse(json!({"months": [{"month": "2020-03", "days": 31, "attempts": 100_000,
            "attempts_per_day": 3225.8, "anomalous": 0}, {"month": "2020-04", "days": 30, "attempts": 200_000,
            "attempts_per_day": 6666.7, "year_over_year": 1.732, "anomalous": 1, "attempts_per_day_usual": 3570.0}],
            "complete": true})))
        }
        Topic::Days => Answer::Days(parse(json!({"days": [{"date": "2020-04-05", "attempts": 3500},
            {"date": "2020-04-06", "attempts": 96_500}], "complete": true}))),
        Topic::Hours => {
            Answer::Hours(parse(json!({"hours": [{"hour": 0, "attempts": 9000}], "complete": true})))
        }
        Topic::Anomalies => {
            Answer::Anomalies(parse(json!({"anomalies": [{"date": "2020-04-06", "protocol": "udp",
            "port": 1900, "name": "SSDP", "attempts": 92_890, "expected": 13.0, "score": 9000.0}], "complete": true})))
        }
        Topic::Countries => Answer::Countries(parse(json!({"countries": [
            {"country": "CN", "attempts": 80_000, "unique_sources": 900, "unique_sources_error": 80},
            {"country": "ZZ", "attempts": 3, "unique_sources": 1}], "complete": true}))),
        Topic::Services => {
            assert_eq!(
                (question.from, question.limit),
                (crate::event::calendar::Date::parse("2020-03-01"), 1000)
            );
            Answer::Services(parse(json!({"services": [
                {"protocol": "udp", "port": 1900, "name": "SSDP", "attempts": 400, "error": 0}], "complete": true})))
        }
        Topic::Sources => {
            assert_eq!((question.class, question.min), (crate::event::Class::Egress, 100));
            Answer::Sources(parse(
                json!({"sources": [{"address": "192.168.1.7", "attempts": 1200, "error": 0}],
                "complete": true}),
            ))
        }
        Topic::Blocks => Answer::Blocks(BlocksAnswer {
            blocks: vec![
                block("203.0.113.5", "2020-05-01T00:00:00+09:00"),
                block("203.0.113.6", "2020-04-30T23:59:59+09:00"),
            ],
            history: Some(vec![
                ended("203.0.113.6", "login", false),
                // A dry run blocks nobody.
                ended("203.0.113.7", "scan", true),
            ]),
            ..BlocksAnswer::default()
        }),
        topic => panic!("{topic:?}"),
    })
}

fn advice(rows: &[ServiceRow]) -> Vec<AdviceRow> {
    crate::query::advice::of_rows(include_str!("../../../files/usr/share/fwstat/services.tsv"), rows)
}

fn report(form: Form, language: Language, addresses: bool) -> String {
    let wanted = Wanted { month: Month::parse("2020-04").unwrap(), form, language, addresses };
    let mut out = Vec::new();
    assert!(write(wanted, &mut answer, &advice, &mut out).is_ok());
    String::from_utf8(out).unwrap()
}

#[test]
fn the_report_is_as_written() {
    golden("month-report", |out| out.write_all(report(Form::Text, Language::English, false).as_bytes()));
    golden("month-report-ja", |out| out.write_all(report(Form::Text, Language::Japanese, false).as_bytes()));
    golden("month-report-html", |out| out.write_all(report(Form::Html, Language::English, false).as_bytes()));
}

#[test]
fn addresses_are_whole_only_where_that_is_asked_for() {
    for form in [Form::Text, Form::Html] {
        let masked = report(form, Language::Japanese, false);
        assert!(masked.contains("180.188.x.x") && !masked.contains("180.188.7.9"));
        assert!(report(form, Language::English, true).contains("180.188.7.9"));
    }
}

#[test]
fn the_report_begins_with_words() {
    let text = report(Form::Text, Language::English, false);
    for sentence in [
        "Against the month before: x2.07 a day. Against the same month a year ago: x1.73.",
        "UDP 1900 (SSDP): 92,900 attempts, 400 in the month before.",
        "Port TCP 22 is open to the Internet (rule '<b>ssh</b>') and was tried 720 times",
        "The device 192.168.1.7 tried 1,200 times to reach what the firewall refuses",
        "Blocked sources: 1 (floods 1, scans 0, failed logins 1, by hand 0).",
    ] {
        assert!(text.contains(sentence), "{sentence}\n{text}");
    }
    assert!(!text.contains("TCP 443 is open"));
    let page = report(Form::Html, Language::Japanese, false);
    let place = |word| page.find(word).unwrap_or_else(|| panic!("{word}\n{page}"));
    assert!(place("変わったこと") < place("注意が必要なこと") && place("注意が必要なこと") < place("<svg"));
    assert!(page.contains("rule &#39;&lt;b&gt;ssh&lt;/b&gt;&#39;") && page.contains("@media print"));
}

#[test]
fn nothing_in_an_answer_becomes_script_or_link() {
    let page = report(Form::Html, Language::English, true);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    for word in ["<script", "<a ", "href", "src=", "http:", "https:", "url("] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("UDP 1900 (SSDP): 92,890 attempts on 2020-04-06, usually about 13"));
}
