//! The one site a browser may know us as: an https origin, or localhost over plain http.
//!
//! From it follow the cookie's form, the hosts we answer to (a name that was pointed at us by somebody else is not
//! one) and the only origin a change may come from.

use super::ConsoleError;
use super::ports::SessionToken;
use axum::http::{HeaderMap, Uri, header};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Site {
    /// TLS ends in front of us; the host with its port, as browsers send it.
    Https { authority: String },
    /// Plain http is for this machine only, at any port.
    Localhost,
}

impl Site {
    pub(super) fn new(public_origin: Option<&str>) -> Result<Self, ConsoleError> {
        let Some(origin) = public_origin else { return Ok(Self::Localhost) };
        let fault = || ConsoleError::PublicOrigin(origin.to_owned());
        let authority = origin.strip_prefix("https://").ok_or_else(fault)?;
        let uri: Uri = origin.parse().map_err(|_| fault())?;
        let bare = uri.authority().is_some_and(|found| found.as_str() == authority) && !authority.contains('@');
        if bare { Ok(Self::Https { authority: authority.to_ascii_lowercase() }) } else { Err(fault()) }
    }

    pub(super) const fn secure(&self) -> bool {
        matches!(self, Self::Https { .. })
    }

    /// Whether the request was meant for us.
    pub(super) fn answers_to(&self, headers: &HeaderMap) -> bool {
        let Some(host) = one(headers, &header::HOST) else { return false };
        match self {
            Self::Https { authority } => host.eq_ignore_ascii_case(authority),
            Self::Localhost => is_localhost(host),
        }
    }

    /// Whether a change comes from our own page. Browsers send the origin with every change; scripts can.
    pub(super) fn owns_origin(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = one(headers, &header::ORIGIN) else { return false };
        match self {
            Self::Https { authority } => {
                origin.strip_prefix("https://").is_some_and(|host| host.eq_ignore_ascii_case(authority))
            }
            Self::Localhost => one(headers, &header::HOST)
                .is_some_and(|host| is_localhost(host) && origin.strip_prefix("http://") == Some(host)),
        }
    }

    /// `__Host-` makes a browser insist on https, this host and the whole path.
    const fn cookie_name(&self) -> &'static str {
        match self {
            Self::Https { .. } => "__Host-rettidig",
            Self::Localhost => "rettidig",
        }
    }

    pub(super) fn session_cookie(&self, token: &SessionToken, max_age_s: i64) -> String {
        let secure = if self.secure() { "; Secure" } else { "" };
        let (name, token) = (self.cookie_name(), token.as_str());
        format!("{name}={token}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}")
    }

    pub(super) fn no_cookie(&self) -> String {
        let secure = if self.secure() { "; Secure" } else { "" };
        format!("{}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{secure}", self.cookie_name())
    }

    pub(super) fn session_token(&self, headers: &HeaderMap) -> Option<SessionToken> {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        cookies
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .find(|(name, _)| *name == self.cookie_name())
            .and_then(|(_, token)| SessionToken::new(token))
    }
}

/// The header's value when it stands there exactly once.
fn one<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

fn is_localhost(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(values: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            headers.append(name.clone(), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn only_a_bare_https_origin_is_a_site() {
        assert_eq!(Site::new(None).unwrap(), Site::Localhost);
        let site = Site::Https { authority: "Rettidig.example:8443".to_lowercase() };
        assert_eq!(Site::new(Some("https://Rettidig.example:8443")).unwrap(), site);
        for text in ["http://a.dk", "https://a.dk/", "https://a.dk/x", "https://u@a.dk", "https://", "a.dk"] {
            assert!(Site::new(Some(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn a_change_comes_from_our_own_page() {
        let https = Site::new(Some("https://a.dk")).unwrap();
        let from = |host, origin| headers(&[(header::HOST, host), (header::ORIGIN, origin)]);
        assert!(https.owns_origin(&from("a.dk", "https://a.dk")));
        for origin in ["https://a.dk.evil.example", "http://a.dk", "https://b.dk", "null"] {
            assert!(!https.owns_origin(&from("a.dk", origin)), "{origin}");
        }
        assert!(Site::Localhost.owns_origin(&from("localhost:8080", "http://localhost:8080")));
        assert!(!Site::Localhost.owns_origin(&from("localhost:8080", "http://localhost:9090")));
        assert!(!Site::Localhost.owns_origin(&from("evil.example", "http://evil.example")));
        assert!(!Site::Localhost.owns_origin(&headers(&[(header::HOST, "localhost:8080")])));
        let twice = headers(&[(header::ORIGIN, "https://a.dk"), (header::ORIGIN, "https://b.dk")]);
        assert!(!https.owns_origin(&twice));
    }

    #[test]
    fn a_name_pointed_at_us_by_somebody_else_is_not_ours() {
        for host in ["localhost", "127.0.0.1:1", "[::1]:8080"] {
            assert!(Site::Localhost.answers_to(&headers(&[(header::HOST, host)])), "{host}");
        }
        for host in ["evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example:80"] {
            assert!(!Site::Localhost.answers_to(&headers(&[(header::HOST, host)])), "{host}");
        }
        assert!(!Site::Localhost.answers_to(&HeaderMap::new()));
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let https = Site::new(Some("https://a.dk")).unwrap();
        let token = SessionToken::new("abc-_=").unwrap();
        assert!(https.session_cookie(&token, 60).starts_with("__Host-rettidig=abc-_=; Path=/; Max-Age=60; HttpOnly"));
        let sent = headers(&[(header::COOKIE, "x=1; rettidig=no"), (header::COOKIE, "__Host-rettidig=abc-_=")]);
        assert_eq!(https.session_token(&sent), Some(token));
        assert_eq!(https.session_token(&headers(&[(header::COOKIE, "__Host-rettidig=a b")])), None);
    }
}
