//! A plan for people: what would change, and what would be missing. What stays as it is stays unsaid.

use std::fmt::{Display, Write as _};

use connector_core::Registry;
use connector_core::scope::{ScopeStatus, list_scopes};

use super::format;
use crate::plan::{AppPlan, Extra, Plan, Presence, ScopePlan, Unlock};
use crate::words::connections;

pub(super) fn text(registry: &Registry, plan: &Plan, candidate: &str) -> String {
    let mut text = format!("{}\n", format::folded("The candidate: ", candidate));
    for app in &plan.apps {
        let name = registry.get(app.platform.as_str()).map_or(app.platform.as_str(), |linked| linked.name());
        let _ = write!(text, "\n{name} ({}), app {}: {}", app.platform, app.app, connections(app.connections));
        let lines = lines(app);
        if lines.is_empty() {
            text.push_str(", and nothing would change\n");
            continue;
        }
        text.push('\n');
        for (name, line) in lines {
            let _ = writeln!(text, "{}", format::folded(&format!("  {name:<16} "), &line));
        }
    }
    text.push_str(if plan.changes() {
        "\nNothing has been changed.\n"
    } else {
        "\nNothing would change for any connection or person.\n"
    });
    text
}

/// What there is to say about an app, each with its heading.
fn lines(app: &AppPlan) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let mut say = |name, line: String| {
        if !line.is_empty() {
            lines.push((name, line));
        }
    };
    say("", presence(app).to_owned());
    say("asks also for", list_scopes(&app.asks_also));
    say("asks no more for", list_scopes(&app.asks_no_more));
    say("renamed", joined(&app.renamed, |(from, to)| format!("{from} is {to}")));
    say("pending then", list_scopes(&app.pending_then));
    say("pending no more", list_scopes(&app.pending_no_more));
    say("other values", other_values(app));
    say("ask again", concerns("would help", app.reauthentication_helps));
    say("lack required", concerns("nothing is read for", app.lacks_required));
    for scope in app.scopes.iter().filter(|scope| scope.changes().next().is_some()) {
        say("scope", turns(scope));
    }
    for (name, unlock) in &app.abilities {
        say("ability", unlocked(name, unlock));
    }
    for (name, unlock) in &app.fields {
        say("field", unlocked(name, unlock));
    }
    say("read elsewhere", joined(&app.other_sources, |target| format!("{target} comes from another field")));
    for (scope, extra) in &app.extra {
        say("granted beyond", beyond(scope, extra));
    }
    let undescribed = |(scope, count)| format!("{scope}, granted by {}, is no longer described", connections(count));
    say("unknown then", joined(&app.undescribed, |(scope, count)| undescribed((scope, *count))));
    lines
}

fn presence(app: &AppPlan) -> &'static str {
    match app.presence {
        Presence::Removed if app.connections > 0 => {
            "the candidate has no such app: nothing can be done with these connections until it is back"
        }
        Presence::Removed => "the candidate has no such app: nobody can connect by it",
        Presence::Added => "a new app",
        Presence::Unknown => {
            "neither the configuration nor the candidate has this app: nothing can be done with these connections"
        }
        Presence::Kept => "",
    }
}

fn other_values(app: &AppPlan) -> String {
    let mut line = app.settings.join(", ");
    if app.settings.contains(&"client_id") && app.connections > 0 {
        line.push_str(": connections made under another id are not used until they are connected again");
    }
    line
}

/// How many connections would be concerned, against how many are.
fn concerns(verb: &str, (now, then): (u64, u64)) -> String {
    match (now, then) {
        (0, 0) => String::new(),
        (now, then) if now == then => format!("{verb} {}, as now", connections(then)),
        (now, then) => format!("{verb} {}; now it is {now}", connections(then)),
    }
}

fn turns(scope: &ScopePlan) -> String {
    let turn = |((now, then), count): ((ScopeStatus, ScopeStatus), u64)| {
        format!("{count} from {} to {}", now.as_str(), then.as_str())
    };
    format!("{}: {}", scope.scope, scope.changes().map(turn).collect::<Vec<_>>().join(", "))
}

/// Nothing for what nobody gains, loses or would get by being asked.
fn unlocked(name: &impl Display, unlock: &Unlock) -> String {
    let Unlock { any_of, missing, until_asked, gained, lost } = unlock;
    if until_asked + gained + lost == 0 {
        return String::new();
    }
    let needs = any_of.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    let asked =
        if *until_asked > 0 { format!(", {until_asked} of them until they are asked again") } else { String::new() };
    let told = [
        (*gained, format!("{gained} can use it then")),
        (*lost, format!("{lost} can no longer use it")),
        (*missing, format!("{missing} lack it then{asked}; it needs {needs}")),
    ];
    let told = told.into_iter().filter(|(count, _)| *count > 0).map(|(_, line)| line);
    format!("{name}: {}", told.collect::<Vec<_>>().join("; "))
}

fn beyond(scope: &impl Display, extra: &Extra) -> String {
    match (extra.now, extra.then) {
        (_, 0) => String::new(),
        (now, then) if now == then => format!("{scope} by {}, as now", connections(then)),
        (now, then) => format!("{scope} by {}; now it is {now}", connections(then)),
    }
}

fn joined<T>(items: impl IntoIterator<Item = T>, line: impl Fn(T) -> String) -> String {
    items.into_iter().map(line).collect::<Vec<_>>().join(", ")
}
