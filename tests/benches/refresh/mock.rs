//! A token endpoint in a process of its own. A refresh token works once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Form, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::{Outcome, say};

/// What it has seen.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Seen {
    pub(crate) requests: usize,
    /// Requests with a token that was spent already.
    pub(crate) stale: usize,
    /// Accounts that were refreshed, and the most often that one was.
    pub(crate) accounts: usize,
    pub(crate) most: u32,
}

#[derive(Default)]
struct Tokens {
    seen: Seen,
    /// The generation of each account's tokens.
    generations: HashMap<String, u32>,
}

type Shared = Arc<Mutex<Tokens>>;

/// The refresh token of an account in a generation.
pub(crate) fn refresh_token(account: &str, generation: u32) -> String {
    format!("refresh-{generation}-{account}-{:064}", 7)
}

/// Serves until it is killed. The first line it writes is its port.
pub(crate) async fn serve() -> Outcome {
    let app = Router::new().route("/token", post(token)).route("/seen", get(seen)).with_state(Shared::default());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    say(listener.local_addr()?.port());
    Ok(axum::serve(listener, app).await?)
}

async fn token(State(tokens): State<Shared>, Form(form): Form<HashMap<String, String>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], answer(&tokens, form.get("refresh_token").map_or("", String::as_str)))
}

fn answer(tokens: &Shared, token: &str) -> String {
    let Ok(mut tokens) = tokens.lock() else { return String::new() };
    tokens.seen.requests += 1;
    let account = token.split('-').nth(2).unwrap_or_default();
    let generation = *tokens.generations.entry(account.to_owned()).or_insert(1);
    if token != refresh_token(account, generation) {
        tokens.seen.stale += 1;
        return r#"{"error":"invalid_grant"}"#.to_owned();
    }
    tokens.generations.insert(account.to_owned(), generation + 1);
    format!(
        r#"{{"access_token":"access-{next}-{account}-{:064}","refresh_token":"{}","expires_in":86400,"scope":"read"}}"#,
        7,
        refresh_token(account, generation + 1),
        next = generation + 1,
    )
}

async fn seen(State(tokens): State<Shared>) -> String {
    let Ok(tokens) = tokens.lock() else { return String::new() };
    let refreshed = tokens.generations.values().map(|generation| generation - 1);
    let seen = Seen {
        accounts: refreshed.clone().filter(|times| *times > 0).count(),
        most: refreshed.max().unwrap_or_default(),
        ..tokens.seen.clone()
    };
    serde_json::to_string(&seen).unwrap_or_default()
}
