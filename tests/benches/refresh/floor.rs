//! What the protocol itself costs: the host's statements on one connection, in batches as large as can be, one thread, and nothing else.
//!
//! Two durable commits a batch, one before the requests and one after; tokens are opened and sealed. No task, no queue, no look at who else
//! refreshes, no second process to mind: what the host does beyond this is what its safety in a program costs.

use std::path::Path;
use std::sync::Arc;

use connector_core::http::{HttpTransport as _, ReqwestTransport};
use connector_core::{Context, Secret};
use connector_host::testing::TENANT;
use connector_host::vault::{Binding, Sealed, Vault, field};
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::task::JoinSet;
use url::Url;

use crate::host::{Prepared, database};
use crate::work::{Figures, Load, Meter, Tokens, refresh};
use crate::{Outcome, say};

const SELECT: &str = "SELECT *, (SELECT value FROM meta WHERE key = 'instance_name') AS owner,
        EXISTS (SELECT 1 FROM app_health AS health
                WHERE health.platform = grants.platform AND health.app = grants.app
                  AND health.client_id = grants.client_id) AS app_noted
     FROM grants WHERE tenant = $1 AND id = $2";

const MARK: &str = "UPDATE grants
     SET refresh_attempt = $2, refresh_unanswered = 1, refresh_sent_at = $3, refresh_clock = 'boot', refresh_tick = $3,
         parked_until = NULL
     WHERE id = $1";

const TAKE_OVER: &str = "UPDATE grants
     SET access = $2, access_expires_at = $3, refresh = $4, refresh_expires_at = $3, issued_at = $5, scopes = $6,
         updated_at = $5, generation = generation + 1, last_error = NULL, parked_until = NULL, kept_answer = NULL,
         refresh_attempt = NULL, refresh_sent_at = NULL, refresh_tick = NULL, refresh_unanswered = NULL
     WHERE id = $1";

const AUDIT: &str =
    "INSERT INTO audit (id, at, tenant, event, grant_id, detail) VALUES ($1, $2, $3, 'token_refreshed', $4, $5)";

/// Refreshes all grants of a file that a host has made.
pub(crate) async fn floor(dir: &Path, endpoint: &Url, load: Load) -> Outcome {
    let transport = Arc::new(ReqwestTransport::new());
    let cx = Context::system(Arc::clone(&transport) as Arc<_>);
    let Prepared { store, vault, ids, .. } = Prepared::new(&cx, dir, endpoint, load.grants).await?;
    drop(store);
    let mut rows = Rows { db: open(dir)?, vault, cx };
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let meter = Meter::start();
    for batch in ids.chunks(load.in_flight) {
        let tokens = rows.mark(batch)?;
        let answers = ask(&transport, endpoint, tokens).await?;
        rows.take_over(batch, &answers)?;
    }
    let commits = load.grants.div_ceil(load.in_flight) * 2;
    let figures = meter.stop(load);
    say(serde_json::to_string(&Figures { commits, operations: load.grants * 2, ..figures })?);
    Ok(())
}

fn open(dir: &Path) -> Outcome<Connection> {
    let db = Connection::open(database(dir))?;
    db.set_prepared_statement_cache_capacity(64);
    db.execute_batch("PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON")?;
    Ok(db)
}

/// All requests of a batch at once, and their answers in order.
async fn ask(transport: &Arc<ReqwestTransport>, endpoint: &Url, tokens: Vec<Secret>) -> Outcome<Vec<Tokens>> {
    let mut tasks = JoinSet::new();
    for (index, token) in tokens.into_iter().enumerate() {
        let (transport, request) = (Arc::clone(transport), refresh(endpoint, token.expose()));
        tasks.spawn(async move {
            let answer = transport.send(request).await?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((index, serde_json::from_slice(answer.body())?))
        });
    }
    let mut answers: Vec<(usize, Tokens)> = tasks.join_all().await.into_iter().collect::<Outcome<_>>()?;
    answers.sort_by_key(|(index, _)| *index);
    Ok(answers.into_iter().map(|(_, tokens)| tokens).collect())
}

/// The file, and what opens and seals the tokens in it.
struct Rows {
    db: Connection,
    vault: Vault,
    cx: Context,
}

impl Rows {
    /// Puts every attempt on record, and gives the tokens to send.
    fn mark(&mut self, batch: &[String]) -> Outcome<Vec<Secret>> {
        let transaction = self.db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let (mut select, mut mark) = (transaction.prepare_cached(SELECT)?, transaction.prepare_cached(MARK)?);
        let mut tokens = Vec::with_capacity(batch.len());
        for id in batch {
            let sealed: Option<Vec<u8>> = select.query_row([TENANT, id], |row| row.get("refresh")).optional()?;
            let sealed = Sealed::from_stored(sealed.ok_or("no such grant")?);
            tokens.push(self.vault.open(&binding(id, field::REFRESH, 1), &sealed)?);
            mark.execute(params![id, format!("attempt-{id}"), self.cx.now().as_millisecond()])?;
        }
        drop((select, mark));
        transaction.commit()?;
        Ok(tokens)
    }

    /// Stores every answer.
    fn take_over(&mut self, batch: &[String], answers: &[Tokens]) -> Outcome {
        let (vault, cx) = (&self.vault, &self.cx);
        let transaction = self.db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let mut select = transaction.prepare_cached(SELECT)?;
        let mut update = transaction.prepare_cached(TAKE_OVER)?;
        let mut audit = transaction.prepare_cached(AUDIT)?;
        for (id, tokens) in batch.iter().zip(answers) {
            let scopes: String = select.query_row([TENANT, id], |row| row.get("scopes"))?;
            let seal = |name, token: &str| vault.seal(cx, &binding(id, name, 2), &Secret::from(token));
            let (access, refresh) =
                (seal(field::ACCESS, &tokens.access_token)?, seal(field::REFRESH, &tokens.refresh_token)?);
            let now = cx.now().as_millisecond();
            let ends = now.saturating_add_unsigned(tokens.expires_in * 1000);
            update.execute(params![id, access.as_bytes(), ends, refresh.as_bytes(), now, scopes])?;
            audit.execute(params![format!("audit-{now}-{id}"), now, TENANT, id, r#"{"generation":2}"#])?;
        }
        drop((select, update, audit));
        Ok(transaction.commit()?)
    }
}

fn binding<'a>(id: &'a str, field: &'a str, generation: i64) -> Binding<'a> {
    Binding { tenant: TENANT, owner: id, field, generation }
}
