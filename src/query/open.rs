//! A history of stored months together with open days, and days that are not stored yet. Takes both, gives a
//! [`History`].

use crate::event::calendar::{Date, Month};
use crate::event::{Address, Class, Service};
use crate::stats::day::Day;
use crate::stats::sum::{sum_of_class, sum_of_day, sum_of_parts};
use crate::stats::summary::{ClassSummary, DaySummary};
use crate::stats::tables::Focus;

use super::history::{History, MonthData, Need};
use super::question::{Question, Topic};
use super::scan::{is_about_services, matches};

/// Most rows of an open day in a question about several days.
const MAX_ROWS: usize = 1024;
/// Most rows of sources and pairs that a filter can sum up.
const MAX_SUMMED_ROWS: usize = 4096;

/// The part of an open day that the question needs. For a question about countries they must have been measured.
pub fn focused(question: &Question, day: &Day) -> DaySummary {
    let services = |service: Service| matches(question, service);
    let sources = |address: Address| question.source.is_none_or(|prefix| prefix.contains(address));
    // All rows that are summed up are needed; of a list, as many as it shows.
    let by_source = question.source.is_some();
    let by_service = is_about_services(question);
    let single = question.from.is_some() && question.from == question.to;
    let listed = if single { question.limit as usize + 1 } else { MAX_ROWS };
    let (most_services, most_sources, most_pairs) = match question.topic {
        Topic::Source => (MAX_ROWS, MAX_SUMMED_ROWS, MAX_SUMMED_ROWS),
        Topic::Services if by_source => (0, 0, MAX_SUMMED_ROWS),
        Topic::Sources | Topic::Countries | Topic::Asns if by_service => (0, 0, MAX_SUMMED_ROWS),
        // Hours of a service are in its row.
        _ if by_source && by_service => (MAX_ROWS, 0, MAX_SUMMED_ROWS),
        _ if by_source => (0, MAX_SUMMED_ROWS, 0),
        _ if by_service => (MAX_ROWS, 0, 0),
        // The list is cut once the countries of the sources are looked up.
        Topic::Sources if question.country.is_some() => (0, MAX_SUMMED_ROWS, 0),
        Topic::Sources => (0, listed, 0),
        Topic::Rules => (0, 0, 0),
        Topic::Asns => (0, MAX_SUMMED_ROWS, 0),
        Topic::Summary => (MAX_ROWS, listed, 0),
        _ => (MAX_ROWS, 0, 0),
    };
    let focus = Focus {
        services: &services,
        sources: &sources,
        ..Focus::heaviest(most_services, most_sources, most_pairs)
    };
    day.focused_on(question.class, &focus)
}

/// Joins parts of the same day; oldest first.
pub fn joined(parts: impl IntoIterator<Item = DaySummary>) -> Vec<DaySummary> {
    let mut days: Vec<DaySummary> = Vec::new();
    for part in parts {
        match days.iter_mut().find(|known| known.date == part.date) {
            Some(known) => *known = sum_of_day(known, &part),
            None => days.push(part),
        }
    }
    days.sort_unstable_by_key(|day| day.date);
    days
}

/// Stored days with open days.
pub struct WithOpenDays<'a> {
    pub stored: &'a mut dyn History,
    /// Oldest first, each date once.
    pub open: &'a [DaySummary],
}

impl History for WithOpenDays<'_> {
    fn months(&self) -> Vec<Month> {
        let mut months = self.stored.months();
        months.extend(self.open.iter().map(|day| day.date.month()));
        months.sort_unstable();
        months.dedup();
        months
    }

    fn open_days(&self) -> Vec<Date> {
        self.open.iter().map(|day| day.date).collect()
    }

    fn month(&mut self, month: Month, need: &Need) -> MonthData {
        let mut data = match self.stored.months().binary_search(&month) {
            Ok(_) => self.stored.month(month, need),
            Err(_) => MonthData::new(month),
        };
        data.class = need.class;
        for day in self.open.iter().filter(|day| day.date.month() == month) {
            data.distinct = Default::default();
            add(&mut data, day);
        }
        data
    }
}

fn add(data: &mut MonthData, day: &DaySummary) {
    let at = match data.days.binary_search_by_key(&day.date, |known| known.date) {
        Ok(at) => at,
        Err(at) => {
            data.days.insert(at, DaySummary::new(day.date));
            at
        }
    };
    let known = &mut data.days[at];
    known.lost = known.lost.saturating_add(day.lost);
    for class in Class::ALL {
        let (known, part) = (&mut known.classes[class as usize], day.class(class));
        if class == data.class && data.whole.is_none() {
            *known = if known.attempts == 0 { part.clone() } else { sum_of_parts(known, part) };
            continue;
        }
        let ClassSummary { attempts, distinct, .. } = *part;
        known.distinct = match (known.attempts, attempts) {
            (0, _) => distinct,
            (_, 0) => known.distinct,
            // A source may be in both parts.
            _ => None,
        };
        known.attempts = known.attempts.saturating_add(attempts);
    }
    // Rows of the whole month include the day's.
    if let Some(whole) = &mut data.whole {
        let whole = &mut whole.classes[data.class as usize];
        *whole = sum_of_class(&[&*whole, day.class(data.class)]);
    }
}
