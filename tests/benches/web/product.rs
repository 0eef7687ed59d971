//! A product, and the browsers of its people.

use std::sync::Arc;
use std::time::{Duration, Instant};

use connector_core::emulator::{Consent, Emulator as _};
use connector_core::http::{Policy, RawAnswer, Request, ReqwestTransport, Retries};
use connector_core::{Context, Secret};
use connector_host::testing::Outcome;
use connector_tiktok::emulator::TikTokEmulator;
use http::{HeaderName, HeaderValue, Method};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use url::Url;

/// How many are under way at the same time.
const IN_FLIGHT: usize = 8;

/// Where the product has browsers sent back to.
const REDIRECT: &str = "http://127.0.0.1:3000/callback/";

/// A product with a key.
#[derive(Clone)]
pub(crate) struct Product {
    cx: Context,
    base: Url,
    key: Secret,
    tenant: String,
}

impl Product {
    pub(crate) fn new(base: Url, key: &str) -> Self {
        Self {
            cx: Context::system(Arc::new(ReqwestTransport::new())),
            base,
            key: Secret::from(key),
            tenant: "default".to_owned(),
        }
    }

    /// The same product at work for a tenant that is nobody else's: of two that connect one account for the same tenant at the same moment,
    /// one is overtaken.
    fn of_its_own(&self, prefix: &str, number: usize) -> Self {
        Self { tenant: format!("{prefix}-{number}"), ..self.clone() }
    }

    /// Connects an account. Gives its connection's id, and how long it took from the callback to that.
    pub(crate) async fn connect(&self) -> Outcome<(String, Duration)> {
        let (flow, query) = self.allowed().await?;
        let came = Instant::now();
        let id = self.complete(&flow, &query).await?;
        Ok((id, came.elapsed()))
    }

    /// Starts a flow and has its person allow everything. Gives the flow's id, and what the browser came back with.
    async fn allowed(&self) -> Outcome<(String, Value)> {
        let start = json!({ "platform": "tiktok", "redirect_uri": REDIRECT });
        let flow = self.post("api/v1/flows", &start).await?;
        let text = |name: &str| flow[name].as_str().unwrap_or_default().to_owned();
        let consent = Consent { person: "mira".to_owned(), ..Consent::default() };
        let back = TikTokEmulator.consent(&self.cx, &text("authorize_url").parse()?, &consent).await?;
        Ok((text("id"), json!({ "query": back.query() })))
    }

    async fn complete(&self, flow: &str, query: &Value) -> Outcome<String> {
        let ended = self.post(&format!("api/v1/flows/{flow}/complete"), query).await?;
        Ok(ended["connections"][0]["id"].as_str().ok_or("nothing was connected")?.to_owned())
    }

    /// Has so many callbacks come at a pace, whether or not the ones before are done, and gives how long each took from when it was to come,
    /// in milliseconds.
    pub(crate) async fn paced(&self, number: usize, every: Duration) -> Outcome<Vec<f64>> {
        let mut flows = Vec::with_capacity(number);
        for number in 0..number {
            let product = self.of_its_own("paced", number);
            flows.push((product.allowed().await?, product));
        }
        let (mut ticks, mut tasks) = (tokio::time::interval(every), JoinSet::new());
        for ((flow, query), product) in flows {
            let due = ticks.tick().await;
            tasks.spawn(async move { product.complete(&flow, &query).await.map(|_| milliseconds(due.elapsed())) });
        }
        tasks.join_all().await.into_iter().collect()
    }

    /// Connects so many, and gives how long each took from the callback on, in milliseconds.
    pub(crate) async fn connects(&self, number: usize) -> Outcome<Vec<f64>> {
        let connect = |number| {
            let product = self.of_its_own("together", number);
            async move { product.connect().await.map(|(_, took)| milliseconds(took)) }
        };
        in_flight(number, connect).await
    }

    pub(crate) async fn tokens(&self, connection: &str, number: usize) -> Outcome {
        let path = format!("api/v1/connections/{connection}/token");
        let read = |_| {
            let (product, path) = (self.clone(), path.clone());
            async move { product.post(&path, &json!({})).await.map(drop) }
        };
        in_flight(number, read).await.map(drop)
    }

    pub(crate) async fn empty(&self, number: usize) -> Outcome {
        let read = |_| {
            let product = self.clone();
            async move {
                let request = Request::new(Method::GET, product.base.join("healthz")?, policy());
                product.send(request).await.map(drop)
            }
        };
        in_flight(number, read).await.map(drop)
    }

    async fn post(&self, path: &str, body: &Value) -> Outcome<Value> {
        let request = Request::new(Method::POST, self.base.join(path)?, policy()).bearer(&self.key)?.json(body);
        let tenant = HeaderValue::from_str(&self.tenant)?;
        let request = request.header(HeaderName::from_static("connector-tenant"), tenant);
        Ok(self.send(request).await?.json().ok_or("no JSON")?)
    }

    async fn send(&self, request: Request) -> Outcome<RawAnswer> {
        let path = request.url.path().to_owned();
        let answer = self.cx.send(request).await?;
        let said = || format!("{path}: {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
        if answer.is_success() { Ok(answer) } else { Err(said().into()) }
    }
}

/// Does something so often, a few at a time.
async fn in_flight<T, F>(number: usize, work: impl Fn(usize) -> F) -> Outcome<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = Outcome<T>> + Send + 'static,
{
    let (mut tasks, mut done) = (JoinSet::new(), Vec::with_capacity(number));
    for number in 0..number {
        if tasks.len() == IN_FLIGHT {
            done.push(tasks.join_next().await.ok_or("nothing is under way")???);
        }
        tasks.spawn(work(number));
    }
    done.extend(tasks.join_all().await.into_iter().collect::<Outcome<Vec<_>>>()?);
    Ok(done)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn policy() -> Policy {
    Policy { retries: Retries::Never, ..Policy::TOKEN }
}
