//! Users, and where they have signed in.

use jiff::Timestamp;
use tokio::task::JoinSet;

use super::bench::{Bench, TENANT};
use super::{Check, Outcome};
use crate::store::{SessionRecord, StoreError, UserCondition, UserId, UserRecord};

pub(super) const CHECKS: &[Check] = &[
    Check { name: "a user is found by id and by name", run: |bench| Box::pin(found(bench)) },
    Check { name: "no two users have one name", run: |bench| Box::pin(one_name(bench)) },
    Check { name: "of many users of one name one is added", run: |bench| Box::pin(raced(bench)) },
    Check { name: "of many first admins one is added", run: |bench| Box::pin(first_admin(bench)) },
    Check { name: "a new password ends the sessions of its user", run: |bench| Box::pin(password(bench)) },
    Check { name: "a user who is disabled has no sessions", run: |bench| Box::pin(disabled(bench)) },
    Check { name: "a session begins with the password that counts", run: |bench| Box::pin(begun(bench)) },
    Check { name: "no session outlives a password it raced with", run: |bench| Box::pin(outlived(bench)) },
    Check { name: "a session is seen once in a while", run: |bench| Box::pin(seen(bench)) },
    Check { name: "sessions are ended", run: |bench| Box::pin(ended(bench)) },
    Check { name: "sessions are pruned when they are over", run: |bench| Box::pin(pruned(bench)) },
    Check { name: "users of another instance are only looked at", run: |bench| Box::pin(only_looked_at(bench)) },
];

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn user(bench: &Bench, name: &str) -> Result<UserRecord> {
    Ok(UserRecord {
        id: UserId::new(&bench.cx)?,
        name: name.to_owned(),
        tenant: Some(TENANT.to_owned()),
        password_hash: format!("hash of {name}"),
        created_at: bench.now(),
        password_changed_at: bench.now(),
        disabled_at: None,
    })
}

async fn put(bench: &Bench, user: &UserRecord) -> crate::store::Result<bool> {
    bench.store.put_user(user, UserCondition::Any, &bench.audit("user_created")?).await
}

async fn stored(bench: &Bench, name: &str) -> Result<UserRecord> {
    let user = user(bench, name)?;
    assert!(put(bench, &user).await?);
    Ok(user)
}

fn session(bench: &Bench, user: &UserRecord, digest: &str) -> SessionRecord {
    SessionRecord {
        digest: digest.to_owned(),
        user: user.id.clone(),
        created_at: bench.now(),
        last_seen_at: bench.now(),
        expires_at: bench.minutes(60),
    }
}

async fn begin(bench: &Bench, session: &SessionRecord, hash: &str) -> crate::store::Result<bool> {
    bench.store.put_session(session, hash, &bench.audit("signed_in")?).await
}

async fn signed_in(bench: &Bench, user: &UserRecord, digest: &str) -> Result<SessionRecord> {
    let session = session(bench, user, digest);
    assert!(begin(bench, &session, &user.password_hash).await?);
    Ok(session)
}

async fn set_password(bench: &Bench, id: &UserId, hash: &str, now: Timestamp) -> crate::store::Result<bool> {
    bench.store.set_password(id, hash, now, &bench.audit("password_changed")?).await
}

async fn disable(bench: &Bench, id: &UserId, now: Timestamp) -> crate::store::Result<bool> {
    bench.store.disable_user(id, now, &bench.audit("user_disabled")?).await
}

async fn on_record(bench: &Bench) -> Result<Vec<String>> {
    Ok(bench.on_record().await?.into_iter().map(|(event, _)| event).collect())
}

async fn found(bench: Bench) -> Outcome {
    assert_eq!(bench.store.users().await?, []);
    let member = UserRecord { created_at: bench.minutes(1), ..user(&bench, "Zoë")? };
    let admin = UserRecord { tenant: None, ..user(&bench, "admin")? };
    for user in [&member, &admin] {
        assert_eq!((bench.store.user(&user.id).await?, bench.store.user_by_name(&user.name).await?), (None, None));
        assert!(put(&bench, user).await?);
        assert_eq!(bench.store.user(&user.id).await?.as_ref(), Some(user));
    }
    for name in ["Zoë", "zoë", "ZOË"] {
        assert_eq!(bench.store.user_by_name(name).await?.as_ref(), Some(&member), "{name}");
    }
    for unknown in ["", "Zoe", "zoë ", "%"] {
        assert_eq!(bench.store.user_by_name(unknown).await?, None, "{unknown}");
    }
    assert_eq!(bench.store.users().await?, [admin, member], "the oldest first");
    assert_eq!(on_record(&bench).await?, ["user_created", "user_created"]);
    Ok(())
}

async fn one_name(bench: Bench) -> Outcome {
    let first = stored(&bench, "Zoë").await?;
    let before = bench.on_record().await?;
    for name in ["Zoë", "zoë", "ZOË"] {
        assert!(!put(&bench, &UserRecord { tenant: None, ..user(&bench, name)? }).await?, "{name}");
    }
    assert_eq!(bench.on_record().await?, before);
    assert!(disable(&bench, &first.id, bench.now()).await?);
    assert!(!put(&bench, &user(&bench, "zoë")?).await?, "nobody comes in by the name of one who is disabled");
    assert_eq!(bench.store.users().await?.len(), 1);
    let again = UserRecord { id: first.id, ..user(&bench, "other")? };
    let put = put(&bench, &again).await;
    assert!(matches!(put, Err(StoreError::Conflict(_))), "there is a user of this id: {put:?}");
    Ok(())
}

/// Puts all of them at once, and says how many were added.
async fn at_once(bench: &Bench, users: Vec<UserRecord>, when: UserCondition) -> Result<usize> {
    let mut running = JoinSet::new();
    for user in users {
        let (store, audit) = (bench.store.clone(), bench.audit("user_created")?);
        running.spawn(async move { store.put_user(&user, when, &audit).await });
    }
    let mut added = 0;
    while let Some(put) = running.join_next().await {
        added += usize::from(put??);
    }
    Ok(added)
}

async fn raced(bench: Bench) -> Outcome {
    let users = (0..8).map(|_| user(&bench, "name")).collect::<Result<_>>()?;
    assert_eq!(at_once(&bench, users, UserCondition::Any).await?, 1);
    assert_eq!((bench.store.users().await?.len(), on_record(&bench).await?.len()), (1, 1));
    Ok(())
}

async fn first_admin(bench: Bench) -> Outcome {
    stored(&bench, "member").await?;
    let admin = |number| Ok(UserRecord { tenant: None, ..user(&bench, &format!("admin {number}"))? });
    let admins = (0..8).map(admin).collect::<Result<Vec<_>>>()?;
    assert_eq!(at_once(&bench, admins.clone(), UserCondition::NoAdmin).await?, 1);
    assert_eq!(at_once(&bench, admins, UserCondition::NoAdmin).await?, 0);
    Ok(())
}

async fn password(bench: Bench) -> Outcome {
    let (one, other) = (stored(&bench, "one").await?, stored(&bench, "other").await?);
    signed_in(&bench, &one, "aa").await?;
    signed_in(&bench, &one, "bb").await?;
    let others = signed_in(&bench, &other, "cc").await?;
    assert!(set_password(&bench, &one.id, "new hash", bench.minutes(1)).await?);
    assert_eq!(bench.store.sessions_of(&one.id).await?, []);
    assert_eq!(bench.store.session_by_digest("aa").await?, None);
    assert_eq!(bench.store.sessions_of(&other.id).await?, [others]);
    let changed =
        UserRecord { password_hash: "new hash".to_owned(), password_changed_at: bench.minutes(1), ..one.clone() };
    assert_eq!(bench.store.user(&one.id).await?, Some(changed));
    assert_eq!(on_record(&bench).await?.iter().filter(|event| *event == "password_changed").count(), 1);
    assert!(!set_password(&bench, &UserId::new(&bench.cx)?, "hash", bench.now()).await?, "there is no such user");
    Ok(())
}

async fn disabled(bench: Bench) -> Outcome {
    let one = stored(&bench, "one").await?;
    signed_in(&bench, &one, "aa").await?;
    assert!(disable(&bench, &one.id, bench.minutes(1)).await?);
    let before = bench.on_record().await?;
    assert!(!disable(&bench, &one.id, bench.minutes(2)).await?, "that was done before");
    assert!(!disable(&bench, &UserId::new(&bench.cx)?, bench.now()).await?, "there is no such user");
    assert_eq!(bench.on_record().await?, before);
    assert_eq!(bench.store.session_by_digest("aa").await?, None);
    assert!(!begin(&bench, &session(&bench, &one, "bb"), &one.password_hash).await?);
    let disabled = UserRecord { disabled_at: Some(bench.minutes(1)), ..one };
    assert_eq!(bench.store.user(&disabled.id).await?, Some(disabled.clone()));
    assert!(set_password(&bench, &disabled.id, "new hash", bench.now()).await?);
    assert!(!begin(&bench, &session(&bench, &disabled, "cc"), "new hash").await?, "it is for good");
    Ok(())
}

async fn begun(bench: Bench) -> Outcome {
    let one = stored(&bench, "one").await?;
    let before = bench.on_record().await?;
    assert!(!begin(&bench, &session(&bench, &one, "aa"), "the hash before").await?);
    let nobody = UserRecord { id: UserId::new(&bench.cx)?, ..one.clone() };
    assert!(!begin(&bench, &session(&bench, &nobody, "aa"), &one.password_hash).await?);
    assert_eq!((bench.store.session_by_digest("aa").await?, bench.on_record().await?), (None, before));
    let session = signed_in(&bench, &one, "aa").await?;
    let again = begin(&bench, &session, &one.password_hash).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "there is one of this digest: {again:?}");
    assert_eq!(bench.store.session_by_digest("aa").await?, Some((session.clone(), one.clone())));
    assert_eq!(bench.store.session_by_digest("AA").await?, None);
    let later = SessionRecord { created_at: bench.minutes(1), ..self::session(&bench, &one, "0a") };
    assert!(begin(&bench, &later, &one.password_hash).await?);
    assert_eq!(bench.store.sessions_of(&one.id).await?, [session, later], "the oldest first");
    Ok(())
}

async fn outlived(bench: Bench) -> Outcome {
    for round in 0..8 {
        let one = stored(&bench, &format!("user {round}")).await?;
        let (begins, changes) = (bench.clone(), bench.clone());
        let (session, hash, id) = (session(&bench, &one, &one.name), one.password_hash.clone(), one.id.clone());
        let begins = tokio::spawn(async move { begin(&begins, &session, &hash).await });
        let changes = tokio::spawn(async move {
            let now = changes.now();
            if round % 2 == 0 {
                set_password(&changes, &id, "new", now).await
            } else {
                disable(&changes, &id, now).await
            }
        });
        begins.await??;
        assert!(changes.await??);
        assert_eq!(bench.store.sessions_of(&one.id).await?, [], "whichever of the two was first");
    }
    Ok(())
}

async fn seen(bench: Bench) -> Outcome {
    let one = stored(&bench, "one").await?;
    let session = signed_in(&bench, &one, "aa").await?;
    let last = async |digest: &str| {
        bench.store.session_by_digest(digest).await.map(|found| found.map(|(s, _)| s.last_seen_at))
    };
    bench.store.session_seen("aa", bench.minutes(5), bench.minutes(-1)).await?;
    assert_eq!(last("aa").await?, Some(session.last_seen_at), "it was seen after that");
    bench.store.session_seen("aa", bench.minutes(5), bench.minutes(4)).await?;
    assert_eq!(last("aa").await?, Some(bench.minutes(5)));
    bench.store.session_seen("bb", bench.minutes(5), bench.minutes(4)).await?;
    assert_eq!(last("bb").await?, None, "there is none");
    Ok(())
}

async fn ended(bench: Bench) -> Outcome {
    let (one, other) = (stored(&bench, "one").await?, stored(&bench, "other").await?);
    for digest in ["aa", "bb", "cc"] {
        signed_in(&bench, &one, digest).await?;
    }
    signed_in(&bench, &other, "dd").await?;
    let digests = async |user: &UserRecord| -> Result<Vec<String>> {
        Ok(bench.store.sessions_of(&user.id).await?.into_iter().map(|session| session.digest).collect())
    };
    assert!(bench.store.end_session("aa", &bench.audit("signed_out")?).await?);
    let before = bench.on_record().await?;
    assert!(!bench.store.end_session("aa", &bench.audit("signed_out")?).await?);
    assert_eq!(bench.on_record().await?, before);
    assert_eq!(bench.store.end_sessions(&one.id, Some("cc"), &bench.audit("sessions_ended")?).await?, 1);
    assert_eq!(digests(&one).await?, ["cc"]);
    assert_eq!(bench.store.end_sessions(&one.id, None, &bench.audit("sessions_ended")?).await?, 1);
    assert_eq!(bench.store.end_sessions(&one.id, None, &bench.audit("sessions_ended")?).await?, 0);
    assert_eq!((digests(&one).await?, digests(&other).await?), (vec![], vec!["dd".to_owned()]));
    let ends = on_record(&bench).await?.into_iter().filter(|event| event == "sessions_ended").count();
    assert_eq!(ends, 2, "what ended nothing is not on record");
    Ok(())
}

async fn pruned(bench: Bench) -> Outcome {
    let one = stored(&bench, "one").await?;
    let stays = signed_in(&bench, &one, "aa").await?;
    let idle = SessionRecord { last_seen_at: bench.minutes(-30), ..session(&bench, &one, "bb") };
    let expired = SessionRecord { expires_at: bench.minutes(1), ..session(&bench, &one, "cc") };
    for session in [&idle, &expired] {
        assert!(begin(&bench, session, &one.password_hash).await?);
    }
    assert_eq!(bench.store.prune_sessions(bench.minutes(2), bench.minutes(-20)).await?, 2);
    assert_eq!(bench.store.sessions_of(&one.id).await?, [stays]);
    assert_eq!(bench.store.prune_sessions(Timestamp::MAX, Timestamp::MAX).await?, 1);
    Ok(())
}

async fn only_looked_at(bench: Bench) -> Outcome {
    let one = stored(&bench, "one").await?;
    signed_in(&bench, &one, "aa").await?;
    bench.store.adopt(&"elsewhere".parse()?, &bench.audit("store_adopted")?).await?;
    let before = bench.on_record().await?;
    let not_ours = |done: crate::store::Result<bool>| matches!(done, Err(StoreError::NotOurs { .. }));
    assert!(not_ours(put(&bench, &user(&bench, "two")?).await));
    assert!(not_ours(set_password(&bench, &one.id, "new", bench.now()).await));
    assert!(not_ours(disable(&bench, &one.id, bench.now()).await));
    assert!(not_ours(begin(&bench, &session(&bench, &one, "bb"), &one.password_hash).await));
    assert_eq!((bench.store.users().await?, bench.on_record().await?), (vec![one], before));
    Ok(())
}
