//! Whom a grant reaches.

use connector_core::account::{Account, FieldValue};
use connector_core::config::Target;
use connector_core::testing::FakeTransport;
use connector_core::{Error, ScopeSet};
use serde_json::{Value, json};

use crate::subject::{ACCESS, PERSON, Subject};
use crate::verdict::{Check, Stop, Verdict, wait};
use crate::wire::header;

pub(crate) const CHECKS: &[Check] = &[
    ("reads_accounts_with_their_raw_ids_and_profiles", |subject| wait(reads(subject))),
    ("never_takes_an_error_for_no_accounts", |subject| wait(errors(subject))),
    ("refuses_an_account_without_its_id", |subject| wait(no_id(subject))),
    ("reads_no_accounts_that_the_scopes_do_not_allow", |subject| wait(no_scopes(subject))),
];

async fn accounts(subject: &Subject, status: u16, body: impl ToString) -> Result<Vec<Account>, Error> {
    let transport = FakeTransport::default();
    transport.answer(status, body.to_string());
    subject.connector.accounts().accounts(&transport.context(), &subject.session(subject.grant())).await
}

/// A text for every field of a profile.
fn texts(target: &Target) -> Option<Value> {
    matches!(target, Target::Profile(_)).then(|| json!("text"))
}

async fn reads(subject: &Subject) -> Verdict {
    let endpoint = subject.accounts_endpoint()?;
    let accounts = accounts(subject, 200, subject.endpoint_body(endpoint, texts)?).await?;
    let [account] = &accounts[..] else { return Err(format!("{} accounts instead of one", accounts.len()).into()) };
    assert_eq!(account.id, PERSON);
    for (.., target) in subject.settings.catalogue.fields(endpoint) {
        if let Target::Profile(name) = target {
            let expected = if name == "id" { PERSON } else { "text" };
            assert_eq!(account.profile.get(name), Some(&FieldValue::Text(expected.to_owned())), "{name}");
        }
    }
    Ok(())
}

async fn errors(subject: &Subject) -> Verdict {
    subject.accounts_endpoint()?;
    for (status, body, kind) in [
        (200, "", "protocol"),
        (200, "{}", "protocol"),
        (401, "", "rejected"),
        (429, "", "rate_limited"),
        (500, "{}", "unavailable"),
    ] {
        let error = accounts(subject, status, body).await.err().map(|error| error.kind().as_str());
        assert_eq!(error, Some(kind), "HTTP {status} with {body:?}");
    }
    Ok(())
}

async fn no_id(subject: &Subject) -> Verdict {
    let endpoint = subject.accounts_endpoint()?;
    let body = subject.endpoint_body(endpoint, texts)?.to_string();
    for nothing in ["null", "\"\""] {
        let body = body.replace(&json!(PERSON).to_string(), nothing);
        assert_eq!(
            accounts(subject, 200, body).await.err().map(|error| error.kind().as_str()),
            Some("protocol"),
            "an id of {nothing}"
        );
    }
    Ok(())
}

async fn no_scopes(subject: &Subject) -> Verdict {
    let fields = subject.settings.catalogue.fields(subject.accounts_endpoint()?);
    let needed: ScopeSet =
        fields.filter(|(.., target)| matches!(target, Target::Profile(_))).map(|(scope, ..)| scope.clone()).collect();
    if needed.is_empty() {
        return Err(Stop::Skipped("no scope unlocks its accounts"));
    }
    let asked = subject.grant().scopes.requested;
    let granted = asked.difference(&needed).cloned().collect();
    let transport = FakeTransport::default();
    let session = subject.session(subject.grant_of(asked, granted));
    let error = subject
        .connector
        .accounts()
        .accounts(&transport.context(), &session)
        .await
        .err()
        .ok_or("accounts without a scope")?;
    assert_eq!(error.kind().as_str(), "missing_scopes");
    assert!(transport.sent().is_empty(), "a call whose scopes are missing left");

    transport.answer(200, "{}");
    drop(subject.connector.accounts().accounts(&transport.context(), &subject.session(subject.grant())).await);
    assert_eq!(header(&transport.sent()[0], &http::header::AUTHORIZATION), format!("Bearer {ACCESS}"));
    Ok(())
}
