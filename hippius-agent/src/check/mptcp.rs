//! Whether connections over MPTCP are counted.

use super::Finding;
use crate::kernel::error::LoadError;

const SUBJECT: &str = "mptcp";

/// What is said of it. `enabled` as [`mptcp_enabled`](crate::kernel::begin::mptcp_enabled) says; `refused`: why the back-end's programs for it do not load.
pub fn finding(enabled: Option<bool>, refused: Option<&LoadError>) -> Finding {
    match (enabled, refused) {
        (None, _) => Finding::ok(SUBJECT, "the kernel has no MPTCP"),
        (Some(false), _) => Finding::ok(SUBJECT, "switched off (net.mptcp.enabled = 0): nothing to count"),
        (Some(true), None) => Finding::ok(SUBJECT, "servers' connections over MPTCP are counted, without an audit"),
        (Some(true), Some(why)) => {
            let why = why.to_string();
            let line = why.lines().next().unwrap_or_default();
            let detail = format!("servers' connections over MPTCP are not counted: {line}");
            let advice = "each is counted as lost, reason mptcp; without it: sysctl net.mptcp.enabled=0";
            Finding::warn(SUBJECT, detail, advice)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::finding;
    use crate::check::Level;
    use crate::kernel::error::LoadError;

    #[test]
    fn what_becomes_of_it_is_said() {
        let refused = LoadError::Lacking("not the known ones".to_owned());
        for (enabled, refused, level, words) in [
            (None, Some(&refused), Level::Ok, "has no MPTCP"),
            (Some(false), None, Level::Ok, "switched off"),
            (Some(true), None, Level::Ok, "are counted"),
            (Some(true), Some(&refused), Level::Warn, "are not counted: not the known ones"),
        ] {
            let found = finding(enabled, refused);
            assert!(found.level == level && found.detail.contains(words), "{found:?}");
        }
    }
}
