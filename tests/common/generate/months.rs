//! A home router's sixteen months: 2019-01-01 to 2020-04-10, about 1.8 million lines.

use std::io::{self, Write};

use super::calendar::{Day, days_of};
use super::random::Random;
use super::router::{Plan, Router, write_day};
use super::truth::Truth;

/// Attempts a day in each month, on average, without the flood.
const PER_DAY: [(i64, i64, u64); 16] = [
    (2019, 1, 2650),
    (2019, 2, 2710),
    (2019, 3, 2900),
    (2019, 4, 3173),
    (2019, 5, 3050),
    (2019, 6, 2980),
    (2019, 7, 2890),
    (2019, 8, 3010),
    (2019, 9, 3120),
    (2019, 10, 3240),
    (2019, 11, 3330),
    (2019, 12, 3420),
    (2020, 1, 3850),
    (2020, 2, 4300),
    (2020, 3, 4780),
    (2020, 4, 5490),
];

/// 2020-04-06: 92,890 attempts on UDP 1900.
pub const FLOOD: (i64, i64, i64) = (2020, 4, 6);

pub fn months(out: &mut dyn Write) -> io::Result<Truth> {
    months_until(out, Day::of(2020, 4, 10))
}

/// The same packets, with the last of the 466 days at `last`: for programs whose today is the clock's.
pub fn months_until(out: &mut dyn Write, last: Day) -> io::Result<Truth> {
    let later = last.0 - Day::of(2020, 4, 10).0;
    let (year, month, day) = FLOOD;
    let flood = Day::of(year, month, day);
    let mut truth = Truth::new(Some(Day(flood.0 + later)));
    let mut router = Router::new(20_190_101, 60_000);
    for (index, (year, month, per_day)) in PER_DAY.into_iter().enumerate() {
        let days = if index == 15 { 10 } else { days_of(year, month) };
        for (offset, attempts) in spread(&mut router.random, index, per_day, days).into_iter().enumerate() {
            let day = Day(Day::of(year, month, 1).0 + offset as i64);
            let busy = attempts > 3800 && day.0 % 9 == 4;
            let plan = Plan {
                attempts,
                sources: 1500 + attempts.saturating_sub(2650) * 500 / 2840,
                scanner: if busy { router.random.between(1100, 1400) } else { 0 },
                ssdp: 50.0,
                flood: day == flood,
                burst: 12,
                plain: false,
                stray: 100,
            };
            write_day(Day(day.0 + later), &router.day(&plan), out, &mut truth)?;
        }
    }
    Ok(truth)
}

/// Attempts of each day of a month: rising or falling as the months around it do, with ups and downs that cancel
/// out, so that the month's mean is `per_day` exactly.
fn spread(random: &mut Random, index: usize, per_day: u64, days: i64) -> Vec<u64> {
    let neighbour = |index: usize| PER_DAY[index.min(15)].2 as f64;
    let slope = (neighbour(index + 1) - neighbour(index.saturating_sub(1))) / 61.0;
    let mut all = vec![per_day; days as usize];
    for early in 0..all.len() / 2 {
        let late = all.len() - 1 - early;
        let rise = slope * (late - early) as f64 / 2.0;
        let change = (rise + random.normal() * per_day as f64 * 0.02).round() as i64;
        all[early] = per_day.saturating_add_signed(-change);
        all[late] = per_day.saturating_add_signed(change);
    }
    all
}
