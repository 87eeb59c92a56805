use crate::event::small_map::SmallMap;

use super::super::anomaly_table::anomaly_sentence;
use super::super::golden::{golden, text};
use super::*;
use crate::event::calendar::{Date, Month};
use crate::event::services;

fn date(text: &str) -> Date {
    Date::parse(text).unwrap()
}

fn complete() -> Completeness {
    Completeness::from_reasons(&[])
}

fn incomplete(reason: &str) -> Completeness {
    Completeness::from_reasons(&[reason.to_string()])
}

const TERMINAL: Style = Style { width: 80, bars: true, colour: false, ..Style::PLAIN };

fn service_row(protocol: &'static str, port: Option<u16>, attempts: u64, error: u64) -> ServiceRow {
    let number = services::protocol_number(protocol).unwrap();
    let known = services::look_up(number, port.unwrap_or(0));
    let unique_sources = (error == 0).then_some(attempts / 7);
    ServiceRow {
        protocol: protocol.into(),
        port,
        name: known.map(|known| known.name.into()),
        wants: known.map(|known| known.wants.into()),
        attempts,
        unique_sources,
        error,
        ..ServiceRow::default()
    }
}

fn services_answer() -> ServicesAnswer {
    let services = vec![
        service_row("tcp", Some(23), 812_345, 0),
        service_row("udp", Some(1900), 92_890, 0),
        service_row("icmp", None, 4_321, 0),
        service_row("tcp", Some(61_616), 1_234, 17),
    ];
    ServicesAnswer { services, dates: None, advice: None, completeness: complete() }
}

fn source_row(address: &str, attempts: u64) -> SourceRow {
    SourceRow {
        address: address.into(),
        attempts,
        error: 0,
        services: Some(1),
        first_seen: Some("2020-04-06T13:02:11+09:00".into()),
        last_seen: Some("2020-04-06T17:59:58+09:00".into()),
        country: None,
        asn: None,
        blocked: None,
    }
}

fn sources_answer() -> SourcesAnswer {
    let bare =
        SourceRow { first_seen: None, last_seen: None, services: None, ..source_row("2001:db8::7", 1_000) };
    let sources = vec![source_row("203.0.113.9", 69_900), SourceRow { error: 40, ..bare }];
    SourcesAnswer { sources, completeness: incomplete("days before 2020-02-01 keep no sources") }
}

fn month(text: &str, days: u32, attempts: u64, usual: Option<(u64, f64, f64)>) -> MonthRow {
    MonthRow {
        unique_sources_error: None,
        month: Month::parse(text).unwrap(),
        days,
        attempts,
        attempts_per_day: attempts as f64 / f64::from(days),
        year_over_year: usual.map(|(_, _, ratio)| ratio * 2.7),
        anomalous: usual.map(|(cells, _, _)| cells),
        attempts_per_day_usual: usual.map(|(_, per_day, _)| per_day),
        year_over_year_usual: usual.map(|(_, _, ratio)| ratio),
        unique_sources: None,
    }
}

fn months_answer() -> MonthsAnswer {
    let months = vec![
        month("2019-04", 30, 95_200, None),
        month("2020-03", 31, 160_123, Some((0, 5_165.26, 1.6))),
        month("2020-04", 10, 147_790, Some((1, 5_490.04, 1.732))),
    ];
    MonthsAnswer { months, completeness: complete() }
}

fn hours_answer() -> HoursAnswer {
    let attempts = |hour| match hour {
        13 | 16 => 30_000,
        14 | 15 | 17 => 3_300,
        3 => 0,
        _ => 120 + u64::from(hour),
    };
    let hours = (0..24).map(|hour| HourRow { hour, attempts: attempts(hour) }).collect();
    HoursAnswer { hours, completeness: complete() }
}

fn days_answer() -> DaysAnswer {
    let day = |text, attempts, unique_sources| DayRow { date: date(text), attempts, unique_sources };
    let days = vec![
        day("2020-04-05", 5_480, Some(2_011)),
        day("2020-04-06", 98_321, Some(2_345)),
        day("2020-04-08", 12, None),
    ];
    DaysAnswer { days, completeness: complete() }
}

fn anomaly(
    text: &str,
    protocol: &'static str,
    port: Option<u16>,
    attempts: u64,
    expected: f64,
) -> AnomalyRow {
    let ServiceRow { name, .. } = service_row(protocol, port, 0, 0);
    let score = attempts as f64 / 10.0;
    AnomalyRow { date: date(text), protocol: protocol.into(), port, name, attempts, expected, score }
}

fn anomalies_answer() -> AnomaliesAnswer {
    let anomalies = vec![
        anomaly("2020-04-06", "udp", Some(1900), 92_890, 50.2),
        anomaly("2020-03-01", "icmp", None, 900, 3.25),
        anomaly("2019-12-24", "tcp", Some(61_616), 412, 0.0),
    ];
    AnomaliesAnswer { anomalies, completeness: complete() }
}

fn block_row() -> BlockRow {
    BlockRow {
        address: "203.0.113.9".into(),
        since: "2020-04-06T13:02:11+09:00".into(),
        expires: Some("2020-04-06T14:02:11+09:00".into()),
        reason: "200 attempts within 1m".into(),
        rule: "flood".into(),
        count: 1_200,
        window: "1m".into(),
        evidence: vec!["DROP IN=ppp0 SRC=203.0.113.9 \x1b[2J".into()],
        times: 2,
        first_seen: Some("2020-04-06T13:01:11+09:00".into()),
        last_seen: Some("2020-04-06T13:02:11+09:00".into()),
        last_address: None,
        services: vec!["tcp 23".into()],
        dropped: Some(41),
        dry: false,
        pending: false,
        kind: String::new(),
        warning: None,
    }
}

fn summary_answer() -> SummaryAnswer {
    SummaryAnswer {
        unique_sources_error: None,
        from: Some(date("2019-01-01")),
        to: Some(date("2020-04-10")),
        timezone: "JST-9".into(),
        days: 466,
        attempts: 1_712_345,
        attempts_per_day: Some(3_674.56),
        unique_sources: Some(210_987),
        change: Some(1.732),
        change_until_hour: None,
        classes: ClassCounts([1_712_345, 40_123, 5_021, 77, 0]),
        protocols: SmallMap::from_iter([
            ("icmp".into(), 9_000),
            ("tcp".into(), 1_500_345),
            ("udp".into(), 203_000),
        ]),
        services: services_answer().services,
        sources: sources_answer().sources,
        anomalies: anomalies_answer().anomalies,
        guard: None,
        exposure: None,
        anomalies_lately: Vec::new(),
        hours: None,
        before: None,
        usual_per_day: None,
        blocks: Some(BlockCounts { active: 3, today: 12 }),
        now: None,
        warnings: None,
        completeness: incomplete("no data for 2 days"),
    }
}

fn report_answer() -> Report {
    let answers = vec![
        Answer::Summary(SummaryAnswer { blocks: None, completeness: complete(), ..summary_answer() }),
        Answer::Months(months_answer()),
        Answer::Days(days_answer()),
        Answer::Services(services_answer()),
        Answer::Sources(sources_answer()),
        Answer::Anomalies(anomalies_answer()),
        Answer::Hours(hours_answer()),
        Answer::Rules(rules_answer()),
    ];
    Report {
        answers,
        input: InputCounts {
            lines: 1_800_000,
            events: 1_757_566,
            malformed: 3,
            duplicates: 1_200,
            skipped: 41_231,
            ..InputCounts::default()
        },
    }
}

#[test]
fn services_show_share_and_what_is_wanted() {
    golden("services", |out| {
        table(&Answer::Services(services_answer()), Some(1_712_345), &Style::PLAIN, out)
    });
    golden("services-terminal", |out| write_answer(&Answer::Services(services_answer()), &TERMINAL, out));
}

#[test]
fn packets_that_are_no_attempts_want_nothing() {
    let style = Style { counted: counted(Class::Egress), ..Style::PLAIN };
    let text = text(|out| write_answer(&Answer::Services(services_answer()), &style, out));
    assert!(text.contains("packets") && !text.contains("worms") && !text.contains("attempts"), "{text}");
}

#[test]
fn sources_show_what_was_not_measured_as_absent() {
    golden("sources", |out| write_answer(&Answer::Sources(sources_answer()), &Style::PLAIN, out));
}

#[test]
fn months_days_and_hours_have_bars_on_a_terminal() {
    golden("months", |out| write_answer(&Answer::Months(months_answer()), &Style::PLAIN, out));
    golden("months-terminal", |out| write_answer(&Answer::Months(months_answer()), &TERMINAL, out));
    golden("days-terminal", |out| write_answer(&Answer::Days(days_answer()), &TERMINAL, out));
    golden("hours-terminal", |out| write_answer(&Answer::Hours(hours_answer()), &TERMINAL, out));
    golden("hours-colour", |out| {
        write_answer(&Answer::Hours(hours_answer()), &Style { colour: true, ..TERMINAL }, out)
    });
}

#[test]
fn anomalies_begin_with_a_sentence() {
    golden("anomalies", |out| write_answer(&Answer::Anomalies(anomalies_answer()), &Style::PLAIN, out));
    let numbered = anomaly("2020-03-01", "47", None, 900, 3.25);
    assert_eq!(
        anomaly_sentence(&AnomalyRow { protocol: "200".into(), ..numbered }, &Style::PLAIN),
        "protocol 200: 900 attempts on 2020-03-01, usually about 3.2"
    );
}

fn rules_answer() -> RulesAnswer {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_string());
    let rule = |prefix: &str, interface: &str, zone: &str, attempts| RuleRow {
        prefix: prefix.into(),
        interface: text(interface),
        zone: text(zone),
        attempts,
    };
    let target =
        |address: &str, protocol: &'static str, port, name: &'static str, attempts, error| TargetRow {
            address: address.into(),
            protocol: protocol.into(),
            port,
            name: (!name.is_empty()).then(|| name.into()),
            attempts,
            error,
        };
    RulesAnswer {
        rules: vec![
            rule("reject wan in:", "pppoe-wan", "wan", 1_700_000),
            rule("drop \x1b[2Jsyn_flood:", "pppoe-wan", "wan", 12_300),
            rule("", "wg0", "", 45),
        ],
        zones: vec![ZoneRow { zone: text("wan"), attempts: 1_712_300 }, ZoneRow { zone: None, attempts: 45 }],
        targets: vec![
            target("192.168.1.10", "tcp", Some(22), "SSH", 310, 0),
            target("2001:db8:1::10", "icmpv6", None, "", 12, 3),
        ],
        completeness: complete(),
    }
}

#[test]
fn rules_zones_and_targets_are_rows() {
    golden("rules", |out| write_answer(&Answer::Rules(rules_answer()), &Style::PLAIN, out));
    let empty = RulesAnswer { completeness: complete(), ..RulesAnswer::default() };
    assert_eq!(
        text(|out| write_answer(&Answer::Rules(empty), &Style::PLAIN, out)),
        "no data: no rule fits\n"
    );
}

#[test]
fn countries_are_rows() {
    let row = |country: &str, attempts, unique_sources| CountryRow {
        country: country.into(),
        attempts,
        unique_sources,
        unique_sources_error: None,
    };
    let countries = vec![row("NL", 12_345, Some(321)), row("JP", 7, None)];
    let answer = CountriesAnswer { countries, completeness: complete() };
    golden("countries", |out| write_answer(&Answer::Countries(answer), &Style::PLAIN, out));
}

#[test]
fn networks_are_rows() {
    let row = |asn, name: Option<&str>, attempts, listed_sources| AsnRow {
        asn,
        name: name.map(String::from),
        attempts,
        unique_sources: None,
        listed_sources,
    };
    let asns = vec![
        row(Some(64_500), Some("Example \u{202e}\x1b[31mNet"), 12_345, 321),
        row(None, None, 17, 3),
        row(Some(4_200_000_001), None, 7, 1),
    ];
    let answer = AsnsAnswer { asns, covers: Some(0.734), completeness: incomplete("4,480 attempts") };
    golden("asns", |out| write_answer(&Answer::Asns(answer), &Style::PLAIN, out));
}

#[test]
fn one_source_is_told_in_full() {
    let top = ServiceRow {
        attempts: 69_900,
        unique_sources: None,
        unique_sources_error: None,
        error: 0,
        ..service_row("udp", Some(1900), 0, 0)
    };
    let answer = SourceAnswer {
        row: SourceRow {
            country: Some("NL".into()),
            asn: Some(64_500),
            blocked: Some(true),
            ..source_row("203.0.113.9", 69_900)
        },
        as_name: Some("EXAMPLE\x1b[31m <b>net</b>".into()),
        hours: hours_answer().hours.into_iter().filter(|row| row.hour >= 13 && row.hour <= 17).collect(),
        advice: None,
        top_services: vec![top],
        days: days_answer().days.into_iter().take(1).collect(),
        evidence: Some(vec!["DROP IN=ppp0 SRC=203.0.113.9 \x1b]0;title\x07\u{202e}".into()]),
        block: Some(Box::new(block_row())),
        completeness: complete(),
    };
    golden("source", |out| write_answer(&Answer::Source(answer), &Style::PLAIN, out));
}

#[test]
fn recent_events_are_one_line_each_and_harmless() {
    let row = EventRow {
        id: 1,
        time: "2020-04-06T13:02:11+09:00".into(),
        class: "attempt".into(),
        verdict: "drop".into(),
        zone: Some("wan\x1b[31m".into()),
        source: "203.0.113.9".into(),
        destination: "198.51.100.1".into(),
        protocol: "tcp".into(),
        source_port: Some(40_000),
        port: Some(23),
        length: 40,
        flags: Some("SYN".into()),
        line: "DROP\r\n\x1b[2J IN=ppp0 OUT= SRC=203.0.113.9 DST=198.51.100.1 PROTO=TCP DPT=23".into(),
    };
    let icmp = EventRow { protocol: "icmp".into(), port: None, flags: None, zone: None, ..row.clone() };
    let answer = RecentAnswer { events: vec![row, icmp], cursor: 1_234, completeness: complete() };
    golden("recent", |out| write_answer(&Answer::Recent(answer), &Style::PLAIN, out));
}

#[test]
fn blocks_show_their_evidence() {
    let BlockRow { address, since, expires, rule, count, window, times, .. } = block_row();
    let ended = expires.unwrap();
    let because = "by hand".into();
    let reason = "too <b>many</b>\x1b[2J".into();
    let over = EndedRow {
        address,
        since,
        ended,
        because,
        reason,
        rule,
        count,
        window,
        times,
        ..EndedRow::default()
    };
    let history = Some(vec![EndedRow { dry: true, ..over.clone() }, over]);
    let (blocks_in_force, completeness) = (vec![block_row()], complete());
    let answer = BlocksAnswer { blocks: blocks_in_force, history, completeness, ..BlocksAnswer::default() };
    golden("blocks", |out| write_answer(&Answer::Blocks(answer), &Style::PLAIN, out));
}

#[test]
fn a_summary_and_a_report_have_every_section() {
    golden("summary", |out| write_answer(&Answer::Summary(summary_answer()), &Style::PLAIN, out));
    golden("report", |out| report(&report_answer(), &Style::PLAIN, out));
    golden("report-terminal", |out| report(&report_answer(), &Style { width: 100, ..TERMINAL }, out));
}

#[test]
fn a_report_as_json_has_the_keys_of_the_sections() {
    let json = crate::output::json::text(&report_answer());
    let mut from = 0;
    for key in ["summary", "months", "days", "services", "sources", "anomalies", "hours", "input"] {
        let found = json[from..].find(&format!("\"{key}\":{{")).unwrap_or_else(|| panic!("{key}: {json}"));
        from += found;
    }
}

#[test]
fn an_empty_answer_says_so() {
    let completeness = incomplete("no country\ndatabase");
    let countries = CountriesAnswer { countries: vec![], completeness };
    assert_eq!(
        text(|out| write_answer(&Answer::Countries(countries), &Style::PLAIN, out)),
        "no data: no matching source\nincomplete: no country\\ndatabase\n"
    );
    let empty = SummaryAnswer {
        from: None,
        to: None,
        services: vec![],
        sources: vec![],
        anomalies: vec![],
        completeness: complete(),
        ..summary_answer()
    };
    assert_eq!(
        text(|out| write_answer(&Answer::Summary(empty), &Style::PLAIN, out)),
        "no data: nothing was counted\n"
    );
    let none = BlocksAnswer { completeness: complete(), ..BlocksAnswer::default() };
    assert_eq!(
        text(|out| write_answer(&Answer::Blocks(none), &Style::PLAIN, out)),
        "no data: nothing is blocked\n"
    );
}

#[test]
fn a_reader_that_went_away_is_an_error_of_its_kind() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let error = report(&report_answer(), &Style::PLAIN, &mut Gone).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}
