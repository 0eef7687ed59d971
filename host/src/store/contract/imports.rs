//! Taking access over.

use super::bench::{Bench, TENANT, platform, sealed};
use super::{Check, Outcome};
use crate::store::{
    AuditId, ConnectionId, ConnectionState, GrantId, GrantRecord, GrantState, Import, Imported, SeenGrant,
};

pub(super) const CHECKS: &[Check] = &[
    Check { name: "an import makes connections that are held", run: |bench| Box::pin(makes_connections(bench)) },
    Check { name: "an import gives a held grant its newest tokens", run: |bench| Box::pin(updates_held(bench)) },
    Check { name: "an import renews a connection that needs its person", run: |bench| Box::pin(renews_dead(bench)) },
    Check { name: "an import changes nothing that has moved", run: |bench| Box::pin(moved(bench)) },
    Check { name: "the connections of accounts are found under every app", run: |bench| Box::pin(found(bench)) },
];

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn held() -> GrantState {
    GrantState::Held { reason: "imported".to_owned() }
}

fn import(bench: &Bench, account: &str, seen: Option<&GrantRecord>) -> Result<Import> {
    let grant = GrantRecord { state: held(), subject: None, unlinked: None, last_error: None, ..bench.grant()? };
    let seen =
        seen.map(|grant| SeenGrant { id: grant.id.clone(), generation: grant.generation, state: grant.state.clone() });
    let (id_if_new, audit) = (ConnectionId::new(&bench.cx)?, AuditId::new(&bench.cx)?);
    Ok(Import {
        grant,
        account_id: account.to_owned(),
        reference: Some(format!("ref {account}")),
        id_if_new,
        seen,
        audit,
    })
}

async fn makes_connections(bench: Bench) -> Outcome {
    let mut imports = [import(&bench, "acct-1", None)?, import(&bench, "acct-2", None)?];
    "other".clone_into(&mut imports[1].grant.tenant);
    let done = bench.store.import_connections(&imports).await?;
    assert_eq!(done, imports.clone().map(|import| Imported::Linked(import.id_if_new)));
    for import in &imports {
        let tenant = &import.grant.tenant;
        let stored = bench.store.connection(tenant, &import.id_if_new).await?.ok_or("nothing was stored")?;
        assert_eq!((stored.state(), &stored.grant), (ConnectionState::Held, &import.grant));
        assert_eq!(
            (&stored.connection.account_id, &stored.connection.reference),
            (&import.account_id, &import.reference)
        );
        assert!(stored.connection.profile.is_empty());
    }
    assert_eq!(bench.on_record().await?, [("imported".to_owned(), r#"{"outcome":"new"}"#.to_owned())]);
    Ok(())
}

/// A held connection, as it is stored.
async fn held_one(bench: &Bench) -> Result<(GrantRecord, ConnectionId)> {
    let first = import(bench, "acct-1", None)?;
    bench.store.import_connections(std::slice::from_ref(&first)).await?;
    Ok((first.grant, first.id_if_new))
}

async fn updates_held(bench: Bench) -> Outcome {
    let (grant, connection) = held_one(&bench).await?;
    let mut again = import(&bench, "acct-1", Some(&grant))?;
    again.reference = Some("another".to_owned());
    again.grant = GrantRecord {
        access: Some(sealed("access 2")),
        refresh: Some(sealed("refresh 2")),
        refresh_expires_at: None,
        generation: 2,
        updated_at: bench.minutes(1),
        ..grant.clone()
    };
    let done = bench.store.import_connections(std::slice::from_ref(&again)).await?;
    assert_eq!(done, [Imported::Updated(connection.clone())]);
    assert_eq!(bench.read(&grant).await?, again.grant);
    let reference = async || {
        let stored = bench.store.connection(TENANT, &connection).await?.ok_or("the connection is gone")?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(stored.connection.reference)
    };
    assert_eq!(reference().await?.as_deref(), Some("another"));
    let mut third = import(&bench, "acct-1", Some(&again.grant))?;
    (third.reference, third.grant) = (None, GrantRecord { generation: 3, ..again.grant.clone() });
    bench.store.import_connections(std::slice::from_ref(&third)).await?;
    assert_eq!(reference().await?.as_deref(), Some("another"), "who says nothing changes nothing");
    Ok(())
}

async fn renews_dead(bench: Bench) -> Outcome {
    let (dead, connection) = bench.linked_one().await?;
    let lost = GrantState::ReauthRequired { reason: "key_lost".to_owned() };
    assert!(bench.set_state(&dead.id, 1, &lost, bench.now()).await?);
    let import = import(&bench, "acct-1", Some(&bench.read(&dead).await?))?;
    let done = bench.store.import_connections(std::slice::from_ref(&import)).await?;
    assert_eq!(done, [Imported::Linked(connection.id.clone())]);
    let stored = bench.store.connection(TENANT, &connection.id).await?.ok_or("the connection is gone")?;
    assert_eq!((stored.state(), &stored.grant.id), (ConnectionState::Held, &import.grant.id));
    assert_eq!(stored.connection.profile, connection.profile, "what was known stays");
    assert_eq!(bench.store.grant(TENANT, &dead.id).await?, None, "its tokens must be gone");
    Ok(())
}

async fn moved(bench: Bench) -> Outcome {
    let (grant, connection) = held_one(&bench).await?;
    let newer = GrantRecord { generation: 7, ..grant.clone() };
    let active = GrantRecord { state: GrantState::Active, ..grant.clone() };
    let other = GrantRecord { id: GrantId::new(&bench.cx)?, ..grant.clone() };
    let unseen = [None, Some(&newer), Some(&active), Some(&other)];
    let imports = unseen.map(|seen| import(&bench, "acct-1", seen));
    let imports = imports.into_iter().collect::<Result<Vec<_>>>()?;
    assert_eq!(bench.store.import_connections(&imports).await?, vec![Imported::Moved; 4]);
    assert_eq!(bench.read(&grant).await?, grant);
    assert_eq!(bench.on_record().await?.len(), 1, "what changes nothing leaves no record");

    bench.disconnect(TENANT, &connection, bench.now(), vec![]).await?;
    let over = bench.read(&grant).await?;
    let done = bench.store.import_connections(&[import(&bench, "acct-1", Some(&over))?]).await?;
    assert_eq!(done, [Imported::Moved], "what was given up stays given up");
    Ok(())
}

async fn found(bench: Bench) -> Outcome {
    let mut imports = ["acct-1", "acct-1", "acct-2", "acct-1"].map(|account| import(&bench, account, None));
    if let [_, Ok(second), _, Ok(fourth)] = &mut imports {
        "second".clone_into(&mut second.grant.app);
        fourth.grant.platform = platform("beacon")?;
    }
    let imports = imports.into_iter().collect::<Result<Vec<_>>>()?;
    bench.store.import_connections(&imports).await?;
    let ask = async |tenant: &str, accounts: &[&str]| {
        let accounts: Vec<String> = accounts.iter().map(|account| (*account).to_owned()).collect();
        let found = bench.store.connections_of_accounts(tenant, &platform("lantern")?, &accounts).await?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(
            found.into_iter().map(|found| (found.connection.account_id, found.connection.app)).collect::<Vec<_>>(),
        )
    };
    let pair = |account: &str, app: &str| (account.to_owned(), app.to_owned());
    assert_eq!(ask(TENANT, &["acct-1"]).await?, [pair("acct-1", "default"), pair("acct-1", "second")]);
    assert_eq!(ask(TENANT, &["acct-2", "acct-3"]).await?, [pair("acct-2", "default")]);
    assert_eq!(ask("other", &["acct-1"]).await?, []);
    Ok(())
}
