//! Another configuration is taken up as a whole: what begins later follows it, and what is under way ends with its own.
#![cfg(all(feature = "sqlite", feature = "testing"))]
#![expect(clippy::unwrap_used, reason = "what helps a test may fail it")]

use connector_core::config::{AppSettings, Settings};
use connector_core::testing::FakeTransport;
use connector_host::Host;
use connector_host::testing::{Example, Installation, TENANT, begin, connected};

/// A host at a platform that answers one exchange and says whose account it is.
async fn host() -> (Host, FakeTransport, Installation) {
    let platform = FakeTransport::default();
    platform.answer(200, r#"{ "access_token": "access-1", "expires_in": 7200, "scope": "read" }"#);
    platform.answer(200, r#"{ "id": "p1", "name": "Somebody", "followers": 7 }"#);
    let installation = Installation::new(Example::default(), platform.context()).unwrap();
    let host = installation.host().await.unwrap();
    (host, platform, installation)
}

/// What the operator wrote, with another line for the app.
fn settings(installation: &Installation, edit: impl FnOnce(&mut AppSettings)) -> Settings {
    let mut settings = installation.example.settings_in(installation.parent()).unwrap();
    let platform = settings.platforms.get_mut("example").unwrap();
    edit(platform.apps.get_mut(Example::APP).unwrap());
    settings
}

#[tokio::test]
async fn a_flow_that_began_before_ends_after_and_knows_what_it_asked_for() {
    let (host, _, installation) = host().await;
    let callback = begin(&host).await.unwrap();
    let newer = settings(&installation, |app| {
        app.redirect_uri = Some("http://127.0.0.1:6000/callback".parse().unwrap());
        app.wanted.scopes.push("more".parse().unwrap());
    });
    let changes: Vec<String> = host.reconfigure(newer).iter().map(ToString::to_string).collect();
    assert_eq!(changes, ["example/default: scopes + more; redirect_uri http://127.0.0.1:6000/callback (was not set)"]);
    let completed = host.complete(callback).await.unwrap();
    assert_eq!(completed.requested.len(), 1, "what the person was asked for then");
    completed.finished.unwrap();
    let grant = connected(&host).await.unwrap().connection.grant_id;
    let session = host.session(TENANT, &grant).await.unwrap();
    assert_eq!(session.app.wanted.requested().len(), 2, "what is asked for now");
}

#[tokio::test]
async fn a_flow_that_began_under_another_client_id_is_refused_and_nothing_is_sent() {
    let (host, platform, installation) = host().await;
    let callback = begin(&host).await.unwrap();
    let id = "another".to_owned();
    host.reconfigure(settings(&installation, |app| {
        app.client_id = Some(connector_core::config::ValueSource::Literal(id));
    }));
    let error = host.complete(callback).await.unwrap_err().to_string();
    assert!(error.contains("the app has another id"), "{error}");
    assert_eq!(platform.sent().len(), 0);
}

#[tokio::test]
async fn the_same_configuration_changes_nothing_and_none_takes_platforms_away() {
    let (host, _, installation) = host().await;
    let before = host.platform("example").unwrap();
    assert_eq!(host.reconfigure(settings(&installation, |_| {})), []);
    assert!(std::sync::Arc::ptr_eq(&before, &host.platform("example").unwrap()));
    host.reconfigure(Settings::default());
    let error = host.platform("example").unwrap_err().to_string();
    assert!(error.contains("linked but not configured") && host.platforms().is_empty(), "{error}");
    assert_eq!(before.settings.apps.len(), 1, "whoever holds it goes on with it");
}
