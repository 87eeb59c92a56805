//! The fleet's part of the daemon, on real directories.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::config::FleetSources;
use crate::event::{Address, Event};
use crate::stats::day::Day;

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let place = std::env::temp_dir().join(format!("fwstat-daemon-fleet-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&place);
        fs::create_dir_all(place.join("db")).unwrap();
        Place(place)
    }

    fn config(&self, sources: FleetSources) -> Config {
        let database = self.0.join("db").display().to_string();
        let mut config = Config { database, ..Config::default() };
        (config.fleet.enabled, config.fleet.sources) = (true, sources);
        config
    }

    fn fleet(&self, sources: FleetSources) -> Fleet {
        Fleet::new(&self.config(sources), &self.0.join("run"), 7)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn yesterday() -> Date {
    Date((clock::wall().as_secs() / 86_400) as i32 - 1)
}

/// Gives a day with one packet of each source.
fn give(fleet: &mut Fleet, date: Date, extent: Extent, sources: &[u32]) {
    let mut day = Day::new(date, 7);
    for source in sources {
        let time = i64::from(date.0) * 86_400;
        day.add(&Event { source: Address::v4(*source), time, count: 1, ..Event::default() }, 3);
    }
    let wall = i64::from(date.0 + 1) * 86_400 + 100;
    fleet.day_over(&DayOver { day: &day, extent, calendar: &Calendar::utc(), wall }, None);
    // Files move to flash meanwhile.
    wait_for(fleet, |fleet| fleet.moving.is_none());
}

/// Seconds from the day's end to the newest batch, and its pairs.
fn newest(fleet: &Fleet, date: Date) -> (i64, usize) {
    let entry = fleet.spool.newest(date).unwrap();
    let lines = io::BufRead::lines(Spool::read(&entry).unwrap());
    let pairs = lines.filter(|line| line.as_ref().unwrap().contains(r#""kind":"pair""#)).count();
    (entry.sent - i64::from(date.0 + 1) * 86_400, pairs)
}

/// Lets minutes pass until it is so.
fn wait_for(fleet: &mut Fleet, is_so: impl Fn(&Fleet) -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !is_so(fleet) {
        assert!(Instant::now() < until, "it does not become so");
        fleet.each_minute(None);
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn what_may_be_a_part_of_a_day_replaces_no_batch_of_its_end() {
    let place = Place::new("parts");
    let (mut fleet, date) = (place.fleet(FleetSources::Address), yesterday());
    give(&mut fleet, date, Extent::More, &[1]);
    assert!(fleet.spool.newest(date).is_none());
    give(&mut fleet, date, Extent::Found, &[1]);
    assert_eq!(newest(&fleet, date), (-GAP, 1));
    give(&mut fleet, date, Extent::Found, &[2]);
    give(&mut fleet, date, Extent::More, &[3, 1]);
    assert_eq!(newest(&fleet, date), (2 - GAP, 3));
    // The day before, whose batch is there.
    let date = Date(date.0 - 1);
    give(&mut fleet, date, Extent::All, &[1, 2]);
    assert_eq!(newest(&fleet, date), (100, 2));
    give(&mut fleet, date, Extent::Found, &[3]);
    assert_eq!(newest(&fleet, date), (101, 3));
    give(&mut fleet, date, Extent::All, &[4]);
    assert_eq!(newest(&fleet, date), (102, 1));
}

#[test]
fn a_batch_that_flash_does_not_take_is_named_and_tried_again() {
    let place = Place::new("flash");
    let mut fleet = place.fleet(FleetSources::Address);
    fs::write(&fleet.spool.flash, "").unwrap();
    give(&mut fleet, yesterday(), Extent::All, &[1]);
    assert!(fleet.log_lines[0].contains("stays in RAM: cannot write to"));
    assert_eq!((fleet.move_in.is_some(), fleet.written), (true, 0));
    fs::remove_file(&fleet.spool.flash).unwrap();
    wait_for(&mut fleet, |fleet| fleet.written > 0);
    assert!(fleet.spool.newest(yesterday()).unwrap().on_flash);
    assert_eq!(fleet.log_lines.len(), 1);
}

#[test]
fn what_says_more_of_the_sources_than_the_options_allow_now_is_not_sent() {
    use FleetSources::{Address, Hash, None};
    let place = Place::new("sources");
    for (before, now, stays) in [
        (Address, Hash, false),
        (Address, None, false),
        (Hash, None, false),
        (Hash, Hash, true),
        (Hash, Address, true),
        (None, Hash, true),
        (None, None, true),
    ] {
        let mut fleet = place.fleet(before);
        give(&mut fleet, yesterday(), Extent::All, &[1]);
        fleet.set(&place.config(now), &place.0.join("run"), 7);
        let (lost, left) = (u64::from(!stays), if stays { 2 } else { 0 });
        assert_eq!((fleet.dropped, fleet.log_lines.len() as u64), (lost, lost), "{before:?} {now:?}");
        assert_eq!(fleet.spool.entries().len(), left, "{before:?} {now:?}");
        fs::remove_dir_all(&fleet.spool.flash).unwrap();
    }
}
