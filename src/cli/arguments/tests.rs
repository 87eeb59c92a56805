use serde_json::json;

use super::*;
use crate::event::Class;
use crate::event::calendar::Date;
use crate::query::filter::Filter;

/// Words separated by blanks; `_` stands for a blank within a word.
fn parsed(line: &str) -> Result<Command, String> {
    let args: Vec<OsString> = line.split_whitespace().map(|word| word.replace('_', " ").into()).collect();
    parse(&args).map_err(|error| error.to_string())
}

fn daemon() -> Backend {
    Backend::Daemon { ubus: DEFAULT_UBUS.into() }
}

fn store(timezone: Option<&str>) -> Backend {
    let timezone = timezone.map(str::to_string);
    Backend::Store(StoreOptions { timezone, ..StoreOptions::of("/db".into()) })
}

fn input(files: &[&str]) -> Input {
    let files = files.iter().map(PathBuf::from).collect();
    Input {
        files,
        timezone: None,
        year: None,
        wan: vec![],
        lan: vec![],
        firewall: None,
        countries: DEFAULT_COUNTRIES.into(),
    }
}

#[test]
fn every_question_has_the_defaults_of_the_question() {
    for (topic, name) in Topic::ALL.iter().copied().filter(|(topic, _)| *topic != Topic::Source) {
        let ask = Command::Ask {
            question: Question::new(topic),
            arguments: Map::new(),
            backend: daemon(),
            json: false,
        };
        assert_eq!(parsed(name), Ok(ask));
    }
}

#[test]
fn every_option_of_a_question_is_understood_in_both_ways_of_writing() {
    let question = Question {
        topic: Topic::Services,
        from: Date::parse("2020-04-01"),
        to: Date::parse("2020-04-10"),
        class: Class::Egress,
        every_class: false,
        protocol: Some(6),
        port: Some(22),
        source: Some(Prefix::parse("192.0.2.0/24").unwrap()),
        country: Some(*b"JP"),
        min: 100,
        limit: 1000,
        cursor: 0,
        daily: false,
        running: None,
        filter: Filter::default(),
    };
    let asks = |line: &str| {
        let Ok(Command::Ask { question: asked, backend, json, .. }) = parsed(line) else { panic!("{line}") };
        assert_eq!((asked, backend, json), (question.clone(), store(Some("JST-9")), true));
    };
    let blanks = "services --from 2020-04-01 --to 2020-04-10 --class egress --protocol tcp --port 22 \
                  --source 192.0.2.0/24 --country jp --min 100 --limit 1000 --json --db /db --timezone JST-9";
    asks(blanks);
    let equals = "services --from=2020-04-01 --to=2020-04-10 --class=egress --protocol=6 --port=22 \
                  --source=192.0.2.0/24 --country=JP --min=100 --limit=1000 --json --db=/db --timezone=JST-9";
    asks(equals);
}

#[test]
fn a_port_alone_means_any_protocol() {
    let Ok(Command::Ask { question, .. }) = parsed("days --port 53") else { panic!() };
    assert_eq!((question.protocol, question.port), (None, Some(53)));
}

#[test]
fn the_source_question_takes_its_address() {
    let source = Some(Prefix::parse("2001:db8::7").unwrap());
    let question = Question { source, ..Question::new(Topic::Source) };
    for line in ["source 2001:db8::7 --json", "source --json 2001:DB8:0::7", "source --json -- 2001:db8::7"] {
        let Ok(Command::Ask { question: asked, backend, json, .. }) = parsed(line) else { panic!("{line}") };
        assert_eq!((asked, backend, json), (question.clone(), daemon(), true));
    }
}

#[test]
fn only_what_was_asked_goes_over_the_bus() {
    for (line, expected) in [
        ("summary --json", json!({})),
        (
            "hours --port 23 --protocol tcp --limit 5 --source 192.0.2.0/24 --from 2026-01-02 --class login",
            json!({"port": "23", "protocol": "tcp", "limit": "5", "source": "192.0.2.0/24",
                "from": "2026-01-02", "class": "login"}),
        ),
        ("recent --class all --filter port:22", json!({"class": "all", "filter": "port:22"})),
        ("source ::1", json!({"address": "::1"})),
    ] {
        let Ok(Command::Ask { arguments, .. }) = parsed(line) else { panic!("{line}") };
        assert_eq!(Value::Object(arguments), expected);
    }
}

#[test]
fn a_block_has_a_length_with_a_unit_or_lasts() {
    for text in ["90s", "10m", "1h", "7d", "forever"] {
        assert_eq!(block_length(text), Ok(text.to_string()));
    }
    for text in [
        "",
        "s",
        "90",
        "0h",
        "-1h",
        "1.5h",
        "1 h",
        "1w",
        "9\u{e9}",
        "999999999999999999999d",
        "213503982334602d",
        "ever",
    ] {
        assert!(block_length(text).is_err(), "{text}");
    }
}

#[test]
fn every_other_command_is_understood() {
    let target = Target::parse("192.0.2.7").unwrap();
    let ubus = PathBuf::from(DEFAULT_UBUS);
    let other = |path: &str| PathBuf::from(path);
    let year = Input {
        timezone: Some("UTC".into()),
        year: Some(2020),
        wan: vec!["ppp0".into(), "eth1".into()],
        ..input(&["a.gz", "-", "--odd"])
    };
    let month = crate::event::calendar::Month::parse("2020-04").unwrap();
    let wanted = Wanted { month, form: Form::Html, language: Language::Japanese, addresses: true };
    let first = crate::event::calendar::Date::parse("2020-04-01").unwrap();
    let source = Prefix::parse("192.0.2.7").unwrap();
    let (hour, reason) = (Some("1h".to_string()), Some("a b".to_string()));
    let cases = [
        ("import --db /db f", Command::Import { input: input(&["f"]), backend: store(None) }),
        (
            "import a.gz --wan ppp0 --year 2020 --wan=eth1 --timezone UTC --db=/db - -- --odd",
            Command::Import { input: year, backend: store(None) },
        ),
        ("import f", Command::Import { input: input(&["f"]), backend: daemon() }),
        ("backup f --json", Command::Backup { file: "f".into(), backend: daemon(), json: true }),
        ("backup - --db /db", Command::Backup { file: "-".into(), backend: store(None), json: false }),
        ("restore f", Command::Restore { file: "f".into(), backend: daemon(), json: false }),
        (
            "forget --before 2020-04-01 --db=/db",
            Command::Forget { scope: ForgetScope::Before(first), backend: store(None), json: false },
        ),
        (
            "forget --source 192.0.2.7",
            Command::Forget { scope: ForgetScope::Source(source), backend: daemon(), json: false },
        ),
        (
            "forget --json -- 192.0.2.7",
            Command::Forget { scope: ForgetScope::Source(source), backend: daemon(), json: true },
        ),
        (
            "report a b --json",
            Command::Report {
                input: input(&["a", "b"]),
                question: Question::new(Topic::Summary),
                json: true,
            },
        ),
        ("block 192.0.2.7", Command::Block { target, length: None, reason: None, ubus: ubus.clone() }),
        (
            "block 192.0.2.7 --for 1h --reason a_b",
            Command::Block { target, length: hour, reason, ubus: ubus.clone() },
        ),
        (
            "report --month 2020-04 --format html --lang ja --addresses --db /db",
            Command::MonthReport { wanted, backend: store(None) },
        ),
        (
            "report --month=2020-04",
            Command::MonthReport {
                wanted: Wanted { form: Form::Text, language: Language::English, addresses: false, ..wanted },
                backend: daemon(),
            },
        ),
        ("guard-test --ubus=/u 192.0.2.7", Command::GuardTest { target, ubus: other("/u") }),
        ("unblock --ubus=/u 192.0.2.7", Command::Unblock { target, ubus: other("/u") }),
        (
            "block CN --for forever",
            Command::Block {
                target: Target::Country(*b"CN"),
                length: Some("forever".into()),
                reason: None,
                ubus: ubus.clone(),
            },
        ),
        (
            "blocklist --import /l --for 2h",
            Command::BlockList {
                action: Action::Import("/l".into()),
                all: false,
                length: Some("2h".into()),
                ubus: ubus.clone(),
            },
        ),
        (
            "blocklist --all",
            Command::BlockList { action: Action::Print, all: true, length: None, ubus: ubus.clone() },
        ),
        (
            "allowlist --append /l",
            Command::AllowList { action: Action::Append("/l".into()), config: DEFAULT_CONFIG.into() },
        ),
        ("commit", Command::Commit { ubus: ubus.clone() }),
        ("notify --test", Command::TestNotify),
        (
            "check",
            Command::Check(DaemonPaths {
                config: DEFAULT_CONFIG.into(),
                ubus: ubus.clone(),
                run: DEFAULT_RUN.into(),
            }),
        ),
        (
            "export --format csv --db /db",
            Command::Export { format: Format::Csv, backend: store(None), range: Range::default() },
        ),
        (
            "export --format=prometheus",
            Command::Export { format: Format::Prometheus, backend: daemon(), range: Range::default() },
        ),
        (
            "export --format ndjson --from 2026-11-01",
            Command::Export {
                format: Format::Ndjson,
                backend: daemon(),
                range: Range { from: Date::parse("2026-11-01"), to: None },
            },
        ),
        (
            "daemon --config /c --ubus /u --run /r",
            Command::Daemon(DaemonPaths { config: other("/c"), ubus: other("/u"), run: other("/r") }),
        ),
        (
            "daemon",
            Command::Daemon(DaemonPaths { config: DEFAULT_CONFIG.into(), ubus, run: DEFAULT_RUN.into() }),
        ),
        ("--help", Command::Help(None)),
        ("help", Command::Help(None)),
        ("services --port x --help", Command::Help(options::find_command("services"))),
        ("help import", Command::Help(options::find_command("import"))),
        ("--version", Command::Version),
    ];
    for (line, command) in cases {
        assert_eq!(parsed(line), Ok(command), "{line}");
    }
}

#[test]
fn wrong_usage_is_named() {
    let cases = [
        ("", "no command is given; try 'fwstat --help'"),
        ("servics", "unknown command 'servics': did you mean 'services'?; try 'fwstat --help'"),
        ("anom", "unknown command 'anom': did you mean 'anomalies'?; try 'fwstat --help'"),
        ("frobnicate", "unknown command 'frobnicate'; try 'fwstat --help'"),
        ("--hlp", "unknown option '--hlp': did you mean '--help'?; try 'fwstat --help'"),
        ("days --port 70000", "--port: '70000' is not a port number (0 to 65535)"),
        ("days --port=-1", "--port: '-1' is not a port number (0 to 65535)"),
        ("days --port +1", "--port: '+1' is not a port number (0 to 65535)"),
        ("days --port=", "--port: '' is not a port number (0 to 65535)"),
        ("days --prot tcp", "unknown option '--prot': did you mean '--protocol'?"),
        ("days --form 2020-01-01", "unknown option '--form': did you mean '--from'?"),
        ("days --frobnicate", "unknown option '--frobnicate'"),
        ("days -port 22", "unknown option '-port': did you mean '--port'?"),
        ("days -p 22", "unknown option '-p'"),
        ("days --cursor 3", "'fwstat days' takes no option --cursor"),
        ("status --db /db", "'fwstat status' takes no option --db: it asks the running daemon"),
        ("days --port 1 --port 2", "--port is given twice"),
        ("days --port", "--port needs a value: N"),
        ("days --from --to 2020-01-01", "--from needs a value: DATE"),
        ("days --json=1", "--json takes no value"),
        ("days 22", "unexpected '22'"),
        ("days --from 2020-02-30", "--from: '2020-02-30' is not a date (YYYY-MM-DD, such as 2020-04-06)"),
        (
            "days --from 2020-04-02 --to 2020-04-01",
            "the range ends (2020-04-01) before it begins (2020-04-02)",
        ),
        ("days --limit 0", "--limit: '0' is not a number of rows (1 to 1000)"),
        ("days --limit 1001", "--limit: '1001' is not a number of rows (1 to 1000)"),
        ("days --min many", "--min: 'many' is not a whole number"),
        ("days --class all", "--class: 'all' is not a class (attempt, backscatter, noise, egress or login)"),
        (
            "days --protocol foo",
            "--protocol: 'foo' is not a protocol (tcp, udp, icmp, ... or a number from 0 to 255)",
        ),
        ("days --protocol icmp --port 8", "--port: protocol icmp has no ports"),
        (
            "days --source 10.0.0.0/33",
            "--source: '10.0.0.0/33': the prefix length must be a number from 0 to 32",
        ),
        ("days --country JPN", "--country: 'JPN' is not a country code (two letters, such as JP)"),
        ("days --db /db --ubus /u", "--db and --ubus: give one of them, a store or a daemon to ask"),
        ("days --db=", "--db needs a value: DIR"),
        ("days --timezone UTC", "--timezone goes with --db: the daemon answers in the router's own zone"),
        ("source", "no address is given: 'fwstat source ADDRESS'"),
        ("source 192.0.2.1 192.0.2.2", "unexpected '192.0.2.2': give one address"),
        ("source 192.0.2.0/24", "'192.0.2.0/24' is a prefix: give one address"),
        ("block host", "'host' is no IPv4 or IPv6 address or prefix"),
        ("block 0.0.0.0/33", "'0.0.0.0/33': the prefix length must be a number from 0 to 32"),
        ("blocklist --all --import /l", "--all goes with the blocks that there are, not with --import"),
        ("blocklist --for 1h", "--for goes with --import"),
        ("block 192.0.2.1 --for 1w", "--for: '1w' is not a length of time (such as 90s, 10m, 1h or 7d)"),
        ("import f --db /db --ubus /u", "--db and --ubus: give one of them, a store or a daemon"),
        ("backup", "no file is given: 'fwstat backup FILE'"),
        ("restore a b", "unexpected 'b': give one file"),
        ("forget", "give --before or --source: what to delete"),
        ("forget --before 2020-04-01 192.0.2.1", "--before and --source: give one of them"),
        ("forget --source 192.0.2.1 192.0.2.2", "--source and an address: give one of them"),
        // What the page may run ends with '-- *': no option can follow.
        ("forget --json -- 192.0.2.1 --db /db", "unexpected '--db': give one address"),
        ("forget --json -- --db=/db", "'--db=/db' is no IPv4 or IPv6 address or prefix"),
        ("forget --before 2020-04-01 --source 192.0.2.1", "--before and --source: give one of them"),
        (
            "report",
            "no log file is given: 'fwstat report FILE...', such as /var/log/messages, or - for standard input",
        ),
        ("report f --year 20", "--year: '20' is not a year (1970 to 9999)"),
        ("report f --wan a/b", "--wan: 'a/b' is not an interface name"),
        ("report f --month 2020-04", "unexpected 'f': give log files or --month"),
        ("report --month 2020-13", "--month: '2020-13' is not a month (YYYY-MM, such as 2020-04)"),
        ("report --month 2020-04 --lang fr", "--lang: 'fr' is not en or ja"),
        ("report --month 2020-04 --format pdf", "--format: 'pdf' is not text or html"),
        ("report --month 2020-04 --json", "--json goes with log files, not with --month"),
        ("report f --lang ja", "--lang goes with --month"),
        ("days --country-database /f", "--country-database goes with --db: the daemon has its own"),
        ("asns --as-database /f", "--as-database goes with --db: the daemon has its own"),
        ("export", "no format is given: add --format prometheus, json, csv or ndjson"),
        (
            "export --format csv --db /db --from 2026-11-01",
            "--from and --to go with --format ndjson: the other formats have no range",
        ),
        ("export --format xml", "--format: 'xml' is not prometheus, json, csv or ndjson"),
    ];
    for (line, sentence) in cases {
        let error = parsed(line).expect_err(line);
        let command = line.split(' ').next().unwrap();
        match options::find_command(command) {
            Some(_) => assert_eq!(error, format!("{sentence}; try 'fwstat {command} --help'")),
            None => assert_eq!(error, sentence),
        }
    }
}

#[test]
fn an_unknown_zone_is_wrong_usage() {
    let error = parsed("import --db /db --timezone Nowhere/At_All f").unwrap_err();
    assert!(error.starts_with("--timezone: unknown time zone 'Nowhere/At All'"), "{error}");
}

#[test]
fn bytes_that_are_no_text_are_fine_in_paths_only_and_never_reach_the_terminal() {
    use std::os::unix::ffi::OsStringExt;
    let odd = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let db = parse(&["days".into(), odd(b"--db=/\xff\x1b[2J")]).unwrap();
    let Command::Ask { backend: Backend::Store(StoreOptions { directory, .. }), .. } = db else { panic!() };
    assert_eq!(directory.into_os_string(), odd(b"/\xff\x1b[2J"));
    for args in [
        vec![odd(b"\x1b[2J\xff")],
        vec!["days".into(), odd(b"--port=\xff")],
        vec!["days".into(), odd(b"--port=\x1b[2J")],
        vec!["days".into(), odd(b"--\x1b[2J")],
        vec!["days".into(), odd(b"\x1b[2J")],
        vec!["export".into(), odd(b"--format=\x1b[2J")],
        vec!["source".into(), odd(b"\x1b[2J")],
        vec!["report".into(), "f".into(), odd(b"--wan=\x1b[2J")],
    ] {
        let error = parse(&args).unwrap_err().to_string();
        assert!(error.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{error:?}");
    }
}
