use super::cgroup::find;
use super::*;

const ID: &str = "3f4b1c0d9e8a7f6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b";
const OUTER: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const UID: &str = "8c3f1d52-0b7e-4a55-9d2f-6f1f0a9be001";
const HASH: &str = "d1e5b0a9c8f7e6d5c4b3a29181706f5e";

/// Paths as the runtimes' documentation and their users' reports show them.
#[test]
fn containers_and_pods_by_path() {
    let under = UID.replace('-', "_");
    for (line, pod) in [
        // Docker: cgroupfs, systemd, rootless.
        (format!("11:memory:/docker/{ID}"), None),
        (format!("0::/docker/{ID}"), None),
        (format!("0::/system.slice/docker-{ID}.scope"), None),
        (format!("0::/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{ID}.scope"), None),
        (format!("0::/system.slice/docker-{ID}.scope/init.scope"), None),
        (format!("12:pids:/docker/{ID}/system.slice/nginx.service"), None),
        // Docker in Docker, and Docker in a pod.
        (format!("0::/docker/{OUTER}/docker/{ID}"), None),
        (format!("5:cpu,cpuacct:/kubepods/besteffort/pod{UID}/{OUTER}/docker/{ID}"), Some(UID)),
        // Podman: rootful, rootless, in a pod, with cgroupfs.
        (format!("0::/machine.slice/libpod-{ID}.scope"), None),
        (format!("0::/machine.slice/libpod-{ID}.scope/container"), None),
        (format!("0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope/container"), None),
        (format!("0::/machine.slice/machine-libpod_pod_{OUTER}.slice/libpod-{ID}.scope"), None),
        (format!("9:devices:/libpod_parent/libpod-{ID}"), None),
        (format!("9:devices:/libpod_parent/{OUTER}/libpod-{ID}"), None),
        // nerdctl, Amazon ECS.
        (format!("0::/system.slice/nerdctl-{ID}.scope"), None),
        (format!("0::/default/{ID}"), None),
        (format!("4:blkio:/ecs/5d4c3b2a190807f6e5d4c3b2a1908070/{ID}"), None),
        // Kubernetes: cgroupfs in each class of service.
        (format!("11:memory:/kubepods/burstable/pod{UID}/{ID}"), Some(UID)),
        (format!("0::/kubepods/besteffort/pod{UID}/{ID}"), Some(UID)),
        (format!("0::/kubepods/pod{UID}/{ID}"), Some(UID)),
        (format!("0::/kubepods/burstable/pod{HASH}/{ID}"), Some(HASH)),
        (format!("0::/kubelet/kubepods/burstable/pod{UID}/{ID}"), Some(UID)),
        // systemd, with containerd, CRI-O and cri-dockerd.
        (
            format!(
                "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{under}.slice/cri-containerd-{ID}.scope"
            ),
            Some(UID),
        ),
        (format!("0::/kubepods.slice/kubepods-pod{under}.slice/cri-containerd-{ID}.scope"), Some(UID)),
        (
            format!(
                "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{under}.slice/crio-{ID}.scope"
            ),
            Some(UID),
        ),
        (
            format!(
                "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{under}.slice/crio-{ID}.scope/container"
            ),
            Some(UID),
        ),
        (format!("0::/kubepods.slice/kubepods-pod{HASH}.slice/docker-{ID}.scope"), Some(HASH)),
        // containerd with cgroupfs below a kubelet with systemd.
        (
            format!(
                "11:memory:/system.slice/containerd.service/kubepods-burstable-pod{under}.slice:cri-containerd:{ID}"
            ),
            Some(UID),
        ),
        // A node that is a container itself (kind, minikube).
        (format!("0::/docker/{OUTER}/kubelet/kubepods/burstable/pod{UID}/{ID}"), Some(UID)),
        (
            format!(
                "0::/system.slice/docker-{OUTER}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{under}.slice/cri-containerd-{ID}.scope"
            ),
            Some(UID),
        ),
        // Seen from a cgroup namespace of one's own.
        (format!("0::/../../pod{UID}/{ID}"), Some(UID)),
        (format!("0::/../cri-containerd-{ID}.scope"), None),
    ] {
        let place = find(&line).unwrap_or_else(|| panic!("{line}"));
        assert_eq!((&*place.id, place.pod_uid.as_deref()), (ID, pod), "{line}");
    }
}

#[test]
fn what_is_in_no_container() {
    let short = ID.get(1..).unwrap();
    let upper = ID.to_uppercase();
    for line in [
        "0::/".to_owned(),
        "0::/system.slice/nginx.service".to_owned(),
        "0::/user.slice/user-1000.slice/session-2.scope".to_owned(),
        "0::/init.scope".to_owned(),
        format!("0::/system.slice/docker-{short}.scope"),
        format!("0::/docker/{upper}"),
        format!("0::/kubepods/pod{UID}"),
        format!("0::/docker/{OUTER}/kubelet/kubepods/pod{UID}"),
        format!("0::/machine.slice/libpod-conmon-{ID}.scope"),
        format!("0::/machine.slice/crio-conmon-{ID}.scope"),
        ID.to_owned(),
        String::new(),
        "::".to_owned(),
    ] {
        assert_eq!(find(&line), None, "{line}");
    }
}

#[test]
fn old_hierarchies_may_leave_a_process_at_their_root() {
    let text =
        format!("13:rdma:/\n12:cpuset:/docker/{ID}\n1:name=systemd:/docker/{ID}\n0::/system.slice/docker.service\n");
    assert_eq!(find(&text).map(|place| place.id), Some(ID.into()));
}

/// A root and a procfs in a folder of the test, with process 7 in the container.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str, files: &[(&str, String)]) -> Self {
        let root = std::env::temp_dir().join(format!("hippius-container-{name}-{}", std::process::id()));
        let tree = Self(root);
        tree.write("proc/7/cgroup", &format!("0::/kubepods/pod{UID}/{ID}\n"));
        files.iter().for_each(|(path, text)| tree.write(path, text));
        tree
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path.replace("{id}", ID));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn container(&self) -> Option<Arc<Container>> {
        Containers::new(self.0.join("proc"), vec![self.0.join("none"), self.0.clone()]).of(7)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn names(container: &str, pod: &str, namespace: &str) -> Names {
    let name = |name: &str| (!name.is_empty()).then(|| name.into());
    Names { container: name(container), pod: name(pod), namespace: name(namespace) }
}

#[test]
fn names_come_from_the_files_of_each_runtime() {
    let annotations =
        |text: &str| format!(r#"{{"ociVersion":"1.1.0","process":{{"env":["KEY=secret"]}},"annotations":{{{text}}}}}"#);
    let cri = annotations(
        r#""io.kubernetes.cri.container-name":"api","io.kubernetes.cri.sandbox-name":"api-7d","io.kubernetes.cri.sandbox-namespace":"s3","io.kubernetes.cri.sandbox-id":"x""#,
    );
    let crio = annotations(
        r#""io.kubernetes.container.name":"api","io.kubernetes.pod.name":"api-7d","io.kubernetes.pod.namespace":"s3""#,
    );
    let docker = |labels: &str| {
        format!(r#"{{"ID":"{ID}","Name":"/web-1","Config":{{"Env":["KEY=secret"],"Labels":{labels}}}}}"#)
    };
    let dockershim = docker(
        r#"{"io.kubernetes.container.name":"api","io.kubernetes.pod.name":"api-7d","io.kubernetes.pod.namespace":"s3"}"#,
    );
    let podman =
        format!(r#"[{{"id":"{OUTER}","names":["other"]}},{{"id":"{ID}","names":["web","alias"],"metadata":"{{}}"}}]"#);
    let kubernetes = names("api", "api-7d", "s3");
    let task = "io.containerd.runtime.v2.task";
    for (index, (path, text, expected)) in [
        ("var/lib/docker/containers/{id}/config.v2.json".to_owned(), docker("{}"), names("web-1", "", "")),
        ("var/lib/docker/containers/{id}/config.v2.json".to_owned(), docker("null"), names("web-1", "", "")),
        ("var/lib/docker/containers/{id}/config.v2.json".to_owned(), dockershim, kubernetes.clone()),
        (format!("run/containerd/{task}/k8s.io/{{id}}/config.json"), cri.clone(), kubernetes.clone()),
        (format!("run/k3s/containerd/{task}/k8s.io/{{id}}/config.json"), cri, kubernetes.clone()),
        (
            format!("run/containerd/{task}/default/{{id}}/config.json"),
            annotations(r#""nerdctl/name":"web""#),
            names("web", "", ""),
        ),
        ("run/containers/storage/overlay-containers/{id}/userdata/config.json".to_owned(), crio, kubernetes),
        ("var/lib/containers/storage/overlay-containers/containers.json".to_owned(), podman, names("web", "", "")),
    ]
    .into_iter()
    .enumerate()
    {
        let tree = Tree::new(&index.to_string(), &[(&path, text)]);
        let found = tree.container().unwrap();
        assert_eq!((&*found.id, found.pod_uid.as_deref()), (ID, Some(UID)));
        assert_eq!(found.names, expected, "{path}");
    }
}

#[test]
fn files_that_cannot_be_used_leave_the_names_unknown() {
    let path = "var/lib/docker/containers/{id}/config.v2.json";
    let long = format!(r#"{{"Name":"/{}"}}"#, "a".repeat(300));
    for (index, text) in
        ["", "{", "[]", r#"{"Name":7}"#, r#"{"Name":"/a\nb"}"#, &long, &" ".repeat(2 << 20)].iter().enumerate()
    {
        let tree = Tree::new(&format!("bad-{index}"), &[(path, (*text).to_owned())]);
        assert_eq!(tree.container().unwrap().names, Names::default(), "{index}");
    }
    let tree = Tree::new("link", &[("elsewhere", r#"{"Name":"/web"}"#.to_owned())]);
    let link = tree.0.join(path.replace("{id}", ID));
    std::fs::create_dir_all(link.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(tree.0.join("elsewhere"), &link).unwrap();
    assert_eq!(tree.container().unwrap().names, Names::default());
}

#[test]
fn names_are_read_once_and_processes_end() {
    let path = "var/lib/docker/containers/{id}/config.v2.json";
    let tree = Tree::new("once", &[(path, r#"{"Name":"/web"}"#.to_owned())]);
    let mut containers = Containers::new(tree.0.join("proc"), vec![tree.0.clone()]);
    assert_eq!(containers.of(7).unwrap().names, names("web", "", ""));
    tree.write(path, r#"{"Name":"/renamed"}"#);
    assert_eq!(containers.of(7).unwrap().names, names("web", "", ""));
    assert_eq!(containers.of(8), None);
}
