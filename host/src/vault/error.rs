//! What can go wrong with sealing, in sentences for whoever runs the host.

use std::path::PathBuf;

use connector_core::Error;

use super::key::KeyId;
use crate::private_files::FileError;

/// What every fallible call of the vault returns.
pub type Result<T, E = VaultError> = std::result::Result<T, E>;

/// What went wrong. No variant holds anything of a key or of what was sealed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The system gives no randomness.
    #[error("nothing can be sealed: {0}")]
    NoRandomness(#[source] Error),
    /// The cipher takes no text of that length.
    #[error("the text is too long to be sealed")]
    TooLong,
    /// The value was changed, moved to another place, or is no sealed value.
    #[error("a sealed value does not open: it was changed, or it was sealed for another place")]
    Damaged,
    /// The key a value was sealed with is not at hand.
    #[error("a value was sealed with the key {needed}, and the key file holds {}", list(held))]
    UnknownKey {
        /// The key it was sealed with.
        needed: KeyId,
        /// The keys at hand.
        held: Vec<KeyId>,
    },
    /// These are not the keys of this database.
    #[error(
        "the database was sealed with the key {needed}, and the key file holds {}: put the key file of this database back; nothing was changed",
        list(held)
    )]
    WrongKey {
        /// The key the database was sealed with.
        needed: KeyId,
        /// The keys at hand.
        held: Vec<KeyId>,
    },
    /// A key has the name of the database's key and is another one.
    #[error(
        "the database was sealed with {}, and the key of that id in the key file is another one: put the key file of this database back; nothing was changed",
        .id.map_or_else(|| "an unknown key".to_owned(), |id| format!("the key {id}"))
    )]
    SameIdOtherKey {
        /// The name of both, unless the proof in the database is damaged.
        id: Option<KeyId>,
    },
    /// There is no key file, and making one would not help.
    #[error(
        "`{path}` is missing, and the database was sealed with its key: put the file back from your copy. Without it the connected accounts have to connect again: move the database away, and start anew",
        path = .path.display()
    )]
    KeyFileMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// Somebody else was first to make the key of this database.
    #[error(
        "another machine was first to make the key of this database, {needed}. The one made in `{path}` at the same moment opens nothing and is removed again: copy that machine's key file to there, readable for you alone",
        path = .path.display()
    )]
    KeyMadeElsewhere {
        /// The key of the database.
        needed: KeyId,
        /// Where its file should be.
        path: PathBuf,
    },
    /// The key file is not one.
    #[error("`{path}` is not a key file: line {line}: {why}", path = .path.display())]
    KeyFileMalformed {
        /// Where it is.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What is wrong with the line.
        why: &'static str,
    },
    /// A text that should hold keys does not.
    #[error("{place} holds no keys: line {line}: {why}")]
    KeyTextMalformed {
        /// Where the text is from.
        place: String,
        /// The line.
        line: usize,
        /// What is wrong with the line.
        why: &'static str,
    },
    /// The keys were replaced, while this program ran, by others that do not go on from them.
    #[error(
        "{place} no longer holds the key {active} that this program seals with, and does not say that it was retired: put the keys of this database back"
    )]
    KeysReplaced {
        /// Where the keys are from.
        place: String,
        /// The key that is missing there.
        active: KeyId,
    },
    /// The keys are where this program cannot write.
    #[error("the keys come from {place}, which this program does not write")]
    NotWritable {
        /// Where the keys are from.
        place: String,
    },
    /// Somebody else is changing the keys.
    #[error("another process is changing the keys of `{path}`: try again when it is done", path = .path.display())]
    KeysBusy {
        /// The key file.
        path: PathBuf,
    },
    /// There is no such key to be taken away.
    #[error("the key {key} {why}; the keys are {}", list(held))]
    NoOlderKey {
        /// The key.
        key: KeyId,
        /// Why it cannot be taken away.
        why: &'static str,
        /// The keys at hand.
        held: Vec<KeyId>,
    },
    /// A key is still needed.
    #[error(
        "the key {key} stays: {values} sealed values still use it. Run `connector-host vault rotate --resume`; a value that does not open under its key belongs to an account that has to be connected again or disconnected"
    )]
    KeyInUse {
        /// The key.
        key: KeyId,
        /// How many values use it.
        values: u64,
    },
    /// The key file cannot be used or trusted.
    #[error(transparent)]
    File(#[from] FileError),
}

/// The reason of a grant whose sealed values do not open any more.
pub(crate) const KEY_LOST: &str = "key_lost";

fn list(keys: &[KeyId]) -> String {
    keys.iter().map(KeyId::to_string).collect::<Vec<_>>().join(", ")
}

impl From<VaultError> for Error {
    /// A value that does not open is lost with its grant: the person has to connect again. Everything else is for the operator.
    fn from(error: VaultError) -> Self {
        let message = error.to_string();
        match error {
            VaultError::Damaged | VaultError::UnknownKey { .. } => Self::reauth_required(KEY_LOST, message),
            _ => Self::config(message),
        }
        .with_source(error)
    }
}
