//! What the browser brings back is judged before anything is sent.

use connector_core::oauth::{CallbackParams, PendingFlow, Purpose};
use connector_core::testing::FakeTransport;
use connector_core::{Error, Secret};

use crate::subject::Subject;
use crate::verdict::{Check, Stop, Verdict, wait};

pub(crate) const CHECKS: &[Check] = &[
    ("refuses_a_callback_of_another_flow", |subject| wait(another_flow(subject))),
    ("refuses_a_callback_with_neither_code_nor_error", |subject| wait(empty(subject))),
    ("takes_a_bare_access_denied_for_a_persons_no", |subject| wait(declined(subject))),
    ("reads_every_callback_error_of_its_table", |subject| wait(table(subject))),
    ("repeats_no_words_of_a_callback_without_a_state", stateless),
];

/// What comes of a callback for which nothing may be sent.
async fn refused(subject: &Subject, query: &str) -> Result<Error, Stop> {
    let transport = FakeTransport::default();
    let (cx, app) = (transport.context(), subject.app());
    let (_, pending) = subject.begin(&cx, &app, Purpose::Connect).await?;
    let pending = PendingFlow { state: Secret::from("st4te"), ..pending };
    let sent = transport.sent().len();
    let grant = subject.connector.oauth().complete(&cx, &app, &pending, &CallbackParams::from_query(query)).await;
    assert_eq!(transport.sent().len(), sent, "`{query}` was refused after something was sent");
    Ok(grant.err().ok_or_else(|| format!("`{query}` gave a grant"))?)
}

async fn invalid(subject: &Subject, queries: &[&str]) -> Verdict {
    subject.authorize()?;
    for query in queries {
        assert_eq!(refused(subject, query).await?.kind().as_str(), "invalid_callback", "{query}");
    }
    Ok(())
}

async fn another_flow(subject: &Subject) -> Verdict {
    let twice = ["code=a&state=st4te&state=st4te", "code=a&code=b&state=st4te", "code=a&state=other&state=st4te"];
    invalid(
        subject,
        &[
            "code=a",
            "code=a&state=",
            "code=a&state=other",
            "code=a&state=st4t",
            "code=a&state=st4te2",
            "code=a&STATE=st4te",
        ],
    )
    .await?;
    invalid(subject, &twice).await
}

async fn empty(subject: &Subject) -> Verdict {
    invalid(subject, &["", "state=st4te", "state=st4te&code=", "state=st4te&Code=a"]).await
}

async fn declined(subject: &Subject) -> Verdict {
    subject.authorize()?;
    assert_eq!(refused(subject, "error=access_denied&state=st4te").await?.kind().as_str(), "declined");
    Ok(())
}

async fn table(subject: &Subject) -> Verdict {
    for (pair, meaning) in &subject.authorize()?.callback_errors {
        let query = match pair.split_once('/') {
            Some((error, detail)) => format!("error={error}&error_type={detail}&state=st4te"),
            None => format!("error={pair}&state=st4te"),
        };
        let error = refused(subject, &query).await?;
        assert_eq!((error.kind().as_str(), error.message()), (meaning.kind.as_str(), meaning.say.as_str()), "{pair}");
        assert_eq!(error.code(), Some(pair.as_str()));
    }
    Ok(())
}

/// What an error without a state is said to be is what it would be with one, less everything that whoever sent it may have made up.
fn stateless(subject: &Subject) -> Verdict {
    let oauth = subject.connector.oauth();
    let read = |query: &str| oauth.callback_error(&CallbackParams::from_query(query));
    assert!(read("code=a")?.is_none() && read("code=a&state=b")?.is_none(), "a code was taken for an error");
    assert!(read("error=a&error=b").is_err(), "one of two errors was chosen");
    for error in ["access_denied", "server_error", "quite_new"] {
        let claimed = read(&format!("error={error}&state=st4te"))?.ok_or("no error")?;
        let nobodys = read(&format!("error={error}&error_description=made+up"))?.ok_or("no error")?;
        assert_eq!(claimed.kind(), nobodys.kind(), "{error}");
        assert!(!nobodys.to_string().contains("made up"), "{nobodys}");
    }
    for query in ["error=made+up", "error=access_denied&error_type=made+up"] {
        let error = read(query)?.ok_or("no error")?;
        assert!(!error.to_string().contains("made up"), "{error}");
    }
    Ok(())
}
