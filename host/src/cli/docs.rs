//! The lists of platforms and scopes for the docs: printed, or kept fresh in files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::args::Docs as Args;
use super::exit::Exit;
use super::output::Output;
use super::setup::Setup;
use crate::docs::{Docs, Refreshed};
use crate::error::{Error, Result};
use crate::shell;

/// What is looked for in a directory, and what is left out there.
const KIND: &str = "md";
const BUILT: [&str; 2] = ["target", "node_modules"];

/// A file with blocks, as it would be.
struct File {
    path: PathBuf,
    fresh: Refreshed,
}

pub(super) fn run(setup: &Setup, args: &Args, output: Output) -> Result<Exit> {
    let config = setup.config(output)?;
    let docs = Docs::new(&setup.registry, &config.settings);
    let paths = paths(args)?;
    if paths.is_empty() && args.dir.is_none() {
        if args.check {
            return Err(Error::Request("name what to check: files, or a directory with --dir".to_owned()));
        }
        print(&docs, output);
        return Ok(Exit::Done);
    }
    let files = paths.into_iter().map(|path| file(docs, path)).collect::<Result<Vec<_>>>()?;
    let files: Vec<File> = files.into_iter().filter(|file| !file.fresh.blocks.is_empty()).collect();
    without_blocks(args, &files)?;
    let stale: Vec<&File> = files.iter().filter(|file| !file.fresh.stale.is_empty()).collect();
    if !args.check {
        stale.iter().try_for_each(|file| write(file))?;
    }
    tell(setup, args, &files, output);
    Ok(if args.check && !stale.is_empty() { Exit::Failed } else { Exit::Done })
}

fn print(docs: &Docs<'_>, output: Output) {
    let names = docs.names();
    let all: BTreeMap<&str, String> = names.iter().filter_map(|name| Some((name.as_str(), docs.list(name)?))).collect();
    output.either(&all, || names.iter().filter_map(|name| docs.block(name)).collect::<Vec<_>>().join("\n"));
}

/// The files that were named, and those of the directory.
fn paths(Args { files, dir, .. }: &Args) -> Result<Vec<PathBuf>> {
    let mut all = files.clone();
    if let Some(dir) = dir {
        search(dir, &mut all).map_err(|error| Error::Machine(format!("{} cannot be read: {error}", dir.display())))?;
    }
    Ok(all)
}

/// Nothing that is hidden or built is searched, and no link is followed.
fn search(dir: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries = fs::read_dir(dir)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind, name) = (entry.path(), entry.file_type()?, entry.file_name());
        let name = name.to_string_lossy();
        if kind.is_dir() && !name.starts_with('.') && !BUILT.contains(&name.as_ref()) {
            search(&path, found)?;
        } else if kind.is_file() && path.extension().is_some_and(|kind| kind == KIND) {
            found.push(path);
        }
    }
    Ok(())
}

fn file(docs: Docs<'_>, path: PathBuf) -> Result<File> {
    let text = fs::read_to_string(&path);
    let text = text.map_err(|error| Error::Machine(format!("{} cannot be read: {error}", path.display())))?;
    let dir = path.parent().unwrap_or(Path::new("")).to_owned();
    let fresh = docs.beside(&dir).refresh(&text);
    let fresh = fresh.map_err(|error| Error::Request(format!("{}: {error}", path.display())))?;
    Ok(File { path, fresh })
}

/// Whoever names a file expects a block in it, and whoever names a directory one in any file.
fn without_blocks(Args { files: named, dir, .. }: &Args, files: &[File]) -> Result<()> {
    let without = named.iter().find(|path| !files.iter().any(|file| file.path == **path));
    match without.or(dir.as_ref().filter(|_| files.is_empty())) {
        None => Ok(()),
        Some(path) => Err(Error::Request(format!(
            "{} has no block: put the lines `<!-- generated: scopes -->` and `<!-- /generated -->` where the list is to stand; `connector-host docs` prints all there are",
            path.display()
        ))),
    }
}

fn write(File { path, fresh }: &File) -> Result<()> {
    fs::write(path, &fresh.text)
        .map_err(|error| Error::Machine(format!("{} cannot be written: {error}", path.display())))
}

fn tell(setup: &Setup, args: &Args, files: &[File], output: Output) {
    let row = |File { path, fresh }: &File| -> Value {
        json!({ "file": path.display().to_string(), "blocks": fresh.blocks, "stale": fresh.stale })
    };
    let data = json!({ "written": !args.check, "files": files.iter().map(row).collect::<Vec<_>>() });
    let stale = files.iter().flat_map(|file| file.fresh.stale.iter().map(move |name| (file, name)));
    let lines: Vec<String> = stale
        .map(|(File { path, .. }, name)| {
            let then = if args.check { stale_until(setup, path) } else { "is written anew".to_owned() };
            format!("{}: the block `{name}` {then}", path.display())
        })
        .collect();
    let fresh = || format!("Every block is fresh, in {} files.", files.len());
    output.either(&data, || if lines.is_empty() { fresh() } else { lines.join("\n") });
}

/// What to do about a file with a stale block.
fn stale_until(setup: &Setup, path: &Path) -> String {
    let file = shell::path(path);
    format!("is stale: `connector-host{} docs {file}` writes it anew", setup.file_options())
}
