//! What the sentence about an open port tells in the middle of a month.

use super::*;
use crate::config::exposure;
use crate::output::summary_table::exposure_sentence;

const FIREWALL: &str = "
config rule
\toption name 'Allow-SSH'
\toption src 'wan'
\toption proto 'tcp'
\toption dest_port '22 23'
\toption target 'ACCEPT'
";

fn sentences(router: &mut Router) -> Vec<String> {
    let since = router.engine.date().unwrap().month().first_day();
    let question = Question { from: Some(since), limit: 1000, ..Question::new(Topic::Services) };
    let Answer::Services(answer) = router.ask_about(&question) else { panic!() };
    let open = exposure::opened(FIREWALL, &["wan".to_string()]);
    exposure::attacked(&open, &answer.services).iter().map(exposure_sentence).collect()
}

#[test]
fn an_open_port_is_told_with_the_addresses_of_the_whole_month() {
    let mut router = Router::boot(START, "UTC");
    for day in 0..15u32 {
        // Some of a day come back on the next.
        (0..22).for_each(|time| router.packet(day * 14 + time % 16, 22));
        (0..30).for_each(|host| router.packet(10_000 + day * 20 + host, 23));
        // More services than a closed day keeps.
        (0..200).for_each(|port| router.packet(20_000 + day, 1_000 + port as u16));
        router.pass(if day < 14 { DAY } else { HOUR });
    }
    let told = sentences(&mut router);
    let expected = "TCP 22 (SSH) is open to the Internet (rule 'Allow-SSH') and was tried 330 times from ";
    assert_eq!(told[1], format!("{expected}about 212 addresses this month"));
    let telnet = told[0].split(" from about ").nth(1).unwrap().split(' ').next().unwrap();
    let telnet: u64 = telnet.parse().unwrap();
    assert!((280..=340).contains(&telnet), "{}", told[0]);
    // The same from what a crash and a power cut leave.
    assert!(router.commit());
    let mut router = router.crash();
    assert_eq!(sentences(&mut router), told);
    let mut router = router.power_cut();
    assert_eq!(sentences(&mut router), told);
}
