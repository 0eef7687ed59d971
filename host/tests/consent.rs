//! What a person allows is less than was asked for: at the callback, later, and when the platform says so.
#![cfg(all(feature = "sqlite", feature = "testing"))]
#![expect(clippy::unwrap_used, reason = "what helps a test may fail it")]

use connector_core::ErrorKind;
use connector_core::testing::FakeTransport;
use connector_host::store::AuditFilter;
use connector_host::testing::{Example, Installation, TENANT, begin, callback, connected, request};
use connector_host::{Asking, Completed, ConnectRequest, Error, Host, ScopeRefused, Shown};

/// Two scopes, of which one names the account.
const TWO: &str = r#"
[platforms.example.apps.default]
scopes = ["read", "stats"]
[platforms.example.scopes.stats]
product = "API"
description = "More counts"
fields.me = { views = "metric.views" }
"#;

/// The same, where the other one is required.
const REQUIRED: &str = r#"
[platforms.example.apps.default]
scopes = ["read", "stats"]
required = ["stats"]
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
        host.complete(begin(host).await.unwrap()).await
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

/// A connection that was made with both scopes, and what came to it.
async fn connected_with_both() -> Bench {
    let bench = Bench::new(TWO).await;
    bench.grants("a1", "read stats");
    bench.account();
    bench.connect(&bench.host).await.unwrap().finished.unwrap();
    bench
}

impl Bench {
    /// The counts as they are fetched now: each as its word, and whether there was an error.
    async fn fetch(&self) -> (String, String, bool) {
        let of = connected(&self.host).await.unwrap();
        let read = self.host.metrics(&of, jiff::SignedDuration::ZERO).await.unwrap();
        let cell = |name: &str| match &read.cells[&name.parse().unwrap()] {
            Shown::Value(sample) => sample.value.to_string(),
            Shown::Stale(_, why) | Shown::Missing(why) => format!("{why:?}"),
        };
        (cell("followers"), cell("views"), read.error.is_some())
    }

    /// The next call is refused for a scope.
    fn refuses_the_call(&self) {
        self.platform.answer(401, r#"{ "error": "scope_missing" }"#);
    }

    fn sent_to(&self, path: &str) -> usize {
        self.paths().iter().filter(|sent| *sent == path).count()
    }
}

#[tokio::test]
async fn a_call_that_is_refused_for_a_scope_is_repeated_with_what_is_left() {
    let bench = connected_with_both().await;
    bench.refuses_the_call();
    bench.grants("a2", "read");
    bench.account();
    let (followers, views, failed) = bench.fetch().await;
    assert_eq!((followers.as_str(), failed), ("7", false));
    assert!(views.contains("Withdrawn"), "{views}");
    assert_eq!(bench.paths(), ["/token", "/me", "/me", "/token", "/me"]);
    assert_eq!(connected(&bench.host).await.unwrap().grant.last_error, None);
}

#[tokio::test]
async fn an_answer_without_news_is_asked_for_once_in_the_life_of_a_token() {
    let bench = connected_with_both().await;
    bench.refuses_the_call();
    bench.grants("a2", "stats read");
    for refreshes in [1, 1, 1] {
        let (followers, views, failed) = bench.fetch().await;
        assert!(failed && followers.contains("MissingScopes") && followers.contains("read"), "{followers}");
        assert!(views.contains("stats") && !views.contains("read"), "each count names its own scope: {views}");
        assert_eq!(bench.sent_to("/token"), 1 + refreshes);
        bench.refuses_the_call();
    }
    assert_eq!(connected(&bench.host).await.unwrap().grant.state.as_str(), "active", "nobody is asked for it");

    // Another token is another chance: its answer was as it was, and the call is refused all the same.
    bench.installation.file().run("UPDATE grants SET issued_at = issued_at + 1000").unwrap();
    bench.grants("a3", "read");
    bench.account();
    assert_eq!(bench.fetch().await.0, "7");
    assert_eq!(bench.sent_to("/token"), 3);
}

#[tokio::test]
async fn a_platform_that_does_not_list_scopes_is_not_asked_for_them() {
    let bench = Bench::new(TWO).await;
    bench.platform.answer(200, r#"{ "access_token": "a1", "refresh_token": "r1", "expires_in": 7200 }"#);
    bench.account();
    bench.connect(&bench.host).await.unwrap().finished.unwrap();
    bench.refuses_the_call();
    assert!(bench.fetch().await.2);
    assert_eq!(bench.paths(), ["/token", "/me", "/me"]);
}

#[tokio::test]
async fn a_required_scope_that_a_refused_call_shows_to_be_lost_needs_the_person() {
    let bench = Bench::new(REQUIRED).await;
    bench.grants("a1", "read stats");
    bench.account();
    bench.connect(&bench.host).await.unwrap().finished.unwrap();
    bench.refuses_the_call();
    bench.grants("a2", "read");
    assert!(bench.fetch().await.2);
    let of = connected(&bench.host).await.unwrap();
    assert_eq!(bench.host.state_of(&of).as_str(), "reauth_required");
    assert_eq!(bench.paths(), ["/token", "/me", "/me", "/token"]);
}

/// The platform refuses the request of a flow because of a scope.
async fn refused(host: &Host, request: ConnectRequest) -> Box<ScopeRefused> {
    let started = host.connect(request).await.unwrap();
    let state = started.authorize_url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    match host.complete(callback(&format!("error=invalid_scope&state={state}")).unwrap()).await {
        Err(Error::ScopeRefused(refused)) => refused,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_request_that_is_refused_for_a_scope_may_be_made_once_for_less() {
    let bench = Bench::new("").await;
    bench.grants("a1", "read");
    bench.account();
    bench.connect(&bench.host).await.unwrap().finished.unwrap();
    let wider = bench.with(TWO).await;
    let mut first = refused(&wider, request().unwrap()).await;
    assert_eq!(first.candidates, ["stats".parse().unwrap()]);
    assert!(
        first
            .to_string()
            .contains("Not among what was accepted when access was last allowed under the app `default`: stats."),
        "{first}"
    );
    assert!(first.to_string().contains("under `pending` in [platforms.example.apps.default]"), "{first}");
    let second = *first.instead.take().unwrap();
    assert_eq!(second.asking, Asking::Less(vec!["read".parse().unwrap()]));
    let asked = wider.connect(second.clone()).await.unwrap();
    assert_eq!(asked.requested, ["read".parse().unwrap()]);
    assert!(refused(&wider, second).await.instead.is_none(), "once");

    let filter = AuditFilter { event: Some("scope_refused".to_owned()), ..AuditFilter::default() };
    let told = wider.store().audit(TENANT, &filter).await.unwrap();
    assert_eq!(told.len(), 2);
    assert!(told[1].detail.contains(r#""candidates":["stats"],"code":"invalid_scope","instead":["read"]"#), "{told:?}");

    // What was accepted last is the same list: there is nothing else to offer.
    let same = refused(&bench.host, request().unwrap()).await;
    assert!(same.instead.is_none() && same.candidates.is_empty(), "{same:?}");
    assert!(same.to_string().contains("was accepted when access was last allowed under the app `default`"), "{same}");
}

#[tokio::test]
async fn where_nothing_was_accepted_yet_what_is_required_is_offered_and_never_what_is_pending() {
    const PENDING: &str = r#"
[platforms.example.apps.default]
scopes = ["read", "stats", "more"]
pending = ["more"]
[platforms.example.scopes.stats]
product = "API"
description = "More counts"
[platforms.example.scopes.more]
product = "API"
description = "Even more"
"#;
    let bench = Bench::new(PENDING).await;
    let refused = refused(&bench.host, request().unwrap()).await;
    assert_eq!(refused.candidates, ["read", "stats"].map(|scope| scope.parse().unwrap()));
    assert_eq!(refused.instead.unwrap().asking, Asking::Less(vec!["read".parse().unwrap()]));
    let pending = ConnectRequest { asking: Asking::Less(vec!["more".parse().unwrap()]), ..request().unwrap() };
    let error = bench.host.connect(pending).await.unwrap_err();
    assert!(error.to_string().contains("asks for none of more, or they are pending"), "{error}");
}
