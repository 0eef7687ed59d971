use serde_json::json;

use super::args::{CreateLink, Links, LinksAction};
use super::exit::Exit;
use super::output::Output;
use super::running::Running;
use super::setup::Setup;
use crate::data::{ConnectLinkData, ConnectLinkPlanData, texts};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::links::{ConnectLinkPlan, NewConnectLink, ReturnUrls, Site};
use crate::public_url::PublicUrl;
use crate::serve::{Found, find};

pub(super) async fn run(setup: &Setup, running: &Running, args: &Links, output: Output) -> Result<Exit> {
    let host = setup.host(running, output).await?;
    match &args.action {
        LinksAction::Create(args) => create(setup, &host, args, output).await,
        LinksAction::Cancel { link } => cancel(&host, &setup.global.tenant, link, output).await,
    }
}

async fn create(setup: &Setup, host: &Host, args: &CreateLink, output: Output) -> Result<Exit> {
    // Whoever is at this terminal may send browsers where they like.
    let return_urls = args.return_url.iter().cloned().collect::<ReturnUrls>();
    let site = Site::new(public_url(setup, args).await?, return_urls);
    let new = NewConnectLink {
        tenant: setup.global.tenant.clone(),
        platform: host.platform(&args.platform)?.linked.id().clone(),
        app: args.app.clone(),
        reference: args.reference.clone(),
        reconnects: None,
        return_url: args.return_url.as_ref().map(ToString::to_string),
        life: args.expires_in,
    };
    if args.dry_run {
        let plan = host.plan_connect_link(&site, &new).await?;
        output.either(&ConnectLinkPlanData::from(&plan), || told(&plan));
        return Ok(Exit::Done);
    }
    let (link, url) = host.create_connect_link(&site, new).await?;
    if output.is_json() {
        let mut data = json!(ConnectLinkData::of(&link, host.context().now()));
        data["url"] = url.expose().into();
        output.data(&data);
        return Ok(Exit::Done);
    }
    output
        .note(format!("Made the connect link {}, good until {:.0}. It is not shown again:", link.id, link.expires_at));
    output.say(url.expose());
    Ok(Exit::Done)
}

fn told(plan: &ConnectLinkPlan) -> String {
    let scopes = texts(&plan.requested).join("\n  ");
    format!(
        "It would ask for\n  {scopes}\nThe platform would send the browser back to\n  {}\nIt would end at\n  {:.0}",
        plan.redirect_uri, plan.expires_at
    )
}

/// What browsers call the host: what was said, else what the `serve` on this data says.
async fn public_url(setup: &Setup, args: &CreateLink) -> Result<PublicUrl> {
    if let Some(url) = &args.public_url {
        return Ok(url.clone());
    }
    match find(&setup.data_dir()?).await? {
        Found::Running(notice) => notice.public_url.parse().map_err(Error::Machine),
        Found::Nobody | Found::Ended(_) => Err(Error::Request(
            "no `serve` runs on this data that would say what browsers call it: start one, or pass --public-url, such as https://connect.example.com"
                .to_owned(),
        )),
    }
}

async fn cancel(host: &Host, tenant: &str, text: &str, output: Output) -> Result<Exit> {
    let id = text.parse()?;
    let cancelled = host.cancel_connect_link(tenant, &id).await?;
    output.either(&json!({ "id": id.as_str(), "cancelled": cancelled }), || {
        if cancelled {
            format!("The connect link {id} is of no use any more.")
        } else {
            format!("The connect link {id} had ended before.")
        }
    });
    Ok(Exit::Done)
}
