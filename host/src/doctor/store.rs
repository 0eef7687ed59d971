//! Whether the store is there, and is ours.

use super::{Finding, Installation, Kind};
use crate::error::Error;
use crate::store::{InstanceName, StoreError};

pub(super) async fn look(installation: &Installation) -> Vec<Finding> {
    let store = match &installation.store {
        Ok(Some(store)) => store,
        Ok(None) => return behind(installation).into_iter().collect(),
        Err(Error::Store(StoreError::Exposed(_))) => return Vec::new(),
        Err(error) => return vec![unreadable(installation, error)],
    };
    match store.check_ours().await {
        Ok(()) => Vec::new(),
        Err(error) => vec![unreadable(installation, &error.into())],
    }
}

/// Where nothing was made yet there is nothing to say.
fn behind(installation: &Installation) -> Option<Finding> {
    let is_on_server = installation.store_files.is_empty();
    let file = installation.store_files.first().filter(|path| path.exists());
    (is_on_server || file.is_some()).then(|| {
        let what = "the store is empty, or of an earlier version of this program";
        let fix =
            format!("`{}` brings it up to date, as any command does that uses it", installation.command("connections"));
        let finding = Finding::new(Kind::StoreBehind, what, fix);
        match file {
            Some(path) => finding.at_path(path),
            None => finding,
        }
    })
}

/// A store that cannot be looked into, or must not be used.
pub(super) fn unreadable(installation: &Installation, error: &Error) -> Finding {
    let check = installation.command("store show");
    let place = installation.store_files.first();
    let (kind, what, fix) = match error {
        Error::Store(StoreError::NotOurs { owner, ours }) => not_ours(installation, owner, ours.as_ref()),
        Error::Store(StoreError::Newer { place, found, known }) => (
            Kind::StoreNewer,
            format!(
                "`{place}` was made by a newer version of connector-host: its schema is at step {found}, and this version knows {known}"
            ),
            "update connector-host to the version that made it, or to a later one".to_owned(),
        ),
        Error::Store(StoreError::Foreign { place, why }) => (
            Kind::StoreForeign,
            format!("`{place}` {why}"),
            "move it away, or name another place with --data-dir or --database".to_owned(),
        ),
        error => (Kind::StoreUnusable, error.to_string(), format!("mend that, then see whether `{check}` works")),
    };
    let finding = Finding::new(kind, what, fix);
    match place {
        Some(path) => finding.at_path(path),
        None => finding,
    }
}

fn not_ours(installation: &Installation, owner: &InstanceName, ours: Option<&InstanceName>) -> (Kind, String, String) {
    let name = ours.map_or_else(|| "no name".to_owned(), |name| format!("the name `{name}`"));
    let what = format!("the store belongs to the installation `{owner}`, and this start has {name}: it may only look");
    let adopt = installation.command(&format!("store adopt --instance {}", ours.map_or("NAME", InstanceName::as_str)));
    let fix = format!(
        "where the store belongs, start with `--instance {owner}` (or CONNECTOR_INSTANCE={owner}); if `{owner}` is gone for good, `{adopt}`"
    );
    (Kind::StoreNotOurs, what, fix)
}
