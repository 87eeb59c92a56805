//! A store that a daemon commits to while it is asked.

use super::*;
use crate::event::Event;
use crate::query::question::Topic;

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
        let mut writer = Store::open(Directory::Disk(disk), Keep::default(), Some(7)).unwrap();
        let day = Committing::day();
        let piece = pieces::encode_day(7, &State { serial: 1, ..State::default() }, &day);
        writer.commit(vec![(pieces::name_of(DATE, 0), Some(piece))]).unwrap();
        Committing { path, writer }
    }

    fn day() -> Day {
        let mut day = Day::new(DATE, 7);
        for number in 0..10 {
            let event = Event { port: 23, protocol: 6, count: 1, fingerprint: number, ..Event::default() };
            day.add(&event, 5);
        }
        day
    }

    /// The day's close: its piece goes, its month comes.
    fn close(&mut self) {
        let added = self.writer.add(&[DATE], [Ok(Committing::day().to_closed())].into_iter()).unwrap();
        let mut changes = added.changes;
        changes.extend(self.writer.remove_piece(&pieces::name_of(DATE, 0)).unwrap());
        self.writer.commit(changes).unwrap();
    }

    /// The other way round, as no daemon does it.
    fn open_again(&mut self) {
        let piece = pieces::encode_day(7, &State { serial: 1, ..State::default() }, &Committing::day());
        let month = format!("{}.fws", DATE.month());
        self.writer.commit(vec![(pieces::name_of(DATE, 0), Some(piece)), (month, None)]).unwrap();
    }

    fn opened(&self) -> Opened {
        open_store(&self.path, Some("UTC"), Path::new(DEFAULT_COUNTRIES)).unwrap().0
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
fn a_store_that_changes_at_every_try_is_told() {
    let mut store = Committing::new("restless");
    let mut opened = store.opened();
    opened.behind = false;
    let mut tries = 0;
    let ((), changed) = opened.consistently(|_| {
        tries += 1;
        if tries % 2 == 1 { store.close() } else { store.open_again() }
    });
    assert_eq!(tries, MOST_TRIES);
    assert!(changed.unwrap().contains("counted twice"));
}
