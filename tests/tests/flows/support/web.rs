use std::sync::Arc;
use std::time::Duration;

use connector_core::Context;
use connector_core::http::{Policy, RawAnswer, Request, ReqwestTransport, Retries};
use http::Method;
use serde_json::Value;
use tokio::runtime::Runtime;
use url::Url;

/// A test sends once and waits long.
const PATIENT: Policy =
    Policy { retries: Retries::Never, deadline: Duration::from_mins(1), body_cap: 32 * 1024 * 1024 };

/// HTTP for tests that are not async.
pub(crate) struct Web {
    runtime: Runtime,
    pub(crate) cx: Context,
}

impl Web {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { runtime, cx: Context::system(Arc::new(ReqwestTransport::new())) }
    }

    /// Waits for something.
    pub(crate) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub(crate) fn get(&self, url: &Url) -> RawAnswer {
        self.wait(self.cx.send(Request::new(Method::GET, url.clone(), PATIENT))).unwrap()
    }

    /// Sends JSON, or nothing, and reads JSON.
    pub(crate) fn json(&self, method: Method, url: &Url, bearer: &str, body: Option<&Value>) -> Value {
        let mut request = Request::new(method, url.clone(), PATIENT);
        if !bearer.is_empty() {
            request = request.bearer(&bearer.into()).unwrap();
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = self.wait(self.cx.send(request)).unwrap();
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, 200, "{}: {text}", url.path());
        answer.json().unwrap()
    }
}

/// A parameter of an address.
pub(crate) fn param(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
