//! The open tables of one local day: one set for each class.

use crate::calendar::Date;
use crate::event::{Class, Event};

use super::countries::{Atlas, KeptCountries};
use super::kept::{Cuts, Kept};
use super::tables::{Bounds, Focus, Tables};

/// A day's summary: one for each class, in the order of [`Class::ALL`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptDay {
    pub date: Date,
    pub classes: [Kept; Class::COUNT],
}

impl KeptDay {
    pub fn class(&self, class: Class) -> &Kept {
        &self.classes[class as usize]
    }

    /// Leaves out light rows, as a closed day is kept.
    pub fn cut(&mut self) {
        for class in Class::ALL {
            self.classes[class as usize].cut(day_cuts(class));
        }
    }
}

impl KeptDay {
    /// Takes away what is only kept of the newest days.
    pub fn forget_hours_and_sketches(&mut self) {
        for class in Class::ALL {
            self.classes[class as usize].forget_hours_and_sketches(match class {
                Class::Attempt => &Cuts::OLD_DAY,
                Class::Login | Class::Egress => &Cuts::DAY_RARE,
                Class::Backscatter | Class::Noise => &Cuts::OLD_DAY_OTHERS,
            });
        }
    }
}

fn day_cuts(class: Class) -> &'static Cuts {
    match class {
        Class::Attempt => &Cuts::DAY,
        Class::Login | Class::Egress => &Cuts::DAY_RARE,
        Class::Backscatter | Class::Noise => &Cuts::DAY_OTHERS,
    }
}

/// At the bounds of all classes about 3.6 MB; a quiet day needs little of it.
#[derive(Clone)]
pub struct Day {
    pub date: Date,
    classes: [Tables; Class::COUNT],
}

impl Day {
    pub fn new(date: Date) -> Day {
        let tables = |class| match class {
            Class::Attempt => Tables::new(Bounds::ATTEMPTS),
            _ => Tables::new(Bounds::OTHERS),
        };
        Day { date, classes: Class::ALL.map(tables) }
    }

    /// For many events at once: counting is quicker, and indexes take twice the room (0.3 MB more at the bounds).
    pub fn of_an_import(date: Date) -> Day {
        Day::with_bounds(date, Bounds { places: 4, ..Bounds::ATTEMPTS }, Bounds::OTHERS)
    }

    /// With other bounds: for attempts, and for each other class.
    pub fn with_bounds(date: Date, attempts: Bounds, others: Bounds) -> Day {
        let tables = |class| Tables::new(if class == Class::Attempt { attempts } else { others });
        Day { date, classes: Class::ALL.map(tables) }
    }

    /// Begins another day with the same memory.
    pub fn restart(&mut self, date: Date) {
        self.date = date;
        self.classes.iter_mut().for_each(Tables::clear);
    }

    /// Counts an event of this day that fell into the local hour `hour`. One function, into which all that it needs is
    /// put, for all who count.
    #[inline(never)]
    pub fn add(&mut self, event: &Event, hour: u8) {
        self.classes[event.class as usize].add(event, hour);
    }

    pub fn is_empty(&self) -> bool {
        self.classes.iter().all(|tables| tables.count() == 0)
    }

    /// Looks up the countries of the sources, for the next summary. Without an atlas they are not measured.
    pub fn measure_countries(&mut self, atlas: Option<&mut (dyn Atlas + '_)>) {
        self.classes.iter_mut().for_each(|tables| tables.set_countries(KeptCountries::default()));
        if let Some(atlas) = atlas {
            for class in Class::ALL.into_iter().filter(|class| class.has_countries()) {
                self.classes[class as usize].measure_countries(atlas);
            }
        }
    }

    /// The sum of what was measured of parts of the day.
    pub fn set_countries_of(&mut self, parts: &[&KeptDay]) {
        for class in Class::ALL {
            let mut sum = KeptCountries::default();
            let parts = || parts.iter().map(|part| &part.class(class).countries);
            parts().for_each(|part| sum.add(part));
            if let Some(sample) = &mut sum.sample {
                let samples = || parts().filter_map(|part| part.sample.as_ref());
                sample.know_only(|service| samples().all(|sample| sample.knows(service)));
            }
            self.classes[class as usize].set_countries(sum);
        }
    }

    /// Everything that is known of the day; of tables that overflowed, the heaviest rows.
    pub fn to_kept(&self) -> KeptDay {
        let all = |class: Class| {
            let tables = self.tables(class);
            tables.to_kept(Some(&tables.whole_cuts()))
        };
        KeptDay { date: self.date, classes: Class::ALL.map(all) }
    }

    pub fn tables(&self, class: Class) -> &Tables {
        &self.classes[class as usize]
    }

    /// The day as a closed one is kept: the same as [`Day::to_kept`] and then [`KeptDay::cut`].
    pub fn to_kept_cut(&self) -> KeptDay {
        let cut = |class: Class| self.classes[class as usize].to_kept(Some(day_cuts(class)));
        KeptDay { date: self.date, classes: Class::ALL.map(cut) }
    }

    /// What is known of some services and sources, each table cut to its heaviest rows.
    pub fn focused(&self, focus: &Focus<'_>) -> KeptDay {
        let focused = |class: Class| self.classes[class as usize].focused(focus);
        KeptDay { date: self.date, classes: Class::ALL.map(focused) }
    }

    /// As [`Day::focused`], of one class and of attempts; of the others only what has no rows.
    pub fn focused_on(&self, asked: Class, focus: &Focus<'_>) -> KeptDay {
        let none = Focus::heaviest(0, 0, 0);
        let focused = |class: Class| {
            let wanted = class == asked || class == Class::Attempt;
            self.classes[class as usize].focused(if wanted { focus } else { &none })
        };
        KeptDay { date: self.date, classes: Class::ALL.map(focused) }
    }

    /// Every row is there: nothing was ever evicted or left out.
    pub fn is_whole(&self) -> bool {
        self.classes.iter().all(Tables::is_whole)
    }

    /// Adds what was stored of the same day.
    pub fn add_kept(&mut self, kept: &KeptDay) {
        for (tables, kept) in self.classes.iter_mut().zip(&kept.classes) {
            tables.add_kept(kept);
        }
    }
}
