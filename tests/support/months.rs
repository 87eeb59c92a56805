//! A store of sixteen months of a home router that end with the last month: the first day that is added begins another,
//! and then the oldest ones lose hours and days. A test file that takes it has `common` and `wall_clock` beside it.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use fwstat::event::calendar::{Date, Month};

use crate::common::fwstat::answer;
use crate::common::generate::calendar::Day;
use crate::common::generate::months_until;
use crate::wall_clock::now;

/// Makes the store in a directory; gives the first day of the month thirteen months ago.
pub fn store(directory: &Path) -> Date {
    let this_month = Date((now() / 86_400) as i32).month();
    let (year, month, day) = Date(this_month.first_day().0 - 1).to_ymd();
    let log = directory.with_extension("log");
    let mut out = BufWriter::new(File::create(&log).unwrap());
    months_until(&mut out, Day::of(year.into(), month.into(), day.into())).unwrap();
    out.flush().unwrap();
    let (database, file) = (directory.display().to_string(), log.display().to_string());
    answer(&["import", "--db", &database, "--timezone", "UTC", &file]);
    fs::remove_file(log).unwrap();
    Month(this_month.0 - 13).first_day()
}
