//! A connector under test, with an app and grants whose secrets are easy to find again.

use std::collections::BTreeSet;
use std::sync::Arc;

use connector_core::account::Session;
use connector_core::app::{App, AppKind, Pkce};
use connector_core::config::{Config, Layer, PlatformSettings, Target};
use connector_core::grant::{Grant, TokenSet};
use connector_core::metrics::AccountMetrics;
use connector_core::oauth::{BeginRequest, NextStep, PendingFlow, Purpose};
use connector_core::platform::{AuthorizeFacts, OAuthFacts, PortRule, RedirectRule, RevokeFacts, TokenFacts};
use connector_core::scope::{GrantScopes, Granted, GrantedSource};
use connector_core::{Connector, Context, Linked, Registry, Result, Scope, ScopeSet, Secret};
use connector_tests::lantern;
use url::Url;

use crate::verdict::{Stop, offered};

/// In every secret of a subject, and nowhere else.
pub(crate) const CANARY: &str = "c4n4ry";
pub(crate) const CLIENT_ID: &str = "client+7&of=9%";
pub(crate) const CLIENT_SECRET: &str = "s+e&c=r%e*t!-c4n4ry";
pub(crate) const CODE: &str = "co+d&e=%2F-c4n4ry-Zm9vYmFyYmF6cXV4*1!4608/.va";
pub(crate) const ACCESS: &str = "act.c4n4ry-Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6";
pub(crate) const REFRESH: &str = "rft+&=%*!.c4n4ry-Zm9vYmFyYmF6cXV4Zm9vYmFy";
/// Whoever granted.
pub(crate) const PERSON: &str = "-000person";

/// A connector under test.
pub(crate) struct Subject {
    pub(crate) linked: Linked,
    pub(crate) settings: PlatformSettings,
    pub(crate) connector: Arc<dyn Connector>,
}

/// Every linked connector with what the configuration says of its platform.
pub(crate) fn subjects() -> Result<Vec<Subject>> {
    let shipped =
        Layer::embedded("config/social-platforms.toml", include_str!("../../../config/social-platforms.toml"))?;
    let config = Config::of(vec![shipped, Layer::embedded("tests/lantern/platforms.toml", lantern::CONFIG)?])?;
    let subject = |linked: &Linked| {
        let settings = config.settings.platform(linked.id())?.clone();
        let connector = linked.build(Arc::clone(&settings.catalogue));
        settings.app("default")?;
        Ok(Subject { linked: linked.clone(), settings, connector })
    };
    Registry::linked()?.iter().map(subject).collect()
}

impl Subject {
    pub(crate) fn oauth(&self) -> &OAuthFacts {
        &self.linked.protocol().oauth
    }

    pub(crate) fn authorize(&self) -> Result<&AuthorizeFacts, Stop> {
        offered(self.oauth().authorize.as_ref(), "its platform.toml describes no authorization endpoint")
    }

    pub(crate) fn token(&self) -> Result<&TokenFacts, Stop> {
        offered(self.oauth().token.as_ref(), "its platform.toml describes no token endpoint")
    }

    pub(crate) fn revoke(&self) -> Result<&RevokeFacts, Stop> {
        offered(self.oauth().revoke.as_ref(), "its platform.toml describes no revocation")
    }

    pub(crate) fn metrics(&self) -> Result<&dyn AccountMetrics, Stop> {
        offered(self.connector.account_metrics(), "it offers no account metrics")
    }

    /// The endpoint of its metrics.
    pub(crate) fn metrics_endpoint(&self) -> Result<&str, Stop> {
        let facts = self.linked.protocol().account_metrics.as_ref();
        offered(facts.map(|facts| facts.endpoint.as_str()), "its platform.toml describes no [account_metrics]")
    }

    /// The endpoint of its accounts.
    pub(crate) fn accounts_endpoint(&self) -> Result<&str, Stop> {
        let facts = self.linked.protocol().accounts.as_ref();
        offered(facts.map(|facts| facts.endpoint.as_str()), "its platform.toml describes no [accounts]")
    }

    /// The scopes that unlock a count at the metrics endpoint.
    pub(crate) fn counting_scopes(&self) -> Result<BTreeSet<Scope>, Stop> {
        let fields = self.settings.catalogue.fields(self.metrics_endpoint()?);
        Ok(fields
            .filter(|(_, _, target)| !matches!(target, Target::Profile(_)))
            .map(|(scope, ..)| scope.clone())
            .collect())
    }

    /// How PKCE is done where the app does not say.
    pub(crate) fn pkce(&self) -> Pkce {
        self.oauth().pkce.unwrap_or(Pkce::Base64url)
    }

    /// The configured app, with credentials of the test's own.
    pub(crate) fn app(&self) -> App {
        let settings = &self.settings.apps["default"];
        App {
            name: "default".to_owned(),
            client_id: CLIENT_ID.to_owned(),
            client_secret: Some(Secret::from(CLIENT_SECRET)),
            kind: settings.kind,
            redirect_uri: None,
            pkce: None,
            wanted: settings.wanted.clone(),
            base_urls: self.linked.protocol().base_urls.clone(),
        }
    }

    /// The rule for the redirect URIs of a kind of app.
    pub(crate) fn redirect_rule(&self, kind: AppKind) -> Option<&RedirectRule> {
        let facts = &self.linked.protocol().redirect;
        match kind {
            AppKind::Desktop => facts.desktop.as_ref(),
            AppKind::Web => facts.web.as_ref(),
        }
    }

    /// A redirect URI that the platform takes.
    pub(crate) fn redirect_uri(&self, kind: AppKind) -> Result<Url, Stop> {
        let rule = offered(
            self.redirect_rule(kind),
            "its platform.toml has no redirect rule for the kind of the configured app",
        )?;
        let host = rule
            .hosts
            .iter()
            .find(|host| *host == "127.0.0.1")
            .or(rule.hosts.first())
            .map_or("app.example", String::as_str);
        let port = if rule.port == PortRule::Required || !rule.hosts.is_empty() { ":5000" } else { "" };
        let scheme = rule.schemes.first().ok_or("a redirect rule without schemes")?;
        Ok(format!("{scheme}://{host}{port}/callback").parse()?)
    }

    /// A request for everything the app wants.
    pub(crate) fn request(&self, purpose: Purpose) -> Result<BeginRequest, Stop> {
        let app = self.app();
        Ok(BeginRequest { redirect_uri: self.redirect_uri(app.kind)?, scopes: app.wanted.requested(), purpose })
    }

    /// Starts a flow.
    pub(crate) async fn begin(&self, cx: &Context, app: &App, purpose: Purpose) -> Result<(Url, PendingFlow), Stop> {
        let begun = self.connector.oauth().begin(cx, app, &self.request(purpose)?).await?;
        match begun.next {
            NextStep::Redirect(url) => Ok((url, begun.pending)),
            _ => Err(Stop::Skipped("its flow does not begin with a redirect")),
        }
    }

    /// A grant of everything wanted.
    pub(crate) fn grant(&self) -> Grant {
        let wanted: ScopeSet = self.app().wanted.requested().into_iter().collect();
        self.grant_of(wanted.clone(), wanted)
    }

    /// A grant for which these scopes were asked and these given.
    pub(crate) fn grant_of(&self, requested: ScopeSet, granted: ScopeSet) -> Grant {
        Grant {
            tokens: TokenSet {
                access: ACCESS.into(),
                access_expires_at: None,
                refresh: Some(REFRESH.into()),
                refresh_expires_at: None,
            },
            scopes: GrantScopes::of_flow(requested, Granted::Known { scopes: granted, source: GrantedSource::Token }),
            subject: Some(PERSON.to_owned()),
            base_urls: self.app().base_urls,
        }
    }

    /// The app with a grant.
    pub(crate) fn session(&self, grant: Grant) -> Session {
        Session { app: self.app(), grant }
    }
}
