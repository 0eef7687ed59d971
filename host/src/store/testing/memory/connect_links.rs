//! Connect links in memory.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{MemoryStore, there_already};
use crate::store::{
    AuditRecord, ConnectLinkCursor, ConnectLinkId, ConnectLinkOutcome, ConnectLinkRecord, ConnectLinkStart,
    ConnectLinks, Page, Result,
};

impl MemoryStore {
    fn connect_link_where(&self, is_it: impl Fn(&ConnectLinkRecord) -> bool) -> Option<ConnectLinkRecord> {
        self.lock().connect_links.iter().find(|link| is_it(link)).cloned()
    }
}

#[async_trait]
impl ConnectLinks for MemoryStore {
    async fn put_connect_link(&self, link: &ConnectLinkRecord, most: u32, audit: &AuditRecord) -> Result<bool> {
        let mut state = self.lock();
        state.check_ours()?;
        if state.connect_links.iter().any(|other| other.id == link.id || other.token_digest == link.token_digest) {
            return there_already("connect link");
        }
        let is_open = |other: &&ConnectLinkRecord| {
            other.tenant == link.tenant && other.ended_at.is_none() && other.expires_at > link.created_at
        };
        if u32::try_from(state.connect_links.iter().filter(is_open).count()).is_ok_and(|open| open < most) {
            state.connect_links.push(link.clone());
            state.audit.push(audit.clone());
            return Ok(true);
        }
        Ok(false)
    }

    async fn connect_link(&self, tenant: &str, id: &ConnectLinkId) -> Result<Option<ConnectLinkRecord>> {
        Ok(self.connect_link_where(|link| link.id == *id && link.tenant == tenant))
    }

    async fn connect_links_page(
        &self,
        tenant: &str,
        after: Option<ConnectLinkCursor>,
        limit: u32,
    ) -> Result<Page<ConnectLinkRecord, ConnectLinkCursor>> {
        let state = self.lock();
        let behind = |link: &&ConnectLinkRecord| after.as_ref().is_none_or(|after| link.id < *after.id());
        let theirs = state.connect_links.iter().filter(|link| link.tenant == tenant);
        let mut found: Vec<_> = theirs.filter(behind).cloned().collect();
        found.sort_by(|a, b| b.id.cmp(&a.id));
        Ok(Page::of(found, limit, |last, _| last.cursor()))
    }

    async fn connect_link_by_token(&self, token_digest: &str) -> Result<Option<ConnectLinkRecord>> {
        Ok(self.connect_link_where(|link| link.token_digest == token_digest))
    }

    async fn connect_link_of_browser(
        &self,
        id: &ConnectLinkId,
        browser_digest: &str,
    ) -> Result<Option<ConnectLinkRecord>> {
        Ok(self.connect_link_where(|link| link.id == *id && link.browser_digest.as_deref() == Some(browser_digest)))
    }

    async fn connect_link_by_state(&self, state_digest: &str) -> Result<Option<ConnectLinkRecord>> {
        Ok(self.connect_link_where(|link| link.state_digest.as_deref() == Some(state_digest)))
    }

    async fn start_connect_link(&self, start: &ConnectLinkStart) -> Result<bool> {
        let mut state = self.lock();
        state.check_ours()?;
        let mut links = state.connect_links.iter_mut();
        let may = |link: &ConnectLinkRecord| link.may_start(Some(&start.browser_digest), start.now);
        let Some(link) = links.find(|link| link.id == start.id && may(link)) else { return Ok(false) };
        link.browser_digest = Some(start.browser_digest.clone());
        link.outcome = None;
        let before = link.state_digest.replace(start.state_digest.clone());
        if let Some(before) = before {
            state.flows.remove(&before);
        }
        Ok(true)
    }

    async fn end_connect_link(&self, state_digest: &str, outcome: &ConnectLinkOutcome, now: Timestamp) -> Result<bool> {
        let mut state = self.lock();
        let mut links = state.connect_links.iter_mut();
        let is_it = |link: &&mut ConnectLinkRecord| {
            let begins = matches!(outcome, ConnectLinkOutcome::Completing { .. });
            let fits = link.outcome.is_none() || !begins;
            link.state_digest.as_deref() == Some(state_digest) && link.ended_at.is_none() && fits
        };
        let Some(link) = links.find(is_it) else { return Ok(false) };
        link.outcome = Some(outcome.clone());
        link.ended_at = outcome.is_final().then_some(now);
        Ok(true)
    }

    async fn cancel_connect_link(
        &self,
        tenant: &str,
        id: &ConnectLinkId,
        now: Timestamp,
        audit: &AuditRecord,
    ) -> Result<bool> {
        let mut state = self.lock();
        state.check_ours()?;
        let mut links = state.connect_links.iter_mut();
        let Some(link) = links.find(|link| link.id == *id && link.tenant == tenant && link.may_end(now)) else {
            return Ok(false);
        };
        (link.outcome, link.ended_at) = (Some(ConnectLinkOutcome::Cancelled), Some(now));
        if let Some(begun) = link.state_digest.clone() {
            state.flows.remove(&begun);
        }
        state.audit.push(audit.clone());
        Ok(true)
    }

    async fn prune_connect_links(&self, expired_at: Timestamp) -> Result<u64> {
        let mut state = self.lock();
        let before = state.connect_links.len();
        state.connect_links.retain(|link| link.expires_at > expired_at);
        Ok(u64::try_from(before - state.connect_links.len()).unwrap_or(u64::MAX))
    }
}
