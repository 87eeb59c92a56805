//! What ten years of a busy home take on flash: 6,000 attempts of 2,000 sources a day.

mod common;

use common::generate::random::Random;
use fwstat::calendar::{Date, Month};
use fwstat::event::{Address, Class, Event, PathId, Verdict, protocol};
use fwstat::query::history::Retention;
use fwstat::stats::countries::{Atlas, Country};
use fwstat::stats::day::Day;
use fwstat::store::history::{AddedDay, Store};
use fwstat::store::records::{self, Form};
use fwstat::store::shelf::MemoryShelf;

/// Enough for months that have lost their days; older ones are as large as these.
const DAYS: i32 = 500;
/// What stays of ten years, all in all.
const MOST_KEPT: usize = 1_000_000;

const TRIED: [u16; 24] = [
    23, 22, 80, 443, 3389, 5060, 8080, 445, 1433, 2323, 8443, 5555, 6379, 3306, 7547, 21, 25, 81, 8081,
    37215, 52869, 5900, 123, 1900,
];

struct Home {
    random: Random,
    /// Scanners that come back day after day; now and then one is replaced.
    regulars: Vec<u32>,
}

impl Home {
    fn new() -> Home {
        let mut random = Random::new(7);
        let regulars = (0..300).map(|_| random.next() as u32).collect();
        Home { random, regulars }
    }

    fn day(&mut self, date: Date) -> Day {
        let mut day = self.counted(date);
        day.measure_countries(Some(&mut Spread));
        day
    }

    fn counted(&mut self, date: Date) -> Day {
        let random = &mut self.random;
        for _ in 0..6 {
            let gone = random.below(300) as usize;
            self.regulars[gone] = random.next() as u32;
        }
        let passers: Vec<u32> = (0..1700).map(|_| random.next() as u32).collect();
        let mut day = Day::new(date);
        let midnight = i64::from(date.0) * 86_400;
        for number in 0..7000u32 {
            let second = random.below(86_400) as i64;
            let source = match random.below(2) {
                0 => self.regulars[random.skewed(300)],
                _ => passers[random.below(1700) as usize],
            };
            let port =
                if random.one_in(3) { random.below(65_535) as u16 + 1 } else { TRIED[random.skewed(24)] };
            // A packet in seven is a late reply or multicast.
            let class = match number % 70 {
                0..9 => Class::Backscatter,
                9 => Class::Noise,
                _ => Class::Attempt,
            };
            let udp = class == Class::Attempt && matches!(port, 5060 | 123 | 1900) || random.one_in(10);
            day.add(
                &Event {
                    time: midnight + second,
                    source: Address::v4(source),
                    destination: Address::v4(0xc633_6414),
                    fingerprint: 0,
                    uptime: 0,
                    count: 1,
                    source_port: 40_000,
                    port,
                    length: 44,
                    path: PathId(0),
                    protocol: if udp { protocol::UDP } else { protocol::TCP },
                    flags: 2,
                    icmp_type: 0,
                    icmp_code: 0,
                    class,
                    verdict: Verdict::Drop,
                    unhashed: false,
                },
                (second / 3600) as u8,
            );
        }
        day
    }
}

/// Attempts come from 120 countries, half of them from the first nine or so, as the real ones do.
struct Spread;

impl Atlas for Spread {
    fn country_of(&mut self, address: Address) -> Option<Country> {
        let network = Random::new(address.low >> 12).next();
        let share = (network % 10_000) as f64 / 10_000.0;
        let number = (share.powi(3) * 120.0) as u8;
        Some(Country([b'A' + number / 26, b'A' + number % 26]))
    }
}

#[test]
fn ten_years_of_a_busy_home_take_less_than_a_megabyte() {
    let mut store = Store::open(MemoryShelf::new(), Retention::default(), true).unwrap();
    let mut home = Home::new();
    // A month at a time, which is quicker than each day alone; the last ones as a router does it.
    // The most days that still have their hours: 69.
    let last = 20_009;
    let mut days: Vec<_> = (last - DAYS + 1..=last).map(Date).collect();
    let recent = days.split_off(days.len() - 35);
    let mut add = |dates: &[Date]| {
        let added = dates.iter().map(|date| {
            let day = home.day(*date);
            Ok(AddedDay { day: day.to_kept(), whole: Some(records::write_whole_day(&day, Form::Packed)) })
        });
        store.add(added, None).unwrap();
    };
    days.chunk_by(|day, next| day.month() == next.month()).for_each(&mut add);
    recent.chunks(1).for_each(&mut add);
    let shelf = store.shelf();
    let sizes: Vec<(String, usize)> = shelf
        .names()
        .unwrap()
        .into_iter()
        .map(|name| (name.clone(), shelf.read(&name).unwrap().map_or(0, |bytes| bytes.len())))
        .collect();
    let first_day = Retention::default().first_day(Date(last)).month();
    let is_old = |name: &String| {
        name.strip_suffix(".fws").and_then(Month::parse).is_some_and(|month| month < first_day)
    };
    let old: Vec<usize> = sizes.iter().filter(|(name, _)| is_old(name)).map(|(_, size)| *size).collect();
    let months = sizes.iter().filter(|(name, _)| name.starts_with("20")).count();
    let more = Retention::default().months as usize - months;
    let total = sizes.iter().map(|(_, size)| size).sum::<usize>() + more * old.iter().max().unwrap();
    eprintln!("{total} bytes, with {more} more months like the largest of {old:?}: {sizes:?}");
    assert!(total <= MOST_KEPT, "{total} bytes");
}

#[test]
fn the_files_are_the_same_whether_the_last_day_was_known_or_not() {
    let files = |known: bool| {
        let mut home = Home::new();
        let mut store = Store::open(MemoryShelf::new(), Retention::default(), true).unwrap();
        // Hours go from the first ones at once, from the others with the next part.
        for part in [20_000..20_100, 20_100..20_130, 20_130..20_132] {
            let last = Date(part.end - 1);
            let added: Vec<_> =
                part.map(|date| Ok(AddedDay { day: home.day(Date(date)).to_kept(), whole: None })).collect();
            match known {
                true => store.add_up_to(last, added, None).unwrap(),
                false => store.add(added, None).unwrap(),
            }
        }
        let names = store.shelf().names().unwrap();
        names.into_iter().map(|name| (store.shelf().read(&name).unwrap(), name)).collect::<Vec<_>>()
    };
    assert!(files(true) == files(false));
}
