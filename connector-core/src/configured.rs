//! Accounts and metrics of a platform that its `platform.toml` and the catalogue can describe.

use async_trait::async_trait;
use serde_json::Value;

use crate::account::{Account, Accounts, FieldValue, Profile, Session};
use crate::config::Target;
use crate::error::ErrorKind;
use crate::metrics::{AccountMetrics, Cell, MetricName, Missing, Report};
use crate::read::{Allowed, Endpoint, Plan, count, missing, scalar};
use crate::registry::Platform;
use crate::{Context, Error, Result};

/// Reads the accounts of a grant from one endpoint.
#[derive(Clone, Debug)]
pub struct ConfiguredAccounts {
    endpoint: Endpoint,
    id: String,
}

impl ConfiguredAccounts {
    /// For the platform's `[accounts]`.
    pub fn new(platform: &Platform) -> Self {
        let (endpoint, id) = platform
            .protocol
            .accounts
            .as_ref()
            .map(|facts| (facts.endpoint.as_str(), facts.id.clone()))
            .unwrap_or_default();
        Self { endpoint: Endpoint::new(platform, endpoint), id }
    }

    fn account(&self, plan: &Plan, object: &Value) -> Result<Account> {
        let id = id_in(object, &self.id)
            .ok_or_else(|| Error::protocol(format!("the platform answered an account without its id `{}`", self.id)))?;
        Ok(Account { id, profile: profile(&plan.allowed, object) })
    }
}

#[async_trait]
impl Accounts for ConfiguredAccounts {
    async fn accounts(&self, cx: &Context, session: &Session) -> Result<Vec<Account>> {
        let mut plan = self.endpoint.plan(session);
        plan.allowed.retain(|field| matches!(field.target, Target::Profile(_)));
        let read = self.endpoint.read(cx, session, &plan, None).await?;
        read.objects
            .iter()
            .map(|object| self.account(&plan, object).map_err(|error| error.with_log_id(read.log_id.clone())))
            .collect()
    }
}

/// Reads the counts of an account from one endpoint.
#[derive(Clone, Debug)]
pub struct ConfiguredMetrics {
    endpoint: Endpoint,
    /// The field of the accounts' ids, where an answer may be about several accounts.
    id: Option<String>,
    /// Whether the accounts are read from the same endpoint, so that the field is the id of an account for sure.
    lists_accounts: bool,
}

impl ConfiguredMetrics {
    /// For the platform's `[account_metrics]`.
    pub fn new(platform: &Platform) -> Self {
        let endpoint =
            platform.protocol.account_metrics.as_ref().map(|facts| facts.endpoint.as_str()).unwrap_or_default();
        let facts = platform.protocol.endpoints.get(endpoint);
        let about_one = facts.is_some_and(|facts| facts.at.path.contains("{account_id}"));
        let accounts = platform.protocol.accounts.as_ref().filter(|_| !about_one);
        Self {
            endpoint: Endpoint::new(platform, endpoint),
            id: accounts.map(|facts| facts.id.clone()),
            lists_accounts: accounts.is_some_and(|facts| facts.endpoint == endpoint),
        }
    }

    /// The object of an answer that is about this account.
    fn object_of<'a>(&self, objects: &'a [Value], account_id: &str) -> Result<&'a Value> {
        let id_of = |object| self.id.as_deref().and_then(|field| id_in(object, field));
        let named = objects.iter().find(|object| id_of(object).as_deref() == Some(account_id));
        match (named, objects, &self.id) {
            (Some(object), ..) => Ok(object),
            (None, [], _) => Err(Error::protocol("the platform answered an empty list for the account")),
            (None, [first, ..], None) => Ok(first),
            // The id may need a scope that the counts do without.
            (None, [only], _) if !self.lists_accounts || id_of(only).is_none() => Ok(only),
            _ => Err(Error::protocol("the platform answered other accounts than the one that was asked for")),
        }
    }
}

#[async_trait]
impl AccountMetrics for ConfiguredMetrics {
    fn offered(&self) -> Vec<MetricName> {
        self.endpoint.targets().filter_map(metric).cloned().collect()
    }

    async fn account_metrics(&self, cx: &Context, session: &Session, account_id: &str) -> Result<Report> {
        let plan = self.endpoint.plan(session);
        let withheld = plan.withheld.iter().filter_map(|field| {
            let reason = Missing::Scope { scope: field.scope.clone(), status: field.status };
            metric(&field.target).map(|name| (name.clone(), Cell::Missing(reason)))
        });
        let mut cells = withheld.collect::<std::collections::BTreeMap<_, _>>();
        if plan.allowed.is_empty() {
            return Err(missing(plan.withheld.iter().map(|field| field.scope.clone()).collect()));
        }
        let read = self.endpoint.read(cx, session, &plan, Some(account_id)).await?;
        let object =
            self.object_of(&read.objects, account_id).map_err(|error| error.with_log_id(read.log_id.clone()))?;
        cells.extend(plan.allowed.iter().filter_map(|field| cell(field, object)));
        Ok(Report {
            observed_at: read.answer.sent_at,
            cells,
            profile: profile(&plan.allowed, object),
            log_id: read.log_id,
        })
    }
}

/// The id of an account in an object of an answer.
fn id_in(object: &Value, field: &str) -> Option<String> {
    match if field.starts_with('/') { object.pointer(field) } else { object.get(field) }? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The metric a target names. A custom one may turn out not to be a number.
fn metric(target: &Target) -> Option<&MetricName> {
    match target {
        Target::Metric(name) | Target::Custom(name) => Some(name),
        Target::Profile(_) => None,
    }
}

/// A metric's cell. A custom field says by its value whether it is a count.
fn cell(field: &Allowed, object: &Value) -> Option<(MetricName, Cell)> {
    let name = metric(&field.target)?.clone();
    let cell = match (field.value(object), &field.target) {
        (None, _) => Cell::Missing(Missing::NotOffered),
        (Some(value), Target::Custom(_)) => value.as_i64().map_or(Cell::Missing(Missing::NotACount), Cell::Value),
        (Some(value), _) => count(value).map_or(Cell::Missing(Missing::Failed(ErrorKind::Protocol)), Cell::Value),
    };
    Some((name, cell))
}

fn profile(fields: &[Allowed], object: &Value) -> Profile {
    let known = fields.iter().filter_map(|field| {
        let value = scalar(field.value(object)?)?;
        match (&field.target, &value) {
            (Target::Profile(name), _) => Some((name.clone(), value)),
            (Target::Custom(name), FieldValue::Text(_) | FieldValue::Flag(_)) => {
                Some((name.as_str().to_owned(), value))
            }
            _ => None,
        }
    });
    known.collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::config::Catalogue;
    use crate::platform::Protocol;

    fn metrics(path: &str, endpoint: &str) -> ConfiguredMetrics {
        let text = format!(
            "verified_on = \"2026-11-22\"\nbase_urls = {{ api = \"https://example.test\" }}\n\
             [endpoints.all]\nat = {{ base = \"api\", path = \"{path}\" }}\n\
             [endpoints.stats]\nat = {{ base = \"api\", path = \"/stats\" }}\n\
             [accounts]\nendpoint = \"all\"\nid = \"/who/id\"\n[account_metrics]\nendpoint = \"{endpoint}\"\n"
        );
        let protocol = Arc::new(Protocol::parse(&text).unwrap());
        ConfiguredMetrics::new(&Platform { protocol, catalogue: Arc::new(Catalogue::default()) })
    }

    #[test]
    fn of_several_accounts_the_one_that_was_asked_for_is_read() {
        let objects = [json!({ "who": { "id": "1" } }), json!({ "who": { "id": 2 } })];
        let all = metrics("/accounts", "all");
        assert_eq!(all.object_of(&objects, "1").unwrap(), &objects[0]);
        assert_eq!(all.object_of(&objects, "2").unwrap(), &objects[1]);
        for (objects, id) in [(&objects[..], "3"), (&objects[..1], "2"), (&[], "1"), (&[json!({}), json!({})], "1")] {
            assert_eq!(*all.object_of(objects, id).unwrap_err().kind(), ErrorKind::Protocol, "{id}");
        }
    }

    #[test]
    fn an_answer_about_one_account_need_not_say_which() {
        let nameless = [json!({ "stars": 1 })];
        assert_eq!(metrics("/accounts", "all").object_of(&nameless, "1").unwrap(), &nameless[0]);
        let other = [json!({ "who": { "id": "of something else" } }), json!({})];
        assert_eq!(metrics("/accounts/{account_id}", "all").object_of(&other, "1").unwrap(), &other[0]);
        assert_eq!(metrics("/accounts", "stats").object_of(&other[..1], "1").unwrap(), &other[0]);
        assert!(metrics("/accounts", "stats").object_of(&other, "1").is_err());
    }
}
