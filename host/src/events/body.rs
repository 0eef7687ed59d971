//! What is sent of an event. What follows from the configuration is worked out when it is made, which is once.

use std::collections::BTreeSet;

use connector_core::AbilityStatus;
use connector_core::scope::REQUIRED_SCOPE_MISSING;
use serde_json::{Value, json};

use crate::host::Host;
use crate::store::{ConnectionStanding, ConnectionState, EventDetail, EventFacts, EventRecord};

/// The text that is sent.
pub(crate) fn body(host: &Host, event: &EventRecord) -> String {
    json!({ "type": event.kind.as_str(), "timestamp": event.at.to_string(), "data": data(host, event) }).to_string()
}

fn data(host: &Host, event: &EventRecord) -> Value {
    let mut connection = json!({ "id": event.connection.as_str(), "tenant": event.tenant });
    let Some(facts) = &event.facts else { return json!({ "connection": connection, "erased": true }) };
    connection["reference"] = facts.reference.as_deref().into();
    connection["platform"] = facts.platform.as_str().into();
    connection["app"] = facts.app.as_str().into();
    connection["account_id"] = facts.account_id.as_str().into();
    match &facts.detail {
        EventDetail::Stands { now, before } => {
            let (state, reason) = standing(host, facts, now);
            connection["state"] = state.as_str().into();
            connection["reason"] = reason.into();
            connection["since"] = now.since.to_string().into();
            let previous = before.as_ref().map(|before| standing(host, facts, before).0.as_str());
            let lost = before.as_ref().map(|before| lost(host, facts, before, now)).unwrap_or_default();
            json!({ "connection": connection, "previous_state": previous, "abilities_lost": lost })
        }
        EventDetail::Counted { observed_at, values } => {
            let metrics: serde_json::Map<String, Value> =
                values.iter().map(|(name, value)| (name.to_string(), (*value).into())).collect();
            json!({ "connection": connection, "observed_at": observed_at.to_string(), "metrics": metrics })
        }
    }
}

/// How the connection stood, with what the configuration wants of it.
fn standing<'a>(
    host: &Host,
    facts: &EventFacts,
    standing: &'a ConnectionStanding,
) -> (ConnectionState, Option<&'a str>) {
    let is_active = standing.state == ConnectionState::Active;
    if is_active && host.lacks_required(&facts.platform, &facts.app, &standing.scopes) {
        return (ConnectionState::ReauthRequired, Some(REQUIRED_SCOPE_MISSING));
    }
    (standing.state, standing.reason.as_deref())
}

/// What a product could do with the connection before, and no longer can.
fn lost(host: &Host, facts: &EventFacts, before: &ConnectionStanding, now: &ConnectionStanding) -> Vec<String> {
    let after = available(host, facts, now);
    available(host, facts, before).into_iter().filter(|ability| !after.contains(ability)).collect()
}

fn available(host: &Host, facts: &EventFacts, at: &ConnectionStanding) -> BTreeSet<String> {
    if standing(host, facts, at).0 != ConnectionState::Active {
        return BTreeSet::new();
    }
    let all = host.abilities_with(&facts.platform, &facts.app, &at.scopes).into_iter();
    all.filter(|(_, status)| *status == AbilityStatus::Available).map(|(name, _)| name).collect()
}
