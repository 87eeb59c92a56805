use super::super::golden::golden;
use super::*;
use crate::event::calendar::Date;
use crate::event::small_map::SmallMap;
use crate::query::answer::*;

fn date(text: &str) -> Date {
    Date::parse(text).unwrap()
}

fn complete() -> Completeness {
    Completeness::from_reasons(&[])
}

fn service_row(protocol: &'static str, port: u16, name: &'static str, attempts: u64) -> ServiceRow {
    ServiceRow {
        protocol: protocol.into(),
        port: Some(port),
        name: Some(name.into()),
        attempts,
        ..ServiceRow::default()
    }
}

fn source_row(address: &str, attempts: u64, country: Option<&str>) -> SourceRow {
    SourceRow { address: address.into(), attempts, country: country.map(Into::into), ..SourceRow::default() }
}

fn open_port(port: u16, by: &str, attempts: u64) -> ExposureRow {
    ExposureRow { protocol: "tcp".into(), port, by: by.into(), attempts, ..ExposureRow::default() }
}

fn summary() -> SummaryAnswer {
    SummaryAnswer {
        from: Some(date("2020-04-01")),
        to: Some(date("2020-04-30")),
        timezone: "JST-9".into(),
        days: 30,
        attempts: 200_000,
        attempts_per_day: Some(6666.7),
        unique_sources: Some(6412),
        classes: ClassCounts([200_000, 0, 0, 0, 0]),
        protocols: SmallMap::new(),
        services: vec![
            service_row("udp", 1900, "SSDP", 92_900),
            service_row("tcp", 9, "<script>alert(1)</script>", 2),
        ],
        sources: vec![
            source_row("180.188.7.9", 50_000, Some("JP")),
            source_row("2001:db8::7", 4, Some("ZZ")),
        ],
        anomalies: vec![AnomalyRow {
            date: date("2020-04-06"),
            protocol: "udp".into(),
            port: Some(1900),
            name: Some("SSDP".into()),
            attempts: 92_890,
            expected: 13.0,
            score: 9000.0,
        }],
        hours: Some(vec![HourRow { hour: 0, attempts: 9000 }]),
        exposure: Some(Exposure {
            since: date("2020-04-01"),
            ports: vec![open_port(22, "rule '<b>ssh</b>'", 720), open_port(443, "rule 'web'", 0)],
        }),
        completeness: complete(),
        ..SummaryAnswer::default()
    }
}

fn months() -> Vec<MonthRow> {
    let month = |text| Month::parse(text).unwrap();
    vec![
        MonthRow {
            month: month("2020-03"),
            days: 31,
            attempts: 100_000,
            attempts_per_day: 3225.8,
            anomalous: Some(0),
            ..MonthRow::default()
        },
        MonthRow {
            month: month("2020-04"),
            days: 30,
            attempts: 200_000,
            attempts_per_day: 6666.7,
            year_over_year: Some(1.732),
            anomalous: Some(1),
            attempts_per_day_usual: Some(3570.0),
            ..MonthRow::default()
        },
    ]
}

fn block(address: &str, since: &str) -> BlockRow {
    BlockRow { address: address.into(), since: since.into(), rule: "flood".into(), ..BlockRow::default() }
}

fn ended(address: &str, rule: &str, dry: bool) -> EndedRow {
    let since = "2020-04-02T00:00:00+09:00".into();
    EndedRow { address: address.into(), since, rule: rule.into(), dry, ..EndedRow::default() }
}

fn answer(question: &Question) -> Answer {
    let completeness = complete();
    match question.topic {
        Topic::Summary => Answer::Summary(summary()),
        Topic::Months => Answer::Months(MonthsAnswer { months: months(), completeness }),
        Topic::Days => {
            let day = |text, attempts| DayRow { date: date(text), attempts, unique_sources: None };
            let days = vec![day("2020-04-05", 3500), day("2020-04-06", 96_500)];
            Answer::Days(DaysAnswer { days, completeness })
        }
        Topic::Countries => {
            let row = |country: &str, attempts, sources, error| CountryRow {
                country: country.into(),
                attempts,
                unique_sources: Some(sources),
                unique_sources_error: error,
            };
            let countries = vec![row("CN", 80_000, 900, Some(80)), row("ZZ", 3, 1, None)];
            Answer::Countries(CountriesAnswer { countries, completeness })
        }
        Topic::Services => {
            assert_eq!((question.from, question.limit), (Some(date("2020-03-01")), 1000));
            let services = vec![service_row("udp", 1900, "SSDP", 400), service_row("tcp", 23, "Telnet", 9)];
            Answer::Services(ServicesAnswer { services, completeness, ..ServicesAnswer::default() })
        }
        Topic::Sources => {
            assert_eq!((question.class, question.min), (crate::event::Class::Egress, 100));
            let sources = vec![source_row("192.168.1.7", 1200, None)];
            Answer::Sources(SourcesAnswer { sources, completeness })
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
                EndedRow { kind: "network".into(), ..ended("198.51.100.0/24", "manual", false) },
                EndedRow { kind: "country".into(), ..ended("CN", "manual", false) },
                EndedRow { kind: "country".into(), ..ended("CN", "manual", false) },
            ]),
            ..BlocksAnswer::default()
        }),
        topic => panic!("{topic:?}"),
    }
}

fn services() -> Option<String> {
    Some(include_str!("../../../files/usr/share/fwstat/advice.tsv").into())
}

fn report(form: Form, language: Language, addresses: bool) -> String {
    let mut report =
        MonthReport::new(Wanted { month: Month::parse("2020-04").unwrap(), form, language, addresses });
    while let Some(question) = report.question() {
        report.take(Ok(answer(&question))).unwrap();
    }
    let mut out = Vec::new();
    report.write(services, &mut out).unwrap();
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
        "Blocked networks and countries: 2.",
    ] {
        assert!(text.contains(sentence), "{sentence}\n{text}");
    }
    assert!(!text.contains("TCP 443 is open"));
    let page = report(Form::Html, Language::Japanese, false);
    let place = |word| page.find(word).unwrap_or_else(|| panic!("{word}\n{page}"));
    assert!(place("変わったこと") < place("注意が必要なこと") && place("注意が必要なこと") < place("<svg"));
    assert!(page.contains("ルール「&lt;b&gt;ssh&lt;/b&gt;」") && page.contains("@media print"));
}

#[test]
fn reasons_are_in_the_reports_language() {
    let reason = "countries with up to 7 attempts can be missing or too low";
    let mut countries = match answer(&Question::new(Topic::Countries)) {
        Answer::Countries(countries) => countries,
        answer => panic!("{answer:?}"),
    };
    countries.completeness.add_reason(reason.into());
    let mut summary = summary();
    summary.completeness.add_reason("of 2020-04 only the whole month is stored, not its days".into());
    for (form, language) in [Form::Text, Form::Html]
        .into_iter()
        .flat_map(|form| [(form, Language::English), (form, Language::Japanese)])
    {
        let month = Month::parse("2020-04").unwrap();
        let mut report = MonthReport::new(Wanted { month, form, language, addresses: false });
        let mut write = |countries: Result<CountriesAnswer, String>| {
            (report.summary, report.countries) = (summary.clone(), countries);
            let mut out = Vec::new();
            report.write(services, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let (some, none) = (write(Ok(countries.clone())), write(Err("no country database".into())));
        let (is_english, is_japanese) = match language {
            Language::English => (true, false),
            Language::Japanese => (false, true),
        };
        for (text, english, japanese) in [
            (&some, reason, "試行が7回以下の国は欠けているか、少ない可能性があります"),
            (&some, "only the whole month is stored", "2020-04は月全体の集計のみが保存され"),
            (&none, ": no country database", "国データベースがインストールされていません"),
        ] {
            assert_eq!(
                (text.contains(english), text.contains(japanese)),
                (is_english, is_japanese),
                "{english}\n{text}"
            );
        }
    }
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
