//! Lists of platforms, scopes and findings as Markdown, for the docs of whoever runs a host: what they say follows from the connectors that are linked
//! and the configuration, so nobody keeps them true by hand.
//!
//! In a file such a list is a block between two lines, `<!-- generated: NAME -->` and `<!-- /generated -->`. The names are `platforms`,
//! `scopes`, `scopes ID` for one platform, and `findings` for what `doctor` can find.

mod tables;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::Path;

use connector_core::config::Settings;
use connector_core::{PlatformId, Registry};

#[cfg(feature = "web")]
pub(crate) use self::tables::unlocked;

const BEGIN: (&str, &str) = ("<!-- generated: ", " -->");
const END: &str = "<!-- /generated -->";

/// The lists that a registry and a configuration give.
#[derive(Clone, Copy, Debug)]
pub struct Docs<'a> {
    registry: &'a Registry,
    settings: &'a Settings,
    beside: Option<&'a Path>,
}

/// A text whose blocks are fresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refreshed {
    /// The whole text.
    pub text: String,
    /// The blocks in it.
    pub blocks: Vec<String>,
    /// Those that said something else.
    pub stale: Vec<String>,
}

/// What is wrong with the blocks of a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocsError {
    /// A block that nothing is known for.
    #[error("line {line}: there is no list `{name}`: use one of {known}")]
    Unknown {
        /// Where it begins.
        line: usize,
        /// What it is called.
        name: String,
        /// What there is.
        known: String,
    },
    /// A block without an end before the next one, or the end of the text.
    #[error("line {line}: the block `{name}` does not end: put a line `{END}` after it")]
    Open {
        /// Where it begins.
        line: usize,
        /// What it is called.
        name: String,
    },
}

/// A block of a text.
struct Block {
    name: String,
    line: usize,
    /// What stands between its two lines.
    inside: Range<usize>,
}

impl<'a> Docs<'a> {
    /// The lists of these.
    pub fn new(registry: &'a Registry, settings: &'a Settings) -> Self {
        Self { registry, settings, beside: None }
    }

    /// The same for a file of this directory: a connector that has a folder in `connectors/` there is a link to it.
    pub fn beside(self, dir: &'a Path) -> Self {
        Self { beside: Some(dir), ..self }
    }

    /// The names of the lists there are.
    pub fn names(&self) -> Vec<String> {
        let linked = self.registry.iter().map(connector_core::Linked::id);
        let mut ids: Vec<&PlatformId> = linked.chain(self.settings.platforms.keys()).collect();
        ids.sort();
        ids.dedup();
        let each = ids.into_iter().map(|id| format!("scopes {id}"));
        ["platforms", "scopes"].map(str::to_owned).into_iter().chain(each).chain(["findings".to_owned()]).collect()
    }

    /// One list, if there is one of this name.
    pub fn list(&self, name: &str) -> Option<String> {
        match name {
            "findings" => Some(tables::findings()),
            "platforms" => Some(tables::platforms(self.registry, self.settings, self.beside)),
            "scopes" => Some(tables::scopes(self.registry, self.settings, |_| true)),
            _ => {
                let id = name.strip_prefix("scopes ").filter(|_| self.names().iter().any(|known| known == name))?;
                Some(tables::scopes(self.registry, self.settings, |platform| platform.as_str() == id))
            }
        }
    }

    /// One list between its two lines.
    pub fn block(&self, name: &str) -> Option<String> {
        Some(format!("{}{name}{}\n{}{END}\n", BEGIN.0, BEGIN.1, self.list(name)?))
    }

    /// A text with every block in it written anew. What stands around them is untouched.
    ///
    /// # Errors
    /// A block that has no end, or a name that no list has.
    pub fn refresh(&self, text: &str) -> Result<Refreshed, DocsError> {
        let all = blocks(text)?;
        let mut fresh = Refreshed { text: text.to_owned(), blocks: Vec::new(), stale: Vec::new() };
        // From the end, so that what is found stays where it is.
        for Block { name, line, inside } in all.into_iter().rev() {
            let unknown = || DocsError::Unknown { line, name: name.clone(), known: self.names().join(", ") };
            let list = as_written(text, self.list(&name).ok_or_else(unknown)?);
            if text[inside.clone()] != list {
                fresh.text.replace_range(inside, &list);
                fresh.stale.insert(0, name.clone());
            }
            fresh.blocks.insert(0, name);
        }
        Ok(fresh)
    }
}

/// The list with the line ends of the text it goes into.
fn as_written(text: &str, list: String) -> String {
    if text.contains("\r\n") { list.replace('\n', "\r\n") } else { list }
}

/// The blocks of a text, in order. Each of the two lines stands for itself: words about them in a sentence are none.
fn blocks(text: &str) -> Result<Vec<Block>, DocsError> {
    let (mut all, mut open, mut at) = (Vec::new(), None::<Block>, 0);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let (start, trimmed) = (at, line.trim());
        at += line.len();
        let name = trimmed.strip_prefix(BEGIN.0).and_then(|rest| rest.strip_suffix(BEGIN.1));
        match (name, open.take()) {
            (Some(_), Some(Block { name, line, .. })) => return Err(DocsError::Open { line, name }),
            (Some(name), None) => open = Some(Block { name: name.trim().to_owned(), line: index + 1, inside: at..at }),
            (None, Some(block)) if trimmed == END => all.push(Block { inside: block.inside.start..start, ..block }),
            (None, block) => open = block,
        }
    }
    match open {
        Some(Block { name, line, .. }) => Err(DocsError::Open { line, name }),
        None => Ok(all),
    }
}
