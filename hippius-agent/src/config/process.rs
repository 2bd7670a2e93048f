//! The name of a process, with `*` and `?`.

/// Name of the process that listens: its `comm` or the file name of its executable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessPattern(Box<str>);

/// The kernel cuts `comm` to `TASK_COMM_LEN - 1` bytes.
const COMM_BYTES: usize = 15;

impl ProcessPattern {
    pub(super) fn new(pattern: &str) -> Self {
        Self(pattern.into())
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a process of this `comm` or this executable's file name is meant.
    pub fn matches(&self, comm: Option<&str>, executable: Option<&str>) -> bool {
        let cut = |comm: &str| comm.len() == COMM_BYTES && self.0.starts_with(comm);
        comm.is_some_and(|comm| glob(self.0.as_bytes(), comm.as_bytes()) || cut(comm))
            || executable.is_some_and(|file| glob(self.0.as_bytes(), file.as_bytes()))
    }
}

/// Linear matching with one remembered star: no pattern is slow.
pub(super) fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(&byte) = name.get(read) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(&wanted) if wanted == byte || wanted == b'?' => {
                at += 1;
                read += 1;
            }
            _ => match star {
                Some((star_at, taken)) => {
                    star = Some((star_at, taken + 1));
                    at = star_at + 1;
                    read = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).is_none_or(|rest| rest.iter().all(|&byte| byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::ProcessPattern;

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("uvicorn", "uvicorn", true),
            ("uvicorn", "uvicorn2", false),
            ("python*", "python3.11", true),
            ("*corn", "gunicorn", true),
            ("g?nicorn", "gunicorn", true),
            ("*", "", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("", "x", false),
        ] {
            assert_eq!(ProcessPattern::new(pattern).matches(Some(name), None), expected, "{pattern} {name}");
            assert_eq!(ProcessPattern::new(pattern).matches(None, Some(name)), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn comm_is_cut_by_the_kernel() {
        let pattern = ProcessPattern::new("hippius-s3-gateway");
        assert!(pattern.matches(Some("hippius-s3-gate"), None));
        assert!(!pattern.matches(Some("hippius-s3"), None));
        assert!(!pattern.matches(None, None));
    }
}
