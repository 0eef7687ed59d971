//! One app under both configurations.

use std::collections::{BTreeMap, BTreeSet};

use connector_core::config::{Ability, AppSettings, Target};
use connector_core::scope::{Drift, GrantScopes, ScopeStatus};
use connector_core::{PlatformId, Scope};

use super::side::{Side, Unlocked, Usable};

/// What the candidate would mean for the connections of one app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppPlan {
    /// The platform.
    pub platform: PlatformId,
    /// The app, by the operator's name.
    pub app: String,
    /// Which of the configurations have it.
    pub presence: Presence,
    /// How many connections there are, in whatever state but disconnected.
    pub connections: u64,
    /// For how many of them re-authentication would bring something that the person was never asked for: now, and under the candidate.
    pub reauthentication_helps: (u64, u64),
    /// How many are known to lack a scope that is required, so that their people have to act: now, and under the candidate.
    pub lacks_required: (u64, u64),
    /// What people would be asked for in addition.
    pub asks_also: Vec<Scope>,
    /// What they would no longer be asked for.
    pub asks_no_more: Vec<Scope>,
    /// Scopes that go on under another name: the old one, and the new one.
    pub renamed: Vec<(Scope, Scope)>,
    /// What would be pending, and is not.
    pub pending_then: Vec<Scope>,
    /// What is pending, and would not be.
    pub pending_no_more: Vec<Scope>,
    /// Other keys of the app whose values differ, such as `client_id`.
    pub settings: Vec<&'static str>,
    /// The scopes of both lists, the candidate's first.
    pub scopes: Vec<ScopePlan>,
    /// What a product can do, for want of what it could not.
    pub abilities: BTreeMap<Ability, Unlock>,
    /// The same for metrics and fields of the profile.
    pub fields: BTreeMap<Target, Unlock>,
    /// Metrics and fields of the profile that would be read from another field of the platform than now.
    pub other_sources: Vec<Target>,
    /// What people have granted beyond the app's list.
    pub extra: BTreeMap<Scope, Extra>,
    /// What people have granted and the candidate no longer describes, and how many.
    pub undescribed: BTreeMap<Scope, u64>,
}

/// Which of two configurations have an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Both.
    Kept,
    /// The candidate alone.
    Added,
    /// The present one alone. Until it is back, nothing can be done with its connections.
    Removed,
    /// Neither: only connections know it.
    Unknown,
}

impl Presence {
    /// The same as one stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Unknown => "unknown",
        }
    }
}

/// How a scope would stand, against how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopePlan {
    /// Its name under the candidate, or the present one if the candidate does not list it.
    pub scope: Scope,
    /// For how many connections it stands like the first now, and like the second under the candidate.
    pub turns: BTreeMap<(ScopeStatus, ScopeStatus), u64>,
    before: Scope,
}

impl ScopePlan {
    /// How many connections would have it in each status.
    pub fn then(&self) -> BTreeMap<ScopeStatus, u64> {
        let mut then = BTreeMap::new();
        for ((_, status), connections) in &self.turns {
            *then.entry(*status).or_insert(0) += connections;
        }
        then
    }

    /// The turns that are some.
    pub fn changes(&self) -> impl Iterator<Item = ((ScopeStatus, ScopeStatus), u64)> {
        self.turns.iter().filter(|((now, then), _)| now != then).map(|(turn, connections)| (*turn, *connections))
    }
}

/// Something that scopes unlock, and for how many connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unlock {
    /// The candidate's scopes of which any one unlocks it.
    pub any_of: BTreeSet<Scope>,
    /// For how many it would be missing for want of a scope.
    pub missing: u64,
    /// For how many of those re-authentication could bring it.
    pub until_asked: u64,
    /// How many can use it under the candidate alone.
    pub gained: u64,
    /// How many can use it now alone.
    pub lost: u64,
}

/// How many people have granted a scope beyond the app's list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extra {
    /// By the present list.
    pub now: u64,
    /// By the candidate's.
    pub then: u64,
}

impl AppPlan {
    /// Whether the candidate would change anything for its connections, or for a person who connects.
    pub fn changes(&self) -> bool {
        let listed = [&self.asks_also, &self.asks_no_more, &self.pending_then, &self.pending_no_more];
        let unlocks = self.abilities.values().chain(self.fields.values());
        !matches!(self.presence, Presence::Kept | Presence::Unknown)
            || self.reauthentication_helps.0 != self.reauthentication_helps.1
            || self.lacks_required.0 != self.lacks_required.1
            || listed.iter().any(|scopes| !scopes.is_empty())
            || !(self.renamed.is_empty() && self.settings.is_empty() && self.undescribed.is_empty())
            || !self.other_sources.is_empty()
            || self.scopes.iter().any(|scope| scope.changes().next().is_some())
            || unlocks.into_iter().any(|unlock| unlock.gained + unlock.lost > 0)
            || self.extra.values().any(|extra| extra.now != extra.then)
    }
}

/// Both views of an app, and what has been counted.
#[derive(Debug)]
pub(super) struct Comparison {
    now: Option<Side>,
    then: Option<Side>,
    plan: AppPlan,
}

impl Comparison {
    pub(super) fn new(platform: &PlatformId, app: &str, now: Option<Side>, then: Option<Side>) -> Self {
        let mut plan = AppPlan {
            platform: platform.clone(),
            app: app.to_owned(),
            presence: match (&now, &then) {
                (Some(_), Some(_)) => Presence::Kept,
                (None, Some(_)) => Presence::Added,
                (Some(_), None) => Presence::Removed,
                (None, None) => Presence::Unknown,
            },
            connections: 0,
            reauthentication_helps: (0, 0),
            lacks_required: (0, 0),
            asks_also: Vec::new(),
            asks_no_more: Vec::new(),
            renamed: Vec::new(),
            pending_then: Vec::new(),
            pending_no_more: Vec::new(),
            settings: Vec::new(),
            scopes: Vec::new(),
            abilities: BTreeMap::new(),
            fields: BTreeMap::new(),
            other_sources: Vec::new(),
            extra: BTreeMap::new(),
            undescribed: BTreeMap::new(),
        };
        if let (Some(now), Some(then)) = (&now, &then) {
            plan.compare(now, then);
        }
        plan.scopes = paired(now.as_ref(), then.as_ref());
        Self { now, then, plan }
    }

    pub(super) fn into_plan(self) -> AppPlan {
        self.plan
    }

    /// Counts connections that hold these scopes. Where the candidate has no such app, there is no more to say than how many they are.
    pub(super) fn count(&mut self, held: &GrantScopes, connections: u64) {
        self.plan.connections += connections;
        let Some(then) = &self.then else { return };
        self.plan.count_statuses(self.now.as_ref(), then, held, connections);
        self.plan.count_drift(self.now.as_ref(), then, held, connections);
        self.plan.count_unlocks(self.now.as_ref(), then, held, connections);
    }
}

impl AppPlan {
    /// What the configurations say without any connection.
    fn compare(&mut self, now: &Side, then: &Side) {
        let (asked, asks) = (now.wanted().requested(), then.wanted().requested());
        let names = &then.wanted().relations;
        for scope in &asked {
            match names.name(scope) {
                _ if asks.contains(scope) => {}
                name if asks.contains(name) => self.renamed.push((scope.clone(), name.clone())),
                _ => self.asks_no_more.push(scope.clone()),
            }
        }
        let is_new = |scope: &&Scope| !asked.contains(scope) && !asked.iter().any(|old| names.name(old) == *scope);
        self.asks_also = asks.iter().filter(is_new).cloned().collect();
        let (pending, would_be) = (&now.wanted().pending, &then.wanted().pending);
        self.pending_then = would_be.difference(pending).cloned().collect();
        self.pending_no_more = pending.difference(would_be).cloned().collect();
        self.settings = settings(&now.app, &then.app);
        let (sources, others) = (now.sources(), then.sources());
        let moved = others.iter().filter(|(target, from)| sources.get(*target).is_some_and(|before| before != *from));
        self.other_sources = moved.map(|(target, _)| (*target).clone()).collect();
    }

    fn count_statuses(&mut self, now: Option<&Side>, then: &Side, held: &GrantScopes, connections: u64) {
        for row in &mut self.scopes {
            let before = now.map_or(ScopeStatus::NotWanted, |now| now.wanted().status(&row.before, held));
            let after = then.wanted().status(&row.scope, held);
            *row.turns.entry((before, after)).or_insert(0) += connections;
        }
    }

    fn count_drift(&mut self, now: Option<&Side>, then: &Side, held: &GrantScopes, connections: u64) {
        let (before, after) = (now.map(|now| now.wanted().drift(held)), then.wanted().drift(held));
        let helps = |drift: &Drift| if drift.reauthentication_helps() { connections } else { 0 };
        self.reauthentication_helps.0 += before.as_ref().map_or(0, helps);
        self.reauthentication_helps.1 += helps(&after);
        let lacks = |drift: &Drift| if drift.lacking.is_empty() { 0 } else { connections };
        self.lacks_required.0 += before.as_ref().map_or(0, lacks);
        self.lacks_required.1 += lacks(&after);
        for scope in before.into_iter().flat_map(|drift| drift.extra) {
            self.extra.entry(scope).or_default().now += connections;
        }
        for scope in after.extra {
            self.extra.entry(scope).or_default().then += connections;
        }
        let describes = |side: &Side, scope| side.catalogue.scopes.contains_key(side.wanted().relations.name(scope));
        let granted = held.granted.scopes().into_iter().flatten();
        for scope in granted.filter(|scope| now.is_some_and(|now| describes(now, scope)) && !describes(then, scope)) {
            *self.undescribed.entry(scope.clone()).or_insert(0) += connections;
        }
    }

    fn count_unlocks(&mut self, now: Option<&Side>, then: &Side, held: &GrantScopes, connections: u64) {
        let (before, after) = (now.map(|now| now.usable(held)).unwrap_or_default(), then.usable(held));
        let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
        for name in names {
            let was_usable = before.get(name).is_some_and(|usable| usable.is_usable);
            let usable = after.get(name);
            let unlock = match name {
                Unlocked::Ability(ability) => self.abilities.entry(ability.clone()).or_default(),
                Unlocked::Field(target) => self.fields.entry(target.clone()).or_default(),
            };
            unlock.add(was_usable, usable, connections);
            let could_be = usable.is_some_and(|usable| !usable.is_usable && then.asking_brings(&usable.any_of, held));
            unlock.until_asked += if could_be { connections } else { 0 };
        }
    }
}

impl Unlock {
    /// Counts connections for which it is usable now or not, and stands like this under the candidate, if that knows it at all.
    fn add(&mut self, was_usable: bool, then: Option<&Usable>, connections: u64) {
        let is_usable = then.is_some_and(|then| then.is_usable);
        match (was_usable, is_usable) {
            (false, true) => self.gained += connections,
            (true, false) => self.lost += connections,
            _ => {}
        }
        if let Some(then) = then {
            self.missing += if is_usable { 0 } else { connections };
            self.any_of.extend(then.any_of.iter().cloned());
        }
    }
}

/// The scopes of both lists, each once: one that the candidate calls otherwise is the same.
fn paired(now: Option<&Side>, then: Option<&Side>) -> Vec<ScopePlan> {
    let list = |side: Option<&Side>| side.map(|side| side.wanted().scopes.clone()).unwrap_or_default();
    let (old, new) = (list(now), list(then));
    let name = |scope: &Scope| then.map_or_else(|| scope.clone(), |then| then.wanted().relations.name(scope).clone());
    let former = |scope: &Scope| {
        let renamed = old.iter().find(|old| !new.contains(old) && name(old) == *scope);
        renamed.filter(|_| !old.contains(scope)).unwrap_or(scope).clone()
    };
    let row = |before: Scope, scope: Scope| ScopePlan { scope, turns: BTreeMap::new(), before };
    let mut rows: Vec<ScopePlan> = new.iter().map(|scope| row(former(scope), scope.clone())).collect();
    for scope in &old {
        if !rows.iter().any(|row| row.before == *scope) {
            rows.push(row(scope.clone(), scope.clone()));
        }
    }
    rows
}

/// The keys of an app, besides its scopes, whose values differ.
fn settings(now: &AppSettings, then: &AppSettings) -> Vec<&'static str> {
    let differ = [
        ("kind", now.kind != then.kind),
        ("client_id", now.client_id != then.client_id),
        ("client_secret", now.client_secret != then.client_secret),
        ("redirect_uri", now.redirect_uri != then.redirect_uri),
        ("pkce", now.pkce != then.pkce),
        ("keep_fresh", now.keep_fresh != then.keep_fresh),
        ("tenants", now.tenants != then.tenants),
        ("required", now.wanted.required != then.wanted.required),
    ];
    differ.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}
