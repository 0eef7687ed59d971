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
use axum::routing::{MethodFilter, MethodRouter, get, on};
use connector_core::{Result, Secret};
use url::Host;

use super::answers::{self, Answer};
use super::call::Call;
use super::fault::{self, Endpoint, Fault};
use super::page::{self, AppRow, Home};
use super::state::State;
use super::world::{Scene, World};
use super::{admin, admin_people, authorize, consent, revoke, token, user_info};

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
struct Served {
    name: &'static str,
    endpoint: Option<Endpoint>,
    answering: Answering,
}

pub(super) fn router(world: &Arc<World>) -> Router {
    let ours = |method, name, endpoint, answering| platform(world, method, Served { name, endpoint, answering });
    let authorize = ours(MethodFilter::GET, "authorize", Some(Endpoint::Authorize), authorize::show);
    let pages = Router::new()
        .route("/", open(world, home))
        .route("/style.css", open(world, |_, _| Ok(answers::css(page::STYLE))))
        .route("/v2/auth/authorize", authorize.clone())
        .route("/v2/auth/authorize/", authorize)
        .route(authorize::ERROR_PATH, open(world, authorize::error_page))
        .route("/v2/auth/consent", ours(MethodFilter::POST, "consent", None, consent::decide));
    let api = Router::new()
        .route("/v2/oauth/token/", ours(MethodFilter::POST, "token", Some(Endpoint::Token), token::answer))
        .route("/v2/oauth/revoke/", ours(MethodFilter::POST, "revoke", Some(Endpoint::Revoke), revoke::answer))
        .route("/v2/user/info/", ours(MethodFilter::GET, "user_info", Some(Endpoint::UserInfo), user_info::answer));
    let admin = Router::new()
        .route("/admin/state", guarded(world, MethodFilter::GET, admin::state))
        .route("/admin/issued", guarded(world, MethodFilter::GET, admin::issued))
        .route("/admin/record", guarded(world, MethodFilter::GET, admin::record))
        .route("/admin/refreshes", guarded(world, MethodFilter::GET, admin::refreshes))
        .route("/admin/clock", guarded(world, MethodFilter::POST, admin::clock))
        .route("/admin/switches", guarded(world, MethodFilter::POST, admin::switches))
        .route("/admin/withdraw", guarded(world, MethodFilter::POST, admin_people::withdraw))
        .route("/admin/fail", guarded(world, MethodFilter::POST, fault::order))
        .route("/admin/people/{name}", guarded(world, MethodFilter::POST, admin_people::edit));
    pages
        .merge(api)
        .merge(admin)
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn(manners))
}

/// A page for anybody, which the record leaves out.
fn open(world: &Arc<World>, answering: Answering) -> MethodRouter {
    let world = Arc::clone(world);
    get(move |call: Call| answer(world, call, answering))
}

/// A route for whoever has the admin token.
fn guarded(world: &Arc<World>, method: MethodFilter, answering: AdminAnswering) -> MethodRouter {
    let world = Arc::clone(world);
    on(method, async move |call: Call| {
        if call.bearer().is_some_and(|token| world.admin_token.matches(token)) {
            answer(world, call, move |scene, call| Ok(answering(scene, call))).await
        } else {
            let sentence = "the admin routes need the admin token of this run as a bearer token";
            answers::sentence(StatusCode::UNAUTHORIZED, sentence).response
        }
    })
}

/// A route of the platform: recorded, and open to faults.
fn platform(world: &Arc<World>, method: MethodFilter, served: Served) -> MethodRouter {
    let world = Arc::clone(world);
    on(method, async move |call: Call| {
        let _in_flight = InFlight::of(&world, &call, served);
        let fault = served.endpoint.and_then(|endpoint| world.enter().run().faults.get_mut(&endpoint)?.pop_front());
        let thinking = served.latency(world.enter().state());
        if !thinking.is_zero() {
            tokio::time::sleep(thinking).await;
        }
        let response = on_a_thread(move || recorded(&world, &call, served, fault)).await;
        if let Some(fault) = fault {
            tokio::time::sleep(fault.delay).await;
        }
        response
    })
}

impl Served {
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

fn home(scene: &mut Scene<'_>, _: &Call) -> Result<Answer> {
    let apps =
        scene.apps.iter().map(|app| AppRow { name: app.name, about: app.about, client_key: &app.client_key }).collect();
    let page = page::render(&Home { apps, people: authorize::people(scene, None) })?;
    Ok(answers::html(StatusCode::OK, page, "shown"))
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
