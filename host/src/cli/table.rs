use comfy_table::{ContentArrangement, Table, presets};

use super::format;

/// A plain table: a header, and each row in one line whatever the terminal's width, so that an id can be copied out of it.
pub(super) fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
    table.add_rows(rows.into_iter().map(|row| row.map(|cell| format::line(&cell))));
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}
