use jiff::Timestamp;
use serde_json::json;

use super::args::{CreateLink, Links, LinksAction};
use super::exit::Exit;
use super::output::Output;
use super::running::Running;
use super::setup::Setup;
use super::table::table;
use crate::data::{ConnectLinkData, ConnectLinkPlanData, texts};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::links::{ConnectLinkPlan, NewConnectLink, ReturnUrls, Site};
use crate::public_url::PublicUrl;
use crate::serve::{Found, find};
use crate::store::{ConnectLinkRecord, ConnectLinkState};

pub(super) async fn run(setup: &Setup, running: &Running, args: &Links, output: Output) -> Result<Exit> {
    let host = setup.host(running, output).await?;
    match &args.action {
        LinksAction::List { state, limit } => list(&host, &setup.global.tenant, *state, *limit, output).await,
        LinksAction::Create(args) => create(setup, &host, args, output).await,
        LinksAction::Cancel { link } => cancel(&host, &setup.global.tenant, link, output).await,
    }
}

async fn list(host: &Host, tenant: &str, state: Option<ConnectLinkState>, limit: u32, output: Output) -> Result<Exit> {
    let (links, now) = (latest(host, tenant, state, limit).await?, host.context().now());
    output.either(&links.iter().map(|link| ConnectLinkData::of(link, now)).collect::<Vec<_>>(), || text(&links, now));
    Ok(Exit::Done)
}

/// The latest links, of which a page may hold fewer than there are.
async fn latest(
    host: &Host,
    tenant: &str,
    state: Option<ConnectLinkState>,
    limit: u32,
) -> Result<Vec<ConnectLinkRecord>> {
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let (mut links, mut after) = (Vec::new(), None);
    loop {
        let page = host.connect_links(tenant, state, after, limit).await?;
        links.extend(page.items);
        after = page.next;
        if after.is_none() || links.len() >= most {
            links.truncate(most);
            return Ok(links);
        }
    }
}

fn text(links: &[ConnectLinkRecord], now: Timestamp) -> String {
    if links.is_empty() {
        return "There is no such connect link; `connector-host links create <platform>` makes one.".to_owned();
    }
    let rows = links.iter().map(|link| {
        [
            link.id.to_string(),
            link.platform.to_string(),
            link.app.clone(),
            link.reference.clone().unwrap_or_default(),
            link.state(now).to_string(),
            format!("{:.0}", link.created_at),
            format!("{:.0}", link.expires_at),
        ]
    });
    table(["id", "platform", "app", "reference", "state", "created", "expires"], rows)
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
