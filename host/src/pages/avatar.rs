//! The pictures of accounts. The platform names where they are, so they are fetched past the fence and shown from here: a browser loads
//! nothing from elsewhere, and nobody else learns who looks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use connector_core::Context;
use connector_core::http::{HttpTransport, Policy, RawAnswer, Request, ReqwestTransport, Retries};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;
use url::Url;

use super::Pages;
use super::extract::Named;
use super::viewer::Viewer;
use crate::host::Host;
use crate::store::Connected;

/// A picture that takes longer or is larger is not shown.
const POLICY: Policy = Policy { retries: Retries::Never, deadline: Duration::from_secs(5), body_cap: 256 * 1024 };

/// How many are fetched at the same time.
const AT_ONCE: usize = 8;

/// How many bytes of them are kept in all.
const KEPT: usize = 16 * 1024 * 1024;

/// What one that is not to be had counts among those.
const NOTHING: usize = 1024;

/// For how long one is kept, also that there is none.
const KEPT_FOR: SignedDuration = SignedDuration::from_mins(30);

/// How a browser may keep one.
const CACHE: HeaderValue = HeaderValue::from_static("private, max-age=1800");

/// Another viewer has no use for what this one keeps.
const COOKIE: HeaderValue = HeaderValue::from_static("cookie");

/// The kinds of pictures that are shown, by how their bytes begin. What a server says they are counts for nothing.
const KINDS: [(&str, &[u8]); 4] = [
    ("image/png", b"\x89PNG\r\n\x1a\n"),
    ("image/jpeg", b"\xff\xd8\xff"),
    ("image/gif", b"GIF8"),
    ("image/webp", b"RIFF"),
];

/// Fetches pictures, and keeps them for a while.
pub(super) struct Avatars {
    cx: Context,
    room: Semaphore,
    kept: Mutex<Kept>,
}

/// When each was fetched, and what it is.
#[derive(Default)]
struct Kept {
    pictures: HashMap<Url, (Timestamp, Known)>,
}

/// What is known of a picture.
#[derive(Clone)]
enum Known {
    There(Picture),
    /// It was asked for, and is none that can be shown.
    None,
}

/// A picture and what it is.
#[derive(Clone)]
struct Picture {
    kind: &'static str,
    bytes: Arc<[u8]>,
}

/// Where the picture of an account is, if there is one that may be fetched. Nobody is in the pictures of an emulator.
pub(super) fn of(host: &Host, connected: &Connected) -> Option<Url> {
    let profile = &connected.connection.profile;
    let named = ["avatar_small_url", "avatar_url"].iter().find_map(|name| profile.text(name));
    let url: Url = named.filter(|_| !host.is_emulated())?.parse().ok()?;
    (url.scheme() == "https" && host.fence(&[]).check(&url).is_ok()).then_some(url)
}

/// Shows one.
pub(super) async fn show(viewer: Viewer, State(pages): State<Pages>, Named(id): Named<String>) -> Response {
    match picture(&viewer, &pages, &id).await {
        Some(Picture { kind, bytes }) => {
            let kind = HeaderValue::from_static(kind);
            ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, CACHE), (header::VARY, COOKIE)], bytes.to_vec())
                .into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn picture(viewer: &Viewer, pages: &Pages, id: &str) -> Option<Picture> {
    let connected = pages.host.connection(&viewer.tenant, &id.parse().ok()?).await.ok()?;
    pages.avatars.get(of(&pages.host, &connected)?).await
}

impl Avatars {
    /// Of a host, past its fence.
    pub(super) fn new(host: &Host) -> Self {
        Self::by(Arc::new(ReqwestTransport::within(host.fence(&[]))), host.context())
    }

    fn by(transport: Arc<dyn HttpTransport>, cx: &Context) -> Self {
        Self { cx: cx.with_transport(transport), room: Semaphore::new(AT_ONCE), kept: Mutex::default() }
    }

    async fn get(&self, url: Url) -> Option<Picture> {
        if let Some(known) = self.known(&url) {
            return known.there();
        }
        let _turn = self.room.acquire().await.ok()?;
        if let Some(known) = self.known(&url) {
            return known.there();
        }
        let answer = self.cx.send(Request::new(Method::GET, url.clone(), POLICY)).await;
        let picture = answer.ok().filter(RawAnswer::is_success).and_then(|answer| Picture::of(answer.body));
        let known = picture.map_or(Known::None, Known::There);
        self.keep(url, known.clone());
        known.there()
    }

    fn known(&self, url: &Url) -> Option<Known> {
        let kept = self.kept();
        let (at, known) = kept.pictures.get(url)?;
        is_young(*at, self.cx.now()).then(|| known.clone())
    }

    fn keep(&self, url: Url, known: Known) {
        let (now, mut kept) = (self.cx.now(), self.kept());
        kept.pictures.retain(|_, (at, _)| is_young(*at, now));
        // What people look at is fetched again.
        let bytes: usize = kept.pictures.values().map(|(_, known)| known.size()).sum();
        if bytes + known.size() > KEPT {
            kept.pictures.clear();
        }
        kept.pictures.insert(url, (now, known));
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_young(at: Timestamp, now: Timestamp) -> bool {
    let age = now.duration_since(at);
    !age.is_negative() && age < KEPT_FOR
}

impl Known {
    fn there(self) -> Option<Picture> {
        match self {
            Self::There(picture) => Some(picture),
            Self::None => None,
        }
    }

    /// How many bytes it counts.
    fn size(&self) -> usize {
        match self {
            Self::There(picture) => picture.bytes.len() + NOTHING,
            Self::None => NOTHING,
        }
    }
}

impl Picture {
    fn of(body: Vec<u8>) -> Option<Self> {
        let (kind, _) = KINDS.into_iter().find(|(_, begin)| body.starts_with(begin))?;
        let is_whole = kind != "image/webp" || body.get(8..12) == Some(b"WEBP");
        is_whole.then(|| Self { kind, bytes: body.into() })
    }
}

#[cfg(test)]
mod tests {
    use connector_core::testing::FakeTransport;

    use super::*;

    fn url(name: &str) -> Url {
        format!("https://pictures.example/{name}").parse().unwrap()
    }

    #[tokio::test]
    async fn a_picture_is_fetched_once() {
        let transport = Arc::new(FakeTransport::default());
        let cx = transport.context();
        let avatars = Avatars::by(transport.clone(), &cx);
        transport.answer(200, "\u{0}GIF8");
        assert!(avatars.get(url("none")).await.is_none(), "it is no picture");
        transport.answer(200, "GIF89a");
        for _ in 0..3 {
            let picture = avatars.get(url("one")).await.unwrap();
            assert_eq!((picture.kind, &picture.bytes[..]), ("image/gif", &b"GIF89a"[..]));
            assert!(avatars.get(url("none")).await.is_none());
        }
        assert_eq!(transport.sent().len(), 2);
    }

    #[test]
    fn what_is_no_picture_is_not_shown_whatever_it_is_called() {
        for body in ["", "<svg xmlns='http://www.w3.org/2000/svg'/>", "<html>", "RIFF1234WAVE", "GIF", "%PDF-1.7"] {
            assert!(Picture::of(body.as_bytes().to_vec()).is_none(), "{body}");
        }
        assert_eq!(Picture::of(b"RIFF1234WEBPVP8 ".to_vec()).map(|picture| picture.kind), Some("image/webp"));
        assert_eq!(Picture::of(b"\xff\xd8\xff\xe0".to_vec()).map(|picture| picture.kind), Some("image/jpeg"));
    }
}
