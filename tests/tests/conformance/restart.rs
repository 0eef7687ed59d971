//! An emulator that is stopped and started again.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use connector_core::Secret;

use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::{Check, Verdict, wait};

pub(crate) const CHECKS: &[Check] = &[
    ("keeps_its_grants_when_the_emulator_restarts", |subject| wait(keeps(subject))),
    ("has_an_emulator_that_keeps_no_token", |subject| wait(no_token(subject))),
];

async fn keeps(subject: &Subject) -> Verdict {
    let stage = Stage::open(subject).await?;
    let (grant, origin) = (stage.grant().await?, stage.running.info.origin.clone());
    let ids = stage.account_ids(&grant).await?;
    let stage = stage.restart().await?;
    assert_eq!(stage.running.info.origin, origin, "it came back elsewhere");
    assert_eq!(stage.account_ids(&grant).await?, ids);
    if grant.tokens.refresh.is_some() {
        assert_eq!(stage.account_ids(&stage.refreshed(&grant).await?).await?, ids);
    }
    Ok(())
}

async fn no_token(subject: &Subject) -> Verdict {
    let stage = Stage::open(subject).await?;
    let (page, pending) = stage.begin().await?;
    let callback = stage.callback(&page, &pending, &stage.consent(&[])?).await?;
    let code = callback.one("code")?.map(Secret::from);
    let mut secrets: Vec<Secret> = code.into_iter().chain(pending.verifier.clone()).collect();
    check(stage.folder.path(), &secrets)?;
    let grant = stage.complete(&pending, &callback).await??;
    secrets.extend([grant.tokens.access.clone()].into_iter().chain(grant.tokens.refresh.clone()));
    check(stage.folder.path(), &secrets)?;
    if grant.tokens.refresh.is_some() {
        let tokens = stage.refreshed(&grant).await?.tokens;
        secrets.extend([tokens.access].into_iter().chain(tokens.refresh));
    }
    let Stage { running, folder, .. } = stage;
    running.stop().await;
    check(folder.path(), &secrets)
}

/// No file holds any of the secrets in any spelling.
fn check(folder: &Path, secrets: &[Secret]) -> Verdict {
    let mut files = 0;
    for entry in std::fs::read_dir(folder)? {
        let text = String::from_utf8_lossy(&std::fs::read(entry?.path())?).to_lowercase();
        files += 1;
        for secret in secrets {
            for spelling in spellings(secret.expose()) {
                assert!(!text.contains(&spelling.to_lowercase()), "the emulator's state holds a token or code");
            }
        }
    }
    if files == 0 { Err("the emulator keeps no state".into()) } else { Ok(()) }
}

fn spellings(secret: &str) -> [String; 4] {
    [secret.to_owned(), STANDARD_NO_PAD.encode(secret), URL_SAFE_NO_PAD.encode(secret), hex::encode(secret)]
}
