use connector_core::account::Account;
use connector_core::scope::GrantScopes;
use connector_core::{Error as CoreError, ScopeSet};

use crate::error::{Error, Result};
use crate::host::Host;
use crate::store::{
    Connected, ConnectionFilter, ConnectionId, GrantRecord, LastError, LinkIntent, Linked, NewConnection,
};

/// The connections a grant became.
#[derive(Debug)]
pub struct Finished {
    /// One for each account the grant reaches.
    pub linked: Vec<Linked>,
    /// Scopes that an earlier grant of these accounts held and this one does not.
    pub lost: ScopeSet,
}

impl Host {
    /// Tries again to read the accounts of every grant of a tenant for which that failed. What fails again stays for the next time.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn finish_all(&self, tenant: &str) -> Result<Vec<Finished>> {
        let mut finished = Vec::new();
        for grant in self.store().unlinked_grants(tenant).await? {
            let linked = match self.accounts_of(&grant).await {
                Ok(accounts) => self.link(&grant, accounts).await,
                Err(error) => Err(error),
            };
            match linked {
                Ok(linked) => finished.push(linked),
                Err(error) => tracing::warn!(grant = %grant.id, %error, "a grant still could not be linked"),
            }
        }
        Ok(finished)
    }

    /// Reads the accounts of a new grant. A failure leaves the grant stored, to be tried again by [`Host::finish_all`].
    pub(super) async fn accounts_of(&self, grant: &GrantRecord) -> Result<Vec<Account>> {
        let accounts = self.read_accounts(grant).await;
        if let Some(error) = accounts.as_ref().err().and_then(Error::connector) {
            let last_error = LastError::new(error, self.context().now());
            self.store().note_grant_error(&grant.id, Some(last_error)).await?;
        }
        accounts
    }

    async fn read_accounts(&self, grant: &GrantRecord) -> Result<Vec<Account>> {
        let session = self.session(&grant.tenant, &grant.id).await?;
        let connector = &self.platform(grant.platform.as_str())?.connector;
        let accounts = connector.accounts().accounts(self.context(), &session).await?;
        if accounts.is_empty() {
            return Err(CoreError::protocol("the platform says that this login reaches no account").into());
        }
        Ok(accounts)
    }

    /// Links them, unless they are somebody else's than the flow was for.
    pub(super) async fn link(&self, grant: &GrantRecord, accounts: Vec<Account>) -> Result<Finished> {
        let intent = grant.unlinked.clone().unwrap_or_default();
        self.refuse_other_account(grant, &intent, &accounts).await?;
        let mut scopes = grant.scopes.clone();
        let lost = inherit(&mut scopes, &self.earlier(grant, &accounts).await?);
        let new = accounts.into_iter().map(|account| {
            Ok(NewConnection {
                id_if_new: ConnectionId::new(self.context())?,
                account,
                reference: intent.reference.clone(),
            })
        });
        let new = new.collect::<Result<Vec<_>>>()?;
        let links = self.store().link_accounts(&grant.tenant, &grant.id, &scopes, new, self.context().now()).await?;
        Ok(Finished { linked: links.linked, lost })
    }

    /// The connections that these accounts had already.
    async fn earlier(&self, grant: &GrantRecord, accounts: &[Account]) -> Result<Vec<Connected>> {
        let filter =
            ConnectionFilter { tenant: grant.tenant.clone(), platform: Some(grant.platform.clone()), state: None };
        let mut all = self.store().connections(&filter).await?;
        all.retain(|Connected { connection, .. }| {
            connection.app == grant.app && accounts.iter().any(|account| account.id == connection.account_id)
        });
        Ok(all)
    }

    /// A reconnect that came back with somebody else changes nothing, unless that was said to be right.
    async fn refuse_other_account(&self, grant: &GrantRecord, intent: &LinkIntent, accounts: &[Account]) -> Result<()> {
        let Some(id) = intent.reconnects.as_ref().filter(|_| !intent.other_account_allowed) else { return Ok(()) };
        let Some(Connected { connection, .. }) = self.store().connection(&grant.tenant, id).await? else {
            return Ok(());
        };
        if accounts.iter().any(|account| account.id == connection.account_id) {
            return Ok(());
        }
        self.store().drop_grant(&grant.tenant, &grant.id).await?;
        let theirs = accounts.iter().filter_map(|account| account.profile.label()).collect::<Vec<_>>().join(", ");
        let ours = connection.profile.label().unwrap_or(&connection.account_id);
        Err(Error::Request(format!(
            "the browser was logged in as {theirs}, not as {ours}, so nothing was changed: log in as {ours} and reconnect again, or pass --other-account to connect {theirs} as well"
        )))
    }
}

/// Takes over what earlier grants of the same accounts ever held, and gives what they hold and the new one does not.
fn inherit(scopes: &mut GrantScopes, earlier: &[Connected]) -> ScopeSet {
    let mut held = ScopeSet::new();
    for Connected { connection, grant } in earlier {
        scopes.ever_granted.extend(grant.scopes.ever_granted.iter().cloned());
        if connection.disconnected_at.is_none() {
            held.extend(grant.scopes.granted.scopes().into_iter().flatten().cloned());
        }
    }
    scopes.granted.scopes().map(|granted| held.difference(granted).cloned().collect()).unwrap_or_default()
}
