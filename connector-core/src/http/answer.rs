use std::fmt;

use ::http::header::CONTENT_TYPE;
use ::http::{HeaderMap, HeaderValue, Response};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::ErrorKind;

/// An answer as it came, unread. `Debug` shows neither body nor headers.
#[derive(Clone)]
pub struct RawAnswer {
    /// The HTTP status. On some platforms it says nothing: the body decides.
    pub status: u16,
    /// The headers as received.
    pub headers: HeaderMap,
    /// The decompressed body, within the request's cap.
    pub body: Vec<u8>,
    /// The time just before the request left. Lifetimes count from here, so that they are never too long.
    pub sent_at: Timestamp,
}

impl RawAnswer {
    /// An answer to a request that left at this time.
    pub(crate) fn of(answer: Response<Vec<u8>>, sent_at: Timestamp) -> Self {
        let (parts, body) = answer.into_parts();
        Self { status: parts.status.as_u16(), headers: parts.headers, body, sent_at }
    }

    /// An answer that was kept, with of its headers only what the body is.
    pub fn kept(status: u16, content_type: Option<&str>, body: Vec<u8>, sent_at: Timestamp) -> Self {
        let content_type = content_type.and_then(|text| HeaderValue::from_str(text).ok());
        let headers = content_type.map(|value| (CONTENT_TYPE, value)).into_iter().collect();
        Self { status, headers, body, sent_at }
    }

    /// What the body is, if the answer says so.
    pub fn content_type(&self) -> Option<&str> {
        self.headers.get(CONTENT_TYPE)?.to_str().ok()
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON, if it is JSON. A byte-order mark is passed over.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(self.body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&self.body)).ok()
    }

    /// When `Retry-After` allows the next request: seconds, or an HTTP date. At most a day ahead; nonsense counts as absent.
    pub fn retry_at(&self) -> Option<Timestamp> {
        let text = self.headers.get("retry-after")?.to_str().ok()?.trim();
        let wait = match text.parse::<i64>() {
            Ok(seconds) => SignedDuration::from_secs(seconds),
            Err(_) => http_date(text)?.duration_since(self.sent_at),
        };
        let bounded = wait.clamp(SignedDuration::ZERO, SignedDuration::from_hours(24));
        (wait >= SignedDuration::ZERO).then(|| self.sent_at.saturating_add(bounded).ok()).flatten()
    }

    /// What the host's clock showed when it answered: `Date`, and `Age` where the answer was kept somewhere on its way. Whole seconds.
    pub fn host_time(&self) -> Option<Timestamp> {
        let text = |name: &str| self.headers.get(name)?.to_str().ok().map(str::trim);
        let age = text("age").and_then(|age| age.parse::<u32>().ok()).unwrap_or_default();
        http_date(text("date")?)?.checked_add(SignedDuration::from_secs(age.into())).ok()
    }

    /// The kind of error that the status means, where no code of the body says more.
    pub(crate) fn status_kind(&self) -> ErrorKind {
        match self.status {
            429 => ErrorKind::RateLimited { retry_at: self.retry_at() },
            408 | 500..=599 => ErrorKind::Unavailable,
            400..=499 => ErrorKind::Rejected,
            _ => ErrorKind::Protocol,
        }
    }

    /// What the body is, for an error message: never its text.
    pub(crate) fn describe(&self) -> String {
        let kind = self.content_type().and_then(|value| value.split(';').next()).map(str::trim);
        match kind {
            Some(kind) if !kind.is_empty() => format!("HTTP {} with {} bytes of {kind}", self.status, self.body.len()),
            _ => format!("HTTP {} with {} bytes", self.status, self.body.len()),
        }
    }
}

/// The one date form of RFC 9110 section 5.6.7 that may be generated today.
fn http_date(text: &str) -> Option<Timestamp> {
    let datetime = jiff::civil::DateTime::strptime("%a, %d %b %Y %H:%M:%S GMT", text).ok()?;
    datetime.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

impl fmt::Debug for RawAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawAnswer")
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .field("sent_at", &self.sent_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(retry_after: &str) -> RawAnswer {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", retry_after.parse().unwrap());
        RawAnswer { status: 429, headers, body: Vec::new(), sent_at: "2026-11-22T12:00:00Z".parse().unwrap() }
    }

    #[test]
    fn retry_after_reads_seconds_and_dates_and_nothing_else() {
        let at = |text: &str| answer(text).retry_at().map(|at| at.to_string());
        assert_eq!(at("7").as_deref(), Some("2026-11-22T12:00:07Z"));
        assert_eq!(at("0").as_deref(), Some("2026-11-22T12:00:00Z"));
        assert_eq!(at("Sun, 22 Nov 2026 12:01:00 GMT").as_deref(), Some("2026-11-22T12:01:00Z"));
        assert_eq!(at("1000000000").as_deref(), Some("2026-11-23T12:00:00Z"));
        assert_eq!(at("-5"), None);
        assert_eq!(at("soon"), None);
    }

    #[test]
    fn the_time_of_a_host_counts_how_long_its_answer_was_kept() {
        let at = |headers: &[(&'static str, &str)]| {
            let mut answer = answer("0");
            answer.headers =
                headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            answer.host_time().map(|at| at.to_string())
        };
        let date = ("date", "Sun, 22 Nov 2026 12:01:00 GMT");
        assert_eq!(at(&[date]).as_deref(), Some("2026-11-22T12:01:00Z"));
        assert_eq!(at(&[date, ("age", "90")]).as_deref(), Some("2026-11-22T12:02:30Z"));
        assert_eq!(at(&[date, ("age", "-1")]).as_deref(), Some("2026-11-22T12:01:00Z"));
        assert_eq!((at(&[]), at(&[("date", "today")])), (None, None));
    }

    #[test]
    fn json_passes_over_a_byte_order_mark() {
        let mut answer = answer("0");
        answer.body = b"\xEF\xBB\xBF{\"a\":1}".to_vec();
        assert_eq!(answer.json(), Some(serde_json::json!({"a": 1})));
    }
}
