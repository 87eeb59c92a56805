use super::*;

/// `year-month-day hour:minute:second offset`, and what follows.
fn read(text: &str) -> String {
    match stamp(text.as_bytes(), 0) {
        None => "none".to_string(),
        Some(s) => format!(
            "{}-{}-{} {}:{}:{} {} |{}",
            s.year.map_or("?".to_string(), |year| year.to_string()),
            s.month,
            s.day,
            s.hour,
            s.minute,
            s.second,
            s.offset.map_or("local".to_string(), |offset| offset.to_string()),
            &text[s.end..]
        ),
    }
}

#[test]
fn every_form_of_stamp() {
    for (text, expected) in [
        ("Mar 15 20:55:15 linux kernel:", "?-3-15 20:55:15 local | linux kernel:"),
        ("May  5 05:05:05 kernel: DROP", "?-5-5 5:5:5 local | kernel: DROP"),
        ("Mar 15 20:55:15.123 linux", "?-3-15 20:55:15 local | linux"),
        ("Mar 15 2026 20:55:15 linux", "2026-3-15 20:55:15 local | linux"),
        ("Mar 15 20:55:15 2026 linux", "2026-3-15 20:55:15 local | linux"),
        ("Mar 15 20:55:15 UTC linux", "?-3-15 20:55:15 local | UTC linux"),
        ("Sat Sep 12 21:46:20 2026 kern.warn", "2026-9-12 21:46:20 local | kern.warn"),
        ("Sat Sep  2 21:46:20 UTC 2026 x", "2026-9-2 21:46:20 0 | x"),
        ("[Sat Sep 12 21:46:20 2026] DROP", "2026-9-12 21:46:20 local | DROP"),
        ("2015-03-07T05:09:30.045015+02:00 h", "2015-3-7 5:9:30 7200 | h"),
        ("2015-03-07T05:09:30Z h", "2015-3-7 5:9:30 0 | h"),
        ("2015-03-07T05:09:30,045-0330 h", "2015-3-7 5:9:30 -12600 | h"),
        ("2015-03-07 05:09:30 h", "2015-3-7 5:9:30 local | h"),
        ("2015-03-07 05:09:30 UTC h", "2015-3-7 5:9:30 0 | h"),
        ("2015-03-07 05:09:30 +0900 h", "2015-3-7 5:9:30 32400 | h"),
        ("2015/03/07 05:09:30 NAS kernel:", "2015-3-7 5:9:30 local | NAS kernel:"),
        ("Sat 2026-09-12 21:46:20 JST host", "2026-9-12 21:46:20 local | host"),
        ("Okt 20 20:55:15 linux", "?-10-20 20:55:15 local | linux"),
        ("11月 20 20:55:15 linux", "?-11-20 20:55:15 local | linux"),
        ("Sa 2026-09-12 21:46:20 CEST host", "2026-9-12 21:46:20 local | host"),
        ("1795248000.123456 host", "2026-11-21 8:0:0 0 | host"),
        ("1795248000 host", "none"),
        ("Jun 30 23:59:60 host", "?-6-30 23:59:60 local | host"),
        ("Mar 15 24:55:15 linux", "none"),
        ("Mar 32 20:55:15 linux", "none"),
        ("March 15 20:55:15 linux", "?-3-15 20:55:15 local | linux"),
        ("Mar 15 20:55:15x", "none"),
        ("2015-13-07T05:09:30Z h", "none"),
        ("[Sat Sep 12 21:46:20 2026 DROP", "none"),
        ("", "none"),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn the_form_tells_the_writer() {
    for (text, expected) in [
        ("Sat Sep 12 21:46:20 2026 x", Writer::Logread),
        ("[Sat Sep 12 21:46:20 2026] x", Writer::Dmesg),
        ("Sat 2026-09-12 21:46:20 JST x", Writer::Syslog),
        ("Sep 12 21:46:20 2026 x", Writer::Syslog),
        ("[Nov 21, 2026, 9:00:00 AM GMT+1] x", Writer::LuciPage),
    ] {
        assert_eq!(stamp(text.as_bytes(), 0).unwrap().writer, expected, "{text}");
    }
}

#[test]
fn pve_firewall() {
    let read = pve(b"21/Nov/2026:09:00:00 +0100 policy DROP:", 0).unwrap();
    let of_unix = of_unix(1_795_248_000, 0).unwrap();
    assert_eq!((read.hour, read.offset, read.end), (9, Some(3600), 26));
    assert_eq!((of_unix.year, of_unix.month, of_unix.day, of_unix.hour), (Some(2026), 11, 21, 8));
    assert_eq!(pve(b"31/Feb/2026:09:00:00 +0100 policy DROP:", 0), None);
}

#[test]
fn uptimes() {
    for (text, expected) in [
        ("[119160.262669] DROP", Some((119_160_262_669, 16))),
        ("[    0.5] x", Some((500_000, 10))),
        ("[1.123456789]", Some((1_123_456, 13))),
        ("[119.262669][    C0] DROP", Some((119_262_669, 21))),
        ("[119.262669][T1234] DROP", Some((119_262_669, 20))),
        ("[  119.262669 <    0.000001>] DROP", Some((119_262_669, 30))),
        ("[  119.262669 <    0.000001 >] DROP", Some((119_262_669, 31))),
        ("[  119.262669 <x>] DROP", None),
        ("[UFW BLOCK] IN=", None),
        ("[119] x", None),
        ("[99999999999999999999.1] x", None),
    ] {
        assert_eq!(uptime(text.as_bytes(), 0), expected, "{text}");
    }
}

#[test]
fn days_that_do_not_exist_are_no_dates() {
    for text in ["2020-02-30T00:00:01Z x", "Feb 30 00:00:01 x", "2026-02-29 00:00:01 x", "Apr 31 00:00:01 x"]
    {
        assert_eq!(stamp(text.as_bytes(), 0), None, "{text}");
    }
    let leap = stamp(b"Feb 29 00:00:01 x", 0).unwrap();
    assert_eq!(leap.date_in(2024), Date::parse("2024-02-29"));
    assert_eq!(leap.date_in(2026), None);
}
