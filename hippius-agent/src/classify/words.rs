//! The words of the configuration for [`Effect`] and [`Payload`].

use std::str::FromStr;

use super::{Effect, Payload};

/// A word that means nothing here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} {word:?}; allowed are {allowed}")]
pub struct UnknownWord {
    what: &'static str,
    word: String,
    allowed: &'static str,
}

impl FromStr for Effect {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "none" => Ok(Self::None),
            "object_created" => Ok(Self::ObjectCreated),
            "object_deleted" => Ok(Self::ObjectDeleted),
            "bucket_created" => Ok(Self::BucketCreated),
            "bucket_deleted" => Ok(Self::BucketDeleted),
            _ => Err(UnknownWord {
                what: "effect",
                word: word.to_owned(),
                allowed: "\"none\", \"object_created\", \"object_deleted\", \"bucket_created\", \"bucket_deleted\"",
            }),
        }
    }
}

impl FromStr for Payload {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "none" => Ok(Self::None),
            "upload" => Ok(Self::Upload),
            "download" => Ok(Self::Download),
            _ => Err(UnknownWord {
                what: "payload",
                word: word.to_owned(),
                allowed: "\"none\", \"upload\", \"download\"",
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_others_refused_with_what_is_allowed() {
        assert_eq!("object_deleted".parse(), Ok(Effect::ObjectDeleted));
        assert_eq!("upload".parse(), Ok(Payload::Upload));
        let error = "Upload".parse::<Payload>().expect_err("lower case only").to_string();
        assert_eq!(error, "unknown payload \"Upload\"; allowed are \"none\", \"upload\", \"download\"");
    }
}
