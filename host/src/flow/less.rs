//! The platform refused a whole request because of a scope in it: what may be asked for instead, once, and what an operator is told.

use std::fmt;

use connector_core::app::App;
use connector_core::scope::{Wanted, list_scopes};
use connector_core::{Error as CoreError, Scope, ScopeSet, Secret};
use serde_json::json;

use super::begin::{Asking, ConnectRequest};
use super::pending::Kept;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::store::{AuditRecord, FlowRecord};

/// The platform refused to ask a person, because of a scope.
#[derive(Debug)]
pub struct ScopeRefused {
    /// What it said.
    pub error: CoreError,
    /// What was asked for and was not when access was last allowed under this app, in order: whichever scope it is, it is most likely among
    /// them. Empty where the same was accepted then.
    pub candidates: Vec<Scope>,
    /// One more flow of the same initiator, which asks for less: what was accepted last under this app, else what it requires. `None` where
    /// that would be the same again, or where this was the second flow already.
    pub instead: Option<Box<ConnectRequest>>,
    /// What an operator does about it, in one sentence.
    pub mend: String,
}

impl fmt::Display for ScopeRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. {}", self.error, self.mend)
    }
}

impl Host {
    /// What is to be told of a flow that ended so, and offered. The operator has it on record and in the log.
    pub(super) async fn scope_refused(
        &self,
        flow: FlowRecord,
        kept: &Kept,
        app: &App,
        error: CoreError,
        initiator: Secret,
    ) -> Result<ScopeRefused> {
        let asked = kept.requested()?;
        let accepted = self.store().last_requested(&flow.platform, &flow.app, &app.client_id).await;
        let less = match &accepted {
            Ok(accepted) if !kept.asked_for_less => less(&app.wanted, &asked, accepted.as_ref()),
            Ok(_) => None,
            // What the platform said is told all the same.
            Err(error) => {
                tracing::warn!(%error, "nothing is offered instead");
                None
            }
        };
        let candidates = not_accepted(&asked, accepted.unwrap_or_default().as_ref());
        let mend = self.mend(&flow, &candidates)?;
        let list = |scopes: &[Scope]| scopes.iter().map(ToString::to_string).collect::<Vec<_>>();
        let audit = AuditRecord::new(self.context(), &flow.tenant, "scope_refused")?.with(&json!({
            "platform": flow.platform.as_str(), "app": flow.app, "code": error.code(),
            "asked": list(&asked), "candidates": list(&candidates), "instead": less.as_deref().map(list),
        }));
        if let Err(error) = self.store().append_audit(&audit).await {
            tracing::warn!(%error, "a refused request is not on record");
        }
        tracing::warn!(platform = %flow.platform, app = flow.app, code = error.code(), "the platform refused a request because of a scope. {mend}");
        let instead = less.map(|scopes| {
            Box::new(ConnectRequest {
                tenant: flow.tenant,
                reference: flow.reference,
                platform: flow.platform,
                app: flow.app,
                redirect_uri: kept.redirect_uri.clone(),
                reconnects: flow.reconnects,
                initiator,
                asking: Asking::Less(scopes),
            })
        });
        Ok(ScopeRefused { error, candidates, instead, mend })
    }

    fn mend(&self, flow: &FlowRecord, candidates: &[Scope]) -> Result<String> {
        let linked = &self.platform(flow.platform.as_str())?.linked;
        let portal = linked.protocol().portal.url.as_ref();
        let portal = portal.map_or_else(|| "in the developer portal".to_owned(), |url| format!("at {url}"));
        if candidates.is_empty() {
            return Ok(format!(
                "All of it was accepted when access was last allowed under the app `{}`, so a scope was taken from the app: look for it {portal}, and put it under `pending` until it is back",
                flow.app
            ));
        }
        Ok(format!(
            "Not among what was accepted when access was last allowed under the app `{}`: {}. Add what is missing {portal}, or put it under `pending` in [platforms.{}.apps.{}] until it is approved",
            flow.app,
            list_scopes(candidates),
            flow.platform,
            flow.app
        ))
    }
}

fn not_accepted(asked: &[Scope], accepted: Option<&ScopeSet>) -> Vec<Scope> {
    asked.iter().filter(|scope| !accepted.is_some_and(|accepted| accepted.contains(*scope))).cloned().collect()
}

/// What may be asked for instead: what was accepted last, else what is required; of it what the app wants, and never what is pending.
fn less(wanted: &Wanted, asked: &[Scope], accepted: Option<&ScopeSet>) -> Option<Vec<Scope>> {
    let among = |set: &ScopeSet| wanted.requested().into_iter().filter(|scope| set.contains(scope)).collect::<Vec<_>>();
    let accepted = accepted.map(among).filter(|scopes| !scopes.is_empty());
    let less = accepted.unwrap_or_else(|| among(&wanted.required));
    let same = less.iter().collect::<std::collections::BTreeSet<_>>() == asked.iter().collect();
    (!less.is_empty() && !same).then_some(less)
}

impl From<ScopeRefused> for Error {
    fn from(refused: ScopeRefused) -> Self {
        Self::ScopeRefused(Box::new(refused))
    }
}

#[cfg(test)]
mod tests {
    use connector_core::scope::split_scopes;

    use super::*;

    fn list(text: &str) -> Vec<Scope> {
        text.split_whitespace().map(|scope| scope.parse().unwrap()).collect()
    }

    #[test]
    fn what_was_accepted_last_is_asked_for_else_what_is_required_and_never_the_same_or_what_is_pending() {
        let wanted = Wanted {
            scopes: list("stats basic list upload"),
            pending: split_scopes("upload"),
            required: split_scopes("basic"),
            ..Wanted::default()
        };
        let all = list("stats basic list");
        for (asked, accepted, expected) in [
            (&all, None, Some("basic")),
            (&all, Some("basic stats"), Some("stats basic")),
            (&all, Some("basic upload gone"), Some("basic")),
            (&all, Some("gone"), Some("basic")),
            (&all, Some("basic stats list"), None),
            (&list("basic"), None, None),
        ] {
            let less = less(&wanted, asked, accepted.map(split_scopes).as_ref());
            assert_eq!(
                less.map(|scopes| list_scopes(&scopes).replace(',', "")),
                expected.map(str::to_owned),
                "{accepted:?}"
            );
        }
        assert_eq!(not_accepted(&all, Some(&split_scopes("basic upload"))), list("stats list"));
        assert_eq!(not_accepted(&all, None), all);
    }
}
