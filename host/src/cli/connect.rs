use connector_core::app::{App, PlatformId};
use connector_core::oauth::Purpose;
use connector_core::{Connector, Context};

use super::args::{Browse, Connect, Reconnect};
use super::exit::Exit;
use super::flow::{Wish, walk};
use super::output::Output;
use super::redirect::{PRINTED_PORT, redirect_uri};
use super::running::Running;
use super::setup::Setup;
use super::told::told;
use super::{ask, needed};
use crate::error::Result;
use crate::flow::authorize_url;
use crate::host::{Host, not_configured};

pub(super) async fn run(setup: &Setup, running: &Running, args: &Connect, output: Output) -> Result<Exit> {
    let linked = setup.registry.get(&args.platform)?;
    let (config, cx) = (setup.config(output)?, Setup::context());
    let realm = setup.realm(&cx, running).await?;
    let settings = config.settings.platforms.get(linked.id()).ok_or_else(|| not_configured(linked))?;
    // What the app lacks is said before anything is made on this machine.
    let app = realm.app(linked, &args.app, settings.app(&args.app)?)?;
    if args.browse.print_url {
        let connector = linked.build(settings.catalogue.clone());
        return print_url(&cx, connector.as_ref(), linked.id(), &app, Purpose::Connect, &args.browse, output).await;
    }
    let host = setup.open(config, &setup.data_dir()?, cx, realm, running, output).await?;
    let wish = Wish { reference: args.reference.clone(), reconnects: None, other_account: false };
    go(&host, setup, linked.id(), wish, &app, &args.browse, output).await
}

pub(super) async fn again(setup: &Setup, running: &Running, args: &Reconnect, output: Output) -> Result<Exit> {
    let host = setup.host(running, output).await?;
    let Some(connection) = &args.connection else { return needed::run(&host, setup, args, output).await };
    let connection = ask::one_grant(&host, &setup.global.tenant, connection).await?.connection;
    let app = host.app(connection.platform.as_str(), &connection.app)?;
    if args.browse.print_url {
        let (platform, purpose) = (connection.platform, Purpose::Reauthorize);
        let configured = host.platform(platform.as_str())?;
        let connector = configured.connector.as_ref();
        return print_url(host.context(), connector, &platform, &app, purpose, &args.browse, output).await;
    }
    let wish = Wish { reference: None, reconnects: Some(connection.id), other_account: args.other_account };
    go(&host, setup, &connection.platform, wish, &app, &args.browse, output).await
}

/// Prints the address that a flow would open.
pub(super) async fn print_url(
    cx: &Context,
    connector: &dyn Connector,
    platform: &PlatformId,
    app: &App,
    purpose: Purpose,
    browse: &Browse,
    output: Output,
) -> Result<Exit> {
    let redirect = redirect_uri(app, platform, browse, browse.port.unwrap_or(PRINTED_PORT))?;
    output.say(authorize_url(cx, connector, app, redirect, purpose).await?);
    Ok(Exit::Done)
}

/// Asks one person, and says how that ended.
async fn go(
    host: &Host,
    setup: &Setup,
    platform: &PlatformId,
    wish: Wish,
    app: &App,
    browse: &Browse,
    output: Output,
) -> Result<Exit> {
    let completed = walk(host, &setup.global.tenant, platform, wish, app, browse, output).await?;
    host.revoke_due().await?;
    Ok(told(&completed, output))
}
