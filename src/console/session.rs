//! Signing in and out, who am I, and the first start.

use super::Shared;
use super::access::SignedInAs;
use super::patient::Peer;
use super::ports::{Account, FirstStart, FirstStartRefusal, SignIn, SignInRefusal, SignedIn, Unavailable};
use super::problem::Problem;
use super::requests::Body;
use super::wire;
use crate::domain::ids::AccountId;
use crate::domain::time::Timestamp;
use crate::telemetry;
use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::SemaphorePermit;

/// Longer names and passwords are refused before anything is hashed.
const ACCOUNT_CHARS_MAX: usize = 64;
const PASSWORD_CHARS_MAX: usize = 256;

#[derive(Deserialize)]
pub(super) struct SignInBody {
    account: String,
    password: String,
}

#[derive(Deserialize)]
pub(super) struct FirstStartBody {
    token: String,
    account: String,
    password: String,
}

/// Who is signed in and what this console is.
#[derive(Serialize)]
struct Me<'a> {
    account: Option<&'a str>,
    roles: Vec<&'static str>,
    may_change: bool,
    simulated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

/// `GET /api/v1/session`: nobody is an answer, not a refusal.
pub(super) async fn who_am_i(State(console): State<Shared>, headers: HeaderMap) -> Result<Response, Problem> {
    let account = match console.site.session_token(&headers) {
        Some(token) => (console.ports.session)(token).await?,
        None => None,
    };
    Ok(me(&console, account.as_ref(), None).into_response())
}

/// `POST /api/v1/session`
pub(super) async fn sign_in(
    State(console): State<Shared>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    Body(body): Body<SignInBody>,
) -> Result<Response, Problem> {
    let account = account_id(&body.account)?;
    let _turn = turn(&console, Peer(peer))?;
    password_fits(&body.password)?;
    match (console.ports.sign_in)(SignIn { account, password: body.password }).await {
        Ok(signed_in) => {
            telemetry::console::sign_in("signed_in");
            console.attempts.forgive(peer.ip());
            Ok(welcome(&console, StatusCode::OK, &signed_in))
        }
        Err(SignInRefusal::Wrong) => {
            telemetry::console::sign_in("wrong");
            Err(Problem::new(StatusCode::UNAUTHORIZED, "wrong_sign_in", "Account or password is wrong"))
        }
        Err(SignInRefusal::Unavailable) => Err(Unavailable.into()),
    }
}

/// `POST /api/v1/first-start`: the one-time admin link sets the first account and signs it in.
pub(super) async fn first_start(
    State(console): State<Shared>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    Body(body): Body<FirstStartBody>,
) -> Result<Response, Problem> {
    let account = account_id(&body.account)?;
    let _turn = turn(&console, Peer(peer))?;
    password_fits(&body.password)?;
    match (console.ports.first_start)(FirstStart { token: body.token, account, password: body.password }).await {
        Ok(signed_in) => Ok(welcome(&console, StatusCode::CREATED, &signed_in)),
        Err(FirstStartRefusal::Link) => {
            let problem = Problem::new(StatusCode::FORBIDDEN, "first_start_link", "The link is not valid");
            Err(problem.detail("it is wrong, used or too old; the gateway prints a fresh one when it starts"))
        }
        Err(FirstStartRefusal::Unfit(why)) => Err(unfit(why)),
        Err(FirstStartRefusal::Unavailable) => Err(Unavailable.into()),
    }
}

/// `DELETE /api/v1/session`
pub(super) async fn sign_out(State(console): State<Shared>, who: SignedInAs) -> Result<Response, Problem> {
    (console.ports.sign_out)(who.token).await?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, console.site.no_cookie())]).into_response())
}

/// An attempt within the peer's allowance, and a place among the passwords being checked.
fn turn(console: &Shared, Peer(peer): Peer) -> Result<SemaphorePermit<'_>, Problem> {
    if let Err(wait) = console.attempts.take(peer.ip(), (console.ports.now)()) {
        telemetry::console::sign_in("too_many");
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", "Too many attempts");
        let seconds = wait.as_micros().unsigned_abs().div_ceil(1_000_000);
        return Err(problem.detail(format!("try again in {seconds} s")).retry_after(seconds));
    }
    console.verifying.try_acquire().map_err(|_| Problem::busy("many people are signing in"))
}

fn welcome(console: &Shared, status: StatusCode, signed_in: &SignedIn) -> Response {
    let left = signed_in.expires_at.since((console.ports.now)()).as_micros().max(0) / 1_000_000;
    let cookie = console.site.session_cookie(&signed_in.token, left);
    let me = me(console, Some(&signed_in.account), Some(signed_in.expires_at));
    (status, [(header::SET_COOKIE, cookie)], me).into_response()
}

fn me(console: &Shared, account: Option<&Account>, expires_at: Option<Timestamp>) -> Response {
    Json(Me {
        account: account.map(|account| account.id.as_str()),
        roles: account.map(|account| account.roles.iter().map(|role| role.as_str()).collect()).unwrap_or_default(),
        may_change: account.is_some_and(Account::changes),
        simulated: console.options.simulated,
        expires_at: expires_at.map(wire::time),
    })
    .into_response()
}

fn account_id(text: &str) -> Result<AccountId, Problem> {
    let fits = (1..=ACCOUNT_CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if fits {
        Ok(AccountId::new(text))
    } else {
        Err(unfit(format!("an account has 1 to {ACCOUNT_CHARS_MAX} characters")))
    }
}

fn password_fits(text: &str) -> Result<(), Problem> {
    let fits = (1..=PASSWORD_CHARS_MAX).contains(&text.chars().count());
    if fits { Ok(()) } else { Err(unfit(format!("a password has 1 to {PASSWORD_CHARS_MAX} characters"))) }
}

fn unfit(why: String) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unfit", "Account or password does not fit").detail(why)
}
