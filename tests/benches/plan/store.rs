//! A store with many connections, each with a grant of its own.

use std::path::Path;

use connector_core::Context;
use connector_core::account::{Account, Profile};
use connector_core::scope::{GrantScopes, Granted, GrantedSource, split_scopes};
use connector_host::store::{
    AuditId, ConnectionId, Connections as _, GrantId, GrantRecord, Grants as _, NewConnection, SqliteStore,
};
use connector_host::testing::{DatabaseFile, Outcome, TENANT, allowed};
use connector_host::vault::Sealed;

use crate::PLATFORM;
use crate::common::say;

/// In how many ways people have answered.
pub(crate) const SHAPES: usize = 32;

const SCOPES: [&str; 6] =
    ["user.info.basic", "user.info.profile", "user.info.stats", "video.upload", "video.publish", "video.list"];

/// One of each shape by the store's own calls, and all others as copies of these rows: nobody waits for the disk so often.
pub(crate) async fn fill(cx: &Context, dir: &Path, connections: usize) -> Outcome {
    let store = SqliteStore::open(cx, dir).await?;
    for shape in 0..SHAPES.min(connections) {
        connect(cx, &store, shape).await?;
    }
    store.close().await;
    DatabaseFile::in_dir(dir).run(&copies(connections.saturating_sub(SHAPES)))?;
    say("filled");
    Ok(())
}

async fn connect(cx: &Context, store: &SqliteStore, shape: usize) -> Outcome {
    let given: Vec<&str> = SCOPES
        .iter()
        .enumerate()
        .filter(|(at, _)| *at == 0 || shape >> (at - 1) & 1 == 1)
        .map(|(_, scope)| *scope)
        .collect();
    let granted = Granted::Known { scopes: split_scopes(&given.join(" ")), source: GrantedSource::Token };
    let sealed = |length: usize| Some(Sealed::from_stored(vec![7; length]));
    let new = GrantRecord::new(GrantId::new(cx)?, TENANT, PLATFORM.parse()?, "default", "client", cx.now());
    let grant = GrantRecord {
        scopes: GrantScopes::of_flow(split_scopes(&SCOPES.join(" ")), granted),
        access: sealed(120),
        refresh: sealed(120),
        ..new
    };
    store.put_grant(&grant, &allowed(cx)?).await?;
    let account = NewConnection {
        id_if_new: ConnectionId::new(cx)?,
        account: Account { id: format!("account-{shape}"), profile: Profile::default() },
        reference: None,
        audit: AuditId::new(cx)?,
    };
    store.link_accounts(TENANT, &grant.id, &split_scopes(""), vec![account], cx.now()).await?;
    Ok(())
}

/// Statements that copy the rows there are, in turn, under ids of their own.
fn copies(number: usize) -> String {
    let id = |first: u8| format!("printf('{first:08x}-0000-7000-8000-%012x', rowid)");
    format!(
        "CREATE TEMP TABLE numbers AS
             WITH RECURSIVE counted(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM counted WHERE n + 1 < {number}) SELECT n FROM counted;
         CREATE TEMP TABLE old AS SELECT row_number() OVER (ORDER BY number) - 1 AS shape, id, grant_id FROM connections;
         CREATE TEMP TABLE g AS SELECT grants.* FROM numbers JOIN old ON shape = n % {SHAPES} JOIN grants ON grants.id = old.grant_id ORDER BY n;
         CREATE TEMP TABLE c AS SELECT connections.* FROM numbers JOIN old ON shape = n % {SHAPES} JOIN connections ON connections.id = old.id ORDER BY n;
         UPDATE g SET id = {grant};
         UPDATE c SET number = rowid + 1000, id = {connection}, grant_id = {grant}, account_id = 'copy-' || rowid;
         BEGIN; INSERT INTO grants SELECT * FROM g; INSERT INTO connections SELECT * FROM c; COMMIT;",
        grant = id(1),
        connection = id(2),
    )
}
