//! A program in a terminal of its own: what it shows, and keys.

use std::fs::File;
use std::io::{Error, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context, Result};

use crate::wait;

pub struct Terminal {
    child: Child,
    keys: File,
    screen: Arc<Mutex<vt100::Parser>>,
    /// Ends when the program has closed its terminal and everything that it printed was read.
    reader: Option<JoinHandle<()>>,
}

impl Terminal {
    /// Starts `command` in a terminal of `columns` × `rows`.
    pub fn start(mut command: Command, columns: u16, rows: u16) -> Result<Self> {
        let (master, slave) = open(columns, rows)?;
        command.stdin(slave.try_clone()?).stdout(slave.try_clone()?).stderr(slave);
        command.env("TERM", "xterm-256color").env_remove("NO_COLOR");
        // SAFETY: setsid, ioctl and prctl are async-signal-safe and touch only the child; descriptor 0 is the slave.
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                if libc::ioctl(0, libc::TIOCSCTTY, 0) != 0 {
                    return Err(Error::last_os_error());
                }
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        let child = command.spawn().with_context(|| format!("start {command:?}"))?;
        // The command holds the slave until it is dropped; only the child may, so that its end is the end of the output.
        drop(command);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 0)));
        let (mut output, shown) = (File::from(master.try_clone()?), Arc::clone(&screen));
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                shown.lock().unwrap_or_else(PoisonError::into_inner).process(&bytes[..count]);
            }
        });
        Ok(Self { child, keys: File::from(master), screen, reader: Some(reader) })
    }

    /// Types, as the terminal would send it.
    pub fn send(&mut self, keys: &str) -> Result<()> {
        self.keys.write_all(keys.as_bytes()).context("type")
    }

    /// What stands on the screen now.
    pub fn text(&self) -> String {
        self.with(|screen| screen.contents())
    }

    /// Whether a full-screen program has the screen.
    pub fn is_taken(&self) -> bool {
        self.with(|screen| screen.alternate_screen() || screen.hide_cursor())
    }

    /// Waits until the screen is as wanted; fails with what stands there.
    pub fn until(&self, what: &str, wanted: impl Fn(&str) -> bool) -> Result<String> {
        let found = wait::until(what, wait::WIDE, || Some(self.text()).filter(|text| wanted(text)));
        found.with_context(|| format!("the screen:\n{}", self.text()))
    }

    pub fn signal(&self, signal: libc::c_int) {
        // SAFETY: plain system call; the child has not been waited for.
        unsafe { libc::kill(self.child.id() as libc::pid_t, signal) };
    }

    /// Waits for the end of the program and of what it prints.
    pub fn end(&mut self) -> Result<ExitStatus> {
        let child = &mut self.child;
        let status = wait::until("the end of the program", wait::WIDE, || child.try_wait().ok().flatten())?;
        let ended = self.reader.take().is_none_or(|reader| reader.join().is_ok());
        anyhow::ensure!(ended, "the screen could not be read");
        Ok(status)
    }

    fn with<T>(&self, read: impl FnOnce(&vt100::Screen) -> T) -> T {
        read(self.screen.lock().unwrap_or_else(PoisonError::into_inner).screen())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Both ends, which no program that another test starts meanwhile may inherit: it would keep the terminal open.
fn open(columns: u16, rows: u16) -> Result<(OwnedFd, OwnedFd)> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: plain system call.
    let master = owned(unsafe { libc::posix_openpt(flags) }, "posix_openpt")?;
    // SAFETY: plain system call on our own descriptor.
    anyhow::ensure!(unsafe { libc::unlockpt(master.as_raw_fd()) } == 0, "unlockpt: {}", Error::last_os_error());
    // SAFETY: as above; the argument is the flags of the new descriptor.
    let slave = owned(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags) }, "TIOCGPTPEER")?;
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: as above; the size is only read.
    let sized = unsafe { libc::ioctl(slave.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
    anyhow::ensure!(sized == 0, "TIOCSWINSZ: {}", Error::last_os_error());
    Ok((master, slave))
}

fn owned(descriptor: libc::c_int, call: &str) -> Result<OwnedFd> {
    anyhow::ensure!(descriptor >= 0, "{call}: {}", Error::last_os_error());
    // SAFETY: it was just opened, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
