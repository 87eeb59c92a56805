//! What an import says of files that cannot be added, or count twice.

use std::fs;

use crate::common::fwstat::{Ran, log_of_days, run, run_with_input, scratch};

fn import(store: &str, files: &[&str], input: &str) -> Ran {
    let arguments = [&["import", "--db", store, "--timezone", "UTC"], files].concat();
    run_with_input(&arguments, input.as_bytes())
}

#[test]
fn files_beside_a_pipe_that_was_imported_before_are_not_added_and_that_is_a_failure() {
    let directory = scratch("imports-pipe");
    let (store, file) = (directory.join("store"), directory.join("file.log"));
    let (store, file) = (store.to_str().unwrap(), file.to_str().unwrap());
    fs::write(file, log_of_days(40..45)).unwrap();
    assert_eq!(import(store, &["-"], &log_of_days(28..30)).code, Some(0));
    let before = run(&["days", "--db", store]).stdout;
    let again = import(store, &["-"], &log_of_days(28..30));
    let (known, nothing) = ("fwstat: - was read before: it is not counted again\n", "nothing was added");
    assert_eq!(
        (again.code, again.stderr.as_str()),
        (Some(0), &*format!("{known}fwstat: {nothing}: it was all imported before\n"))
    );
    let beside = import(store, &["-", file], &log_of_days(28..30));
    let why = "since a pipe brought what was imported before: import the other files without it";
    assert_eq!((beside.code, beside.stderr), (Some(1), format!("{known}fwstat: {nothing}, {why}\n")));
    assert_eq!(run(&["days", "--db", store]).stdout, before);
    assert_eq!(import(store, &[file], "").code, Some(0));
    assert_ne!(run(&["days", "--db", store]).stdout, before);
}

#[test]
fn days_that_had_events_are_named() {
    let directory = scratch("imports-days");
    let store = directory.join("store");
    let store = store.to_str().unwrap();
    let first = import(store, &["-"], &log_of_days(28..40));
    assert_eq!((first.code, first.stderr.as_str()), (Some(0), ""));
    let why = "had events before this import: what the daemon counted of the same log counts twice";
    let days = run(&["days", "--db", store]).stdout;
    let date =
        |day: usize| days.lines().filter(|line| line.starts_with("20")).nth(day).unwrap()[..10].to_string();
    for (range, named) in
        [(30..33, format!("{} to {}", date(2), date(4))), (31..32, date(3)), (45..47, String::new())]
    {
        // Another log of the same days.
        let log = log_of_days(range).replace("203.0.113.", "192.0.2.");
        let told = import(store, &["-"], &log).stderr;
        let expected = if named.is_empty() { String::new() } else { format!("fwstat: {named} {why}\n") };
        assert_eq!(told, expected);
    }
}
