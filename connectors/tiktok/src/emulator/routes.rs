//! The routes, and what holds for all of them.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use connector_core::{Result, Secret};
use url::Host;

use super::answers::{self, Answer};
use super::call::Call;
use super::fault::{self, Endpoint, Fault};
use super::page;
use super::state::State;
use super::world::{Scene, World};
use super::{admin, admin_people, authorize, consent, home, openapi, revoke, token, user_info};

const BODY_LIMIT: usize = 64 * 1024;

/// Browsers hold redirects after a form against `form-action`, so the ways back to an app are in it.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'; \
    form-action 'self' http://127.0.0.1:* http://localhost:* https:";

/// Answers one call, having the world to itself.
type Answering = fn(&mut Scene<'_>, &Call) -> Result<Answer>;

/// The same on an admin route, where only saving can fail.
type AdminAnswering = fn(&mut Scene<'_>, &Call) -> Answer;

/// An endpoint of the platform: what the record calls it, and whether faults can be ordered for it.
#[derive(Clone, Copy)]
pub(super) struct Served {
    name: &'static str,
    endpoint: Option<Endpoint>,
    answering: Answering,
}

/// Who may ask a route, and who answers.
#[derive(Clone, Copy)]
pub(super) enum Way {
    /// A page for anybody, which the record leaves out.
    Open(Answering),
    /// A route of the platform: recorded, and open to faults.
    Platform(Served),
    /// A route for whoever has the admin token.
    Guarded(AdminAnswering),
}

/// A route. `openapi.json` describes each of them, and a test holds it to that.
#[derive(Clone, Copy)]
pub(super) struct Route {
    pub(super) path: &'static str,
    pub(super) method: MethodFilter,
    pub(super) way: Way,
}

const fn open(path: &'static str, answering: Answering) -> Route {
    Route { path, method: MethodFilter::GET, way: Way::Open(answering) }
}

const fn platform(path: &'static str, method: MethodFilter, served: Served) -> Route {
    Route { path, method, way: Way::Platform(served) }
}

const fn served(name: &'static str, endpoint: Option<Endpoint>, answering: Answering) -> Served {
    Served { name, endpoint, answering }
}

const fn told(path: &'static str, answering: AdminAnswering) -> Route {
    Route { path, method: MethodFilter::GET, way: Way::Guarded(answering) }
}

const fn ordered(path: &'static str, answering: AdminAnswering) -> Route {
    Route { path, method: MethodFilter::POST, way: Way::Guarded(answering) }
}

const AUTHORIZE: Served = served("authorize", Some(Endpoint::Authorize), authorize::show);

pub(super) const ROUTES: [Route; 20] = [
    open("/", home::show),
    Route { path: "/settings/remove", method: MethodFilter::POST, way: Way::Open(home::remove) },
    open("/style.css", |_, _| Ok(answers::text("text/css; charset=utf-8", page::STYLE))),
    open("/openapi.json", |_, _| Ok(answers::text("application/json", openapi::DOCUMENT))),
    platform("/v2/auth/authorize", MethodFilter::GET, AUTHORIZE),
    platform("/v2/auth/authorize/", MethodFilter::GET, AUTHORIZE),
    open(authorize::ERROR_PATH, authorize::error_page),
    platform("/v2/auth/consent", MethodFilter::POST, served("consent", None, consent::decide)),
    platform("/v2/oauth/token/", MethodFilter::POST, served("token", Some(Endpoint::Token), token::answer)),
    platform("/v2/oauth/revoke/", MethodFilter::POST, served("revoke", Some(Endpoint::Revoke), revoke::answer)),
    platform("/v2/user/info/", MethodFilter::GET, served("user_info", Some(Endpoint::UserInfo), user_info::answer)),
    told("/admin/state", admin::state),
    told("/admin/issued", admin::issued),
    told("/admin/record", admin::record),
    told("/admin/refreshes", admin::refreshes),
    ordered("/admin/clock", admin::clock),
    ordered("/admin/switches", admin::switches),
    ordered("/admin/withdraw", admin_people::withdraw),
    ordered("/admin/fail", fault::order),
    ordered("/admin/people/{name}", admin_people::edit),
];

pub(super) fn router(world: &Arc<World>) -> Router {
    ROUTES
        .iter()
        .fold(Router::new(), |router, route| router.route(route.path, route.answering(world)))
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn(manners))
}

impl Route {
    fn answering(self, world: &Arc<World>) -> MethodRouter {
        let world = Arc::clone(world);
        match self.way {
            Way::Open(answering) => on(self.method, move |call: Call| answer(world, call, answering)),
            Way::Platform(served) => on(self.method, move |call: Call| served.answer(world, call)),
            Way::Guarded(answering) => on(self.method, move |call: Call| guarded(world, call, answering)),
        }
    }
}

async fn guarded(world: Arc<World>, call: Call, answering: AdminAnswering) -> Response {
    if call.bearer().is_some_and(|token| world.admin_token.matches(token)) {
        return answer(world, call, move |scene, call| Ok(answering(scene, call))).await;
    }
    let sentence = "the admin routes need the admin token of this run as a bearer token";
    answers::sentence(StatusCode::UNAUTHORIZED, sentence).response
}

impl Served {
    async fn answer(self, world: Arc<World>, call: Call) -> Response {
        let _in_flight = InFlight::of(&world, &call, self);
        let fault = self.endpoint.and_then(|endpoint| world.enter().run().faults.get_mut(&endpoint)?.pop_front());
        let thinking = self.latency(world.enter().state());
        if !thinking.is_zero() {
            tokio::time::sleep(thinking).await;
        }
        let response = on_a_thread(move || recorded(&world, &call, self, fault)).await;
        if let Some(fault) = fault {
            tokio::time::sleep(fault.delay).await;
        }
        response
    }

    /// How long a request waits before it has its effect.
    fn latency(self, state: &State) -> Duration {
        match self.endpoint {
            Some(Endpoint::Token) => Duration::from_millis(state.switches.token_latency_milliseconds.into()),
            _ => Duration::ZERO,
        }
    }
}

/// A token request with a refresh token, until it is answered or whoever sent it goes away.
struct InFlight {
    world: Arc<World>,
    grant: u64,
}

impl InFlight {
    fn of(world: &Arc<World>, call: &Call, served: Served) -> Option<Self> {
        let form = call.form().filter(|_| matches!(served.endpoint, Some(Endpoint::Token)))?;
        let sent = Secret::from(form.get("refresh_token")?);
        let mut scene = world.enter();
        let grant = scene.state().refresh_tokens.get(&sent.digest())?.grant;
        scene.run().record.asked(grant);
        Some(Self { world: Arc::clone(world), grant })
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.world.enter().run().record.answered(self.grant);
    }
}

async fn answer(
    world: Arc<World>,
    call: Call,
    answering: impl FnOnce(&mut Scene<'_>, &Call) -> Result<Answer> + Send + 'static,
) -> Response {
    on_a_thread(move || act(&mut world.enter(), &call, answering).response).await
}

/// The state is written to a file before an answer leaves, which must not hold up other connections.
async fn on_a_thread(work: impl FnOnce() -> Response + Send + 'static) -> Response {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

fn recorded(world: &World, call: &Call, served: Served, fault: Option<Fault>) -> Response {
    let mut scene = world.enter();
    let mut answer = match fault {
        Some(Fault { after: false, .. }) => None,
        _ => Some(act(&mut scene, call, served.answering)),
    };
    if let (Some(fault), Some(endpoint)) = (fault.filter(|fault| !fault.is_only_late()), served.endpoint) {
        answer = Some(fault.answer(&scene, endpoint, answer).unwrap_or_else(|error| answers::trouble(&error)));
    }
    let Some(Answer { response, note }) = answer else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let now = scene.now;
    scene.run().record.note(now, served.name, response.status().as_u16(), note);
    response
}

fn act(scene: &mut Scene<'_>, call: &Call, answering: impl FnOnce(&mut Scene<'_>, &Call) -> Result<Answer>) -> Answer {
    let answer = answering(scene, call).and_then(|answer| scene.save().map(|()| answer));
    answer.unwrap_or_else(|error| answers::trouble(&error))
}

fn nothing_here() -> Ready<Response> {
    let sentence = "the emulator has nothing at this path; paths of the API end in a slash";
    ready(answers::sentence(StatusCode::NOT_FOUND, sentence).response)
}

fn wrong_method() -> Ready<Response> {
    ready(answers::sentence(StatusCode::METHOD_NOT_ALLOWED, "this path answers another method").response)
}

/// Refuses requests that reached loopback under another name (DNS rebinding) and sets what every answer carries.
async fn manners(request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let mut response = if host.is_some_and(loopback) && request.uri().host().is_none_or(loopback) {
        next.run(request).await
    } else {
        answers::sentence(StatusCode::FORBIDDEN, "the emulator answers on loopback names alone").response
    };
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}

fn loopback(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<axum::http::uri::Authority>() else { return false };
    match Host::parse(authority.host()) {
        Ok(Host::Domain(name)) => name == "localhost",
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        Err(_) => false,
    }
}
