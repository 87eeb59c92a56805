//! Contents that were imported before, wholly or in part.

use super::*;

#[test]
fn a_content_is_imported_once_under_any_name() {
    let folder = Folder::new();
    let text = log(0..1000);
    let mut imported = Imported::default();
    let plain = folder.put("messages", &text);
    let packed = folder.put("messages.1.gz", pack(&text));
    // Twice within one call, packed and not.
    let outcome = run(&[plain.clone(), packed.clone(), plain.clone()], b"", None, &mut imported);
    assert_eq!(
        outcome.states(),
        [&FileState::Read, &FileState::AlreadyImported, &FileState::AlreadyImported]
    );
    assert_eq!(outcome.counts(), [1000, 1000, 0, 0, 0]);
    // And in a later call, from what was stored.
    let mut imported = Imported::decode(&imported.encode()).unwrap();
    for file in [plain, packed, folder.put("renamed", &text)] {
        let outcome = run(&[file], b"", None, &mut imported);
        assert_eq!((outcome.states(), outcome.counts()), (vec![&FileState::AlreadyImported], [0; 5]));
        assert!(!outcome.reports[0].discard);
    }
    assert_eq!(imported.entries.len(), 1);
    // One changed byte is another content.
    let other = folder.put("other", text.replacen("ID=1 ", "ID=2 ", 1));
    assert_eq!(run(&[other], b"", None, &mut imported).states(), [&FileState::Read]);
}

#[test]
fn a_shorter_copy_beside_a_longer_one_counts_once() {
    let folder = Folder::new();
    for lines in [3, 1000] {
        let short = folder.put("backup", log(0..lines));
        let long = folder.put("messages", log(0..lines + 500));
        let outcome = read(&[short, long]);
        assert_eq!(outcome.states(), [&FileState::AlreadyImported, &FileState::Read]);
        assert_eq!(outcome.events.len() as i64, lines + 500);
        assert!(outcome.reports[0].note.as_ref().unwrap().contains("messages"));
    }
}

#[test]
fn of_a_grown_file_only_the_rest_is_read() {
    let folder = Folder::new();
    let mut imported = Imported::default();
    for (step, bounds) in [0, 5, 1000, 1001, 4000].windows(2).enumerate() {
        let text = log(0..bounds[1]);
        let bytes = if step % 2 == 1 { pack(&text) } else { text.into_bytes() };
        let outcome = run(&[folder.put("messages", bytes)], b"", None, &mut imported);
        assert_eq!(outcome.times(), (bounds[0]..bounds[1]).collect::<Vec<_>>());
        assert_eq!(outcome.counts()[0], (bounds[1] - bounds[0]) as u64);
    }
    // The shorter copies are known too, at the lengths they had.
    let outcome = run(&[folder.put("backup", log(0..1000))], b"", None, &mut imported);
    assert_eq!(outcome.states(), [&FileState::AlreadyImported]);
}

#[test]
fn of_a_gzip_file_that_was_cut_off_the_rest_is_read_later() {
    let folder = Folder::new();
    let mut imported = Imported::default();
    let bytes = pack(&log(1000..6000));
    let cut = folder.put("log.gz", &bytes[..bytes.len() / 2]);
    let first = run(std::slice::from_ref(&cut), b"", None, &mut imported);
    let again = run(&[cut], b"", None, &mut imported);
    assert_eq!(again.states(), [&FileState::AlreadyImported]);
    let rest = run(&[folder.put("log.gz", bytes)], b"", None, &mut imported);
    assert_eq!(rest.states(), [&FileState::Read]);
    assert_eq!(first.events.len() + rest.events.len(), 5000);
}

#[test]
fn a_file_cut_at_any_byte_and_grown_later_counts_every_line_once() {
    let folder = Folder::new();
    let text =
        &[&message(100, 0).replace('\n', "\r\n"), &message(101, 0), "#no event\n\n", &log(102..104)].concat();
    for cut in 1..text.len() {
        let mut imported = Imported::default();
        let mut times = run(&[folder.put("log", &text[..cut])], b"", None, &mut imported).times();
        let again = run(&[folder.put("log", &text[..cut])], b"", None, &mut imported);
        assert_eq!(again.states(), [&FileState::AlreadyImported], "cut at {cut}");
        times.extend(run(&[folder.put("log", text)], b"", None, &mut imported).times());
        assert_eq!(times, [100, 101, 102, 103], "cut at {cut}");
    }
}

#[test]
fn the_year_goes_on_where_a_grown_file_does() {
    let folder = Folder::new();
    let mut imported = Imported::default();
    let (begun, grown) = (on_days(&["Nov  1", "Jan  2"]), on_days(&["Nov  1", "Jan  2", "Feb  3"]));
    run(&[folder.put("log", begun)], b"", Some(2015), &mut imported);
    let outcome = run(&[folder.put("log", grown)], b"", Some(2015), &mut imported);
    assert_eq!(
        outcome.times(),
        [i64::from(crate::event::calendar::Date::parse("2016-02-03").unwrap().0) * 86_400]
    );
}

#[test]
fn standard_input_tells_at_its_end_that_it_was_known() {
    let folder = Folder::new();
    let mut imported = Imported::default();
    let input = PathBuf::from("-");
    for lines in [10, 1000] {
        let text = log(5000..5000 + lines);
        let mut imported = Imported::default();
        let first = run(std::slice::from_ref(&input), text.as_bytes(), None, &mut imported);
        assert_eq!((first.states(), first.reports[0].discard), (vec![&FileState::Read], false));
        let again = run(std::slice::from_ref(&input), &pack(&text), None, &mut imported);
        assert_eq!((again.states(), again.reports[0].discard), (vec![&FileState::AlreadyImported], true));
        let grown = text.clone() + &message(9000, 0);
        let grown = run(std::slice::from_ref(&input), grown.as_bytes(), None, &mut imported);
        assert!(matches!(grown.states()[0], FileState::Failed(why) if why.contains("begins with")));
        assert!(grown.reports[0].discard);
        // A file with that content is known as well.
        let file = run(&[folder.put("log", &text)], b"", None, &mut imported);
        assert_eq!(file.states(), [&FileState::AlreadyImported]);
    }
    let outcome = run(&[input], &pack(&message(1, 0))[..15], None, &mut imported);
    assert!(
        matches!(outcome.states()[0], FileState::Failed(_) | FileState::Partly(_)),
        "{:?}",
        outcome.states()
    );
}

#[test]
fn a_named_pipe_is_read_like_standard_input() {
    let folder = Folder::new();
    let path = folder.0.join("pipe");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let writer = std::thread::spawn({
        let path = path.clone();
        move || fs::write(path, log(0..100)).unwrap()
    });
    assert_eq!(read(&[path]).times(), (0..100).collect::<Vec<_>>());
    writer.join().unwrap();
}
