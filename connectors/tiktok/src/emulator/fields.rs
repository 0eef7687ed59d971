//! The fields of `/v2/user/info/`: the scope each needs and its value for somebody.

use serde_json::{Value, json};

use super::derive::{self, MIXED};
use super::people::Sheet;
use super::state::State;

/// How long an avatar link works.
const AVATAR_SECONDS: i64 = 48 * 3600;

/// TikTok's fields, with the scope each needs.
pub(super) const FIELDS: [(&str, &str); 14] = [
    ("open_id", "user.info.basic"),
    ("union_id", "user.info.basic"),
    ("avatar_url", "user.info.basic"),
    ("avatar_url_100", "user.info.basic"),
    ("avatar_large_url", "user.info.basic"),
    ("display_name", "user.info.basic"),
    ("bio_description", "user.info.profile"),
    ("profile_deep_link", "user.info.profile"),
    ("is_verified", "user.info.profile"),
    ("username", "user.info.profile"),
    ("follower_count", "user.info.stats"),
    ("following_count", "user.info.stats"),
    ("likes_count", "user.info.stats"),
    ("video_count", "user.info.stats"),
];

/// The scope a field needs; `None` for a field that does not exist.
pub(super) fn scope_of<'a>(field: &str, state: &'a State) -> Option<&'a str> {
    let known = FIELDS.iter().find(|(name, _)| *name == field).map(|(_, scope)| *scope);
    known.or_else(|| state.switches.extra_fields.get(field).map(|extra| extra.scope.as_str()))
}

/// Whom a call is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) app: &'a str,
    pub(super) sheet: &'static Sheet,
    pub(super) now: i64,
}

/// A field's value.
pub(super) fn value(field: &str, subject: Subject<'_>, state: &State) -> Value {
    let Subject { app, sheet, now } = subject;
    if let Some(edited) = state.edits(sheet.name).and_then(|edits| edits.fields.get(field)) {
        return edited.clone();
    }
    match field {
        "open_id" => json!(sheet.open_id(app)),
        "union_id" => json!(sheet.union_id()),
        "avatar_url" => json!(avatar(sheet.name, 168, now)),
        "avatar_url_100" => json!(avatar(sheet.name, 100, now)),
        "avatar_large_url" => json!(avatar(sheet.name, 1080, now)),
        "display_name" => json!(sheet.display_name),
        "bio_description" => json!(sheet.bio),
        "is_verified" => json!(sheet.verified),
        "username" => json!(sheet.username),
        _ => count(field, subject, state)
            .map(Value::from)
            .or_else(|| state.switches.extra_fields.get(field).map(|extra| extra.value.clone()))
            .unwrap_or(Value::Null),
    }
}

fn count(field: &str, subject: Subject<'_>, state: &State) -> Option<i64> {
    let natural = subject.sheet.count(field, subject.now - state.founded_at)?;
    Some(state.edits(subject.sheet.name).map_or(natural, |edits| edits.apply(field, natural)))
}

/// A signed link on the image host, which stops working.
fn avatar(name: &str, size: u32, now: i64) -> String {
    let object = derive::text(b"0123456789abcdef", &["avatar", name], 32);
    let expires = now + AVATAR_SECONDS;
    let signature = derive::text(MIXED, &["signature", name, &size.to_string(), &expires.to_string()], 27);
    format!(
        "https://p16-common-sign.tiktokcdn.com/tos-emulator-avt/{object}~tplv-tiktokx-cropcenter:{size}:{size}.jpeg?x-expires={expires}&x-signature={signature}%3D"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_scopes_are_tiktoks() {
        let table: Vec<Value> = serde_json::from_str(include_str!("../../fixtures/table.user_fields.json")).unwrap();
        let theirs: Vec<_> =
            table.iter().map(|row| (row["field"].as_str().unwrap(), row["scope"].as_str().unwrap())).collect();
        assert_eq!(theirs, FIELDS);
    }
}
