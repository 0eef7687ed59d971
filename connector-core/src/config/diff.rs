use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};

use super::{AppSettings, Catalogue, PlatformSettings, Settings};
use crate::app::{Pkce, PlatformId};
use crate::scope::Scope;

/// One thing that differs between two configurations: a platform, an app, or a platform's scope catalogue. As text it is a line for people,
/// with no secret in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The platform.
    pub platform: PlatformId,
    /// The app; `None` for the platform itself.
    pub app: Option<String>,
    /// What became of it.
    pub edit: Edit,
}

/// What became of a platform or an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// The newer configuration alone has it.
    Added,
    /// The older configuration alone has it.
    Removed,
    /// Both have it, and these keys differ.
    Changed(Vec<Edited>),
}

/// A key that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edited {
    /// A list or table of scopes.
    Scopes {
        /// The key, or `catalogue` for all scopes that are described.
        key: &'static str,
        /// What was added, in the newer order.
        added: Vec<Scope>,
        /// What was taken out, in the older order.
        removed: Vec<Scope>,
        /// What is in both, and is described otherwise now.
        redefined: Vec<Scope>,
    },
    /// Any other value.
    Value {
        /// The key.
        key: &'static str,
        /// What it was, if it was set.
        from: Option<String>,
        /// What it is, if it is set.
        to: Option<String>,
    },
}

impl Settings {
    /// What is different in a newer configuration, by platform, the platform itself before its apps. Nothing if the two mean the same.
    pub fn changes_to(&self, newer: &Self) -> Vec<Change> {
        let ids: BTreeSet<&PlatformId> = self.platforms.keys().chain(newer.platforms.keys()).collect();
        ids.into_iter().flat_map(|id| platform(id, self.platforms.get(id), newer.platforms.get(id))).collect()
    }
}

fn platform(id: &PlatformId, old: Option<&PlatformSettings>, new: Option<&PlatformSettings>) -> Vec<Change> {
    let change = |app, edit| Change { platform: id.clone(), app, edit };
    let whole = edit(old, new, |old, new| catalogue(&old.catalogue, &new.catalogue).into_iter().collect());
    let none = BTreeMap::new();
    let (old, new) = (old.map_or(&none, |old| &old.apps), new.map_or(&none, |new| &new.apps));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let apps = names.into_iter().filter_map(|name| {
        let edit = edit(old.get(name), new.get(name), app)?;
        Some(change(Some(name.clone()), edit))
    });
    whole.map(|edit| change(None, edit)).into_iter().chain(apps).collect()
}

fn edit<T>(old: Option<&T>, new: Option<&T>, compare: impl Fn(&T, &T) -> Vec<Edited>) -> Option<Edit> {
    match (old, new) {
        (None, None) => None,
        (None, Some(_)) => Some(Edit::Added),
        (Some(_), None) => Some(Edit::Removed),
        (Some(old), Some(new)) => Some(compare(old, new)).filter(|edited| !edited.is_empty()).map(Edit::Changed),
    }
}

fn catalogue(old: &Catalogue, new: &Catalogue) -> Option<Edited> {
    let redefined = new.scopes.iter().filter(|(scope, entry)| old.scopes.get(*scope).is_some_and(|old| old != *entry));
    let redefined: Vec<Scope> = redefined.map(|(scope, _)| scope.clone()).collect();
    scopes("catalogue", old.scopes.keys(), new.scopes.keys(), redefined)
}

fn app(old: &AppSettings, new: &AppSettings) -> Vec<Edited> {
    let lists = [
        scopes("scopes", old.wanted.scopes.iter(), new.wanted.scopes.iter(), Vec::new())
            .or_else(|| reordered(&old.wanted.scopes, &new.wanted.scopes)),
        scopes("pending", old.wanted.pending.iter(), new.wanted.pending.iter(), Vec::new()),
        scopes("required", old.wanted.required.iter(), new.wanted.required.iter(), Vec::new()),
    ];
    let values = [
        value("kind", text(Some(&old.kind)), text(Some(&new.kind))),
        value("client_id", text(old.client_id.as_ref()), text(new.client_id.as_ref())),
        value("client_secret", text(old.client_secret.as_ref()), text(new.client_secret.as_ref())),
        value("redirect_uri", text(old.redirect_uri.as_ref()), text(new.redirect_uri.as_ref())),
        value("pkce", text(old.pkce.map(Pkce::as_str).as_ref()), text(new.pkce.map(Pkce::as_str).as_ref())),
        value("keep_fresh", text(Some(&old.keep_fresh)), text(Some(&new.keep_fresh))),
        value("tenants", tenants(old), tenants(new)),
    ];
    lists.into_iter().chain(values).flatten().collect()
}

fn tenants(app: &AppSettings) -> Option<String> {
    let tenants = app.tenants.as_ref()?;
    Some(tenants.iter().map(|tenant| tenant.escape_debug().to_string()).collect::<Vec<_>>().join(", "))
}

fn scopes<'a>(
    key: &'static str,
    old: impl Iterator<Item = &'a Scope> + Clone,
    new: impl Iterator<Item = &'a Scope> + Clone,
    redefined: Vec<Scope>,
) -> Option<Edited> {
    let without = |these: Vec<&Scope>, those: BTreeSet<&Scope>| {
        these.into_iter().filter(|scope| !those.contains(scope)).cloned().collect::<Vec<_>>()
    };
    let added = without(new.clone().collect(), old.clone().collect());
    let removed = without(old.collect(), new.collect());
    let same = added.is_empty() && removed.is_empty() && redefined.is_empty();
    (!same).then_some(Edited::Scopes { key, added, removed, redefined })
}

/// The order of the list is the order in which scopes are asked for.
fn reordered(old: &[Scope], new: &[Scope]) -> Option<Edited> {
    let list = |scopes: &[Scope]| Some(crate::scope::list_scopes(scopes));
    value("scopes", list(old), list(new))
}

fn value(key: &'static str, from: Option<String>, to: Option<String>) -> Option<Edited> {
    (from != to).then_some(Edited::Value { key, from, to })
}

fn text(value: Option<&impl Display>) -> Option<String> {
    value.map(ToString::to_string)
}

impl Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { platform, app, edit } = self;
        match app {
            Some(app) => write!(f, "{platform}/{}: ", app.escape_debug())?,
            None => write!(f, "{platform}: ")?,
        }
        match edit {
            Edit::Added => f.write_str("new"),
            Edit::Removed => f.write_str("removed"),
            Edit::Changed(edited) => {
                let parts: Vec<String> = edited.iter().map(Edited::to_string).collect();
                f.write_str(&parts.join("; "))
            }
        }
    }
}

impl Display for Edited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scopes { key, added, removed, redefined } => {
                let signed = [("+", added), ("-", removed), ("~", redefined)];
                let all =
                    signed.iter().flat_map(|(sign, scopes)| scopes.iter().map(move |scope| format!("{sign} {scope}")));
                write!(f, "{key} {}", all.collect::<Vec<_>>().join(", "))
            }
            Self::Value { key, from, to } => {
                let [from, to] = [from, to].map(|value| value.as_deref().unwrap_or("not set"));
                write!(f, "{key} {to} (was {from})")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Layer};

    const SCOPES: &str = "[platforms.lantern.scopes]\n\
        a = { product = \"p\", description = \"d\" }\n\
        b = { product = \"p\", description = \"d\" }\n\
        c = { product = \"p\", description = \"d\" }\n";

    fn settings(text: &str) -> Settings {
        Config::of(vec![Layer::embedded("test", text).unwrap()]).unwrap().settings
    }

    fn app(lines: &str) -> Settings {
        settings(&format!("{SCOPES}[platforms.lantern.apps.default]\nkind = \"desktop\"\n{lines}\n"))
    }

    fn lines(old: &Settings, new: &Settings) -> Vec<String> {
        old.changes_to(new).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_the_same_is_no_change() {
        let old = app("scopes = [\"a\"]");
        assert_eq!(old.changes_to(&app("scopes   = [ 'a' ] # the same in other letters")), []);
    }

    #[test]
    fn scopes_are_told_by_name_and_other_values_by_what_they_were() {
        let old = app("scopes = [\"a\", \"b\"]\nclient_id = { env = \"ID\" }");
        for (newer, line) in [
            ("scopes = [\"a\", \"c\"]\nclient_id = { env = \"ID\" }", "lantern/default: scopes + c, - b"),
            (
                "scopes = [\"a\", \"b\", \"c\"]\npending = [\"c\", \"b\"]\nclient_id = { env = \"ID\" }",
                "lantern/default: scopes + c; pending + b, + c",
            ),
            (
                "scopes = [\"a\", \"b\"]\nrequired = [\"b\"]\nclient_id = { env = \"ID\" }",
                "lantern/default: required + b",
            ),
            ("scopes = [\"b\", \"a\"]\nclient_id = { env = \"ID\" }", "lantern/default: scopes b, a (was a, b)"),
            (
                "scopes = [\"a\", \"b\"]\nkeep_fresh = true\nredirect_uri = \"http://127.0.0.1/\"",
                "lantern/default: client_id not set (was environment variable ID); redirect_uri http://127.0.0.1/ (was not set); keep_fresh true (was false)",
            ),
            (
                "scopes = [\"a\", \"b\"]\nclient_id = { env = \"ID\" }\ntenants = [\"shop\", \"cafe\"]",
                "lantern/default: tenants cafe, shop (was not set)",
            ),
        ] {
            assert_eq!(lines(&old, &app(newer)), [line]);
        }
    }

    #[test]
    fn platforms_apps_and_descriptions_come_change_and_go() {
        let old = app("scopes = [\"a\"]");
        let new = settings(
            "[platforms.beacon]\n[platforms.lantern.apps.second]\nkind = \"web\"\nscopes = [\"a\"]\n\
             [platforms.lantern.scopes]\na = { product = \"p\", description = \"another\" }\n\
             b = { product = \"p\", description = \"d\" }\nd = { product = \"p\", description = \"d\" }\n",
        );
        let there =
            ["beacon: new", "lantern: catalogue + d, - c, ~ a", "lantern/default: removed", "lantern/second: new"];
        assert_eq!(lines(&old, &new), there);
        let back =
            ["beacon: removed", "lantern: catalogue + c, - d, ~ a", "lantern/default: new", "lantern/second: removed"];
        assert_eq!(lines(&new, &old), back);
    }

    #[test]
    fn nothing_differs_without_being_told() {
        let all = ["", SCOPES, "[platforms.lantern]\n", "[platforms.beacon]\n"].map(settings);
        for old in &all {
            for new in &all {
                assert_eq!(old == new, old.changes_to(new).is_empty(), "{old:?} {new:?}");
            }
        }
    }
}
