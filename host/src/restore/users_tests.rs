//! Who may sign in after a restore.

use std::sync::Arc;

use connector_core::testing::FakeTransport;
use jiff::{SignedDuration, Timestamp};

use super::{Restore, audit, restore};
use crate::store::{
    SessionRecord, Sessions as _, SqliteStore, Store, UserCondition, UserId, UserRecord, Users as _, WHOLE_STORE,
};
use crate::testing::{Example, Installation, TENANT};
use crate::vault::unlock;

struct Place(Installation);

impl Place {
    async fn put(&self, store: &SqliteStore, name: &str) -> UserRecord {
        let (id, at) = (UserId::new(&self.0.cx).unwrap(), Timestamp::UNIX_EPOCH);
        let (name, tenant, password_hash) = (name.to_owned(), None, "hash".to_owned());
        let user =
            UserRecord { id, name, tenant, password_hash, created_at: at, password_changed_at: at, disabled_at: None };
        let record = audit(&self.0.cx, WHOLE_STORE, "user_created", &serde_json::json!({})).unwrap();
        assert!(store.put_user(&user, UserCondition::Any, &record).await.unwrap());
        user
    }

    async fn sign_in(&self, store: &SqliteStore, user: &UserRecord) {
        let at = Timestamp::UNIX_EPOCH;
        let (digest, user_id) = (user.name.clone(), user.id.clone());
        let session = SessionRecord {
            digest,
            user: user_id,
            created_at: at,
            last_seen_at: at,
            expires_at: at + SignedDuration::from_hours(1_000_000),
        };
        let record = audit(&self.0.cx, WHOLE_STORE, "signed_in", &serde_json::json!({})).unwrap();
        assert!(store.put_session(&session, &user.password_hash, &record).await.unwrap());
    }
}

#[tokio::test]
async fn nobody_comes_in_who_was_shut_out_since_the_backup() {
    let place = Place(Installation::new(Example::default(), FakeTransport::default().context()).unwrap());
    let (cx, file, keys) = (&place.0.cx, place.0.parent().join("backup"), place.0.keys());
    let store = place.0.store().await.unwrap();
    unlock(cx, &keys, &(Arc::clone(&store) as Arc<dyn Store>)).await.unwrap();
    let (same, changed) = (place.put(&store, "same").await, place.put(&store, "changed").await);
    let gone = place.put(&store, "gone").await;
    for user in [&same, &changed, &gone] {
        place.sign_in(&store, user).await;
    }
    store.back_up(&file).await.unwrap();
    let record = || audit(cx, WHOLE_STORE, "changed", &serde_json::json!({})).unwrap();
    let later = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1);
    assert!(store.set_password(&changed.id, "new hash", later, &record()).await.unwrap());
    assert!(store.disable_user(&gone.id, later, &record()).await.unwrap());
    let added = place.put(&store, "added").await;
    let (users, dir) = (store.users().await.unwrap(), place.0.dir());
    store.close().await;
    drop(store);

    let order = Restore { dir: &dir, file: &file, keys: &keys, name: None, tenant: TENANT, other_instance: false };
    assert!(restore(cx, &place.0.example.registry().unwrap(), &order).await.unwrap().compared);
    let store = place.0.store().await.unwrap();
    assert_eq!(store.users().await.unwrap(), users);
    for user in [same, changed, gone, added] {
        assert_eq!(store.sessions_of(&user.id).await.unwrap(), [], "{}", user.name);
    }
}
