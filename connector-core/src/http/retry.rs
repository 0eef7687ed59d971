use std::time::Duration;

use async_trait::async_trait;
use backon::{BackoffBuilder, ExponentialBuilder};

use super::{Cause, HttpTransport, Reach, Request, Retries, TransportError};

/// Repeats reads that failed for a passing reason: twice, after 200 ms and 400 ms. A request that changes something passes through once.
#[derive(Debug)]
pub struct Retry<T> {
    inner: T,
    backoff: ExponentialBuilder,
}

impl<T: HttpTransport> Retry<T> {
    /// Wraps a transport.
    pub fn new(inner: T) -> Self {
        Self { inner, backoff: ExponentialBuilder::new().with_min_delay(Duration::from_millis(200)).with_max_times(2) }
    }
}

#[async_trait]
impl<T: HttpTransport> HttpTransport for Retry<T> {
    async fn send(&self, request: Request) -> Result<::http::Response<Vec<u8>>, TransportError> {
        if request.policy.retries == Retries::Never {
            return self.inner.send(request).await;
        }
        let mut delays = self.backoff.build();
        loop {
            let outcome = self.inner.send(request.clone()).await;
            match delays.next() {
                Some(delay) if passing(&outcome) => tokio::time::sleep(delay).await,
                _ => return outcome,
            }
        }
    }
}

/// Whether the same read may well succeed a moment later. A 429 says how long to stay away; a host that was silent for a whole deadline, or
/// took no connection, is given up at once, so that nobody waits three times.
fn passing(outcome: &Result<::http::Response<Vec<u8>>, TransportError>) -> bool {
    match outcome {
        Ok(answer) => answer.status().is_server_error(),
        Err(error) => error.cause == Cause::Exchange && error.reach == Reach::MaybeSent,
    }
}

#[cfg(test)]
mod tests {
    use ::http::{Method, Response, StatusCode};

    use super::*;
    use crate::http::{MockHttpTransport, Policy};

    fn answer(status: StatusCode) -> Response<Vec<u8>> {
        Response::builder().status(status).body(Vec::new()).unwrap()
    }

    async fn statuses(policy: Policy, status: StatusCode, calls: usize) -> StatusCode {
        let mut inner = MockHttpTransport::new();
        inner.expect_send().times(calls).returning(move |_| Ok(answer(status)));
        let retry =
            Retry { inner, backoff: ExponentialBuilder::new().with_min_delay(Duration::ZERO).with_max_times(2) };
        let request = Request::new(Method::GET, "https://api.example/".parse().unwrap(), policy);
        retry.send(request).await.unwrap().status()
    }

    #[tokio::test]
    async fn a_read_is_repeated_twice_when_the_platform_fails() {
        assert_eq!(statuses(Policy::READ, StatusCode::BAD_GATEWAY, 3).await, StatusCode::BAD_GATEWAY);
    }

    #[tokio::test]
    async fn a_token_request_is_sent_once() {
        assert_eq!(statuses(Policy::TOKEN, StatusCode::BAD_GATEWAY, 1).await, StatusCode::BAD_GATEWAY);
    }

    #[tokio::test]
    async fn what_came_of_an_answer_that_broke_off_is_passed_on() {
        let mut inner = MockHttpTransport::new();
        inner.expect_send().once().returning(|_| {
            Err(TransportError::new(Reach::MaybeSent, Cause::Exchange, "broken").after(answer(StatusCode::OK)))
        });
        let request = Request::new(Method::POST, "https://api.example/".parse().unwrap(), Policy::TOKEN);
        assert!(Retry::new(inner).send(request).await.unwrap_err().partial.is_some());
    }

    #[tokio::test]
    async fn a_rate_limit_is_not_hammered() {
        assert_eq!(statuses(Policy::READ, StatusCode::TOO_MANY_REQUESTS, 1).await, StatusCode::TOO_MANY_REQUESTS);
    }
}
