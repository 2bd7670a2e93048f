//! Which containers a service runs in: `container`, `pod` and `namespace` of `[[service]]`.

use super::error::{Refusal, shown};
use super::operation::checked;
use super::process::glob;
use super::read::Section;

/// What is known of a listening socket and its process when it is asked whose it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Candidate<'a> {
    /// Local port; 0 of a Unix socket.
    pub port: u16,
    /// What a Unix socket is bound to; `None` of a TCP socket.
    pub socket: Option<&'a str>,
    /// `comm` of the process.
    pub comm: Option<&'a str>,
    /// File name of its executable.
    pub executable: Option<&'a str>,
    /// Name of its container.
    pub container: Option<&'a str>,
    /// Id of its container.
    pub container_id: Option<&'a str>,
    /// Name of its Kubernetes pod.
    pub pod: Option<&'a str>,
    /// Unique id of its pod.
    pub pod_uid: Option<&'a str>,
    /// Namespace of its pod.
    pub namespace: Option<&'a str>,
}

/// The keys, in the order of [`ContainerPattern::words`].
pub(super) const KEYS: [&str; 3] = ["container", "pod", "namespace"];

/// Containers by name, with `*` and `?`. What is `None` may be anything, also no container at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerPattern {
    /// Name or id of the container.
    pub container: Option<Box<str>>,
    /// Name or unique id of the Kubernetes pod.
    pub pod: Option<Box<str>>,
    /// The namespace of the pod.
    pub namespace: Option<Box<str>>,
}

impl ContainerPattern {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let [container, pod, namespace] =
            KEYS.map(|key| section.string(key).and_then(|found| checked(section, found, pattern)));
        Self { container, pod, namespace }
    }

    /// Whether any container will do.
    pub fn is_any(&self) -> bool {
        self.words().into_iter().all(|word| word.is_none())
    }

    /// Whether the process of a socket runs in such a container.
    pub fn matches(&self, candidate: &Candidate<'_>) -> bool {
        let fits = |pattern: &Option<Box<str>>, names: &[Option<&str>]| {
            pattern
                .as_ref()
                .is_none_or(|pattern| names.iter().flatten().any(|name| glob(pattern.as_bytes(), name.as_bytes())))
        };
        fits(&self.container, &[candidate.container, candidate.container_id])
            && fits(&self.pod, &[candidate.pod, candidate.pod_uid])
            && fits(&self.namespace, &[candidate.namespace])
    }

    /// Whether both name the same thing, and not the same name.
    pub(super) fn differs(&self, other: &Self) -> bool {
        self.words().into_iter().zip(other.words()).any(|pair| matches!(pair, (Some(one), Some(two)) if one != two))
    }

    /// The patterns as written, by key.
    pub fn described(&self) -> impl Iterator<Item = String> {
        KEYS.into_iter().zip(self.words()).filter_map(|(key, word)| Some(format!("{key} \"{}\"", word?)))
    }

    fn words(&self) -> [Option<&str>; KEYS.len()] {
        [self.container.as_deref(), self.pod.as_deref(), self.namespace.as_deref()]
    }
}

fn pattern(text: &str) -> Result<Box<str>, Refusal> {
    const LONGEST: usize = 253;
    if (1..=LONGEST).contains(&text.len()) && !text.contains('/') && !text.chars().any(char::is_control) {
        return Ok(text.into());
    }
    Err(Refusal::new(format!("{} is no name", shown(text))).allowed("a name; * and ? stand for anything"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(container: Option<&str>, pod: Option<&str>, namespace: Option<&str>) -> ContainerPattern {
        let text = |text: Option<&str>| text.map(Box::from);
        ContainerPattern { container: text(container), pod: text(pod), namespace: text(namespace) }
    }

    #[test]
    fn names_and_ids_are_matched() {
        let api = Candidate {
            container: Some("api"),
            container_id: Some("3f4b1c0d"),
            pod: Some("api-7d9f"),
            pod_uid: Some("8c3f1d52"),
            namespace: Some("s3"),
            ..Candidate::default()
        };
        for (pattern, expected) in [
            (named(None, None, None), true),
            (named(Some("api"), None, None), true),
            (named(Some("3f4b*"), None, None), true),
            (named(Some("gateway"), None, None), false),
            (named(Some("api"), Some("api-*"), Some("s3")), true),
            (named(Some("api"), Some("8c3f1d52"), None), true),
            (named(Some("api"), Some("gateway-*"), None), false),
            (named(None, None, Some("default")), false),
        ] {
            assert_eq!(pattern.matches(&api), expected, "{pattern:?}");
        }
        // A process in no container is in none of that name.
        assert!(!named(Some("*"), None, None).matches(&Candidate::default()));
        assert!(named(None, None, None).matches(&Candidate::default()));
    }

    #[test]
    fn services_are_told_apart_by_what_both_name() {
        let api = named(Some("api"), None, None);
        assert!(api.differs(&named(Some("gateway"), None, None)));
        assert!(!api.differs(&api));
        assert!(!api.differs(&named(None, Some("gateway-1"), None)));
        assert!(!api.differs(&named(None, None, None)));
        assert_eq!(api.described().collect::<Vec<_>>(), ["container \"api\""]);
    }
}
