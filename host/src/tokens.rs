//! Tokens on their way into the store and out of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connector_core::account::Session;
use connector_core::grant::{Grant, TokenSet};
use connector_core::http::RawAnswer;
use connector_core::{Error as CoreError, ErrorKind, Secret};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::host::Host;
use crate::refresh::Current;
use crate::store::{AuditRecord, GrantId, GrantRecord, GrantState, LastError, StateChange};
use crate::vault::{Binding, KEY_LOST, Sealed, field};

/// The tokens of a grant, sealed for one generation of its row.
pub(crate) struct SealedTokens {
    pub(crate) access: Sealed,
    pub(crate) refresh: Option<Sealed>,
}

/// What became of opening something of a grant.
pub(crate) enum Opened<T> {
    /// It opened.
    As(T),
    /// It is lost for certain, as it is stored in this record.
    Lost(Box<GrantRecord>, Error),
}

/// An answer of a token endpoint as it is sealed.
#[derive(Deserialize, Serialize)]
pub(crate) struct KeptAnswer {
    status: u16,
    content_type: Option<String>,
    sent_at: Timestamp,
    body: String,
}

impl KeptAnswer {
    pub(crate) fn of(answer: &RawAnswer) -> Self {
        Self {
            status: answer.status,
            content_type: answer.content_type().map(str::to_owned),
            sent_at: answer.sent_at,
            body: STANDARD.encode(&answer.body),
        }
    }

    pub(crate) fn to_answer(&self) -> Result<RawAnswer> {
        let body = STANDARD.decode(&self.body).map_err(|_| damaged_answer())?;
        Ok(RawAnswer::kept(self.status, self.content_type.as_deref(), body, self.sent_at))
    }
}

fn damaged_answer() -> Error {
    CoreError::protocol("the kept answer is damaged").into()
}

/// Where the tokens of a grant, or of the revocation of one, are bound to.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) tenant: &'a str,
    pub(crate) owner: &'a str,
    pub(crate) generation: i64,
}

impl<'a> Place<'a> {
    pub(crate) fn of_grant(tenant: &'a str, id: &'a GrantId, generation: i64) -> Self {
        Self { tenant, owner: id.as_str(), generation }
    }

    fn of(record: &'a GrantRecord) -> Self {
        Self::of_grant(&record.tenant, &record.id, record.generation)
    }

    pub(crate) fn field(self, field: &'a str) -> Binding<'a> {
        Binding { tenant: self.tenant, owner: self.owner, field, generation: self.generation }
    }
}

impl Host {
    /// Seals tokens for one place.
    pub(crate) fn seal_tokens(&self, place: Place<'_>, tokens: &TokenSet) -> Result<SealedTokens> {
        let (vault, cx) = (self.vault(), self.context());
        let access = vault.seal(cx, &place.field(field::ACCESS), &tokens.access)?;
        let refresh =
            tokens.refresh.as_ref().map(|token| vault.seal(cx, &place.field(field::REFRESH), token)).transpose()?;
        Ok(SealedTokens { access, refresh })
    }

    /// Opens tokens that were sealed for this place. The lifetimes are the record's.
    pub(crate) fn open_tokens(&self, place: Place<'_>, sealed: &SealedTokens) -> Result<TokenSet> {
        let open = |name, sealed| self.vault().open(&place.field(name), sealed);
        let refresh = sealed.refresh.as_ref().map(|sealed| open(field::REFRESH, sealed));
        Ok(TokenSet {
            access: open(field::ACCESS, &sealed.access)?,
            access_expires_at: None,
            refresh: refresh.transpose()?,
            refresh_expires_at: None,
        })
    }

    /// A stored grant under its app, opened.
    ///
    /// # Errors
    /// When the tokens were wiped, do not open, or belong to another registration than the app has now.
    pub(crate) fn open_session(&self, record: &GrantRecord) -> Result<Session> {
        let app = self.app_of(record)?;
        let grant = Grant {
            tokens: self.open_record(record)?,
            scopes: record.scopes.clone(),
            subject: record.subject.clone(),
            base_urls: record.base_urls.clone(),
        };
        Ok(Session { app, grant })
    }

    /// Seals an answer of the token endpoint for the generation of the grant it continues.
    pub(crate) fn seal_answer(&self, record: &GrantRecord, answer: &RawAnswer) -> Result<Sealed> {
        let text = serde_json::to_string(&KeptAnswer::of(answer)).map_err(|error| Error::Machine(error.to_string()))?;
        Ok(self.vault().seal(self.context(), &Place::of(record).field(field::ANSWER), &Secret::from(text))?)
    }

    /// Opens it again.
    ///
    /// # Errors
    /// When there is none, or it does not open.
    pub(crate) fn open_answer(&self, record: &GrantRecord) -> Result<RawAnswer> {
        let none = || Error::Request("no answer is kept for this connection".to_owned());
        let sealed = record.kept_answer.as_ref().ok_or_else(none)?;
        let text = self.vault().open(&Place::of(record).field(field::ANSWER), sealed)?;
        serde_json::from_str::<KeptAnswer>(text.expose()).map_err(|_| damaged_answer())?.to_answer()
    }

    /// The same, where a loss is to be noted: tokens that do not open any more are lost with their grant, and with no other. Its person has
    /// to connect again, and is not asked to before it is certain.
    ///
    /// # Errors
    /// As [`Host::open_session`].
    pub(crate) async fn opened(&self, record: &GrantRecord) -> Result<Current> {
        let open =
            |record: &GrantRecord| Ok(Current { session: self.open_session(record)?, generation: record.generation });
        match self.open_latest(record, open).await? {
            Opened::As(current) => Ok(current),
            Opened::Lost(record, error) => Err(Box::pin(self.lost(&record, error)).await?),
        }
    }

    /// Opens something of a grant, as it is stored by then should it not open as it was read: a rotation or a refresh may have sealed it
    /// anew since.
    ///
    /// # Errors
    /// What opening it says, and when the keys at hand are not the store's: then nobody knows whether anything is lost.
    pub(crate) async fn open_latest<T>(
        &self,
        record: &GrantRecord,
        open: impl Fn(&GrantRecord) -> Result<T>,
    ) -> Result<Opened<T>> {
        match open(record) {
            // What seldom happens has its memory elsewhere.
            Err(error) if is_lost(&error) => Box::pin(self.open_again(record, open, error)).await,
            opened => opened.map(Opened::As),
        }
    }

    async fn open_again<T>(
        &self,
        record: &GrantRecord,
        open: impl Fn(&GrantRecord) -> Result<T>,
        error: Error,
    ) -> Result<Opened<T>> {
        let now = self.store().grant(&record.tenant, &record.id).await?;
        let (record, error) = match now.filter(|now| (&now.access, &now.refresh) != (&record.access, &record.refresh)) {
            None => (record.clone(), error),
            Some(now) => match open(&now) {
                Err(error) if is_lost(&error) => (now, error),
                opened => return opened.map(Opened::As),
            },
        };
        self.check_keys().await?;
        Ok(Opened::Lost(Box::new(record), error))
    }

    /// Makes sure that the keys at hand are those of the store: a program that was left behind by a rotation has lost nothing.
    async fn check_keys(&self) -> Result<()> {
        let Some(proof) = self.store().vault_check().await? else { return Ok(()) };
        self.vault().verify(&proof).map_err(|error| {
            let message = format!(
                "this host's keys are not those of its store, so nothing was changed: start it anew with the keys of the store ({error})"
            );
            CoreError::config(message).with_source(error).into()
        })
    }

    /// Notes that the tokens of a grant are lost.
    async fn lost(&self, record: &GrantRecord, error: Error) -> Result<Error> {
        let now = self.context().now();
        tracing::error!(grant = %record.id, %error, "the tokens of a grant are lost");
        if self.needs_person(record, KEY_LOST).await?
            && let Some(error) = error.connector()
        {
            self.store().note_grant_error(&record.id, Some(LastError::new(error, now))).await?;
        }
        Ok(error)
    }

    /// Takes grants into use again whose tokens were lost and open after all, because their key has been put back. Says how many.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn recover_lost(&self) -> Result<usize> {
        let mut recovered = 0;
        if !self.is_ours().await? {
            return Ok(recovered);
        }
        for grant in self.store().grants_needing(KEY_LOST).await? {
            if self.open_record(&grant).is_ok() && self.set_recovered(&grant).await? {
                self.store().note_grant_error(&grant.id, None).await?;
                recovered += 1;
            }
        }
        Ok(recovered)
    }

    async fn set_recovered(&self, grant: &GrantRecord) -> Result<bool> {
        let change = StateChange {
            grant: grant.id.clone(),
            generation: grant.generation,
            seen: grant.state.clone(),
            state: GrantState::Active,
            since: self.context().now(),
            audit: AuditRecord::new(self.context(), &grant.tenant, "key_found")?.of_grant(&grant.id),
        };
        Ok(self.store().set_grant_state(&change).await?)
    }

    /// The tokens of a stored grant, opened.
    ///
    /// # Errors
    /// When they were wiped or do not open.
    pub(crate) fn open_record(&self, record: &GrantRecord) -> Result<TokenSet> {
        let wiped = || Error::Request("the connection is disconnected".to_owned());
        let sealed = SealedTokens { access: record.access.clone().ok_or_else(wiped)?, refresh: record.refresh.clone() };
        Ok(TokenSet {
            access_expires_at: record.access_expires_at,
            refresh_expires_at: record.refresh_expires_at,
            ..self.open_tokens(Place::of(record), &sealed)?
        })
    }
}

/// Whether the tokens do not open although the keys could be read.
fn is_lost(error: &Error) -> bool {
    matches!(error.kind(), Some(ErrorKind::ReauthRequired { reason }) if reason == KEY_LOST)
}
