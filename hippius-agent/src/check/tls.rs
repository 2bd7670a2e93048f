//! Whether TLS libraries can be probed, where the configuration asks for that.

use caps::{Capability, CapsHashSet};

use super::Finding;
use crate::config::Config;
use crate::kernel::loader::Settings;
use crate::kernel::tls::symbols;
use crate::kernel::trial::try_tls;

const SUBJECT: &str = "tls";

/// Loads the programs and looks for the right to attach them. Nothing is attached.
pub fn checks(config: &Config, effective: Option<&CapsHashSet>) -> Vec<Finding> {
    if !config.capture.tls {
        return Vec::new();
    }
    let settings = Settings { max_sessions: 64, ..Settings::default() };
    let loaded = if symbols::ARE_PROBED {
        try_tls(&settings).map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())
    } else {
        Err("that is done on x86-64 only".to_owned())
    };
    let allowed = effective.is_none_or(|effective| effective.contains(&Capability::CAP_SYS_ADMIN));
    findings(loaded, allowed)
}

/// What is said of the results.
pub fn findings(loaded: Result<(), String>, allowed: bool) -> Vec<Finding> {
    match loaded {
        Err(why) => {
            let detail = format!("OpenSSL cannot be probed: {why}");
            vec![Finding::warn(SUBJECT, detail, "the agent runs without; set capture.tls = false")]
        }
        Ok(()) if !allowed => {
            let detail = "CAP_SYS_ADMIN missing: the kernel attaches no probes to OpenSSL without it";
            vec![Finding::warn(SUBJECT, detail, "grant it, or set capture.tls = false")]
        }
        Ok(()) => vec![Finding::ok(SUBJECT, "OpenSSL can be probed")],
    }
}

#[cfg(test)]
mod tests {
    use super::findings;
    use crate::check::Level;

    #[test]
    fn what_stands_in_the_way_is_said() {
        for (loaded, allowed, level, word) in [
            (Ok(()), true, Level::Ok, "can be probed"),
            (Ok(()), false, Level::Warn, "CAP_SYS_ADMIN"),
            (Err("no uprobes".to_owned()), true, Level::Warn, "no uprobes"),
        ] {
            let found = findings(loaded, allowed);
            assert!(found.len() == 1 && found[0].level == level && found[0].detail.contains(word), "{found:?}");
        }
    }
}
