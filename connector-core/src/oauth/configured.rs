use std::sync::Arc;

use async_trait::async_trait;
use http::Method;
use url::Url;

use super::{
    BeginRequest, Begun, CallbackParams, NextStep, OAuthProvider, PendingFlow, Purpose, RefreshClass, RefreshOutcome,
    RevocationClass, RevokeOutcome, TokenReader,
};
use crate::app::{App, Pkce};
use crate::grant::{BaseUrls, Grant};
use crate::http::{Policy, RawAnswer, Request, Sent};
use crate::platform::{AuthorizeFacts, ClientAuth, Protocol, RevokedToken, TokenBody, TokenFacts};
use crate::scope::{GrantScopes, Granted, GrantedSource, split_scopes};
use crate::text::{shown, words};
use crate::{Context, Error, ErrorKind, Result, Scope};

/// The whole of OAuth 2 for a platform that its `platform.toml` can describe.
#[derive(Clone, Debug)]
pub struct ConfiguredOAuth2 {
    protocol: Arc<Protocol>,
}

type Pairs<'a> = Vec<(&'a str, &'a str)>;

impl ConfiguredOAuth2 {
    /// A provider of these facts.
    pub fn new(protocol: Arc<Protocol>) -> Self {
        Self { protocol }
    }

    fn authorize(&self) -> Result<&AuthorizeFacts> {
        self.protocol
            .oauth
            .authorize
            .as_ref()
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, "the platform file describes no authorization endpoint"))
    }

    fn token(&self) -> Result<&TokenFacts> {
        self.protocol
            .oauth
            .token
            .as_ref()
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, "the platform file describes no token endpoint"))
    }

    fn authorize_url(&self, app: &App, request: &BeginRequest, pending: &PendingFlow) -> Result<Url> {
        let facts = self.authorize()?;
        let oauth = &self.protocol.oauth;
        let mut url = facts.at.under(&app.base_urls)?;
        let scopes = join(&request.scopes, oauth.scope_separator.as_deref().unwrap_or(" "));
        let mut query = url.query_pairs_mut();
        query
            .append_pair(&oauth.names.client_id, &app.client_id)
            .append_pair("response_type", "code")
            .append_pair(&oauth.names.scope, &scopes)
            .append_pair("redirect_uri", request.redirect_uri.as_str())
            .append_pair("state", pending.state.expose());
        if let Some(challenge) =
            pending.verifier.as_ref().and_then(|verifier| super::challenge(self.pkce(app), verifier))
        {
            query.append_pair("code_challenge", &challenge).append_pair("code_challenge_method", "S256");
        }
        query.extend_pairs(&facts.extra);
        if request.purpose == Purpose::Reauthorize {
            query.extend_pairs(&facts.reauthorize_extra);
        }
        drop(query);
        Ok(url)
    }

    fn pkce(&self, app: &App) -> Pkce {
        app.pkce.or(self.protocol.oauth.pkce).unwrap_or(Pkce::Base64url)
    }

    /// Writes a request to the token endpoint: the fields, the client's authentication, the body's form.
    fn token_request<'a>(&'a self, app: &'a App, base_urls: &BaseUrls, mut fields: Pairs<'a>) -> Result<Request> {
        let facts = self.token()?;
        let names = &self.protocol.oauth.names;
        let mut request = Request::new(Method::POST, facts.at.under(base_urls)?, Policy::TOKEN);
        match (facts.client_auth, &app.client_secret) {
            (ClientAuth::Basic, Some(secret)) => request = request.basic(&app.client_id, secret)?,
            (_, secret) => {
                fields.push((&names.client_id, &app.client_id));
                fields.extend(secret.as_ref().map(|secret| (names.client_secret.as_str(), secret.expose())));
            }
        }
        Ok(match facts.body {
            TokenBody::Form => request.form(fields),
            TokenBody::Json => request.json(
                &fields
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value.into()))
                    .collect::<serde_json::Map<_, _>>()
                    .into(),
            ),
        })
    }

    fn reader(&self) -> Result<TokenReader<'_>> {
        Ok(TokenReader::new(&self.token()?.answer, &self.protocol.oauth.errors))
    }

    /// The code of a callback that belongs to this flow and reports no error.
    fn code<'a>(&self, pending: &PendingFlow, callback: &'a CallbackParams) -> Result<&'a str> {
        let state = callback.one("state")?;
        if state.is_some_and(|state| !pending.state.matches(state)) {
            return Err(Error::invalid_callback(
                "the callback's `state` is not the one this flow began with; start connecting again",
            ));
        }
        if let Some(error) = self.callback_error(callback)? {
            return Err(error);
        }
        if state.is_none() {
            return Err(Error::invalid_callback("the callback has no `state`; start connecting again"));
        }
        let code = callback.one("code")?.filter(|code| !code.is_empty());
        code.ok_or_else(|| {
            Error::invalid_callback("the callback has neither a code nor an error; start connecting again")
        })
    }

    /// What the callback's own parameter says was granted.
    fn listed(&self, callback: &CallbackParams) -> Result<Granted> {
        let Some(name) = self.authorize()?.granted_param.as_deref() else { return Ok(Granted::Unknown) };
        let listed = callback.one(name)?.map(split_scopes);
        Ok(listed.map_or(Granted::Unknown, |scopes| Granted::Known { scopes, source: GrantedSource::Callback }))
    }
}

#[async_trait]
impl OAuthProvider for ConfiguredOAuth2 {
    fn refresh_class(&self) -> RefreshClass {
        self.protocol.oauth.refresh.class
    }

    async fn begin(&self, cx: &Context, app: &App, request: &BeginRequest) -> Result<Begun> {
        self.protocol.redirect.check(app.kind, &request.redirect_uri)?;
        if request.scopes.is_empty() {
            return Err(Error::config("the app asks for no scope, so there is nothing a person could allow"));
        }
        let verifier = (self.pkce(app) != Pkce::Off).then(|| cx.random_token()).transpose()?;
        let pending = PendingFlow {
            state: cx.random_token()?,
            verifier,
            redirect_uri: request.redirect_uri.clone(),
            requested: request.scopes.clone(),
        };
        Ok(Begun { next: NextStep::Redirect(self.authorize_url(app, request, &pending)?), pending })
    }

    async fn complete(
        &self,
        cx: &Context,
        app: &App,
        pending: &PendingFlow,
        callback: &CallbackParams,
    ) -> Result<Grant> {
        let code = self.code(pending, callback)?;
        let mut fields =
            vec![("grant_type", "authorization_code"), ("code", code), ("redirect_uri", pending.redirect_uri.as_str())];
        fields.extend(pending.verifier.as_ref().map(|verifier| ("code_verifier", verifier.expose())));
        // Whatever can be wrong is found before the code is used up: nothing between the exchange and its tokens can fail.
        let (listed, reader) = (self.listed(callback)?, self.reader()?);
        let answer = match cx.send_once(self.token_request(app, &app.base_urls, fields)?).await {
            Sent::Answered(answer) => reader.exchange(&answer)?,
            // The tokens are all there, or they are not: a code is not exchanged twice.
            Sent::CutOff(answer, error) => reader.exchange(&answer).map_err(|_| error)?,
            Sent::Failed(error) => return Err(error.into()),
        };
        let granted = if answer.granted == Granted::Unknown { listed } else { answer.granted };
        Ok(Grant {
            tokens: answer.tokens,
            scopes: GrantScopes::of_flow(pending.requested.iter().cloned().collect(), granted),
            subject: answer.subject,
            base_urls: app.base_urls.clone(),
        })
    }

    /// Anybody can send a browser to the redirect URI with an error and without a state: the free text of such a callback is not shown.
    fn callback_error(&self, callback: &CallbackParams) -> Result<Option<Error>> {
        let Some(error) = callback.one("error")? else { return Ok(None) };
        let facts = self.authorize()?;
        let detail = callback.one("error_type")?;
        let pair = detail.map_or_else(|| error.to_owned(), |detail| format!("{error}/{detail}"));
        let known =
            facts.callback_errors.get(&pair).or_else(|| facts.callback_errors.get(error).filter(|_| detail.is_none()));
        if let Some(known) = known {
            let kind = ErrorKind::from_word(&known.kind).unwrap_or(ErrorKind::Rejected);
            let error = Error::new(kind, known.say.clone()).with_code(pair);
            return Ok(Some(if known.scope { error.about_a_scope() } else { error }));
        }
        let claimed = callback.one("state")?.is_some();
        let description = callback.one("error_description")?.filter(|_| claimed);
        let reason = description.map(|text| format!(": {}", words(text))).unwrap_or_default();
        let unknown =
            Error::new(standard_callback_kind(error, detail), format!("the platform refused the request{reason}"));
        let unknown = if error == "invalid_scope" { unknown.about_a_scope() } else { unknown };
        Ok(Some(if claimed || is_code(&pair) { unknown.with_code(shown(&pair)) } else { unknown }))
    }

    fn refresh_request(&self, app: &App, grant: &Grant) -> Result<Request> {
        match (self.refresh_class(), &grant.tokens.refresh) {
            (
                RefreshClass::RotatingStrict | RefreshClass::RotatingGrace { .. } | RefreshClass::NonRotating,
                Some(token),
            ) => self.token_request(
                app,
                &grant.base_urls,
                vec![("grant_type", "refresh_token"), ("refresh_token", token.expose())],
            ),
            (RefreshClass::None, _) => Err(Error::reauth_required(
                "no_refresh",
                "the platform has no refresh: the person has to connect again",
            )),
            _ => Err(Error::reauth_required(
                "no_refresh_token",
                "the grant holds no refresh token: the person has to connect again",
            )),
        }
    }

    fn read_refresh(&self, answer: &RawAnswer) -> RefreshOutcome {
        match self.reader() {
            Ok(reader) => reader.refresh(answer),
            Err(error) => RefreshOutcome::Refused(error),
        }
    }

    fn revocation(&self) -> RevocationClass {
        match self.protocol.oauth.revoke.as_ref().map(|facts| facts.token) {
            None => RevocationClass::NotOffered,
            Some(RevokedToken::Access) => RevocationClass::LiveToken,
            Some(RevokedToken::Refresh) => RevocationClass::AnyToken,
        }
    }

    fn revoke_request(&self, app: &App, grant: &Grant) -> Result<Request> {
        let facts = self.protocol.oauth.revoke.as_ref().ok_or_else(no_revocation)?;
        let refresh = grant.tokens.refresh.as_ref().filter(|_| facts.token == RevokedToken::Refresh);
        let token = refresh.unwrap_or(&grant.tokens.access);
        let mut request = self.token_request(app, &grant.base_urls, vec![(&facts.token_param, token.expose())])?;
        request.url = facts.at.under(&grant.base_urls)?;
        Ok(request)
    }

    fn read_revoke(&self, answer: &RawAnswer) -> RevokeOutcome {
        match &self.protocol.oauth.revoke {
            Some(facts) => super::revoke::read(facts, &self.protocol.oauth.errors, answer),
            None => {
                RevokeOutcome::Refused(Error::new(ErrorKind::Unsupported, "the platform has no revocation endpoint"))
            }
        }
    }
}

fn no_revocation() -> Error {
    Error::new(ErrorKind::Unsupported, "the platform takes no revocation")
}

/// Whether a text looks like an error code, and is too poor to hold a sentence.
fn is_code(text: &str) -> bool {
    text.len() <= 80 && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'))
}

/// RFC 6749 section 4.1.2.1. Only a bare `access_denied` is a person's no: with a detail it is the platform's.
fn standard_callback_kind(error: &str, detail: Option<&str>) -> ErrorKind {
    match (error, detail) {
        ("access_denied", None) => ErrorKind::Declined,
        ("server_error" | "temporarily_unavailable", _) => ErrorKind::Unavailable,
        ("invalid_scope" | "unauthorized_client" | "invalid_request" | "unsupported_response_type", _) => {
            ErrorKind::Config
        }
        _ => ErrorKind::Rejected,
    }
}

fn join(scopes: &[Scope], separator: &str) -> String {
    scopes.iter().map(Scope::as_str).collect::<Vec<_>>().join(separator)
}

#[cfg(test)]
#[path = "configured_tests.rs"]
mod tests;
