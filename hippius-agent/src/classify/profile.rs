//! Which routes a service has.

use std::str::FromStr;

/// What a watched service speaks: decides its `handler` names and whether its requests are S3 operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// The Hippius API of 2025: one hop, the access key is a seed phrase (`hippius-2025`).
    Hippius2025,
    /// The client-facing hop of Hippius 2026 (`hippius-2026-gateway`).
    Hippius2026Gateway,
    /// The API behind that gateway (`hippius-2026`).
    Hippius2026Api,
    /// Any other S3 service (`s3`).
    S3,
    /// Any HTTP service (`http`).
    Http,
}

impl Profile {
    /// Every profile, in the order in which they are documented.
    pub const ALL: [Self; 5] =
        [Self::Hippius2025, Self::Hippius2026Gateway, Self::Hippius2026Api, Self::S3, Self::Http];

    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hippius2025 => "hippius-2025",
            Self::Hippius2026Gateway => "hippius-2026-gateway",
            Self::Hippius2026Api => "hippius-2026",
            Self::S3 => "s3",
            Self::Http => "http",
        }
    }
}

/// A profile name that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown profile {0:?}; allowed are \"hippius-2025\", \"hippius-2026-gateway\", \"hippius-2026\", \"s3\", \"http\""
)]
pub struct UnknownProfile(pub String);

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        Self::ALL.into_iter().find(|profile| profile.name() == name).ok_or_else(|| UnknownProfile(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_is_found_by_its_name() {
        for profile in Profile::ALL {
            assert_eq!(profile.name().parse(), Ok(profile));
        }
    }

    #[test]
    fn a_wrong_name_is_refused_with_what_is_allowed() {
        let error = "S3".parse::<Profile>().expect_err("names are lower case").to_string();
        for profile in Profile::ALL {
            assert!(error.contains(&format!("{:?}", profile.name())), "{error}");
        }
    }
}
