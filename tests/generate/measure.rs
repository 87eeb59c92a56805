//! What a command costs: CPU time and peak memory, from the kernel's own account.
//!
//! A small program does it because the account of a child starts with the memory of the process that made it:
//! a shell or an interpreter around the command would be measured instead.
#![allow(unsafe_code)]

use std::io;
use std::process::Command;
use std::time::Instant;

pub fn measure(out: &str, command: &str, arguments: &[&str]) -> io::Result<()> {
    let start = Instant::now();
    let child = Command::new(command).args(arguments).spawn()?;
    let mut status = 0;
    // SAFETY: rusage is plain numbers, for which zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live values of the right type; `child` is not waited for elsewhere.
    if unsafe { libc::wait4(child.id() as libc::pid_t, &mut status, 0, &mut usage) } < 0 {
        return Err(io::Error::last_os_error());
    }
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    let report = serde_json::json!({
        "cpu": seconds(usage.ru_utime) + seconds(usage.ru_stime),
        "elapsed": start.elapsed().as_secs_f64(),
        "peak_kib": usage.ru_maxrss,
        "status": if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { 128 + libc::WTERMSIG(status) },
    });
    std::fs::write(out, report.to_string())
}
