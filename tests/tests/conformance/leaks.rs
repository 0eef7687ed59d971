//! Nothing secret in what is shown.

use std::fmt::Debug;

use connector_core::http::RawAnswer;
use connector_core::oauth::{CallbackParams, PendingFlow, Purpose, RefreshOutcome, RevokeOutcome};
use connector_core::testing::FakeTransport;
use connector_core::{Error, Secret};
use http::Response;
use serde_json::{Value, json};

use crate::answers::{noon, plant};
use crate::exchange::callback;
use crate::subject::{ACCESS, CANARY, CLIENT_SECRET, CODE, PERSON, REFRESH, Subject};
use crate::verdict::{Check, Stop, Verdict, wait};
use crate::wire::{self, answering};

pub(crate) const CHECKS: &[Check] = &[
    ("shows_no_secret_in_an_error", |subject| wait(answers(subject))),
    ("shows_no_secret_that_the_platform_repeats_in_its_words", |subject| wait(echoes(subject))),
    ("shows_no_secret_of_a_callback", |subject| wait(callbacks(subject))),
    ("shows_no_query_of_a_redirect_uri", |subject| wait(redirect_uri(subject))),
    ("shows_no_secret_in_what_it_hands_over", |subject| wait(values(subject))),
];

/// Statuses of which each takes another way through the code.
const STATUSES: [u16; 9] = [200, 204, 302, 400, 401, 403, 404, 429, 503];

fn check(what: impl Debug, pending: Option<&PendingFlow>) {
    let shown = format!("{what:?}");
    assert!(!shown.contains(CANARY), "a secret is shown: {shown}");
    let fresh = pending.iter().flat_map(|pending| [Some(&pending.state), pending.verifier.as_ref()]).flatten();
    for secret in fresh.map(Secret::expose) {
        assert!(!shown.contains(secret), "the state or the verifier is shown: {shown}");
    }
    assert!(!shown.contains("?code="), "a URL is shown with its query: {shown}");
}

fn check_error(error: &Error, pending: Option<&PendingFlow>) {
    check((error, error.to_string(), error.message(), error.code(), error.log_id()), pending);
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        check((cause, cause.to_string()), pending);
        source = cause.source();
    }
}

/// Everything secret at once, as a careless platform writes it.
fn everything() -> String {
    format!("{ACCESS} {REFRESH} {CODE} {CLIENT_SECRET} https://app.example/callback?code={CODE}&state=1")
}

/// Bodies with secrets where no pointer points.
fn bodies(subject: &Subject) -> Vec<String> {
    let mut bodies = vec![format!("<html>{}</html>", everything()), everything(), json!([everything()]).to_string()];
    for mut body in [json!({}), subject.oauth_error("invalid_grant", ""), subject.oauth_error("strange", "words")] {
        plant(&mut body, "/debug/request", everything().into());
        bodies.push(body.to_string());
    }
    if let Ok(mut body) = subject.api_error("strange", "words") {
        plant(&mut body, "/debug/request", everything().into());
        bodies.push(body.to_string());
    }
    bodies
}

/// The same with secrets in the headers.
fn hostile(status: u16, body: &str) -> Result<Response<Vec<u8>>, Stop> {
    let url = format!("https://app.example/callback?code={CANARY}");
    let kind = format!("text/html; token={CANARY}");
    let names = ["location", "retry-after", "www-authenticate", "set-cookie", "x-request-id"];
    let headers: Vec<(&str, &str)> =
        names.iter().map(|name| (*name, url.as_str())).chain([("content-type", kind.as_str())]).collect();
    Ok(wire::answer(status, &headers, body)?)
}

/// Shows every error that an answer leads to.
async fn show(subject: &Subject, answer: &Response<Vec<u8>>) -> Verdict {
    let cx = answering(answer.clone());
    let session = subject.session(subject.grant());
    if subject.oauth().token.is_some() {
        let (_, pending) = subject.begin(&cx, &subject.app(), Purpose::Connect).await?;
        let grant = subject.connector.oauth().complete(&cx, &subject.app(), &pending, &callback(&pending)).await;
        grant.err().iter().for_each(|error| check_error(error, Some(&pending)));
        show_pure(subject, answer);
    }
    let accounts = subject.connector.accounts().accounts(&cx, &session).await;
    accounts.err().iter().for_each(|error| check_error(error, None));
    if let Some(metrics) = subject.connector.account_metrics() {
        let report = metrics.account_metrics(&cx, &session, PERSON).await;
        report.err().iter().for_each(|error| check_error(error, None));
    }
    Ok(())
}

fn show_pure(subject: &Subject, answer: &Response<Vec<u8>>) {
    let raw = RawAnswer {
        status: answer.status().as_u16(),
        headers: answer.headers().clone(),
        body: answer.body().clone(),
        sent_at: noon(),
    };
    check(&raw, None);
    let refresh = subject.connector.oauth().read_refresh(&raw);
    check(&refresh, None);
    match &refresh {
        RefreshOutcome::Refreshed(_) => {}
        RefreshOutcome::Unreadable(error)
        | RefreshOutcome::Rejected(error)
        | RefreshOutcome::AppFault(error)
        | RefreshOutcome::Refused(error)
        | RefreshOutcome::NotProcessed(error)
        | RefreshOutcome::InDoubt(error) => check_error(error, None),
    }
    if let RevokeOutcome::Retry(error) | RevokeOutcome::Refused(error) = subject.connector.oauth().read_revoke(&raw) {
        check_error(&error, None);
    }
}

async fn answers(subject: &Subject) -> Verdict {
    for body in bodies(subject) {
        for status in STATUSES {
            show(subject, &hostile(status, &body)?).await?;
            show(subject, &wire::answer(status, &[], &body)?).await?;
        }
    }
    Ok(())
}

/// `Invalid refresh token: <the token>` is what some authorization servers say.
async fn echoes(subject: &Subject) -> Verdict {
    for secret in [ACCESS, REFRESH, CODE] {
        let words = format!("Invalid token: {secret}");
        let api: Option<Value> = subject.api_error("strange", &words).ok();
        for body in [Some(subject.oauth_error("invalid_grant", &words)), api].into_iter().flatten() {
            for status in [200, 400, 503] {
                show(subject, &hostile(status, &body.to_string())?).await?;
            }
        }
    }
    Ok(())
}

async fn callbacks(subject: &Subject) -> Verdict {
    subject.authorize()?;
    let (cx, app) = (FakeTransport::default().context(), subject.app());
    let (_, pending) = subject.begin(&cx, &app, Purpose::Connect).await?;
    for query in [
        format!("code={CANARY}&state={CANARY}"),
        format!("code={CANARY}&code={CANARY}&state={}", pending.state.expose()),
        format!("error=strange&code={CANARY}&state={CANARY}&token={CANARY}"),
        format!("access_token={CANARY}"),
    ] {
        let params = CallbackParams::from_query(&query);
        check(&params, Some(&pending));
        let error = subject.connector.oauth().complete(&cx, &app, &pending, &params).await.err().ok_or("a grant")?;
        check_error(&error, Some(&pending));
    }
    Ok(())
}

async fn redirect_uri(subject: &Subject) -> Verdict {
    let mut request = subject.request(Purpose::Connect)?;
    request.redirect_uri = format!("{}?code={CANARY}#access_token={CANARY}", request.redirect_uri).parse()?;
    let begun = subject.connector.oauth().begin(&FakeTransport::default().context(), &subject.app(), &request).await;
    check_error(&begun.err().ok_or("a redirect URI with a query was taken")?, None);
    Ok(())
}

async fn values(subject: &Subject) -> Verdict {
    let cx = FakeTransport::default().context();
    let begun = subject.connector.oauth().begin(&cx, &subject.app(), &subject.request(Purpose::Connect)?).await?;
    check((&begun, &begun.pending), Some(&begun.pending));
    check((subject.app(), subject.grant(), subject.session(subject.grant())), None);
    if subject.oauth().token.is_some() {
        let oauth = subject.connector.oauth();
        check(
            (
                oauth.refresh_request(&subject.app(), &subject.grant()),
                oauth.revoke_request(&subject.app(), &subject.grant()),
            ),
            None,
        );
    }
    Ok(())
}
