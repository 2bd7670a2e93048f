//! One boot in qemu: starts it, follows its output, and ends it when nothing comes any more.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::arch::{Arch, Machine};
use crate::step::{self, say};

/// A boot takes 5 to 10 s in emulation; some never get through it.
const BOOT: Duration = Duration::from_secs(60);
/// No test is silent for so long: its own longest wait is 30 s, stretched five times.
const SILENCE: Duration = Duration::from_secs(200);
const WHOLE: Duration = Duration::from_secs(1200);
const LOOK: Duration = Duration::from_millis(200);

/// What to boot.
#[derive(Debug)]
pub struct Guest<'a> {
    pub name: &'a str,
    pub vmlinuz: &'a Path,
    pub root: &'a Path,
    pub arch: Arch,
    pub cpu: &'a str,
    /// Words for the kernel's command line; those that it does not know become the first process' environment.
    pub words: &'a str,
    /// Folder for `console.log` and `output.log`.
    pub logs: &'a Path,
}

/// How a boot ended before its job was done.
enum Trouble {
    /// Nothing of the guest's own was heard: worth another try.
    Boot(String),
    Later(String),
}

/// Runs the guest to its end and gives what its job wrote. A boot that gets stuck is tried once more.
pub fn run(guest: &Guest) -> Result<String> {
    match attempt(guest)? {
        Ok(output) => Ok(output),
        Err(Trouble::Later(why)) => bail!("{why}{}", console_tail(guest)),
        Err(Trouble::Boot(why)) => {
            say(&format!("[{}] {why}; trying once more", guest.name));
            match attempt(guest)? {
                Ok(output) => Ok(output),
                Err(Trouble::Boot(why) | Trouble::Later(why)) => bail!("{why}, twice{}", console_tail(guest)),
            }
        }
    }
}

fn attempt(guest: &Guest) -> Result<Result<String, Trouble>> {
    let (console, output) = (guest.logs.join("console.log"), guest.logs.join("output.log"));
    fs::create_dir_all(guest.logs)?;
    for log in [&console, &output] {
        fs::write(log, "")?;
    }
    let mut qemu = Qemu::start(guest, &console, &output)?;
    let mut follow = Follow { name: guest.name, shown: 0 };
    let start = Instant::now();
    let mut heard = Heard { size: 0, at: start, cpu: Duration::ZERO };
    loop {
        let ended = qemu.child.try_wait()?.is_some();
        let text = read(&output);
        follow.show(&text);
        if text.lines().any(|line| line == "@done") {
            return Ok(Ok(text));
        }
        let booted = text.contains("@boot");
        let trouble = |why: String| if booted { Trouble::Later(why) } else { Trouble::Boot(why) };
        if ended {
            let when = if booted { "in mid-test" } else { "while it booted" };
            return Ok(Err(trouble(format!("the guest ended {when}"))));
        }
        let size = text.len() as u64 + fs::metadata(&console).map_or(0, |meta| meta.len());
        let cpu = qemu.cpu();
        if size != heard.size {
            heard = Heard { size, at: Instant::now(), cpu };
        }
        if !booted && is_stuck(start.elapsed(), cpu, BOOT) {
            return Ok(Err(trouble(format!("the boot is wedged: no first process within {BOOT:?}"))));
        }
        if is_stuck(heard.at.elapsed(), cpu.saturating_sub(heard.cpu), SILENCE) {
            return Ok(Err(trouble(format!("the guest is wedged: it said nothing for {SILENCE:?}"))));
        }
        if start.elapsed() > WHOLE {
            return Ok(Err(trouble(format!("the guest did not end within {WHOLE:?}"))));
        }
        std::thread::sleep(LOOK);
    }
}

/// When the guest was last heard of.
struct Heard {
    size: u64,
    at: Instant,
    /// What the emulator had used of the processor by then.
    cpu: Duration,
}

/// Whether a guest has had its time. On a machine that does other things too, the emulator's own processor time is
/// what counts, unless the guest sleeps.
fn is_stuck(elapsed: Duration, cpu: Duration, limit: Duration) -> bool {
    elapsed > limit && (cpu > limit || cpu < elapsed / 20)
}

/// Ends with this value, whatever happens.
struct Qemu {
    child: Child,
}

impl Qemu {
    fn start(guest: &Guest, console: &Path, output: &Path) -> Result<Self> {
        let Machine { program, words: own_words, console: port, output: output_port, .. } = guest.arch.machine();
        let program = step::find_program(program).with_context(|| format!("{program} is not installed"))?;
        let words = format!(
            "console={port} HIPPIUS_OUTPUT={output_port} panic=-1 rdinit=/init lockdown=integrity {}",
            guest.words
        );
        let mut command = Command::new(program);
        command.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
        command.args(["-accel", "tcg", "-smp", "1", "-m", "1536", "-cpu", guest.cpu]);
        command.arg("-kernel").arg(guest.vmlinuz).arg("-initrd").arg(guest.root).arg("-append").arg(words);
        command.arg("-serial").arg(format!("file:{}", console.display()));
        command.arg("-chardev").arg(format!("file,id=output,path={}", output.display())).args(own_words);
        let said = fs::File::create(guest.logs.join("qemu.log"))?;
        command.stdin(Stdio::null()).stdout(said.try_clone()?).stderr(said);
        Ok(Self { child: command.spawn().context("cannot start qemu")? })
    }
}

impl Qemu {
    /// Processor time so far (`/proc/PID/schedstat` of each thread, in nanoseconds).
    fn cpu(&self) -> Duration {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).into_iter().flatten().flatten();
        let used = threads.filter_map(|thread| {
            let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(used.sum())
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone after this.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Shows the guest's lines as they come.
struct Follow<'a> {
    name: &'a str,
    shown: usize,
}

impl Follow<'_> {
    fn show(&mut self, text: &str) {
        let Some(fresh) = text.get(self.shown..) else { return };
        // A line that is still being written is shown when it is whole.
        let Some(end) = fresh.rfind('\n') else { return };
        for line in fresh[..end].lines().filter(|line| !line.is_empty()) {
            eprintln!("[{}] {line}", self.name);
        }
        self.shown += end + 1;
    }
}

/// A terminal ends its lines with two characters.
fn read(log: &Path) -> String {
    String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).replace('\r', "")
}

fn console_tail(guest: &Guest) -> String {
    let path: PathBuf = guest.logs.join("console.log");
    let text = read(&path);
    let lines: Vec<_> = text.lines().collect();
    let tail = lines[lines.len().saturating_sub(15)..].join("\n  ");
    let qemu = read(&guest.logs.join("qemu.log"));
    format!("; the end of {}:\n  {tail}\n{qemu}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_is_stuck_when_it_had_its_time_or_sleeps() {
        let seconds = Duration::from_secs;
        let stuck = |elapsed, cpu| is_stuck(seconds(elapsed), seconds(cpu), seconds(150));
        assert!(!stuck(149, 149) && stuck(151, 151), "alone on its processor");
        assert!(!stuck(600, 100) && stuck(600, 151), "beside others");
        assert!(stuck(151, 2), "asleep");
    }
}
