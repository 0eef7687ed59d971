//! What is linked into this program. A platform is added with one line here and one in `Cargo.toml`.

use connector_tiktok as _;
