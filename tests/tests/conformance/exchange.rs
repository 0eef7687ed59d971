//! A code becomes a grant.

use std::sync::Arc;

use connector_core::grant::Grant;
use connector_core::http::{Request, Retries};
use connector_core::oauth::{CallbackParams, PendingFlow, Purpose};
use connector_core::platform::{ClientAuth, TokenBody};
use connector_core::scope::{Granted, GrantedSource};
use connector_core::testing::{CountingRandom, FakeClock, FakeTransport, MockHttpTransport};
use connector_core::{Context, ScopeSet, Secret};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use jiff::SignedDuration;
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use crate::answers::{noon, plant};
use crate::subject::{ACCESS, CLIENT_ID, CLIENT_SECRET, CODE, PERSON, REFRESH, Subject};
use crate::verdict::{Check, Stop, Verdict, offered, wait};
use crate::wire::{basic, fields, header, whole};

pub(crate) const CHECKS: &[Check] = &[
    ("posts_a_code_with_its_odd_characters_once", |subject| wait(request(subject))),
    ("authenticates_the_app_as_declared", |subject| wait(authentication(subject))),
    ("reads_tokens_scopes_and_person_of_an_exchange", |subject| wait(grant(subject))),
    ("counts_lifetimes_from_before_the_request_left", |subject| wait(expiry(subject))),
    ("reads_granted_scopes_in_every_form", |subject| wait(granted(subject))),
    ("assumes_no_scopes_that_the_platform_did_not_name", |subject| wait(unnamed(subject))),
    ("takes_an_error_in_a_200_for_an_error", |subject| wait(errors(subject))),
    ("classes_an_exchange_that_is_no_json_by_its_status", |subject| wait(no_json(subject))),
    ("takes_a_success_without_a_token_for_no_success", |subject| wait(no_token(subject))),
];

/// A flow that has come to its exchange.
pub(crate) struct Exchange {
    pub(crate) pending: PendingFlow,
    pub(crate) sent: Request,
    pub(crate) grant: connector_core::Result<Grant>,
}

/// The callback that brings a code to a pending flow.
pub(crate) fn callback(pending: &PendingFlow) -> CallbackParams {
    CallbackParams::from_query(
        &Serializer::new(String::new()).append_pair("code", CODE).append_pair("state", pending.state.expose()).finish(),
    )
}

/// Runs a flow up to an exchange with this answer.
pub(crate) async fn exchange(subject: &Subject, status: u16, body: impl ToString) -> Result<Exchange, Stop> {
    subject.token()?;
    let transport = FakeTransport::default();
    transport.answer(status, body.to_string());
    let (cx, app) = (transport.context(), subject.app());
    let (_, pending) = subject.begin(&cx, &app, Purpose::Connect).await?;
    let grant = subject.connector.oauth().complete(&cx, &app, &pending, &callback(&pending)).await;
    let sent = transport.sent();
    assert_eq!(sent.len(), 1, "an exchange is one request");
    Ok(Exchange { pending, sent: sent[0].clone(), grant })
}

async fn kind(subject: &Subject, status: u16, body: impl ToString) -> Result<&'static str, Stop> {
    Ok(exchange(subject, status, body).await?.grant.map_or_else(|error| error.kind().as_str(), |_| "a grant"))
}

async fn request(subject: &Subject) -> Verdict {
    let facts = subject.token()?;
    let exchange = exchange(subject, 200, subject.token_body()?).await?;
    let (sent, fields) = (&exchange.sent, fields(&exchange.sent));
    assert_eq!((sent.method.as_str(), sent.policy.retries), ("POST", Retries::Never));
    assert_eq!(sent.url, facts.at.under(&subject.app().base_urls)?, "the URL is the documented one, to its last slash");
    assert_eq!(header(sent, &CONTENT_TYPE), content_type(facts.body));
    assert_eq!((fields["grant_type"].as_str(), fields["code"].as_str()), ("authorization_code", CODE));
    assert_eq!(fields["redirect_uri"], exchange.pending.redirect_uri.as_str());
    assert_eq!(fields.get("code_verifier").map(String::as_str), exchange.pending.verifier.as_ref().map(Secret::expose));
    let again = self::exchange(subject, 200, subject.token_body()?).await?;
    assert_eq!(whole(sent), whole(&again.sent), "the same flow sends the same request");
    Ok(())
}

pub(crate) fn content_type(body: TokenBody) -> &'static str {
    match body {
        TokenBody::Form => "application/x-www-form-urlencoded",
        TokenBody::Json => "application/json",
    }
}

async fn authentication(subject: &Subject) -> Verdict {
    check_authentication(subject, &exchange(subject, 200, subject.token_body()?).await?.sent)
}

/// Id and secret are where the facts say, and nowhere else.
pub(crate) fn check_authentication(subject: &Subject, sent: &Request) -> Verdict {
    let (names, fields) = (&subject.oauth().names, fields(sent));
    let pair = (fields.get(&names.client_id).map(String::as_str), fields.get(&names.client_secret).map(String::as_str));
    match subject.token()?.client_auth {
        ClientAuth::Body => {
            assert_eq!(pair, (Some(CLIENT_ID), Some(CLIENT_SECRET)));
            assert_eq!(header(sent, &AUTHORIZATION), "");
        }
        ClientAuth::Basic => {
            assert_eq!(pair, (None, None));
            assert_eq!(basic(sent), Some((CLIENT_ID.to_owned(), CLIENT_SECRET.to_owned())));
            assert!(sent.headers[AUTHORIZATION].is_sensitive(), "the header is not marked as sensitive");
        }
    }
    for (name, standard) in [(&names.client_id, "client_id"), (&names.client_secret, "client_secret")] {
        assert!(name == standard || !fields.contains_key(standard), "`{standard}` is called `{name}` here");
    }
    Ok(())
}

async fn grant(subject: &Subject) -> Verdict {
    let exchange = exchange(subject, 200, subject.token_body()?).await?;
    let grant = exchange.grant?;
    let asked: ScopeSet = exchange.pending.requested.into_iter().collect();
    assert!(grant.tokens.access.matches(ACCESS) && grant.tokens.refresh.is_some_and(|token| token.matches(REFRESH)));
    assert_eq!(grant.subject.as_deref(), subject.token()?.answer.subject.as_ref().map(|_| PERSON));
    assert_eq!((&grant.scopes.requested, grant.scopes.granted.scopes()), (&asked, Some(&asked)));
    assert_eq!(grant.base_urls, subject.app().base_urls);
    Ok(())
}

async fn expiry(subject: &Subject) -> Verdict {
    let clock = FakeClock::default();
    let (answer, slow) = (subject.token_body()?.to_string().into_bytes(), clock.clone());
    let mut transport = MockHttpTransport::new();
    transport.expect_send().returning(move |_| {
        slow.advance(SignedDuration::from_secs(100));
        Ok(http::Response::new(answer.clone()))
    });
    let cx = Context::new(Arc::new(transport), Arc::new(clock), Arc::new(CountingRandom::default()));
    let (_, pending) = subject.begin(&cx, &subject.app(), Purpose::Connect).await?;
    let grant = subject.connector.oauth().complete(&cx, &subject.app(), &pending, &callback(&pending)).await?;
    assert_eq!(grant.tokens.access_expires_at, Some(noon() + SignedDuration::from_secs(7200)));
    assert_eq!(grant.tokens.refresh_expires_at, Some(noon() + SignedDuration::from_secs(86_400)));
    Ok(())
}

async fn granted(subject: &Subject) -> Verdict {
    let pointer = &subject.token()?.answer.scope;
    let all: Vec<String> = subject.app().wanted.requested().iter().map(ToString::to_string).collect();
    for names in [&all[..], &all[..1]] {
        let expected: ScopeSet = names.iter().filter_map(|name| name.parse().ok()).collect();
        for form in [json!(names.join(",")), json!(names.join(" ")), json!(names.join(", ")), json!(names)] {
            let mut body = subject.token_body()?;
            plant(&mut body, pointer, form.clone());
            let granted = exchange(subject, 200, body).await?.grant?.scopes.granted;
            assert_eq!(granted, Granted::Known { scopes: expected.clone(), source: GrantedSource::Token }, "{form}");
        }
    }
    Ok(())
}

async fn unnamed(subject: &Subject) -> Verdict {
    let mut body = subject.token_body()?;
    plant(&mut body, &subject.token()?.answer.scope, Value::Null);
    assert_eq!(exchange(subject, 200, body).await?.grant?.scopes.granted, Granted::Unknown);
    Ok(())
}

async fn errors(subject: &Subject) -> Verdict {
    subject.token()?;
    for (code, expected) in [
        ("invalid_grant", "invalid_callback"),
        ("invalid_client", "config"),
        ("invalid_request", "config"),
        ("server_error", "unavailable"),
    ] {
        for status in [200, 400, 401] {
            assert_eq!(
                kind(subject, status, subject.oauth_error(code, "words")).await?,
                expected,
                "{code} with status {status}"
            );
        }
    }
    Ok(())
}

async fn no_json(subject: &Subject) -> Verdict {
    for (status, expected) in
        [(200, "protocol"), (404, "rejected"), (429, "rate_limited"), (500, "unavailable"), (503, "unavailable")]
    {
        for body in ["<html>Oops</html>", "", "\"text"] {
            assert_eq!(kind(subject, status, body).await?, expected, "HTTP {status} with {body:?}");
        }
    }
    Ok(())
}

async fn no_token(subject: &Subject) -> Verdict {
    let pointer =
        &offered(subject.oauth().token.as_ref(), "its platform.toml describes no token endpoint")?.answer.access_token;
    for nothing in [Value::Null, json!(""), json!(" "), json!(7)] {
        let mut body = subject.token_body()?;
        plant(&mut body, pointer, nothing.clone());
        assert_eq!(kind(subject, 200, body).await?, "protocol", "an access token {nothing}");
    }
    Ok(())
}
