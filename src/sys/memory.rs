//! The allocator's habits.
//!
//! glibc raises the size from which it asks the kernel for each block whenever such a block is
//! freed, and then keeps what is freed below it: a process whose tables come and go would stay at
//! the sum of their peaks. musl, which the router has, always gives large blocks back.

use std::sync::atomic::{AtomicBool, Ordering};

/// Habits change in a process with one thread only: mallopt(3) asks for that.
static ONE_THREAD: AtomicBool = AtomicBool::new(false);

/// For a program that begins. Without it the others do nothing: whoever uses the library may have threads.
pub fn begin() {
    ONE_THREAD.store(true, Ordering::Relaxed);
    give_back_what_is_freed();
}

/// Freed memory goes back to the system at once.
pub fn give_back_what_is_freed() {
    // A sketch of different sources, 16 KiB, is the smallest of what comes and goes by the dozen.
    ask_for_each_from(16 * 1024, 16 * 1024);
}

/// Some of what is freed stays with the allocator. Who needs the same for each day again need not wait for the kernel: that takes
/// microseconds a page.
pub fn keep_for_the_next_day() {
    ask_for_each_from(128 * 1024, 512 * 1024);
}

/// Blocks of `large` bytes are asked of the kernel one by one; of smaller ones `retained` bytes stay with the allocator.
fn ask_for_each_from(large: libc::c_int, retained: libc::c_int) {
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
