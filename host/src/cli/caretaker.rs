//! What `serve` tells admins of its configuration and installation.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::doctor::installation;
use super::output::Output;
use super::setup::Setup;
use crate::doctor::{Report, examine};
use crate::pages::Upkeep;
use crate::reload::Reloader;

/// Knows the options that this process began with, and what it read since.
pub(super) struct Caretaker {
    pub(super) setup: Setup,
    pub(super) reloader: Arc<Reloader>,
    pub(super) output: Output,
}

impl fmt::Debug for Caretaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caretaker").finish_non_exhaustive()
    }
}

#[async_trait]
impl Upkeep for Caretaker {
    fn layers(&self) -> Vec<String> {
        self.reloader.shown().layers
    }

    fn mistakes(&self) -> Vec<String> {
        let refused = self.reloader.shown().refused;
        refused.into_iter().flat_map(|refused| refused.problems).map(|mistake| mistake.to_string()).collect()
    }

    async fn examine(&self) -> Result<Report, String> {
        let installation = installation(&self.setup, true, self.output).await;
        Ok(examine(&installation.map_err(|error| error.to_string())?).await)
    }
}
