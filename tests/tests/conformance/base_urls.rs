//! A grant goes nowhere but to where it was made.

use connector_core::grant::{BaseUrls, Grant};
use connector_core::http::Request;
use connector_core::testing::FakeTransport;

use crate::subject::Subject;
use crate::verdict::{Check, Stop, Verdict, wait};

pub(crate) const CHECKS: &[Check] = &[
    ("refreshes_a_grant_where_it_was_made", refresh),
    ("revokes_a_grant_where_it_was_made", revoke),
    ("reads_with_a_grant_where_it_was_made", |subject| wait(read(subject))),
];

/// A grant made at a stand-in, under an app that now talks to the platform itself.
fn grant(subject: &Subject) -> Result<Grant, Stop> {
    let mut grant = subject.grant();
    grant.base_urls = grant
        .base_urls
        .keys()
        .map(|name| Ok((name.clone(), "http://127.0.0.1:9".parse()?)))
        .collect::<Result<BaseUrls, Stop>>()?;
    Ok(grant)
}

fn check(request: &Request) {
    assert_eq!(
        request.url.host_str(),
        Some("127.0.0.1"),
        "a grant's token is sent to another host than it was made with"
    );
}

fn refresh(subject: &Subject) -> Verdict {
    subject.token()?;
    // An error keeps the token at home as well.
    if let Ok(request) = subject.connector.oauth().refresh_request(&subject.app(), &grant(subject)?) {
        check(&request);
    }
    Ok(())
}

fn revoke(subject: &Subject) -> Verdict {
    subject.revoke()?;
    if let Ok(request) = subject.connector.oauth().revoke_request(&subject.app(), &grant(subject)?) {
        check(&request);
    }
    Ok(())
}

async fn read(subject: &Subject) -> Verdict {
    let transport = FakeTransport::default();
    transport.answer(500, "").answer(500, "");
    let session = subject.session(grant(subject)?);
    let accounts = subject.connector.accounts().accounts(&transport.context(), &session).await;
    assert!(accounts.is_err(), "an answer of HTTP 500 became accounts");
    if let Some(metrics) = subject.connector.account_metrics() {
        let report = metrics.account_metrics(&transport.context(), &session, "1").await;
        assert!(report.is_err(), "an answer of HTTP 500 became metrics");
    }
    transport.sent().iter().for_each(check);
    Ok(())
}
