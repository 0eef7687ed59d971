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
use crate::spool::Spool;
use crate::store::Store;
use crate::vault::{KeyId, KeySource, KeyUse, Progress, Rotation, Standing, Vault};

/// After how many rows more it is said how far it has come.
const STEP: u64 = 1_000;

pub(super) async fn run(setup: &Setup, args: &VaultArgs, output: Output) -> Result<Exit> {
    let cx = Setup::context();
    let (store, vault, source) = setup.vault(&cx, output).await?;
    if matches!(args.action, Some(VaultAction::Rotate { to: None, .. } | VaultAction::Retire { .. })) {
        store.check_ours().await?;
    }
    let live = !setup.global.emulator;
    let shared = live && setup.global.database.is_some();
    let spool = setup.data_dir()?.join("spool");
    let keys =
        Keys { cx: &cx, vault: &vault, store: store.as_ref(), source: &source, spool: &spool, live, shared, output };
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
    /// Where sealed answers may rest that the store does not have.
    spool: &'a Path,
    live: bool,
    /// Whether other machines may use the store, each with the keys in a place of its own.
    shared: bool,
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
        if adds && self.shared {
            return Err(Error::Request(format!(
                "a key that is added here alone leaves every other machine of this database unable to open anything. {}",
                self.how_to_add()
            )));
        }
        let added = if adds { Some(self.rotation().add_key().await?) } else { None };
        // What is on an emulator is nothing to keep.
        if let Some(key) = added.filter(|_| self.live) {
            self.output.note(format!("Added the key {key} to {}. Keep a copy of the file.", self.source));
        }
        let done = self.reseal().await?;
        if !resume && added.is_none() && done.rows == 0 {
            return Err(Error::Request(format!(
                "the keys come from {}, which this program does not write, and nothing was left to be sealed with the active one. {}",
                self.source,
                self.how_to_add()
            )));
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
        let left: u64 = keys.iter().filter(|key| key.standing != Standing::Active).map(|key| key.values).sum();
        self.warn_of(done.unopened, left);
        let data = json!({
            "added": added.map(|key| key.to_string()), "active": active.map(|key| key.to_string()),
            "rows": done.rows, "unopened": done.unopened, "left": left, "older": older,
        });
        self.output.either(&data, || {
            let what = if left == 0 { "Everything" } else { "Whatever else there is" };
            let active = active.map(|key| key.to_string()).unwrap_or_default();
            let begin = format!("{what} is sealed with the key {active}: {} rows were sealed anew.", done.rows);
            match older.as_slice() {
                [] => begin,
                older => format!("{begin}\nOlder: {}. `connector-host vault retire` takes one away.", older.join(", ")),
            }
        });
        Ok(match (done.unopened, left) {
            (0, 0) => Exit::Done,
            (0, _) => Exit::Failed,
            _ => Exit::Person,
        })
    }

    /// What is not under the active key, because it does not open, or because somebody else wrote it meanwhile.
    fn warn_of(&self, unopened: u64, left: u64) {
        if unopened > 0 {
            self.output.warn(format!(
                "{unopened} sealed values do not open and stay as they are: put the key they need back, or connect their accounts again"
            ));
        }
        if left > unopened {
            self.output.warn(format!(
                "{} values were written under another key meanwhile: run `connector-host vault rotate --resume`",
                left - unopened
            ));
        }
    }

    /// Writes the line of a new key for somebody to put where this program cannot write.
    fn write(&self, file: &Path) -> Result<Exit> {
        let key = self.rotation().write_key(file)?;
        let data = json!({ "key": key.to_string(), "file": file.display().to_string() });
        self.output.either(&data, || {
            let text = format!(
                "The line of the new key {key} is in {file}. {steps} Remove {file} when the line is where it belongs.",
                file = file.display(),
                steps = self.steps()
            );
            format::folded("", &text)
        });
        Ok(Exit::Done)
    }

    fn how_to_add(&self) -> String {
        format!("Run `connector-host vault rotate --to NEW-FILE`, which makes the line of a new key. {}", self.steps())
    }

    /// What is done with the line of a new key. A host that seals with it before the others can open it leaves them behind.
    fn steps(&self) -> String {
        format!(
            "First put the line behind the others in {source} of every host, and start each host anew; then put it in front of the others, and start each anew again; then run `connector-host vault rotate --resume`, which seals everything anew. Whoever has only one host puts it in front at once.",
            source = self.source
        )
    }

    async fn retire(&self, key: Option<KeyId>) -> Result<Exit> {
        let key = match key {
            Some(key) => key,
            None => only_older(&self.rotation().keys().await?)?,
        };
        expect_unspooled(self.spool, key)?;
        let removed = self.source.is_writable();
        if removed {
            self.rotation().retire(key).await?;
        } else {
            self.rotation().expect_retirable(key).await?;
        }
        self.output.either(&json!({ "key": key.to_string(), "removed": removed }), || {
            let what = match (removed, self.shared) {
                (true, false) => format!("The key {key} is gone from {}.", self.source),
                (true, true) => format!(
                    "The key {key} is gone from {}: remove its line on the other machines as well.",
                    self.source
                ),
                (false, _) => format!(
                    "Nothing is sealed with the key {key} any more: remove its line from {} of every host, and start each host anew.",
                    self.source
                ),
            };
            format!(
                "{what}\nKeep your copy of it for as long as you keep backups of the database from before the rotation."
            )
        });
        Ok(Exit::Done)
    }
}

/// What rests in the spool is sealed as well, and the store does not know of it.
fn expect_unspooled(spool: &Path, key: KeyId) -> Result<()> {
    if !spool.exists() {
        return Ok(());
    }
    let waiting = Spool::open(spool)?.count_sealed_with(key)?;
    if waiting == 0 {
        return Ok(());
    }
    Err(Error::Request(format!(
        "the key {key} stays: {waiting} answers that are sealed with it wait in {} to be stored. Run another command first, such as `connector-host connections`, which stores what no running host holds",
        spool.display()
    )))
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

#[cfg(test)]
mod tests {
    use connector_core::testing::FakeTransport;
    use tempfile::TempDir;

    use crate::vault::KeyRing;

    use super::*;

    #[test]
    fn a_key_stays_while_an_answer_in_the_spool_needs_it() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("spool");
        let cx = FakeTransport::default().context();
        let (used, other) = (KeyRing::generate(&cx).unwrap(), KeyRing::generate(&cx).unwrap());
        let [needed, free] = [&used, &other].map(|ring| ring.ids().next().unwrap());
        expect_unspooled(&path, needed).unwrap();
        assert!(!path.exists());
        let mut slot = Spool::open(&path).unwrap().reserve().unwrap();
        expect_unspooled(&path, needed).unwrap();
        slot.write(Vault::new(used).prove(&cx).unwrap().as_bytes()).unwrap();
        let refused = |path: &Path| expect_unspooled(path, needed).unwrap_err().to_string();
        assert!(refused(&path).contains("1 answers"), "while a host holds it: {}", refused(&path));
        drop(slot);
        assert!(refused(&path).contains("connector-host connections"), "{}", refused(&path));
        expect_unspooled(&path, free).unwrap();
    }
}
