use std::path::Path;

use connector_core::Context;
use serde_json::{Value, json};

use super::args::{Vault as VaultArgs, VaultAction};
use super::exit::Exit;
use super::format;
use super::output::Output;
use super::setup::Setup;
use super::table::table;
use crate::error::{Error, Result};
use crate::store::Store;
use crate::vault::{KeyId, KeySource, KeyUse, Progress, Rotation, Standing, Vault};

/// After how many rows more it is said how far it has come.
const STEP: u64 = 1_000;

pub(super) async fn run(setup: &Setup, args: &VaultArgs, output: Output) -> Result<Exit> {
    let cx = Setup::context();
    let (store, vault, source) = setup.vault(&cx, output).await?;
    let live = !setup.global.emulator;
    let keys = Keys { cx: &cx, vault: &vault, store: store.as_ref(), source: &source, live, output };
    match &args.action {
        None | Some(VaultAction::Keys) => keys.show().await,
        Some(VaultAction::Rotate { to: Some(file), .. }) => keys.write(file),
        Some(VaultAction::Rotate { resume, to: None }) => keys.rotate(*resume).await,
        Some(VaultAction::Retire { key }) => keys.retire(*key).await,
    }
}

/// The keys of one store, and where what is done with them is said.
struct Keys<'a> {
    cx: &'a Context,
    vault: &'a Vault,
    store: &'a dyn Store,
    source: &'a KeySource,
    live: bool,
    output: Output,
}

impl Keys<'_> {
    fn rotation(&self) -> Rotation<'_> {
        Rotation::new(self.cx, self.vault, self.store)
    }

    async fn show(&self) -> Result<Exit> {
        let keys = self.rotation().keys().await?;
        let json = keys.iter().map(|key| self.json(key)).collect::<Vec<_>>();
        self.output.either(&json, || {
            let row = |used: &KeyUse| {
                let key = used.key.map_or_else(|| "unreadable".to_owned(), |key| key.to_string());
                [key, word(used.standing).to_owned(), used.values.to_string()]
            };
            format!("{}\nThe keys come from {}.", table(["key", "state", "values"], keys.iter().map(row)), self.source)
        });
        Ok(Exit::Done)
    }

    fn json(&self, used: &KeyUse) -> Value {
        json!({
            "key": used.key.map(|key| key.to_string()),
            "state": word(used.standing),
            "values": used.values,
            "source": (used.standing != Standing::Missing).then(|| self.source.to_string()),
        })
    }

    /// Adds a key, where this program can, and seals everything anew with the active one.
    async fn rotate(&self, resume: bool) -> Result<Exit> {
        let adds = !resume && self.source.is_writable();
        let added = if adds { Some(self.rotation().add_key().await?) } else { None };
        // What is on an emulator is nothing to keep.
        if let Some(key) = added.filter(|_| self.live) {
            self.output.note(format!("Added the key {key} to {}. Keep a copy of the file.", self.source));
        }
        let done = self.reseal().await?;
        if !resume && added.is_none() && done.rows == 0 {
            return Err(Error::Request(self.how_to_add()));
        }
        self.told(added, done).await
    }

    async fn reseal(&self) -> Result<Progress> {
        let mut next = STEP;
        let tell = |progress: Progress| {
            if progress.rows >= next {
                self.output.note(format!("{} rows are sealed anew", progress.rows));
                next = progress.rows + STEP;
            }
        };
        Ok(self.rotation().reseal(tell).await?)
    }

    async fn told(&self, added: Option<KeyId>, done: Progress) -> Result<Exit> {
        let keys = self.rotation().keys().await?;
        let active = keys.iter().find(|key| key.standing == Standing::Active).and_then(|key| key.key);
        let older: Vec<String> = keys.iter().filter(|key| key.standing == Standing::Older).map(name).collect();
        if done.unopened > 0 {
            self.output.warn(format!(
                "{} sealed values do not open and stay as they are: their accounts have to be connected again",
                done.unopened
            ));
        }
        let data = json!({
            "added": added.map(|key| key.to_string()), "active": active.map(|key| key.to_string()),
            "rows": done.rows, "unopened": done.unopened, "older": older,
        });
        self.output.either(&data, || {
            let active = active.map(|key| key.to_string()).unwrap_or_default();
            let begin = format!("Everything is sealed with the key {active}: {} rows were sealed anew.", done.rows);
            match older.as_slice() {
                [] => begin,
                older => format!("{begin}\nOlder: {}. `connector-host vault retire` takes one away.", older.join(", ")),
            }
        });
        Ok(if done.unopened > 0 { Exit::Person } else { Exit::Done })
    }

    /// Writes the line of a new key for somebody to put where this program cannot write.
    fn write(&self, file: &Path) -> Result<Exit> {
        let key = self.rotation().write_key(file)?;
        let data = json!({ "key": key.to_string(), "file": file.display().to_string() });
        self.output.either(&data, || {
            let text = format!(
                "The line of the new key {key} is in {file}. Put it in front of the others in {source}, start every host anew, and then run `connector-host vault rotate --resume`, which seals everything anew. Remove {file} when the line is where it belongs.",
                file = file.display(),
                source = self.source
            );
            format::folded("", &text)
        });
        Ok(Exit::Done)
    }

    fn how_to_add(&self) -> String {
        format!(
            "the keys come from {}, which this program does not write, and everything is sealed with the active one. To add a key: run `connector-host vault rotate --to <new file>`, put the line from that file in front of the others at the source, start every host anew, and run `connector-host vault rotate --resume`",
            self.source
        )
    }

    async fn retire(&self, key: Option<KeyId>) -> Result<Exit> {
        let key = match key {
            Some(key) => key,
            None => only_older(&self.rotation().keys().await?)?,
        };
        if !self.source.is_writable() {
            self.rotation().expect_retirable(key).await?;
            return Err(Error::Request(format!(
                "nothing is sealed with the key {key} any more: remove its line from {}, and start every host anew",
                self.source
            )));
        }
        self.rotation().retire(key).await?;
        self.output.either(&json!({ "retired": key.to_string() }), || {
            format!(
                "The key {key} is gone from {}.\nKeep your copy of it for as long as you keep backups of the database from before the rotation.",
                self.source
            )
        });
        Ok(Exit::Done)
    }
}

fn only_older(keys: &[KeyUse]) -> Result<KeyId> {
    let older: Vec<KeyId> =
        keys.iter().filter(|key| key.standing == Standing::Older).filter_map(|key| key.key).collect();
    match older.as_slice() {
        [key] => Ok(*key),
        [] => Err(Error::Request("there is no older key to take away".to_owned())),
        _ => {
            let all: Vec<String> = older.iter().map(KeyId::to_string).collect();
            Err(Error::Request(format!("there are several older keys, so name one of them: {}", all.join(", "))))
        }
    }
}

fn name(used: &KeyUse) -> String {
    used.key.map(|key| key.to_string()).unwrap_or_default()
}

fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Active => "active",
        Standing::Older => "older",
        Standing::Missing => "missing",
    }
}
