//! Random numbers of the kernel, and the id of this boot.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A random number from getrandom(2), which needs no file.
pub fn number() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// The kernel's id of this boot. If it cannot be read, a random id, so that the state of an earlier run counts as
/// another boot's.
pub fn boot_id() -> String {
    boot_id_of(Path::new(BOOT_ID))
}

fn boot_id_of(path: &Path) -> String {
    let read = fs::read_to_string(path).unwrap_or_default();
    match read.trim() {
        "" => format!("unknown-{:016x}{:016x}", number(), number()),
        id => id.chars().take(64).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_differ() {
        let numbers: std::collections::HashSet<u64> = (0..1000).map(|_| number()).collect();
        assert_eq!(numbers.len(), 1000);
    }

    #[test]
    fn an_unreadable_boot_id_is_no_other_boots() {
        assert_eq!(boot_id(), boot_id());
        for path in ["/nonexistent", "/dev/null", "/"] {
            let ids = [boot_id_of(Path::new(path)), boot_id_of(Path::new(path))];
            assert!(ids[0] != ids[1] && ids[0].starts_with("unknown-"), "{path}: {ids:?}");
        }
    }
}
