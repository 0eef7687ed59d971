//! What a platform's refusals mean.

use connector_core::oauth::RefreshOutcome;
use connector_core::{Error, ErrorKind};
use jiff::SignedDuration;
use serde_json::Value;

use crate::answers::{noon, raw};
use crate::subject::{PERSON, Subject};
use crate::verdict::{Check, Stop, Verdict, wait};
use crate::wire::{answer, answering};

pub(crate) const CHECKS: &[Check] = &[
    ("reads_every_error_code_of_its_table", |subject| wait(table(subject))),
    ("keeps_a_code_it_does_not_know", |subject| wait(unknown(subject))),
    ("classes_an_error_without_a_code_by_its_status", |subject| wait(status(subject))),
    ("honours_retry_after", |subject| wait(retry_after(subject))),
    ("honours_retry_after_at_the_token_endpoint", token_retry_after),
];

/// The error that an answer of the metrics endpoint becomes.
async fn error(subject: &Subject, status: u16, headers: &[(&'static str, &str)], body: &str) -> Result<Error, Stop> {
    let cx = answering(answer(status, headers, body)?);
    let report = subject.metrics()?.account_metrics(&cx, &subject.session(subject.grant()), PERSON).await;
    Ok(report.err().ok_or("an error became a report")?)
}

/// A code as the platform may write it: as text, and as a number where it is one.
fn spellings(code: &str) -> impl Iterator<Item = Value> {
    [Some(Value::from(code)), code.parse::<i64>().ok().map(Value::from)].into_iter().flatten()
}

async fn table(subject: &Subject) -> Verdict {
    for (code, word) in &subject.linked.protocol().api_errors.kinds {
        for spelling in spellings(code) {
            for status in [200, 400, 429, 500] {
                let error =
                    error(subject, status, &[], &subject.api_error(spelling.clone(), "words")?.to_string()).await?;
                assert_eq!(
                    (error.kind().as_str(), error.code()),
                    (word.as_str(), Some(code.as_str())),
                    "status {status}"
                );
            }
        }
    }
    Ok(())
}

async fn unknown(subject: &Subject) -> Verdict {
    for (status, kind) in [(400, "rejected"), (403, "rejected"), (429, "rate_limited"), (503, "unavailable")] {
        let error =
            error(subject, status, &[], &subject.api_error("never_heard_of", "some words")?.to_string()).await?;
        assert_eq!((error.kind().as_str(), error.code()), (kind, Some("never_heard_of")), "status {status}");
        if !subject.linked.protocol().api_errors.message.is_empty() {
            assert!(error.message().contains("some words"), "the platform's words are lost: {error}");
        }
    }
    Ok(())
}

async fn status(subject: &Subject) -> Verdict {
    for (status, kind) in
        [(400, "rejected"), (404, "rejected"), (429, "rate_limited"), (500, "unavailable"), (503, "unavailable")]
    {
        for body in ["{}", "", "<html>"] {
            let error = error(subject, status, &[], body).await?;
            assert_eq!(error.kind().as_str(), kind, "HTTP {status} with {body:?}");
        }
    }
    Ok(())
}

async fn retry_after(subject: &Subject) -> Verdict {
    let kinds = &subject.linked.protocol().api_errors.kinds;
    let mut bodies = vec![String::new(), "{}".to_owned()];
    for (code, _) in kinds.iter().filter(|(_, word)| *word == "rate_limited") {
        bodies.push(subject.api_error(code.as_str(), "words")?.to_string());
    }
    for body in bodies {
        for (value, seconds) in [("7", 7), ("Sun, 22 Nov 2026 12:01:00 GMT", 60)] {
            let error = error(subject, 429, &[("retry-after", value)], &body).await?;
            let retry_at = Some(noon() + SignedDuration::from_secs(seconds));
            assert_eq!(*error.kind(), ErrorKind::RateLimited { retry_at }, "{value} with {body:?}");
        }
    }
    Ok(())
}

fn token_retry_after(subject: &Subject) -> Verdict {
    subject.token()?;
    let mut answer = raw(429, "");
    answer.headers.insert("retry-after", "7".parse()?);
    match subject.connector.oauth().read_refresh(&answer) {
        RefreshOutcome::NotProcessed(error) => {
            assert_eq!(*error.kind(), ErrorKind::RateLimited { retry_at: Some(noon() + SignedDuration::from_secs(7)) });
            Ok(())
        }
        other => Err(format!("{other:?}").into()),
    }
}
