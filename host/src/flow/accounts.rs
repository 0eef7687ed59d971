use connector_core::account::Account;
use connector_core::{Error as CoreError, ErrorKind, ScopeSet};
use serde_json::json;

use crate::error::{Error, Result};
use crate::host::Host;
use crate::pseudonym::pseudonym;
use crate::scopes::is_refused;
use crate::store::{
    AuditId, AuditRecord, Connected, ConnectionId, ConnectionRecord, GrantRecord, LastError, LinkIntent, Linked,
    NewConnection,
};

/// The connections a grant became.
#[derive(Debug)]
pub struct Finished {
    /// One for each account the grant reaches, without those that a later grant or a disconnect has overtaken.
    pub linked: Vec<Linked>,
    /// Scopes that an earlier grant of these accounts held and this one does not.
    pub lost: ScopeSet,
}

impl Host {
    /// Tries again to read the accounts of every grant of a tenant for which that failed. What fails again stays for the next time. In
    /// another instance's store nothing is tried.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn finish_all(&self, tenant: &str) -> Result<Vec<Finished>> {
        let mut finished = Vec::new();
        if !self.is_ours().await? {
            return Ok(finished);
        }
        for grant in self.store().unlinked_grants(tenant).await? {
            match self.pinned().finish_grant(&grant).await {
                Ok(linked) => finished.push(linked),
                Err(error) => tracing::warn!(grant = %grant.id, %error, "a grant still could not be linked"),
            }
        }
        Ok(finished)
    }

    async fn finish_grant(&self, grant: &GrantRecord) -> Result<Finished> {
        self.check_nameable(grant).await?;
        self.link(grant, self.accounts_of(grant).await?).await
    }

    /// Gives a new grant up whose person refused the scope of the accounts' ids: no later try could say whose it is, so it would be kept
    /// and refreshed for nobody. What else the person allowed before is not touched by it, see [`Host::give_up`].
    pub(super) async fn check_nameable(&self, grant: &GrantRecord) -> Result<()> {
        let platform = self.platform(grant.platform.as_str())?;
        let (Some(scope), Some(app)) = (platform.account_scope(), platform.settings.apps.get(&grant.app)) else {
            return Ok(());
        };
        if !is_refused(&app.wanted, scope, &grant.scopes) {
            return Ok(());
        }
        self.give_up(grant, "account_scope_refused").await?;
        let message = format!(
            "`{scope}` was not allowed, and without it {} does not say whose account this is: nothing was connected, and the access was given up again; connect again and allow it",
            platform.linked.name()
        );
        Err(CoreError::new(ErrorKind::MissingScopes { scopes: [scope.clone()].into() }, message).into())
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
        let session = self.session_as_it_is(&grant.tenant, &grant.id).await?;
        let platform = self.platform(grant.platform.as_str())?;
        let connector = &platform.connector;
        let cx = self.context().confined_to(&session.grant.base_urls);
        let accounts = connector.accounts().accounts(&cx, &session).await?;
        if accounts.is_empty() {
            return Err(CoreError::protocol("the platform says that this login reaches no account").into());
        }
        Ok(accounts)
    }

    /// Links them, unless they are somebody else's than the flow was for, or have been given up since.
    pub(super) async fn link(&self, grant: &GrantRecord, accounts: Vec<Account>) -> Result<Finished> {
        let intent = grant.unlinked.clone().unwrap_or_default();
        let earlier = self.earlier(grant, &accounts).await?;
        if let Some(wanted) = self.missed(grant, &intent, &accounts).await? {
            return Err(self.refuse(grant, &wanted, accounts, &earlier).await?);
        }
        if all_among(&accounts, &earlier, |found| found.disconnected_at.is_some_and(|at| grant.created_at < at)) {
            self.give_up(grant, "disconnected_since").await?;
            return Err(Error::NotLinked(
                "the account was disconnected after its person had allowed access, so it stays disconnected: connect it again"
                    .to_owned(),
            ));
        }
        self.link_to(grant, intent.reference, accounts, &earlier).await
    }

    async fn link_to(
        &self,
        grant: &GrantRecord,
        reference: Option<String>,
        accounts: Vec<Account>,
        earlier: &[Connected],
    ) -> Result<Finished> {
        let new = accounts.into_iter().map(|account| {
            let (id_if_new, audit) = (ConnectionId::new(self.context())?, AuditId::new(self.context())?);
            Ok(NewConnection { id_if_new, account, reference: reference.clone(), audit })
        });
        let new = new.collect::<Result<Vec<_>>>()?;
        let (ever, now) = (ever_granted(earlier), self.context().now());
        let links = self.store().link_accounts(&grant.tenant, &grant.id, &ever, new, now).await?;
        let lost = if links.linked.is_empty() { ScopeSet::new() } else { lost(grant, earlier) };
        Ok(Finished { linked: links.linked, lost })
    }

    /// The connections that these accounts had already.
    async fn earlier(&self, grant: &GrantRecord, accounts: &[Account]) -> Result<Vec<Connected>> {
        let ids: Vec<_> = accounts.iter().map(|account| account.id.as_str()).collect();
        Ok(self.store().connections_of(&grant.tenant, &grant.platform, &grant.app, &ids).await?)
    }

    /// The connection that a flow was to renew, if it came back with somebody else and nobody said that this is right.
    async fn missed(
        &self,
        grant: &GrantRecord,
        intent: &LinkIntent,
        accounts: &[Account],
    ) -> Result<Option<ConnectionRecord>> {
        let Some(id) = intent.reconnects.as_ref().filter(|_| !intent.other_account_allowed) else { return Ok(None) };
        let wanted = self.store().connection(&grant.tenant, id).await?.map(|found| found.connection);
        Ok(wanted.filter(|wanted| accounts.iter().all(|account| account.id != wanted.account_id)))
    }

    /// Somebody else came back than the connection's person, which may be a mistake or an attempt.
    async fn note_other_account(
        &self,
        grant: &GrantRecord,
        wanted: &ConnectionRecord,
        accounts: &[Account],
    ) -> Result<()> {
        let came: Vec<String> = accounts.iter().map(|account| pseudonym(&account.id)).collect();
        let record = AuditRecord::new(self.context(), &grant.tenant, "identity_changed")?;
        let record = record.of_connection(&wanted.id).of_grant(&grant.id);
        let detail = json!({ "at": "reconnect", "expected": pseudonym(&wanted.account_id), "came": came });
        Ok(self.store().append_audit(&record.with(&detail)).await?)
    }

    /// Leaves the wanted connection as it is, and says so. Accounts that are connected anyway take the grant, because it may have ended the
    /// one they had; else it is given up.
    async fn refuse(
        &self,
        grant: &GrantRecord,
        wanted: &ConnectionRecord,
        accounts: Vec<Account>,
        earlier: &[Connected],
    ) -> Result<Error> {
        self.note_other_account(grant, wanted, &accounts).await?;
        let theirs = accounts.iter().filter_map(|account| account.profile.label()).collect::<Vec<_>>().join(", ");
        let ours = wanted.profile.label().unwrap_or(&wanted.account_id);
        let begin = format!(
            "the browser was logged in as {theirs}, not as {ours}, so nothing was changed for {ours}: log in as {ours} and reconnect again"
        );
        if all_among(&accounts, earlier, |found| found.disconnected_at.is_none()) {
            self.link_to(grant, None, accounts, earlier).await?;
            return Ok(Error::NotLinked(format!("{begin} ({theirs} was connected before, and stays so)")));
        }
        self.give_up(grant, "other_account").await?;
        Ok(Error::NotLinked(format!(
            "{begin}, or say that another account is right (`--other-account`, in the API `other_account`) to connect {theirs} as well"
        )))
    }
}

/// Whether each of these accounts has such a connection.
fn all_among(accounts: &[Account], earlier: &[Connected], is_such: impl Fn(&ConnectionRecord) -> bool) -> bool {
    accounts.iter().all(|account| {
        earlier.iter().any(|found| found.connection.account_id == account.id && is_such(&found.connection))
    })
}

/// What earlier grants of the same accounts ever held.
fn ever_granted(earlier: &[Connected]) -> ScopeSet {
    earlier.iter().flat_map(|found| &found.grant.scopes.ever_granted).cloned().collect()
}

/// What earlier grants of the same accounts hold and the new one does not.
fn lost(grant: &GrantRecord, earlier: &[Connected]) -> ScopeSet {
    let live = earlier.iter().filter(|found| found.connection.disconnected_at.is_none());
    let held: ScopeSet = live.filter_map(|found| found.grant.scopes.granted.scopes()).flatten().cloned().collect();
    grant.scopes.granted.scopes().map(|granted| held.difference(granted).cloned().collect()).unwrap_or_default()
}
