//! Who keeps an installation, as far as the pages for admins ask.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::doctor::Report;

/// What a program knows about its own configuration and installation.
#[async_trait]
pub trait Upkeep: Debug + Send + Sync {
    /// The layers of the configuration in force, the lowest first.
    fn layers(&self) -> Vec<String>;

    /// What is wrong in the files now, each with its place, so that the configuration before stays in force. Nothing where they are right.
    fn mistakes(&self) -> Vec<String>;

    /// What keeps the installation from working, or soon may. Nothing leaves this machine for it.
    ///
    /// # Errors
    /// Why nobody can look, in words.
    async fn examine(&self) -> Result<Report, String>;
}
