//! Listening TCP sockets of all network namespaces, from `/proc`; Unix sockets in a file of their own.
//!
//! Containers listen in namespaces of their own, so each namespace is read once, through the first process seen in it.
//! Which process holds a socket is known only where its descriptors may be read (`CAP_SYS_PTRACE`, or the same user);
//! elsewhere it is `None`.

use super::process;
use crate::config::Candidate;
use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

pub mod unix;

/// One listening socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Inode of its network namespace (`/proc/PID/ns/net`).
    pub netns: u64,
    /// Address that it is bound to.
    pub address: IpAddr,
    /// Port that it is bound to.
    pub port: u16,
    /// The lowest of the processes that hold it: of forked workers, the parent.
    pub pid: Option<u32>,
    /// Name of that process (`comm`).
    pub comm: Option<String>,
    /// File name of that process's executable.
    pub executable: Option<String>,
}

impl Listener {
    /// What a selector of the configuration looks at, the container left out.
    pub fn candidate(&self) -> Candidate<'_> {
        let (comm, executable) = (self.comm.as_deref(), self.executable.as_deref());
        Candidate { port: self.port, comm, executable, ..Candidate::default() }
    }
}

/// A line of `/proc/net/tcp` or `tcp6` that is a listening socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Local address.
    pub address: IpAddr,
    /// Local port.
    pub port: u16,
    /// Inode of the socket; the same number stands in the holders' `/proc/PID/fd`.
    pub inode: u64,
}

/// All listening TCP sockets that this process may know of, ordered by namespace, port and address. `proc` is the
/// mount point of procfs. An error means that `proc` itself cannot be read; a process that ends meanwhile is skipped.
pub fn listeners(proc: &Path) -> io::Result<Vec<Listener>> {
    let pids = process_ids(proc)?;
    let rows = of_namespaces(proc, &pids, namespace_rows);
    let holders = holders(proc, &pids, &rows.iter().map(|(_, row)| row.inode).collect());
    let mut listeners: Vec<Listener> =
        rows.into_iter().map(|(netns, row)| listener(proc, netns, row, holders.get(&row.inode).copied())).collect();
    listeners.sort_by_key(|listener| (listener.netns, listener.port, listener.address));
    Ok(listeners)
}

/// The ports on which one process listens, in order; empty where its descriptors may not be read.
pub fn ports_of(proc: &Path, pid: u32) -> Vec<u16> {
    let process = proc.join(pid.to_string());
    let rows = namespace_rows(&process).unwrap_or_default();
    let held = holders(proc, &[pid], &rows.iter().map(|row| row.inode).collect());
    let mut ports: Vec<u16> = rows.iter().filter(|row| held.contains_key(&row.inode)).map(|row| row.port).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// The listening sockets in the text of `/proc/net/tcp` or `tcp6`; other lines, the heading and garbage are skipped.
pub fn parse_table(text: &str) -> Vec<Row> {
    text.lines().filter_map(parse_row).collect()
}

/// `sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode …` (`net/ipv4/tcp_ipv4.c`,
/// `get_openreq4` and its neighbours). `None` where the line is not a listening socket.
pub fn parse_row(line: &str) -> Option<Row> {
    const LISTEN: &str = "0A";
    let mut fields = line.split_ascii_whitespace();
    fields.next()?.strip_suffix(':')?;
    let (address, port) = fields.next()?.split_once(':')?;
    let (_remote, state) = (fields.next()?, fields.next()?);
    if state != LISTEN {
        return None;
    }
    let inode = fields.nth(5)?.parse().ok()?;
    Some(Row { address: parse_address(address)?, port: parse_hex_port(port)?, inode })
}

fn parse_hex_port(text: &str) -> Option<u16> {
    if text.len() == 4 { u16::from_str_radix(text, 16).ok() } else { None }
}

/// The kernel prints each 32-bit word of the address as a number of its own byte order.
fn parse_address(text: &str) -> Option<IpAddr> {
    let word = |range| Some(u32::from_str_radix(text.get(range)?, 16).ok()?.to_ne_bytes());
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    match text.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0..8)?))),
        32 => {
            let mut octets = [0; 16];
            for (index, chunk) in octets.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(index * 8..index * 8 + 8)?);
            }
            // `::ffff:127.0.0.1` is an IPv6 socket bound to an IPv4 address.
            Some(IpAddr::V6(Ipv6Addr::from(octets)).to_canonical())
        }
        _ => None,
    }
}

fn process_ids(proc: &Path) -> io::Result<Vec<u32>> {
    let entries = std::fs::read_dir(proc)?;
    let mut pids: Vec<u32> = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    Ok(pids)
}

/// What `read` finds in each network namespace, through the first of the processes in it that it can be read through.
fn of_namespaces<T>(proc: &Path, pids: &[u32], read: impl Fn(&Path) -> Option<Vec<T>>) -> Vec<(u64, T)> {
    let mut all = Vec::new();
    let mut seen = HashSet::new();
    for pid in pids {
        let process = proc.join(pid.to_string());
        let Some(netns) = link_inode(&process.join("ns/net"), "net:[") else { continue };
        if seen.contains(&netns) {
            continue;
        }
        // Noted only after it was read: the process may have ended in between, and another stand in for it.
        if let Some(found) = read(&process) {
            seen.insert(netns);
            all.extend(found.into_iter().map(|row| (netns, row)));
        }
    }
    all
}

/// `None` where neither table can be read. IPv6 may be switched off, so one is enough.
fn namespace_rows(process: &Path) -> Option<Vec<Row>> {
    let table = |name: &str| std::fs::read(process.join("net").join(name)).ok();
    let tables = [table("tcp"), table("tcp6")];
    if tables.iter().all(Option::is_none) {
        return None;
    }
    Some(tables.iter().flatten().flat_map(|bytes| parse_table(&String::from_utf8_lossy(bytes))).collect())
}

/// Socket inode → lowest process that holds it, for the inodes in `wanted`.
fn holders(proc: &Path, pids: &[u32], wanted: &HashSet<u64>) -> HashMap<u64, u32> {
    let mut holders = HashMap::new();
    for &pid in pids {
        let Ok(descriptors) = std::fs::read_dir(proc.join(pid.to_string()).join("fd")) else { continue };
        for descriptor in descriptors.flatten() {
            let inode = link_inode(&descriptor.path(), "socket:[");
            if let Some(inode) = inode.filter(|inode| wanted.contains(inode)) {
                holders.entry(inode).or_insert(pid);
            }
        }
    }
    holders
}

fn listener(proc: &Path, netns: u64, row: Row, pid: Option<u32>) -> Listener {
    let Names { comm, executable } = names(proc, pid);
    Listener { netns, address: row.address, port: row.port, pid, comm, executable }
}

/// What a process is called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Its `comm`.
    pub comm: Option<String>,
    /// File name of its executable.
    pub executable: Option<String>,
}

fn names(proc: &Path, pid: Option<u32>) -> Names {
    let process = pid.map(|pid| proc.join(pid.to_string()));
    let comm = process.as_ref().and_then(|process| std::fs::read_to_string(process.join("comm")).ok());
    Names {
        comm: comm.map(|comm| comm.trim_end_matches('\n').to_owned()),
        executable: process.and_then(|process| process::executable(&process.join("exe"))),
    }
}

/// The number in a link such as `net:[4026531840]`.
fn link_inode(link: &Path, prefix: &str) -> Option<u64> {
    let target = std::fs::read_link(link).ok()?;
    target.to_str()?.strip_prefix(prefix)?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests;
