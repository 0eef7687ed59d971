use serde_json::json;

use super::args::Disconnect;
use super::exit::Exit;
use super::output::Output;
use super::running::Running;
use super::setup::Setup;
use super::{ask, format};
use crate::data::revocation;
use crate::error::Result;
use crate::flow::Revocation;

pub(super) async fn run(setup: &Setup, running: &Running, args: &Disconnect, output: Output) -> Result<Exit> {
    let host = setup.host(running, output).await?;
    let tenant = &setup.global.tenant;
    let connection = ask::one(&host, tenant, &args.connection).await?.connection;
    let done = host.disconnect(tenant, &connection.id).await?;
    let name = format::text(connection.profile.label().unwrap_or(&connection.account_id));
    let text = match &done.revocation {
        Revocation::Done => "its access is revoked at the platform.".to_owned(),
        Revocation::GrantInUse => "other connections still use the same access, so it stays.".to_owned(),
        Revocation::NotOffered => {
            "it cannot be revoked from here; the person can remove the app at the platform.".to_owned()
        }
        Revocation::NotOurs => "it was held here for its other owner, so the platform was told nothing.".to_owned(),
        Revocation::Unconfirmed => {
            "the platform no longer takes its tokens; should the app still show there, the person can remove it."
                .to_owned()
        }
        Revocation::Pending(error) => {
            format!("the platform could not be told yet ({error}); later commands try again.")
        }
    };
    let word = revocation(&done.revocation);
    output.either(&json!({ "connection": connection.id.as_str(), "revocation": word }), || {
        format!("Disconnected {name}: {text}")
    });
    host.revoke_due().await?;
    Ok(Exit::Done)
}
