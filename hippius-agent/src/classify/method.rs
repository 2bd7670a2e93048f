//! The `method` label.

/// The registered method that `method` is, or `OTHER`: a client can send any token (RFC 9110 section 9.1), a label
/// cannot be any token. Methods are case-sensitive. Source: IANA HTTP Method Registry; `*` and `PRI`, which are
/// registered so that nobody uses them, are left out.
pub fn method_label(method: &str) -> &'static str {
    match method {
        "GET" => "GET",
        "PUT" => "PUT",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        "PATCH" => "PATCH",
        "CONNECT" => "CONNECT",
        "TRACE" => "TRACE",
        "QUERY" => "QUERY",
        "ACL" => "ACL",
        "BASELINE-CONTROL" => "BASELINE-CONTROL",
        "BIND" => "BIND",
        "CHECKIN" => "CHECKIN",
        "CHECKOUT" => "CHECKOUT",
        "COPY" => "COPY",
        "LABEL" => "LABEL",
        "LINK" => "LINK",
        "LOCK" => "LOCK",
        "MERGE" => "MERGE",
        "MKACTIVITY" => "MKACTIVITY",
        "MKCALENDAR" => "MKCALENDAR",
        "MKCOL" => "MKCOL",
        "MKREDIRECTREF" => "MKREDIRECTREF",
        "MKWORKSPACE" => "MKWORKSPACE",
        "MOVE" => "MOVE",
        "ORDERPATCH" => "ORDERPATCH",
        "PROPFIND" => "PROPFIND",
        "PROPPATCH" => "PROPPATCH",
        "REBIND" => "REBIND",
        "REPORT" => "REPORT",
        "SEARCH" => "SEARCH",
        "UNBIND" => "UNBIND",
        "UNCHECKOUT" => "UNCHECKOUT",
        "UNLINK" => "UNLINK",
        "UNLOCK" => "UNLOCK",
        "UPDATE" => "UPDATE",
        "UPDATEREDIRECTREF" => "UPDATEREDIRECTREF",
        "VERSION-CONTROL" => "VERSION-CONTROL",
        _ => "OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registered_methods_keep_their_name() {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PROPFIND"] {
            assert_eq!(method_label(method), method);
        }
    }

    #[test]
    fn anything_else_is_one_label() {
        for method in ["get", "PURGE", "", "GETT", "*", "X-1"] {
            assert_eq!(method_label(method), "OTHER");
        }
    }
}
