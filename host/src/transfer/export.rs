//! Gives connections to another program, and holds them here from then on.

use std::collections::HashMap;
use std::io::Write;

use connector_core::Secret;
use connector_core::app::PlatformId;
use serde_json::json;
use zeroize::Zeroizing;

use super::line::Written;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::store::{
    AuditRecord, Connected, ConnectionFilter, ConnectionId, ConnectionState, GrantId, GrantRecord, GrantState,
    StateChange,
};

/// What is exported.
#[derive(Clone, Debug)]
pub struct Exporting {
    /// Whose connections.
    pub tenant: String,
    /// Of which platform.
    pub platform: PlatformId,
    /// Under which app, by the operator's name.
    pub app: String,
    /// Also those that are held here already.
    pub with_held: bool,
}

/// What became of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExportOutcome {
    /// It is written, and held here.
    Exported,
    /// It is left as it is, for this reason.
    Skipped(&'static str),
}

/// A connection and what became of it.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The connection.
    pub connection: ConnectionId,
    /// Its account.
    pub account_id: String,
    /// What became of it.
    pub outcome: ExportOutcome,
}

impl Host {
    /// Writes connections with their tokens, a line each. Each is held here before its line is written: should that fail, nobody else has
    /// it, and it can be adopted again.
    ///
    /// # Errors
    /// When something cannot be read, held or written. What was written before stays written.
    pub async fn export(&self, exporting: &Exporting, to: &mut (dyn Write + Send)) -> Result<Vec<Exported>> {
        let filter = ConnectionFilter {
            tenant: exporting.tenant.clone(),
            platform: Some(exporting.platform.clone()),
            ..ConnectionFilter::default()
        };
        let all = self.store().connections(&filter).await?;
        let mut live: HashMap<&GrantId, usize> = HashMap::new();
        for connected in all.iter().filter(|connected| connected.connection.disconnected_at.is_none()) {
            *live.entry(&connected.grant.id).or_default() += 1;
        }
        let mut exported = Vec::new();
        for connected in all.iter().filter(|connected| connected.connection.app == exporting.app) {
            if connected.connection.disconnected_at.is_some() || connected.grant.state.is_over() {
                continue;
            }
            let shared = live.get(&connected.grant.id).is_some_and(|connections| *connections > 1);
            let outcome = match obstacle(connected, shared, exporting.with_held) {
                Some(why) => ExportOutcome::Skipped(why),
                None => self.export_one(connected, to).await?,
            };
            let (connection, account_id) = (connected.connection.id.clone(), connected.connection.account_id.clone());
            exported.push(Exported { connection, account_id, outcome });
        }
        to.flush().map_err(|error| cannot_write(&error))?;
        Ok(exported)
    }

    async fn export_one(&self, connected: &Connected, to: &mut (dyn Write + Send)) -> Result<ExportOutcome> {
        let line = match self.line(connected) {
            Ok(line) => line,
            Err(error) => {
                tracing::warn!(connection = %connected.connection.id, %error, "it cannot be exported");
                return Ok(ExportOutcome::Skipped("its tokens do not open with the key that is here"));
            }
        };
        if !self.hold(connected).await? {
            return Ok(ExportOutcome::Skipped("it is being refreshed just now: export it again"));
        }
        to.write_all(&line).and_then(|()| to.write_all(b"\n")).map_err(|error| cannot_write(&error))?;
        Ok(ExportOutcome::Exported)
    }

    fn line(&self, Connected { connection, grant }: &Connected) -> Result<Zeroizing<Vec<u8>>> {
        let tokens = self.open_record(grant)?;
        let access = Some(tokens.access.expose()).filter(|token| !token.is_empty());
        let granted = grant.scopes.granted.scopes();
        let written = Written {
            tenant: &connection.tenant,
            reference: connection.reference.as_deref(),
            account_id: &connection.account_id,
            access_token: access,
            refresh_token: tokens.refresh.as_ref().map(Secret::expose),
            expires_at: grant.access_expires_at.filter(|_| access.is_some()).map(|at| at.to_string()),
            refresh_expires_at: grant.refresh_expires_at.map(|at| at.to_string()),
            granted_scopes: granted.map(|scopes| scopes.iter().map(connector_core::Scope::as_str).collect()),
        };
        serde_json::to_vec(&written).map(Zeroizing::new).map_err(|error| Error::Machine(error.to_string()))
    }

    /// Puts the grant on hold as it was read. False when it has moved since, or is being refreshed.
    async fn hold(&self, Connected { connection, grant }: &Connected) -> Result<bool> {
        let was = grant.state.as_str();
        let audit = AuditRecord::new(self.context(), &grant.tenant, "exported")?;
        let audit = audit.of_connection(&connection.id).of_grant(&grant.id).with(&json!({ "was": was }));
        let audit = audit.by(self.actor());
        let change = StateChange {
            grant: grant.id.clone(),
            generation: grant.generation,
            seen: grant.state.clone(),
            state: GrantState::Held { reason: "exported".to_owned() },
            since: self.context().now(),
            audit,
        };
        Ok(self.store().set_grant_state(&change).await?)
    }
}

/// What keeps a connection from being exported.
fn obstacle(connected: &Connected, shared: bool, with_held: bool) -> Option<&'static str> {
    match connected.state() {
        ConnectionState::ReauthRequired => return Some("its person has to connect again"),
        ConnectionState::Held if !with_held => return Some("it is held here: --held exports it as well"),
        _ => {}
    }
    if shared {
        return Some("its access reaches several accounts, which a line cannot say: connect each of them there");
    }
    in_doubt(&connected.grant).then_some("an earlier refresh was not answered, so its token may be spent")
}

fn in_doubt(grant: &GrantRecord) -> bool {
    grant.refresh_mark.is_some() || grant.kept_answer.is_some()
}

fn cannot_write(error: &std::io::Error) -> Error {
    Error::Machine(format!(
        "the export cannot be written: {error}; what is held here and not in it can be adopted again"
    ))
}
