//! A person's way with a link.

use connector_core::Secret;
use connector_core::oauth::CallbackParams;
use url::Url;

use super::Site;
use crate::error::Result;
use crate::flow::{Asking, Callback, CameTo, Completed, ConnectRequest};
use crate::host::Host;
use crate::store::{ConnectLinkOutcome, ConnectLinkRecord, ConnectLinkStart};

impl Host {
    /// Begins a flow with a link, for the browser that has this of its own. `None` when the link is over, or another browser's.
    pub(crate) async fn start_link(
        &self,
        site: &Site,
        link: &ConnectLinkRecord,
        browser: &Secret,
        asking: Asking,
    ) -> Result<Option<Url>> {
        let host = self.pinned();
        if !link.may_start(Some(&browser.digest()), host.context().now()) {
            return Ok(None);
        }
        let app = host.app(link.platform.as_str(), &link.app)?;
        let started = host
            .connect(ConnectRequest {
                tenant: link.tenant.clone(),
                reference: link.reference.clone(),
                platform: link.platform.clone(),
                app: link.app.clone(),
                redirect_uri: site.redirect_uri(&link.platform, &app)?,
                reconnects: link.reconnects.clone(),
                initiator: browser.clone(),
                asking,
            })
            .await?;
        let start = ConnectLinkStart {
            id: link.id.clone(),
            browser_digest: browser.digest(),
            state_digest: started.state_digest,
            now: host.context().now(),
        };
        Ok(host.store().start_connect_link(&start).await?.then_some(started.authorize_url))
    }

    /// Ends the flow of a link with its callback, and keeps what became of it. `None` where the callback ended nothing, such as a second one:
    /// what became of the first one stays.
    ///
    /// # Errors
    /// When what became of it could not be kept.
    pub(crate) async fn complete_link(
        &self,
        link: &ConnectLinkRecord,
        params: CallbackParams,
        browser: Secret,
    ) -> Result<Option<ConnectLinkOutcome>> {
        let (host, link) = (self.pinned(), link.clone());
        // The person may close the window meanwhile.
        self.detached(async move {
            let came_to = CameTo::Path { platform: link.platform.clone(), app: link.app.clone() };
            let callback = Callback { came_to, params, initiator: browser, other_account_allowed: false };
            let (state, now) = (link.state_digest.as_deref().unwrap_or_default(), host.context().now());
            // Nothing else begins or ends with the link meanwhile. Another callback finds that this one is there.
            if !host.store().end_connect_link(state, &ConnectLinkOutcome::Completing { since: now }, now).await? {
                return Ok(None);
            }
            let completed = host.complete(callback).await;
            host.keep_outcome(&link, &completed).await
        })
        .await
    }

    async fn keep_outcome(
        &self,
        link: &ConnectLinkRecord,
        completed: &Result<Completed>,
    ) -> Result<Option<ConnectLinkOutcome>> {
        let outcome = ConnectLinkOutcome::of(completed);
        if let Err(error) = completed {
            tracing::info!(link = %link.id, %error, "nothing was connected with a link");
        }
        let state = link.state_digest.as_deref().unwrap_or_default();
        let kept = self.store().end_connect_link(state, &outcome, self.context().now()).await?;
        Ok(kept.then_some(outcome))
    }
}
