//! Texts that the package installs beside the program. Bounded in size; a missing one is `None`.

use std::fs::File;
use std::path::Path;

use super::read::at_most;

/// Advice about known services, see [`crate::query::advice`].
const ADVICE: &str = "/usr/share/fwstat/advice.tsv";
/// The longest file that is read.
const MAX_ADVICE_BYTES: u64 = 256 * 1024;

/// The text of [`ADVICE`]; `None` if it is not installed.
pub fn advice() -> Option<String> {
    read_text(Path::new(ADVICE), MAX_ADVICE_BYTES)
}

/// A text of at most `most` bytes; `None` if it is missing, longer, or not UTF-8.
pub fn read_text(path: &Path, most: u64) -> Option<String> {
    let text = String::from_utf8(at_most(&mut File::open(path).ok()?, most + 1).ok()?).ok()?;
    (text.len() as u64 <= most).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_installs_what_is_read() {
        let text =
            read_text(Path::new(&format!("{}/files{ADVICE}", env!("CARGO_MANIFEST_DIR"))), MAX_ADVICE_BYTES);
        assert!(text.is_some_and(|text| text.lines().count() > 10));
    }
}
