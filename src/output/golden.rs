//! Compares complete outputs with `tests/golden/*.txt`. After an intended change `FWSTAT_BLESS=1 cargo test`
//! regenerates the files; read them before you commit them.

use std::io::{self, Write};

/// The output of `write` as text.
pub fn text(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Compares the output of `write` with `tests/golden/NAME.txt`.
pub fn golden(name: &str, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
    let path = format!("{}/tests/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let text = text(write);
    if std::env::var_os("FWSTAT_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(text, expected, "{path}");
}
