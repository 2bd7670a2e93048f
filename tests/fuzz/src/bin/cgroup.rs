//! Control groups and the files of container runtimes: an id that is found stands in the text and can be a part of a
//! path, and names are fit to be labels.
//!
//! Input: the text of `/proc/PID/cgroup`, then after a byte 0 a runtime's file.
#![no_main]

use hippius_agent::kernel::container::cgroup::find;
use hippius_agent::kernel::container::names::{docker, oci, podman};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    let (group, file) = bytes.split_at(end);
    let group = String::from_utf8_lossy(group);
    let mut id = String::new();
    if let Some(place) = find(&group) {
        assert!(group.contains(&*place.id) && place.id.len() == 64);
        assert!(place.id.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if let Some(uid) = place.pod_uid {
            assert!(matches!(uid.len(), 32 | 36) && group.replace('_', "-").contains(&*uid));
        }
        id = place.id.into();
    }
    let file = file.get(1..).unwrap_or_default();
    for names in [docker(file, &id), oci(file, &id), podman(file, &id)].into_iter().flatten() {
        for name in [names.container, names.pod, names.namespace].into_iter().flatten() {
            assert!((1..=253).contains(&name.len()) && !name.chars().any(char::is_control), "{name:?}");
        }
    }
});
