//! Takes connections over, line by line, in batches of one transaction each.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use connector_core::Secret;
use connector_core::app::{App, PlatformId};
use connector_core::grant::TokenSet;
use jiff::Timestamp;

use super::line::Entry;
use super::lines::Line;
use crate::error::Result;
use crate::host::Host;
use crate::store::{
    AuditId, Connected, ConnectionId, ConnectionRecord, ConnectionState, GrantId, GrantRecord, GrantState, Import,
    Imported, SeenGrant,
};
use crate::tokens::Place;

/// What is imported, and how.
#[derive(Clone, Debug)]
pub struct Importing {
    /// Whose the connections are, where a line does not say.
    pub tenant: String,
    /// The platform.
    pub platform: PlatformId,
    /// The app they were made under, by the operator's name.
    pub app: String,
    /// Say what would happen, and do nothing.
    pub dry_run: bool,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ImportOutcome {
    /// The account has a connection now, which is held.
    Imported,
    /// A connection that was held has the newer tokens.
    Updated,
    /// A connection that was held had these tokens already.
    Unchanged,
    /// The account has a connection that does not need them.
    Kept,
    /// The line is no good, or the account moved meanwhile.
    Failed,
}

impl ImportOutcome {
    /// The outcome as one stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Imported => "imported",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Kept => "kept",
            Self::Failed => "failed",
        }
    }
}

/// A line and what became of it.
#[derive(Clone, Debug)]
pub struct ImportedLine {
    /// Its number.
    pub line: u64,
    /// Whose the connection is, if the line can be read.
    pub tenant: Option<String>,
    /// The account, if the line says.
    pub account_id: Option<String>,
    /// The account's connection, if it has one.
    pub connection: Option<ConnectionId>,
    /// What became of it.
    pub outcome: ImportOutcome,
    /// Why, or what else is to be known.
    pub why: Option<String>,
}

/// Imports lines.
#[derive(Debug)]
pub struct Importer {
    host: Host,
    app: App,
    importing: Importing,
    /// The accounts and refresh tokens of earlier lines, by a short digest each.
    seen: HashSet<u64>,
    /// The connections of the platform by account, as they were when the first line was read.
    known: Option<HashMap<String, Vec<ConnectionRecord>>>,
}

/// A line that can be read, and what is to be done with it.
struct Planned {
    report: ImportedLine,
    import: Option<Import>,
}

impl Importer {
    /// An importer for one app.
    ///
    /// # Errors
    /// When the app is not configured, or lacks its credentials.
    pub fn new(host: &Host, importing: Importing) -> Result<Self> {
        let app = host.app(importing.platform.as_str(), &importing.app)?;
        Ok(Self { host: host.clone(), app, importing, seen: HashSet::new(), known: None })
    }

    /// Imports some lines in one transaction, and says what became of each. A line that is no good fails alone.
    ///
    /// # Errors
    /// When the store cannot be read or written: then none of these lines is imported.
    pub async fn import(&mut self, lines: &[Line]) -> Result<Vec<ImportedLine>> {
        let read: Vec<(u64, Result<Entry, String>)> = lines.iter().map(|line| (line.number, self.read(line))).collect();
        let found = self.found(&read).await?;
        let mut planned = Vec::with_capacity(read.len());
        for (line, entry) in read {
            planned.push(match entry {
                Ok(entry) if self.is_anothers(&entry).await? => {
                    let why = "another tenant has this account here with the same refresh token, and two grants would lose it: is `tenant` or --tenant right?";
                    let account = Some(entry.account_id);
                    Planned { report: failed(line, account, why.to_owned()), import: None }
                }
                Ok(entry) => self.plan(line, entry, &found)?,
                Err(why) => Planned { report: failed(line, None, why), import: None },
            });
        }
        if !self.importing.dry_run {
            self.carry_out(&mut planned).await?;
        }
        Ok(planned.into_iter().map(|planned| planned.report).collect())
    }

    /// Reads a line, and makes sure that no earlier one was about the same access.
    fn read(&mut self, line: &Line) -> Result<Entry, String> {
        let entry = Entry::read(line)?;
        let tenant = entry.tenant.as_deref().unwrap_or(&self.importing.tenant);
        if !self.seen.insert(digest(&["account", tenant, &entry.account_id])) {
            return Err("an earlier line of this file is about the same account".to_owned());
        }
        let token = entry.refresh.as_ref().map(Secret::digest);
        if token.is_some_and(|token| !self.seen.insert(digest(&["token", &token]))) {
            return Err(
                "an earlier line of this file has the same refresh token, and two grants would lose it".to_owned()
            );
        }
        Ok(entry)
    }

    /// The connections that the accounts of these lines have already, by tenant and account.
    async fn found(&self, read: &[(u64, Result<Entry, String>)]) -> Result<HashMap<(String, String), Vec<Connected>>> {
        let mut accounts: HashMap<String, Vec<String>> = HashMap::new();
        for entry in read.iter().filter_map(|(_, entry)| entry.as_ref().ok()) {
            accounts.entry(self.tenant(entry)).or_default().push(entry.account_id.clone());
        }
        let mut found: HashMap<_, Vec<Connected>> = HashMap::new();
        for (tenant, accounts) in accounts {
            let platform = &self.importing.platform;
            for one in self.host.store().connections_of_accounts(&tenant, platform, &accounts).await? {
                found.entry((tenant.clone(), one.connection.account_id.clone())).or_default().push(one);
            }
        }
        Ok(found)
    }

    /// Whether another tenant has the same refresh token.
    async fn is_anothers(&mut self, entry: &Entry) -> Result<bool> {
        let tenant = self.tenant(entry);
        let (host, platform) = (self.host.clone(), &self.importing.platform);
        let known = match self.known.take() {
            Some(known) => known,
            None => by_account(host.store().every_connection().await?, platform),
        };
        let others: Vec<_> = known.get(&entry.account_id).into_iter().flatten().cloned().collect();
        self.known = Some(known);
        for other in others.iter().filter(|other| other.tenant != tenant) {
            let found = host.store().connection(&other.tenant, &other.id).await?;
            let tokens = found.and_then(|found| host.open_record(&found.grant).ok());
            if tokens.is_some_and(|ours| entry.refresh.is_some() && same(ours.refresh.as_ref(), entry.refresh.as_ref()))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn tenant(&self, entry: &Entry) -> String {
        entry.tenant.clone().unwrap_or_else(|| self.importing.tenant.clone())
    }

    fn plan(&self, line: u64, entry: Entry, found: &HashMap<(String, String), Vec<Connected>>) -> Result<Planned> {
        let tenant = self.tenant(&entry);
        let of_account = found.get(&(tenant.clone(), entry.account_id.clone())).map(Vec::as_slice).unwrap_or_default();
        let (own, others): (Vec<_>, Vec<_>) =
            of_account.iter().partition(|found| found.connection.app == self.importing.app);
        let own = own.first().copied();
        let (outcome, why) = self.decide(own, &entry);
        let elsewhere = others.iter().find(|other| other.connection.disconnected_at.is_none());
        let elsewhere = elsewhere.map(|other| format!("it is also connected under the app `{}`", other.connection.app));
        let expired = entry.refresh_expires_at.filter(|at| *at <= self.host.context().now());
        let expired = expired.map(|at| format!("its refresh token has expired ({at:.0})"));
        let endless = (outcome < ImportOutcome::Unchanged
            && entry.refresh.is_some()
            && entry.refresh_expires_at.is_none())
        .then(|| "it has no `refresh_expires_at`, so nothing here refreshes it in time unless it is used".to_owned());
        let why: Vec<String> =
            why.map(str::to_owned).into_iter().chain(elsewhere).chain(expired).chain(endless).collect();
        let report = ImportedLine {
            line,
            tenant: Some(tenant.clone()),
            account_id: Some(entry.account_id.clone()),
            connection: own.map(|own| own.connection.id.clone()),
            outcome,
            why: (!why.is_empty()).then(|| why.join("; ")),
        };
        let import = match outcome {
            _ if self.importing.dry_run => None,
            ImportOutcome::Imported | ImportOutcome::Updated => Some(self.import_of(tenant, entry, own)?),
            _ => None,
        };
        Ok(Planned { report, import })
    }

    /// What a line means for an account that has this connection under the app.
    fn decide(&self, own: Option<&Connected>, entry: &Entry) -> (ImportOutcome, Option<&'static str>) {
        let Some(own) = own else { return (ImportOutcome::Imported, None) };
        match own.state() {
            ConnectionState::Active => {
                (ImportOutcome::Kept, Some("it is connected here and works, so what is here is newer"))
            }
            ConnectionState::Disconnecting | ConnectionState::Disconnected => {
                (ImportOutcome::Kept, Some("it was disconnected here: connect it again, should it come back"))
            }
            ConnectionState::ReauthRequired => (ImportOutcome::Imported, Some("its person was needed here before")),
            ConnectionState::Held if self.has_tokens(&own.grant, entry) && says_nothing_else(own, entry) => {
                (ImportOutcome::Unchanged, None)
            }
            ConnectionState::Held => (ImportOutcome::Updated, None),
        }
    }

    /// Whether a grant has the tokens of a line. Tokens that do not open are replaced.
    fn has_tokens(&self, grant: &GrantRecord, entry: &Entry) -> bool {
        let Ok(ours) = self.host.open_record(grant) else { return false };
        let access = (!ours.access.is_empty()).then_some(&ours.access);
        same(access, entry.access.as_ref()) && same(ours.refresh.as_ref(), entry.refresh.as_ref())
    }

    fn import_of(&self, tenant: String, mut entry: Entry, own: Option<&Connected>) -> Result<Import> {
        let cx = self.host.context();
        let now = cx.now();
        let held = own.map(|own| &own.grant).filter(|grant| matches!(grant.state, GrantState::Held { .. }));
        let (id, generation) = match held {
            Some(grant) => (grant.id.clone(), grant.generation + 1),
            None => (GrantId::new(cx)?, 1),
        };
        // What a line does not say of the tokens that are here already stays as it is.
        let known = held.filter(|grant| self.has_tokens(grant, &entry));
        if let Some(grant) = known {
            entry.access_expires_at = entry.access_expires_at.or(grant.access_expires_at);
            entry.refresh_expires_at = entry.refresh_expires_at.or(grant.refresh_expires_at);
        }
        let scopes =
            known.filter(|_| entry.granted.is_none()).map_or_else(|| entry.scopes(), |grant| grant.scopes.clone());
        let state = GrantState::Held { reason: "imported".to_owned() };
        let grant = GrantRecord {
            scopes,
            base_urls: self.app.base_urls.clone(),
            generation,
            state,
            ..GrantRecord::new(
                id,
                tenant,
                self.importing.platform.clone(),
                self.importing.app.clone(),
                self.app.client_id.clone(),
                now,
            )
        };
        let seen = own.map(|own| SeenGrant {
            id: own.grant.id.clone(),
            generation: own.grant.generation,
            state: own.grant.state.clone(),
        });
        let (account_id, reference) = (entry.account_id.clone(), entry.reference.clone());
        let grant = self.sealed(grant, entry, now)?;
        Ok(Import { grant, account_id, reference, id_if_new: ConnectionId::new(cx)?, seen, audit: AuditId::new(cx)? })
    }

    /// The grant with the tokens of a line. An access token that is not there is an empty one that has expired.
    fn sealed(&self, grant: GrantRecord, entry: Entry, now: Timestamp) -> Result<GrantRecord> {
        let (access, access_expires_at) = match entry.access {
            Some(access) => (access, entry.access_expires_at),
            None => (Secret::from(""), Some(now)),
        };
        let (refresh, refresh_expires_at) = (entry.refresh, entry.refresh_expires_at);
        let tokens = TokenSet { access, access_expires_at, refresh, refresh_expires_at };
        let sealed = self.host.seal_tokens(Place::of_grant(&grant.tenant, &grant.id, grant.generation), &tokens)?;
        Ok(GrantRecord {
            access: Some(sealed.access),
            access_expires_at,
            refresh: sealed.refresh,
            refresh_expires_at,
            ..grant
        })
    }

    async fn carry_out(&self, planned: &mut [Planned]) -> Result<()> {
        let (reports, imports): (Vec<&mut ImportedLine>, Vec<Import>) =
            planned.iter_mut().filter_map(|planned| Some((&mut planned.report, planned.import.take()?))).unzip();
        if imports.is_empty() {
            return Ok(());
        }
        let done = self.host.store().import_connections(&imports).await?;
        for (report, done) in reports.into_iter().zip(done) {
            match done {
                Imported::Linked(id) | Imported::Updated(id) => report.connection = Some(id),
                Imported::Moved => {
                    let account = report.account_id.take();
                    *report = failed(report.line, account, "it changed here meanwhile: import it again".to_owned());
                }
            }
        }
        Ok(())
    }
}

/// Whether a line about tokens that are here already says of them and of the connection what is here, or nothing.
fn says_nothing_else(Connected { connection, grant }: &Connected, entry: &Entry) -> bool {
    let at = |time: Option<Timestamp>| time.map(Timestamp::as_millisecond);
    let same_time = |theirs: Option<Timestamp>, ours| theirs.is_none() || at(theirs) == at(ours);
    let access = entry.access.is_none() || same_time(entry.access_expires_at, grant.access_expires_at);
    let scopes = entry.granted.is_none() || entry.scopes().granted == grant.scopes.granted;
    let reference = entry.reference.is_none() || entry.reference == connection.reference;
    access && same_time(entry.refresh_expires_at, grant.refresh_expires_at) && scopes && reference
}

fn same(ours: Option<&Secret>, theirs: Option<&Secret>) -> bool {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => ours.matches(theirs.expose()),
        (ours, theirs) => ours.is_none() && theirs.is_none(),
    }
}

fn by_account(all: Vec<ConnectionRecord>, platform: &PlatformId) -> HashMap<String, Vec<ConnectionRecord>> {
    let mut known: HashMap<_, Vec<_>> = HashMap::new();
    for connection in all.into_iter().filter(|connection| connection.platform == *platform) {
        known.entry(connection.account_id.clone()).or_default().push(connection);
    }
    known
}

fn failed(line: u64, account_id: Option<String>, why: String) -> ImportedLine {
    ImportedLine { line, tenant: None, account_id, connection: None, outcome: ImportOutcome::Failed, why: Some(why) }
}

fn digest(parts: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}
