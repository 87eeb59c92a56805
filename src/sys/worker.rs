//! A thread for work that may block for long, such as fsync on flash: takes jobs, gives results, and wakes the poll
//! loop through a socket. Only [`Worker::wait`] blocks the caller.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::wait::{readable, wait};

/// Shared by both threads. Its lock is never held while a job runs.
struct Queues<J, R> {
    jobs: VecDeque<J>,
    results: VecDeque<R>,
}

fn lock<T>(queues: &Mutex<T>) -> MutexGuard<'_, T> {
    queues.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs jobs of type `J` one after the other, in order, and gives a result of type `R` for each.
///
/// If it is dropped while a job runs, it does not wait for the job, whose result is lost.
pub struct Worker<J, R> {
    // Channels of the standard library would take five times the code.
    queues: Arc<Mutex<Queues<J, R>>>,
    /// Most queued jobs.
    queue: usize,
    /// A byte is written per job and read per result; it is closed when the other thread ends.
    wake: UnixStream,
    thread: JoinHandle<()>,
    outstanding: usize,
}

impl<J: Send + 'static, R: Send + 'static> Worker<J, R> {
    /// Starts the thread. `name`: at most 15 bytes, as `top -H` shows it. `queue`: most queued jobs besides the running
    /// one. `stack`: bytes. The error is the kernel's: no memory, or no file descriptors.
    pub fn start(
        name: &str,
        queue: usize,
        stack: usize,
        mut work: impl FnMut(J) -> R + Send + 'static,
    ) -> io::Result<Worker<J, R>> {
        let (wake, mut ring) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let queues = Arc::new(Mutex::new(Queues { jobs: VecDeque::new(), results: VecDeque::new() }));
        let shared = Arc::clone(&queues);
        // Without optimization a function's variables take several times as much.
        let stack = if cfg!(debug_assertions) { 8 * stack } else { stack };
        let thread = Builder::new().name(name.to_string()).stack_size(stack).spawn(move || {
            // Until the owner is dropped.
            while ring.read_exact(&mut [0]).is_ok() {
                let Some(job) = lock(&shared).jobs.pop_front() else { break };
                let result = work(job);
                lock(&shared).results.push_back(result);
                if ring.write_all(&[0]).is_err() {
                    break;
                }
            }
        })?;
        Ok(Worker { queues, queue, wake, thread, outstanding: 0 })
    }

    /// Queues a job. Returns it if the queue is full or the thread has ended.
    pub fn submit(&mut self, job: J) -> Result<(), J> {
        let mut queues = lock(&self.queues);
        // The job is queued before the byte wakes the thread.
        if queues.jobs.len() >= self.queue || self.wake.write_all(&[0]).is_err() {
            return Err(job);
        }
        queues.jobs.push_back(job);
        self.outstanding += 1;
        Ok(())
    }

    /// Readable when [`Worker::take`] has a result.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// Jobs whose results have not been taken.
    pub fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// Whether the thread ended, as by a panic: its jobs will have no results.
    pub fn is_dead(&self) -> bool {
        self.thread.is_finished()
    }

    /// The next result, if there is one. When [`Worker::fd`] is readable call it until it returns `None`.
    pub fn take(&mut self) -> Option<R> {
        // Read before the results: each result is there before its byte, so none is missed.
        let _ = self.wake.read(&mut [0; 64]);
        let result = lock(&self.queues).results.pop_front();
        self.outstanding = self.outstanding.saturating_sub(result.is_some().into());
        result
    }

    /// Waits at most `limit` for the next result; used when the process ends.
    pub fn wait(&mut self, limit: Duration) -> Option<R> {
        let until = Instant::now() + limit;
        while self.outstanding > 0 {
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
        lock(&self.queues).jobs.clear();
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
    fn results_come_in_order_and_wake_the_loop() {
        let mut worker = Worker::start("test", 4, STACK, |job: u32| job * 2).unwrap();
        assert!(worker.take().is_none());
        for job in 1..=3 {
            worker.submit(job).unwrap();
        }
        let mut results = Vec::new();
        while worker.outstanding() > 0 {
            assert_eq!(wait(&mut [readable(worker.fd())], Some(Duration::from_secs(10))).unwrap(), 1);
            results.extend(std::iter::from_fn(|| worker.take()));
        }
        assert_eq!(results, [2, 4, 6]);
        assert!(!worker.is_dead());
    }

    #[test]
    fn a_job_that_takes_long_keeps_nobody_waiting() {
        let (go, may_go) = std::sync::mpsc::channel::<()>();
        let mut worker = Worker::start("test", 1, STACK, move |job: u32| {
            let _ = may_go.recv();
            job
        })
        .unwrap();
        worker.submit(1).unwrap();
        // One runs, one waits, a further one has no room.
        while worker.submit(2).is_err() {}
        while worker.submit(3).is_ok() {}
        assert!(worker.take().is_none());
        assert!(worker.wait(Duration::from_millis(20)).is_none());
        go.send(()).unwrap();
        assert_eq!(worker.wait(Duration::from_secs(10)), Some(1));
        // Dropped with jobs under way: no wait.
        drop(worker);
    }

    #[test]
    fn a_panic_in_a_job_is_noticed() {
        let mut worker =
            Worker::start("test", 1, STACK, |_: u32| -> u32 { panic!("expected by this test") }).unwrap();
        worker.submit(1).unwrap();
        assert_eq!(worker.wait(Duration::from_secs(10)), None);
        while !worker.is_dead() {
            std::thread::yield_now();
        }
        assert!(worker.submit(2).is_err() && worker.take().is_none());
    }
}
