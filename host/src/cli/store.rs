use std::fmt::Write as _;
use std::io::IsTerminal as _;

use jiff::Timestamp;
use serde_json::json;

use super::args::{Store, StoreAction};
use super::exit::Exit;
use super::output::Output;
use super::setup::Setup;
use crate::error::{Error, Result};
use crate::restore::doubt_after_restore;
use crate::store::{AuditId, AuditRecord, InstanceId, InstanceName, Stock, StoreError};

pub(super) async fn run(setup: &Setup, args: &Store, output: Output) -> Result<Exit> {
    let store = setup.store(&Setup::context(), output).await?;
    match &args.action {
        None | Some(StoreAction::Show) => show(store.as_ref(), output).await,
        Some(StoreAction::Adopt { yes }) => adopt(setup, store.as_ref(), *yes, output).await,
        Some(StoreAction::Restored { since }) => restored(setup, store.as_ref(), *since, output).await,
    }
}

async fn show(store: &dyn crate::store::Store, output: Output) -> Result<Exit> {
    let (id, owner, stock) = (store.instance_id().await?, store.owner().await?, store.stock().await?);
    let read_only = match store.check_ours().await {
        Err(error @ StoreError::NotOurs { .. }) => Some(error.to_string()),
        checked => checked.map(|()| None)?,
    };
    let data = json!({
        "place": stock.place.to_string(),
        "kind": stock.kind,
        "schema_step": stock.schema_step,
        "instance_id": id.as_str(),
        "instance": owner.as_ref().map(InstanceName::as_str),
        "grants": stock.grants,
        "connections": stock.connections,
        "disconnected": stock.disconnected,
        "samples": stock.samples,
        "read_only": read_only,
    });
    output.either(&data, || text(&id, owner.as_ref(), &stock, read_only.as_deref()));
    Ok(Exit::Done)
}

fn text(id: &InstanceId, owner: Option<&InstanceName>, stock: &Stock, read_only: Option<&str>) -> String {
    let owner =
        owner.map_or_else(|| "none; the first start with --instance NAME gives it one".to_owned(), ToString::to_string);
    let grants = stock.grants.iter().map(|(state, count)| format!("{count} {state}")).collect::<Vec<_>>().join(", ");
    let grants = if grants.is_empty() { "none".to_owned() } else { grants };
    let mut text = String::new();
    let _ = writeln!(text, "store        {} ({}, schema step {})", stock.place, stock.kind, stock.schema_step);
    let _ = writeln!(text, "id           {id}");
    let _ = writeln!(text, "instance     {owner}");
    let _ = writeln!(text, "grants       {grants}");
    let _ = writeln!(text, "connections  {}, and {} disconnected", stock.connections, stock.disconnected);
    let _ = writeln!(text, "samples      {}", stock.samples);
    let _ = writeln!(
        text,
        "this start   {}",
        read_only.map_or_else(|| "may use it".to_owned(), |why| format!("is read-only: {why}"))
    );
    text
}

async fn adopt(setup: &Setup, store: &dyn crate::store::Store, yes: bool, output: Output) -> Result<Exit> {
    let name = setup.global.instance.as_ref().ok_or_else(|| {
        Error::Request(
            "name the installation that takes the store over: `connector-host store adopt --instance NAME`".to_owned(),
        )
    })?;
    let before = store.owner().await?;
    let data = json!({ "instance": name.as_str(), "before": before.as_ref().map(InstanceName::as_str) });
    if before.as_ref() == Some(name) {
        output.either(&data, || format!("The store belongs to `{name}` already."));
        return Ok(Exit::Done);
    }
    if let Some(before) = &before {
        output.note(format!(
            "The store belongs to `{before}`. Once `{name}` has it, `{before}` must never run again, here or on another copy of it: whichever of the two refreshes a token first ends the other's access. Connections in doubt stay in doubt."
        ));
    }
    if !yes && !agreed(output).await? {
        output.note("Nothing was changed.");
        return Ok(Exit::Failed);
    }
    let cx = Setup::context();
    let record = AuditRecord {
        id: AuditId::new(&cx)?,
        at: cx.now(),
        tenant: setup.global.tenant.clone(),
        event: "store_adopted".to_owned(),
        connection: None,
        grant: None,
        detail: json!({ "from": before.as_ref().map(InstanceName::as_str), "to": name.as_str() }).to_string(),
    };
    store.adopt(name, &record).await?;
    output.either(&data, || format!("The store belongs to `{name}` now."));
    Ok(Exit::Done)
}

/// Asks the person at the terminal.
async fn agreed(output: Output) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(Error::Request("nobody can be asked here: pass --yes if that is what you want".to_owned()));
    }
    output.note("Take it over? Type yes:");
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    });
    let line = read.await.map_err(|error| Error::Machine(error.to_string()))?;
    let line = line.map_err(|error| Error::Machine(format!("the terminal cannot be read: {error}")))?;
    Ok(line.trim().eq_ignore_ascii_case("yes"))
}

async fn restored(setup: &Setup, store: &dyn crate::store::Store, since: Timestamp, output: Output) -> Result<Exit> {
    let doubted = doubt_after_restore(&Setup::context(), &setup.registry, store, since).await?;
    let ids: Vec<_> = doubted.iter().map(|doubted| doubted.grant.id.as_str()).collect();
    output.either(&json!({ "in_doubt": ids }), || {
        format!(
            "{} refresh tokens from before {since} may have been used since. The next use of each asks the platform once; where it is spent, the connection says `reauth_required (refresh_result_lost)`.\nEverybody who had signed in to the pages is signed out. Users and their passwords are those of the restored state: `connector-host users list` shows who may sign in.",
            ids.len()
        )
    });
    Ok(Exit::Done)
}
