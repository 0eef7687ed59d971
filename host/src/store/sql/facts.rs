//! What an event knows, as JSON text.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::json;
use crate::store::{ConnectionStanding, EventDetail, EventFacts, Result, StoreError};

#[derive(Serialize, Deserialize)]
struct Facts {
    reference: Option<String>,
    platform: String,
    app: String,
    account_id: String,
    detail: Detail,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Detail {
    Stands { now: Box<Standing>, before: Option<Box<Standing>> },
    Counted { observed_at: i64, values: BTreeMap<String, i64> },
}

#[derive(Serialize, Deserialize)]
struct Standing {
    state: String,
    reason: Option<String>,
    since: i64,
    scopes: json::Scopes,
}

pub(super) fn write(facts: &EventFacts) -> Result<String> {
    let EventFacts { reference, platform, app, account_id, detail } = facts.clone();
    let detail = match detail {
        EventDetail::Stands { now, before } => {
            let standing = |standing: &ConnectionStanding| Box::new(Standing::from(standing));
            Detail::Stands { now: standing(&now), before: before.as_deref().map(standing) }
        }
        EventDetail::Counted { observed_at, values } => Detail::Counted {
            observed_at: observed_at.as_millisecond(),
            values: values.into_iter().map(|(name, value)| (name.to_string(), value)).collect(),
        },
    };
    json::to_text(&Facts { reference, platform: platform.to_string(), app, account_id, detail })
}

pub(super) fn read(text: &str) -> Result<EventFacts> {
    let Facts { reference, platform, app, account_id, detail } = serde_json::from_str(text).map_err(damaged)?;
    let platform = platform.parse().map_err(damaged)?;
    let detail = match detail {
        Detail::Stands { now, before } => {
            let standing = |standing: Box<Standing>| ConnectionStanding::try_from(*standing).map(Box::new);
            EventDetail::Stands { now: standing(now)?, before: before.map(standing).transpose()? }
        }
        Detail::Counted { observed_at, values } => EventDetail::Counted {
            observed_at: Timestamp::from_millisecond(observed_at).map_err(damaged)?,
            values: values
                .into_iter()
                .map(|(name, value)| Ok((name.parse().map_err(damaged)?, value)))
                .collect::<Result<_>>()?,
        },
    };
    Ok(EventFacts { reference, platform, app, account_id, detail })
}

impl From<&ConnectionStanding> for Standing {
    fn from(standing: &ConnectionStanding) -> Self {
        Self {
            state: standing.state.as_str().to_owned(),
            reason: standing.reason.clone(),
            since: standing.since.as_millisecond(),
            scopes: (&standing.scopes).into(),
        }
    }
}

impl TryFrom<Standing> for ConnectionStanding {
    type Error = StoreError;

    fn try_from(stored: Standing) -> Result<Self> {
        Ok(Self {
            state: stored.state.parse().map_err(damaged)?,
            reason: stored.reason,
            since: Timestamp::from_millisecond(stored.since).map_err(damaged)?,
            scopes: stored.scopes.try_into().map_err(damaged)?,
        })
    }
}

fn damaged(why: impl std::fmt::Display) -> StoreError {
    StoreError::corrupt("event", why)
}
