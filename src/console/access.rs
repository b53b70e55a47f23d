//! Who may come in: the host we answer to, the origin of a change, the session, the role.
//!
//! A handler names what it needs as an argument ([`Reader`], [`Changer`]); without it there is no handler to call.

use super::Shared;
use super::patient::Peer;
use super::ports::{Account, SessionToken};
use super::problem::Problem;
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;

/// Somebody signed in, whatever their role.
pub(super) struct SignedInAs {
    pub(super) account: Account,
    pub(super) token: SessionToken,
}

/// Somebody who may look.
pub(super) struct Reader {
    pub(super) token: SessionToken,
}

/// Somebody who may acknowledge and cancel.
pub(super) struct Changer {
    pub(super) account: Account,
}

impl FromRequestParts<Shared> for SignedInAs {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, console: &Shared) -> Result<Self, Problem> {
        let token = console.site.session_token(&parts.headers).ok_or_else(Problem::signed_out)?;
        let account = (console.ports.session)(token.clone()).await?.ok_or_else(Problem::signed_out)?;
        Ok(Self { account, token })
    }
}

impl FromRequestParts<Shared> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, console: &Shared) -> Result<Self, Problem> {
        let SignedInAs { account, token } = SignedInAs::from_request_parts(parts, console).await?;
        if account.reads() { Ok(Self { token }) } else { Err(Problem::forbidden("its roles do not include looking")) }
    }
}

impl FromRequestParts<Shared> for Changer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, console: &Shared) -> Result<Self, Problem> {
        let SignedInAs { account, .. } = SignedInAs::from_request_parts(parts, console).await?;
        if account.changes() {
            Ok(Self { account })
        } else {
            Err(Problem::forbidden("changes need the role operator or admin"))
        }
    }
}

/// Every address under `/api` answers to our own host only, and takes changes from our own pages only.
pub(super) async fn same_site(State(console): State<Shared>, request: Request, next: Next) -> Response {
    if !console.site.answers_to(request.headers()) {
        let problem = Problem::new(StatusCode::MISDIRECTED_REQUEST, "wrong_host", "This is not the console's address");
        let detail = if console.site.secure() {
            "it answers to the https address in the setting http.public_origin only"
        } else {
            "over plain http it answers to localhost only; the setting http.public_origin opens it behind https"
        };
        return problem.detail(detail).into_response();
    }
    let looks = matches!(*request.method(), Method::GET | Method::HEAD);
    if !looks && !console.site.owns_origin(request.headers()) {
        let problem = Problem::new(StatusCode::FORBIDDEN, "wrong_origin", "The change does not come from this console");
        return problem.detail("the Origin header must name this console").into_response();
    }
    next.run(request).await
}

/// Metrics and readiness are for this machine, unless the configuration opens them. What a proxy hands on counts as
/// coming from elsewhere.
pub(super) async fn this_machine(
    State(console): State<Shared>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let handed_on = ["forwarded", "x-forwarded-for"].iter().any(|name| request.headers().contains_key(*name));
    if console.options.metrics_open || (is_this_machine(peer.ip()) && !handed_on) {
        return next.run(request).await;
    }
    Problem::forbidden("only this machine may ask; see the setting http.metrics_open").into_response()
}

fn is_this_machine(peer: IpAddr) -> bool {
    peer.to_canonical().is_loopback()
}
