use jiff::{SignedDuration, Timestamp};

use super::args;
use super::ask;
use super::exit::Exit;
use super::format;
use super::output::Output;
use super::running::Running;
use super::setup::Setup;
use super::table::table;
use crate::data::AuditData;
use crate::error::Result;
use crate::host::Host;
use crate::store::{AuditFilter, AuditRecord, ConnectionId, WHOLE_STORE};

pub(super) async fn run(setup: &Setup, running: &Running, args: &args::Audit, output: Output) -> Result<Exit> {
    let host = setup.host(running, output).await?;
    let tenant = &setup.global.tenant;
    let connection = match &args.connection {
        Some(text) => Some(meant(&host, tenant, text).await?),
        None => None,
    };
    let since = args.since.map(|since| since.before(host.context().now()));
    let filter =
        AuditFilter { connection, event: args.event.clone(), since, limit: Some(args.limit), ..AuditFilter::default() };
    let records = records(&host, tenant, &filter).await?;
    output.either(&records.iter().map(AuditData::from).collect::<Vec<_>>(), || text(&records));
    Ok(Exit::Done)
}

/// A tenant's records and, unless one connection's are asked for, those about the whole store, such as of its keys: the earliest first.
async fn records(host: &Host, tenant: &str, filter: &AuditFilter) -> Result<Vec<AuditRecord>> {
    let mut records = host.store().audit(tenant, filter).await?;
    if filter.connection.is_none() {
        records.extend(host.store().audit(WHOLE_STORE, filter).await?);
    }
    records.sort_by(|one, other| (other.at, other.id.as_str()).cmp(&(one.at, one.id.as_str())));
    records.truncate(filter.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)));
    records.reverse();
    Ok(records)
}

/// A connection that is there, or the whole id of one that was.
async fn meant(host: &Host, tenant: &str, text: &str) -> Result<ConnectionId> {
    match (ask::one(host, tenant, text).await, text.parse::<ConnectionId>()) {
        (Ok(connected), _) => Ok(connected.connection.id),
        (Err(_), Ok(id)) => Ok(id),
        (Err(error), Err(_)) => Err(error),
    }
}

fn text(records: &[AuditRecord]) -> String {
    if records.is_empty() {
        return "Nothing is on record for this.".to_owned();
    }
    let rows = records.iter().map(|record| {
        let subject = record.connection.as_ref().map(|id| format!("connection {id}"));
        let subject = subject.or_else(|| record.grant.as_ref().map(|id| format!("grant {id}"))).unwrap_or_default();
        [format!("{:.0}", record.at), record.event.clone(), subject, format::line(&record.detail)]
    });
    table(["at", "event", "about", "detail"], rows)
}

/// From when on records are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    At(Timestamp),
    Ago(SignedDuration),
}

impl Since {
    /// Reads `2026-11-22T12:00:00Z`, or how long ago: `30m`, `7d`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let at = text.parse().map(Self::At).ok();
        at.or_else(|| args::parse_duration(text).map(Self::Ago).ok())
            .ok_or_else(|| "write a time such as 2026-11-22T12:00:00Z, or how long ago: 30m, 6h or 2d".to_owned())
    }

    fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => now.saturating_sub(ago).unwrap_or(Timestamp::MIN),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_moment_or_an_age() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let at = |text: &str| Since::parse(text).map(|since| since.before(now).to_string());
        assert_eq!(at("2026-11-20T01:02:03Z").unwrap(), "2026-11-20T01:02:03Z");
        assert_eq!(at("2d").unwrap(), "2026-11-20T12:00:00Z");
        for nonsense in ["", "yesterday", "2026-11-20", "2w"] {
            assert!(at(nonsense).is_err(), "{nonsense}");
        }
    }
}
