//! Counts of a connection: stored ones as long as they are fresh enough, else fetched; each with its age, or why there is none.

use std::collections::BTreeMap;

use connector_core::account::Session;
use connector_core::metrics::{Cell, MetricName, Missing, Report};
use connector_core::scope::ScopeStatus;
use connector_core::{Error as CoreError, ErrorKind, Scope};
use jiff::{SignedDuration, Timestamp};

use crate::configuration::ConfiguredPlatform;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::store::{Connected, ConnectionState, LastError, LastValues, Reading, Sample};

/// The counts of one connection as they are shown.
#[derive(Debug)]
pub struct Metrics {
    /// Each metric the platform offers, by name.
    pub cells: BTreeMap<MetricName, Shown>,
    /// Why nothing could be fetched, when something should have been.
    pub error: Option<Error>,
}

/// One count as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The platform's number.
    Value(Sample),
    /// The last number there was, and why there is no newer one.
    Stale(Sample, Missing),
    /// No number, and why.
    Missing(Missing),
}

impl Host {
    /// The counts of a connection, no older than `max_age` where the platform can be asked.
    ///
    /// # Errors
    /// When the store cannot be read or written. What the platform says is in the result.
    pub async fn metrics(&self, connected: &Connected, max_age: SignedDuration) -> Result<Metrics> {
        self.pinned().read_metrics(connected, max_age).await
    }

    async fn read_metrics(&self, connected: &Connected, max_age: SignedDuration) -> Result<Metrics> {
        let connection = &connected.connection;
        let platform = match self.platform(connection.platform.as_str()) {
            Ok(platform) => platform,
            Err(error) => {
                let cells = stale(&self.store().last_values(&connection.id).await?).collect();
                return Ok(Metrics { cells, error: Some(error) });
            }
        };
        let mut expected = expected(&platform, connected);
        let latest = self.store().latest_reading(&connection.id).await?;
        let now = self.context().now();
        let (fetched, error) = match latest {
            _ if connected.state() != ConnectionState::Active => (None, Some(not_active(connected).into())),
            _ if let Err(error) = self.check_required(connected) => (None, Some(error.into())),
            Some(reading) if is_recent(&reading, now, max_age) && covers(&reading, &expected) => (None, None),
            _ => {
                let fetched = self.fetch_or_say_why(&platform, connected).await?;
                expected = self.expected_now(&platform, connected).await?;
                fetched
            }
        };
        let mut values = self.store().last_values(&connection.id).await?;
        let reading = match fetched {
            // What was read just now is newer than anything stored, whatever the clock said when that was read.
            Some(reading) => {
                let sample = |value: &i64| Sample { observed_at: reading.observed_at, value: *value };
                values.extend(reading.values.iter().map(|(name, value)| (name.clone(), sample(value))));
                Some(reading)
            }
            None => self.store().latest_reading(&connection.id).await?,
        };
        let cells = expected.into_iter().map(|(name, withheld)| {
            let value = values.get(&name).copied();
            let failed = error.as_ref().map(|error| Missing::Failed(failure(&platform, error, &name)));
            let shown = shown(value, withheld.or(failed).or_else(|| missing_of(reading.as_ref(), &name)));
            (name, shown)
        });
        Ok(Metrics { cells: cells.collect(), error })
    }

    /// What is shown of a connection by what is stored of it: no platform is asked. `None` is a count of which no reading says anything.
    #[cfg(feature = "web")]
    pub(crate) fn stored_metrics(
        &self,
        connected: &Connected,
        reading: Option<&Reading>,
        values: &LastValues,
    ) -> BTreeMap<MetricName, Option<Shown>> {
        let Ok(platform) = self.platform(connected.connection.platform.as_str()) else {
            return stale(values).map(|(name, shown)| (name, Some(shown))).collect();
        };
        let cells = expected(&platform, connected).into_iter().map(|(name, withheld)| {
            let why = withheld.or_else(|| missing_of(reading, &name));
            let is_known = why.is_some() || values.contains_key(&name);
            let shown = is_known.then(|| shown(values.get(&name).copied(), why));
            (name, shown)
        });
        cells.collect()
    }

    /// Fetches one reading; gives and notes what the platform says instead. That the grant allows no count at all is said by each of them.
    async fn fetch_or_say_why(
        &self,
        platform: &ConfiguredPlatform,
        connected: &Connected,
    ) -> Result<(Option<Reading>, Option<Error>)> {
        let error = match self.fetch(platform, connected).await {
            Ok(reading) => return Ok((Some(reading), None)),
            Err(error) if is_withheld(&error) => return Ok((None, None)),
            Err(error) => error,
        };
        if let Some(error) = error.connector() {
            let last_error = LastError::new(error, self.context().now());
            self.store().note_grant_error(&connected.grant.id, Some(last_error)).await?;
        }
        Ok((None, Some(error)))
    }

    /// Fetches and stores one reading.
    async fn fetch(&self, platform: &ConfiguredPlatform, connected: &Connected) -> Result<Reading> {
        let Connected { connection, grant } = connected;
        let report = self.report(platform, connected).await?;
        let reading = reading_of(&report);
        self.store().append_samples(&connection.id, &reading).await?;
        self.store().note_grant_error(&grant.id, None).await?;
        if !report.profile.is_empty() {
            let mut profile = connection.profile.clone();
            profile.update(report.profile);
            self.store().update_profile(&connection.id, &profile, self.context().now()).await?;
        }
        Ok(reading)
    }

    /// Asks the platform. A token that it refuses is refreshed once, and the call repeated once. A scope that it misses is asked after once,
    /// and the call repeated for what is left, if that is less than before.
    async fn report(&self, platform: &ConfiguredPlatform, connected: &Connected) -> Result<Report> {
        let Connected { connection, grant } = connected;
        let session = self.session(&grant.tenant, &grant.id).await?;
        let refused = match self.ask(platform, &session, &connection.account_id).await {
            Ok(report) => return Ok(report),
            Err(error) => error,
        };
        let session = match refused.kind() {
            ErrorKind::ReauthRequired { .. } => self.session_after(&grant.tenant, &grant.id, &session).await?,
            ErrorKind::MissingScopes { .. } if refused.code().is_some() => {
                match self.session_with_news(&grant.tenant, &grant.id, &session).await? {
                    Some(session) => session,
                    None => return Err(refused.into()),
                }
            }
            _ => return Err(refused.into()),
        };
        tracing::debug!(connection = %connection.id, error = %refused, "the platform refused the call, which is repeated");
        Ok(self.ask(platform, &session, &connection.account_id).await?)
    }

    /// What can be expected by what the grant holds by now: what was just asked may have brought news of it.
    async fn expected_now(
        &self,
        platform: &ConfiguredPlatform,
        connected: &Connected,
    ) -> Result<BTreeMap<MetricName, Option<Missing>>> {
        let connection = &connected.connection;
        let now = self.store().connection(&connection.tenant, &connection.id).await?;
        Ok(expected(platform, now.as_ref().unwrap_or(connected)))
    }

    async fn ask(
        &self,
        platform: &ConfiguredPlatform,
        session: &Session,
        account_id: &str,
    ) -> Result<Report, CoreError> {
        let metrics = platform.connector.account_metrics();
        let metrics = metrics.ok_or_else(|| CoreError::new(ErrorKind::Unsupported, "the platform offers no counts"))?;
        metrics.account_metrics(&self.context().confined_to(&session.grant.base_urls), session, account_id).await
    }
}

/// What is shown of a connection whose platform cannot be asked.
fn stale(values: &LastValues) -> impl Iterator<Item = (MetricName, Shown)> {
    let why = || Missing::Failed(ErrorKind::Config);
    values.iter().map(move |(name, sample)| (name.clone(), Shown::Stale(*sample, why())))
}

/// Whether the call never left, because the grant allows nothing of it. A platform that says so gives a code.
fn is_withheld(error: &Error) -> bool {
    let error = error.connector().filter(|error| matches!(error.kind(), ErrorKind::MissingScopes { .. }));
    error.is_some_and(|error| error.code().is_none())
}

/// Each metric the platform offers, with the scope that is in the way, if one is.
fn expected(platform: &ConfiguredPlatform, connected: &Connected) -> BTreeMap<MetricName, Option<Missing>> {
    let Some(metrics) = platform.connector.account_metrics() else { return BTreeMap::new() };
    let wanted = platform.settings.app(&connected.connection.app).map(|app| app.wanted.clone()).unwrap_or_default();
    let withheld = |name: &MetricName| {
        let scope = platform.settings.catalogue.scope_of(name)?;
        let status = wanted.status(scope, &connected.grant.scopes);
        (!status.is_usable()).then(|| Missing::Scope { scope: scope.clone(), status })
    };
    metrics
        .offered()
        .into_iter()
        .map(|name| {
            let missing = withheld(&name);
            (name, missing)
        })
        .collect()
}

/// Whether a reading is young enough. One from the future, because the clock was set back, has no age that is known.
fn is_recent(reading: &Reading, now: Timestamp, max_age: SignedDuration) -> bool {
    let age = now.duration_since(reading.observed_at);
    !age.is_negative() && age < max_age
}

/// Whether a reading has something to say about every metric that may be asked for now. After a scope was gained it has not.
fn covers(reading: &Reading, expected: &BTreeMap<MetricName, Option<Missing>>) -> bool {
    let asked = |name: &MetricName| {
        reading.values.contains_key(name)
            || missing_of(Some(reading), name).is_some_and(|missing| !matches!(missing, Missing::Scope { .. }))
    };
    expected.iter().all(|(name, withheld)| withheld.is_some() || asked(name))
}

/// Why a metric could not be had. Of the scopes that may be missing its own is the one to name.
fn failure(platform: &ConfiguredPlatform, error: &Error, name: &MetricName) -> ErrorKind {
    match (error.kind(), platform.settings.catalogue.scope_of(name)) {
        (Some(ErrorKind::MissingScopes { scopes }), Some(scope)) if scopes.contains(scope) => {
            ErrorKind::MissingScopes { scopes: [scope.clone()].into() }
        }
        (kind, _) => kind.cloned().unwrap_or(ErrorKind::Unavailable),
    }
}

/// What is shown for one metric, given why there is nothing newer: a scope in the way, else what went wrong, else what the latest reading said.
fn shown(value: Option<Sample>, why: Option<Missing>) -> Shown {
    match (value, why) {
        (Some(value), None) => Shown::Value(value),
        (Some(value), Some(why)) => Shown::Stale(value, why),
        (None, why) => Shown::Missing(why.unwrap_or(Missing::NotOffered)),
    }
}

fn not_active(connected: &Connected) -> CoreError {
    match &connected.grant.state {
        crate::store::GrantState::ReauthRequired { reason } => {
            CoreError::reauth_required(reason.clone(), "the person has to connect this account again")
        }
        crate::store::GrantState::Held { reason } => CoreError::new(
            ErrorKind::Unsupported,
            format!("the connection is held here ({reason}): adopt it once nobody else refreshes it"),
        ),
        _ => CoreError::new(ErrorKind::Unsupported, "the connection is disconnected"),
    }
}

/// A report as it is stored: what is missing in words of its own.
fn reading_of(report: &Report) -> Reading {
    let millis = report.observed_at.as_millisecond();
    let mut reading = Reading {
        observed_at: Timestamp::from_millisecond(millis).unwrap_or(report.observed_at),
        values: BTreeMap::new(),
        missing: BTreeMap::new(),
        log_id: report.log_id.clone(),
    };
    for (name, cell) in &report.cells {
        match cell {
            Cell::Value(value) => drop(reading.values.insert(name.clone(), *value)),
            Cell::Missing(missing) => drop(reading.missing.insert(name.clone(), word(missing))),
        }
    }
    reading
}

fn word(missing: &Missing) -> String {
    match missing {
        Missing::Scope { scope, status } => format!("{}:{scope}", status.as_str()),
        Missing::Failed(kind) => format!("failed:{}", kind.as_str()),
        other => other.as_str().to_owned(),
    }
}

/// Why a reading has no value for a metric.
fn missing_of(reading: Option<&Reading>, name: &MetricName) -> Option<Missing> {
    let text = reading?.missing.get(name)?;
    let (word, detail) = text.split_once(':').unwrap_or((text, ""));
    Some(match word {
        "hidden" => Missing::Hidden,
        "not_offered" => Missing::NotOffered,
        "not_a_count" => Missing::NotACount,
        "failed" => Missing::Failed(ErrorKind::Protocol),
        word => {
            let status = ScopeStatus::ALL.into_iter().find(|status| status.as_str() == word)?;
            Missing::Scope { scope: detail.parse::<Scope>().ok()?, status }
        }
    })
}
