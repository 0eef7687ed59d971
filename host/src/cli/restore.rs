use std::fmt::Write as _;

use serde_json::{Value, json};

use super::args::Restore;
use super::exit::Exit;
use super::format;
use super::output::Output;
use super::setup::Setup;
use crate::error::Result;
use crate::restore::{Doubt, Restore as Order, Restored, restore};
use crate::store::{ConnectionRecord, GrantId, GrantRecord, InstanceName};

pub(super) async fn run(setup: &Setup, args: &Restore, output: Output) -> Result<Exit> {
    let dir = setup.data_dir()?;
    let keys = setup.key_source(&dir, !setup.global.emulator, output)?;
    let order = Order {
        dir: &dir,
        file: &args.file,
        keys: &keys,
        name: setup.global.instance.clone(),
        tenant: &setup.global.tenant,
        other_instance: args.other_instance,
    };
    let done = restore(&Setup::context(), &setup.registry, &order).await?;
    output.either(&data(&done), || text(args, &done));
    if let Some(owner) = done.owner.as_ref().filter(|owner| setup.global.instance.as_ref() != Some(owner)) {
        output.note(format!("The store belongs to the instance `{owner}`: start it with --instance {owner}."));
    }
    Ok(Exit::Done)
}

fn data(done: &Restored) -> Value {
    let doubted = |doubted: &crate::restore::Doubted| {
        let mut row = grant_data(&doubted.grant);
        row["doubt"] = json!(doubted.doubt.as_str());
        row["connections"] =
            json!(of_grant(done, &doubted.grant.id).map(|found| found.id.as_str()).collect::<Vec<_>>());
        row
    };
    json!({
        "kept_aside": done.kept_aside,
        "compared": done.compared,
        "instance": done.owner.as_ref().map(InstanceName::as_str),
        "in_doubt": done.in_doubt.iter().map(doubted).collect::<Vec<_>>(),
        "forgotten": done.forgotten.iter().map(grant_data).collect::<Vec<_>>(),
        "kept_disconnected": done.kept_disconnected.iter().map(|connection| connection.id.as_str()).collect::<Vec<_>>(),
    })
}

fn grant_data(grant: &GrantRecord) -> Value {
    json!({
        "grant": grant.id.as_str(),
        "tenant": grant.tenant,
        "platform": grant.platform.as_str(),
        "subject": grant.subject,
        "created_at": grant.created_at.to_string(),
    })
}

fn of_grant<'a>(done: &'a Restored, grant: &'a GrantId) -> impl Iterator<Item = &'a ConnectionRecord> {
    done.connections.iter().filter(move |connection| connection.grant_id == *grant)
}

fn text(args: &Restore, done: &Restored) -> String {
    let mut text = format!("Restored {}.\n", args.file.display());
    if let Some(kept) = &done.kept_aside {
        let _ = writeln!(
            text,
            "What was there is kept in {}: its metrics and records since the backup are only there.",
            kept.display()
        );
    }
    if !done.compared {
        let _ = writeln!(
            text,
            "There was no readable store to compare it with, so nobody knows what happened since the backup was made."
        );
    }
    if !done.in_doubt.is_empty() {
        let _ = writeln!(
            text,
            "Their refresh tokens may be spent; the next use asks the platform once, and may say `reauth_required (refresh_result_lost)`:"
        );
    }
    for doubted in &done.in_doubt {
        let names = of_grant(done, &doubted.grant.id).map(name).collect::<Vec<_>>().join(", ");
        let names = if names.is_empty() { format!("grant {}", doubted.grant.id) } else { names };
        let _ = writeln!(text, "  {names}: {}", why(doubted.doubt));
    }
    if !done.kept_disconnected.is_empty() {
        let _ = writeln!(text, "Disconnected since the backup was made, and so they stay:");
    }
    for connection in &done.kept_disconnected {
        let _ = writeln!(text, "  {}", name(connection));
    }
    if !done.forgotten.is_empty() {
        let _ = writeln!(
            text,
            "Allowed since the backup was made, and not in it; this access lives on at the platform, and nothing here knows it. Connect again, or have the person remove the app there:"
        );
    }
    for grant in &done.forgotten {
        let subject = grant.subject.as_deref().map(format::text).unwrap_or_default();
        let _ =
            writeln!(text, "  {} {subject}, allowed {}", grant.platform, grant.created_at.strftime("%Y-%m-%d %H:%M"));
    }
    text
}

fn name(connection: &ConnectionRecord) -> String {
    let name = format::text(connection.profile.label().unwrap_or(&connection.account_id));
    format!("{name} ({}) {}", connection.platform, connection.id)
}

fn why(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::Rotated => "refreshed since",
        Doubt::Sent => "a refresh was sent since",
        Doubt::Replaced => "connected again since",
        Doubt::Unknown => "nobody knows",
    }
}
