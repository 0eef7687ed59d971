//! Words of sentences for people.

/// So many connections.
pub(crate) fn connections(count: u64) -> String {
    if count == 1 { "1 connection".to_owned() } else { format!("{count} connections") }
}
