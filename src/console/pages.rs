//! The built pages inside the binary. A debug build reads them from `web/dist` at run time.
//!
//! The program builds without Node; the page then says how to build the consoles.

use super::problem::Problem;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use rust_embed::{Embed, EmbeddedFile};
use std::fmt::Write as _;

#[derive(Embed)]
#[folder = "web/dist/"]
#[allow_missing = true]
struct Built;

/// The addresses of the console's one page.
const PAGE_PATHS: [&str; 2] = ["/", "/first-start"];

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Rettidig</title>\
    <h1>The consoles are not built</h1><p>The gateway runs; its pages are missing from this build. \
    Run <code>make web</code> (needs Node 20.19 or later) and build the gateway again.</p>\
    <h1 lang=\"da\">Konsollerne er ikke bygget</h1><p lang=\"da\">Gatewayen kører, men siderne mangler i denne udgave. \
    Kør <code>make web</code> (kræver Node 20.19 eller nyere), og byg gatewayen igen.</p></html>";

/// Everything that is no API: a page, one of its files, or nothing.
pub(super) async fn page(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let is_page = PAGE_PATHS.contains(&uri.path());
    let path = if is_page { "index.html" } else { uri.path().trim_start_matches('/') };
    if !matches!(method, Method::GET | Method::HEAD) {
        return Problem::not_found().into_response();
    }
    match Built::get(path) {
        Some(file) => serve(path, file, &headers),
        None if is_page => (StatusCode::SERVICE_UNAVAILABLE, Html(NOT_BUILT)).into_response(),
        None => Problem::not_found().into_response(),
    }
}

fn serve(path: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    // Files under assets/ carry a hash of their content in their name.
    let cache = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let tag = tag(&file);
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let described = [(header::ETAG, tag), (header::CACHE_CONTROL, cache.to_owned())];
    if known {
        return (StatusCode::NOT_MODIFIED, described).into_response();
    }
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let kind = if kind.type_() == mime_guess::mime::TEXT { format!("{kind}; charset=utf-8") } else { kind.to_string() };
    (described, [(header::CONTENT_TYPE, kind)], file.data.into_owned()).into_response()
}

fn tag(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    let mut tag = String::from("\"");
    for byte in &hash[..8] {
        // Writing to a string cannot fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}
