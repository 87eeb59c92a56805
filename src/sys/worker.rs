//! A thread for work that may block for long, such as fsync on flash: jobs go in, results come out, and a socket
//! wakes the poll loop when a result is there. Never blocks the caller, but for [`Worker::wait`].

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// What both threads see. Its lock is never held while a job runs.
struct Queues<J, R> {
    jobs: VecDeque<J>,
    results: VecDeque<R>,
    /// The owner is gone: no further job begins.
    closed: bool,
    /// The thread is gone: no further result comes.
    ended: bool,
}

struct Shared<J, R> {
    queues: Mutex<Queues<J, R>>,
    changed: Condvar,
}

impl<J, R> Shared<J, R> {
    fn lock(&self) -> MutexGuard<'_, Queues<J, R>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Queues<J, R>)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// The next job, as soon as there is one; `None` once the owner is gone.
    fn next_job(&self) -> Option<J> {
        let idle = |queues: &mut Queues<J, R>| queues.jobs.is_empty() && !queues.closed;
        let mut queues = self.changed.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        if queues.closed { None } else { queues.jobs.pop_front() }
    }
}

/// Tells the owner that the thread has ended, also by a panic.
struct Ending<J, R>(Arc<Shared<J, R>>);

impl<J, R> Drop for Ending<J, R> {
    fn drop(&mut self) {
        self.0.change(|queues| queues.ended = true);
    }
}

/// Runs jobs of type `J` one after the other, in order, and gives a result of type `R` for each.
///
/// Dropped while a job runs, it does not wait for that job's end; the job's result is lost.
pub struct Worker<J, R> {
    // The standard library's channels would do, at five times the code in the program.
    shared: Arc<Shared<J, R>>,
    /// Jobs that may wait.
    queue: usize,
    /// One byte per result.
    wake: UnixStream,
    thread: JoinHandle<()>,
    outstanding: usize,
}

impl<J: Send + 'static, R: Send + 'static> Worker<J, R> {
    /// Starts the thread. `name`: at most 15 bytes, as `top -H` shows it. `queue`: jobs that may wait beside the
    /// one that runs. `stack`: bytes. The error is the kernel's: no memory, or no file descriptors.
    pub fn start(
        name: &str,
        queue: usize,
        stack: usize,
        mut work: impl FnMut(J) -> R + Send + 'static,
    ) -> io::Result<Worker<J, R>> {
        let (wake, mut ring) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let (jobs, results) = (VecDeque::new(), VecDeque::new());
        let queues = Mutex::new(Queues { jobs, results, closed: false, ended: false });
        let shared = Arc::new(Shared { queues, changed: Condvar::new() });
        let ending = Ending(Arc::clone(&shared));
        let thread = Builder::new().name(name.to_string()).stack_size(stack).spawn(move || {
            while let Some(job) = ending.0.next_job() {
                let result = work(job);
                ending.0.change(|queues| queues.results.push_back(result));
                if ring.write_all(&[0]).is_err() {
                    break;
                }
            }
        })?;
        Ok(Worker { shared, queue, wake, thread, outstanding: 0 })
    }

    /// Hands over a job. It comes back if the queue is full or the thread is gone.
    pub fn submit(&mut self, job: J) -> Result<(), J> {
        let mut queues = self.shared.lock();
        if queues.ended || queues.jobs.len() >= self.queue {
            return Err(job);
        }
        queues.jobs.push_back(job);
        drop(queues);
        self.shared.changed.notify_all();
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

    /// Whether a panic ended the thread: its jobs will have no results.
    pub fn is_dead(&self) -> bool {
        self.thread.is_finished()
    }

    /// The next result, if there is one. When [`Worker::fd`] is readable call it until it returns `None`.
    pub fn take(&mut self) -> Option<R> {
        // Read before the results: each result is there before its byte, so none is missed.
        let _ = self.wake.read(&mut [0; 64]);
        let result = self.shared.lock().results.pop_front();
        self.outstanding = self.outstanding.saturating_sub(result.is_some().into());
        result
    }

    /// Waits at most `limit` for the next result; used when the process ends.
    pub fn wait(&mut self, limit: Duration) -> Option<R> {
        if self.outstanding == 0 {
            return None;
        }
        let none_yet = |queues: &mut Queues<J, R>| queues.results.is_empty() && !queues.ended;
        let (mut queues, _) = self
            .shared
            .changed
            .wait_timeout_while(self.shared.lock(), limit, none_yet)
            .unwrap_or_else(PoisonError::into_inner);
        let result = queues.results.pop_front();
        drop(queues);
        self.outstanding = self.outstanding.saturating_sub(result.is_some().into());
        result
    }
}

impl<J, R> Drop for Worker<J, R> {
    fn drop(&mut self) {
        self.shared.change(|queues| queues.closed = true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::wait::{Wait, wait};

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
            assert_eq!(wait(&mut [Wait::read(worker.fd())], Some(Duration::from_secs(10))).unwrap(), 1);
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
