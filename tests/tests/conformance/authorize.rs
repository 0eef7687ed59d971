//! The first step of a flow: the URL a person opens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use connector_core::app::Pkce;
use connector_core::oauth::{Purpose, challenge};
use connector_core::testing::FakeTransport;
use connector_core::{Context, Secret};
use url::Url;

use crate::subject::{CANARY, CLIENT_ID, Subject};
use crate::verdict::{Check, Verdict, wait};

pub(crate) const CHECKS: &[Check] = &[
    ("sends_a_person_to_the_platforms_own_page", |subject| wait(own_page(subject))),
    ("asks_for_each_scope_once_in_order", |subject| wait(scopes(subject))),
    ("sends_the_standards_parameters_once_by_the_platforms_names", |subject| wait(parameters(subject))),
    ("writes_the_pkce_challenge_as_declared_and_never_plain", |subject| wait(pkce(subject))),
    ("puts_no_secret_into_the_authorize_url", |subject| wait(no_secret(subject))),
    ("never_repeats_a_state_or_a_verifier", |subject| wait(distinct(subject))),
    ("asks_again_with_what_shows_the_consent_page", |subject| wait(reauthorize(subject))),
    ("takes_time_and_chance_from_the_context_alone", |subject| wait(deterministic(subject))),
    ("refuses_to_ask_for_nothing", |subject| wait(nothing(subject))),
];

async fn url(subject: &Subject) -> Result<Url, crate::verdict::Stop> {
    let cx = FakeTransport::default().context();
    Ok(subject.begin(&cx, &subject.app(), Purpose::Connect).await?.0)
}

/// The parameters, each of which is there once.
fn query(url: &Url) -> BTreeMap<String, String> {
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let query: BTreeMap<String, String> = pairs.iter().cloned().collect();
    assert_eq!(query.len(), pairs.len(), "a parameter is there twice");
    query
}

async fn own_page(subject: &Subject) -> Verdict {
    let at = &subject.authorize()?.at;
    let url = url(subject).await?;
    let base = &subject.linked.protocol().base_urls[&at.base];
    assert_eq!(url.scheme(), "https");
    assert_eq!((url.origin(), url.path()), (base.origin(), at.path.as_str()));
    assert_eq!((url.username(), url.password(), url.fragment()), ("", None, None));
    Ok(())
}

async fn scopes(subject: &Subject) -> Verdict {
    subject.authorize()?;
    let facts = subject.oauth();
    let query = query(&url(subject).await?);
    let asked: Vec<&str> = query[&facts.names.scope].split(facts.scope_separator.as_deref().unwrap_or(" ")).collect();
    let wanted: Vec<String> = subject.app().wanted.requested().iter().map(ToString::to_string).collect();
    assert_eq!(asked, wanted);
    Ok(())
}

async fn parameters(subject: &Subject) -> Verdict {
    subject.authorize()?;
    let names = &subject.oauth().names;
    let cx = FakeTransport::default().context();
    let (url, pending) = subject.begin(&cx, &subject.app(), Purpose::Connect).await?;
    let query = query(&url);
    assert_eq!(query[&names.client_id], CLIENT_ID);
    assert_eq!(query["response_type"], "code");
    assert_eq!(query["redirect_uri"], pending.redirect_uri.as_str());
    assert!(pending.state.matches(&query["state"]), "the state sent is not the one that is kept");
    for (name, standard) in [(&names.client_id, "client_id"), (&names.scope, "scope")] {
        assert_eq!(query.contains_key(standard), name == standard, "`{standard}` is called `{name}` here");
    }
    Ok(())
}

async fn pkce(subject: &Subject) -> Verdict {
    subject.authorize()?;
    let cx = FakeTransport::default().context();
    for set in [None, Some(Pkce::Base64url), Some(Pkce::Hex), Some(Pkce::Off)] {
        let mut app = subject.app();
        app.pkce = set;
        let (url, pending) = subject.begin(&cx, &app, Purpose::Connect).await?;
        let query = query(&url);
        let expected =
            pending.verifier.as_ref().and_then(|verifier| challenge(set.unwrap_or(subject.pkce()), verifier));
        assert_eq!(query.get("code_challenge"), expected.as_ref(), "{set:?}");
        assert_eq!(query.get("code_challenge_method").map(String::as_str), expected.map(|_| "S256"), "{set:?}");
        assert_eq!(pending.verifier.is_some(), set.unwrap_or(subject.pkce()) != Pkce::Off, "{set:?}");
    }
    Ok(())
}

async fn no_secret(subject: &Subject) -> Verdict {
    let cx = FakeTransport::default().context();
    let (url, pending) = subject.begin(&cx, &subject.app(), Purpose::Connect).await?;
    assert!(!url.as_str().contains(CANARY), "the client secret is in the URL");
    let verifier = pending.verifier.as_ref().map_or("(none)", Secret::expose);
    assert!(!url.as_str().contains(verifier), "the verifier is in the URL");
    Ok(())
}

async fn distinct(subject: &Subject) -> Verdict {
    const FLOWS: usize = 10_000;
    // With the randomness of this machine.
    let cx = Context::system(Arc::new(FakeTransport::default()));
    let (mut states, mut verifiers) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..FLOWS {
        let (url, pending) = subject.begin(&cx, &subject.app(), Purpose::Connect).await?;
        shows_no_verifier(subject, &url, pending.verifier.as_ref());
        assert!(pending.state.expose().len() >= 22, "a state of fewer than 128 bits");
        states.insert(pending.state.expose().to_owned());
        verifiers.extend(pending.verifier.map(|verifier| verifier.expose().to_owned()));
    }
    assert_eq!(states.len(), FLOWS, "a state came twice");
    assert_eq!(verifiers.len(), if subject.pkce() == Pkce::Off { 0 } else { FLOWS }, "a verifier came twice");
    assert!(states.is_disjoint(&verifiers), "a state is a verifier");
    let legal = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    let fit = |verifier: &String| (43..=128).contains(&verifier.len()) && verifier.chars().all(legal);
    assert!(verifiers.iter().all(fit), "RFC 7636 section 4.1 allows no such verifier");
    Ok(())
}

/// What leaves is the challenge of this flow's own verifier, written as declared, and not the verifier.
fn shows_no_verifier(subject: &Subject, url: &Url, verifier: Option<&Secret>) {
    let (Some(verifier), query) = (verifier, query(url)) else { return };
    assert_eq!(query.get("code_challenge"), challenge(subject.pkce(), verifier).as_ref());
    assert_eq!(query.get("code_challenge_method").map(String::as_str), Some("S256"));
    assert!(!url.as_str().contains(verifier.expose()), "the verifier is in the URL");
}

async fn reauthorize(subject: &Subject) -> Verdict {
    let facts = subject.authorize()?;
    let cx = FakeTransport::default().context();
    let first = query(&subject.begin(&cx, &subject.app(), Purpose::Connect).await?.0);
    let again = query(&subject.begin(&cx, &subject.app(), Purpose::Reauthorize).await?.0);
    for (name, value) in &facts.extra {
        assert_eq!((first.get(name), again.get(name)), (Some(value), Some(value)), "{name}");
    }
    for (name, value) in &facts.reauthorize_extra {
        assert_eq!((first.get(name), again.get(name)), (facts.extra.get(name), Some(value)), "{name}");
    }
    Ok(())
}

async fn deterministic(subject: &Subject) -> Verdict {
    assert_eq!(url(subject).await?, url(subject).await?);
    Ok(())
}

async fn nothing(subject: &Subject) -> Verdict {
    subject.authorize()?;
    let mut request = subject.request(Purpose::Connect)?;
    request.scopes.clear();
    let begun = subject.connector.oauth().begin(&FakeTransport::default().context(), &subject.app(), &request).await;
    assert_eq!(begun.err().map(|error| error.kind().as_str()), Some("config"));
    Ok(())
}
