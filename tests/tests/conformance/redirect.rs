//! Redirect URIs are judged before anything is sent.

use connector_core::app::AppKind;
use connector_core::oauth::{BeginRequest, Purpose};
use connector_core::platform::{PortRule, RedirectRule};
use connector_core::testing::FakeTransport;

use crate::subject::Subject;
use crate::verdict::{Check, Stop, Verdict, offered, wait};

pub(crate) const CHECKS: &[Check] = &[
    ("takes_the_redirect_uris_that_its_rules_allow", |subject| wait(allowed(subject))),
    ("refuses_the_redirect_uris_that_its_rules_refuse", |subject| wait(refused(subject))),
];

const KINDS: [AppKind; 2] = [AppKind::Desktop, AppKind::Web];

/// The kind of the error with which a redirect URI is refused.
async fn refusal(subject: &Subject, kind: AppKind, uri: &str) -> Result<Option<&'static str>, Stop> {
    let transport = FakeTransport::default();
    let mut app = subject.app();
    app.kind = kind;
    let request =
        BeginRequest { redirect_uri: uri.parse()?, scopes: app.wanted.requested(), purpose: Purpose::Connect };
    let begun = subject.connector.oauth().begin(&transport.context(), &app, &request).await;
    assert!(transport.sent().is_empty() || begun.is_ok(), "{uri} was refused after something was sent");
    Ok(begun.err().map(|error| error.kind().as_str()))
}

async fn allowed(subject: &Subject) -> Verdict {
    let kinds: Vec<AppKind> = KINDS.into_iter().filter(|kind| subject.redirect_rule(*kind).is_some()).collect();
    offered(kinds.first(), "its platform.toml has no redirect rules")?;
    for kind in kinds {
        let uri = subject.redirect_uri(kind)?;
        assert_eq!(refusal(subject, kind, uri.as_str()).await?, None, "{kind}: {uri}");
    }
    Ok(())
}

async fn refused(subject: &Subject) -> Verdict {
    for kind in KINDS {
        let Some(rule) = subject.redirect_rule(kind) else {
            assert_eq!(
                refusal(subject, kind, "https://app.example/callback").await?,
                Some("config"),
                "there are no apps of the kind {kind}"
            );
            continue;
        };
        let max_length = subject.linked.protocol().redirect.max_length;
        for uri in bad(rule, subject.redirect_uri(kind)?.as_str(), max_length) {
            assert_eq!(refusal(subject, kind, &uri).await?, Some("config"), "{kind}: {uri}");
        }
    }
    Ok(())
}

/// URIs that each break one rule.
fn bad(rule: &RedirectRule, good: &str, max_length: Option<usize>) -> Vec<String> {
    let mut bad = vec![format!("{good}?a=b"), format!("{good}#top"), good.replacen(&rule.schemes[0], "ftp", 1)];
    if !rule.hosts.is_empty() {
        bad.push(format!("{}://elsewhere.example:5000/callback", rule.schemes[0]));
        bad.push(format!("{}://127.0.0.1.elsewhere.example:5000/callback", rule.schemes[0]));
    }
    if rule.loopback_refused {
        bad.extend(
            ["localhost", "127.0.0.1", "[::1]"].map(|host| format!("{}://{host}:5000/callback", rule.schemes[0])),
        );
    }
    if rule.port == PortRule::Required {
        bad.push(good.replacen(":5000", "", 1));
    }
    bad.extend(max_length.map(|max| format!("{good}{}", "a".repeat(max))));
    bad
}
