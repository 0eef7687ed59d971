//! `/v2/oauth/revoke/`: ends what a person allowed, given a live access token.

use connector_core::Result;
use serde_json::json;

use super::answers::{self, Answer, Refusal};
use super::call::{Call, Params};
use super::switches::RevokeBody;
use super::token::authenticate;
use super::world::Scene;

/// Answers a revocation.
pub(super) fn answer(scene: &mut Scene<'_>, call: &Call) -> Result<Answer> {
    let ended =
        call.form().filter(|form| !form.repeats()).ok_or(Refusal::MALFORMED).and_then(|form| revoke(scene, &form));
    match ended {
        Err(refusal) => answers::refuse(scene, refusal),
        Ok((app, person)) => {
            let answer = match scene.state().switches.revoke_body {
                RevokeBody::Object => answers::flat(scene, &json!({})),
                RevokeBody::Empty => answers::empty(scene),
            };
            Ok(answer?.about(app, Some(&person)))
        }
    }
}

/// A refresh token, and an access token that has expired, are as unknown as any other text.
fn revoke(scene: &mut Scene<'_>, form: &Params) -> Result<(String, String), Refusal> {
    let token = form.get("token").ok_or(Refusal::MALFORMED)?;
    let app = authenticate(scene, form)?.name;
    let now = scene.now;
    let (_, grant) =
        scene.state().grant_of(token, now).filter(|(_, grant)| grant.app == app).ok_or(Refusal::ACCESS_TOKEN)?;
    let person = grant.person.clone();
    scene.change().end_grants(Some(app), &person, now);
    Ok((app.to_owned(), person))
}
