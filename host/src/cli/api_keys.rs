use jiff::Timestamp;
use serde_json::{Value, json};

use super::args::{ApiKeys, ApiKeysAction, CreateApiKey, TENANT};
use super::exit::Exit;
use super::format;
use super::output::Output;
use super::running::Running;
use super::setup::Setup;
use super::table::table;
use crate::api_keys::{NewApiKey, Right};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::store::{ApiKeyRecord, ApiKeyState};

/// How the tenant of a server's key is shown.
const ANY: &str = "any";

pub(super) async fn run(setup: &Setup, running: &Running, args: &ApiKeys, output: Output) -> Result<Exit> {
    let host = setup.host(running, output).await?;
    match &args.action {
        None | Some(ApiKeysAction::List) => list(&host, output).await,
        Some(ApiKeysAction::Create(args)) => create(&host, &setup.global.tenant, args, output).await,
        Some(ApiKeysAction::Revoke { key }) => revoke(&host, key, output).await,
    }
}

async fn list(host: &Host, output: Output) -> Result<Exit> {
    let (keys, now) = (host.api_keys().await?, host.context().now());
    output.either(&keys.iter().map(|key| key_json(key, now)).collect::<Vec<_>>(), || text(&keys, now));
    Ok(Exit::Done)
}

fn text(keys: &[ApiKeyRecord], now: Timestamp) -> String {
    if keys.is_empty() {
        return "There is no API key; `connector-host api-keys create` makes one.".to_owned();
    }
    let rows = keys.iter().map(|key| {
        [
            key.id.to_string(),
            key.name.clone(),
            key.tenant.as_deref().unwrap_or(ANY).to_owned(),
            words(key),
            format!("{:.0}", key.created_at),
            key.expires_at.map_or_else(|| "never".to_owned(), |at| format!("{at:.0}")),
            key.state(now).as_str().to_owned(),
        ]
    });
    table(["id", "name", "tenant", "rights", "created", "expires", "state"], rows)
}

/// A key as data. Its digest is nobody's business.
fn key_json(key: &ApiKeyRecord, now: Timestamp) -> Value {
    json!({
        "id": key.id.as_str(),
        "name": key.name,
        "tenant": key.tenant,
        "rights": key.rights.iter().map(|right| right.as_str()).collect::<Vec<_>>(),
        "created_at": key.created_at.to_string(),
        "expires_at": key.expires_at.map(|at| at.to_string()),
        "revoked_at": key.revoked_at.map(|at| at.to_string()),
        "state": key.state(now).as_str(),
    })
}

fn words(key: &ApiKeyRecord) -> String {
    Right::list(key.rights.iter().copied(), ", ")
}

async fn create(host: &Host, tenant: &str, args: &CreateApiKey, output: Output) -> Result<Exit> {
    let (now, new) = (host.context().now(), wish(tenant, args)?);
    let (key, secret) = host.create_api_key(new).await?;
    if output.is_json() {
        let mut data = key_json(&key, now);
        data["secret"] = secret.expose().into();
        output.data(&data);
        return Ok(Exit::Done);
    }
    output.note(format!("Made the API key {}. Its secret, which is not shown again:", told(&key)));
    output.say(secret.expose());
    Ok(Exit::Done)
}

/// What is asked for.
fn wish(tenant: &str, args: &CreateApiKey) -> Result<NewApiKey> {
    let rights = args.rights.clone().ok_or_else(|| {
        Error::Request(format!(
            "say what the key allows, with --rights: {}; with commas between them, or all",
            Right::list(Right::ALL, ", ")
        ))
    })?;
    if args.any_tenant && tenant != TENANT {
        return Err(Error::Request("a key is for one tenant or for any: pass --tenant or --any-tenant".to_owned()));
    }
    let tenant = (!args.any_tenant).then(|| tenant.to_owned());
    Ok(NewApiKey { name: args.name.clone(), tenant, rights, life: args.expires_in })
}

/// Which key it is and what for, in a line.
fn told(key: &ApiKeyRecord) -> String {
    let tenant = key.tenant.as_ref().map_or_else(|| "any tenant".to_owned(), |tenant| format!("the tenant `{tenant}`"));
    let until = key.expires_at.map_or_else(|| "it is revoked".to_owned(), |at| format!("{at:.0}"));
    format!("`{}` ({}) for {tenant}: {}, until {until}", key.name, key.id, words(key))
}

async fn revoke(host: &Host, text: &str, output: Output) -> Result<Exit> {
    let keys = host.api_keys().await?;
    let key = meant(&keys, text, host.context().now()).ok_or_else(|| {
        let text = text.escape_debug();
        Error::Request(format!("no API key is called `{text}`; `connector-host api-keys list` shows them"))
    })?;
    let revoked = host.revoke_api_key(&key.id).await?;
    output.either(&json!({ "id": key.id.as_str(), "name": key.name, "revoked": revoked }), || {
        let name = format::line(&key.name);
        if revoked {
            format!("The API key `{name}` ({}) is revoked: whoever shows it is not let in any more.", key.id)
        } else {
            format!("The API key `{name}` ({}) had been revoked already.", key.id)
        }
    });
    Ok(Exit::Done)
}

/// The key of this id, else of this name: the active one, else one that could be revoked still, else the latest.
fn meant<'k>(keys: &'k [ApiKeyRecord], text: &str, now: Timestamp) -> Option<&'k ApiKeyRecord> {
    let weight = |key: &ApiKeyRecord| match key.state(now) {
        ApiKeyState::Active => 2,
        ApiKeyState::Expired => 1,
        ApiKeyState::Revoked => 0,
    };
    let by_id = keys.iter().find(|key| key.id.as_str().eq_ignore_ascii_case(text));
    by_id.or_else(|| keys.iter().filter(|key| key.name == text).max_by_key(|key| weight(key)))
}
