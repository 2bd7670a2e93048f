//! Container and pod in the text of `/proc/PID/cgroup` (`man 7 cgroups`). Pure.
//!
//! Each line is `HIERARCHY:CONTROLLERS:PATH`. A runtime names the group of a container by the container's id, in one of
//! two ways: with its cgroupfs driver `…/ID`, with its systemd driver `…/RUNTIME-ID.scope`. The kubelet names the group
//! of a pod `podUID`, or `kubepods-QOS-podUID.slice` where `_` stands for the `-` of the uid.

/// Where a process runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The container: 64 hexadecimal digits.
    pub id: Box<str>,
    /// The pod around it.
    pub pod_uid: Option<Box<str>>,
}

/// The innermost container of the first line that has one. Older hierarchies may leave a process at their root, so not
/// every line needs to have one.
pub fn find(text: &str) -> Option<Place> {
    text.lines().find_map(|line| place(line.splitn(3, ':').nth(2)?))
}

fn place(path: &str) -> Option<Place> {
    let (mut pod_uid, mut id) = (None, None);
    // A runtime of one driver below a kubelet of the other: `kubepods-podUID.slice:cri-containerd:ID` is one name.
    for name in path.split(['/', ':']) {
        if let Some(pod) = pod(name) {
            // What comes before is the node, where a node is a container.
            (pod_uid, id) = (Some(pod), None);
        } else if let Some(container) = container(name) {
            id = Some(container);
        }
    }
    Some(Place { id: id?.into(), pod_uid })
}

/// `ID`, `docker-ID.scope`, `cri-containerd-ID.scope`, `crio-ID.scope`, `libpod-ID.scope`, `libpod-ID`.
fn container(name: &str) -> Option<&str> {
    let name = name.strip_suffix(".scope").unwrap_or(name);
    match name.rsplit_once('-') {
        // Runs beside the container, not in it.
        Some((runtime, _)) if runtime.ends_with("conmon") => None,
        Some((_, id)) if is_id(id) => Some(id),
        _ => Some(name).filter(|id| is_id(id)),
    }
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && is_hexadecimal(text)
}

/// `podUID`, `kubepods-podUID.slice`, `kubepods-burstable-podUID.slice`.
fn pod(name: &str) -> Option<Box<str>> {
    let (before, uid) = name.strip_suffix(".slice").unwrap_or(name).rsplit_once("pod")?;
    let of_kubelet = before.is_empty() || before.ends_with('-');
    let uid = uid.replace('_', "-");
    (of_kubelet && is_uid(&uid)).then(|| uid.into())
}

/// A UUID (RFC 9562 section 4), or the hash that the kubelet gives to a pod which stands in a file of the node.
fn is_uid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    (text.len() == 32 || lengths.eq([8, 4, 4, 4, 12])) && text.split('-').all(is_hexadecimal)
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
