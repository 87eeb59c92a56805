//! Parameters of the allocator.
//!
//! glibc raises its mmap threshold whenever a mapped block is freed, and retains freed memory below the threshold: a
//! process that allocates and frees tables would stay at the sum of their peaks. musl's allocator always returns large
//! blocks to the kernel.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};

/// Set only in a process with a single thread, as mallopt(3) demands.
static ONE_THREAD: AtomicBool = AtomicBool::new(false);

/// Called at the start of the program. Without it the other functions do nothing: a user of the library may have
/// threads.
pub fn begin() {
    ONE_THREAD.store(true, Ordering::Relaxed);
    return_freed_memory();
}

/// Freed memory returns to the kernel at once.
pub fn return_freed_memory() {
    // Tables of 16 KiB and more are allocated and freed often.
    set_thresholds(16 * 1024, 16 * 1024);
}

/// The allocator retains some freed memory: requesting the same memory from the kernel for each day costs microseconds
/// per page.
pub fn retain_freed_memory() {
    set_thresholds(128 * 1024, 512 * 1024);
}

/// Blocks of at least `large` bytes are mapped one by one; of smaller ones `retained` bytes stay with the allocator.
fn set_thresholds(large: libc::c_int, retained: libc::c_int) {
    if !ONE_THREAD.load(Ordering::Relaxed) {
        return;
    }
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt only sets parameters of the allocator, and no other thread runs.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, large);
        libc::mallopt(libc::M_TRIM_THRESHOLD, retained);
        libc::mallopt(libc::M_TOP_PAD, retained);
    }
    #[cfg(not(target_env = "gnu"))]
    let _ = (large, retained);
}
