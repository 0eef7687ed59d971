//! What is compared: the least that a refresh can be, and what the host does for one.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use connector_core::Context;
use connector_core::http::{HttpTransport as _, Policy, Request, ReqwestTransport};
use connector_host::Host;
use connector_host::store::GrantId;
use connector_host::testing::TENANT;
use http::Method;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use url::Url;

use crate::common::count;
use crate::host::{self, Commits};
use crate::mock::refresh_token;
use crate::roles::{cpu, micros, rss};
use crate::{Outcome, say};

/// How much is done, and how much of it at a time.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) grants: usize,
    pub(crate) in_flight: usize,
}

/// What a contender says about itself.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Figures {
    /// Processor time of the whole process for each refresh, in microseconds.
    pub(crate) cpu: f64,
    /// Time on the wall for each refresh, in microseconds.
    pub(crate) wall: f64,
    /// The most memory it had, in kibibytes.
    pub(crate) rss: u64,
    /// Commits, and the operations in them.
    pub(crate) commits: usize,
    pub(crate) operations: usize,
    /// Reads of a fresh token, in microseconds: processor time, the median and the 99th percentile on the wall.
    pub(crate) read: Option<[f64; 3]>,
}

/// An answer of the token endpoint, as far as anybody here reads it.
#[derive(Deserialize)]
pub(crate) struct Tokens {
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
    pub(crate) expires_in: u64,
}

/// What was spent from one moment on.
pub(crate) struct Meter {
    began: Instant,
    began_cpu: f64,
}

impl Meter {
    pub(crate) fn start() -> Self {
        Self { began: Instant::now(), began_cpu: cpu() }
    }

    /// So much for each refresh.
    pub(crate) fn stop(&self, load: Load) -> Figures {
        let (cpu, wall) = (cpu() - self.began_cpu, micros(self.began.elapsed()));
        Figures { cpu: cpu / count(load.grants), wall: wall / count(load.grants), rss: rss(), ..Figures::default() }
    }
}

/// The request of a refresh.
pub(crate) fn refresh(endpoint: &Url, token: &str) -> Request {
    let form =
        [("client_id", "id-1"), ("client_secret", "hush"), ("grant_type", "refresh_token"), ("refresh_token", token)];
    Request::new(Method::POST, endpoint.clone(), Policy::TOKEN).form(form)
}

/// Sends a form, reads the answer, and forgets it.
pub(crate) async fn bare(endpoint: Url, load: Load) -> Outcome {
    let transport = Arc::new(ReqwestTransport::new());
    let figures = measured(load, move |index| {
        let (transport, url) = (Arc::clone(&transport), endpoint.clone());
        async move {
            let token = refresh_token(&index.to_string(), 1);
            let answer = transport.send(refresh(&url, &token)).await?;
            let tokens: Tokens = serde_json::from_slice(answer.body())?;
            std::hint::black_box((tokens.access_token, tokens.refresh_token, tokens.expires_in));
            Ok(())
        }
    })
    .await?;
    say(serde_json::to_string(&figures)?);
    Ok(())
}

/// Asks the host for the token of each grant, all of which have expired, and then again.
pub(crate) async fn whole(dir: &Path, endpoint: &Url, load: Load) -> Outcome {
    let commits = Commits::count();
    let cx = Context::system(Arc::new(ReqwestTransport::new()));
    let (host, grants) = host::with_expired_grants(&cx, dir, endpoint, load.grants).await?;
    let (asked, grants) = (host.clone(), Arc::new(grants));
    let session = move |index: usize| session(asked.clone(), Arc::clone(&grants), index);
    let mut figures = measured(load, session.clone()).await?;
    (figures.commits, figures.operations) = commits.so_far();
    figures.read = Some(reads(load, session).await?);
    if commits.so_far().0 != figures.commits {
        return Err("reading a fresh token has written something".into());
    }
    host.drain().await;
    say(serde_json::to_string(&figures)?);
    Ok(())
}

async fn session(host: Host, grants: Arc<Vec<GrantId>>, index: usize) -> Outcome {
    std::hint::black_box(host.session(TENANT, &grants[index]).await?);
    Ok(())
}

async fn reads<F: Future<Output = Outcome>>(load: Load, read: impl Fn(usize) -> F) -> Outcome<[f64; 3]> {
    let (began, mut times) = (cpu(), Vec::with_capacity(load.grants));
    for index in 0..load.grants {
        let began = Instant::now();
        read(index).await?;
        times.push(micros(began.elapsed()));
    }
    times.sort_by(f64::total_cmp);
    Ok([(cpu() - began) / count(load.grants), times[times.len() / 2], times[times.len() * 99 / 100]])
}

/// Does all of it, so much at a time.
async fn measured<F>(load: Load, refresh: impl Fn(usize) -> F + Clone + Send + 'static) -> Outcome<Figures>
where
    F: Future<Output = Outcome> + Send + 'static,
{
    let (next, mut workers) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
    let meter = Meter::start();
    for _ in 0..load.in_flight {
        let (next, refresh) = (Arc::clone(&next), refresh.clone());
        workers.spawn(async move {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= load.grants {
                    return Ok(());
                }
                refresh(index).await?;
            }
        });
    }
    workers.join_all().await.into_iter().collect::<Outcome>()?;
    Ok(meter.stop(load))
}
