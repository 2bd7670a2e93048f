//! Request → response.

use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, Method, Response, StatusCode};
use tokio::sync::Semaphore;

use super::auth::Verifier;
use super::body::{PIECE_BYTES, Reply};
use super::exposition::{Exposition, Page};
use super::negotiate;
use super::page::{Asset, DocumentError, Overview, POLICY};
use super::server::{Readiness, ServerConfig};
use super::web_config::WebConfig;

/// What the routes answer from.
#[derive(Debug)]
pub(super) struct Routes {
    pub exposition: Arc<Exposition>,
    pub overview: Arc<Overview>,
    pub readiness: Readiness,
    pub verifier: Verifier,
    pub scrapes: Arc<Semaphore>,
    pub gzip_loopback: bool,
}

/// What is known of a request besides its head.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    pub loopback: bool,
}

impl Routes {
    pub fn new(
        config: &ServerConfig,
        exposition: Arc<Exposition>,
        overview: Arc<Overview>,
        readiness: Readiness,
        verifier: Verifier,
    ) -> Self {
        let scrapes = Arc::new(Semaphore::new(config.max_scrapes));
        Self { exposition, overview, readiness, verifier, scrapes, gzip_loopback: config.gzip_loopback }
    }

    /// Answers a request.
    pub async fn answer<B>(&self, web: &WebConfig, peer: Peer, request: &hyper::Request<B>) -> Response<Reply> {
        let mut response = if self.allowed(web, request.headers()).await {
            self.route(peer, request).await
        } else {
            let mut refusal = text(StatusCode::UNAUTHORIZED, "Unauthorized\n");
            set(&mut refusal, WWW_AUTHENTICATE, "Basic realm=\"hippius-agent\"");
            refusal
        };
        response.headers_mut().extend(web.headers.iter().cloned());
        response
    }

    async fn allowed(&self, web: &WebConfig, headers: &HeaderMap) -> bool {
        let given = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        web.users.is_empty() || self.verifier.allows(&web.users, given).await
    }

    async fn route<B>(&self, peer: Peer, request: &hyper::Request<B>) -> Response<Reply> {
        let path = request.uri().path();
        let asset = Asset::find(path);
        let known = matches!(path, "/metrics" | "/healthz" | "/readyz" | "/pages")
            || self.exposition.has_target(path)
            || Overview::has(path);
        if !known && asset.is_none() {
            return text(StatusCode::NOT_FOUND, "Not found. The pages are listed at /pages.\n");
        }
        if request.method() != Method::GET && request.method() != Method::HEAD {
            let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD.\n");
            set(&mut refusal, ALLOW, "GET, HEAD");
            return refusal;
        }
        if let Some(asset) = asset {
            return file(asset);
        }
        match path {
            "/pages" => self.index(),
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/readyz" if self.readiness.get() => text(StatusCode::OK, "ready\n"),
            "/readyz" => text(StatusCode::SERVICE_UNAVAILABLE, "not ready: the probes are not attached\n"),
            _ if Overview::has(path) => self.document(peer, request.uri(), request.headers()).await,
            _ => self.scrape(path, peer, request.method(), request.headers()),
        }
    }

    fn scrape(&self, path: &str, peer: Peer, method: &Method, headers: &HeaderMap) -> Response<Reply> {
        let main = path == "/metrics";
        let format = if main { negotiate::format(values(headers, &ACCEPT)) } else { super::text::Format::Text };
        if method == Method::HEAD {
            return page_response(format.content_type(), false, Reply::Whole(Bytes::new()));
        }
        let Ok(permit) = Arc::clone(&self.scrapes).try_acquire_owned() else {
            let mut refusal = text(StatusCode::SERVICE_UNAVAILABLE, "Too many scrapes at once.\n");
            set(&mut refusal, RETRY_AFTER, "1");
            return refusal;
        };
        let page = if main { Some(self.exposition.page(format)) } else { self.exposition.target_page(path) };
        let Some(page) = page else { return text(StatusCode::NOT_FOUND, "This target is gone.\n") };
        let gzip = negotiate::gzip(values(headers, &ACCEPT_ENCODING)) && (!peer.loopback || self.gzip_loopback);
        start(page, gzip, permit)
    }

    /// A document of the overview page.
    async fn document(&self, peer: Peer, uri: &hyper::Uri, headers: &HeaderMap) -> Response<Reply> {
        let gzip = negotiate::gzip(values(headers, &ACCEPT_ENCODING)) && (!peer.loopback || self.gzip_loopback);
        match self.overview.document(uri.path(), uri.query().unwrap_or_default(), gzip).await {
            Ok(document) => {
                let mut response = text(StatusCode::OK, document.body);
                set(&mut response, CONTENT_TYPE, "application/json");
                set(&mut response, X_CONTENT_TYPE_OPTIONS, "nosniff");
                set(&mut response, VARY, "Accept-Encoding");
                if document.gzip {
                    set(&mut response, CONTENT_ENCODING, "gzip");
                }
                response
            }
            Err(DocumentError::Query(error)) => text(StatusCode::BAD_REQUEST, format!("{error}\n")),
            Err(error @ DocumentError::Failed) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        }
    }

    /// What there is, a path a line.
    fn index(&self) -> Response<Reply> {
        let mut page = String::from(INDEX);
        for path in self.exposition.target_paths() {
            page.push_str(&path);
            page.push_str("  one target, as its own exporter names it\n");
        }
        text(StatusCode::OK, page)
    }
}

const INDEX: &str = "\
/  overview page
/metrics  all metrics, for Prometheus
/api/v1/overview  what the page draws, as JSON
/api/v1/table  rows by account, operation, handler, service, peer or connection, as JSON
/healthz  200 while the process runs
/readyz  200 while the probes are attached
";

/// A file of the page. It is asked for again each time: it changes with the agent, and it is small.
fn file(asset: &Asset) -> Response<Reply> {
    let mut response = text(StatusCode::OK, asset.text);
    set(&mut response, CONTENT_TYPE, asset.content_type);
    set(&mut response, CACHE_CONTROL, "no-cache");
    set(&mut response, CONTENT_SECURITY_POLICY, POLICY);
    set(&mut response, X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(&mut response, REFERRER_POLICY, "no-referrer");
    response
}

/// Prints the first piece; a page that ends within it is sent whole, as it is.
fn start(mut page: Page, gzip: bool, permit: tokio::sync::OwnedSemaphorePermit) -> Response<Reply> {
    let content_type = page.format().content_type();
    let mut first = Vec::with_capacity(PIECE_BYTES + 8192);
    if !page.fill(&mut first, PIECE_BYTES) {
        return page_response(content_type, false, Reply::Whole(first.into()));
    }
    page_response(content_type, gzip, Reply::page(page, first, gzip, permit))
}

fn page_response(content_type: &'static str, gzip: bool, reply: Reply) -> Response<Reply> {
    let mut response = Response::new(reply);
    set(&mut response, CONTENT_TYPE, content_type);
    set(&mut response, VARY, "Accept, Accept-Encoding");
    if gzip {
        set(&mut response, CONTENT_ENCODING, "gzip");
    }
    response
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Reply> {
    let mut response = Response::new(Reply::Whole(body.into()));
    *response.status_mut() = status;
    set(&mut response, CONTENT_TYPE, "text/plain; charset=utf-8");
    set(&mut response, CACHE_CONTROL, "no-store");
    response
}

fn set(response: &mut Response<Reply>, name: HeaderName, value: &'static str) {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
}

fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
}
