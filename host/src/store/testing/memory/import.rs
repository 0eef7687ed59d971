//! Imports in memory.

use async_trait::async_trait;
use connector_core::PlatformId;
use connector_core::account::{Account, Profile};
use serde_json::json;

use super::{MemoryStore, Row, State, there_already};
use crate::store::new_event::NewEvent;
use crate::store::{
    AuditRecord, Connected, ConnectionId, ConnectionRecord, GrantRecord, Import, Imported, Imports, NewConnection,
    Result, SeenGrant,
};

#[async_trait]
impl Imports for MemoryStore {
    async fn connections_of_accounts(
        &self,
        tenant: &str,
        platform: &PlatformId,
        accounts: &[String],
    ) -> Result<Vec<Connected>> {
        let state = self.lock();
        let mut found = Vec::new();
        for account in accounts {
            let of_account = |connection: &&ConnectionRecord| {
                connection.tenant == tenant && connection.platform == *platform && connection.account_id == *account
            };
            for connection in state.connections.iter().filter(of_account) {
                found.push(state.with_grant(connection.clone())?);
            }
        }
        Ok(found)
    }

    async fn import_connections(&self, imports: &[Import]) -> Result<Vec<Imported>> {
        let mut state = self.lock();
        state.check_ours()?;
        let mut after = state.clone();
        let all = imports.iter().map(|one| after.import(one)).collect::<Result<Vec<_>>>()?;
        *state = after;
        Ok(all)
    }
}

impl State {
    fn import(&mut self, import: &Import) -> Result<Imported> {
        let grant = &import.grant;
        let found = self.under_app_of(grant, &import.account_id)?;
        if found.as_ref().map(seen) != import.seen || found.as_ref().is_some_and(is_over) {
            return Ok(Imported::Moved);
        }
        if let Some(found) = found.as_ref().filter(|found| found.grant.id == grant.id) {
            if self.replace_grant(grant) {
                self.record_change(&found.grant, grant.updated_at);
            }
            self.refer(&found.connection.id, import);
            self.record_import(import, &found.connection.id, "updated");
            return Ok(Imported::Updated(found.connection.id.clone()));
        }
        if self.grants.contains_key(&grant.id) {
            return there_already("grant");
        }
        let created_at = self.next(&grant.tenant, grant.created_at);
        let grant = &GrantRecord { created_at, ..grant.clone() };
        self.grants.insert(grant.id.clone(), Row { grant: grant.clone(), sent: None });
        let account = Account { id: import.account_id.clone(), profile: Profile::default() };
        let (id_if_new, reference, audit) = (import.id_if_new.clone(), import.reference.clone(), import.audit.clone());
        let new = NewConnection { id_if_new, account, reference, audit };
        let before = found.clone();
        let (outcome, linked) = match found {
            None => ("new", self.add(grant, new, grant.created_at)),
            Some(found) => ("reconnected", self.renew(grant, found.connection, new, grant.created_at)),
        };
        let id = linked.connection.id.clone();
        let told = NewEvent::linked(grant, &linked, before.as_ref(), grant.created_at);
        self.supersede(grant, &[linked], false, grant.created_at);
        self.record_import(import, &id, outcome);
        self.record(told);
        Ok(Imported::Linked(id))
    }

    /// What the product calls the connection, unless the import does not say.
    fn refer(&mut self, id: &ConnectionId, import: &Import) {
        let Some(connection) = self.connections.iter_mut().find(|connection| connection.id == *id) else { return };
        if let Some(reference) = &import.reference {
            connection.reference = Some(reference.clone());
            connection.updated_at = import.grant.updated_at;
        }
    }

    fn record_import(&mut self, import: &Import, connection: &ConnectionId, outcome: &str) {
        let grant = &import.grant;
        let record = AuditRecord::with_id(import.audit.clone(), grant.updated_at, &grant.tenant, "imported");
        let record = record.of_connection(connection).of_grant(&grant.id);
        self.audit.push(record.with(&json!({ "outcome": outcome })));
    }
}

fn seen(found: &Connected) -> SeenGrant {
    let grant = &found.grant;
    SeenGrant { id: grant.id.clone(), generation: grant.generation, state: grant.state.clone() }
}

/// What was given up stays given up.
fn is_over(found: &Connected) -> bool {
    found.connection.disconnected_at.is_some() || found.grant.state.is_over()
}
