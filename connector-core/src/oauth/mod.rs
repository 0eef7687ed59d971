//! How a person allows access, and how that access is kept and given up (RFC 6749, 7009, 7636).

mod answer;
mod callback;
mod configured;
mod pkce;
mod revoke;

use std::fmt;

use async_trait::async_trait;
use url::Url;

pub use self::answer::RefreshOutcome;
use self::answer::TokenReader;
pub use self::callback::CallbackParams;
pub use self::configured::ConfiguredOAuth2;
pub use self::pkce::challenge;
pub use self::revoke::RevokeOutcome;
use crate::app::App;
use crate::grant::Grant;
use crate::http::{RawAnswer, Request};
pub use crate::platform::RefreshClass;
use crate::{Context, Error, Result, Scope, Secret};

/// The authorization server of a platform, as a client sees it.
///
/// For refresh and revocation the host alone sends, stores and decides when; a provider writes the request and reads the raw answer, and
/// both are pure. [`ConfiguredOAuth2`] does all of it for a platform that its `platform.toml` can describe.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait OAuthProvider: Send + Sync {
    /// What a refresh does to the token it uses.
    fn refresh_class(&self) -> RefreshClass;

    /// Starts a flow: where to send the person, and what to keep until they are back.
    ///
    /// # Errors
    /// When the app cannot ask for this, such as with a redirect URI the platform refuses.
    async fn begin(&self, cx: &Context, app: &App, request: &BeginRequest) -> Result<Begun>;

    /// Ends a flow with what the browser brought back. The pending flow is used up, whatever comes of it.
    ///
    /// # Errors
    /// When the person declined, the platform refused the request, or the code cannot be exchanged.
    async fn complete(
        &self,
        cx: &Context,
        app: &App,
        pending: &PendingFlow,
        callback: &CallbackParams,
    ) -> Result<Grant>;

    /// What a callback reports instead of a code, if it does. Pure: nothing is sent, and no flow is used up.
    ///
    /// Some platforms leave the state out of it. Without one it may be anybody's: then none of its free text is in the error.
    ///
    /// # Errors
    /// A callback that no platform sends, such as one with a parameter twice.
    fn callback_error(&self, callback: &CallbackParams) -> Result<Option<Error>>;

    /// The request that refreshes a grant.
    ///
    /// # Errors
    /// When the platform has no refresh, or the grant holds nothing to refresh with.
    fn refresh_request(&self, app: &App, grant: &Grant) -> Result<Request>;

    /// What the answer to it means.
    fn read_refresh(&self, answer: &RawAnswer) -> RefreshOutcome;

    /// Whether a grant can be given up at the platform, and by what.
    fn revocation(&self) -> RevocationClass;

    /// The request that gives a grant up.
    ///
    /// # Errors
    /// When the platform takes none, or the request cannot be written.
    fn revoke_request(&self, app: &App, grant: &Grant) -> Result<Request>;

    /// What the answer to it means.
    fn read_revoke(&self, answer: &RawAnswer) -> RevokeOutcome;
}

/// Whether a grant can be given up at the platform, and by what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationClass {
    /// The platform takes no revocation: the person can remove the app there.
    NotOffered,
    /// Any token of the grant will do.
    AnyToken,
    /// Only an access token that has not expired will do, so a stale grant is refreshed first.
    LiveToken,
}

/// What a flow asks for.
#[derive(Clone, Debug)]
pub struct BeginRequest {
    /// Where the platform sends the browser back to.
    pub redirect_uri: Url,
    /// The scopes, in the order they are asked for.
    pub scopes: Vec<Scope>,
    /// Why the person is asked.
    pub purpose: Purpose,
}

/// Why a person is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To connect.
    Connect,
    /// To allow more, or again: the platform is told to show its consent page.
    Reauthorize,
}

/// A flow that has started.
#[derive(Debug)]
pub struct Begun {
    /// What the person does next.
    pub next: NextStep,
    /// What to keep until then, for one use.
    pub pending: PendingFlow,
}

/// What the person does next.
#[derive(Clone)]
#[non_exhaustive]
pub enum NextStep {
    /// Open this URL in a browser.
    Redirect(Url),
}

impl fmt::Debug for NextStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redirect(url) => write!(f, "Redirect({}..)", url.host_str().unwrap_or_default()),
        }
    }
}

/// What a flow keeps between its start and its end. It is for one use, and its secrets are sealed wherever it rests.
#[derive(Clone, Debug)]
pub struct PendingFlow {
    /// Comes back in the callback, and nobody else knows it.
    pub state: Secret,
    /// Proves to the token endpoint that the same client started the flow (RFC 7636).
    pub verifier: Option<Secret>,
    /// As sent; the token endpoint compares it.
    pub redirect_uri: Url,
    /// What was asked for, in order.
    pub requested: Vec<Scope>,
}
