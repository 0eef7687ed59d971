//! People, their counts, and what goes wrong on order.

use connector_core::emulator::Emulator as _;
use connector_core::http::{Policy, Reach, Request, Sent};
use connector_tiktok::emulator::TikTokEmulator;
use http::Method;
use http::header::{CONTENT_TYPE, HeaderName};
use serde_json::json;

use crate::lab::{ALL, Lab, Tokens, is, tokens};

#[tokio::test]
async fn people_have_an_id_for_each_app() {
    let lab = Lab::new().await;
    let one = lab.connect("desktop", "linnea", ALL).await;
    let two = lab.connect("web", "linnea", ALL).await;
    let id = |tokens: &Tokens| tokens.answer["open_id"].as_str().unwrap().to_owned();
    assert!(id(&one).starts_with('-') && id(&two).starts_with('-'));
    assert_eq!(id(&one).len(), 36);
    assert_ne!(id(&one), id(&two));
    let union =
        async |tokens: &Tokens| lab.user_info(&tokens.access, "union_id").await.1["data"]["user"]["union_id"].clone();
    assert_eq!(union(&one).await, union(&two).await);
    is(&lab.refresh("web", &one.refresh).await.1, "oauth_token.error.invalid_grant.refresh_token");
}

#[tokio::test]
async fn counts_move_with_the_clock_and_by_hand() {
    let lab = Lab::new().await;
    lab.set("/admin/switches", json!({"access_lifetime_seconds": 1_000_000})).await;
    let (mira, nova) = (lab.connect("desktop", "mira", ALL).await, lab.connect("desktop", "nova", ALL).await);
    let count = async |tokens: &Tokens, field: &str| {
        let (_, answer) = lab.user_info(&tokens.access, field).await;
        answer["data"]["user"][field].as_i64().unwrap()
    };
    let before = count(&mira, "follower_count").await;
    lab.advance(2 * 86_400).await;
    assert_eq!(count(&mira, "follower_count").await, before + 2 * 2880);
    assert_eq!(count(&nova, "follower_count").await, 0);

    lab.set("/admin/people/mira", json!({"follower_count": {"add": -10}, "likes_count": 7, "bio_description": ""}))
        .await;
    assert_eq!(count(&mira, "follower_count").await, before + 2 * 2880 - 10);
    lab.advance(86_400).await;
    assert_eq!(count(&mira, "follower_count").await, before + 3 * 2880 - 10);
    assert_eq!(count(&mira, "likes_count").await, 7);
    lab.set("/admin/people/mira", json!({"follower_count": null})).await;
    assert_eq!(count(&mira, "follower_count").await, before + 3 * 2880);
    let (_, bio) = lab.user_info(&mira.access, "bio_description").await;
    assert_eq!(bio["data"]["user"]["bio_description"], json!(""));
}

#[tokio::test]
async fn a_scope_and_a_field_can_be_added() {
    let lab = Lab::new().await;
    let extra = json!({
        "extra_scopes": ["user.info.score"],
        "extra_fields": {"score": {"scope": "user.info.score", "value": 5}},
    });
    lab.set("/admin/switches", extra).await;
    let tokens = lab.connect("desktop", "mira", "user.info.basic,user.info.score").await;
    assert_eq!(lab.user_info(&tokens.access, "open_id,score").await.1["data"]["user"]["score"], json!(5));
    let narrow = lab.connect("desktop", "mira", "user.info.basic").await;
    assert_eq!(lab.user_info(&narrow.access, "score").await.0, 401);
    let url = lab.authorize_url("basic", &[("scope", "user.info.basic,user.info.score")]);
    assert!(lab.consent(&url, "mira", &[]).await.is_err());
}

#[tokio::test]
async fn a_person_can_take_back_what_they_allowed() {
    let lab = Lab::new().await;
    let first = lab.connect("desktop", "mira", ALL).await;
    lab.set("/admin/withdraw", json!({"person": "mira", "scopes": ["user.info.stats"]})).await;
    assert_eq!(lab.user_info(&first.access, "follower_count").await.0, 401);
    let second = tokens(lab.refresh("desktop", &first.refresh).await.1);
    assert!(!second.answer["scope"].as_str().unwrap().contains("user.info.stats"));
    assert_eq!(lab.set("/admin/withdraw", json!({"person": "mira", "app": "desktop"})).await["changed"], json!(1));
    is(&lab.refresh("desktop", &second.refresh).await.1, "oauth_token.error.invalid_grant.refresh_token");
}

#[tokio::test]
async fn calls_fail_as_ordered() {
    let lab = Lab::new().await;
    let first = lab.connect("desktop", "mira", ALL).await;
    lab.set("/admin/fail", json!({"endpoint": "user_info", "times": 2})).await;
    for _ in 0..2 {
        let (status, failed) = lab.user_info(&first.access, "open_id").await;
        assert_eq!(status, 500);
        is(&failed, "user_info.error.internal_error");
    }
    assert_eq!(lab.user_info(&first.access, "open_id").await.0, 200);

    lab.set("/admin/fail", json!({"endpoint": "token", "status": 502, "body": "html"})).await;
    let token = |token: &str| {
        let app = lab.app("desktop");
        let form = [
            ("client_key", app.client_id.as_str()),
            ("client_secret", app.client_secret.expose()),
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
        ];
        Request::new(Method::POST, lab.url("/v2/oauth/token/"), Policy::TOKEN).form(form)
    };
    let html = lab.send(token(&first.refresh)).await;
    assert_eq!((html.status, html.headers[CONTENT_TYPE].to_str().unwrap()), (502, "text/html"));

    lab.set("/admin/fail", json!({"endpoint": "token", "body": "reset", "after": true})).await;
    let lost = lab.cx.send(token(&first.refresh)).await.unwrap_err();
    assert_eq!(lost.reach, Reach::MaybeSent);
    is(&lab.refresh("desktop", &first.refresh).await.1, "oauth_token.error.invalid_grant.refresh_token");
    let (_, record) = lab.admin("/admin/record", None).await;
    assert_eq!((&record["refreshes"], &record["reuses"]), (&json!(1), &json!(1)));

    let second = lab.connect("desktop", "nova", ALL).await;
    lab.set("/admin/fail", json!({"endpoint": "token", "body": "reset_at_end", "after": true})).await;
    let Sent::CutOff(came, _) = lab.cx.send_once(token(&second.refresh)).await else { panic!("nothing came") };
    assert!(came.json().unwrap()["refresh_token"].is_string(), "all of it came, and not its end");

    let slow = json!({"endpoint": "user_info", "body": "slow", "after": true, "seconds": 0});
    lab.set("/admin/fail", slow).await;
    assert_eq!(lab.user_info(&first.access, "open_id").await.0, 200, "late, and its own answer");
    lab.set("/admin/fail", json!({"endpoint": "user_info", "body": "slow", "seconds": 0})).await;
    assert_eq!(lab.user_info(&first.access, "open_id").await.0, 500);
    assert_eq!(lab.admin("/admin/fail", Some(json!({"endpoint": "video"}))).await.0, 400);
}

#[tokio::test]
async fn somebody_removes_an_app_at_the_page_and_nobody_else_does_it_for_them() {
    let lab = Lab::new().await;
    let (mira, other) = (lab.connect("desktop", "mira", ALL).await, lab.connect("web", "mira", ALL).await);
    let home = String::from_utf8(lab.get("/").await.body).unwrap();
    let (_, rest) = home.split_once("name=\"form_token\" value=\"").unwrap();
    let token = rest.split('"').next().unwrap().to_owned();
    assert_eq!(home.matches("Remove the app</button>").count(), 2, "{home}");
    let remove = async |token: &str, person: &str, app: &str| {
        let form = [("form_token", token), ("person", person), ("app", app)];
        lab.send(Request::new(Method::POST, lab.url("/settings/remove"), Policy::READ).form(form)).await.status
    };
    for (token, person, app, status) in [
        ("", "mira", "desktop", 403),
        ("x", "mira", "desktop", 403),
        (&*token, "eve", "desktop", 404),
        (&*token, "mira", "x", 404),
    ] {
        assert_eq!(remove(token, person, app).await, status, "{person} {app}");
    }
    let works = async |tokens: &Tokens| lab.user_info(&tokens.access, "open_id").await.0 == 200;
    assert!(works(&mira).await && works(&other).await);
    assert_eq!(remove(&token, "mira", "desktop").await, 302);
    assert!(!works(&mira).await && works(&other).await, "of one app");
    let home = String::from_utf8(lab.get("/").await.body).unwrap();
    assert_eq!(home.matches("Remove the app</button>").count(), 1, "{home}");
}

#[tokio::test]
async fn the_pages_escape_what_they_are_given() {
    let lab = Lab::new().await;
    lab.set("/admin/people/mira", json!({"display_name": "<script>alert(1)</script>"})).await;
    let shown = Request::new(Method::GET, lab.authorize_url("desktop", &[]), Policy::READ);
    for answer in [lab.get("/").await, lab.send(shown).await, lab.get("/v2/auth/error?error=%3Cscript%3E").await] {
        assert!(!String::from_utf8(answer.body).unwrap().contains("<script>"));
    }
    let style = lab.get("/style.css").await;
    assert_eq!(style.headers[HeaderName::from_static("content-type")], "text/css; charset=utf-8");
}

#[tokio::test]
async fn the_tour_names_people_and_scopes_that_exist() {
    let lab = Lab::new().await;
    let tour = TikTokEmulator.tour().unwrap();
    assert_eq!(tour.narrow_scopes.len(), 4);
    for person in &tour.people {
        assert!(lab.running.info.people.iter().any(|known| known.name == person.name));
        assert!(person.unticked.iter().all(|scope| ALL.split(',').any(|known| known == scope.as_str())));
    }
}
