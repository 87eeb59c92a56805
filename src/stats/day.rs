//! The open tables of one local day, one set for each class. Takes events and their local hour, gives summaries.
//! Bounded.

use std::borrow::Cow;

use crate::event::calendar::Date;
use crate::event::paths::Rules;
use crate::event::{Address, Class, Event};

use super::countries::{CountryLookup, SharedLookup, with_lookup};
use super::sample::Sample;
use super::summary::{Cuts, DaySummary};
use super::tables::{Bounds, Focus, Tables};

/// At the bounds of all classes about 3 MB; a quiet day needs little of it.
#[derive(Clone)]
pub struct Day {
    pub date: Date,
    /// Packets of this day that were not counted: lost by the inputs, or refused where only their number is known.
    pub lost: u64,
    classes: [Tables; Class::COUNT],
}

/// Samples of the classes whose tables overflowed.
pub type Samples = [Option<Sample<Address>>; Class::COUNT];

impl Day {
    /// `salt`: of the store's samples.
    pub fn new(date: Date, salt: u64) -> Day {
        Day::with_bounds(date, salt, Bounds::ATTEMPTS, Bounds::OTHERS)
    }

    /// With other bounds: for attempts, and for each other class.
    pub fn with_bounds(date: Date, salt: u64, attempts: Bounds, others: Bounds) -> Day {
        let bounds = |class| if class == Class::Attempt { attempts } else { others };
        Day { date, lost: 0, classes: Class::ALL.map(|class| Tables::new(bounds(class), salt, date)) }
    }

    /// Sets the rules of paths. Without it no event has a rule.
    pub fn with_rules(mut self, rules: &Rules) -> Day {
        self.classes.iter_mut().for_each(|tables| tables.rules.set_names(rules));
        self
    }

    /// Begins another day.
    pub fn restart(&mut self, date: Date) {
        (self.date, self.lost) = (date, 0);
        self.classes.iter_mut().for_each(|tables| tables.restart(date));
    }

    /// Counts an event of this day that fell into the local hour `hour`. One function, into which all that it needs is
    /// inlined, for all callers.
    #[inline(never)]
    pub fn add(&mut self, event: &Event, hour: u8) {
        self.classes[event.class as usize].add(event, hour);
    }

    /// Whether nothing was counted or lost.
    pub fn is_empty(&self) -> bool {
        self.lost == 0 && self.classes.iter().all(|tables| tables.count() == 0)
    }

    /// Looks up the countries of the sources, for the next summary. Without a database they are not measured.
    pub fn measure_countries(&mut self, mut lookup: Option<&mut (dyn CountryLookup + '_)>) {
        for class in Class::ALL {
            let lookup = lookup.as_deref_mut().filter(|_| class.has_countries());
            self.classes[class as usize].measure_countries(lookup);
        }
    }

    /// Everything that is known of the day; of tables that overflowed, the heaviest rows.
    pub fn to_summary(&self) -> DaySummary {
        self.summary_of(|tables, _| tables.to_summary(&Cuts::WHOLE))
    }

    /// The day as a closed one is stored: the same as [`Day::to_summary`] and then [`DaySummary::cut`].
    pub fn to_closed(&self) -> DaySummary {
        self.summary_of(|tables, class| tables.to_summary(Cuts::of_day(class)))
    }

    /// The part of the day that a question needs.
    pub fn focused(&self, focus: &Focus<'_>) -> DaySummary {
        self.summary_of(|tables, _| tables.focused(focus))
    }

    /// As [`Day::focused`], for one class; of the others only the totals.
    pub fn focused_on(&self, asked: Class, focus: &Focus<'_>) -> DaySummary {
        self.summary_of(|tables, class| match class == asked {
            true => tables.focused(focus),
            false => tables.totals_only(),
        })
    }

    fn summary_of(&self, summary: impl Fn(&Tables, Class) -> super::summary::ClassSummary) -> DaySummary {
        let classes = Class::ALL.map(|class| summary(self.tables(class), class));
        DaySummary { date: self.date, lost: self.lost, classes }
    }

    /// The tables of one class.
    pub fn tables(&self, class: Class) -> &Tables {
        &self.classes[class as usize]
    }

    /// Samples of the classes that have sources without a row.
    pub fn samples(&self) -> Samples {
        Class::ALL.map(|class| self.tables(class).overflowed_sample().map(Cow::into_owned))
    }

    /// Samples of all classes: for a summary that leaves out rows.
    pub fn all_samples(&self) -> Samples {
        Class::ALL.map(|class| Some(self.tables(class).sample().into_owned()))
    }

    /// Whether every row is there: nothing was evicted or left out.
    pub fn is_whole(&self) -> bool {
        self.classes.iter().all(Tables::is_whole)
    }

    /// Adds a stored part of the same day.
    pub fn add_summary(&mut self, summary: &DaySummary, samples: &Samples) {
        self.lost = self.lost.saturating_add(summary.lost);
        for ((tables, summary), sample) in self.classes.iter_mut().zip(&summary.classes).zip(samples) {
            tables.add_summary(summary, sample.as_ref());
        }
    }
}

/// A day as it is stored, with the countries of its sources.
pub fn close(day: &mut Day, lookup: Option<&SharedLookup>) -> DaySummary {
    with_lookup(lookup, |lookup| day.measure_countries(lookup));
    day.to_closed()
}

/// Removes the addresses of sources from the samples of an open day, at the owner's request. Gives how many.
pub fn forget_sampled(samples: &mut Samples, is_meant: impl Fn(Address) -> bool) -> usize {
    samples.iter_mut().flatten().map(|sample| sample.remove(&is_meant)).sum()
}
