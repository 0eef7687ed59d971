//! What another configuration would mean for the connections there are.

use std::fs;
use std::path::Path;

use connector_core::Scope;
use connector_core::config::Config;
use connector_core::scope::ScopeStatus;
use serde_json::{Value, json};

use super::args::Plan as Args;
use super::exit::Exit;
use super::output::Output;
use super::setup::Setup;
use super::{config, plan_text};
use crate::error::{Error, Result};
use crate::layers::ConfigFiles;
use crate::plan::{AppPlan, Extra, Plan, ScopePlan, Unlock};
use crate::reload::Mistake;

pub(super) async fn run(setup: &Setup, args: &Args, output: Output) -> Result<Exit> {
    let (present, candidate) = match both(setup, args, output) {
        Err(Error::Config(problems)) if output.is_json() => {
            output.data(&config::refused(&problems));
            return Ok(Exit::Failed);
        }
        both => both?,
    };
    let warnings = config::warnings(&candidate, setup);
    for warning in &warnings {
        output.warn(warning);
    }
    let store = setup.store_to_look_at(&Setup::context()).await?;
    let plan = Plan::of(store.as_ref(), &setup.registry, &present.settings, &candidate.settings).await?;
    let data = json!({
        "ok": true,
        "changes": plan.changes(),
        "present": config::layers(&present),
        "candidate": config::layers(&candidate),
        "warnings": Mistake::all(&warnings),
        "apps": plan.apps.iter().map(app).collect::<Vec<_>>(),
    });
    output.either(&data, || plan_text::text(&setup.registry, &plan, &config::layers(&candidate).join(", then ")));
    Ok(if plan.changes() { Exit::Changes } else { Exit::Done })
}

/// The configuration as it is, and as it would be.
fn both(setup: &Setup, args: &Args, output: Output) -> Result<(Config, Config)> {
    let present = setup.config(output)?;
    let candidate = candidate(&setup.files(), args)?.load(&setup.registry)?;
    Ok((present, candidate))
}

/// The files of the candidate: the file is one more overlay, or stands in place of the operator's.
fn candidate(present: &ConfigFiles, Args { file, replace }: &Args) -> Result<ConfigFiles> {
    if let Some(same) = present.operator.iter().chain(&present.overlays).find(|read| is_same(read, file)) {
        return Err(Error::Request(format!(
            "{} is part of the configuration already, so there is nothing to compare: name the file as it would be, and with --config the operator's file as it is now",
            same.display()
        )));
    }
    let mut files = present.clone();
    if *replace {
        files.operator = Some(file.clone());
    } else {
        files.overlays.push(file.clone());
    }
    Ok(files)
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}

fn app(plan: &AppPlan) -> Value {
    let (now, then) = plan.reauthentication_helps;
    let renamed = |(from, to): &(Scope, Scope)| json!({ "from": from.as_str(), "to": to.as_str() });
    let extra =
        |(scope, extra): (&Scope, &Extra)| json!({ "scope": scope.as_str(), "now": extra.now, "then": extra.then });
    let granted = |(scope, count): (&Scope, &u64)| json!({ "scope": scope.as_str(), "connections": count });
    json!({
        "platform": plan.platform.as_str(),
        "app": plan.app,
        "presence": plan.presence.as_str(),
        "changes": plan.changes(),
        "connections": plan.connections,
        "reauthentication_helps": { "now": now, "then": then },
        "lacks_required": { "now": plan.lacks_required.0, "then": plan.lacks_required.1 },
        "asks_also": names(&plan.asks_also),
        "asks_no_more": names(&plan.asks_no_more),
        "renamed": plan.renamed.iter().map(renamed).collect::<Vec<_>>(),
        "pending_then": names(&plan.pending_then),
        "pending_no_more": names(&plan.pending_no_more),
        "settings": plan.settings,
        "scopes": plan.scopes.iter().map(scope).collect::<Vec<_>>(),
        "abilities": plan.abilities.iter().map(unlock).collect::<Vec<_>>(),
        "fields": plan.fields.iter().map(unlock).collect::<Vec<_>>(),
        "other_sources": plan.other_sources.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "extra": plan.extra.iter().map(extra).collect::<Vec<_>>(),
        "undescribed": plan.undescribed.iter().map(granted).collect::<Vec<_>>(),
    })
}

fn names<'a>(scopes: impl IntoIterator<Item = &'a Scope>) -> Vec<&'a str> {
    scopes.into_iter().map(Scope::as_str).collect()
}

fn scope(plan: &ScopePlan) -> Value {
    let then: serde_json::Map<_, _> =
        plan.then().into_iter().map(|(status, count)| (status.as_str().to_owned(), json!(count))).collect();
    let turn = |((now, then), count): ((ScopeStatus, ScopeStatus), u64)| json!({ "from": now.as_str(), "to": then.as_str(), "connections": count });
    json!({ "scope": plan.scope.as_str(), "then": then, "turns": plan.changes().map(turn).collect::<Vec<_>>() })
}

fn unlock((name, unlock): (&impl ToString, &Unlock)) -> Value {
    let Unlock { any_of, missing, until_asked, gained, lost } = unlock;
    json!({
        "name": name.to_string(),
        "any_of": names(any_of),
        "missing": missing,
        "until_asked": until_asked,
        "gained": gained,
        "lost": lost,
    })
}
