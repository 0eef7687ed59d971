//! Sealed values by their key, in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{MemoryStore, State};
use crate::store::{
    FlowRecord, GrantRecord, KeyedRequest, ReceiverRecord, Reseal, Resealed, Result, RevocationRecord, SealedCount,
    SealedRow, SealedRowId, StoreError,
};
use crate::vault::{KeyId, Sealed};

/// The places of the tables in [`SEALED_TABLES`](crate::store::SEALED_TABLES).
const FLOWS: usize = 0;
const GRANTS: usize = 1;
const REVOCATIONS: usize = 2;
const RECEIVERS: usize = 3;
const REQUESTS: usize = 4;

#[async_trait]
impl Reseal for MemoryStore {
    async fn count_sealed(&self) -> Result<Vec<SealedCount>> {
        let mut counts = BTreeMap::new();
        for value in self.lock().sealed_rows().into_iter().flat_map(|row| row.values).flatten() {
            *counts.entry(key(&value)).or_insert(0) += 1;
        }
        Ok(counts.into_iter().map(|(key, values)| SealedCount { key, values }).collect())
    }

    async fn sealed_otherwise(&self, wanted: KeyId, after: Option<&SealedRowId>, limit: u32) -> Result<Vec<SealedRow>> {
        let mut rows = self.lock().sealed_rows();
        rows.retain(|row| {
            after.is_none_or(|after| row.row > *after)
                && row.values.iter().flatten().any(|value| key(value) != Some(wanted))
        });
        rows.sort_by(|a, b| a.row.cmp(&b.row));
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(rows)
    }

    async fn reseal(&self, rows: &[Resealed]) -> Result<u64> {
        let mut state = self.lock();
        let mut after = state.clone();
        let mut replaced = 0;
        for row in rows {
            replaced += u64::from(after.replace(row)?);
        }
        *state = after;
        Ok(replaced)
    }
}

impl State {
    fn sealed_rows(&self) -> Vec<SealedRow> {
        let flows = self.flows.values().map(of_flow);
        let grants = self.grants.values().map(|row| of_grant(&row.grant));
        let revocations = self.revocations.values().map(of_revocation);
        let receivers = self.receivers.iter().map(of_receiver);
        flows.chain(grants).chain(revocations).chain(receivers).chain(self.requests.values().map(of_request)).collect()
    }

    /// Replaces what is sealed in a row that is still as it was read.
    fn replace(&mut self, Resealed { old, new }: &Resealed) -> Result<bool> {
        let id = old.row.id.as_str();
        let mut new = new.iter().cloned();
        let mut next = || new.next().flatten();
        match old.row.table {
            FLOWS => {
                let flow = self.flows.values_mut().find(|flow| flow.id.as_str() == id);
                let flow = flow.filter(|flow| of_flow(flow).values == old.values);
                Ok(flow.zip(next()).map(|(flow, sealed)| flow.sealed = sealed).is_some())
            }
            GRANTS => {
                let grant = self.grants.values_mut().map(|row| &mut row.grant).find(|grant| grant.id.as_str() == id);
                let grant = grant.filter(|grant| of_grant(grant).values == old.values);
                let write = |grant: &mut GrantRecord| {
                    (grant.access, grant.refresh, grant.kept_answer) = (next(), next(), next());
                };
                Ok(grant.map(write).is_some())
            }
            REVOCATIONS => {
                let revocation = self.revocations.values_mut().find(|revocation| revocation.id.as_str() == id);
                let revocation = revocation.filter(|revocation| of_revocation(revocation).values == old.values);
                let write = |revocation: &mut RevocationRecord| {
                    (revocation.tokens.access, revocation.tokens.refresh) = (next(), next());
                };
                Ok(revocation.map(write).is_some())
            }
            RECEIVERS => {
                let receiver = self.receivers.iter_mut().find(|receiver| receiver.id.as_str() == id);
                let receiver = receiver.filter(|receiver| of_receiver(receiver).values == old.values);
                let Some((receiver, secret)) = receiver.zip(next()) else { return Ok(false) };
                (receiver.secret, receiver.previous_secret) = (secret, next());
                Ok(true)
            }
            REQUESTS => {
                let request = self.requests.values_mut().find(|request| request.id.as_str() == id);
                let request = request.filter(|request| of_request(request).values == old.values);
                Ok(request.map(|request| request.answer = next()).is_some())
            }
            other => Err(StoreError::NotFound { what: "table of sealed values", id: other.to_string() }),
        }
    }
}

/// The key that a value names by its front.
fn key(value: &Sealed) -> Option<KeyId> {
    KeyId::of_front(value.as_bytes().get(..Sealed::FRONT_LENGTH)?)
}

fn of_flow(flow: &FlowRecord) -> SealedRow {
    let row = SealedRowId { table: FLOWS, id: flow.id.to_string() };
    SealedRow { row, tenant: flow.tenant.clone(), generation: 0, values: vec![Some(flow.sealed.clone())] }
}

fn of_grant(grant: &GrantRecord) -> SealedRow {
    let row = SealedRowId { table: GRANTS, id: grant.id.to_string() };
    let values = vec![grant.access.clone(), grant.refresh.clone(), grant.kept_answer.clone()];
    SealedRow { row, tenant: grant.tenant.clone(), generation: grant.generation, values }
}

fn of_revocation(revocation: &RevocationRecord) -> SealedRow {
    let row = SealedRowId { table: REVOCATIONS, id: revocation.id.to_string() };
    let values = vec![revocation.tokens.access.clone(), revocation.tokens.refresh.clone()];
    SealedRow { row, tenant: revocation.tenant.clone(), generation: 0, values }
}

fn of_receiver(receiver: &ReceiverRecord) -> SealedRow {
    let row = SealedRowId { table: RECEIVERS, id: receiver.id.to_string() };
    let values = vec![Some(receiver.secret.clone()), receiver.previous_secret.clone()];
    SealedRow { row, tenant: receiver.tenant.clone(), generation: 0, values }
}

fn of_request(request: &KeyedRequest) -> SealedRow {
    let row = SealedRowId { table: REQUESTS, id: request.id.to_string() };
    SealedRow { row, tenant: request.tenant.clone(), generation: 0, values: vec![request.answer.clone()] }
}
