use serde_json::json;

use super::args::Purge;
use super::exit::Exit;
use super::output::Output;
use super::{ask, format};
use crate::error::{Error, Result};
use crate::host::Host;

pub(super) async fn run(host: &Host, tenant: &str, args: &Purge, output: Output) -> Result<Exit> {
    let connection = ask::one(host, tenant, &args.connection).await?.connection;
    let name = format::text(connection.profile.label().unwrap_or(&connection.account_id));
    if !args.yes {
        return Err(Error::Request(format!(
            "this erases {name} for good, with every count ever read: pass --yes to do it; nothing was changed"
        )));
    }
    let shredded = host.purge(tenant, &connection.id, args.leave_access).await?;
    output.either(&json!({ "purged": connection.id.as_str(), "files_clean": shredded }), || {
        format!("Erased {}: the connection, its history and its access are gone from here.", connection.id)
    });
    if !shredded {
        output.warn("what was erased may still be in the database's log until nobody else reads it; run any command later to be sure");
    }
    Ok(Exit::Done)
}
