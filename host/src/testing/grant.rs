//! Grants as a host stores them.

use connector_core::{Context, Secret};

use super::{Outcome, TENANT};
use crate::store::{AuditRecord, GrantRecord};
use crate::tokens::Place;
use crate::vault::{Vault, field};

/// The grant with these tokens, sealed for its generation.
pub fn sealed(
    cx: &Context,
    vault: &Vault,
    grant: GrantRecord,
    access: &str,
    refresh: Option<&str>,
) -> Outcome<GrantRecord> {
    let place = Place::of_grant(&grant.tenant, &grant.id, grant.generation);
    let seal = |field, token| vault.seal(cx, &place.field(field), &Secret::from(token));
    let (access, refresh) =
        (seal(field::ACCESS, access)?, refresh.map(|token| seal(field::REFRESH, token)).transpose()?);
    Ok(GrantRecord { access: Some(access), refresh, ..grant })
}

/// The record of a grant that begins.
pub fn allowed(cx: &Context) -> Outcome<AuditRecord> {
    Ok(AuditRecord::new(cx, TENANT, "access_allowed")?)
}
