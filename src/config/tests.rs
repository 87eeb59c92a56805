//! Whole configurations and what they come to.

use proptest::prelude::*;

use super::*;

#[test]
fn a_copy_is_shown_as_the_file_that_it_was_made_of() {
    assert_eq!(shown(Path::new("/var/run/fwstat/config/fwstat")), "/etc/config/fwstat");
    assert_eq!(shown(Path::new("/tmp/fwstat")), "/tmp/fwstat");
}

fn problems(text: &str) -> String {
    let (_, problems) = Config::parse("fwstat", text);
    let shown = |p: &Problem| format!("{}{}\n", if p.warning { "warning: " } else { "" }, p.sentence);
    problems.iter().map(shown).collect()
}

fn parsed(text: &str) -> Config {
    let (config, problems) = Config::parse("fwstat", text);
    assert_eq!(problems, vec![]);
    config
}

#[test]
fn no_file_means_the_defaults_of_the_table() {
    let config = parsed("");
    assert_eq!(config, Config::default());
    assert!(config.enabled && config.input.nflog && config.input.logd && !config.mask_sources);
    assert_eq!((config.nflog_group, config.keep_months, config.evidence), (32, 120, 200));
    assert_eq!(config.zone, ["wan"]);
    assert_eq!(config.database, "/etc/fwstat");
    assert_eq!(config.commit_interval, Duration::from_secs(3600));
    assert_eq!((config.keep_hours, config.keep_days), (2, 14));
    let guard = config.guard;
    assert_eq!(guard.mode, GuardMode::Off);
    assert_eq!(guard.limits.flood, Rate { count: 200, window_ms: 60_000 });
    assert_eq!(guard.limits.login, Rate { count: 5, window_ms: 600_000 });
    assert_eq!((guard.scope, guard.lengths.max_blocks, guard.allow.len()), (Scope::New, 4096, 0));
}

#[test]
fn every_default_is_in_its_own_range_and_every_row_has_a_meaning() {
    for row in OPTIONS {
        assert_eq!(row.kind.read(&mut Config::default(), row.default), Ok(()), "{}", row.name);
        assert!(row.meaning.len() > 15 && !row.meaning.ends_with('.'), "{}", row.name);
    }
}

#[test]
fn every_option_can_be_set() {
    let config = parsed(
        "config fwstat 'main'
            option enabled '0'
            option input 'logd'
            option nflog_group '65535'
            list zone 'wan'
            list zone 'wan6'
            list zone 'wan'
            option database '/mnt/sda1/fwstat'
            option commit_interval '90s'
            option keep_hours '3'
            option keep_days '20'
            option keep_months '12'
            option evidence '0'
            option country_database '/tmp/c.mmdb'
            option as_database '/mnt/asn.mmdb'
            option mask_sources 'yes'
        config guard 'guard'
            option enabled 'dry'
            option flood '7/10s'
            option scan '8/2h'
            option login '3/d'
            option block_for '10m'
            option block_cap '1d'
            option scope 'all'
            option budget '1/1s'
            option max_blocks '10'
            option allow '198.51.100.0/24 2001:db8::/32'
            list allow '192.0.2.1'
        config fleet
            option enabled '1'
            option url 'https://fleet.example.net/fwstat/v1/batch'
            option token_file '/etc/token'
            option sources 'hash'
            option hash_key 'a b'
            option spread '0'
            option keep '2d'
            option shared '1'",
    );
    let expected = "Config { enabled: false, input: Inputs { nflog: false, logd: true }, nflog_group: 65535, \
         zone: [\"wan\", \"wan6\"], database: \"/mnt/sda1/fwstat\", commit_interval: 90s, \
         keep_hours: 3, keep_days: 20, keep_months: 12, evidence: 0, \
         country_database: \"/tmp/c.mmdb\", as_database: \"/mnt/asn.mmdb\", mask_sources: true, watch_egress: false, guard: Settings { mode: Dry, \
         limits: Limits { flood: Limit { count: 7, window_ms: 10000 }, scan: Limit { count: 8, window_ms: 7200000 }, \
         login: Limit { count: 3, window_ms: 86400000 } }, lengths: Lengths { first_ms: 600000, cap_ms: 86400000, \
         max_blocks: 10 }, scope: All, budget: Limit { count: 1, window_ms: 1000 }, \
         allow: [Prefix { network: 198.51.100.0, length: 24 }, Prefix { network: 2001:db8::, length: 32 }, \
         Prefix { network: 192.0.2.1, length: 32 }] }, guard_refused: None, \
         fleet: Fleet { enabled: true, url: \"https://fleet.example.net/fwstat/v1/batch\", \
         token_file: \"/etc/token\", sources: Hash, hash_key: \"a b\", spread: 0ns, keep: 172800s, shared: true } }";
    assert_eq!(format!("{config:?}"), expected);
}

#[test]
fn what_becomes_an_argument_of_the_sender_is_plain() {
    for url in [
        "http://x",
        "https://",
        "https:///x",
        "https://x y",
        "https://x|y",
        "https://x`id`",
        "https://\u{e9}",
    ] {
        let problems = problems(&format!("config fleet\n\toption url \"{url}\"\n"));
        assert!(
            problems.contains("expected an https:// address of at most 512 characters"),
            "{url}: {problems}"
        );
    }
    let long = "x".repeat(129);
    for text in [format!("option hash_key '{long}'"), "option spread '2d'".into(), "option keep '1h'".into()]
    {
        assert_eq!(problems(&format!("config fleet\n\t{text}\n")).lines().count(), 1, "{text}");
    }
    assert_eq!(
        parsed(&format!("config fleet\n\toption hash_key '{}'\n", "é".repeat(128))).fleet.hash_key.len(),
        256
    );
    let config = parsed("config fwstat\n\toption mask_sources 1\nconfig fleet\n\toption enabled 1\n");
    assert_eq!((config.fleet.sources, config.fleet_sources()), (FleetSources::Address, FleetSources::Hash));
    assert_eq!(parsed("config fleet\n\toption sources none\n").fleet_sources(), FleetSources::None);
}

#[test]
fn a_mistake_discloses_no_address() {
    let text = "config fwstat\n\toption mask_sources 'ture'\nconfig fleet\n\toption sources 'hashed'\n";
    let (config, problems) = Config::parse("fwstat", text);
    assert_eq!((config.mask_sources, config.fleet.sources), (true, FleetSources::None));
    assert!(problems[0].sentence.ends_with("; using 1, so that no address is disclosed"));
    assert!(problems[1].sentence.ends_with("; using none, so that no address is disclosed"));
    assert_eq!(problems.len(), 2);
    // At a reload the values in use stay.
    let (again, problems) = Config::read("fwstat", text, Some(&Config::default()));
    assert_eq!((again.mask_sources, again.fleet.sources), (false, FleetSources::Address));
    assert!(problems.iter().all(|problem| problem.sentence.ends_with("; the value in use stays")));
}

#[test]
fn a_bad_value_is_named_with_its_line_and_what_follows() {
    let text = "config fwstat 'main'
        option enabled 'maybe'
        list input 'nflog'
        list input 'syslog'
        option nflog_group '65536'
        list zone 'wan\"; drop'
        option database '/mnt/my disk/fwstat'
        option commit_interval '5x'
        option keep_hours '60'
        option keep_months '-1'
        option country_database '/a/../b'
        option comit_interval '1h'
config other
config guard
        option flood '0/1m'
        option scan '30'
        option login '5/10y'
        option scope 'everything'
        option max_blocks '99999999999'
        list allow '198.51.100.0/33'
";
    let expected = "\
fwstat:2: option enabled 'maybe': expected 0 or 1; using the default 1
fwstat:4: option input 'syslog': expected some of nflog, logd; using the default nflog logd
fwstat:5: option nflog_group '65536': expected a number from 0 to 65535; using the default 32
fwstat:6: option zone 'wan\\\";': expected at most 16 names of firewall zones (letters, digits, _ and -); \
using the default wan
fwstat:7: option database '/mnt/my disk/fwstat': expected a path of letters, digits, . _ - and / that begins with / and has no '..' in it; \
using the default /etc/fwstat
fwstat:8: option commit_interval '5x': expected a duration from 1m to 7d (such as 90s, 10m, 1h, 7d); \
using the default 1h
fwstat:9: option keep_hours '60': expected a number from 2 to 6; using the default 2
fwstat:10: option keep_months '-1': expected a number from 1 to 600; using the default 120
fwstat:11: option country_database '/a/../b': expected a path of letters, digits, . _ - and / that begins with / and has no '..' in it; \
using the default /usr/share/fwstat/country.mmdb
warning: fwstat:12: option comit_interval '1h': unknown option in section 'fwstat' \
(did you mean commit_interval?); it is ignored
warning: fwstat:13: unknown section type 'other'; it is ignored
fwstat:15: option flood '0/1m': expected a rate such as 200/1m: 1 to 1000000 in 1s to 1d; \
the guard stays off
fwstat:16: option scan '30': expected a rate such as 200/1m: 1 to 1000 in 1s to 1d; \
the guard stays off
fwstat:17: option login '5/10y': expected a rate such as 200/1m: 1 to 1000000 in 1s to 1d; \
the guard stays off
fwstat:18: option scope 'everything': expected one of new, all; the guard stays off
fwstat:19: option max_blocks '99999999999': expected a number from 1 to 16384; the guard stays off
fwstat:20: option allow '198.51.100.0/33': expected at most 1024 addresses or prefixes such as \
198.51.100.0/24; the guard stays off
";
    assert_eq!(problems(text), expected);
    assert_eq!(Config::parse("fwstat", text).0, Config::default());
}

#[test]
fn anything_wrong_in_its_section_keeps_the_guard_off_and_says_why() {
    for bad in ["option flood 'x'", "list allow 'home'", "option block_cap '10s'", "option allow '10.0.0.0/8"]
    {
        let (config, problems) =
            Config::parse("fwstat", &format!("config guard\n option enabled 1\n {bad}\n"));
        assert_eq!(config.guard.mode, GuardMode::Off, "{bad}");
        assert_eq!(problems.len(), 1);
        assert_eq!(config.guard_refused, Some(problems[0].sentence.clone()));
    }
    // An unknown option is a warning: it takes nothing away.
    let (config, problems) = Config::parse("fwstat", "config guard\n option enabled 1\n option colour red\n");
    assert_eq!((config.guard.mode, config.guard_refused), (GuardMode::On, None));
    assert!(problems[0].warning);
    // Nobody asked for the guard: nothing is refused.
    let (config, _) = Config::parse("fwstat", "config guard\n option flood x\n");
    assert_eq!((config.guard.mode, config.guard_refused), (GuardMode::Off, None));
}

#[test]
fn the_first_blocks_length_must_fit_below_the_cap() {
    let expected = "fwstat:2: option block_cap '7d': expected at least block_for, which is 30d; \
                    the guard stays off\n";
    assert_eq!(problems("config guard\n option block_for 30d\n"), expected);
}

#[test]
fn the_last_of_an_option_given_twice_holds() {
    let config = parsed("config fwstat\n option evidence 1\n option evidence 2\n list evidence 3\n");
    assert_eq!(config.evidence, 3);
    let config = parsed("config fwstat\n list zone a\n list zone b\n option zone c\n list zone d\n");
    assert_eq!(config.zone, ["c", "d"]);
    // An empty value takes the option away.
    let config = parsed("config fwstat\n option evidence 1\n option evidence ''\n list input ''\n");
    assert_eq!(config, Config::default());
}

#[test]
fn a_line_that_cannot_be_read_keeps_the_rest() {
    let (config, problems) = Config::parse("fwstat", "config fwstat\n opt evidence 1\n option evidence 7");
    assert_eq!(config.evidence, 7);
    assert_eq!(
        problems[0].sentence,
        "fwstat:2: 'opt' is no UCI command (expected config, option or list); \
         the line is ignored and the guard stays off"
    );
}

#[test]
fn durations_are_shown_in_their_largest_unit() {
    for (seconds, text) in [(0, "0s"), (90, "90s"), (60, "1m"), (5400, "90m"), (3600, "1h"), (604_800, "7d")]
    {
        assert_eq!(duration_text(seconds), text);
    }
}

proptest! {
    #[test]
    fn any_value_gives_a_usable_configuration(value in "\\PC{0,30}", row in 0..OPTIONS.len()) {
        let (section, name) = (OPTIONS[row].section, OPTIONS[row].name);
        let quoted = value.replace('\'', "'\\''");
        let (config, problems) = Config::parse("f", &format!("config {section}\n option {name} '{quoted}'"));
        prop_assert!(problems.len() <= 1);
        prop_assert!(config.commit_interval >= Duration::from_secs(60));
        prop_assert!(!config.zone.is_empty());
        prop_assert!(config.database.starts_with('/'));
        prop_assert!(config.guard.lengths.cap_ms >= 10_000);
    }
}

#[test]
fn the_shipped_configuration_is_valid_has_every_option_and_changes_no_default() {
    let text = include_str!("../../files/etc/config/fwstat");
    let (config, problems) = Config::parse("files/etc/config/fwstat", text);
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(config, Config::default());
    for row in OPTIONS {
        let kind = if row.kind.is_list() { "list" } else { "option" };
        assert!(text.contains(&format!("{kind} {} '", row.name)), "{} is not in it", row.name);
    }
}

/// A reload with bad options, on top of what is in use.
#[test]
fn at_a_reload_bad_options_leave_what_is_in_use() {
    let before = parsed(
        "config fwstat 'main'\n option database '/mnt/x'\n option evidence '7'\n option nflog_group '40'\n\
         config guard 'guard'\n option enabled '1'\n option flood '10/1m'\n",
    );
    let again = |text: &str| {
        let (config, problems) = Config::read("fwstat", text, Some(&before));
        (config, problems.into_iter().map(|problem| problem.sentence).collect::<Vec<_>>())
    };
    let (config, problems) = again(
        "config fwstat 'main'\n option database 'x'\n option evidence '8'\n option nflog_group '99999\n\
         config guard 'guard'\n option enabled '1'\n option flood '20/1m'\n",
    );
    // The guard's own options are new; of `main` what is good is new, and what is bad as it was.
    assert_eq!((config.database.as_str(), config.evidence), ("/mnt/x", 8));
    assert_eq!((config.guard.mode, config.guard.limits.flood.count), (GuardMode::On, 20));
    assert_eq!(config.guard_refused, None);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].ends_with("; the value in use stays"), "{problems:?}");
    assert!(problems[1].ends_with("is opened and never closed; the line is ignored"), "{problems:?}");
    // An option that is gone has its default again.
    assert_eq!(config.nflog_group, 32);
    // A bad option of the guard leaves all of the guard as it was, and nothing else.
    let (config, problems) = again(
        "config fwstat 'main'\n option evidence '9'\nconfig guard 'guard'\n option enabled '0'\n option scan 'x'\n",
    );
    assert_eq!((config.guard.mode, config.guard.limits.flood.count, config.evidence), (GuardMode::On, 10, 9));
    assert!(config.guard_refused.as_ref().unwrap().ends_with("the guard stays as it was"), "{problems:?}");
    // So does a line that cannot be told to belong elsewhere.
    let (config, _) = again("config fwstat 'main'\nconifg guard 'guard'\n option enabled '0'\n");
    assert_eq!(config.guard.mode, GuardMode::On);
    // Everything good: nothing is left of the complaint.
    let (config, problems) = again("config guard 'guard'\n option enabled '1'\n");
    assert_eq!((config.guard.limits.flood.count, config.guard_refused, problems.len()), (200, None, 0));
}

#[test]
fn a_bad_option_of_main_does_not_switch_the_guard_off_at_the_start() {
    let text =
        "config fwstat 'main'\n option evidence 'x\n option database ''y'\nconfig guard\n option enabled 1\n";
    let (config, problems) = Config::parse("fwstat", text);
    assert_eq!(config.guard.mode, GuardMode::On, "{problems:?}");
    assert!(!problems.is_empty());
}

#[test]
fn problems_are_listed_up_to_a_bound_and_the_guard_stays_off_all_the_same() {
    for bad in ["option x y\n", "nonsense\n", "config x\n"] {
        let text = format!("config fwstat 'main'\n{}config guard\n option enabled 1\n", bad.repeat(50_000));
        let (_, problems) = Config::parse("fwstat", &text);
        assert!(problems.len() <= MAX_PROBLEMS + 1, "{bad} {}", problems.len());
        let last = &problems.last().unwrap().sentence;
        assert!(last.contains(" more problems; they are not listed"), "{bad} {last}");
    }
    let text = format!(
        "config guard\n option enabled 1\nconfig a\n{} config guard\n option scan x\n",
        "option x y\n".repeat(500)
    );
    let (config, _) = Config::parse("fwstat", &text);
    assert_eq!(config.guard.mode, GuardMode::Off);
    assert!(config.guard_refused.is_some());
}
