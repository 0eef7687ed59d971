//! The apps registered here, one for each situation a real app can be in.

use connector_core::emulator::EmulatedApp;
use connector_core::{AppKind, Secret};

use super::derive::{self, LOWER, MIXED};
use super::switches::Switches;

pub(super) const BASIC: &str = "user.info.basic";

const ALL: &[&str] = &[BASIC, "user.info.profile", "user.info.stats", "video.list", "video.publish", "video.upload"];

/// An app, as it would stand in TikTok's developer portal.
#[derive(Debug)]
pub(super) struct RegisteredApp {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) kind: AppKind,
    pub(super) client_key: String,
    pub(super) client_secret: Secret,
    /// Whether TikTok has reviewed it. Before that every authorization is refused.
    pub(super) reviewed: bool,
    /// The only people who may consent, for an app in TikTok's sandbox mode.
    pub(super) targets: Option<&'static [&'static str]>,
    holds: &'static [&'static str],
}

impl RegisteredApp {
    /// Whether the scope was added to the app. Scopes that a test adds are held by every app that holds all of TikTok's.
    pub(super) fn holds(&self, scope: &str, switches: &Switches) -> bool {
        self.holds.contains(&scope) || (self.holds.len() == ALL.len() && switches.extra_scopes.contains(scope))
    }

    /// Everything it holds.
    pub(super) fn scopes(&self, switches: &Switches) -> Vec<String> {
        let own = self.holds.iter().map(|scope| (*scope).to_owned());
        own.chain(switches.extra_scopes.iter().filter(|scope| self.holds(scope, switches)).cloned()).collect()
    }

    /// Whether this person may consent to it.
    pub(super) fn admits(&self, person: &str) -> bool {
        self.targets.is_none_or(|targets| targets.contains(&person))
    }

    pub(super) fn info(&self) -> EmulatedApp {
        EmulatedApp {
            name: self.name.to_owned(),
            kind: self.kind,
            client_id: self.client_key.clone(),
            client_secret: self.client_secret.clone(),
        }
    }
}

/// All of them. Keys and secrets are the same in every run and protect nothing.
pub(super) fn registered() -> Vec<RegisteredApp> {
    let app = |name, kind, about| RegisteredApp {
        name,
        about,
        kind,
        client_key: format!("aw{}", derive::text(LOWER, &["client_key", name], 14)),
        client_secret: Secret::new(derive::text(MIXED, &["client_secret", name], 32)),
        reviewed: true,
        targets: None,
        holds: ALL,
    };
    let sandbox = app("sandbox", AppKind::Desktop, "in TikTok's sandbox mode: only mira and jonas are target users");
    vec![
        app("desktop", AppKind::Desktop, "reviewed, holds all six scopes, redirects to loopback, PKCE required"),
        app("web", AppKind::Web, "reviewed, holds all six scopes, redirects to https, PKCE ignored"),
        RegisteredApp {
            reviewed: false,
            ..app("unreviewed", AppKind::Desktop, "not reviewed yet: every authorization is refused")
        },
        RegisteredApp { client_key: format!("sb{}", sandbox.client_key), targets: Some(&["mira", "jonas"]), ..sandbox },
        RegisteredApp {
            holds: &[BASIC],
            ..app("basic", AppKind::Desktop, "holds user.info.basic alone: asking for more is refused as a whole")
        },
    ]
}

/// What the consent page says a scope is for.
pub(super) fn describe(scope: &str) -> &str {
    match scope {
        BASIC => "Read your profile info: avatar and display name",
        "user.info.profile" => "Read your additional profile info: bio, profile link, username and verification",
        "user.info.stats" => "Read your engagement statistics: followers, following, likes and number of videos",
        "video.list" => "Read your public videos",
        "video.publish" => "Post content to your account",
        "video.upload" => "Share content to your account as a draft for you to edit and post",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_shapes_of_tiktoks() {
        for app in registered() {
            let (start, length) = if app.name == "sandbox" { ("sbaw", 18) } else { ("aw", 16) };
            assert!(app.client_key.starts_with(start) && app.client_key.len() == length, "{}", app.client_key);
        }
    }
}
