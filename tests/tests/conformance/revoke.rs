//! A grant is given up.

use connector_core::http::Retries;
use connector_core::oauth::{RevocationClass, RevokeOutcome};
use connector_core::platform::RevokedToken;
use http::header::CONTENT_TYPE;

use crate::answers::raw;
use crate::exchange::{check_authentication, content_type};
use crate::subject::{ACCESS, REFRESH, Subject};
use crate::verdict::{Check, Stop, Verdict};
use crate::wire::{fields, header};

pub(crate) const CHECKS: &[Check] = &[
    ("has_a_revocation_exactly_where_it_declares_one", declared),
    ("revokes_the_token_that_the_platform_takes", request),
    ("takes_every_spelling_of_gone_for_gone", gone),
    ("revokes_again_what_may_still_be_alive", retry),
    ("does_not_repeat_a_revocation_that_was_refused", refused),
];

fn outcome(subject: &Subject, status: u16, body: &str) -> Result<&'static str, Stop> {
    subject.revoke()?;
    Ok(match subject.connector.oauth().read_revoke(&raw(status, body)) {
        RevokeOutcome::Gone => "gone",
        RevokeOutcome::Retry(_) => "retry",
        RevokeOutcome::Refused(_) => "refused",
    })
}

fn declared(subject: &Subject) -> Verdict {
    subject.token()?;
    let oauth = subject.connector.oauth();
    let expected = match subject.oauth().revoke.as_ref().map(|facts| facts.token) {
        None => RevocationClass::NotOffered,
        Some(RevokedToken::Access) => RevocationClass::LiveToken,
        Some(RevokedToken::Refresh) => RevocationClass::AnyToken,
    };
    assert_eq!(oauth.revocation(), expected, "platform.toml and the provider disagree");
    let request = oauth.revoke_request(&subject.app(), &subject.grant());
    assert_eq!(request.is_ok(), expected != RevocationClass::NotOffered);
    Ok(())
}

fn request(subject: &Subject) -> Verdict {
    let facts = subject.revoke()?;
    let oauth = subject.connector.oauth();
    let sent = oauth.revoke_request(&subject.app(), &subject.grant())?;
    assert_eq!((sent.method.as_str(), sent.policy.retries), ("POST", Retries::Never));
    assert_eq!(sent.url, facts.at.under(&subject.app().base_urls)?);
    assert_eq!(header(&sent, &CONTENT_TYPE), content_type(subject.token()?.body));
    let expected = match facts.token {
        RevokedToken::Access => ACCESS,
        RevokedToken::Refresh => REFRESH,
    };
    assert_eq!(fields(&sent)[&facts.token_param], expected);
    check_authentication(subject, &sent)
}

fn gone(subject: &Subject) -> Verdict {
    for (status, body) in [(200, ""), (200, "{}"), (200, "<html>Bye</html>"), (204, "")] {
        assert_eq!(outcome(subject, status, body)?, "gone", "HTTP {status} with {body:?}");
    }
    for code in &subject.revoke()?.gone {
        for status in [200, 400] {
            assert_eq!(
                outcome(subject, status, &subject.oauth_error(code, "words").to_string())?,
                "gone",
                "{code} with status {status}"
            );
        }
    }
    Ok(())
}

fn retry(subject: &Subject) -> Verdict {
    for (status, body) in [(429, ""), (500, ""), (502, "<html>"), (503, "{}")] {
        assert_eq!(outcome(subject, status, body)?, "retry", "HTTP {status} with {body:?}");
    }
    for code in ["server_error", "temporarily_unavailable"] {
        assert_eq!(outcome(subject, 200, &subject.oauth_error(code, "words").to_string())?, "retry", "{code}");
    }
    Ok(())
}

fn refused(subject: &Subject) -> Verdict {
    for code in ["invalid_client", "invalid_request", "unsupported_token_type"] {
        assert_eq!(outcome(subject, 400, &subject.oauth_error(code, "words").to_string())?, "refused", "{code}");
    }
    assert_eq!(outcome(subject, 404, "<html>")?, "refused");
    Ok(())
}
