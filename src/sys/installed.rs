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

/// A text of at most `most` bytes, with U+FFFD for what is not UTF-8; `None` if it is missing or longer.
pub fn read_text(path: &Path, most: u64) -> Option<String> {
    let bytes = at_most(&mut File::open(path).ok()?, most + 1).ok()?;
    (bytes.len() as u64 <= most).then(|| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_in_another_charset_hides_nothing() {
        let path = std::env::temp_dir().join(format!("fwstat-latin1-{}", std::process::id()));
        std::fs::write(&path, b"# caf\xe9\nconfig zone\n").unwrap();
        assert_eq!(read_text(&path, 99).as_deref(), Some("# caf\u{fffd}\nconfig zone\n"));
        assert_eq!(read_text(&path, 9), None);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn the_package_installs_what_is_read() {
        let text =
            read_text(Path::new(&format!("{}/files{ADVICE}", env!("CARGO_MANIFEST_DIR"))), MAX_ADVICE_BYTES);
        assert!(text.is_some_and(|text| text.lines().count() > 10));
    }
}
