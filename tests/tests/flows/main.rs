//! Flows end to end: the program in processes of its own, emulators, and a browser that is a script.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api;
mod api_keys;
mod audit;
mod callback;
mod commands;
mod configuration;
mod connect;
mod consent;
mod database;
mod demo;
mod deploy;
mod disconnect;
mod doctor;
mod events;
mod handed_out;
mod idempotency;
mod instance;
mod links;
mod machine;
mod operations;
mod outage;
mod page;
mod plan;
mod posture;
mod proxied;
mod purge;
mod reconnect;
mod refresh;
mod reload;
mod scopes;
mod secrets;
mod serve;
mod sign_in;
mod support;
mod surfaces;
mod tokens;
mod transfer;
mod two_accounts;
