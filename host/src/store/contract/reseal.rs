//! Sealed values by their key.

use super::bench::{Bench, TENANT, sealed};
use super::{Check, Outcome};
use crate::store::{GrantRecord, Refreshed, Resealed, SEALED_TABLES, SealedCount, SealedRow, SealedRowId, Settlement};
use crate::vault::{KeyId, Sealed};

pub(super) const CHECKS: &[Check] = &[
    Check { name: "sealed values are counted by their key", run: |bench| Box::pin(counted(bench)) },
    Check { name: "rows of other keys are found, each once", run: |bench| Box::pin(found(bench)) },
    Check { name: "a row says what its values are bound to", run: |bench| Box::pin(bound(bench)) },
    Check { name: "a row is sealed anew and is the same otherwise", run: |bench| Box::pin(sealed_anew(bench)) },
    Check { name: "a row that moved meanwhile is not sealed anew", run: |bench| Box::pin(moved(bench)) },
];

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn key(number: u8) -> Result<KeyId> {
    Ok(format!("000000{number:02x}").parse()?)
}

/// What a value under this key looks like to a store.
fn under(number: u8, text: &str) -> Result<Sealed> {
    Ok(Sealed::from_stored([&Sealed::front_of(key(number)?), [7; 24].as_slice(), text.as_bytes()].concat()))
}

/// A stored grant with its tokens under these keys.
async fn grant(bench: &Bench, access: u8, refresh: u8) -> Result<GrantRecord> {
    let mut grant = bench.grant()?;
    (grant.access, grant.refresh) = (Some(under(access, "access")?), Some(under(refresh, "refresh")?));
    bench.put_grant(&grant).await?;
    Ok(grant)
}

async fn all_but(bench: &Bench, number: u8, limit: u32) -> Result<Vec<SealedRow>> {
    let mut all: Vec<SealedRow> = Vec::new();
    loop {
        let last = all.last().map(|row| row.row.clone());
        let rows = bench.store.sealed_otherwise(key(number)?, last.as_ref(), limit).await?;
        if rows.is_empty() {
            return Ok(all);
        }
        assert!(rows.len() <= limit as usize);
        all.extend(rows);
    }
}

/// A flow, grants, a revocation and an answer under the first key but for one token.
async fn some_of_each(bench: &Bench) -> Result<[String; 4]> {
    let mut flow = bench.flow("waiting")?;
    flow.sealed = under(1, "verifier")?;
    bench.store.put_flow(&flow).await?;
    let (ended, connection) = bench.linked_one().await?;
    let mut revocation = bench.revocation(&ended)?;
    revocation.tokens.access = Some(under(1, "access")?);
    revocation.tokens.refresh = None;
    bench.disconnect(TENANT, &connection.id, bench.now(), vec![revocation.clone()]).await?;
    let grant = grant(bench, 1, 2).await?;
    let request = bench.request("key")?;
    bench.store.begin_request(&request, bench.now()).await?;
    assert!(bench.store.answer_request(&request.id, &under(1, "answer")?).await?);
    Ok([flow.id.to_string(), grant.id.to_string(), revocation.id.to_string(), request.id.to_string()])
}

async fn counted(bench: Bench) -> Outcome {
    assert_eq!(bench.store.count_sealed().await?, []);
    some_of_each(&bench).await?;
    let mut unreadable = bench.grant()?;
    (unreadable.access, unreadable.refresh) = (Some(sealed("not sealed at all")), Some(sealed("")));
    bench.put_grant(&unreadable).await?;
    let mut counts = bench.store.count_sealed().await?;
    counts.sort_by_key(|count| count.key);
    let expected = [(None, 2), (Some(key(1)?), 4), (Some(key(2)?), 1)];
    assert_eq!(counts, expected.map(|(key, values)| SealedCount { key, values }));
    Ok(())
}

async fn found(bench: Bench) -> Outcome {
    assert_eq!(all_but(&bench, 1, 10).await?, []);
    let ids = some_of_each(&bench).await?;
    let mut grants = vec![ids[1].clone()];
    for _ in 0..5 {
        grants.push(grant(&bench, 2, 2).await?.id.to_string());
    }
    grants.sort();
    let expected = |grants: &[String]| {
        let rows = [("flows", &ids[..1]), ("grants", grants), ("revocations", &ids[2..3]), ("requests", &ids[3..])];
        let place = |name| SEALED_TABLES.iter().position(|table| table.name == name).unwrap_or(usize::MAX);
        let rows = rows.into_iter().flat_map(|(name, ids)| ids.iter().map(move |id| (place(name), id.clone())));
        rows.map(|(table, id)| SealedRowId { table, id }).collect::<Vec<_>>()
    };
    for limit in [1, 2, 5, 100] {
        let names = |rows: Vec<SealedRow>| rows.into_iter().map(|row| row.row).collect::<Vec<_>>();
        assert_eq!(names(all_but(&bench, 9, limit).await?), expected(&grants));
        let other = names(all_but(&bench, 2, limit).await?);
        assert_eq!(other, expected(&ids[1..2]), "a row counts if one of its values does");
    }
    let mut empty = bench.grant()?;
    (empty.access, empty.refresh) = (Some(under(2, "access")?), Some(sealed("")));
    bench.put_grant(&empty).await?;
    let other = all_but(&bench, 2, 10).await?;
    assert!(other.iter().any(|row| row.row.id == empty.id.as_str()), "what is no sealed value is under no key");
    Ok(())
}

async fn bound(bench: Bench) -> Outcome {
    let [flow, grant, revocation, request] = some_of_each(&bench).await?;
    let rows = all_but(&bench, 9, 10).await?;
    let names: Vec<_> = rows.iter().map(|row| (SEALED_TABLES[row.row.table].name, row.row.id.clone())).collect();
    assert_eq!(names, [("flows", flow), ("grants", grant), ("revocations", revocation), ("requests", request)]);
    assert!(rows.iter().all(|row| row.tenant == TENANT));
    assert_eq!(rows.iter().map(|row| row.generation).collect::<Vec<_>>(), [0, 1, 0, 0]);
    let values = [vec![Some(under(1, "verifier")?)], vec![Some(under(1, "access")?), Some(under(2, "refresh")?), None]];
    assert_eq!(rows.iter().take(2).map(|row| row.values.clone()).collect::<Vec<_>>(), values);
    assert_eq!(rows[2].values, [Some(under(1, "access")?), None]);
    assert_eq!(rows[3].values, [Some(under(1, "answer")?)]);
    Ok(())
}

async fn sealed_anew(bench: Bench) -> Outcome {
    let mut grants = [grant(&bench, 1, 1).await?, grant(&bench, 1, 2).await?];
    let rows = all_but(&bench, 3, 10).await?;
    let anew =
        |old: SealedRow| Ok(Resealed { old, new: vec![Some(under(3, "access")?), Some(under(3, "refresh")?), None] });
    let rows = rows.into_iter().map(anew).collect::<Result<Vec<_>>>()?;
    assert_eq!(bench.store.reseal(&rows).await?, 2);
    assert_eq!(bench.store.reseal(&rows).await?, 0, "they are others now");
    assert_eq!(all_but(&bench, 3, 10).await?, []);
    for grant in &mut grants {
        (grant.access, grant.refresh) = (Some(under(3, "access")?), Some(under(3, "refresh")?));
        assert_eq!(bench.read(grant).await?, *grant, "nothing else of it has changed");
    }
    Ok(())
}

async fn moved(bench: Bench) -> Outcome {
    let stays = grant(&bench, 1, 1).await?;
    let refreshed = grant(&bench, 1, 1).await?;
    let given_up = grant(&bench, 1, 1).await?;
    let rows = all_but(&bench, 3, 10).await?;
    let new = Refreshed { access: under(1, "newer access")?, ..bench.refreshed("newer") };
    assert!(bench.settle(&refreshed, "a", Settlement::Refreshed(Box::new(new.clone()))).await?);
    assert!(bench.store.give_up_grant(TENANT, &given_up.id, None, &bench.audit("access_given_up")?).await?);
    let anew =
        |old: SealedRow| Ok(Resealed { old, new: vec![Some(under(3, "access")?), Some(under(3, "refresh")?), None] });
    let rows = rows.into_iter().map(anew).collect::<Result<Vec<_>>>()?;
    assert_eq!(bench.store.reseal(&rows).await?, 1);
    assert_eq!(bench.read(&stays).await?.access, Some(under(3, "access")?));
    assert_eq!(bench.read(&refreshed).await?.access, Some(new.access));
    assert_eq!(bench.store.grant(TENANT, &given_up.id).await?, None);
    Ok(())
}
