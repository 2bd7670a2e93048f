//! What container runtimes write down about their containers: names, in files by the container's id.
//!
//! | runtime | file | what it says |
//! |---|---|---|
//! | Docker | `/var/lib/docker/containers/ID/config.v2.json` | name; labels of Kubernetes through cri-dockerd |
//! | containerd | `/run/containerd/io.containerd.runtime.v2.task/NAMESPACE/ID/config.json` | annotations of Kubernetes' CRI plugin, nerdctl's name |
//! | CRI-O | `/run/containers/storage/overlay-containers/ID/userdata/config.json` | annotations |
//! | Podman | `/var/lib/containers/storage/overlay-containers/containers.json` | name |
//!
//! The `config.json` are those of the OCI runtime specification. Nothing but these names is taken from the files, which
//! hold the containers' environment too. A file that is not there or may not be read leaves the names unknown.

use serde::Deserialize;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Environment and mounts make some of these files large; a list of containers takes about 500 bytes for each.
const MOST_BYTES: u64 = 1024 * 1024;
/// Longest name that Kubernetes gives (a DNS subdomain, RFC 1123); Docker's are shorter.
const LONGEST: usize = 253;

/// Names of a container. Each may be unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Names {
    /// Of the container.
    pub container: Option<Box<str>>,
    /// Of its Kubernetes pod.
    pub pod: Option<Box<str>>,
    /// The namespace of the pod.
    pub namespace: Option<Box<str>>,
}

type Parse = fn(&[u8], &str) -> Option<Names>;

/// Reads the first file below `roots` that knows the container `id`, which is 64 hexadecimal digits.
pub fn read(roots: &[PathBuf], id: &str) -> Names {
    for root in roots {
        for (path, parse) in files(root, id) {
            if let Ok(bytes) = super::read(&path, MOST_BYTES)
                && let Some(names) = parse(&bytes, id)
            {
                return names;
            }
        }
    }
    Names::default()
}

fn files(root: &Path, id: &str) -> [(PathBuf, Parse); 7] {
    let task = |state: &str, namespace: &str| {
        root.join(state).join("io.containerd.runtime.v2.task").join(namespace).join(id).join("config.json")
    };
    let userdata = |storage: &str| root.join(storage).join("overlay-containers").join(id).join("userdata/config.json");
    [
        (root.join("var/lib/docker/containers").join(id).join("config.v2.json"), docker),
        (task("run/containerd", "k8s.io"), oci),
        (task("run/k3s/containerd", "k8s.io"), oci),
        (task("run/containerd", "default"), oci),
        (userdata("run/containers/storage"), oci),
        (userdata("var/lib/containers/storage"), oci),
        (root.join("var/lib/containers/storage/overlay-containers/containers.json"), podman),
    ]
}

type Annotations = HashMap<String, String>;

/// Docker's own file about a container.
pub fn docker(bytes: &[u8], _id: &str) -> Option<Names> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct File {
        name: Option<String>,
        config: Option<Config>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Config {
        labels: Option<Annotations>,
    }
    let file: File = serde_json::from_slice(bytes).ok()?;
    let labels = file.config.and_then(|config| config.labels).unwrap_or_default();
    let names = annotated(&labels);
    let own = file.name.and_then(|name| clean(name.strip_prefix('/').unwrap_or(&name)));
    Some(Names { container: names.container.or(own), ..names })
}

/// `config.json` of the OCI runtime specification. One without any of the annotations is as good as none.
pub fn oci(bytes: &[u8], _id: &str) -> Option<Names> {
    #[derive(Deserialize)]
    struct File {
        annotations: Option<Annotations>,
    }
    let file: File = serde_json::from_slice(bytes).ok()?;
    let names = annotated(&file.annotations?);
    (names != Names::default()).then_some(names)
}

/// The list of all containers in a storage of Podman.
pub fn podman(bytes: &[u8], id: &str) -> Option<Names> {
    #[derive(Deserialize)]
    struct Stored {
        id: String,
        names: Option<Vec<String>>,
    }
    let all: Vec<Stored> = serde_json::from_slice(bytes).ok()?;
    let stored = all.into_iter().find(|stored| stored.id == id)?;
    let name = stored.names?.into_iter().next()?;
    Some(Names { container: clean(&name), ..Names::default() })
}

/// Each list: containerd's CRI plugin, then CRI-O and cri-dockerd, then nerdctl.
fn annotated(annotations: &Annotations) -> Names {
    let first = |keys: &[&str]| keys.iter().find_map(|key| clean(annotations.get(*key)?));
    Names {
        container: first(&["io.kubernetes.cri.container-name", "io.kubernetes.container.name", "nerdctl/name"]),
        pod: first(&["io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name"]),
        namespace: first(&["io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace"]),
    }
}

/// A name that can be a label.
fn clean(name: &str) -> Option<Box<str>> {
    let good = (1..=LONGEST).contains(&name.len()) && !name.chars().any(char::is_control);
    good.then(|| name.into())
}
