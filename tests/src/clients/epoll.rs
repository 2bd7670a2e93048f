//! epoll with nanosecond waits, as little of it as the load generator needs.

use std::io;
use std::net::TcpStream;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::time::Duration;

use anyhow::{Result, ensure};

pub struct Epoll {
    fd: OwnedFd,
    room: usize,
}

impl Epoll {
    pub fn new(room: usize) -> Result<Self> {
        // SAFETY: plain system call; a valid result is a descriptor that nobody else owns.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        ensure!(fd >= 0, "epoll_create1: {}", io::Error::last_os_error());
        // The default timer slack of 50 us would blur an offered rate.
        // SAFETY: plain system call about this thread only.
        unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
        // SAFETY: see above, the descriptor is ours.
        Ok(Self { fd: unsafe { OwnedFd::from_raw_fd(fd) }, room })
    }

    /// Readable events of this stream carry `key`.
    pub fn add(&self, stream: &TcpStream, key: u64) -> Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: key };
        // SAFETY: both descriptors are open for the length of the call, and the event is read only during it.
        let result =
            unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), libc::EPOLL_CTL_ADD, stream.as_raw_fd(), &mut event) };
        ensure!(result == 0, "epoll_ctl: {}", io::Error::last_os_error());
        Ok(())
    }

    /// The keys of what is readable; waits at most `limit`, without end if there is none.
    pub fn wait(&self, limit: Option<Duration>) -> Result<Vec<u64>> {
        let fd = self.fd.as_raw_fd();
        let mut milliseconds = -1;
        if let Some(limit) = limit {
            // epoll_pwait2 could wait by the nanosecond itself, from 5.11 on.
            let limit = libc::timespec {
                tv_sec: limit.as_secs() as libc::time_t,
                tv_nsec: libc::c_long::from(limit.subsec_nanos() as i32),
            };
            let mut ready = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
            // SAFETY: one entry, and a time that outlives the call; no signal mask is given. An error shows below again.
            unsafe { libc::ppoll(&raw mut ready, 1, &raw const limit, std::ptr::null()) };
            milliseconds = 0;
        }
        let mut events = vec![libc::epoll_event { events: 0, u64: 0 }; self.room];
        // SAFETY: `events` has room for so many entries.
        let count = unsafe { libc::epoll_wait(fd, events.as_mut_ptr(), events.len() as libc::c_int, milliseconds) };
        if count < 0 {
            let error = io::Error::last_os_error();
            ensure!(error.kind() == io::ErrorKind::Interrupted, "epoll_wait: {error}");
            return Ok(Vec::new());
        }
        events.truncate(count as usize);
        Ok(events.iter().map(|event| event.u64).collect())
    }
}
