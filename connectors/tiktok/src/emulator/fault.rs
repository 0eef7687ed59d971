//! Faults that an admin orders: the next calls of an endpoint go wrong.

use std::collections::{HashMap, VecDeque};
use std::pin::{Pin, pin};
use std::task::{Context as Poller, Poll, Waker};
use std::time::Duration;
use std::{io, mem};

use axum::body::{Body, Bytes, to_bytes};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use connector_core::{Error, Result};
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::io::ReaderStream;

use super::answers::{self, Answer, Refusal, Rejection};
use super::call::Call;
use super::world::Scene;

const MOST: u32 = 1000;
const A_DAY: u64 = 86_400;

/// Faults that wait for their calls, by endpoint.
pub(super) type Faults = HashMap<Endpoint, VecDeque<Fault>>;

/// An endpoint that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Endpoint {
    Authorize,
    Token,
    Revoke,
    UserInfo,
}

/// How one call goes wrong.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    status: StatusCode,
    body: FaultBody,
    /// Whether the call has its effect all the same, so that only its answer is lost or late.
    pub(super) after: bool,
    /// How long a slow answer takes.
    pub(super) delay: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FaultBody {
    /// The endpoint's own error shape.
    #[default]
    Json,
    /// A page of some machine in between.
    Html,
    /// JSON that ends in the middle.
    Truncated,
    /// The connection breaks.
    Reset,
    /// The endpoint's own error shape, then the connection breaks before the end of the body. If the call has its effect all the same, its
    /// own answer, then the same.
    ResetAtEnd,
    /// The endpoint's own error shape, late. If the call has its effect all the same, its own answer, late.
    Slow,
}

/// The body of `POST /admin/fail`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    endpoint: Endpoint,
    #[serde(default = "once")]
    times: u32,
    #[serde(default = "internal_error")]
    status: u16,
    #[serde(default)]
    body: FaultBody,
    #[serde(default)]
    after: bool,
    #[serde(default = "some_seconds")]
    seconds: u64,
}

fn once() -> u32 {
    1
}

fn internal_error() -> u16 {
    500
}

fn some_seconds() -> u64 {
    5
}

/// Takes an order. `times: 0` takes back what was ordered before.
pub(super) fn order(scene: &mut Scene<'_>, call: &Call) -> Answer {
    let order = match call.json::<Order>() {
        Ok(order) => order,
        Err(wrong) => return answers::sentence(StatusCode::BAD_REQUEST, &wrong),
    };
    let Some(status) = StatusCode::from_u16(order.status).ok().filter(|status| status.as_u16() >= 200) else {
        return answers::sentence(StatusCode::BAD_REQUEST, "`status` is an HTTP status from 200 to 999");
    };
    if order.times > MOST || order.seconds > A_DAY {
        let sentence = format!("`times` is {MOST} at most, and `seconds` {A_DAY}");
        return answers::sentence(StatusCode::BAD_REQUEST, &sentence);
    }
    let delay = if order.body == FaultBody::Slow { Duration::from_secs(order.seconds) } else { Duration::ZERO };
    let fault = Fault { status, body: order.body, after: order.after, delay };
    let waiting = scene.run().faults.entry(order.endpoint).or_default();
    if order.times == 0 {
        waiting.clear();
    }
    waiting.extend((0..order.times).map(|_| fault));
    answers::plain(StatusCode::OK, &json!({"waiting": waiting.len()}))
}

impl Fault {
    /// Whether the call goes well and only takes its time.
    pub(super) fn is_only_late(self) -> bool {
        self.after && self.body == FaultBody::Slow
    }

    /// The wrong answer. The call's own one is there if the call has its effect all the same.
    pub(super) fn answer(self, scene: &Scene<'_>, endpoint: Endpoint, own: Option<Answer>) -> Result<Answer> {
        let mut answer = match (own, endpoint) {
            (Some(own), _) if self.body == FaultBody::ResetAtEnd => own,
            (_, Endpoint::UserInfo) => answers::reject_with(scene, Rejection::INTERNAL, self.status)?,
            _ => answers::refuse_with(scene, Refusal::SERVER, self.status)?,
        };
        "fault".clone_into(&mut answer.note.outcome);
        match self.body {
            FaultBody::Json | FaultBody::Slow => {}
            FaultBody::Html => answer.response = self.html(),
            FaultBody::Truncated => answer.response = self.truncated(),
            FaultBody::Reset => *answer.response.body_mut() = Broken::after(Bytes::new()),
            FaultBody::ResetAtEnd => {
                let whole = bytes(mem::take(answer.response.body_mut()))?;
                *answer.response.body_mut() = Broken::after(whole);
            }
        }
        Ok(answer)
    }

    fn html(self) -> Response {
        let page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center><h1>502 Bad Gateway</h1></center></body>\r\n</html>\r\n";
        (self.status, [(CONTENT_TYPE, "text/html")], page).into_response()
    }

    fn truncated(self) -> Response {
        (self.status, [(CONTENT_TYPE, "application/json; charset=utf-8")], r#"{"data":{"us"#).into_response()
    }
}

/// The bytes of a body that is in memory, as all of the emulator's are.
fn bytes(body: Body) -> Result<Bytes> {
    let mut reading = pin!(to_bytes(body, usize::MAX));
    match reading.as_mut().poll(&mut Poller::from_waker(Waker::noop())) {
        Poll::Ready(Ok(bytes)) => Ok(bytes),
        Poll::Ready(Err(_)) | Poll::Pending => Err(Error::protocol("the answer to break off cannot be read")),
    }
}

/// A body that breaks off after these bytes.
struct Broken {
    bytes: Bytes,
    sent: bool,
}

impl Broken {
    fn after(bytes: Bytes) -> Body {
        Body::from_stream(ReaderStream::new(Self { sent: bytes.is_empty(), bytes }))
    }
}

impl AsyncRead for Broken {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Poller<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.bytes.is_empty() {
            let most = into.remaining().min(self.bytes.len());
            into.put_slice(&self.bytes.split_to(most));
            return Poll::Ready(Ok(()));
        }
        // The server writes to the network while a body has nothing to give: what came before the break leaves first.
        if !self.sent {
            self.sent = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }
}
