//! A local stand-in for TikTok's Login Kit and user info API, faithful on the wire.
//!
//! Consent page, API and admin routes share one origin on loopback. Where TikTok's behaviour is not settled, a switch decides
//! (`POST /admin/switches`); the defaults are what its documentation says and what has been seen. State persists without anything that
//! could be used as a token.

mod admin;
mod admin_people;
mod answers;
mod apps;
mod authorize;
mod call;
mod consent;
mod derive;
mod fault;
mod fields;
mod grants;
mod home;
mod limit;
mod openapi;
mod page;
mod people;
mod record;
mod redirect;
mod revoke;
mod routes;
mod serve;
mod state;
mod switches;
mod token;
mod user_info;
mod walk;
mod world;

use async_trait::async_trait;
use connector_core::emulator::{Consent, Emulator, RunningEmulator, StartEmulator, Tour, TourPerson};
use connector_core::{Context, Result, Scope};
use url::Url;

/// TikTok's stand-in.
#[derive(Clone, Copy, Debug, Default)]
pub struct TikTokEmulator;

#[async_trait]
impl Emulator for TikTokEmulator {
    async fn start(&self, options: StartEmulator) -> Result<RunningEmulator> {
        serve::start(options).await
    }

    async fn consent(&self, cx: &Context, authorize_url: &Url, consent: &Consent) -> Result<Url> {
        walk::walk(cx, authorize_url, consent).await
    }

    fn tour(&self) -> Option<Tour> {
        let person = |name: &str, unticked: &[&str]| TourPerson { name: name.to_owned(), unticked: scopes(unticked) };
        Some(Tour {
            narrow_scopes: scopes(&["user.info.basic", "video.upload", "video.publish", "video.list"]),
            people: vec![person("mira", &[]), person("nova", &[]), person("linnea", &["user.info.stats"])],
        })
    }
}

fn scopes(names: &[&str]) -> Vec<Scope> {
    names.iter().filter_map(|name| name.parse().ok()).collect()
}
