//! The order in which things are loaded and watched: what servers need comes first, because it takes the verifier long to
//! walk all the rest.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use aya::Ebpf;

use super::backend::Part;
use super::clock::monotonic_ns;
use super::early;
use super::error::LoadError;
use super::loader::{Planned, Probes};
use super::object::Object;
use super::watch::Watch;
use super::{programs, self_check};

/// How often the ring is emptied while programs are loaded: it takes longer to fill.
const WHILE_LOADING: Duration = Duration::from_millis(5);

/// Watches servers, then loads the programs for clients where they are asked for, which takes as long again, and watches
/// clients. Each end is checked before it is watched. At last those for MPTCP, which is rare.
pub fn begin<'a>(
    object: &'a Object<'a>,
    mut probes: Probes,
    plan: &Planned,
    look: impl Fn() -> Watch,
    cookies: bool,
) -> Result<Probes, LoadError> {
    self_check::servers(&mut probes, cookies)?;
    let first = look();
    let programs = first.programs;
    let servers = first.without_clients();
    probes.since_ns = monotonic_ns();
    probes.controls.watch(&servers)?;
    if object.is_for_clients() {
        let programs_for_clients = Object::part(plan, Part::Clients)?;
        meanwhile(&mut probes, |ebpf| programs_for_clients.load(ebpf))?;
        drop(programs_for_clients);
        probes.controls.clients.loaded = true;
        self_check::clients(&mut probes, &servers, cookies)?;
        if programs {
            probes.controls.clients.ask_about_programs()?;
        }
        probes.controls.clients.watch(&look())?;
    }
    if mptcp_enabled(Path::new("/proc")) == Some(true) {
        probes.mptcp = mptcp(&mut probes, plan, cookies).err();
    }
    Ok(probes)
}

/// Whether MPTCP is switched on in the agent's network namespace (`net.mptcp.enabled`,
/// Documentation/networking/mptcp-sysctl.rst); nothing where the kernel has none.
pub fn mptcp_enabled(proc: &Path) -> Option<bool> {
    let enabled = fs::read_to_string(proc.join("sys/net/mptcp/enabled")).ok()?;
    Some(enabled.trim() != "0")
}

/// Loads the programs for MPTCP and attaches them, where it needs any, and checks them. From then on its connections are no
/// loss.
fn mptcp(probes: &mut Probes, plan: &Planned, cookies: bool) -> Result<(), LoadError> {
    let programs = Object::mptcp(plan, probes.backend)?;
    let attachments = &programs.attachments;
    // One direction without the other would be wrong numbers, and so are those that the check refuses.
    let unload = |probes: &mut Probes| {
        attachments.iter().for_each(|one| programs::unload_exit(&mut probes.controls.ebpf, one));
    };
    let loaded = meanwhile(probes, |ebpf| {
        programs.load(ebpf)?;
        attachments.iter().try_for_each(|one| programs::attach(ebpf, one))
    });
    loaded.inspect_err(|_| unload(probes))?;
    probes.controls.mptcp.set(0, 1, 0)?;
    let checked = self_check::mptcp(probes, cookies);
    if checked.is_err() {
        probes.controls.mptcp.set(0, 0, 0)?;
        unload(probes);
    }
    Ok(checked?)
}

/// Loads programs while the records of what is watched already are kept.
fn meanwhile(
    probes: &mut Probes,
    load: impl FnOnce(&mut Ebpf) -> Result<(), LoadError> + Send,
) -> Result<(), LoadError> {
    let Probes { ring, early, controls, .. } = probes;
    thread::scope(|scope| {
        let loading = scope.spawn(|| load(&mut controls.ebpf));
        while !loading.is_finished() {
            early::wait(ring, WHILE_LOADING);
            early.drain(ring);
        }
        loading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[cfg(test)]
mod tests {
    use super::mptcp_enabled;

    #[test]
    fn a_kernel_without_mptcp_is_told_from_one_where_it_is_switched_off() {
        let proc = std::env::temp_dir().join(format!("hippius-mptcp-{}", std::process::id()));
        let folder = proc.join("sys/net/mptcp");
        std::fs::create_dir_all(&folder).expect("a folder");
        assert_eq!(mptcp_enabled(&proc), None);
        for (text, enabled) in [("0\n", false), ("1\n", true)] {
            std::fs::write(folder.join("enabled"), text).expect("the switch");
            assert_eq!(mptcp_enabled(&proc), Some(enabled), "{text:?}");
        }
        std::fs::remove_dir_all(&proc).expect("the folder goes");
    }
}
