//! Files beside the statistics in the same directory: the guard's ledger, and the blocked networks.

use super::Storage;
use crate::store::StoreError;
use crate::store::container::Open;

impl Storage {
    /// Adds a change to the next commit; `None` removes the file.
    pub(super) fn change(&mut self, name: String, bytes: Option<Vec<u8>>) {
        if !self.extra.iter().any(|(known, _)| *known == name) {
            self.extra.push((name, bytes));
        }
    }

    /// Writes a file with the next commit. A damaged one that it replaces is kept as `NAME.bad`. The error says why flash
    /// will not have it.
    pub(crate) fn put(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), String> {
        for (name, bytes) in self.store.keep_damaged(name).map_err(|error| error.to_string())? {
            self.change(name, bytes);
        }
        self.extra.retain(|(known, _)| known != name);
        self.change(name.to_string(), Some(bytes));
        match &self.problem {
            Some(problem) if self.worker.is_none() => Err(problem.clone()),
            _ => Ok(()),
        }
    }

    /// A file as `parse` reads it. `None` without the file, or if it cannot be read, which is then a warning.
    pub(crate) fn get<T>(&mut self, name: &str, parse: impl FnOnce(&Open) -> Option<T>) -> Option<T> {
        let (parsed, damage) = match self.store.open_file(name) {
            Ok(None) => return None,
            Ok(Some(file)) => (parse(&file), "contains an invalid record"),
            Err(StoreError::Newer { .. }) => (None, "is of a newer version"),
            Err(_) => (None, "cannot be read"),
        };
        self.store.note(name, parsed.is_none().then_some(damage));
        parsed
    }
}
