//! The query parameters that tell S3 operations apart.

use super::super::target::{Target, decodes_to};

macro_rules! flags {
    ($($flag:ident = $name:literal),* $(,)?) => {
        /// A query parameter that tells operations apart.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub(in crate::classify) enum Flag { $($flag),* }

        const NAMES: &[(&[u8], Flag)] = &[$(($name, Flag::$flag)),*];

        // Bytes, not text: of byte patterns the compiler makes one decision tree, of texts a row of comparisons. A
        // presigned URL asks seven times for a name that is none of these.
        fn named(name: &[u8]) -> Option<Flag> {
            match name {
                $($name => Some(Flag::$flag),)*
                _ => None,
            }
        }
    };
}

// Source: the request syntax of each operation's page in the Amazon S3 API Reference. Names are case-sensitive.
flags! {
    Abac = b"abac",
    Accelerate = b"accelerate",
    Acl = b"acl",
    Analytics = b"analytics",
    Annotation = b"annotation",
    AnnotationName = b"annotationName",
    Attributes = b"attributes",
    Cors = b"cors",
    Delete = b"delete",
    Encryption = b"encryption",
    Id = b"id",
    IntelligentTiering = b"intelligent-tiering",
    Inventory = b"inventory",
    LegalHold = b"legal-hold",
    Lifecycle = b"lifecycle",
    ListType = b"list-type",
    Location = b"location",
    Logging = b"logging",
    MaxDirectoryBuckets = b"max-directory-buckets",
    MetadataAnnotationTable = b"metadataAnnotationTable",
    MetadataConfiguration = b"metadataConfiguration",
    MetadataInventoryTable = b"metadataInventoryTable",
    MetadataJournalTable = b"metadataJournalTable",
    MetadataTable = b"metadataTable",
    Metrics = b"metrics",
    Notification = b"notification",
    ObjectLock = b"object-lock",
    OwnershipControls = b"ownershipControls",
    PartNumber = b"partNumber",
    Policy = b"policy",
    PolicyStatus = b"policyStatus",
    PublicAccessBlock = b"publicAccessBlock",
    RenameObject = b"renameObject",
    Replication = b"replication",
    RequestPayment = b"requestPayment",
    Restore = b"restore",
    Retention = b"retention",
    Select = b"select",
    Session = b"session",
    Tagging = b"tagging",
    Torrent = b"torrent",
    UploadId = b"uploadId",
    Uploads = b"uploads",
    Versioning = b"versioning",
    Versions = b"versions",
    Website = b"website",
    XId = b"x-id",
}

/// The one value with which a flag counts, where its presence alone says nothing: `list-type=1` is no ListObjectsV2,
/// and `x-id`, which some SDKs append with the operation's name, is only needed where nothing else differs.
fn wanted_value(flag: Flag) -> Option<&'static str> {
    match flag {
        Flag::ListType => Some("2"),
        Flag::XId => Some("ListDirectoryBuckets"),
        _ => None,
    }
}

/// A set of [`Flag`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::classify) struct Flags(u64);

// A flag is one bit of the set.
const _: () = assert!(NAMES.len() <= 64);

impl Flags {
    pub(in crate::classify) const NONE: Self = Self(0);

    pub(in crate::classify) const fn of(flags: &[Flag]) -> Self {
        let mut bits = 0;
        let mut rest = flags;
        while let [first, others @ ..] = rest {
            bits |= 1 << *first as u8;
            rest = others;
        }
        Self(bits)
    }

    /// The flags in a target's query, in any order, with or without `=`.
    pub(in crate::classify) fn in_query(target: &Target<'_>) -> Self {
        let mut bits = 0;
        for (name, value) in target.parameters() {
            if let Some(flag) = flag(name)
                && wanted_value(flag).is_none_or(|wanted| decodes_to(value, wanted))
            {
                bits |= 1 << flag as u8;
            }
        }
        Self(bits)
    }

    pub(in crate::classify) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(in crate::classify) const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

fn flag(name: &str) -> Option<Flag> {
    named(name.as_bytes()).or_else(|| {
        // No client encodes these names, but servers decode them: the slow way is good enough.
        memchr::memchr(b'%', name.as_bytes())?;
        let decoded = || percent_encoding::percent_decode_str(name);
        NAMES.iter().find(|(plain, _)| decoded().eq(plain.iter().copied())).map(|(_, flag)| *flag)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(query: &str) -> Flags {
        Flags::in_query(&Target { authority: None, path: "/", query })
    }

    #[test]
    fn order_equals_signs_and_encoding_do_not_matter() {
        let wanted = Flags::of(&[Flag::UploadId, Flag::PartNumber]);
        for query in ["uploadId=U&partNumber=1", "partNumber=1&uploadId=U", "upload%49d=U&x=y&partNumber="] {
            assert_eq!(flags(query), wanted, "{query}");
        }
        assert_eq!(flags("uploads"), flags("uploads="));
    }

    #[test]
    fn some_flags_count_with_one_value_only() {
        assert_eq!(flags("list-type=2"), Flags::of(&[Flag::ListType]));
        assert_eq!(flags("list-type=%32"), Flags::of(&[Flag::ListType]));
        assert_eq!(flags("list-type=1&x-id=GetObject"), Flags::NONE);
    }

    #[test]
    fn values_and_case_are_no_flags() {
        assert_eq!(flags("prefix=acl&Acl&X-Amz-Credential=tagging"), Flags::NONE);
    }
}
