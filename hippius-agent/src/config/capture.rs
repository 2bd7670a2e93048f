//! `[capture]`: the kernel side.

use super::error::Refusal;
use super::read::{Found, Section};

/// Settings of the kernel side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// Size of the ring between kernel and agent. It is mapped twice, so it counts twice in the agent's memory.
    pub ring_bytes: u32,
    /// Connections that can be followed at the same time.
    pub max_connections: u32,
    /// Whether the probes write to the agent's log.
    pub probe_log: bool,
    /// Which hooks to use.
    pub backend: Backend,
    /// Whether HTTP services that no `[[service]]` names are watched as well.
    pub discover: bool,
    /// Whether connections that the processes of watched services open are watched as well.
    pub outbound: bool,
    /// Whether the TLS libraries of the processes are probed whose outgoing connections are watched.
    pub tls: bool,
}

/// Which set of kernel hooks to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// The best that this kernel takes.
    Auto,
    /// BTF tracepoints on the socket calls.
    Tracepoint,
    /// fentry and fexit on `tcp_sendmsg` and `tcp_recvmsg`.
    Fentry,
}

/// Names of the back-ends.
pub const BACKENDS: &[(&str, Backend)] =
    &[("auto", Backend::Auto), ("tracepoint", Backend::Tracepoint), ("fentry", Backend::Fentry)];

/// Smallest and largest ring. The smallest is a multiple of every page size in use (4, 16 and 64 KiB), and so is
/// every power of two above it, which is what the kernel demands of `max_entries`.
const RING_BYTES: std::ops::RangeInclusive<u64> = (256 << 10)..=(64 << 20);

impl Default for Capture {
    fn default() -> Self {
        Self {
            ring_bytes: 4 << 20,
            max_connections: 65_536,
            probe_log: false,
            backend: Backend::Auto,
            discover: true,
            outbound: true,
            tls: false,
        }
    }
}

impl Capture {
    /// `services` and `clients` say whether any of them is in the file.
    pub(super) fn read(section: Option<&Section<'_>>, services: bool, clients: bool) -> Self {
        let default = Self { discover: !services, ..Self::default() };
        let Some(section) = section else { return default };
        let narrow = |found: Found<u64>| u32::try_from(found.value).ok();
        let discover = section.boolean("discover").unwrap_or(default.discover);
        if !discover && !services && !clients {
            let refusal = Refusal::new("nothing would be watched: no [[service]] is named and none may be discovered");
            section
                .reading()
                .refuse(&section.place_of("discover"), refusal.allowed("true, or at least one [[service]]"));
        }
        Self {
            ring_bytes: ring_bytes(section).unwrap_or(default.ring_bytes),
            max_connections: section
                .integer("max_connections", 64..=4_194_304, "")
                .and_then(narrow)
                .unwrap_or(default.max_connections),
            probe_log: section.boolean("probe_log").unwrap_or(default.probe_log),
            backend: section.choice("backend", BACKENDS).unwrap_or(default.backend),
            discover,
            outbound: section.boolean("outbound").unwrap_or(default.outbound),
            tls: section.boolean("tls").unwrap_or(default.tls),
        }
    }
}

fn ring_bytes(section: &Section<'_>) -> Option<u32> {
    let found = section.integer("ring_bytes", RING_BYTES, "bytes")?;
    if !found.value.is_power_of_two() {
        let above = found.value.next_power_of_two();
        let refusal = Refusal::new(format!("{} is no power of two", found.value));
        let suggestion = Some(format!("{} or {}", above / 2, above));
        let allowed = format!("powers of two from {} to {} bytes", RING_BYTES.start(), RING_BYTES.end());
        section.reading().refuse(&found.place, Refusal { suggestion, ..refusal.allowed(allowed) });
        return None;
    }
    u32::try_from(found.value).ok()
}
