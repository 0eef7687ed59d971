//! The accounts of whoever allowed access, and their counts.

use axum::Json;
use axum::extract::{Path, State as Extract};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use super::client::authorization;
use super::fault::Fault;
use super::people::{Account, COUNTS, Member, member};
use super::state::Grant;
use super::world::{Shared, World};

/// `/v1/accounts`
pub(super) async fn accounts(Extract(world): Extract<Shared>, headers: HeaderMap) -> Result<Json<Value>, Fault> {
    let answer = || {
        let (_, member) = caller(&world, &headers, &["profile:read"])?;
        Ok(json!({ "items": member.accounts.iter().map(profile).collect::<Vec<_>>() }))
    };
    answer().map(Json).map_err(|fault: Fault| fault.about(&world.request_id()))
}

/// `/v1/accounts/{account_id}/stats`: what the scopes allow, as decimal text but for the score.
pub(super) async fn stats(
    Extract(world): Extract<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Fault> {
    let answer = || {
        let (grant, member) = caller(&world, &headers, &["stats:read", "audience:read"])?;
        let account = member.accounts.iter().find(|account| account.id == id);
        let account = account.ok_or_else(|| Fault::api(StatusCode::NOT_FOUND, 23, "You have no such account"))?;
        Ok(json!({ "id": account.id, "stats": counts(account, &grant.scopes) }))
    };
    answer().map(Json).map_err(|fault: Fault| fault.about(&world.request_id()))
}

/// Who calls, if the token is alive and holds one of the scopes.
fn caller(world: &World, headers: &HeaderMap, scopes: &[&str]) -> Result<(Grant, &'static Member), Fault> {
    let grant = authorization(headers, "bearer").and_then(|token| world.grant_of(token));
    let known = grant.and_then(|grant| member(&grant.person).map(|member| (grant, member)));
    let (grant, member) = known.ok_or_else(|| Fault::api(StatusCode::UNAUTHORIZED, 11, "This token does not work"))?;
    if grant.scopes.iter().any(|scope| scopes.contains(&scope.as_str())) {
        Ok((grant, member))
    } else {
        Err(Fault::api(StatusCode::FORBIDDEN, 17, "This token does not reach that far"))
    }
}

fn profile(account: &Account) -> Value {
    json!({ "id": account.id, "name": account.name, "handle": account.id.replace(|c: char| !c.is_ascii_alphanumeric(), "_"), "kind": account.kind })
}

fn counts(account: &Account, scopes: &[String]) -> Map<String, Value> {
    let held = COUNTS.iter().zip(account.counts).filter(|((scope, _), _)| scopes.iter().any(|held| held == scope));
    held.map(|((_, name), count)| ((*name).to_owned(), written(name, count))).collect()
}

fn written(name: &str, count: Option<u64>) -> Value {
    match count {
        Some(score) if name == "glow" => score.into(),
        Some(count) => count.to_string().into(),
        None => Value::Null,
    }
}
