//! What a person allows is less than was asked for: at the callback, later, and when the platform says so.
#![cfg(all(feature = "sqlite", feature = "testing"))]
#![expect(clippy::unwrap_used, reason = "what helps a test may fail it")]

use connector_core::oauth::CallbackParams;
use connector_core::testing::FakeTransport;
use connector_core::{ErrorKind, Secret};
use connector_host::testing::{Example, Installation, TENANT, connected};
use connector_host::{Callback, Completed, ConnectRequest, Host};

/// Two scopes, of which one names the account.
const TWO: &str = r#"
[platforms.example.apps.default]
scopes = ["read", "stats"]
[platforms.example.scopes.stats]
product = "API"
description = "More counts"
fields.me = { views = "metric.views" }
"#;

/// A host at the platform that does not exist, whose answers are the test's.
struct Bench {
    platform: FakeTransport,
    installation: Installation,
    host: Host,
}

impl Bench {
    async fn new(over: &'static str) -> Self {
        let platform = FakeTransport::default();
        let example = Example { revoke: Some("access"), over, ..Example::default() };
        let installation = Installation::new(example, platform.context()).unwrap();
        Self { host: installation.host().await.unwrap(), platform, installation }
    }

    /// The same data under another configuration.
    async fn with(&self, over: &'static str) -> Host {
        let mut opening = self.installation.opening().await.unwrap();
        let example = Example { over, ..self.installation.example.clone() };
        opening.settings = example.settings_in(self.installation.parent()).unwrap();
        Host::open(opening).await.unwrap().host
    }

    /// The next token answer lists these scopes.
    fn grants(&self, token: &str, scopes: &str) {
        let answer = format!(
            r#"{{ "access_token": "{token}", "refresh_token": "r-{token}", "expires_in": 7200, "scope": "{scopes}", "person": "p1" }}"#
        );
        self.platform.answer(200, answer);
    }

    /// The next answer is about the account.
    fn account(&self) {
        self.platform.answer(200, r#"{ "id": "p1", "name": "Somebody", "followers": 7, "views": 8 }"#);
    }

    fn paths(&self) -> Vec<String> {
        self.platform.sent().iter().map(|request| request.url.path().to_owned()).collect()
    }

    async fn connect(&self, host: &Host) -> connector_host::Result<Completed> {
        let started = host.connect(request()).await.unwrap();
        let state = started.authorize_url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
        host.complete(callback(&format!("code=c&state={state}"))).await
    }
}

fn request() -> ConnectRequest {
    ConnectRequest {
        tenant: TENANT.to_owned(),
        reference: None,
        platform: "example".parse().unwrap(),
        app: Example::APP.to_owned(),
        redirect_uri: "http://127.0.0.1:5000/callback".parse().unwrap(),
        reconnects: None,
        initiator: Secret::from("this browser"),
    }
}

fn callback(query: &str) -> Callback {
    Callback {
        platform: "example".parse().unwrap(),
        app: Example::APP.to_owned(),
        params: CallbackParams::from_query(query),
        initiator: Secret::from("this browser"),
        other_account_allowed: false,
    }
}

#[tokio::test]
async fn without_the_scope_of_the_account_the_access_is_given_up_again() {
    let bench = Bench::new(TWO).await;
    bench.grants("a1", "stats");
    bench.platform.answer(200, "{}");
    let error = bench.connect(&bench.host).await.unwrap_err();
    assert_eq!(error.kind(), Some(&ErrorKind::MissingScopes { scopes: ["read".parse().unwrap()].into() }));
    assert!(error.to_string().contains("`read` was not allowed, and without it Example does not say"), "{error}");
    assert_eq!(bench.paths(), ["/token", "/revoke"], "nothing is asked that could not be answered");
    assert!(bench.host.store().waiting_grants(TENANT).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_a_person_allowed_before_is_not_given_up_with_it() {
    let bench = Bench::new(TWO).await;
    bench.grants("a1", "read stats");
    bench.account();
    bench.connect(&bench.host).await.unwrap().finished.unwrap();
    let before = connected(&bench.host).await.unwrap();
    bench.grants("a2", "stats");
    bench.connect(&bench.host).await.unwrap_err();
    assert_eq!(bench.paths(), ["/token", "/me", "/token"], "a revocation would end both");
    assert_eq!(connected(&bench.host).await.unwrap(), before);
    bench.host.session(TENANT, &before.grant.id).await.unwrap();
}

#[tokio::test]
async fn what_is_required_is_the_configurations_to_say_and_is_stored_nowhere() {
    const REQUIRED: &str = r#"
[platforms.example.apps.default]
scopes = ["read", "stats"]
required = ["stats"]
[platforms.example.scopes.stats]
product = "API"
description = "More counts"
fields.me = { views = "metric.views" }
"#;
    let bench = Bench::new(REQUIRED).await;
    bench.grants("a1", "read");
    bench.account();
    let completed = bench.connect(&bench.host).await.unwrap();
    assert_eq!(completed.lacking, ["stats".parse().unwrap()]);
    assert_eq!(completed.finished.unwrap().linked.len(), 1, "the connection is there");

    let of = connected(&bench.host).await.unwrap();
    assert_eq!(bench.host.state_of(&of).as_str(), "reauth_required");
    let error = bench.host.session(TENANT, &of.grant.id).await.unwrap_err();
    assert_eq!(error.kind(), Some(&ErrorKind::ReauthRequired { reason: "required_scope_missing".to_owned() }));
    let read = bench.host.metrics(&of, jiff::SignedDuration::ZERO).await.unwrap();
    assert!(read.error.unwrap().to_string().contains("requires stats"));
    assert_eq!(bench.paths(), ["/token", "/me"], "nothing leaves for it");
    assert_eq!(of.grant.state.as_str(), "active");

    let relaxed = bench.with(TWO).await;
    assert_eq!(relaxed.state_of(&of).as_str(), "active");
    relaxed.session(TENANT, &of.grant.id).await.unwrap();
}
