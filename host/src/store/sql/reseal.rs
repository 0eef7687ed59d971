//! Sealed values by their key. The statements are put together from the list of tables, and name nothing else.

use async_trait::async_trait;

use super::fields::{Fields, bytes};
use super::{Row, SqlStore, statement};
use crate::store::reseal::{Reseal, Resealed, SEALED_TABLES, SealedCount, SealedRow, SealedRowId, SealedTable};
use crate::store::{Result, StoreError};
use crate::vault::{KeyId, Sealed};

#[async_trait]
impl<D: Send + Sync> Reseal for SqlStore<D> {
    async fn count_sealed(&self) -> Result<Vec<SealedCount>> {
        let rows = self.fetch_all(statement(count())).await?;
        let mut counts: Vec<SealedCount> = Vec::new();
        for row in &rows {
            let fields = Fields::of("sealed value", row);
            let (key, values) = (key(fields.get("front")?), fields.get::<i64>("number")?.unsigned_abs());
            match counts.iter_mut().find(|count| count.key == key) {
                Some(count) => count.values += values,
                None => counts.push(SealedCount { key, values }),
            }
        }
        Ok(counts)
    }

    async fn sealed_otherwise(&self, key: KeyId, after: Option<&SealedRowId>, limit: u32) -> Result<Vec<SealedRow>> {
        let first = after.map_or(0, |row| row.table);
        for (index, table) in SEALED_TABLES.iter().enumerate().skip(first) {
            let after = after.filter(|row| row.table == index).map(|row| row.id.clone()).unwrap_or_default();
            let select = statement(select(table));
            let select = select.bind(after).bind(Sealed::front_of(key)).bind(i64::from(limit));
            let rows = self.fetch_all(select).await?;
            if !rows.is_empty() {
                return rows.iter().map(|row| sealed_row(index, table, row)).collect();
            }
        }
        Ok(Vec::new())
    }

    async fn reseal(&self, rows: &[Resealed]) -> Result<u64> {
        let mut transaction = self.write().await?;
        let mut replaced = 0;
        for Resealed { old, new } in rows {
            let mut update = statement(update(table(&old.row)?)).bind(old.row.id.clone());
            for value in old.values.iter().chain(new) {
                update = update.bind(bytes(value.as_ref()));
            }
            replaced += transaction.execute(update).await?;
        }
        transaction.commit().await?;
        Ok(replaced)
    }
}

/// The key that a value names by its front, which some databases call absent where the value is empty.
fn key(front: Option<&[u8]>) -> Option<KeyId> {
    KeyId::of_front(front?)
}

fn table(row: &SealedRowId) -> Result<&'static SealedTable> {
    let none = || StoreError::NotFound { what: "table of sealed values", id: row.table.to_string() };
    SEALED_TABLES.get(row.table).ok_or_else(none)
}

fn sealed_row(index: usize, table: &SealedTable, row: &Row) -> Result<SealedRow> {
    let fields = Fields::of("sealed value", row);
    Ok(SealedRow {
        row: SealedRowId { table: index, id: fields.get("id")? },
        tenant: fields.get("tenant")?,
        generation: fields.get("generation")?,
        values: table.columns.iter().map(|(column, _)| fields.sealed_optional(column)).collect::<Result<_>>()?,
    })
}

/// Counts by the bytes in front of a sealed value: its format and its key.
fn count() -> String {
    let each = SEALED_TABLES.iter().flat_map(|table| {
        table.columns.iter().map(|(column, _)| {
            format!(
                "SELECT substr({column}, 1, {FRONT}) AS front, COUNT(*) AS number FROM {name}
                 WHERE {column} IS NOT NULL GROUP BY substr({column}, 1, {FRONT})",
                name = table.name
            )
        })
    });
    each.collect::<Vec<_>>().join(" UNION ALL ")
}

/// Binds the id to begin after, the front that is not wanted, and how many rows.
fn select(SealedTable { name, generation, columns }: &SealedTable) -> String {
    let names = columns.iter().map(|(column, _)| *column).collect::<Vec<_>>().join(", ");
    let others = columns
        .iter()
        .map(|(column, _)| format!("({column} IS NOT NULL AND substr({column}, 1, {FRONT}) IS DISTINCT FROM $2)"));
    let others = others.collect::<Vec<_>>().join(" OR ");
    format!(
        "SELECT id, tenant, CAST({generation} AS BIGINT) AS generation, {names} FROM {name} WHERE id > $1 AND ({others}) ORDER BY id LIMIT $3"
    )
}

/// Binds the id, the values the row must still have, and those it gets.
fn update(SealedTable { name, columns, .. }: &SealedTable) -> String {
    let count = columns.len();
    let column = |index: usize| columns.get(index).map_or("", |(column, _)| column);
    let set = (0..count).map(|index| format!("{} = ${}", column(index), index + 2 + count));
    let same = (0..count).map(|index| format!("{} IS NOT DISTINCT FROM ${}", column(index), index + 2));
    let (set, same) = (set.collect::<Vec<_>>().join(", "), same.collect::<Vec<_>>().join(" AND "));
    format!("UPDATE {name} SET {set} WHERE id = $1 AND {same}")
}

/// How many bytes stand in front of a sealed value's nonce.
const FRONT: usize = Sealed::FRONT_LENGTH;
