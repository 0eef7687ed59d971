//! What is required and what refers to what, checked when all layers lie over each other. Everything wrong is reported at once.

mod app;
mod catalogue;
mod target;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::file::{ConfigFile, PlatformFile};
use super::{Key, Origins, PlatformSettings, Problem, Problems, Settings};
use crate::Result;
use crate::app::PlatformId;
use crate::scope::Scope;

/// The settings a file holds, or everything that is wrong with it.
pub(super) fn check(file: &ConfigFile, origins: &Origins) -> Result<Settings, Problems> {
    let mut check = Check { origins, problems: Vec::new() };
    let platforms = file.platforms.iter().filter_map(|(id, platform)| check.platform(id, platform)).collect();
    if check.problems.is_empty() { Ok(Settings { platforms }) } else { Err(Problems(check.problems)) }
}

/// The problems found so far. What is wrong is left out of what is returned, and the search goes on.
struct Check<'a> {
    origins: &'a Origins,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn platform(&mut self, id: &str, file: &PlatformFile) -> Option<(PlatformId, PlatformSettings)> {
        let key = Key::of(["platforms", id]);
        let parsed = self.keep(&key, id.parse());
        let catalogue = self.catalogue(&key.child("scopes"), id, &file.scopes);
        let known: BTreeSet<&str> = file.scopes.keys().map(String::as_str).collect();
        let (mut apps, relations) = (BTreeMap::new(), Arc::new(catalogue.relations()));
        for (name, app) in &file.apps {
            if let Some(mut app) = self.app(&key, name, app, &known) {
                app.wanted.relations = Arc::clone(&relations);
                apps.insert(name.clone(), app);
            }
        }
        self.owners(&key, &apps);
        Some((parsed?, PlatformSettings { catalogue: Arc::new(catalogue), apps }))
    }

    fn problem(&mut self, key: &Key, message: impl Into<String>) {
        let problem = Problem { layer: self.origins.blame(key), key: key.clone(), message: message.into() };
        self.problems.push(problem);
    }

    /// What was read, or a problem and nothing.
    fn keep<T>(&mut self, key: &Key, read: Result<T>) -> Option<T> {
        read.map_err(|error| self.problem(key, error.message())).ok()
    }

    /// A list in which nothing is named twice.
    fn list<T: Ord + Clone>(&mut self, key: &Key, texts: &[String], read: impl Fn(&str) -> Result<T>) -> Vec<T> {
        let (mut list, mut seen) = (Vec::new(), BTreeSet::new());
        for text in texts {
            match self.keep(key, read(text)) {
                Some(item) if seen.insert(item.clone()) => list.push(item),
                Some(_) => self.problem(key, format!("`{}` is named twice", text.escape_debug())),
                None => {}
            }
        }
        list
    }

    fn scopes(&mut self, key: &Key, texts: &[String]) -> Vec<Scope> {
        self.list(key, texts, str::parse)
    }
}
