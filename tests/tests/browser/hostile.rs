//! Nobody's name, bio or link runs in a page, or takes it apart.

use serde_json::json;

use crate::chromium::{Chromium, origin};
use crate::support::{Stage, person};
use crate::walk::{OVERLAY, Served};

const PASSWORD: &str = "a kayak on a cold lake";

/// Where texts go of which the platform has none that can be edited.
const MORE: &str = r#"
[platforms.tiktok.scopes."user.info.basic"]
product     = "Login Kit"
description = "Account id, display name, avatar"
fields.user_info = { open_id = "profile.id", union_id = "profile.developer_scoped_id", picture = "profile.avatar_url", display_name = "profile.display_name" }

[platforms.tiktok.scopes."user.info.profile"]
product     = "Login Kit"
description = "Bio, profile link, verified mark, @name"
fields.user_info = { bio_description = "profile.bio", link = "profile.url", number = "custom.tiktok.number", is_verified = "profile.verified", username = "profile.handle" }
"#;

#[test]
fn nobodys_words_do_anything_in_a_page() {
    let Some(chromium) = Chromium::here() else { return };
    let stage = Stage::new();
    for name in ["mira", "jonas", "nova", "linnea", "noor"] {
        stage.connect(&person(name));
    }
    let served = Served::with_admin(&stage, MORE, PASSWORD);
    let told = json!({
        "host": origin(&served.host),
        "emulator": origin(&stage.tiktok.base),
        "admin": stage.tiktok.admin_token,
        "overlay": stage.path(OVERLAY),
        "password": PASSWORD,
    });
    chromium.run(&stage, "hostile.mjs", &told);
    served.end();
}
