//! A code is exchanged once, so nothing that can be wrong may be found out afterwards.

use super::*;
use crate::Secret;
use crate::app::AppKind;
use crate::scope::Wanted;
use crate::testing::FakeTransport;

const PLATFORM: &str = r#"
verified_on = "2026-11-22"
base_urls = { api = "https://example.test" }

[oauth]
authorize = { at = { base = "api", path = "/authorize" }, granted_param = "scopes" }
token = { at = { base = "api", path = "/token" } }
"#;

const WHOLE: &str = r#"{"access_token":"a","refresh_token":"r","expires_in":7200}"#;

async fn complete(transport: &FakeTransport, query: &str) -> Result<Grant> {
    let protocol = Protocol::parse(PLATFORM).unwrap();
    let app = App {
        name: "default".to_owned(),
        client_id: "id".to_owned(),
        client_secret: None,
        kind: AppKind::Desktop,
        redirect_uri: None,
        pkce: None,
        wanted: Wanted::default(),
        base_urls: protocol.base_urls.clone(),
    };
    let pending = PendingFlow {
        state: Secret::from("st4te"),
        verifier: None,
        redirect_uri: "http://127.0.0.1:5000/callback".parse().unwrap(),
        requested: Vec::new(),
    };
    let provider = ConfiguredOAuth2::new(Arc::new(protocol));
    provider.complete(&transport.context(), &app, &pending, &CallbackParams::from_query(query)).await
}

#[tokio::test]
async fn a_callback_that_cannot_be_read_uses_no_code_up() {
    let transport = FakeTransport::default();
    transport.answer(200, WHOLE);
    let error = complete(&transport, "code=c&state=st4te&scopes=a&scopes=b").await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::InvalidCallback);
    assert!(transport.sent().is_empty(), "the code is still good");
}

#[tokio::test]
async fn what_the_callback_lists_counts_where_the_answer_says_nothing() {
    for (answer, granted) in [
        (WHOLE, Granted::Known { scopes: split_scopes("a,b"), source: GrantedSource::Callback }),
        (
            r#"{"access_token":"a","scope":"a"}"#,
            Granted::Known { scopes: split_scopes("a"), source: GrantedSource::Token },
        ),
    ] {
        let transport = FakeTransport::default();
        transport.answer(200, answer);
        let grant = complete(&transport, "code=c&state=st4te&scopes=a,b").await.unwrap();
        assert_eq!(grant.scopes.granted, granted, "{answer}");
    }
}

#[tokio::test]
async fn tokens_whose_answer_was_cut_off_behind_them_are_tokens() {
    let transport = FakeTransport::default();
    transport.break_off(WHOLE);
    let grant = complete(&transport, "code=c&state=st4te").await.unwrap();
    assert!(grant.tokens.refresh.unwrap().matches("r"));
    assert_eq!(grant.tokens.access_expires_at.unwrap().to_string(), "2026-11-22T14:00:00Z");
}

#[tokio::test]
async fn an_answer_that_was_cut_off_before_its_end_is_none() {
    for upto in [0, 20, WHOLE.len() - 1] {
        let transport = FakeTransport::default();
        transport.break_off(&WHOLE[..upto]);
        let error = complete(&transport, "code=c&state=st4te").await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Unavailable, "{error}");
    }
}
