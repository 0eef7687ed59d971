//! Delivers what is due: to each receiver by itself, so that a slow one holds up no other, and of each connection one event after the other.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use connector_core::Context;
use connector_core::http::{Fence, HttpTransport, Policy, Request, ReqwestTransport, Retries};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::body;
use super::receivers::record;
use super::signature::sign;
use super::verdict::{Verdict, after_failure};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::moment::Moment;
use crate::store::{Attempted, Delivery, EventRecord, ReceiverId, ReceiverRecord, StoreError};

/// How often it is looked what is due.
const EVERY: Duration = Duration::from_secs(1);
/// How many times as long as it took to find nothing it is not looked again, where a receiver that takes nothing has a long queue.
const REST: i32 = 20;
/// How many events are on their way to one receiver at the same time.
const TO_ONE: u32 = 8;
/// How many are to all receivers.
const TO_ALL: usize = 64;
/// For how long a delivery is this process' alone: longer than an attempt takes.
const LEASE: SignedDuration = SignedDuration::from_mins(1);
/// How long events are kept.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How often it is looked which are too old.
const PRUNED_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// One attempt: no redirect is followed, and of the answer only the status matters.
const POLICY: Policy = Policy { retries: Retries::Never, deadline: Duration::from_secs(15), body_cap: 16 * 1024 };

/// Takes events to their receivers. Cloning it is cheap.
#[derive(Clone)]
pub struct Courier {
    cx: Context,
    room: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Courier {
    /// A courier that reaches what the fence lets requests through to, until it is told to stop.
    pub fn within(fence: Fence, host: &Host, stop: CancellationToken) -> Self {
        Self::by(Arc::new(ReqwestTransport::within(fence)), host, stop)
    }

    /// A courier that sends by a transport of its own, which has to keep it from addresses that are nobody's business.
    pub fn by(transport: Arc<dyn HttpTransport>, host: &Host, stop: CancellationToken) -> Self {
        Self { cx: host.context().with_transport(transport), room: Arc::new(Semaphore::new(TO_ALL)), stop }
    }

    /// Sends one event once, and says what came of it. Nothing is sent any more once it is told to stop.
    async fn send(&self, host: &Host, receiver: &ReceiverRecord, delivery: &Delivery) -> Result<Option<Verdict>> {
        let request = request(host, receiver, delivery).await?;
        Ok(tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            sent = self.cx.send_once(request) => Some(Verdict::of(sent)),
        })
    }
}

impl Host {
    /// Delivers what is due, until nothing is, and says how many events were received.
    ///
    /// # Errors
    /// When the store cannot be read or written, or is another instance's.
    pub async fn deliver(&self, courier: &Courier) -> Result<u64> {
        let mut under_way = JoinSet::new();
        for receiver in self.store().receivers_due().await? {
            let (host, courier) = (self.clone(), courier.clone());
            under_way.spawn(async move { host.deliver_to(&courier, &receiver).await });
        }
        Ok(all(under_way).await?.into_iter().map(|done| done.received).sum())
    }

    /// Delivers what is due again and again until the courier is told to stop, and ends when nothing is under way any more.
    pub async fn deliver_on(&self, courier: &Courier) {
        let (mut under_way, mut busy, mut pruned) = (JoinSet::new(), Busy::new(), None);
        loop {
            tokio::select! {
                biased;
                () = courier.stop.cancelled() => break,
                Some(done) = under_way.join_next() => {
                    if let Ok((id, rest)) = done {
                        busy.insert(id, Some((Moment::now(self.context()), rest)));
                    }
                    continue;
                }
                () = tokio::time::sleep(EVERY) => {}
            }
            if let Err(error) = self.begin_deliveries(courier, &mut under_way, &mut busy).await {
                tracing::error!(%error, "events could not be delivered");
            }
            pruned = self.prune(pruned).await;
        }
        while under_way.join_next().await.is_some() {}
    }

    /// Begins with each receiver that something is due for and that is not being delivered to.
    async fn begin_deliveries(
        &self,
        courier: &Courier,
        under_way: &mut JoinSet<(ReceiverId, SignedDuration)>,
        busy: &mut Busy,
    ) -> Result<()> {
        let is_over =
            |(since, rest): &(Moment, SignedDuration)| since.elapsed(self.context()).is_none_or(|past| past >= *rest);
        busy.retain(|_, resting| !resting.as_ref().is_some_and(is_over));
        for receiver in self.store().receivers_due().await? {
            if busy.contains_key(&receiver.id) {
                continue;
            }
            busy.insert(receiver.id.clone(), None);
            let (host, courier) = (self.clone(), courier.clone());
            under_way.spawn(async move {
                let done = host.deliver_to(&courier, &receiver).await;
                let rest = done.as_ref().map(|done| done.last_look * REST).unwrap_or_default();
                if let Err(error) = done {
                    tracing::error!(%error, receiver = %receiver.id, "events could not be delivered");
                }
                (receiver.id, rest)
            });
        }
        Ok(())
    }

    /// Deletes events that are too old, now and then. Gives when that was done last.
    async fn prune(&self, last: Option<Timestamp>) -> Option<Timestamp> {
        let now = self.context().now();
        if last.is_some_and(|last| now.duration_since(last) < PRUNED_EVERY) {
            return last;
        }
        let before = now.saturating_sub(KEPT_FOR).unwrap_or(Timestamp::MIN);
        if let Err(error) = self.store().prune_events(before).await {
            tracing::error!(%error, "old events could not be deleted");
        }
        Some(now)
    }

    /// Delivers to one receiver until nothing is due there.
    async fn deliver_to(&self, courier: &Courier, receiver: &ReceiverRecord) -> Result<Done> {
        let mut done = Done::default();
        while !courier.stop.is_cancelled() {
            // It may have been removed, or have another secret by now.
            let receivers = self.store().receivers(&receiver.tenant).await?;
            let Some(receiver) = receivers.into_iter().find(|now| now.id == receiver.id) else { break };
            let (mut under_way, looking) = (JoinSet::new(), Moment::now(self.context()));
            let due = self.store().deliveries_due(&receiver.id, TO_ONE).await?;
            done.last_look = looking.elapsed(self.context()).unwrap_or_default();
            for due in due {
                let (host, courier, receiver) = (self.clone(), courier.clone(), receiver.clone());
                under_way.spawn(async move { host.attempt(&courier, &receiver, &due).await });
            }
            let attempts: Vec<bool> = all(under_way).await?.into_iter().flatten().collect();
            if attempts.is_empty() {
                break;
            }
            done.received += attempts.into_iter().map(u64::from).sum::<u64>();
        }
        Ok(done)
    }

    /// One attempt: whether the event was received. `None` where somebody else makes it.
    async fn attempt(&self, courier: &Courier, receiver: &ReceiverRecord, due: &Delivery) -> Result<Option<bool>> {
        // Whoever has to wait for room has taken nothing yet.
        let Ok(_room) = courier.room.acquire().await else { return Ok(None) };
        if courier.stop.is_cancelled() {
            return Ok(None);
        }
        let Some(claimed) = self.store().claim_delivery(due, LEASE).await? else { return Ok(None) };
        let verdict = match courier.send(self, receiver, &claimed).await {
            Ok(verdict) => verdict,
            // What cannot be made into a request is tried again like what was not received: a key may come back.
            Err(error) => Some(Verdict::Failed { why: error.to_string(), asked: SignedDuration::ZERO }),
        };
        // What the store's clock said when it was taken: how long it is tried is the store's to say.
        let now = claimed.record.next_try_at.saturating_sub(LEASE).unwrap_or_default();
        let tried = (claimed.record.since, claimed.record.attempts);
        let attempted = match verdict {
            None => Attempted::Released,
            Some(Verdict::Received) => Attempted::Delivered,
            Some(Verdict::Gone) => return self.gone(receiver, &claimed).await.map(|()| Some(false)),
            Some(Verdict::Failed { why, asked }) => after_failure(&why, asked, tried, now, self.chance()),
        };
        if let Attempted::Dead(error) = &attempted {
            tracing::warn!(receiver = %receiver.id, event = %claimed.event.id, why = error.message, "an event was not received in time");
        }
        let settled = self.store().settle_delivery(&claimed, &attempted).await?;
        Ok(Some(settled && attempted == Attempted::Delivered))
    }

    /// The receiver has said that it is gone for good.
    async fn gone(&self, receiver: &ReceiverRecord, claimed: &Delivery) -> Result<()> {
        let why = "the receiver answered HTTP 410: it wants nothing more";
        let record = record(self, "receiver_disabled", &receiver.tenant, &receiver.id)?;
        let now = self.context().now();
        self.store().disable_receiver(&receiver.id, why, now, &record).await?;
        let long_ago = (Timestamp::MIN, claimed.record.attempts);
        self.store().settle_delivery(claimed, &after_failure(why, SignedDuration::ZERO, long_ago, now, 0.0)).await?;
        tracing::warn!(receiver = %receiver.id, why, "a receiver of events is disabled");
        Ok(())
    }
}

/// What is sent of an event to a receiver now.
async fn request(host: &Host, receiver: &ReceiverRecord, delivery: &Delivery) -> Result<Request> {
    let event = &delivery.event;
    let body = match &event.body {
        Some(body) => body.clone(),
        None => made(host, event).await?,
    };
    let url =
        receiver.url.parse().map_err(|error| Error::Machine(format!("the receiver's URL is damaged: {error}")))?;
    signed(url, &host.signing_secrets(receiver)?, event.id.as_str(), host.context().now(), body)
}

/// The body of an event, which is made once. Where the connection was erased meanwhile, it says that.
async fn made(host: &Host, event: &EventRecord) -> Result<String> {
    if let Some(kept) = host.store().keep_event_body(event, &body::body(host, event)).await? {
        return Ok(kept);
    }
    let erased = EventRecord { facts: None, ..event.clone() };
    let kept = host.store().keep_event_body(&erased, &body::body(host, &erased)).await?;
    Ok(kept.ok_or_else(|| StoreError::NotFound { what: "event", id: event.id.to_string() })?)
}

/// A request with a body and its signatures.
pub(crate) fn signed(
    url: Url,
    secrets: &[connector_core::Secret],
    id: &str,
    at: Timestamp,
    body: String,
) -> Result<Request> {
    let signature = sign(secrets, id, at, &body).map_err(|error| Error::Machine(error.to_string()))?;
    let mut request = Request::new(http::Method::POST, url, POLICY);
    for (name, text) in
        [("webhook-id", id), ("webhook-timestamp", &at.as_second().to_string()), ("webhook-signature", &signature)]
    {
        let value = HeaderValue::from_str(text).map_err(|error| Error::Machine(error.to_string()))?;
        request = request.header(HeaderName::from_static(name), value);
    }
    request.body = body.into_bytes();
    Ok(request.header(CONTENT_TYPE, HeaderValue::from_static("application/json")))
}

/// The receivers that are being delivered to, and those that rest, since when and for how long.
type Busy = HashMap<ReceiverId, Option<(Moment, SignedDuration)>>;

/// What came of delivering to one receiver.
#[derive(Default)]
struct Done {
    /// How many events it has received.
    received: u64,
    /// How long it took to look what is due, the last time.
    last_look: SignedDuration,
}

/// What came of all of these. One that fails leaves the others to end.
async fn all<T: 'static>(mut under_way: JoinSet<Result<T>>) -> Result<Vec<T>> {
    let mut ended = Vec::new();
    while let Some(done) = under_way.join_next().await {
        ended.push(done.unwrap_or_else(|_| Err(failed_inside())));
    }
    ended.into_iter().collect()
}

fn failed_inside() -> Error {
    Error::Machine("an inner task failed; please report it".to_owned())
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier").finish_non_exhaustive()
    }
}
