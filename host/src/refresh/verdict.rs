//! What an answer says about a grant, and why a grant needs its person.

use std::panic::{AssertUnwindSafe, catch_unwind};

use connector_core::Error as CoreError;
use connector_core::http::RawAnswer;
use connector_core::oauth::{OAuthProvider, RefreshClass, RefreshOutcome};
use serde_json::json;

use super::attempt::Attempt;
use super::terms::is_spent_by_use;
use super::{Because, Renewed};
use crate::error::Result;
use crate::host::Host;
use crate::pseudonym::pseudonym;
use crate::store::{AuditRecord, GrantRecord, LastError, Settlement};

/// Reads an answer. What a connector panics over is an answer that cannot be read: it may hold the next token all the same.
pub(super) fn read(oauth: &dyn OAuthProvider, answer: &RawAnswer) -> RefreshOutcome {
    let read = catch_unwind(AssertUnwindSafe(|| oauth.read_refresh(answer)));
    read.unwrap_or_else(|_| {
        let error = CoreError::protocol("the connector failed inside while it read the answer; please report it");
        let is_success = (200..300).contains(&answer.status);
        if is_success { RefreshOutcome::Unreadable(error) } else { RefreshOutcome::InDoubt(error) }
    })
}

impl Host {
    /// The grant needs its person, unless somebody else took over meanwhile: a failure never changes a row that has moved.
    pub(super) async fn rejected(&self, attempt: &mut Attempt, error: CoreError) -> Result<Renewed> {
        let class = self.platform(attempt.record.platform.as_str())?.connector.oauth().refresh_class();
        let reason = self.reason_for(class, attempt, &error);
        let audit = self.audit_of_rejection(attempt, &error, &reason)?;
        let error = error.for_reason(reason.clone());
        if self.settle(attempt, Settlement::Rejected { reason }, Some(&error), Some(audit)).await? {
            return Err(error.context("the access token could not be refreshed").into());
        }
        // Somebody else has settled it: what they stored is what is true.
        self.moved(&attempt.record).await
    }

    /// A token that was never in doubt, had not expired and is rejected all the same may have been used by somebody else: that is an event
    /// of its own.
    fn audit_of_rejection(&self, attempt: &Attempt, error: &CoreError, reason: &str) -> Result<AuditRecord> {
        let record = &attempt.record;
        let unanswered = record.refresh_mark.as_ref().map_or(0, |mark| mark.unanswered);
        let rejected = super::reason(error) == Some("refresh_token_rejected");
        let unexpected = rejected && !matches!(reason, "refresh_result_lost" | "refresh_token_expired");
        let mut detail = json!({ "reason": reason, "generation": record.generation, "unanswered": unanswered });
        if unexpected {
            detail["unexpected"] = json!(true);
        }
        if let (Some(ours), Some(theirs)) = (&record.subject, &attempt.came) {
            detail["expected"] = json!(pseudonym(ours));
            detail["came"] = json!(pseudonym(theirs));
        }
        let event = match () {
            () if unexpected => "refresh_token_rejected",
            () if attempt.came.is_some() => "identity_changed",
            () => "reauth_required",
        };
        self.audit(attempt, event, &detail)
    }

    /// A token that is rejected after an earlier request with it went unanswered was spent by that one: its answer is lost. A token that no
    /// use spends is rejected for the platform's own reasons.
    fn reason_for(&self, class: RefreshClass, attempt: &Attempt, error: &CoreError) -> String {
        let said = super::reason(error).unwrap_or("refresh_token_rejected");
        let rejected = said == "refresh_token_rejected";
        let record = &attempt.record;
        let unanswered = record.refresh_mark.as_ref().is_some_and(|mark| mark.unanswered > 0);
        let word = match () {
            () if rejected && unanswered && is_spent_by_use(class) => "refresh_result_lost",
            () if rejected && record.refresh_expires_at.is_some_and(|at| at <= self.context().now()) => {
                "refresh_token_expired"
            }
            () if rejected && attempt.because == Because::Refused => "user_revoked",
            () => said,
        };
        word.to_owned()
    }

    /// The grant cannot be refreshed at all.
    pub(super) async fn cannot_refresh(&self, record: &GrantRecord, error: CoreError) -> Result<Renewed> {
        if let Some(reason) = super::reason(&error) {
            self.needs_person(record, reason).await?;
        }
        let noted = LastError::new(&error, self.context().now());
        self.store().note_grant_error(&record.id, Some(noted)).await?;
        Err(error.context("the access token could not be refreshed").into())
    }
}

#[cfg(test)]
mod tests {
    use connector_core::oauth::MockOAuthProvider;

    use super::*;

    #[test]
    fn an_answer_that_a_connector_panics_over_is_kept_if_it_is_a_success() {
        let mut oauth = MockOAuthProvider::new();
        oauth.expect_read_refresh().returning(|_| panic!("an index out of bounds"));
        let read = |status| {
            read(&oauth, &RawAnswer::kept(status, None, b"{}".to_vec(), "2026-11-22T12:00:00Z".parse().unwrap()))
        };
        assert!(matches!(read(200), RefreshOutcome::Unreadable(_)));
        assert!(matches!(read(500), RefreshOutcome::InDoubt(_)));
    }
}
