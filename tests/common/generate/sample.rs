//! A small log that ships with the project: 2020-01-12 to 2020-04-14, a quiet line with the same flood.

use std::io::{self, Write};

use flate2::{Compression, GzBuilder};

use super::calendar::Day;
use super::months::FLOOD;
use super::router::{Plan, Router, write_day};
use super::truth::Truth;

pub fn sample(out: &mut dyn Write) -> io::Result<Truth> {
    let (year, month, day) = FLOOD;
    let flood = Day::of(year, month, day);
    let mut truth = Truth::new(Some(flood));
    let mut router = Router::new(20_200_112, 500);
    let first = Day::of(2020, 1, 12);
    for day in first.days_until(Day::of(2020, 4, 15)) {
        let plan = Plan {
            attempts: router.random.around(360.0 + 2.0 * (day.0 - first.0) as f64),
            sources: 60,
            scanner: 0,
            ssdp: 12.0,
            flood: day == flood,
            burst: 300,
            plain: true,
            stray: 3,
        };
        write_day(day, &router.day(&plan), out, &mut truth)?;
    }
    Ok(truth)
}

/// The same as one gzip member without a name or a time.
pub fn sample_gz() -> io::Result<(Vec<u8>, Truth)> {
    let mut gz = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    let truth = sample(&mut gz)?;
    Ok((gz.finish()?, truth))
}
