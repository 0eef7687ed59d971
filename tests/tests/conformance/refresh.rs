//! A grant is kept alive.

use connector_core::Secret;
use connector_core::grant::Grant;
use connector_core::http::{RawAnswer, Request, Retries};
use connector_core::oauth::{RefreshClass, RefreshOutcome};
use connector_core::scope::Granted;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::answers::{plant, raw};
use crate::exchange::{check_authentication, content_type};
use crate::subject::{REFRESH, Subject};
use crate::verdict::{Check, Stop, Verdict};
use crate::wire::{fields, header, whole};

pub(crate) const CHECKS: &[Check] = &[
    ("declares_what_a_refresh_does_to_its_token", class),
    ("posts_a_refresh_token_with_its_odd_characters_once", request),
    ("has_nothing_to_refresh_without_a_refresh_token", nothing),
    ("takes_a_new_refresh_token_and_keeps_the_old_one_otherwise", replaces),
    ("takes_over_what_a_refresh_says_of_scopes", scopes),
    ("tells_a_dead_refresh_token_from_a_rejected_app", rejected),
    ("never_calls_a_refresh_in_doubt_safe_to_repeat", in_doubt),
    ("keeps_a_refresh_it_cannot_read_and_that_holds_a_refresh_token", unreadable),
];

/// Skips platforms without refresh tokens.
fn refreshes(subject: &Subject) -> Result<(), Stop> {
    subject.token()?;
    match subject.connector.oauth().refresh_class() {
        RefreshClass::None => Err(Stop::Skipped("the platform has no refresh")),
        RefreshClass::Extension { .. } => Err(Stop::Skipped("the platform prolongs the access token instead")),
        RefreshClass::RotatingStrict | RefreshClass::RotatingGrace { .. } | RefreshClass::NonRotating => Ok(()),
    }
}

fn request_for(subject: &Subject) -> Result<Request, Stop> {
    refreshes(subject)?;
    Ok(subject.connector.oauth().refresh_request(&subject.app(), &subject.grant())?)
}

fn outcome(subject: &Subject, answer: &RawAnswer) -> Result<&'static str, Stop> {
    refreshes(subject)?;
    Ok(match subject.connector.oauth().read_refresh(answer) {
        RefreshOutcome::Refreshed(_) => "refreshed",
        RefreshOutcome::Unreadable(_) => "unreadable",
        RefreshOutcome::Rejected(_) => "rejected",
        RefreshOutcome::AppFault(_) => "app_fault",
        RefreshOutcome::Refused(_) => "refused",
        RefreshOutcome::NotProcessed(_) => "not_processed",
        RefreshOutcome::InDoubt(_) => "in_doubt",
    })
}

/// The grant after a refresh with this answer.
fn refreshed(subject: &Subject, body: &Value) -> Result<Grant, Stop> {
    refreshes(subject)?;
    let RefreshOutcome::Refreshed(answer) = subject.connector.oauth().read_refresh(&raw(200, &body.to_string())) else {
        return Err(format!("this was not read as a refresh: {body}").into());
    };
    let mut grant = subject.grant();
    grant.take_refreshed(answer)?;
    Ok(grant)
}

fn class(subject: &Subject) -> Verdict {
    subject.token()?;
    assert_eq!(
        subject.connector.oauth().refresh_class(),
        subject.oauth().refresh.class,
        "platform.toml and the provider disagree"
    );
    if subject.oauth().refresh.class == RefreshClass::None {
        assert!(subject.connector.oauth().refresh_request(&subject.app(), &subject.grant()).is_err());
    }
    Ok(())
}

fn request(subject: &Subject) -> Verdict {
    let sent = request_for(subject)?;
    let (facts, fields) = (subject.token()?, fields(&sent));
    assert_eq!((sent.method.as_str(), sent.policy.retries), ("POST", Retries::Never));
    assert_eq!(sent.url, facts.at.under(&subject.app().base_urls)?);
    assert_eq!(header(&sent, &CONTENT_TYPE), content_type(facts.body));
    assert_eq!((fields["grant_type"].as_str(), fields["refresh_token"].as_str()), ("refresh_token", REFRESH));
    check_authentication(subject, &sent)?;
    assert_eq!(whole(&sent), whole(&request_for(subject)?), "the same grant sends the same request");
    Ok(())
}

fn nothing(subject: &Subject) -> Verdict {
    refreshes(subject)?;
    let mut grant = subject.grant();
    grant.tokens.refresh = None;
    let request = subject.connector.oauth().refresh_request(&subject.app(), &grant);
    assert_eq!(request.err().map(|error| error.kind().as_str()), Some("reauth_required"));
    Ok(())
}

fn replaces(subject: &Subject) -> Verdict {
    let pointer = &subject.token()?.answer.refresh_token;
    for (answered, kept) in
        [(json!("rft.new"), "rft.new"), (Value::Null, REFRESH), (json!(""), REFRESH), (json!("  "), REFRESH)]
    {
        let mut body = subject.token_body()?;
        plant(&mut body, &subject.token()?.answer.access_token, json!("act.new"));
        plant(&mut body, pointer, answered.clone());
        let tokens = refreshed(subject, &body)?.tokens;
        assert!(tokens.access.matches("act.new"));
        assert_eq!(tokens.refresh.as_ref().map(Secret::expose), Some(kept), "after an answer of {answered}");
    }
    let mut bare = json!({});
    plant(&mut bare, &subject.token()?.answer.access_token, json!("act.new"));
    assert!(
        refreshed(subject, &bare)?.tokens.refresh.is_some_and(|token| token.matches(REFRESH)),
        "after an answer without one"
    );
    Ok(())
}

fn scopes(subject: &Subject) -> Verdict {
    let pointer = &subject.token()?.answer.scope;
    let before = subject.grant().scopes;
    let Some(kept) = before.requested.first() else { return Err("the app asks for nothing".into()) };
    let mut body = subject.token_body()?;
    plant(&mut body, pointer, json!(kept.as_str()));
    let after = refreshed(subject, &body)?.scopes;
    assert_eq!(after.granted.scopes().map(|scopes| scopes.iter().collect()), Some(vec![kept]));
    assert_eq!(after.ever_granted, before.ever_granted);
    plant(&mut body, pointer, Value::Null);
    assert_eq!(
        refreshed(subject, &body)?.scopes.granted,
        before.granted,
        "an answer that names no scopes changes none"
    );
    assert_ne!(before.granted, Granted::Unknown);
    Ok(())
}

fn rejected(subject: &Subject) -> Verdict {
    for status in [200, 400, 401, 403] {
        let answer = |code: &str| raw(status, &subject.oauth_error(code, "words").to_string());
        assert_eq!(outcome(subject, &answer("invalid_grant"))?, "rejected", "status {status}");
        for code in ["invalid_client", "unauthorized_client"] {
            assert_eq!(outcome(subject, &answer(code))?, "app_fault", "{code} with status {status}");
        }
        for code in ["invalid_request", "unsupported_grant_type", "invalid_scope"] {
            assert_eq!(outcome(subject, &answer(code))?, "refused", "{code} with status {status}");
        }
    }
    Ok(())
}

fn in_doubt(subject: &Subject) -> Verdict {
    for status in [500, 502, 503, 504, 302, 307] {
        for body in ["", "<html>Bad gateway</html>", "{}"] {
            assert_eq!(outcome(subject, &raw(status, body))?, "in_doubt", "HTTP {status} with {body:?}");
        }
    }
    for code in ["server_error", "temporarily_unavailable"] {
        assert_eq!(outcome(subject, &raw(503, &subject.oauth_error(code, "words").to_string()))?, "in_doubt", "{code}");
    }
    assert_eq!(outcome(subject, &raw(429, "<html>Slow down</html>"))?, "not_processed");
    Ok(())
}

fn unreadable(subject: &Subject) -> Verdict {
    for body in ["", "<html>", "{}", "[]", "null"] {
        assert_eq!(outcome(subject, &raw(200, body))?, "in_doubt", "{body:?}");
    }
    let mut body = json!({});
    plant(&mut body, &subject.token()?.answer.refresh_token, json!("rft.new"));
    for body in [body.to_string(), json!({ "moved": body }).to_string()] {
        assert_eq!(outcome(subject, &raw(200, &body))?, "unreadable", "{body}");
    }
    Ok(())
}
