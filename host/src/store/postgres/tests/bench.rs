//! What the tests of this store share.

use connector_core::Context;
use connector_core::testing::FakeTransport;

use crate::store::postgres::PostgresStore;
use crate::store::testing::{self, Server};

pub(super) fn cx() -> Context {
    FakeTransport::default().context()
}

/// A server and the name and URL of a fresh database in it.
pub(super) fn fresh() -> Option<(&'static Server, String, String)> {
    let server = testing::postgres()?;
    let url = server.fresh_database();
    let (name, _) = url.rsplit('/').find_map(|part| part.split_once("?host=")).unwrap();
    let name = name.to_owned();
    Some((server, name, url))
}

pub(super) async fn open(url: &str) -> PostgresStore {
    PostgresStore::open(&cx(), url).await.unwrap()
}
