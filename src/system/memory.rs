//! The allocator's habits.

/// Makes freed memory go back to the system.
///
/// glibc raises the size from which it asks the kernel for each block whenever such a block is
/// freed, and then keeps what is freed below it: a process whose tables come and go would stay at
/// the sum of their peaks. musl, which the router has, always gives large blocks back.
pub fn give_back_what_is_freed() {
    #[cfg(target_env = "gnu")]
    {
        const LARGE: libc::c_int = 128 * 1024;
        // What is needed again for each day of an import: a page asked for anew takes microseconds.
        const KEPT: libc::c_int = 512 * 1024;
        // SAFETY: mallopt only sets parameters of the allocator (mallopt(3)); no other thread runs yet.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
            libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
            libc::mallopt(libc::M_TOP_PAD, KEPT);
        }
    }
}
