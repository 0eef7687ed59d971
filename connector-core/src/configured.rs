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
        let id = if self.id.starts_with('/') { object.pointer(&self.id) } else { object.get(&self.id) };
        let id = match id {
            Some(Value::String(text)) if !text.is_empty() => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => return Err(Error::protocol(format!("the platform answered an account without its id `{}`", self.id))),
        };
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
}

impl ConfiguredMetrics {
    /// For the platform's `[account_metrics]`.
    pub fn new(platform: &Platform) -> Self {
        let endpoint =
            platform.protocol.account_metrics.as_ref().map(|facts| facts.endpoint.as_str()).unwrap_or_default();
        Self { endpoint: Endpoint::new(platform, endpoint) }
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
        let object = read.objects.first().ok_or_else(|| {
            Error::protocol("the platform answered an empty list for the account").with_log_id(read.log_id.clone())
        })?;
        cells.extend(plan.allowed.iter().filter_map(|field| cell(field, object)));
        Ok(Report {
            observed_at: read.answer.sent_at,
            cells,
            profile: profile(&plan.allowed, object),
            log_id: read.log_id,
        })
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
