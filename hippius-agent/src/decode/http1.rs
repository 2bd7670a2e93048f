//! Heads of HTTP/1.0 and HTTP/1.1 messages (RFC 9112).

use std::ops::Range;

/// Most header fields that one head may have; a head with more is refused as [`HeadError::Malformed`].
/// nginx, uvicorn and Apache refuse far fewer (Apache: 100).
pub const MAX_FIELDS: usize = 128;

/// Longest head that is decoded, in bytes. The kernel side captures no more than this of one head.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Why a slice is not a complete head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// The bytes are a good beginning; the head goes on.
    #[error("the head is not complete")]
    Incomplete,
    /// The bytes can never become a head.
    #[error("not an HTTP/1 head")]
    Malformed,
}

/// `HTTP/1.0` or `HTTP/1.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// RFC 1945: no chunked coding, closed after the response unless `Connection: keep-alive`.
    Http10,
    /// RFC 9112.
    Http11,
}

/// One header field: where its name and value stand in the head.
#[derive(Debug, Clone, Default)]
struct Field {
    name: Range<u16>,
    value: Range<u16>,
}

/// The fields of a head; lookups ignore the case of names (RFC 9110 section 5.1).
#[derive(Debug)]
pub struct Fields<'a> {
    bytes: &'a [u8],
    fields: &'a [Field],
}

/// A decoded request head, a view into the captured bytes.
#[derive(Debug)]
pub struct RequestHead<'a> {
    /// Method token as sent; any token is allowed (RFC 9110 section 9.1).
    pub method: &'a str,
    /// Request target as sent: origin form, absolute form, authority form or `*`.
    pub target: &'a str,
    /// Protocol version.
    pub version: Version,
    /// Header fields.
    pub fields: Fields<'a>,
    /// Length of the head with its closing empty line, in bytes.
    pub len: usize,
}

/// A decoded response head, a view into the captured bytes.
#[derive(Debug)]
pub struct ResponseHead<'a> {
    /// Status code, 100 to 999.
    pub status: u16,
    /// Protocol version.
    pub version: Version,
    /// Header fields.
    pub fields: Fields<'a>,
    /// Length of the head with its closing empty line, in bytes.
    pub len: usize,
}

/// Room for the fields of one head, kept by the caller so that decoding allocates nothing.
#[derive(Debug)]
pub struct HeadBuffer {
    fields: Box<[Field; MAX_FIELDS]>,
}

impl Default for HeadBuffer {
    fn default() -> Self {
        Self { fields: Box::new(std::array::from_fn(|_| Field::default())) }
    }
}

impl HeadBuffer {
    /// Decodes a request head at the beginning of `bytes`.
    pub fn request<'a>(&'a mut self, bytes: &'a [u8]) -> Result<RequestHead<'a>, HeadError> {
        let mut slots = [const { std::mem::MaybeUninit::uninit() }; MAX_FIELDS];
        let mut parsed = httparse::Request::new(&mut []);
        let len = complete(parsed.parse_with_uninit_headers(bytes, &mut slots))?;
        let count = self.keep(bytes, parsed.headers)?;
        Ok(RequestHead {
            method: parsed.method.ok_or(HeadError::Malformed)?,
            target: parsed.path.ok_or(HeadError::Malformed)?,
            version: version(parsed.version)?,
            fields: Fields { bytes, fields: &self.fields[..count] },
            len,
        })
    }

    /// Decodes a response head at the beginning of `bytes`.
    pub fn response<'a>(&'a mut self, bytes: &'a [u8]) -> Result<ResponseHead<'a>, HeadError> {
        let mut slots = [const { std::mem::MaybeUninit::uninit() }; MAX_FIELDS];
        let mut parsed = httparse::Response::new(&mut []);
        let len = complete(httparse::ParserConfig::default().parse_response_with_uninit_headers(
            &mut parsed,
            bytes,
            &mut slots,
        ))?;
        let count = self.keep(bytes, parsed.headers)?;
        Ok(ResponseHead {
            status: parsed.code.ok_or(HeadError::Malformed)?,
            version: version(parsed.version)?,
            fields: Fields { bytes, fields: &self.fields[..count] },
            len,
        })
    }

    fn keep(&mut self, bytes: &[u8], headers: &[httparse::Header<'_>]) -> Result<usize, HeadError> {
        for (field, header) in self.fields.iter_mut().zip(headers) {
            field.name = within(bytes, header.name.as_bytes())?;
            field.value = within(bytes, header.value)?;
        }
        Ok(headers.len())
    }
}

impl<'a> Fields<'a> {
    /// The value of the first field called `name`, as raw bytes without the surrounding white space.
    pub fn get_bytes(&self, name: &str) -> Option<&'a [u8]> {
        let part = |range: &Range<u16>| self.bytes.get(usize::from(range.start)..usize::from(range.end));
        let is_named = |field: &&Field| part(&field.name).is_some_and(|own| own.eq_ignore_ascii_case(name.as_bytes()));
        part(&self.fields.iter().find(is_named)?.value)
    }

    /// The value of the first field called `name`, if it is UTF-8.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.get_bytes(name)?).ok()
    }

    /// All fields in the order in which they were sent, as (name, value).
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let bytes = self.bytes;
        self.fields.iter().filter_map(move |field| {
            let name = bytes.get(usize::from(field.name.start)..usize::from(field.name.end))?;
            let value = bytes.get(usize::from(field.value.start)..usize::from(field.value.end))?;
            Some((std::str::from_utf8(name).ok()?, value))
        })
    }
}

fn complete(parsed: httparse::Result<usize>) -> Result<usize, HeadError> {
    match parsed {
        Ok(httparse::Status::Complete(len)) if len <= MAX_HEAD_BYTES => Ok(len),
        Ok(httparse::Status::Partial) => Err(HeadError::Incomplete),
        Ok(httparse::Status::Complete(_)) | Err(_) => Err(HeadError::Malformed),
    }
}

fn version(minor: Option<u8>) -> Result<Version, HeadError> {
    match minor {
        Some(0) => Ok(Version::Http10),
        Some(1) => Ok(Version::Http11),
        _ => Err(HeadError::Malformed),
    }
}

/// Where `part` stands in `whole`; both come from the same head, so the distance of their pointers is the offset.
fn within(whole: &[u8], part: &[u8]) -> Result<Range<u16>, HeadError> {
    let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
    let end = start.wrapping_add(part.len());
    if part.is_empty() {
        return Ok(0..0);
    }
    match (u16::try_from(start), u16::try_from(end)) {
        (Ok(start), Ok(end)) if usize::from(end) <= whole.len() => Ok(start..end),
        _ => Err(HeadError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_head_gives_its_line_and_fields() {
        let bytes = b"PUT /b/k?x=1 HTTP/1.1\r\nHost: s3\r\ncontent-LENGTH:  5 \r\n\r\nhello";
        let mut buffer = HeadBuffer::default();
        let head = buffer.request(bytes).expect("a head");
        assert_eq!((head.method, head.target, head.version), ("PUT", "/b/k?x=1", Version::Http11));
        assert_eq!(head.fields.get("Content-Length"), Some("5"));
        assert_eq!(head.fields.get("absent"), None);
        assert_eq!(head.len, bytes.len() - 5);
    }

    #[test]
    fn a_response_head_gives_its_status() {
        let mut buffer = HeadBuffer::default();
        let head = buffer.response(b"HTTP/1.0 404 Not Found\r\nX: \r\n\r\n").expect("a head");
        assert_eq!((head.status, head.version), (404, Version::Http10));
        assert_eq!(head.fields.get("x"), Some(""));
    }

    #[test]
    fn half_a_head_is_incomplete_and_noise_is_malformed() {
        let mut buffer = HeadBuffer::default();
        assert_eq!(buffer.request(b"GET / HT").err(), Some(HeadError::Incomplete));
        assert_eq!(buffer.request(b"\x16\x03\x01\x02\x00").err(), Some(HeadError::Malformed));
        assert_eq!(buffer.response(b"+OK\r\n").err(), Some(HeadError::Malformed));
    }
}
