//! Texts that the package installs beside the program.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// A text of at most `most` bytes; `None` if it is not there, longer, or no UTF-8.
pub fn read_text(path: &Path, most: u64) -> Option<String> {
    let mut text = String::new();
    File::open(path).ok()?.take(most + 1).read_to_string(&mut text).ok()?;
    (text.len() as u64 <= most).then_some(text)
}
