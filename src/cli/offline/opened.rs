//! A store that is opened for questions while a daemon may commit to it.
//!
//! Takes questions, gives answers from one consistent state of the files, or with a note if that failed. Writes
//! nothing.

use std::time::Duration;

use super::{Result, plausible_now};
use crate::event::calendar::Calendar;
use crate::query::asns::SharedNetworks;
use crate::query::history::History;
use crate::query::open::{WithOpenDays, focused, joined};
use crate::query::question::{Question, Topic};
use crate::query::{self, Answer, AnswerError, advice};
use crate::stats::countries::{SharedLookup, with_lookup};
use crate::stats::day::Day;
use crate::stats::summary::DaySummary;
use crate::store::Store;
use crate::sys::installed;

/// A store with its open days.
pub struct Opened {
    pub store: Store,
    pub calendar: Calendar,
    pub lookup: SharedLookup,
    pub networks: Option<SharedNetworks>,
    /// The days that are not closed, each the sum of its pieces.
    pub open: Vec<Day>,
    /// The directory's generation when the open days were read; `None` if it could not be read.
    generation: Option<u64>,
    /// A running daemon has newer events in memory.
    pub(super) behind: bool,
    /// The error of a country or AS database.
    pub(super) problem: Option<String>,
}

/// Most tries to answer a question between two commits.
const MAX_TRIES: u32 = 5;
/// Usually a commit is published and its files are moved within this time.
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

impl Opened {
    /// Reads the open days of a store.
    pub(super) fn new(store: Store, calendar: Calendar, lookup: SharedLookup) -> Result<Opened> {
        let (networks, open, generation, behind, problem) = (None, Vec::new(), None, false, None);
        let mut opened = Opened { store, calendar, lookup, networks, open, generation, behind, problem };
        opened.read_again()?;
        Ok(opened)
    }

    /// Whether the files are still those that the open days were read from: a commit moves data from an open day to a
    /// month, which must count once.
    fn is_consistent(&self) -> bool {
        self.generation.is_some() && self.store.directory().generation().ok() == self.generation
    }

    fn read_again(&mut self) -> Result<()> {
        self.generation = self.store.directory().generation().ok();
        // Months of a commit since the store was opened.
        self.store.refresh()?;
        self.open = open_days(&mut self.store)?;
        Ok(())
    }

    /// Calls `ask` until no commit occurred meanwhile, at most [`MAX_TRIES`] times. The sentence: why this failed.
    fn consistently<T>(&mut self, mut ask: impl FnMut(&mut Opened) -> T) -> (T, Option<String>) {
        for _ in 1..MAX_TRIES {
            let answer = ask(self);
            if self.is_consistent() {
                return (answer, None);
            }
            std::thread::sleep(BETWEEN_TRIES);
            if let Err(failure) = self.read_again() {
                return (answer, Some(failure));
            }
        }
        let answer = ask(self);
        (answer, self.changed())
    }

    /// Answers a question.
    pub fn answer(&mut self, question: &Question) -> std::result::Result<Answer, AnswerError> {
        let mut question = question.clone();
        question.running = plausible_now().map(|now| {
            let hour = self.calendar.hour_of(now);
            (hour.date, hour.hour)
        });
        let (answer, changed) = self.consistently(|opened| opened.answer_once(&question));
        let mut answer = answer?;
        if let Some(changed) = changed {
            answer.completeness_mut().add_reason(changed);
        }
        Ok(answer)
    }

    fn answer_once(&mut self, question: &Question) -> std::result::Result<Answer, AnswerError> {
        let Opened { store, calendar, lookup, networks, open, behind, .. } = self;
        let about_countries = question.topic == Topic::Countries || question.country.is_some();
        let mut answer = with_lookup(Some(lookup), |mut lookup| {
            for day in open.iter_mut().filter(|_| about_countries) {
                day.measure_countries(lookup.as_deref_mut().map(|lookup| lookup as _));
            }
            let days = joined(open.iter().map(|day| focused(question, day)));
            let mut history = WithOpenDays { stored: store, open: &days };
            query::answer(question, &mut history, calendar, lookup, networks.as_ref())
        })?;
        let newest = open.iter().map(|day| day.date).max();
        if *behind && question.to.is_none_or(|to| newest.is_none_or(|newest| to >= newest)) {
            answer.completeness_mut().add_reason(
                "a daemon writes to this store and has newer events in memory: ask it without --db".into(),
            );
        }
        for sentence in self.store.damage_of_pieces() {
            answer.completeness_mut().add_reason(sentence.clone());
        }
        advice::add(question, &mut answer, installed::advice);
        Ok(answer)
    }

    /// Notes for every answer, a sentence each: damaged files, files that are left out, and errors of databases.
    pub fn notes(&self) -> Vec<String> {
        self.store_notes().into_iter().chain(self.problem.clone()).collect()
    }

    /// The same without the databases.
    pub fn store_notes(&self) -> Vec<String> {
        let aside: Vec<String> =
            self.store.set_aside().iter().map(|name| self.store.directory().describe(name)).collect();
        let aside = (!aside.is_empty()).then(|| format!("set aside, and in no answer: {}", aside.join(", ")));
        self.store.damage().cloned().chain(aside).collect()
    }

    /// Every month, and the open days as closed ones. Callers check [`Opened::changed`] after reading.
    pub fn days(&mut self) -> (&mut dyn History, Vec<DaySummary>) {
        let days = joined(self.open.iter().map(Day::to_closed));
        (&mut self.store, days)
    }

    /// Why what was read since the opening, or since the last try, may be wrong.
    pub fn changed(&self) -> Option<String> {
        let sentence =
            "the store changed while it was read: some packets may be missing or counted twice; ask again";
        (!self.is_consistent()).then(|| sentence.to_string())
    }
}

/// The open days of a store, each the sum of its pieces.
fn open_days(store: &mut Store) -> Result<Vec<Day>> {
    let mut days: Vec<Day> = Vec::new();
    for (name, date, _) in store.pieces()? {
        let Some(saved) = store.piece(&name)? else { continue };
        let mut day = days.pop_if(|day| day.date == date).unwrap_or_else(|| Day::new(date, store.salt()));
        for part in saved.days.iter().filter(|part| part.summary.date == date) {
            day.add_summary(&part.summary, &part.samples);
        }
        days.push(day);
    }
    Ok(days)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::cli::arguments::{Backend, Format, StoreOptions};
    use crate::cli::fleet_export::Range;
    use crate::cli::offline::open_store;
    use crate::cli::shell;
    use crate::event::Event;
    use crate::event::calendar::Date;
    use crate::query::question::Topic;
    use crate::store::Retention;
    use crate::store::directory::{Directory, Disk};
    use crate::store::pieces::{self, State};

    /// A store whose day is open, in a piece.
    struct Committing {
        path: PathBuf,
        writer: Store,
    }

    const DATE: Date = Date(20_000);

    impl Committing {
        fn new(name: &str) -> Committing {
            let path = std::env::temp_dir().join(format!("fwstat-offline-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path);
            let disk = Disk::open_for_writing(&path).unwrap();
            let mut writer = Store::open(Directory::Disk(disk), Retention::default(), Some(7)).unwrap();
            // The month is there already: a question reads it when it is asked.
            let before = Date(DATE.0 - 1);
            let added = writer.add(&[before], [Ok(Committing::day_of(before).to_closed())]).unwrap();
            writer.commit(added.changes).unwrap();
            let day = Committing::day_of(DATE);
            let piece = pieces::encode_day(7, &State { serial: 1, ..State::default() }, &day);
            writer.commit(vec![(pieces::name_of(DATE, 0), Some(piece))]).unwrap();
            Committing { path, writer }
        }

        fn day_of(date: Date) -> Day {
            let mut day = Day::new(date, 7);
            for number in 0..10 {
                let event =
                    Event { port: 23, protocol: 6, count: 1, fingerprint: number, ..Event::default() };
                day.add(&event, 5);
            }
            day
        }

        /// The day's close: its piece goes, its month comes.
        fn close(&mut self) {
            let added = self.writer.add(&[DATE], [Ok(Committing::day_of(DATE).to_closed())]).unwrap();
            let mut changes = added.changes;
            changes.extend(self.writer.remove_piece(&pieces::name_of(DATE, 0)).unwrap());
            self.writer.commit(changes).unwrap();
        }

        /// The other way round, as no daemon does it.
        fn open_again(&mut self) {
            let piece =
                pieces::encode_day(7, &State { serial: 1, ..State::default() }, &Committing::day_of(DATE));
            let month = format!("{}.fws", DATE.month());
            self.writer.commit(vec![(pieces::name_of(DATE, 0), Some(piece)), (month, None)]).unwrap();
        }

        fn opened(&self) -> Opened {
            let timezone = Some("UTC".to_string());
            open_store(&StoreOptions { timezone, ..StoreOptions::of(self.path.clone()) }).unwrap()
        }
    }

    impl Drop for Committing {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }

    fn attempts(answer: std::result::Result<Answer, AnswerError>) -> (u64, bool) {
        let Ok(Answer::Days(mut answer)) = answer else { panic!("{answer:?}") };
        let complete = answer.completeness.complete;
        (answer.days.drain(..).map(|row| row.attempts).sum(), complete)
    }

    #[test]
    fn a_day_that_is_closed_between_opening_and_asking_counts_once() {
        let mut store = Committing::new("closed");
        let mut opened = store.opened();
        opened.behind = false;
        let question = Question { from: Some(DATE), to: Some(DATE), ..Question::new(Topic::Days) };
        assert_eq!(attempts(opened.answer(&question)), (10, true));
        store.close();
        assert_eq!(attempts(opened.answer_once(&question)).0, 20, "the piece was read, and now the month is");
        assert!(opened.changed().is_some());
        assert_eq!(attempts(opened.answer(&question)), (10, true));
        assert!(opened.changed().is_none());
    }

    #[test]
    fn an_export_of_days_says_nothing_of_a_database_that_it_does_not_use() {
        let store = Committing::new("export");
        let countries = store.path.with_extension("mmdb");
        std::fs::write(&countries, "no database").unwrap();
        let options = StoreOptions { countries: countries.clone(), ..StoreOptions::of(store.path.clone()) };
        assert_eq!(open_store(&options).unwrap().notes().len(), 1);
        let (mut out, range, backend) = (Vec::new(), Range::default(), Backend::Store(options));
        let exported = shell::export(Format::Csv, &range, &backend, &mut out);
        std::fs::remove_file(countries).unwrap();
        assert!(exported.is_ok_and(|outcome| outcome.notes.is_empty()) && !out.is_empty());
    }

    /// Takes an export; with `closes` its first bytes close the day.
    struct Exported<'a> {
        store: &'a mut Committing,
        closes: bool,
    }

    impl std::io::Write for Exported<'_> {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if std::mem::take(&mut self.closes) {
                self.store.close();
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_export_of_batches_during_which_a_day_is_closed_fails() {
        let mut store = Committing::new("batches");
        let range = Range { from: Some(Date(DATE.0 - 1)), to: Some(DATE) };
        let timezone = Some("UTC".to_string());
        let backend = Backend::Store(StoreOptions { timezone, ..StoreOptions::of(store.path.clone()) });
        for closes in [false, true] {
            let mut out = Exported { store: &mut store, closes };
            let exported = shell::export(Format::Ndjson, &range, &backend, &mut out).ok().unwrap();
            assert_eq!(exported.failures.len(), usize::from(closes), "{:?}", exported.failures);
        }
    }

    #[test]
    fn a_store_that_changes_at_every_try_is_told() {
        let mut store = Committing::new("restless");
        let mut opened = store.opened();
        opened.behind = false;
        let mut tries = 0;
        let ((), changed) = opened.consistently(|_| {
            tries += 1;
            if tries % 2 == 1 { store.close() } else { store.open_again() }
        });
        assert_eq!(tries, MAX_TRIES);
        assert!(changed.unwrap().contains("counted twice"));
    }
}
