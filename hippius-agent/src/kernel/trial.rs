//! What loads on this host, asked by loading it. Nothing is attached.

use super::backend::{Backend, Part};
use super::error::LoadError;
use super::loader::{Plan, Probes, Settings, of_running_kernel};
use super::object::{self, Object};

/// A back-end that loads, and why what it need not have does not.
pub struct Loads {
    /// The programs for MPTCP.
    pub mptcp: Result<(), LoadError>,
}

/// Loads the programs of one back-end and attaches nothing.
pub fn try_load(backend: Backend, settings: &Settings) -> Result<Loads, LoadError> {
    let settings = Settings { backend: Some(backend), ..*settings };
    Ok(Loads { mptcp: try_any(&settings)?.mptcp.map_or(Ok(()), Err) })
}

/// Loads the programs for TLS libraries beside the first back-end that loads, and attaches nothing.
pub fn try_tls(settings: &Settings) -> Result<(), LoadError> {
    try_any(settings)?.tls.map_or(Ok(()), |tls| tls.map(drop))
}

fn try_any(settings: &Settings) -> Result<Probes, LoadError> {
    let (facts, plans) = of_running_kernel(settings)?;
    let mut loader = object::loader();
    let object = Object::new(settings, &facts);
    object.configure(&mut loader);
    let mut result = Err(LoadError::NoBackend("none is asked for".to_owned()));
    for Plan { backend, programs } in plans {
        result = programs.and_then(|plan| {
            let mut probes = object.load(&mut loader, backend, &plan)?;
            Object::part(&plan, Part::Clients)?.load(&mut probes.controls.ebpf)?;
            let mptcp = Object::mptcp(&plan, backend).and_then(|programs| programs.load(&mut probes.controls.ebpf));
            probes.mptcp = mptcp.err();
            Ok(probes)
        });
        if result.is_ok() {
            break;
        }
    }
    result
}
