//! Which key was handed which access token, on record before it is handed out the first time.
//!
//! A key that reads the same token again learns nothing new, so what is on record is remembered here, and not written again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use tokio::sync::OnceCell;

use super::caller::Caller;
use super::problem::Result;
use crate::host::Host;
use crate::refresh::Current;
use crate::store::{ApiKeyId, AuditRecord, ConnectionId, GrantId};

/// How many keys with a connection are remembered. Of one that is forgotten there is one more record.
const REMEMBERED: usize = 10_000;

/// What this process has put on record, by the latest token of a connection that a key read.
#[derive(Default)]
pub(super) struct HandedOut {
    latest: Mutex<HashMap<(ApiKeyId, ConnectionId), (Which, Recorded)>>,
}

/// Which token it is. The digest tells it from one of a store that was put back to an earlier state.
#[derive(Clone, PartialEq, Eq)]
struct Which {
    grant: GrantId,
    generation: i64,
    digest: String,
}

/// Set when the record is durable. Whoever asks meanwhile waits for that.
type Recorded = Arc<OnceCell<()>>;

impl HandedOut {
    /// Makes sure that it is on record that the caller's key is handed this token of a connection.
    ///
    /// # Errors
    /// When it could not be recorded: then the token must not be handed out.
    pub(super) async fn record(
        &self,
        host: &Host,
        caller: &Caller,
        connection: &ConnectionId,
        grant: GrantId,
        current: &Current,
    ) -> Result<()> {
        let which =
            Which { grant, generation: current.generation, digest: current.session.grant.tokens.access.digest() };
        let recorded = self.recorded((caller.key().clone(), connection.clone()), &which);
        recorded.get_or_try_init(async || append(host, caller, connection, &which).await).await.copied()
    }

    fn recorded(&self, whose: (ApiKeyId, ConnectionId), which: &Which) -> Recorded {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, recorded)) = latest.get(&whose)
            && known == which
        {
            return Arc::clone(recorded);
        }
        if latest.len() >= REMEMBERED {
            latest.clear();
        }
        let recorded = Recorded::default();
        latest.insert(whose, (which.clone(), Arc::clone(&recorded)));
        recorded
    }
}

async fn append(host: &Host, caller: &Caller, connection: &ConnectionId, which: &Which) -> Result<()> {
    let record = AuditRecord::new(host.context(), &caller.tenant, "token_handed_out")?;
    let record = record.of_connection(connection).of_grant(&which.grant);
    let detail = json!({ "key": caller.key().as_str(), "generation": which.generation });
    Ok(host.store().append_audit(&record.with(&detail)).await?)
}
