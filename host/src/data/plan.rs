//! What another configuration would mean.

use std::collections::BTreeMap;

use connector_core::Scope;
use connector_core::config::Problem;
use connector_core::scope::ScopeStatus;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Mistake, texts};
use crate::plan::{AppPlan, Extra, Plan, ScopePlan, Unlock};

/// What a candidate for the configuration would mean for the connections there are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Plan)]
pub(crate) struct PlanData {
    /// Always: a candidate that is wrong has no plan.
    pub(crate) ok: bool,
    /// Whether it would change anything for a connection, or for a person who connects.
    pub(crate) changes: bool,
    /// The layers as they are, the lowest first.
    pub(crate) present: Vec<String>,
    /// The layers of the candidate, the lowest first.
    pub(crate) candidate: Vec<String>,
    /// What the candidate says that is of no use here.
    pub(crate) warnings: Vec<Mistake>,
    /// App by app.
    pub(crate) apps: Vec<AppPlanData>,
}

/// What it would mean for the connections of one app. Counts are of connections in whatever state but disconnected.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AppPlan)]
pub(crate) struct AppPlanData {
    /// The platform's id.
    platform: String,
    /// The app, by the operator's name.
    app: String,
    /// Which of the configurations have it: `kept`, `added`, `removed` or `unknown`.
    presence: &'static str,
    /// Whether anything would change.
    changes: bool,
    /// How many connections there are.
    connections: u64,
    /// For how many of them re-authentication would bring something that the person was never asked for.
    reauthentication_helps: NowThen,
    /// How many lack a scope that is required.
    lacks_required: NowThen,
    /// What people would be asked for in addition.
    asks_also: Vec<String>,
    /// What they would no longer be asked for.
    asks_no_more: Vec<String>,
    /// Scopes that go on under another name.
    renamed: Vec<RenamedData>,
    /// What would be pending, and is not.
    pending_then: Vec<String>,
    /// What is pending, and would not be.
    pending_no_more: Vec<String>,
    /// Other keys of the app whose values differ, such as `client_id`.
    settings: Vec<&'static str>,
    /// The scopes of both lists.
    scopes: Vec<ScopePlanData>,
    /// What a product can do.
    abilities: Vec<UnlockData>,
    /// Metrics and fields of the profile.
    fields: Vec<UnlockData>,
    /// Those that would be read from another field of the platform than now.
    other_sources: Vec<String>,
    /// What people have granted beyond the app's list.
    extra: Vec<ExtraData>,
    /// What people have granted and the candidate no longer describes.
    undescribed: Vec<UndescribedData>,
}

/// A count by the present configuration and by the candidate.
#[derive(Debug, Serialize, ToSchema)]
struct NowThen {
    now: u64,
    then: u64,
}

/// A scope's two names.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RenamedScope)]
struct RenamedData {
    from: String,
    to: String,
}

/// How a scope would stand.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ScopePlan)]
struct ScopePlanData {
    scope: String,
    /// How many connections would have it in each status.
    then: BTreeMap<&'static str, u64>,
    /// How many would have it in another status than now.
    turns: Vec<TurnData>,
}

/// So many connections that would have a scope in another status.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Turn)]
struct TurnData {
    from: &'static str,
    to: &'static str,
    connections: u64,
}

/// Something that scopes unlock.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Unlock)]
struct UnlockData {
    name: String,
    /// The candidate's scopes of which any one unlocks it.
    any_of: Vec<String>,
    /// For how many connections it would be missing for want of a scope.
    missing: u64,
    /// For how many of those re-authentication could bring it.
    until_asked: u64,
    /// How many can use it under the candidate alone.
    gained: u64,
    /// How many can use it now alone.
    lost: u64,
}

/// A scope that people have granted beyond the app's list, and how many by each list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExtraScope)]
struct ExtraData {
    scope: String,
    now: u64,
    then: u64,
}

/// A scope that people have granted and nothing describes any more.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UndescribedScope)]
struct UndescribedData {
    scope: String,
    connections: u64,
}

impl PlanData {
    /// A plan with the names of the layers on both sides.
    pub(crate) fn of(plan: &Plan, present: Vec<String>, candidate: Vec<String>, warnings: &[Problem]) -> Self {
        let apps = plan.apps.iter().map(AppPlanData::from).collect();
        Self { ok: true, changes: plan.changes(), present, candidate, warnings: Mistake::all(warnings), apps }
    }
}

impl From<&AppPlan> for AppPlanData {
    fn from(plan: &AppPlan) -> Self {
        let count = |(now, then)| NowThen { now, then };
        Self {
            platform: plan.platform.to_string(),
            app: plan.app.clone(),
            presence: plan.presence.as_str(),
            changes: plan.changes(),
            connections: plan.connections,
            reauthentication_helps: count(plan.reauthentication_helps),
            lacks_required: count(plan.lacks_required),
            asks_also: texts(&plan.asks_also),
            asks_no_more: texts(&plan.asks_no_more),
            renamed: plan.renamed.iter().map(RenamedData::from).collect(),
            pending_then: texts(&plan.pending_then),
            pending_no_more: texts(&plan.pending_no_more),
            settings: plan.settings.clone(),
            scopes: plan.scopes.iter().map(ScopePlanData::from).collect(),
            abilities: plan.abilities.iter().map(|(name, unlock)| UnlockData::of(name, unlock)).collect(),
            fields: plan.fields.iter().map(|(name, unlock)| UnlockData::of(name, unlock)).collect(),
            other_sources: plan.other_sources.iter().map(ToString::to_string).collect(),
            extra: plan.extra.iter().map(ExtraData::from).collect(),
            undescribed: plan.undescribed.iter().map(UndescribedData::from).collect(),
        }
    }
}

impl From<&(Scope, Scope)> for RenamedData {
    fn from((from, to): &(Scope, Scope)) -> Self {
        Self { from: from.to_string(), to: to.to_string() }
    }
}

impl From<&ScopePlan> for ScopePlanData {
    fn from(plan: &ScopePlan) -> Self {
        let turn = |((from, to), connections): ((ScopeStatus, ScopeStatus), u64)| TurnData {
            from: from.as_str(),
            to: to.as_str(),
            connections,
        };
        Self {
            scope: plan.scope.to_string(),
            then: plan.then().into_iter().map(|(status, count)| (status.as_str(), count)).collect(),
            turns: plan.changes().map(turn).collect(),
        }
    }
}

impl UnlockData {
    fn of(name: &impl ToString, unlock: &Unlock) -> Self {
        let Unlock { any_of, missing, until_asked, gained, lost } = unlock;
        let (missing, until_asked, gained, lost) = (*missing, *until_asked, *gained, *lost);
        Self { name: name.to_string(), any_of: texts(any_of), missing, until_asked, gained, lost }
    }
}

impl From<(&Scope, &Extra)> for ExtraData {
    fn from((scope, extra): (&Scope, &Extra)) -> Self {
        Self { scope: scope.to_string(), now: extra.now, then: extra.then }
    }
}

impl From<(&Scope, &u64)> for UndescribedData {
    fn from((scope, connections): (&Scope, &u64)) -> Self {
        Self { scope: scope.to_string(), connections: *connections }
    }
}
