//! IPFS gateways (<https://specs.ipfs.tech/http-gateways/path-gateway/>).

/// Length of a CIDv0: `Qm` and 44 characters of base58.
const CID_V0_BYTES: usize = 46;

/// A CIDv1 with a hash of 32 bytes is at least so long, in whatever base.
const MIN_CID_V1_BYTES: usize = 48;

/// Bases of a CIDv1 in use: base32, base36, base58, base16 (<https://github.com/multiformats/multibase>).
const BASES: [char; 4] = ['b', 'k', 'z', 'f'];

/// Of a gateway that is known to be one. It may address by the host name, so any path counts.
pub(super) fn operation(method: &str) -> Option<&'static str> {
    matches!(method, "GET" | "HEAD").then_some("get")
}

/// Of a peer that is known to speak IPFS, by the path.
pub(super) fn of_path(method: &str, path: &str) -> Option<&'static str> {
    let is_content = path.starts_with("/ipfs/") || path.starts_with("/ipns/");
    if is_content { operation(method) } else { None }
}

/// Of a peer of which nothing is known: there must be a CID, or a name behind `/ipns/`.
pub(super) fn known(method: &str, path: &str) -> Option<&'static str> {
    let mut segments = path.strip_prefix('/')?.split('/');
    let is_content = match (segments.next()?, segments.next()?) {
        ("ipfs", root) => is_cid(root),
        ("ipns", root) => is_name(root),
        _ => false,
    };
    if is_content { operation(method) } else { None }
}

/// A domain, or the hash of a key, which looks like a CID.
fn is_name(name: &str) -> bool {
    is_cid(name)
        || (name.contains('.') && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte)))
}

fn is_cid(text: &str) -> bool {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let v0 = text.len() == CID_V0_BYTES && text.starts_with("Qm");
    plain && (v0 || (text.len() >= MIN_CID_V1_BYTES && text.starts_with(BASES)))
}
