//! A local stand-in for Lantern: consent page and API on one origin. It has no admin routes.

mod api;
mod authorize;
mod client;
mod fault;
mod people;
mod serve;
mod state;
mod token;
mod walk;
mod world;

use async_trait::async_trait;
use connector_core::emulator::{Consent, Emulator, RunningEmulator, StartEmulator, Tour, TourPerson};
use connector_core::{Context, Result, Scope};
use url::Url;

/// Lantern's stand-in.
#[derive(Clone, Copy, Debug, Default)]
pub struct LanternEmulator;

#[async_trait]
impl Emulator for LanternEmulator {
    async fn start(&self, options: StartEmulator) -> Result<RunningEmulator> {
        serve::start(options).await
    }

    async fn consent(&self, cx: &Context, authorize_url: &Url, consent: &Consent) -> Result<Url> {
        walk::walk(cx, authorize_url, consent).await
    }

    fn tour(&self) -> Option<Tour> {
        let person = |name: &str, unticked: &[&str]| TourPerson { name: name.to_owned(), unticked: scopes(unticked) };
        Some(Tour {
            narrow_scopes: scopes(&["profile:read", "posts:write"]),
            people: vec![person("ada", &[]), person("cleo", &["audience:read"])],
        })
    }
}

fn scopes(names: &[&str]) -> Vec<Scope> {
    names.iter().filter_map(|name| name.parse().ok()).collect()
}
