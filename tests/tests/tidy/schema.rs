//! The JSON schema of a connector's `platform.toml`, for editors.

use connector_core::platform::Protocol;

use super::generated::{settle_file, stale};
use super::tree::assert_none;

const FILE: &str = "config/platform.schema.json";

#[test]
fn the_schema_of_platform_files_is_fresh() {
    let mut schema = Protocol::schema();
    // Another crate of the same build may make the JSON library keep the order of insertion; the file is the same in any build.
    schema.sort_all_objects();
    assert_none(settle_file(FILE, &format!("{schema:#}\n")), stale());
}
