//! Every S3 operation, by what is addressed and by method.
//!
//! Data, not code: in each table the first row wins whose query flags and header are all there. The last row of a
//! table has no condition, because servers ignore a flag that they do not know.
//! Sources: Amazon S3 API Reference, "Actions" (request syntax of each page), "POST Object", "OPTIONS object".
//! `GetBucketLifecycle`, `PutBucketLifecycle`, `GetBucketNotification` and `PutBucketNotification` are deprecated twins
//! of the `…Configuration` operations, with the same method and query: they go by the current name.

use super::super::{Effect, Payload};
use super::address::Level;
use super::query::Flag as F;
use super::row::{Header, Method, Row, op};

/// The rows for what is addressed with a method.
pub(super) fn rows(level: Level, method: Method) -> &'static [Row] {
    match (level, method) {
        (_, Method::Options) => ANY_OPTIONS,
        (Level::Object, Method::Get) => OBJECT_GET,
        (Level::Object, Method::Head) => OBJECT_HEAD,
        (Level::Object, Method::Put) => OBJECT_PUT,
        (Level::Object, Method::Post) => OBJECT_POST,
        (Level::Object, Method::Delete) => OBJECT_DELETE,
        (Level::Bucket, Method::Get) => BUCKET_GET,
        (Level::Bucket, Method::Head) => BUCKET_HEAD,
        (Level::Bucket, Method::Put) => BUCKET_PUT,
        (Level::Bucket, Method::Post) => BUCKET_POST,
        (Level::Bucket, Method::Delete) => BUCKET_DELETE,
        (Level::Service, Method::Get) => SERVICE_GET,
        (Level::Service, _) => &[],
    }
}

/// All tables, for a look at every row.
pub(in crate::classify) const ALL: &[&[Row]] = &[
    OBJECT_GET,
    OBJECT_HEAD,
    OBJECT_PUT,
    OBJECT_POST,
    OBJECT_DELETE,
    BUCKET_GET,
    BUCKET_HEAD,
    BUCKET_PUT,
    BUCKET_POST,
    BUCKET_DELETE,
    SERVICE_GET,
    ANY_OPTIONS,
];

const OBJECT_GET: &[Row] = &[
    op("ListParts", "list_parts").when(&[F::UploadId]),
    op("GetObjectTagging", "get_object_tagging").when(&[F::Tagging]),
    op("GetObjectAcl", "get_object_acl").when(&[F::Acl]),
    op("GetObjectAttributes", "get_object_attributes").when(&[F::Attributes]),
    op("GetObjectLegalHold", "get_object_legal_hold").when(&[F::LegalHold]),
    op("GetObjectRetention", "get_object_retention").when(&[F::Retention]),
    op("GetObjectTorrent", "get_object_torrent").when(&[F::Torrent]),
    op("GetObjectAnnotation", "get_object_annotation").when(&[F::Annotation, F::AnnotationName]),
    op("ListObjectAnnotations", "list_object_annotations").when(&[F::Annotation]),
    op("GetObject", "get_object").payload(Payload::Download),
];

const OBJECT_HEAD: &[Row] = &[op("HeadObject", "head_object")];

/// `x-amz-copy-source` makes an upload a copy. `x-amz-meta-append` (Hippius) leaves it a `PutObject`.
const OBJECT_PUT: &[Row] = &[
    op("UploadPartCopy", "upload_part_copy")
        .when(&[F::UploadId, F::PartNumber])
        .having(Header::Present("x-amz-copy-source")),
    op("UploadPart", "upload_part").when(&[F::UploadId, F::PartNumber]).payload(Payload::Upload),
    op("PutObjectTagging", "put_object_tagging").when(&[F::Tagging]),
    op("PutObjectAcl", "put_object_acl").when(&[F::Acl]),
    op("PutObjectLegalHold", "put_object_legal_hold").when(&[F::LegalHold]),
    op("PutObjectRetention", "put_object_retention").when(&[F::Retention]),
    op("RenameObject", "rename_object").when(&[F::RenameObject]),
    op("UpdateObjectEncryption", "update_object_encryption").when(&[F::Encryption]),
    op("PutObjectAnnotation", "put_object_annotation").when(&[F::Annotation]),
    op("CopyObject", "copy_object").having(Header::Present("x-amz-copy-source")).effect(Effect::ObjectCreated),
    op("PutObject", "put_object").effect(Effect::ObjectCreated).payload(Payload::Upload),
];

const OBJECT_POST: &[Row] = &[
    op("CreateMultipartUpload", "create_multipart_upload").when(&[F::Uploads]),
    op("CompleteMultipartUpload", "complete_multipart_upload").when(&[F::UploadId]).effect(Effect::ObjectCreated),
    op("RestoreObject", "restore_object").when(&[F::Restore]),
    op("SelectObjectContent", "select_object_content").when(&[F::Select]),
];

const OBJECT_DELETE: &[Row] = &[
    op("AbortMultipartUpload", "abort_multipart_upload").when(&[F::UploadId]),
    op("DeleteObjectTagging", "delete_object_tagging").when(&[F::Tagging]),
    op("DeleteObjectAnnotation", "delete_object_annotation").when(&[F::Annotation]),
    op("DeleteObject", "delete_object").effect(Effect::ObjectDeleted),
];

const BUCKET_GET: &[Row] = &[
    op("GetBucketLocation", "get_bucket_location").when(&[F::Location]),
    op("ListMultipartUploads", "list_multipart_uploads").when(&[F::Uploads]),
    op("ListObjectVersions", "list_object_versions").when(&[F::Versions]),
    op("GetBucketPolicy", "get_bucket_policy").when(&[F::Policy]),
    op("GetBucketPolicyStatus", "get_bucket_policy_status").when(&[F::PolicyStatus]),
    op("GetBucketTagging", "get_bucket_tagging").when(&[F::Tagging]),
    op("GetBucketLifecycleConfiguration", "get_bucket_lifecycle_configuration").when(&[F::Lifecycle]),
    op("GetBucketVersioning", "get_bucket_versioning").when(&[F::Versioning]),
    op("GetBucketAcl", "get_bucket_acl").when(&[F::Acl]),
    op("GetBucketCors", "get_bucket_cors").when(&[F::Cors]),
    op("GetBucketEncryption", "get_bucket_encryption").when(&[F::Encryption]),
    op("GetObjectLockConfiguration", "get_object_lock_configuration").when(&[F::ObjectLock]),
    op("GetBucketOwnershipControls", "get_bucket_ownership_controls").when(&[F::OwnershipControls]),
    op("GetPublicAccessBlock", "get_public_access_block").when(&[F::PublicAccessBlock]),
    op("GetBucketNotificationConfiguration", "get_bucket_notification_configuration").when(&[F::Notification]),
    op("GetBucketReplication", "get_bucket_replication").when(&[F::Replication]),
    op("GetBucketLogging", "get_bucket_logging").when(&[F::Logging]),
    op("GetBucketWebsite", "get_bucket_website").when(&[F::Website]),
    op("GetBucketRequestPayment", "get_bucket_request_payment").when(&[F::RequestPayment]),
    op("GetBucketAccelerateConfiguration", "get_bucket_accelerate_configuration").when(&[F::Accelerate]),
    op("GetBucketAbac", "get_bucket_abac").when(&[F::Abac]),
    op("CreateSession", "create_session").when(&[F::Session]),
    op("GetBucketMetadataConfiguration", "get_bucket_metadata_configuration").when(&[F::MetadataConfiguration]),
    op("GetBucketMetadataTableConfiguration", "get_bucket_metadata_table_configuration").when(&[F::MetadataTable]),
    op("GetBucketAnalyticsConfiguration", "get_bucket_analytics_configuration").when(&[F::Analytics, F::Id]),
    op("ListBucketAnalyticsConfigurations", "list_bucket_analytics_configurations").when(&[F::Analytics]),
    op("GetBucketIntelligentTieringConfiguration", "get_bucket_intelligent_tiering_configuration")
        .when(&[F::IntelligentTiering, F::Id]),
    op("ListBucketIntelligentTieringConfigurations", "list_bucket_intelligent_tiering_configurations")
        .when(&[F::IntelligentTiering]),
    op("GetBucketInventoryConfiguration", "get_bucket_inventory_configuration").when(&[F::Inventory, F::Id]),
    op("ListBucketInventoryConfigurations", "list_bucket_inventory_configurations").when(&[F::Inventory]),
    op("GetBucketMetricsConfiguration", "get_bucket_metrics_configuration").when(&[F::Metrics, F::Id]),
    op("ListBucketMetricsConfigurations", "list_bucket_metrics_configurations").when(&[F::Metrics]),
    op("ListObjectsV2", "list_objects_v2").when(&[F::ListType]),
    op("ListObjects", "list_objects"),
];

const BUCKET_HEAD: &[Row] = &[op("HeadBucket", "head_bucket")];

const BUCKET_PUT: &[Row] = &[
    op("PutBucketTagging", "put_bucket_tagging").when(&[F::Tagging]),
    op("PutBucketLifecycleConfiguration", "put_bucket_lifecycle_configuration").when(&[F::Lifecycle]),
    op("PutBucketPolicy", "put_bucket_policy").when(&[F::Policy]),
    op("PutBucketVersioning", "put_bucket_versioning").when(&[F::Versioning]),
    op("PutBucketAcl", "put_bucket_acl").when(&[F::Acl]),
    op("PutBucketCors", "put_bucket_cors").when(&[F::Cors]),
    op("PutBucketEncryption", "put_bucket_encryption").when(&[F::Encryption]),
    op("PutObjectLockConfiguration", "put_object_lock_configuration").when(&[F::ObjectLock]),
    op("PutBucketOwnershipControls", "put_bucket_ownership_controls").when(&[F::OwnershipControls]),
    op("PutPublicAccessBlock", "put_public_access_block").when(&[F::PublicAccessBlock]),
    op("PutBucketNotificationConfiguration", "put_bucket_notification_configuration").when(&[F::Notification]),
    op("PutBucketReplication", "put_bucket_replication").when(&[F::Replication]),
    op("PutBucketLogging", "put_bucket_logging").when(&[F::Logging]),
    op("PutBucketWebsite", "put_bucket_website").when(&[F::Website]),
    op("PutBucketRequestPayment", "put_bucket_request_payment").when(&[F::RequestPayment]),
    op("PutBucketAccelerateConfiguration", "put_bucket_accelerate_configuration").when(&[F::Accelerate]),
    op("PutBucketAbac", "put_bucket_abac").when(&[F::Abac]),
    op("PutBucketAnalyticsConfiguration", "put_bucket_analytics_configuration").when(&[F::Analytics]),
    op("PutBucketIntelligentTieringConfiguration", "put_bucket_intelligent_tiering_configuration")
        .when(&[F::IntelligentTiering]),
    op("PutBucketInventoryConfiguration", "put_bucket_inventory_configuration").when(&[F::Inventory]),
    op("PutBucketMetricsConfiguration", "put_bucket_metrics_configuration").when(&[F::Metrics]),
    op("UpdateBucketMetadataAnnotationTableConfiguration", "update_bucket_metadata_annotation_table_configuration")
        .when(&[F::MetadataAnnotationTable]),
    op("UpdateBucketMetadataInventoryTableConfiguration", "update_bucket_metadata_inventory_table_configuration")
        .when(&[F::MetadataInventoryTable]),
    op("UpdateBucketMetadataJournalTableConfiguration", "update_bucket_metadata_journal_table_configuration")
        .when(&[F::MetadataJournalTable]),
    op("CreateBucket", "create_bucket").effect(Effect::BucketCreated),
];

/// A form upload has no query; its content type is the only sign (page "POST Object").
const BUCKET_POST: &[Row] = &[
    op("DeleteObjects", "delete_objects").when(&[F::Delete]),
    op("CreateBucketMetadataConfiguration", "create_bucket_metadata_configuration").when(&[F::MetadataConfiguration]),
    op("CreateBucketMetadataTableConfiguration", "create_bucket_metadata_table_configuration")
        .when(&[F::MetadataTable]),
    op("WriteGetObjectResponse", "write_get_object_response").having(Header::Present("x-amz-request-route")),
    op("PostObject", "post_object")
        .having(Header::Begins("content-type", "multipart/form-data"))
        .effect(Effect::ObjectCreated)
        .payload(Payload::Upload),
];

const BUCKET_DELETE: &[Row] = &[
    op("DeleteBucketTagging", "delete_bucket_tagging").when(&[F::Tagging]),
    op("DeleteBucketLifecycle", "delete_bucket_lifecycle").when(&[F::Lifecycle]),
    op("DeleteBucketPolicy", "delete_bucket_policy").when(&[F::Policy]),
    op("DeleteBucketCors", "delete_bucket_cors").when(&[F::Cors]),
    op("DeleteBucketEncryption", "delete_bucket_encryption").when(&[F::Encryption]),
    op("DeleteBucketOwnershipControls", "delete_bucket_ownership_controls").when(&[F::OwnershipControls]),
    op("DeleteBucketReplication", "delete_bucket_replication").when(&[F::Replication]),
    op("DeleteBucketWebsite", "delete_bucket_website").when(&[F::Website]),
    op("DeleteBucketAnalyticsConfiguration", "delete_bucket_analytics_configuration").when(&[F::Analytics]),
    op("DeleteBucketIntelligentTieringConfiguration", "delete_bucket_intelligent_tiering_configuration")
        .when(&[F::IntelligentTiering]),
    op("DeleteBucketInventoryConfiguration", "delete_bucket_inventory_configuration").when(&[F::Inventory]),
    op("DeleteBucketMetricsConfiguration", "delete_bucket_metrics_configuration").when(&[F::Metrics]),
    op("DeleteBucketMetadataConfiguration", "delete_bucket_metadata_configuration").when(&[F::MetadataConfiguration]),
    op("DeleteBucketMetadataTableConfiguration", "delete_bucket_metadata_table_configuration")
        .when(&[F::MetadataTable]),
    op("DeletePublicAccessBlock", "delete_public_access_block").when(&[F::PublicAccessBlock]),
    op("DeleteBucket", "delete_bucket").effect(Effect::BucketDeleted),
];

/// Directory buckets are told apart by what the SDKs add to the same `GET /`.
const SERVICE_GET: &[Row] = &[
    op("ListDirectoryBuckets", "list_directory_buckets").when(&[F::MaxDirectoryBuckets]),
    op("ListDirectoryBuckets", "list_directory_buckets").when(&[F::XId]),
    op("ListDirectoryBuckets", "list_directory_buckets").having(Header::Begins("host", "s3express-control.")),
    op("ListBuckets", "list_buckets"),
];

/// The CORS preflight (page "OPTIONS object"): a browser sends it for any path.
const ANY_OPTIONS: &[Row] = &[op("OptionsObject", "options_object")];
