//! What benchmarks have in common.

/// Writes a line, which another process may wait for.
pub(crate) fn say(line: impl std::fmt::Display) {
    println!("{line}");
}

/// The middle one of some figures.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A number to divide by.
pub(crate) fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
