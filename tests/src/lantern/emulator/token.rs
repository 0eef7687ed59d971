//! `/oauth/token` and `/oauth/revoke`: JSON in, JSON out.

use axum::Json;
use axum::extract::State as Extract;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, StatusCode};
use connector_core::Secret;
use connector_core::app::Pkce;
use connector_core::oauth::challenge;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::authenticate;
use super::fault::Fault;
use super::state::Grant;
use super::world::{Shared, World};

/// What may stand in a request. Credentials may not: they go in the header.
#[derive(Debug, Deserialize)]
#[serde(tag = "grant_type", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum TokenRequest {
    AuthorizationCode { code: String, redirect_uri: String, code_verifier: String },
    RefreshToken { refresh_token: String },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RevokeRequest {
    token: String,
}

type Read<T> = Result<Json<T>, JsonRejection>;

/// Exchanges a code, or refreshes.
pub(super) async fn token(
    Extract(world): Extract<Shared>,
    headers: HeaderMap,
    body: Read<TokenRequest>,
) -> Result<Json<Value>, Fault> {
    let answer = || {
        let client_id = authenticate(&headers)?.client_id;
        match read(body)? {
            TokenRequest::AuthorizationCode { code, redirect_uri, code_verifier } => {
                exchange(&world, client_id, &code, &redirect_uri, &code_verifier)
            }
            TokenRequest::RefreshToken { refresh_token } => refresh(&world, client_id, &Secret::new(refresh_token)),
        }
    };
    answer().map(Json).map_err(|fault| fault.about(&world.request_id()))
}

/// Ends a grant. Whether there was one is not said.
pub(super) async fn revoke(
    Extract(world): Extract<Shared>,
    headers: HeaderMap,
    body: Read<RevokeRequest>,
) -> Result<StatusCode, Fault> {
    let answer = || {
        let client_id = authenticate(&headers)?.client_id;
        let key = Secret::new(read(body)?.token).digest();
        let ours = world.state().grants.get(&key).is_some_and(|grant| grant.client_id == client_id);
        if ours { world.change(|state| state.end(&key)).map_err(|error| Fault::broken(&error)) } else { Ok(()) }
    };
    answer().map(|()| StatusCode::OK).map_err(|fault| fault.about(&world.request_id()))
}

fn exchange(world: &World, client_id: &str, code: &str, redirect_uri: &str, verifier: &str) -> Result<Value, Fault> {
    let code = world
        .redeem_code(code)
        .filter(|code| code.grant.client_id == client_id)
        .ok_or_else(|| invalid_grant("the code is unknown or used up"))?;
    if code.redirect_uri != redirect_uri {
        return Err(invalid_grant("the redirect URI is another one"));
    }
    if challenge(Pkce::Base64url, &Secret::from(verifier)).as_deref() != Some(&code.challenge) {
        return Err(invalid_grant("the verifier does not fit the challenge"));
    }
    let refresh = world.open(code.grant.clone()).map_err(|error| Fault::broken(&error))?;
    let mut answer = tokens(world, &refresh, &code.grant)?;
    answer["refresh_token"] = refresh.expose().into();
    Ok(answer)
}

/// The refresh token stays the same, so it is not answered.
fn refresh(world: &World, client_id: &str, refresh: &Secret) -> Result<Value, Fault> {
    let grant = world.state().grants.get(&refresh.digest()).filter(|grant| grant.client_id == client_id).cloned();
    tokens(world, refresh, &grant.ok_or_else(|| invalid_grant("the refresh token is unknown or revoked"))?)
}

fn tokens(world: &World, refresh: &Secret, grant: &Grant) -> Result<Value, Fault> {
    let (access, life) = world.issue_access(refresh).map_err(|error| Fault::broken(&error))?;
    Ok(json!({ "access_token": access.expose(), "token_type": "Bearer", "expires_in": life, "scopes": grant.scopes }))
}

fn read<T>(body: Read<T>) -> Result<T, Fault> {
    body.map(|Json(body)| body).map_err(|_| {
        Fault::oauth(StatusCode::BAD_REQUEST, "invalid_request", "the body is not the JSON that belongs here")
    })
}

fn invalid_grant(words: &str) -> Fault {
    Fault::oauth(StatusCode::BAD_REQUEST, "invalid_grant", words)
}
