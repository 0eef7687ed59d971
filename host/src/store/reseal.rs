//! Sealed values by the key they are sealed with: how many there are, and a new key for each.

use async_trait::async_trait;

use super::Result;
use crate::vault::{KeyId, Sealed, field};

/// A table that holds sealed values, and how each is bound to its row.
#[derive(Debug, PartialEq, Eq)]
pub struct SealedTable {
    /// Its name.
    pub name: &'static str,
    /// The column that counts the generations of a row, or `0` for what has none.
    pub generation: &'static str,
    /// The columns with sealed values, each with the name of the field it is sealed as.
    pub columns: &'static [(&'static str, &'static str)],
}

/// Every table that holds sealed values. A row has an `id`, which is the owner of what is sealed in it, and a `tenant`.
pub const SEALED_TABLES: &[SealedTable] = &[
    SealedTable { name: "flows", generation: "0", columns: &[("sealed", field::FLOW)] },
    SealedTable { name: "grants", generation: "generation", columns: OF_GRANTS },
    SealedTable { name: "revocations", generation: "0", columns: TOKENS },
    SealedTable { name: "event_receivers", generation: "0", columns: OF_RECEIVERS },
    SealedTable { name: "requests", generation: "0", columns: &[("answer", field::REQUEST)] },
];

const OF_GRANTS: &[(&str, &str)] =
    &[("access", field::ACCESS), ("refresh", field::REFRESH), ("kept_answer", field::ANSWER)];
const OF_RECEIVERS: &[(&str, &str)] = &[("secret", field::SIGNING), ("previous_secret", field::PREVIOUS_SIGNING)];
const TOKENS: &[(&str, &str)] = &[("access", field::ACCESS), ("refresh", field::REFRESH)];

/// How many values are sealed with one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedCount {
    /// The key; `None` stands for bytes that are no sealed value.
    pub key: Option<KeyId>,
    /// How many.
    pub values: u64,
}

/// Names a row that holds sealed values. Rows are read in the order of this name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SealedRowId {
    /// The place of its table in [`SEALED_TABLES`].
    pub table: usize,
    /// Its id.
    pub id: String,
}

/// A row with everything that is sealed in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedRow {
    /// Which one.
    pub row: SealedRowId,
    /// Whose it is.
    pub tenant: String,
    /// The generation it is sealed for.
    pub generation: i64,
    /// What is sealed, in the order of the table's columns.
    pub values: Vec<Option<Sealed>>,
}

/// What is to take the place of a row's sealed values.
#[derive(Clone, Debug)]
pub struct Resealed {
    /// The row as it was read.
    pub old: SealedRow,
    /// The same values under another key, in the same order.
    pub new: Vec<Option<Sealed>>,
}

/// Gives sealed values another key, while others use them.
#[async_trait]
pub trait Reseal {
    /// How many values are sealed with which key, in no order.
    async fn count_sealed(&self) -> Result<Vec<SealedCount>>;

    /// The next rows after this one, at most `limit`, that hold a value which is not sealed with this key. An empty answer means that there
    /// are none left.
    async fn sealed_otherwise(&self, key: KeyId, after: Option<&SealedRowId>, limit: u32) -> Result<Vec<SealedRow>>;

    /// Replaces the sealed values of each row that still holds the bytes it was read with, and says how many did. A row that a refresh or
    /// a disconnect has changed meanwhile stays as it is.
    async fn reseal(&self, rows: &[Resealed]) -> Result<u64>;
}
