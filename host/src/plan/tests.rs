//! What a candidate means, for connections that hold this and that.

use connector_core::config::{Config, Layer, Settings};
use connector_core::scope::{GrantScopes, Granted, GrantedSource, ScopeStatus, split_scopes};

use super::{AppPlan, Comparisons, Plan, Presence};
use crate::store::testing::MemoryStore;
use crate::store::{
    AuditId, ConnectionId, Connections as _, GrantRecord, Grants as _, HeldScopes, NewConnection, Store,
};
use crate::testing::{Example, allowed};

const APP: &str = "kind = \"desktop\"\nscopes = [\"basic\", \"stats\", \"list\"]\n";

const SCOPES: &str = r#"
[platforms.example.scopes.basic]
product = "p"
description = "d"
fields.me = { id = "profile.id", name = "profile.display_name" }
[platforms.example.scopes.stats]
product = "p"
description = "d"
fields.me = { followers = "metric.followers" }
[platforms.example.scopes.list]
product = "p"
description = "d"
abilities = ["content.list"]
"#;

fn settings(text: &str) -> Settings {
    Config::of(vec![Layer::embedded("test", text).unwrap()]).unwrap().settings
}

/// The base, with these lines for the app, and more definitions.
fn with(app: &str, more: &str) -> Settings {
    settings(&format!("[platforms.example.apps.default]\n{app}\n{SCOPES}\n{more}"))
}

fn base() -> Settings {
    with(APP, "")
}

fn asks(scopes: &str) -> Settings {
    with(&format!("kind = \"desktop\"\nscopes = {scopes}"), "")
}

/// What was asked for, what of it was given if the platform says, and by how many.
type Held<'a> = (&'a str, Option<&'a str>, u64);

fn scopes((requested, granted, _): &Held<'_>) -> GrantScopes {
    let known = |text: &str| Granted::Known { scopes: split_scopes(text), source: GrantedSource::Token };
    GrantScopes::of_flow(split_scopes(requested), granted.map_or(Granted::Unknown, known))
}

fn apps(present: &Settings, candidate: &Settings, held: &[Held<'_>]) -> Plan {
    let registry = Example::default().registry().unwrap();
    let mut all = Comparisons::new(&registry, present, candidate, |_| true);
    for row in held {
        let (platform, app) = ("example".parse().unwrap(), "default".to_owned());
        all.count(&HeldScopes { platform, app, scopes: scopes(row), connections: row.2 });
    }
    Plan { apps: all.all.into_values().map(super::Comparison::into_plan).collect() }
}

fn plan(candidate: &Settings, held: &[Held<'_>]) -> AppPlan {
    apps(&base(), candidate, held).apps.remove(0)
}

/// The turns of a scope that are some.
fn turns(plan: &AppPlan, scope: &str) -> Vec<(ScopeStatus, ScopeStatus, u64)> {
    let row = plan.scopes.iter().find(|row| row.scope.as_str() == scope).unwrap();
    row.changes().map(|((now, then), count)| (now, then, count)).collect()
}

fn names<'a>(scopes: impl IntoIterator<Item = &'a connector_core::Scope>) -> Vec<&'a str> {
    scopes.into_iter().map(connector_core::Scope::as_str).collect()
}

const ALL: Held<'static> = ("basic stats list", Some("basic stats list"), 5);
const NARROW: Held<'static> = ("basic", Some("basic"), 3);
const SILENT: Held<'static> = ("basic stats", None, 2);

#[test]
fn what_says_the_same_in_other_words_changes_nothing() {
    let held = [ALL, NARROW, SILENT];
    let other_words =
        with("scopes = [\"list\", \"stats\", \"basic\"]\nkind = \"desktop\"", "").platforms.into_iter().collect();
    for candidate in [base(), Settings { platforms: other_words }] {
        let plan = plan(&candidate, &held);
        assert!(!plan.changes(), "{plan:?}");
        assert_eq!((plan.connections, plan.presence), (10, Presence::Kept));
        assert_eq!(plan.reauthentication_helps, (3, 3), "those of whom less was asked");
    }
}

#[test]
fn a_scope_that_is_added_is_missing_until_they_are_asked() {
    let more = "[platforms.example.scopes.score]\nproduct = \"p\"\ndescription = \"d\"\nfields.me = { score = \"metric.views\" }\n";
    let candidate = with("kind = \"desktop\"\nscopes = [\"basic\", \"stats\", \"list\", \"score\"]", more);
    let plan = plan(&candidate, &[ALL, NARROW, SILENT, ("basic stats list score", Some("basic"), 7)]);
    assert!(plan.changes());
    assert_eq!(names(&plan.asks_also), ["score"]);
    assert_eq!(
        turns(&plan, "score"),
        [
            (ScopeStatus::NotWanted, ScopeStatus::NeverAsked, 8),
            (ScopeStatus::NotWanted, ScopeStatus::NotGranted, 7),
            (ScopeStatus::NotWanted, ScopeStatus::Unknown, 2),
        ]
    );
    assert_eq!(plan.reauthentication_helps, (3, 8));
    let views = &plan.fields[&"metric.views".parse().unwrap()];
    assert_eq!((views.missing, views.until_asked, views.gained, views.lost), (15, 8, 2, 0), "{views:?}");
    assert_eq!(names(&views.any_of), ["score"]);
    assert!(turns(&plan, "stats").is_empty(), "what stays is not told");
}

#[test]
fn a_scope_that_is_required_tells_whose_people_have_to_act() {
    let candidate = with("kind = \"desktop\"\nscopes = [\"basic\", \"stats\", \"list\"]\nrequired = [\"list\"]", "");
    let plan = plan(&candidate, &[ALL, NARROW, SILENT]);
    assert!(plan.changes());
    assert_eq!((plan.lacks_required, plan.settings.as_slice()), ((0, 3), ["required"].as_slice()));
}

#[test]
fn a_scope_that_is_removed_is_extra_for_those_who_gave_it() {
    let plan = plan(&asks("[\"basic\", \"list\"]"), &[ALL, NARROW]);
    assert!(plan.changes());
    assert_eq!(names(&plan.asks_no_more), ["stats"]);
    let extra = plan.extra["stats"];
    assert_eq!((extra.now, extra.then), (0, 5));
    assert_eq!(
        turns(&plan, "stats"),
        [(ScopeStatus::Granted, ScopeStatus::NotWanted, 5), (ScopeStatus::NeverAsked, ScopeStatus::NotWanted, 3)]
    );
    let followers = &plan.fields[&"metric.followers".parse().unwrap()];
    assert_eq!((followers.missing, followers.until_asked, followers.lost), (8, 0, 5), "no asking brings it back");
    assert_eq!(plan.abilities.values().map(|unlock| unlock.lost).sum::<u64>(), 5, "counts can no longer be read");
    assert!(plan.undescribed.is_empty(), "the catalogue still has it");
}

#[test]
fn a_definition_that_goes_is_told_with_those_who_gave_it() {
    let gone = settings(&format!(
        "[platforms.example.apps.default]\nkind = \"desktop\"\nscopes = [\"basic\"]\n{}",
        SCOPES.split("[platforms.example.scopes.stats]").next().unwrap()
    ));
    let plan = plan(&gone, &[ALL, NARROW]);
    let gone: Vec<_> = plan.undescribed.iter().map(|(scope, count)| (scope.as_str(), *count)).collect();
    assert_eq!(gone, [("list", 5), ("stats", 5)]);
}

#[test]
fn a_scope_under_another_name_is_the_same_scope() {
    let renamed = settings(&format!(
        "[platforms.example.apps.default]\n{}\n{}aliases = [\"stats\"]\n{}",
        APP.replace("stats", "stats.read"),
        SCOPES
            .replace("scopes.stats]", "scopes.\"stats.read\"]")
            .split("[platforms.example.scopes.list]")
            .next()
            .unwrap(),
        "[platforms.example.scopes.list]\nproduct = \"p\"\ndescription = \"d\"\nabilities = [\"content.list\"]\n",
    ));
    let plan = plan(&renamed, &[ALL, NARROW]);
    let pairs: Vec<_> = plan.renamed.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
    assert_eq!(pairs, [("stats", "stats.read")]);
    assert!(plan.changes(), "people are asked by the new name");
    assert!(plan.asks_also.is_empty() && plan.asks_no_more.is_empty());
    assert!(turns(&plan, "stats.read").is_empty() && plan.scopes.len() == 3, "{:?}", plan.scopes);
    assert!(plan.extra.is_empty() && plan.undescribed.is_empty());
    assert_eq!(plan.fields.values().map(|unlock| unlock.gained + unlock.lost).sum::<u64>(), 0);
    assert_eq!(plan.reauthentication_helps, (3, 3));
}

#[test]
fn what_becomes_pending_is_told() {
    let plan = plan(&with(&format!("{APP}pending = [\"stats\"]"), ""), &[ALL]);
    assert_eq!((names(&plan.pending_then), names(&plan.asks_no_more)), (vec!["stats"], vec!["stats"]));
    assert_eq!(turns(&plan, "stats"), [(ScopeStatus::Granted, ScopeStatus::Pending, 5)]);
    assert!(plan.pending_no_more.is_empty() && plan.changes());
}

#[test]
fn an_app_that_goes_takes_its_connections_out_of_reach() {
    let other = settings(&format!("[platforms.example.apps.other]\n{APP}{SCOPES}"));
    let all = apps(&base(), &other, &[ALL, NARROW]).apps;
    let told: Vec<_> = all.iter().map(|plan| (plan.app.as_str(), plan.presence, plan.connections)).collect();
    assert_eq!(told, [("default", Presence::Removed, 8), ("other", Presence::Added, 0)]);
    assert!(all.iter().all(AppPlan::changes));
    let unknown = apps(&Settings::default(), &Settings::default(), &[ALL]).apps;
    assert_eq!((unknown[0].presence, unknown[0].changes()), (Presence::Unknown, false), "nothing new");
}

#[test]
fn other_values_and_other_sources_of_a_count_are_changes() {
    let keep_fresh = plan(&with(&format!("{APP}keep_fresh = true\nclient_id = \"2\""), ""), &[ALL]);
    assert_eq!(keep_fresh.settings, ["client_id", "keep_fresh"]);
    let moved =
        settings(&format!("[platforms.example.apps.default]\n{APP}{}", SCOPES.replace("followers = ", "fans = ")));
    let moved = plan(&moved, &[]);
    assert_eq!(moved.other_sources, ["metric.followers".parse().unwrap()]);
    assert!(keep_fresh.changes() && moved.changes());
}

/// A connection of its own for each, so that pages end between those that are alike.
async fn store(held: &[Held<'_>]) -> MemoryStore {
    let cx = connector_core::testing::FakeTransport::default().context();
    let store = MemoryStore::new(&cx).unwrap();
    for row in held {
        for number in 0..row.2 {
            let grant = GrantRecord { scopes: scopes(row), ..Example::default().grant(&cx).unwrap() };
            store.put_grant(&grant, &allowed(&cx).unwrap()).await.unwrap();
            let account = NewConnection {
                id_if_new: ConnectionId::new(&cx).unwrap(),
                account: connector_core::account::Account {
                    id: format!("{}-{number}", row.0),
                    profile: connector_core::account::Profile::default(),
                },
                reference: None,
                audit: AuditId::new(&cx).unwrap(),
            };
            let none = connector_core::ScopeSet::new();
            store.link_accounts(&grant.tenant, &grant.id, &none, vec![account], cx.now()).await.unwrap();
        }
    }
    store
}

#[tokio::test]
async fn every_connection_of_a_store_is_counted_over_its_pages() {
    let held = [("basic stats list", Some("basic stats list"), 1_200), ("basic", Some("basic"), 900)];
    let store = store(&held).await;
    let registry = Example::default().registry().unwrap();
    let store: &dyn Store = &store;
    let plan = Plan::of(store, &registry, &base(), &asks("[\"basic\", \"list\"]")).await.unwrap();
    assert_eq!(plan, apps(&base(), &asks("[\"basic\", \"list\"]"), &held), "a page at a time is all at once");
    assert_eq!(plan.apps[0].connections, 2_100);
}
