use std::path::PathBuf;

use serde_json::json;

use super::args::Purge;
use super::exit::Exit;
use super::output::Output;
use super::{ask, format};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::restore::stores_kept_aside;
use crate::store::Place;

pub(super) async fn run(host: &Host, tenant: &str, args: &Purge, output: Output) -> Result<Exit> {
    let connection = ask::one(host, tenant, &args.connection).await?.connection;
    let name = format::text(connection.profile.label().unwrap_or(&connection.account_id));
    if !args.yes {
        return Err(Error::Request(format!(
            "this erases {name} for good, with every count ever read: pass --yes to do it; nothing was changed"
        )));
    }
    let shredded = host.purge(tenant, &connection.id, args.leave_access).await?;
    let place = host.store().stock().await?.place;
    let copies = copies(&place)?;
    let clean = shredded && copies.is_empty();
    let data = json!({ "purged": connection.id.as_str(), "files_clean": clean, "kept_aside": copies });
    output.either(&data, || {
        format!(
            "Erased {}: the connection, its history and its access are gone from here. Backups made before still hold them.",
            connection.id
        )
    });
    if !shredded {
        output.warn(still_there(&place));
    }
    for copy in copies {
        output.warn(format!("{} was kept by a restore and may hold them: delete it", copy.display()));
    }
    Ok(Exit::Done)
}

/// The stores that restores have kept beside this one.
fn copies(place: &Place) -> Result<Vec<PathBuf>> {
    match place {
        Place::File(path) => path.parent().map_or_else(|| Ok(Vec::new()), stores_kept_aside),
        Place::Server(_) => Ok(Vec::new()),
    }
}

/// Where what was erased may still be, and until when.
fn still_there(place: &Place) -> &'static str {
    match place {
        Place::File(_) => {
            "what was erased may still be in the database's log, because another process reads it, such as `serve`: stop every process that uses this data directory, then run `connector-host connections`, which ends with a clean log"
        }
        Place::Server(_) => {
            "what was erased is in no table any more; the server reuses its room in its files, its log and its replicas in its own time"
        }
    }
}
