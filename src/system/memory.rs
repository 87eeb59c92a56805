//! The allocator's habits.

/// Makes freed memory go back to the system at once.
///
/// glibc raises the size from which it asks the kernel for each block whenever such a block is
/// freed, and then keeps what is freed below it: a process whose tables come and go would stay at
/// the sum of their peaks. musl, which the router has, always gives large blocks back.
pub fn give_back_what_is_freed() {
    // A sketch of different sources, 16 KiB, is the smallest of what comes and goes by the dozen.
    #[cfg(target_env = "gnu")]
    ask_for_each_from(16 * 1024, 16 * 1024);
}

/// Keeps some of what is freed. An import needs the same for each day, and to get a page anew takes microseconds.
pub fn keep_for_the_next_day() {
    #[cfg(target_env = "gnu")]
    ask_for_each_from(128 * 1024, 512 * 1024);
}

/// Blocks of `large` bytes are asked of the kernel one by one; of smaller ones so much is kept.
#[cfg(target_env = "gnu")]
fn ask_for_each_from(large: libc::c_int, kept: libc::c_int) {
    // SAFETY: mallopt only sets parameters of the allocator (mallopt(3)); no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, large);
        libc::mallopt(libc::M_TRIM_THRESHOLD, kept);
        libc::mallopt(libc::M_TOP_PAD, kept);
    }
}
