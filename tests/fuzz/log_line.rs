//! What the fuzz target `log_line` does, and the unit tests of the parser of lines do with random ones. What it uses is
//! imported by the module above, since that is in another crate there.

use super::{
    Calendar, Event, FileClock, KnownAddress, LineReader, Networks, Outcome, Padded, Paths, bare_uptime,
    day_without_year, netfilter,
};

/// Reads a line of any bytes in every way there is. The fast and the slow reader must agree.
pub fn log_line(line: &[u8]) {
    let mut paths = Paths::new();
    let mut reader = LineReader::new(&Networks::default(), Calendar::utc());
    reader.begin_file(FileClock { year: 2026, ..FileClock::default() });
    for _ in 0..2 {
        reader.read(line, &mut paths);
        reader.read_kernel(line, 0, &mut paths);
        reader.read_daemon(line, 0, &mut paths);
    }
    day_without_year(line);
    bare_uptime(line);
    let Some(padded) = Padded::new(line) else { return };
    let text = padded.window();
    if let Some((fast, end)) = netfilter::kernel_order(text, 0, &mut KnownAddress::default()) {
        let slow = netfilter::any_order(&[b"SRC=", line].concat());
        assert_eq!(Some(fast), slow);
        assert!(end <= line.len());
    }
    // Once to know the context, then quickly.
    for _ in 0..2 {
        let mut event = Event::default();
        let quick = reader.read_quickly(text, &mut event);
        let outcome = reader.read(line, &mut paths);
        if let Some(end) = quick {
            assert!(matches!(outcome, Outcome::Event(read) if read == event), "{event:?} {outcome:?}");
            assert!(end <= line.len());
        }
    }
}
