//! A thread for work that may block for long, such as fsync on flash: takes jobs, gives results, and wakes the poll
//! loop through a socket. Only [`Worker::wait`] blocks the caller.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::wait::{readable, wait};

/// A job that was not begun, or its result. Its lock is never held while a job runs.
struct Shared<J, R> {
    job: Option<J>,
    result: Option<R>,
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs jobs of type `J`, one at a time, and gives a result of type `R` for each.
///
/// If it is dropped while a job runs, it does not wait for the job, whose result is lost.
pub struct Worker<J, R> {
    // Channels of the standard library would take five times the code.
    shared: Arc<Mutex<Shared<J, R>>>,
    /// A byte is written per job and read per result; it is closed when the other thread ends.
    wake: UnixStream,
    thread: JoinHandle<()>,
    /// It has a job whose result has not been taken.
    pub is_busy: bool,
}

impl<J: Send + 'static, R: Send + 'static> Worker<J, R> {
    /// Starts the thread. `name`: at most 15 bytes, as `top -H` shows it. `stack`: bytes. The error is the kernel's: no
    /// memory, or no file descriptors.
    pub fn start(
        name: &str,
        stack: usize,
        mut work: impl FnMut(J) -> R + Send + 'static,
    ) -> io::Result<Worker<J, R>> {
        let (wake, mut ring) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let shared = Arc::new(Mutex::new(Shared { job: None, result: None }));
        let of_thread = Arc::clone(&shared);
        // Without optimization a function's variables take several times as much.
        let stack = if cfg!(debug_assertions) { 8 * stack } else { stack };
        let thread = Builder::new().name(name.to_string()).stack_size(stack).spawn(move || {
            // Until the owner is dropped.
            while ring.read_exact(&mut [0]).is_ok() {
                let Some(job) = lock(&of_thread).job.take() else { break };
                let result = work(job);
                lock(&of_thread).result = Some(result);
                if ring.write_all(&[0]).is_err() {
                    break;
                }
            }
        })?;
        Ok(Worker { shared, wake, thread, is_busy: false })
    }

    /// Gives the thread a job. False if it has one, or has ended.
    pub fn submit(&mut self, job: J) -> bool {
        // The thread cannot look for the job before it is there.
        let mut shared = lock(&self.shared);
        if self.is_busy || self.wake.write_all(&[0]).is_err() {
            return false;
        }
        (shared.job, self.is_busy) = (Some(job), true);
        true
    }

    /// Readable when [`Worker::take`] has a result.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// Whether the thread ended, as by a panic: its job will have no result.
    pub fn is_dead(&self) -> bool {
        self.thread.is_finished()
    }

    /// The result, if there is one. To be called when [`Worker::fd`] is readable.
    pub fn take(&mut self) -> Option<R> {
        // Read before the result: it is there before its byte, so none is missed.
        let _ = self.wake.read(&mut [0; 64]);
        let result = lock(&self.shared).result.take();
        self.is_busy &= result.is_none();
        result
    }

    /// Waits at most `limit` for the result; used when the process ends.
    pub fn wait(&mut self, limit: Duration) -> Option<R> {
        let until = Instant::now() + limit;
        while self.is_busy {
            let is_last = self.is_dead();
            if let Some(result) = self.take() {
                return Some(result);
            }
            let left = until.saturating_duration_since(Instant::now());
            if is_last || left.is_zero() || wait(&mut [readable(self.fd())], Some(left)).is_err() {
                return None;
            }
        }
        None
    }
}

impl<J, R> Drop for Worker<J, R> {
    fn drop(&mut self) {
        lock(&self.shared).job = None;
    }
}

/// Names a thread for the standard library, whose threads name themselves. musl's own function can name others too,
/// with a path made by `snprintf`: 9 KB of the program.
#[cfg(target_env = "musl")]
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
extern "C" fn pthread_setname_np(_itself: libc::pthread_t, name: *const libc::c_char) -> libc::c_int {
    // SAFETY: `name` ends with 0, as pthread_setname_np(3) demands.
    unsafe { libc::prctl(libc::PR_SET_NAME, name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STACK: usize = 64 << 10;

    #[test]
    fn results_wake_the_loop() {
        let mut worker = Worker::start("test", STACK, |job: u32| job * 2).unwrap();
        assert!(worker.take().is_none());
        for job in 1..=3 {
            assert!(worker.submit(job));
            while worker.is_busy {
                assert_eq!(wait(&mut [readable(worker.fd())], Some(Duration::from_secs(10))).unwrap(), 1);
                if let Some(result) = worker.take() {
                    assert_eq!(result, 2 * job);
                }
            }
            assert!(worker.take().is_none());
        }
        assert!(!worker.is_dead());
    }

    #[test]
    fn a_job_that_takes_long_keeps_nobody_waiting() {
        let (go, may_go) = std::sync::mpsc::channel::<()>();
        let mut worker = Worker::start("test", STACK, move |job: u32| {
            let _ = may_go.recv();
            job
        })
        .unwrap();
        // It has one job at a time.
        assert!(worker.submit(1) && !worker.submit(2));
        assert!(worker.take().is_none());
        assert!(worker.wait(Duration::from_millis(20)).is_none());
        go.send(()).unwrap();
        assert_eq!(worker.wait(Duration::from_secs(10)), Some(1));
        assert!(worker.submit(3));
        // Dropped with a job under way: no wait.
        drop(worker);
    }

    #[test]
    fn a_panic_in_a_job_is_noticed() {
        let mut worker =
            Worker::start("test", STACK, |_: u32| -> u32 { panic!("expected by this test") }).unwrap();
        assert!(worker.submit(1));
        assert_eq!(worker.wait(Duration::from_secs(10)), None);
        while !worker.is_dead() {
            std::thread::yield_now();
        }
        assert!(!worker.submit(2) && worker.take().is_none());
    }
}
