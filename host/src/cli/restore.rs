use std::fmt::Write as _;

use serde_json::{Value, json};

use super::args::Restore;
use super::exit::Exit;
use super::output::Output;
use super::setup::Setup;
use super::{database, format};
use crate::error::Result;
use crate::restore::{Carried, Doubt, Doubted, Restore as Order, Restored, restore};
use crate::store::{ConnectionRecord, GrantId, GrantRecord, GrantState, InstanceName};

pub(super) async fn run(setup: &Setup, args: &Restore, output: Output) -> Result<Exit> {
    database::refuse(&setup.global)?;
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
    let ids =
        |connections: &[ConnectionRecord]| connections.iter().map(|one| json!(one.id.as_str())).collect::<Value>();
    json!({
        "kept_aside": done.kept_aside,
        "compared": done.compared,
        "instance": done.owner.as_ref().map(InstanceName::as_str),
        "carried_over": done.carried_over.iter().map(|carried| carried_data(done, carried)).collect::<Value>(),
        "in_doubt": done.in_doubt.iter().map(|doubted| doubted_data(done, doubted)).collect::<Value>(),
        "forgotten": done.forgotten.iter().map(grant_data).collect::<Value>(),
        "kept_disconnected": ids(&done.kept_disconnected),
        "purged_again": ids(&done.purged_again),
    })
}

fn carried_data(done: &Restored, Carried { grant, newer_tokens }: &Carried) -> Value {
    let mut row = with_connections(done, grant);
    row["newer_tokens"] = json!(newer_tokens);
    row["state"] = json!(grant.state.as_str());
    row
}

fn doubted_data(done: &Restored, Doubted { grant, doubt }: &Doubted) -> Value {
    let mut row = with_connections(done, grant);
    row["doubt"] = json!(doubt.as_str());
    row
}

fn with_connections(done: &Restored, grant: &GrantRecord) -> Value {
    let mut row = grant_data(grant);
    row["connections"] = of_grant(done, &grant.id).map(|found| json!(found.id.as_str())).collect();
    row
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
    let _ = writeln!(text, "Everybody who had signed in to the pages is signed out.");
    if !done.compared {
        let _ = writeln!(
            text,
            "Users and their passwords are those of the backup: `connector-host users list` shows who may sign in."
        );
    }
    let carried = done.carried_over.iter().map(|carried| carried_line(done, carried));
    list(&mut text, "Carried over from what was there, so it is as it was:", carried);
    let doubted = done.in_doubt.iter().map(|doubted| {
        let Doubted { grant, doubt } = doubted;
        format!("{}: {}", names(done, grant), why(*doubt))
    });
    list(
        &mut text,
        "Their refresh tokens may be spent; the next use asks the platform once, and may say `reauth_required (refresh_result_lost)`:",
        doubted,
    );
    let disconnected = done.kept_disconnected.iter().map(name);
    list(&mut text, "Disconnected since the backup was made, and so they stay:", disconnected);
    let purged = done.purged_again.iter().map(|connection| format!("{} {}", connection.platform, connection.id));
    list(
        &mut text,
        "Purged since the backup was made, and erased from the restored store as well; the backup still holds them, so delete it when you can:",
        purged,
    );
    list(
        &mut text,
        "Allowed since the backup was made, and not in it; this access lives on at the platform, and nothing here knows it. Connect again, or have the person remove the app there:",
        done.forgotten.iter().map(forgotten_line),
    );
    text
}

/// A sentence with what it is about, if it is about anything.
fn list(text: &mut String, sentence: &str, lines: impl Iterator<Item = String>) {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        let _ = writeln!(text, "{sentence}");
    }
    for line in lines {
        let _ = writeln!(text, "  {line}");
    }
}

fn carried_line(done: &Restored, Carried { grant, newer_tokens }: &Carried) -> String {
    let tokens = newer_tokens.then(|| "its newer tokens".to_owned());
    let state = match &grant.state {
        GrantState::Held { reason } | GrantState::ReauthRequired { reason } => {
            format!("{} ({reason})", grant.state.as_str())
        }
        state => state.as_str().to_owned(),
    };
    let what: Vec<String> = tokens.into_iter().chain([state]).collect();
    format!("{}: {}", names(done, grant), what.join(", "))
}

fn forgotten_line(grant: &GrantRecord) -> String {
    let subject = grant.subject.as_deref().map(format::text).unwrap_or_default();
    format!("{} {subject}, allowed {}", grant.platform, grant.created_at.strftime("%Y-%m-%d %H:%M"))
}

fn names(done: &Restored, grant: &GrantRecord) -> String {
    let names = of_grant(done, &grant.id).map(name).collect::<Vec<_>>().join(", ");
    if names.is_empty() { format!("grant {}", grant.id) } else { names }
}

fn name(connection: &ConnectionRecord) -> String {
    let name = format::text(connection.profile.label().unwrap_or(&connection.account_id));
    format!("{name} ({}) {}", connection.platform, connection.id)
}

fn why(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::Rotated => "refreshed since, and the newer tokens do not open",
        Doubt::Sent => "a refresh was sent since",
        Doubt::Replaced => "connected again since",
        Doubt::Unknown => "nobody knows",
    }
}
