//! Arion's endpoints, as the API of 2026 calls them.

/// The operation: the endpoint's own name.
pub(super) fn operation(method: &str, path: &str) -> Option<&'static str> {
    let mut segments = path.strip_prefix('/')?.split('/');
    let (first, rest) = (segments.next()?, segments.filter(|segment| !segment.is_empty()).count());
    match (method, first, rest) {
        ("POST", "upload", 0) => Some("upload"),
        ("POST", "can_upload", 0) => Some("can_upload"),
        // Account and file.
        ("GET" | "HEAD", "download", 2) => Some("download"),
        ("DELETE", "delete", 2) => Some("delete"),
        ("POST", "delete_files", 0) => Some("delete_files"),
        _ => None,
    }
}

/// The account whose file is asked for. `upload` and `delete_files` name theirs in a body, if at all.
pub(super) fn account<'a>(method: &str, path: &'a str) -> Option<&'a str> {
    let named = matches!(operation(method, path)?, "download" | "delete");
    path.split('/').filter(|segment| !segment.is_empty()).nth(1).filter(|_| named)
}
