//! Finding the connection a person means.

use crate::error::{Error, Result};
use crate::host::Host;
use crate::store::{Connected, ConnectionFilter};

/// The tenant's connections, oldest first.
pub(super) async fn all(host: &Host, tenant: &str) -> Result<Vec<Connected>> {
    let filter = ConnectionFilter { tenant: tenant.to_owned(), ..ConnectionFilter::default() };
    Ok(host.store().connections(&filter).await?)
}

/// The one connection that a text means: by its id or the beginning of it, its reference, its account's id, handle or name.
///
/// # Errors
/// When it means none or several, with what there is.
pub(super) async fn one(host: &Host, tenant: &str, text: &str) -> Result<Connected> {
    let found = meant(host, tenant, text).await?;
    match found.as_slice() {
        [one] => Ok(one.clone()),
        several => Err(ambiguous(text, several)),
    }
}

/// A connection of the one grant that a text means: whoever is asked again is asked for all accounts of a grant at once.
///
/// # Errors
/// When it means none, or connections of several grants.
pub(super) async fn one_grant(host: &Host, tenant: &str, text: &str) -> Result<Connected> {
    let found = meant(host, tenant, text).await?;
    match found.as_slice() {
        [first, rest @ ..] if rest.iter().all(|other| other.grant.id == first.grant.id) => Ok(first.clone()),
        several => Err(ambiguous(text, several)),
    }
}

/// What a text means: at least one.
async fn meant(host: &Host, tenant: &str, text: &str) -> Result<Vec<Connected>> {
    let all = all(host, tenant).await?;
    let exact: Vec<&Connected> =
        all.iter().filter(|connected| names(connected).any(|name| name.eq_ignore_ascii_case(text))).collect();
    let found: Vec<Connected> = if exact.is_empty() && text.len() >= 4 {
        all.iter().filter(|connected| connected.connection.id.as_str().starts_with(text)).cloned().collect()
    } else {
        exact.into_iter().cloned().collect()
    };
    if found.is_empty() {
        let text = text.escape_debug();
        return Err(Error::Request(format!(
            "no connection of the tenant `{tenant}` is called `{text}`; `connector-host connections` lists them"
        )));
    }
    Ok(found)
}

fn ambiguous(text: &str, several: &[Connected]) -> Error {
    let ids = several.iter().map(|connected| connected.connection.id.as_str()).collect::<Vec<_>>().join(", ");
    Error::Request(format!("`{}` means several connections; name one by its id: {ids}", text.escape_debug()))
}

fn names(connected: &Connected) -> impl Iterator<Item = &str> {
    let connection = &connected.connection;
    let profile = ["handle", "display_name"].into_iter().filter_map(|field| connection.profile.text(field));
    [connection.id.as_str(), &connection.account_id].into_iter().chain(connection.reference.as_deref()).chain(profile)
}
