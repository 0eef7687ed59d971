//! What came first among the grants and disconnects of a tenant, whatever the clocks of the machines say.

use jiff::{SignedDuration, Timestamp};

use super::{Transaction, meta};
use crate::store::{Result, StoreError};

/// The time at which something happens that is told from earlier things by its time: now, or just after the latest of them, should the clock
/// of this machine be behind. The transaction has locked the tenant.
pub(super) async fn next(transaction: &mut Transaction, tenant: &str, now: Timestamp) -> Result<Timestamp> {
    let key = format!("latest:{tenant}");
    let latest = transaction.fetch(meta::get(key.clone())).await?.as_ref().map(read).transpose()?;
    let next = latest.map_or(now, |latest| not_before(now, latest));
    transaction.execute(meta::set(key, next.as_millisecond().to_be_bytes().to_vec())).await?;
    Ok(next)
}

fn not_before(now: Timestamp, latest: Timestamp) -> Timestamp {
    if now >= latest { now } else { latest.saturating_add(SignedDuration::from_millis(1)).unwrap_or(latest) }
}

fn read(row: &super::Row) -> Result<Timestamp> {
    let damaged = |_| StoreError::corrupt("store", "the time of the latest change is damaged");
    let bytes: [u8; 8] = meta::value(row)?.try_into().map_err(damaged)?;
    Timestamp::from_millisecond(i64::from_be_bytes(bytes)).map_err(|error| StoreError::corrupt("store", error))
}
