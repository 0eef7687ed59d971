//! Counts of an account, and honest reasons where there are none.

use std::collections::{BTreeMap, BTreeSet};

use connector_core::account::Session;
use connector_core::config::Target;
use connector_core::grant::Grant;
use connector_core::metrics::{Cell, MetricName, Missing, Report};
use connector_core::scope::ScopeStatus;
use connector_core::testing::FakeTransport;
use connector_core::{Error, ErrorKind, Scope, ScopeSet};
use serde_json::{Value, json};

use crate::answers::noon;
use crate::subject::{PERSON, Subject};
use crate::verdict::{Check, Stop, Verdict, offered, wait};

pub(crate) const CHECKS: &[Check] = &[
    ("reads_every_metric_it_offers_in_one_call", |subject| wait(reads(subject))),
    ("takes_0_for_a_number", |subject| wait(zero(subject))),
    ("takes_null_and_absent_for_missing", |subject| wait(absent(subject))),
    ("takes_text_that_is_no_number_for_missing", |subject| wait(garbage(subject))),
    ("asks_for_no_field_of_a_missing_scope_and_says_why", |subject| wait(one_missing(subject))),
    ("sends_nothing_when_all_scopes_are_missing", |subject| wait(all_missing(subject))),
    ("never_takes_an_error_for_a_number", |subject| wait(errors(subject))),
    ("puts_an_account_id_into_the_path_as_one_segment", |subject| wait(account_id(subject))),
];

async fn read(
    subject: &Subject,
    transport: &FakeTransport,
    session: &Session,
    account_id: &str,
) -> Result<Result<Report, Error>, Stop> {
    Ok(subject.metrics()?.account_metrics(&transport.context(), session, account_id).await)
}

/// The report under a full grant, with this value for each count.
async fn report(subject: &Subject, value: impl Fn() -> Option<Value>) -> Result<Report, Stop> {
    let transport = FakeTransport::default();
    transport.answer(
        200,
        subject.endpoint_body(subject.metrics_endpoint()?, |target| count(target).and_then(|_| value()))?.to_string(),
    );
    Ok(read(subject, &transport, &subject.session(subject.grant()), PERSON).await??)
}

fn count(target: &Target) -> Option<&MetricName> {
    match target {
        Target::Metric(name) | Target::Custom(name) => Some(name),
        Target::Profile(_) => None,
    }
}

/// One more than a float can hold.
const EXACT: i64 = 9_007_199_254_740_993;

/// Whole numbers may be written as text, where the catalogue says that they are counts.
async fn reads(subject: &Subject) -> Verdict {
    let written = |target: &Target, text| match target {
        Target::Metric(_) if text => Some(json!(EXACT.to_string())),
        _ => count(target).map(|_| json!(EXACT)),
    };
    let expected: BTreeMap<_, _> =
        subject.metrics()?.offered().into_iter().map(|name| (name, Cell::Value(EXACT))).collect();
    for text in [false, true] {
        let body = subject.endpoint_body(subject.metrics_endpoint()?, |target| written(target, text))?;
        let transport = FakeTransport::default();
        transport.answer(200, body.to_string());
        let report = read(subject, &transport, &subject.session(subject.grant()), PERSON).await??;
        assert_eq!(report.observed_at, noon());
        assert_eq!(report.cells, expected, "not one digit is lost");
        assert_eq!(transport.sent().len(), 1);
    }
    Ok(())
}

async fn zero(subject: &Subject) -> Verdict {
    let cells = report(subject, || Some(json!(0))).await?.cells;
    assert!(cells.values().all(|cell| *cell == Cell::Value(0)), "{cells:?}");
    Ok(())
}

async fn absent(subject: &Subject) -> Verdict {
    for value in [Some(Value::Null), None] {
        let cells = report(subject, || value.clone()).await?.cells;
        let offered: BTreeSet<MetricName> = subject.metrics()?.offered().into_iter().collect();
        assert_eq!(cells.keys().cloned().collect::<BTreeSet<_>>(), offered, "each metric has its cell");
        assert!(cells.values().all(|cell| *cell == Cell::Missing(Missing::NotOffered)), "{value:?}: {cells:?}");
    }
    Ok(())
}

async fn garbage(subject: &Subject) -> Verdict {
    for value in [json!("many"), json!(""), json!(1.5), json!(-0.5), json!([1]), json!(true)] {
        let cells = report(subject, || Some(value.clone())).await?.cells;
        assert!(cells.values().all(|cell| !matches!(cell, Cell::Value(_))), "{value}: {cells:?}");
    }
    Ok(())
}

/// The fields a request asked for, where the platform is told.
fn asked(subject: &Subject, transport: &FakeTransport, endpoint: &str) -> Result<Option<BTreeSet<String>>, Stop> {
    let Some(facts) = &subject.linked.protocol().endpoint(endpoint)?.fields else { return Ok(None) };
    let sent = transport.sent();
    let list = sent[0].url.query_pairs().find(|(name, _)| *name == facts.param).map(|(_, list)| list.into_owned());
    Ok(Some(list.unwrap_or_default().split(&facts.separator).map(str::to_owned).collect()))
}

async fn one_missing(subject: &Subject) -> Verdict {
    let everything = subject.grant().scopes.requested;
    for scope in subject.counting_scopes()? {
        let mut rest = everything.clone();
        rest.remove(&scope);
        for (requested, status) in [(&everything, ScopeStatus::NotGranted), (&rest, ScopeStatus::NeverAsked)] {
            without(subject, &scope, status, subject.grant_of(requested.clone(), rest.clone())).await?;
        }
    }
    Ok(())
}

async fn without(subject: &Subject, scope: &Scope, status: ScopeStatus, grant: Grant) -> Verdict {
    let endpoint = subject.metrics_endpoint()?;
    let transport = FakeTransport::default();
    transport.answer(200, subject.endpoint_body(endpoint, |target| count(target).map(|_| json!(1)))?.to_string());
    let report = read(subject, &transport, &subject.session(grant), PERSON).await?;
    if subject.settings.catalogue.fields(endpoint).all(|(needed, ..)| needed == scope) {
        assert_eq!(report.err().map(|error| error.kind().as_str()), Some("missing_scopes"), "{scope} is all there is");
        return Ok(());
    }
    check_missing(subject, &report?, scope, status, asked(subject, &transport, endpoint)?.as_ref())
}

/// The metrics of a missing scope name it and its status, the others have values, and only those were asked for.
fn check_missing(
    subject: &Subject,
    report: &Report,
    scope: &Scope,
    status: ScopeStatus,
    asked: Option<&BTreeSet<String>>,
) -> Verdict {
    let catalogue = &subject.settings.catalogue;
    let endpoint = subject.metrics_endpoint()?;
    let others = |name: &str| catalogue.fields(endpoint).any(|(other, field, _)| other != scope && field == name);
    for (needed, field, target) in catalogue.fields(endpoint) {
        let withheld = needed == scope && !others(field);
        if let Some(asked) = asked.filter(|_| !field.starts_with('/')) {
            assert_eq!(asked.contains(field), !withheld, "without {scope} the field {field}");
        }
        if let Some(name) = count(target) {
            let expected =
                if withheld { Cell::Missing(Missing::Scope { scope: scope.clone(), status }) } else { Cell::Value(1) };
            assert_eq!(report.cells.get(name), Some(&expected), "without {scope} the metric {name}");
        }
    }
    Ok(())
}

async fn all_missing(subject: &Subject) -> Verdict {
    let endpoint = subject.metrics_endpoint()?;
    let needed: ScopeSet = subject.settings.catalogue.fields(endpoint).map(|(scope, ..)| scope.clone()).collect();
    let everything = subject.grant().scopes.requested;
    let session =
        subject.session(subject.grant_of(everything.clone(), everything.difference(&needed).cloned().collect()));
    let transport = FakeTransport::default();
    let error = read(subject, &transport, &session, PERSON).await?.err().ok_or("a report without a scope")?;
    assert_eq!(*error.kind(), ErrorKind::MissingScopes { scopes: needed });
    assert!(transport.sent().is_empty(), "a call whose scopes are missing left");
    Ok(())
}

async fn errors(subject: &Subject) -> Verdict {
    subject.metrics_endpoint()?;
    for (status, body) in
        [(200, ""), (200, "[]"), (200, "null"), (204, ""), (302, ""), (403, "{}"), (500, "{}"), (503, "<html>")]
    {
        let transport = FakeTransport::default();
        transport.answer(status, body);
        let report = read(subject, &transport, &subject.session(subject.grant()), PERSON).await?;
        assert!(report.is_err(), "HTTP {status} with {body:?} became {report:?}");
    }
    Ok(())
}

async fn account_id(subject: &Subject) -> Verdict {
    let endpoint = subject.linked.protocol().endpoint(subject.metrics_endpoint()?)?;
    offered(endpoint.at.path.contains("{account_id}").then_some(()), "the account's id is not in the path")?;
    for id in ["plain", "a/b", "a?b=c", "a#b", "50% more", "%2F", "ünï", "a&b=c+d"] {
        let transport = FakeTransport::default();
        transport.answer(200, "{}");
        drop(read(subject, &transport, &subject.session(subject.grant()), id).await?);
        let url = &transport.sent()[0].url;
        assert_eq!(url.path().split('/').count(), endpoint.at.path.split('/').count(), "{id}: {url}");
        assert_eq!((url.query(), url.fragment()), (None, None), "{id}: {url}");
    }
    Ok(())
}
