//! Whole flows, against the emulator.

use std::collections::BTreeSet;

use connector_core::emulator::Consent;
use connector_core::grant::Grant;
use connector_core::metrics::{Cell, Missing};
use connector_core::oauth::{RefreshClass, RefreshOutcome, RevokeOutcome};
use connector_core::scope::ScopeStatus;
use connector_core::{Scope, ScopeSet, Secret};
use jiff::SignedDuration;

use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::{Check, Stop, Verdict, offered, wait};

pub(crate) const CHECKS: &[Check] = &[
    ("connects_and_reads_its_accounts", |subject| wait(connects(subject))),
    ("reads_metrics_of_every_account", |subject| wait(reads(subject))),
    ("takes_a_no_for_a_no", |subject| wait(declined(subject))),
    ("does_without_a_scope_that_was_unticked", |subject| wait(unticked(subject))),
    ("exchanges_a_code_once", |subject| wait(once(subject))),
    ("proves_that_it_began_the_flow", |subject| wait(proof(subject))),
    ("tells_a_wrong_app_secret", |subject| wait(wrong_secret(subject))),
    ("goes_on_after_an_access_token_expired", |subject| wait(expires(subject))),
    ("refreshes_as_its_class_says", |subject| wait(class(subject))),
    ("is_locked_out_after_revoking", |subject| wait(revokes(subject))),
];

async fn first_account(stage: &Stage<'_>, grant: &Grant) -> Result<String, Stop> {
    Ok(stage.account_ids(grant).await?.into_iter().next().ok_or("no accounts")?)
}

/// The kind of the error with which the metrics are refused.
async fn locked_out(stage: &Stage<'_>, grant: &Grant, account: &str) -> Result<&'static str, Stop> {
    Ok(stage.metrics(grant, account).await?.map_or_else(|error| error.kind().as_str(), |_| "a report"))
}

async fn connects(subject: &Subject) -> Verdict {
    let stage = Stage::open(subject).await?;
    let grant = stage.grant().await?;
    let wanted: ScopeSet = subject.app().wanted.requested().into_iter().collect();
    assert_eq!(grant.scopes.requested, wanted);
    if let Some(granted) = grant.scopes.granted.scopes() {
        assert_eq!(*granted, wanted);
    }
    assert_eq!(grant.base_urls, stage.running.info.base_urls);
    assert_eq!(
        grant.subject.is_some(),
        subject.oauth().token.as_ref().is_some_and(|facts| facts.answer.subject.is_some())
    );
    let ids = stage.account_ids(&grant).await?;
    assert!(!ids.is_empty(), "no accounts");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an id came twice: {ids:?}");
    assert_eq!(stage.account_ids(&stage.grant().await?).await?, ids, "connecting again finds other accounts");
    Ok(())
}

async fn reads(subject: &Subject) -> Verdict {
    let offered: BTreeSet<_> = subject.metrics()?.offered().into_iter().collect();
    let stage = Stage::open(subject).await?;
    let grant = stage.grant().await?;
    for id in stage.account_ids(&grant).await? {
        let report = stage.metrics(&grant, &id).await??;
        assert_eq!(report.cells.keys().cloned().collect::<BTreeSet<_>>(), offered, "{id}");
        let fair = |cell: &Cell| matches!(cell, Cell::Value(_) | Cell::Missing(Missing::NotOffered | Missing::Hidden));
        assert!(report.cells.values().all(fair), "{id}: {:?}", report.cells);
        assert!(report.cells.values().any(|cell| matches!(cell, Cell::Value(_))), "{id}: {:?}", report.cells);
    }
    Ok(())
}

async fn declined(subject: &Subject) -> Verdict {
    let stage = Stage::open(subject).await?;
    let consent = Consent { declined: true, ..stage.consent(&[])? };
    assert_eq!(stage.connect(&consent).await?.err().map(|error| error.kind().as_str()), Some("declined"));
    Ok(())
}

/// A scope that counts need, while something else at the endpoint does not.
fn dispensable(subject: &Subject) -> Result<Scope, Stop> {
    let all: BTreeSet<&Scope> =
        subject.settings.catalogue.fields(subject.metrics_endpoint()?).map(|(scope, ..)| scope).collect();
    let scope = subject.counting_scopes()?.into_iter().next().filter(|_| all.len() > 1);
    offered(scope, "no scope can be left out without losing all counts")
}

async fn unticked(subject: &Subject) -> Verdict {
    let scope = dispensable(subject)?;
    let stage = Stage::open(subject).await?;
    let grant = stage.connect(&stage.consent(std::slice::from_ref(&scope))?).await??;
    let granted = offered(grant.scopes.granted.scopes(), "the platform does not say what was granted")?;
    assert!(
        !granted.contains(&scope) && grant.scopes.requested.contains(&scope),
        "{scope} was granted although it was unticked"
    );
    assert_eq!(subject.app().wanted.status(&scope, &grant.scopes), ScopeStatus::NotGranted);
    let report = stage.metrics(&grant, &first_account(&stage, &grant).await?).await??;
    let reason = Cell::Missing(Missing::Scope { scope: scope.clone(), status: ScopeStatus::NotGranted });
    assert!(report.cells.values().any(|cell| *cell == reason), "no cell names {scope}: {:?}", report.cells);
    Ok(())
}

async fn once(subject: &Subject) -> Verdict {
    let stage = Stage::open(subject).await?;
    let (page, pending) = stage.begin().await?;
    let callback = stage.callback(&page, &pending, &stage.consent(&[])?).await?;
    stage.complete(&pending, &callback).await??;
    let again = stage.complete(&pending, &callback).await?;
    assert_eq!(again.err().map(|error| error.kind().as_str()), Some("invalid_callback"));
    Ok(())
}

async fn proof(subject: &Subject) -> Verdict {
    let stage = Stage::open(subject).await?;
    let (page, mut pending) = stage.begin().await?;
    offered(pending.verifier.as_ref(), "the platform has no PKCE")?;
    let callback = stage.callback(&page, &pending, &stage.consent(&[])?).await?;
    pending.verifier = Some(stage.cx.random_token()?);
    assert!(stage.complete(&pending, &callback).await?.is_err(), "a code was exchanged with another verifier");
    Ok(())
}

async fn wrong_secret(subject: &Subject) -> Verdict {
    let stage = Stage::open(subject).await?;
    let (page, pending) = stage.begin().await?;
    let callback = stage.callback(&page, &pending, &stage.consent(&[])?).await?;
    let mut app = stage.app()?;
    app.client_secret = Some(Secret::from("wrong"));
    let grant = subject.connector.oauth().complete(&stage.cx, &app, &pending, &callback).await;
    assert_eq!(grant.err().map(|error| error.kind().as_str()), Some("config"));
    Ok(())
}

async fn expires(subject: &Subject) -> Verdict {
    let stage = Stage::open(subject).await?;
    let grant = stage.grant().await?;
    let account = first_account(&stage, &grant).await?;
    let expires_at = offered(grant.tokens.access_expires_at, "its access tokens do not expire")?;
    stage.clock.advance(expires_at.duration_since(stage.cx.now()) + SignedDuration::from_secs(1));
    assert_eq!(locked_out(&stage, &grant, &account).await?, "reauth_required");
    offered(grant.tokens.refresh.as_ref(), "the platform has no refresh")?;
    let refreshed = stage.refreshed(&grant).await?;
    assert!(refreshed.tokens.access_expires_at > Some(stage.cx.now()), "the new access token has expired as well");
    stage.metrics(&refreshed, &account).await??;
    assert_eq!(stage.account_ids(&refreshed).await?.first(), Some(&account));
    Ok(())
}

async fn class(subject: &Subject) -> Verdict {
    let stage = Stage::open(subject).await?;
    let first = stage.grant().await?;
    let token = offered(first.tokens.refresh.as_ref(), "the platform has no refresh")?.expose();
    let second = stage.refreshed(&first).await?;
    let same = second.tokens.refresh.as_ref().is_some_and(|second| second.matches(token));
    match subject.connector.oauth().refresh_class() {
        RefreshClass::NonRotating => {
            assert!(same, "the refresh token was replaced");
            stage.refreshed(&first).await?;
        }
        RefreshClass::RotatingGrace { .. } => assert!(!same, "the refresh token was not replaced"),
        RefreshClass::RotatingStrict => {
            assert!(!same, "the refresh token was not replaced");
            assert!(
                matches!(stage.refresh(&first).await?, RefreshOutcome::Rejected(_)),
                "a used refresh token still works"
            );
        }
        RefreshClass::Extension { .. } | RefreshClass::None => {
            return Err("it has a refresh token and no use for it".into());
        }
    }
    Ok(())
}

async fn revokes(subject: &Subject) -> Verdict {
    subject.revoke()?;
    let stage = Stage::open(subject).await?;
    let grant = stage.grant().await?;
    let account = first_account(&stage, &grant).await?;
    stage.metrics(&grant, &account).await??;
    for time in ["first", "second"] {
        assert!(matches!(stage.revoke(&grant).await?, RevokeOutcome::Gone), "the {time} time");
    }
    assert_eq!(locked_out(&stage, &grant, &account).await?, "reauth_required");
    if grant.tokens.refresh.is_some() {
        assert!(matches!(stage.refresh(&grant).await?, RefreshOutcome::Rejected(_)), "a revoked grant was refreshed");
    }
    Ok(())
}
