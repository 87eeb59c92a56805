//! Rulesets of fw4's shape, as the JSON that nft prints of them.

use super::*;

const LOG: &str = r#"{"log": {"prefix": "x", "group": 32, "snaplen": 128}}"#;
const COUNT: &str = r#"{"counter": {"packets": 7, "bytes": 280}}"#;
const LIMIT: &str = r#"{"limit": {"rate": 25, "burst": 50, "per": "second", "inv": true}}"#;

fn rule(chain: &str, comment: &str, statements: &[&str]) -> String {
    let comment = if comment.is_empty() { String::new() } else { format!(r#""comment": "{comment}","#) };
    let statements = statements.join(", ");
    format!(
        r#"{{"rule": {{"family": "inet", "table": "fw4", "chain": "{chain}", {comment} "expr": [{statements}]}}}}"#
    )
}

fn jump(chain: &str) -> String {
    format!(r#"{{"jump": {{"target": "{chain}"}}}}"#)
}

/// What every ruleset of fw4 has: default forward REJECT, zone wan input REJECT and forward DROP.
fn fw4() -> Vec<String> {
    let chain = |name: &str, policy: &str| {
        format!(
            r#"{{"chain": {{"family": "inet", "table": "fw4", "name": "{name}", "type": "filter", "hook": "{name}",
            "prio": 0, "policy": "{policy}"}}}}"#
        )
    };
    vec![
        chain("input", "drop"),
        chain("forward", "drop"),
        chain("output", "accept"),
        rule(
            "syn_flood",
            "!fw4: Accept SYN packets below rate-limit",
            &[r#"{"limit": {"rate": 25, "burst": 50, "per": "second"}}"#, r#"{"return": null}"#],
        ),
        rule("syn_flood", "!fw4: Drop excess packets", &[r#"{"drop": null}"#]),
        rule("input", "", &[&jump("handle_reject")]),
        rule("forward", "", &[&jump("handle_reject")]),
        rule("output_wan", "!fw4: Output-drop", &[COUNT, &jump("drop_to_wan")]),
        rule("input_lan", "!fw4: Of another zone", &[COUNT, r#"{"drop": null}"#]),
        rule("reject_from_wan", "!fw4: reject wan IPv4/IPv6 traffic", &[COUNT, &jump("handle_reject")]),
        rule("drop_to_wan", "!fw4: drop wan IPv4/IPv6 traffic", &[COUNT, r#"{"drop": null}"#]),
    ]
}

/// Our rules, and behind them the ends of the zone's chains.
fn with_ours(input: &[&str], forward: &[&str], syn_flood: &[&str]) -> Vec<String> {
    let mut rules = fw4();
    rules.push(rule("input", "fwstat rule syn_flood", syn_flood));
    rules.push(rule("input_wan", "fwstat wan", input));
    rules.push(rule("input_wan", "", &[&jump("reject_from_wan")]));
    rules.push(rule("forward_wan", "fwstat wan", forward));
    rules.push(rule("forward_wan", "", &[&jump("drop_to_wan")]));
    rules
}

/// Parses rules, each given a unique handle as the kernel does.
fn read(rules: &[String]) -> Ruleset {
    let numbered = |(number, rule): (usize, &String)| {
        let (kind, object) = rule.split_once(": {").unwrap();
        format!(r#", {kind}: {{"handle": {}, {object}"#, number + 1)
    };
    let rules: String = rules.iter().enumerate().map(numbered).collect();
    Ruleset::read(format!(r#"{{"nftables": [{{"metainfo": {{}}}}{rules}]}}"#).as_bytes()).unwrap()
}

fn unseen(rules: &[String], logd: bool) -> Vec<(String, Option<u64>)> {
    let unseen = read(rules).unseen(&["wan".to_string()], Read { nflog: Some(32), logd });
    let packets = |unseen: &Unseen| unseen.packets.as_deref().map(sum_of);
    unseen.into_iter().map(|unseen| (unseen.place.clone(), packets(&unseen))).collect()
}

fn places(rows: &[(&str, Option<u64>)]) -> Vec<(String, Option<u64>)> {
    rows.iter().map(|(place, packets)| (place.to_string(), *packets)).collect()
}

#[test]
fn the_default_firewall_with_our_rules_has_no_place_that_is_not_seen() {
    assert_eq!(unseen(&with_ours(&[COUNT, LOG], &[COUNT, LOG], &[LIMIT, COUNT, LOG]), false), []);
}

#[test]
fn without_our_rules_every_refusing_place_is_named() {
    let mut rules = fw4();
    rules.push(rule("input_wan", "", &[&jump("reject_from_wan")]));
    rules.push(rule("forward_wan", "", &[&jump("drop_to_wan")]));
    let expected = places(&[
        ("the SYN flood protection (chain syn_flood)", None),
        ("the input policy of zone wan", None),
        ("forwarding from zone wan", None),
        ("the forward policy of zone wan for its own interfaces", Some(7)),
    ]);
    assert_eq!(unseen(&rules, true), expected);
}

#[test]
fn a_rule_that_only_counts_tells_a_sum_and_a_limit_of_other_numbers_tells_nothing() {
    let rules = with_ours(&[COUNT], &[COUNT, LOG], &[LIMIT, COUNT]);
    let sums =
        [("the SYN flood protection (chain syn_flood)", Some(7)), ("the input policy of zone wan", Some(7))];
    assert_eq!(unseen(&rules, false), places(&sums));
    let other = LIMIT.replace("25", "100");
    let rules = with_ours(&[COUNT, LOG], &[COUNT, LOG], &[&other, COUNT, LOG]);
    assert_eq!(unseen(&rules, false), places(&[("the SYN flood protection (chain syn_flood)", None)]));
}

#[test]
fn rules_of_the_owner_ahead_of_ours_are_sums_unless_the_log_has_them() {
    let mut rules = fw4();
    let log = r#"{"log": {"prefix": "Log-and-drop: "}}"#;
    rules.push(rule("input", "!fw4: Any-src-input", &[COUNT, r#"{"drop": null}"#]));
    rules.push(rule("input_wan", "!fw4: Drop-set", &[COUNT, r#"{"drop": null}"#]));
    rules.push(rule("input_wan", "!fw4: Reject-smtp", &[COUNT, &jump("handle_reject")]));
    rules.push(rule("input_wan", "!fw4: No-counter", &[r#"{"drop": null}"#]));
    rules.push(rule("input_wan", "!fw4: Log-and-drop", &[COUNT, log, &jump("drop_from_wan")]));
    rules.push(rule("input_wan", "!fw4: Allow-Ping", &[COUNT, r#"{"accept": null}"#]));
    rules.push(rule("forward_wan", "!fw4: Fwd-drop", &[COUNT, &jump("drop_to_lan")]));
    rules.push(rule("user_chain", "", &[r#"{"drop": null}"#]));
    rules.extend(with_ours(&[COUNT, LOG], &[COUNT, LOG], &[LIMIT, COUNT, LOG]).split_off(fw4().len()));
    let mut expected = places(&[
        ("rule 'Any-src-input'", Some(7)),
        ("rule 'Drop-set'", Some(7)),
        ("rule 'Reject-smtp'", Some(7)),
        ("rule 'No-counter'", None),
        ("rule 'Log-and-drop'", Some(7)),
        ("rule 'Fwd-drop' (at most)", Some(7)),
        ("a rule in chain user_chain", None),
    ]);
    assert_eq!(unseen(&rules, false), expected);
    expected.retain(|(place, _)| place != "rule 'Log-and-drop'");
    assert_eq!(unseen(&rules, true), expected);
}

#[test]
fn a_counter_before_a_condition_does_not_count_what_is_refused() {
    let telnet =
        r#"{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 23}}"#;
    let drop = r#"{"drop": null}"#;
    let rules = [
        rule("user_chain", "", &[telnet, COUNT, drop]),
        rule("other_chain", "", &[COUNT, telnet, drop]),
        rule("third_chain", "", &[COUNT, r#"{"quota": {"val": 25, "val_unit": "mbytes"}}"#, drop]),
    ];
    let expected = [("user_chain", Some(7)), ("other_chain", None), ("third_chain", None)];
    let expected = expected.map(|(chain, packets)| (format!("a rule in chain {chain}"), packets));
    assert_eq!(unseen(&rules, false), expected);
}

#[test]
fn an_owners_chains_are_named_whatever_their_names_begin_with() {
    let mut rules = with_ours(&[COUNT, LOG], &[COUNT, LOG], &[LIMIT, COUNT, LOG]);
    let chains = [
        "raw_prerouting",
        "mangle_prerouting",
        "prerouting",
        "dstnat",
        "dstnat_wan",
        "drop_bogons",
        "reject_list",
        "prerouting_x",
        "syn_flood_udp",
    ];
    rules.extend(chains.map(|chain| rule(chain, "", &[COUNT, r#"{"drop": null}"#])));
    let outbound =
        r#"{"chain": {"family": "inet", "table": "fw4", "name": "mangle_output", "hook": "output"}}"#;
    rules.push(outbound.to_string());
    rules.push(rule("mangle_output", "", &[r#"{"drop": null}"#]));
    let base = r#"{"chain": {"family": "inet", "table": "fw4", "name": "input_early", "hook": "input"}}"#;
    rules.push(base.to_string());
    rules.push(rule("input_early", "", &[COUNT, r#"{"drop": null}"#]));
    // fw4's own.
    rules.push(rule("accept_to_wan", "!fw4: Prevent NAT leakage", &[COUNT, r#"{"drop": null}"#]));
    rules.push(rule("handle_reject", "!fw4: Reject TCP traffic", &[r#"{"reject": {"type": "tcp reset"}}"#]));
    let named = chains.iter().chain(&["input_early"]);
    let expected: Vec<_> = named.map(|chain| (format!("a rule in chain {chain}"), Some(7))).collect();
    assert_eq!(unseen(&rules, false), expected);
}

#[test]
fn invalid_packets_are_seen_by_a_rule_in_each_of_the_two_chains() {
    let vmap = r#"{"vmap": {"key": {"ct": {"key": "state"}}, "data": {"set": [["established", {"accept": null}],
        ["invalid", {"drop": null}]]}}}"#;
    let mut rules = with_ours(&[COUNT, LOG], &[COUNT, LOG], &[LIMIT, COUNT, LOG]);
    for chain in ["input", "forward", "output"] {
        rules.push(rule(chain, "!fw4: Handle flows", &[vmap]));
    }
    let both = [("drop_invalid (chain input)", None), ("drop_invalid (chain forward)", None)];
    assert_eq!(unseen(&rules, false), places(&both));
    rules.push(rule("input", "fwstat rule invalid", &[COUNT, LOG]));
    rules.push(rule("forward", "fwstat rule invalid", &[COUNT, LOG]));
    assert_eq!(unseen(&rules, false), []);
}

#[test]
fn a_verdict_map_that_drops_refuses_what_no_counter_has() {
    let vmap = |data: &str| format!(r#"{{"vmap": {{"key": "x", "data": {data}}}}}"#);
    let set = |elements: &str| vmap(&format!(r#"{{"set": [{elements}]}}"#));
    let chain = |table: &str, statement: &str| {
        let rule = rule("input_wan", "", &[COUNT, statement]);
        rule.replace(r#""table": "fw4""#, &format!(r#""table": "{table}""#))
    };
    let named = |drops: Option<bool>| {
        let rules = ["fw4", "own", "own"].map(|table| chain(table, &vmap(r#""@services""#)));
        let (mut ruleset, mut asked) = (read(&rules), Vec::new());
        ruleset.resolve_maps(&mut |family, table, map| {
            asked.push(format!("{family} {table} {map}"));
            drops
        });
        assert_eq!(asked, ["inet fw4 services", "inet own services"]);
        let unseen = ruleset.unseen(&["wan".to_string()], Read { nflog: Some(32), logd: false });
        unseen.into_iter().map(|unseen| (unseen.place, unseen.packets)).collect::<Vec<_>>()
    };
    let both = ["a rule in chain input_wan", "table inet own"]
        .map(|place| (place.to_string(), None::<Vec<Reading>>));
    assert_eq!(named(Some(true)), both);
    assert_eq!(named(None), both);
    assert_eq!(named(Some(false)), []);
    let accepts = r#"["established", {"accept": null}]"#;
    for (elements, expected) in [
        (format!(r#"{accepts}, [23, {{"drop": null}}]"#), &both[..]),
        (format!(r#"{accepts}, ["invalid", {{"drop": null}}]"#), &both[..]),
        (accepts.to_string(), &[][..]),
    ] {
        let rules = ["fw4", "own"].map(|table| chain(table, &set(&elements)));
        let found = read(&rules).unseen(&["wan".to_string()], Read { nflog: Some(32), logd: false });
        let found: Vec<_> = found.into_iter().map(|unseen| (unseen.place, unseen.packets)).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn forwarding_is_in_the_log_where_fw4_logs_all_of_it() {
    let log = r#"{"log": {"prefix": "reject wan forward: "}}"#;
    let logged = |comment: &str, statements: &[&str]| {
        let mut rules = with_ours(&[COUNT, LOG], &[COUNT], &[LIMIT, COUNT, LOG]);
        rules.push(rule("forward_wan", comment, statements));
        unseen(&rules, true).into_iter().filter(|(place, _)| place == "forwarding from zone wan").count()
    };
    assert_eq!(logged("", &[log]), 0);
    assert_eq!(logged("", &[r#"{"limit": "wan.log_limit"}"#, log]), 1);
    assert_eq!(logged("!fw4: Log-smtp", &[COUNT, log, r#"{"accept": null}"#]), 1);
}

#[test]
fn a_zone_that_accepts_forwarding_is_seen_by_the_rule_at_the_end_of_the_chain_forward() {
    let mut rules = with_ours(&[COUNT, LOG], &[COUNT], &[LIMIT, COUNT, LOG]);
    rules.retain(|rule| !rule.contains("forward_wan"));
    rules.push(rule("forward_wan", "", &[&jump("accept_to_wan")]));
    assert_eq!(unseen(&rules, false), places(&[("forwarding from zone wan", None)]));
    rules.push(rule("forward", "fwstat rule forward", &[COUNT, LOG]));
    assert_eq!(unseen(&rules, false), []);
}

#[test]
fn tables_of_other_programs_are_told_and_the_guards_where_it_does_not_log() {
    let table = |family: &str, table: &str, chain: &str, statements: &str| {
        format!(
            r#"{{"rule": {{"family": "{family}", "table": "{table}", "chain": "{chain}", "expr": [{statements}]}}}}"#
        )
    };
    let drop = format!(r#"{COUNT}, {{"drop": null}}"#);
    let mut rules = vec![
        r#"{"chain": {"family": "inet", "table": "banIP", "name": "out", "hook": "output"}}"#.to_string(),
        table("inet", "banIP", "in", &drop),
        table("inet", "banIP", "in", &drop),
        table("inet", "banIP", "out", r#"{"drop": null}"#),
        table("inet", "fwstat", "drop_blocked", &format!(r#"{COUNT}, {LOG}, {{"drop": null}}"#)),
        table("bridge", "x", "in", r#"{"drop": null}"#),
    ];
    assert_eq!(unseen(&rules, false), places(&[("table inet banIP", Some(14))]));
    // Of iptables-nft: the counter has what its match lets through.
    let target = |name: &str| format!(r#"{{"xt": {{"type": "target", "name": "{name}"}}}}"#);
    let matched = r#"{"xt": {"type": "match", "name": "state"}}"#;
    for name in ["REJECT", "LOG"] {
        rules.push(table("ip", "filter", "INPUT", &format!("{matched}, {COUNT}, {}", target(name))));
    }
    let all = [("table inet banIP", Some(14)), ("table ip filter", Some(7))];
    assert_eq!(unseen(&rules, false), places(&all));
    rules.truncate(rules.len() - 2);
    rules.push(table("inet", "fwstat", "drop_blocked", &drop));
    let both = [("table inet banIP", Some(14)), ("table inet fwstat", Some(7))];
    assert_eq!(unseen(&rules, false), places(&both));
}

#[test]
fn policies_that_drop_are_named_but_fw4s_and_where_a_rule_of_ours_has_seen_the_packets() {
    let chain = |family: &str, table: &str, name: &str, hook: &str, policy: &str| {
        format!(
            r#"{{"chain": {{"family": "{family}", "table": "{table}", "name": "{name}", "type": "filter",
            "hook": "{hook}", "prio": 0, "policy": "{policy}"}}}}"#
        )
    };
    let ours = |chain: &str| {
        format!(
            r#"{{"rule": {{"family": "ip", "table": "own", "chain": "{chain}", "comment": "fwstat wan", "expr": [{COUNT}, {LOG}]}}}}"#
        )
    };
    let mut rules = with_ours(&[COUNT, LOG], &[COUNT, LOG], &[LIMIT, COUNT, LOG]);
    rules.extend([
        chain("ip", "filter", "FORWARD", "forward", "drop"),
        chain("ip", "filter", "INPUT", "input", "accept"),
        chain("ip", "filter", "OUTPUT", "output", "drop"),
        chain("bridge", "filter", "FORWARD", "forward", "drop"),
        chain("netdev", "early", "in", "ingress", "drop"),
        chain("inet", "fw4", "own_input", "input", "drop"),
        chain("ip", "own", "input", "input", "drop"),
        r#"{"chain": {"family": "ip", "table": "filter", "name": "DOCKER"}}"#.to_string(),
        ours("input"),
    ]);
    let expected = [
        "the policy of chain FORWARD in table ip filter",
        "the policy of chain in in table netdev early",
        "the policy of chain own_input in table inet fw4",
    ];
    assert_eq!(unseen(&rules, false), places(&expected.map(|place| (place, None))));
}

#[test]
fn the_counters_of_our_rules_are_told_by_place_and_a_named_one_once() {
    let named = r#"{"counter": "fwstat_zone_wan"}"#;
    let rules = [
        r#"{"counter": {"family": "inet", "name": "fwstat_zone_wan", "table": "fw4", "packets": 5, "bytes": 1}}"#.into(),
        rule("input_wan", "fwstat wan", &[named, LOG]),
        rule("forward_wan", "fwstat wan", &[named, LOG]),
        rule("input", "fwstat rule syn_flood", &[LIMIT, COUNT, LOG]),
        rule("input_guest", "fwstat guest", &[COUNT]),
        rule("forward_guest", "fwstat guest", &[COUNT]),
        rule("input_wan", "!fw4: x", &[COUNT]),
    ];
    let counted = read(&rules).counted().into_iter().map(|(place, reading)| (place, sum_of(&reading)));
    let counted: Vec<_> = counted.collect();
    let zone = |name: &str| Place::Zone(name.into());
    assert_eq!(counted, [(zone("guest"), 14), (zone("wan"), 5), (Place::All("syn_flood".into()), 7)]);
}

#[test]
fn a_counter_of_several_places_is_one_sum() {
    let object = |family: &str, table: &str, name: &str, packets: u64| {
        format!(
            r#"{{"counter": {{"family": "{family}", "name": "{name}", "table": "{table}", "packets": {packets}, "bytes": 1}}}}"#
        )
    };
    let named = |name: &str| format!(r#"{{"counter": "{name}"}}"#);
    let (zone, invalid) = (named("fwstat_zone_wan"), named("fwstat_invalid"));
    let vmap =
        r#"{"vmap": {"key": {"ct": {"key": "state"}}, "data": {"set": [["invalid", {"drop": null}]]}}}"#;
    let banip = |statements: &str| {
        format!(
            r#"{{"rule": {{"family": "inet", "table": "banIP", "chain": "in", "expr": [{statements}, {{"drop": null}}]}}}}"#
        )
    };
    let mut rules = vec![
        object("inet", "fw4", "fwstat_zone_wan", 5),
        object("inet", "fw4", "fwstat_invalid", 8),
        object("ip", "banIP", "tcp", 2000),
        object("inet", "banIP", "tcp", 20),
        object("inet", "banIP", "udp", 3),
        banip(&named("tcp")),
        banip(&named("tcp")),
        banip(&named("udp")),
        banip(COUNT),
    ];
    rules.extend(with_ours(&[&zone], &[&zone], &[LIMIT, COUNT, LOG]));
    for chain in ["input", "forward"] {
        rules.push(rule(chain, "!fw4: Handle flows", &[vmap]));
        rules.push(rule(chain, "fwstat rule invalid", &[&invalid]));
    }
    let expected = places(&[
        ("drop_invalid (chain input) and drop_invalid (chain forward)", Some(8)),
        ("the input policy of zone wan and forwarding from zone wan", Some(5)),
        ("table inet banIP", Some(30)),
    ]);
    let mut found = unseen(&rules, false);
    found.retain(|(place, _)| place != "the forward policy of zone wan for its own interfaces");
    assert_eq!(found, expected);
}

#[test]
fn any_number_of_places_that_share_a_counter_has_a_bounded_name() {
    let mut rules = fw4();
    rules.push(
        r#"{"counter": {"family": "inet", "name": "x", "table": "fw4", "packets": 5, "bytes": 1}}"#
            .to_string(),
    );
    let drop = |number| {
        rule("input_wan", &format!("!fw4: Drop-{number}"), &[r#"{"counter": "x"}"#, r#"{"drop": null}"#])
    };
    rules.extend((0..MAX_RULES - 20).map(drop));
    let found = unseen(&rules, false);
    let (place, packets) = found.last().unwrap();
    assert!(place.starts_with("rule 'Drop-0' and rule 'Drop-1' and ") && place.len() < 1000, "{place}");
    assert_eq!(*packets, Some(5));
}

#[test]
fn any_number_of_rules_is_a_bounded_number_of_places() {
    let mut rules = fw4();
    let drop = |number| rule("input_wan", &format!("!fw4: Drop-{number}"), &[COUNT, r#"{"drop": null}"#]);
    rules.extend((0..MAX_RULES).map(drop));
    let found = unseen(&rules, false);
    assert_eq!(found.len(), MAX_PLACES);
    assert_eq!(found.last().unwrap(), &("further rules".to_string(), None));
}

#[test]
fn what_is_no_ruleset_is_refused() {
    for wrong in [
        "Operation not permitted",
        "",
        "{}",
        r#"{"nftables": []"#,
        r#"{"nftables": []} x"#,
        r#"{"nftables": [{"rule": {"comment": 5}}]}"#,
    ] {
        assert!(Ruleset::read(wrong.as_bytes()).is_none(), "{wrong}");
    }
    assert!(Ruleset::read(br#"{"nftables": []}"#).unwrap().counted().is_empty());
}
