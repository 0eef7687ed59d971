//! Making a link.

use connector_core::app::{App, PlatformId};
use connector_core::oauth::Purpose;
use connector_core::{Scope, Secret};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use url::Url;

use super::{KEPT_FOR, LONGEST_CONNECT_LINK_LIFE, MOST_OPEN, Site};
use crate::error::{Error, Result};
use crate::flow::authorize_url;
use crate::host::Host;
use crate::store::{AuditRecord, ConnectLinkId, ConnectLinkRecord, ConnectionId, StoreError};

/// A link that is to be made.
#[derive(Clone, Debug)]
pub struct NewConnectLink {
    /// Whose connection it will be.
    pub tenant: String,
    /// The platform.
    pub platform: PlatformId,
    /// The app's name.
    pub app: String,
    /// The product's own id for the connection.
    pub reference: Option<String>,
    /// The connection that is to be renewed, if it is one.
    pub reconnects: Option<ConnectionId>,
    /// Where the browser goes in the end, with what became of it. Without it the person stays on a page of this host.
    pub return_url: Option<String>,
    /// How long it is good.
    pub life: SignedDuration,
}

/// What a link would do.
#[derive(Clone, Debug)]
pub struct ConnectLinkPlan {
    /// The scopes it would ask for, in order.
    pub requested: Vec<Scope>,
    /// Where the platform would send the browser back to. It has to be registered there.
    pub redirect_uri: Url,
    /// When it would end.
    pub expires_at: Timestamp,
}

impl Host {
    /// What a link would do. Nothing is stored.
    ///
    /// # Errors
    /// When the app cannot be used or the platform would refuse the redirect URI; an address to return to that the operator did not name;
    /// a connection there is not; a life that is none or too long.
    pub async fn plan_connect_link(&self, site: &Site, new: &NewConnectLink) -> Result<ConnectLinkPlan> {
        let expires_at = self.link_expiry(new.life)?;
        new.return_url.as_deref().map(|text| site.return_urls().check(text)).transpose()?;
        if let Some(id) = &new.reconnects {
            self.connection(&new.tenant, id).await?;
        }
        let app = self.app_for(&new.tenant, new.platform.as_str(), &new.app)?;
        let redirect_uri = self.link_redirect_uri(site, &new.platform, &app, new.reconnects.is_some()).await?;
        Ok(ConnectLinkPlan { requested: app.wanted.requested(), redirect_uri, expires_at })
    }

    /// Makes a link for one person. Its token exists in the result alone, as part of its address: the store keeps a digest.
    ///
    /// # Errors
    /// As [`plan_connect_link`](Self::plan_connect_link); a tenant with ten thousand links that have not ended; a store that is another instance's or cannot be written.
    pub async fn create_connect_link(&self, site: &Site, new: NewConnectLink) -> Result<(ConnectLinkRecord, Secret)> {
        let return_url = new.return_url.clone();
        self.make_connect_link(site, new, return_url).await
    }

    /// The same for a person who has signed in to this host, whose browser comes back to a page of it.
    #[cfg(feature = "web")]
    pub(crate) async fn create_own_link(
        &self,
        site: &Site,
        new: NewConnectLink,
        back: &Url,
    ) -> Result<ConnectLinkRecord> {
        let (link, _) = self.make_connect_link(site, new, Some(back.to_string())).await?;
        Ok(link)
    }

    async fn make_connect_link(
        &self,
        site: &Site,
        new: NewConnectLink,
        return_url: Option<String>,
    ) -> Result<(ConnectLinkRecord, Secret)> {
        let host = self.pinned();
        let plan = host.plan_connect_link(site, &new).await?;
        let (cx, token) = (host.context(), host.context().random_token()?);
        let link = ConnectLinkRecord {
            id: ConnectLinkId::new(cx)?,
            token_digest: token.digest(),
            tenant: new.tenant,
            platform: new.platform,
            app: new.app,
            reference: new.reference,
            reconnects: new.reconnects,
            return_url,
            created_at: cx.now(),
            expires_at: plan.expires_at,
            browser_digest: None,
            state_digest: None,
            outcome: None,
            ended_at: None,
        };
        host.store().prune_connect_links(cx.now().saturating_sub(KEPT_FOR).unwrap_or_default()).await?;
        let record = host.link_audit("connect_link_created", &link)?;
        if !host.store().put_connect_link(&link, MOST_OPEN, &record).await? {
            return Err(Error::TooManyLinks(MOST_OPEN));
        }
        Ok((link, Secret::from(site.link(&token).as_str())))
    }

    /// A link of a tenant.
    ///
    /// # Errors
    /// One there is not; a store that cannot be read.
    pub async fn connect_link(&self, tenant: &str, id: &ConnectLinkId) -> Result<ConnectLinkRecord> {
        let link = self.store().connect_link(tenant, id).await?;
        Ok(link.ok_or_else(|| StoreError::NotFound { what: "connect link", id: id.to_string() })?)
    }

    /// Takes a link back. False when there was nothing more to take back.
    ///
    /// # Errors
    /// A link there is not; a store that is another instance's or cannot be written.
    pub async fn cancel_connect_link(&self, tenant: &str, id: &ConnectLinkId) -> Result<bool> {
        let link = self.connect_link(tenant, id).await?;
        let record = self.link_audit("connect_link_cancelled", &link)?;
        Ok(self.store().cancel_connect_link(tenant, id, self.context().now(), &record).await?)
    }

    /// The redirect URI of flows that begin with a link, which the platform would take.
    pub(super) async fn link_redirect_uri(
        &self,
        site: &Site,
        platform: &PlatformId,
        app: &App,
        renews: bool,
    ) -> Result<Url> {
        let redirect_uri = site.redirect_uri(platform, app)?;
        let purpose = if renews { Purpose::Reauthorize } else { Purpose::Connect };
        let connector = &self.platform(platform.as_str())?.connector;
        authorize_url(self.context(), connector.as_ref(), app, redirect_uri.clone(), purpose).await?;
        Ok(redirect_uri)
    }

    fn link_expiry(&self, life: SignedDuration) -> Result<Timestamp> {
        if life <= SignedDuration::ZERO || life > LONGEST_CONNECT_LINK_LIFE {
            return Err(Error::Request(format!(
                "a connect link is good for up to {} days, and at least a moment",
                LONGEST_CONNECT_LINK_LIFE.as_hours() / 24
            )));
        }
        let now = self.context().now();
        Ok(now.saturating_add(life).unwrap_or(now))
    }

    fn link_audit(&self, event: &str, link: &ConnectLinkRecord) -> Result<AuditRecord> {
        let detail = json!({
            "link": link.id.as_str(), "platform": link.platform.as_str(), "app": link.app,
            "renews": link.reconnects.as_ref().map(ConnectionId::as_str),
        });
        Ok(AuditRecord::new(self.context(), &link.tenant, event)?.with(&detail).by(self.actor()))
    }
}
