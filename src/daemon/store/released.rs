//! The store while a command works on it.

use super::Storage;

impl Storage {
    /// Closes the store and its lock, so that another process can write to the directory; the next commit opens it again.
    /// False while a commit is in progress.
    pub(crate) fn release(&mut self) -> bool {
        if self.is_busy() {
            return false;
        }
        (self.worker, self.store) = (None, None);
        self.problem = Some("in RAM only: a command works on the store".into());
        self.released = true;
        true
    }

    /// Whether the directory may have files that were not read yet.
    pub(crate) fn is_released(&self) -> bool {
        self.released
    }

    /// True once when the files can be read that were not read yet.
    pub(crate) fn take_back(&mut self) -> bool {
        self.store.is_some() && std::mem::take(&mut self.released)
    }
}
