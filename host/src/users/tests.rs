//! Signing in, by a clock that is moved by hand.

use std::sync::Arc;

use connector_core::testing::{CountingRandom, FakeClock, FakeTransport};
use jiff::SignedDuration;

use super::*;
use crate::client::Client;
use crate::testing::{Example, Installation};

const PASSWORD: &str = "correct horse battery";

struct Lab {
    _installation: Installation,
    host: Host,
    clock: FakeClock,
    door: Door,
}

impl Lab {
    async fn new() -> Self {
        let clock = FakeClock::default();
        let random = Arc::new(CountingRandom::default());
        let cx = Context::new(Arc::new(FakeTransport::default()), Arc::new(clock.clone()), random);
        let installation = Installation::new(Example::default(), cx.clone()).unwrap();
        let host = installation.host().await.unwrap();
        let new = NewUser { name: "Ada".to_owned(), tenant: None, password: PASSWORD.into() };
        host.create_user(new).await.unwrap();
        Self { _installation: installation, host, clock, door: Door::new(&cx) }
    }

    async fn knock(&self, name: &str, password: &str, browser: &str, from: &str) -> Answer {
        let (browser, client) = (Browser(browser.to_owned()), Some(Client(from.parse().unwrap())));
        let knock = Knock { name: name.to_owned(), password: password.into(), browser, client };
        self.door.answer(&self.host, knock).await.unwrap()
    }

    async fn sign_in(&self) -> SessionToken {
        match self.knock("ada", PASSWORD, "own", "192.0.2.7").await {
            Answer::In(token) => token,
            other => panic!("{other:?}"),
        }
    }

    async fn is_in(&self, token: &SessionToken) -> bool {
        self.host.signed_in(token).await.unwrap().is_some()
    }

    async fn ada(&self) -> UserRecord {
        self.host.user_named("ada").await.unwrap()
    }
}

/// The name, in another way each time.
fn capitalised(name: &str, guess: u32) -> String {
    if guess.is_multiple_of(2) { name.to_uppercase() } else { name.to_owned() }
}

#[tokio::test]
async fn of_ten_thousand_guesses_at_an_account_ten_a_minute_are_looked_at() {
    let lab = Lab::new().await;
    for name in ["ada", "nobody"] {
        let before = lab.door.compared();
        // Each from another address, over a minute.
        for guess in 0..10_000_u32 {
            let from = std::net::Ipv4Addr::from(0x0a00_0000 + guess).to_string();
            let answer = lab.knock(&capitalised(name, guess), "a wrong guess", "b", &from).await;
            assert!(matches!(answer, Answer::Wrong | Answer::TooMany));
            lab.clock.advance(SignedDuration::from_millis(6));
        }
        let looked_at = lab.door.compared() - before;
        assert!((5..=10).contains(&looked_at), "{name}: {looked_at}");
    }
}

#[tokio::test]
async fn one_address_guesses_six_times_a_minute_and_leaves_others_their_guesses() {
    let lab = Lab::new().await;
    for guess in 0..1_000 {
        let name = if guess % 2 == 0 { "ada".to_owned() } else { format!("name {guess}") };
        lab.knock(&name, "a wrong guess", "b", "192.0.2.1").await;
        lab.clock.advance(SignedDuration::from_millis(60));
    }
    assert!((3..=6).contains(&lab.door.compared()), "{}", lab.door.compared());
    for _ in 0..100 {
        lab.knock("ada", "a wrong guess", "b", "192.0.2.1").await;
    }
    lab.sign_in().await;
}

#[tokio::test]
async fn an_unknown_a_disabled_and_a_known_user_cost_the_same() {
    let lab = Lab::new().await;
    let new = NewUser { name: "gone".to_owned(), tenant: None, password: PASSWORD.into() };
    let gone = lab.host.create_user(new).await.unwrap();
    assert!(lab.host.disable_user(&gone).await.unwrap());
    for (number, (name, password)) in
        [("ada", "a wrong guess"), ("nobody", PASSWORD), ("gone", PASSWORD), ("", PASSWORD)].into_iter().enumerate()
    {
        let from = format!("192.0.2.{number}");
        assert!(matches!(lab.knock(name, password, "b", &from).await, Answer::Wrong), "{name}");
        assert_eq!(lab.door.compared(), u64::try_from(number).unwrap() + 1, "{name}");
    }
}

#[tokio::test]
async fn strangers_keep_nobody_out_of_a_browser_that_was_in_before() {
    let lab = Lab::new().await;
    lab.sign_in().await;
    for guess in 0..20_u8 {
        lab.knock("ada", "a wrong guess", "strange", &format!("192.0.2.{guess}")).await;
    }
    assert!(matches!(lab.knock("ada", PASSWORD, "strange", "192.0.2.99").await, Answer::TooMany));
    for _ in 0..6 {
        lab.sign_in().await;
    }
}

#[tokio::test]
async fn a_session_ends_when_nobody_uses_it_and_in_the_end_anyway() {
    let lab = Lab::new().await;
    let (idle, used) = (lab.sign_in().await, lab.sign_in().await);
    for _ in 0..12 {
        lab.clock.advance(SignedDuration::from_mins(59));
        assert!(lab.is_in(&used).await);
    }
    lab.clock.advance(SignedDuration::from_mins(12));
    assert!(!lab.is_in(&idle).await, "twelve hours");
    for _ in 0..14 {
        assert!(lab.is_in(&used).await);
        lab.clock.advance(SignedDuration::from_hours(11));
    }
    assert!(lab.is_in(&used).await, "nearly seven days");
    lab.clock.advance(SignedDuration::from_hours(2));
    assert!(!lab.is_in(&used).await, "seven days");
    let fresh = lab.sign_in().await;
    assert_eq!(lab.host.sessions_of(&lab.ada().await).await.unwrap().len(), 1, "those that are over are forgotten");
    assert!(lab.is_in(&fresh).await);
}

#[tokio::test]
async fn a_session_ends_with_the_password_with_the_user_and_when_it_is_said() {
    let lab = Lab::new().await;
    let ada = lab.ada().await;
    let (one, other) = (lab.sign_in().await, lab.sign_in().await);
    let signed = lab.host.signed_in(&one).await.unwrap().unwrap();
    lab.host.sign_out(&signed).await.unwrap();
    assert!(!lab.is_in(&one).await && lab.is_in(&other).await);
    assert_eq!(lab.host.end_sessions(&ada, None).await.unwrap(), 1);
    assert!(!lab.is_in(&other).await);

    let before = lab.sign_in().await;
    lab.host.set_password(&ada, "another horse battery".into()).await.unwrap();
    assert!(!lab.is_in(&before).await);
    assert!(matches!(lab.knock("ada", PASSWORD, "own", "192.0.2.7").await, Answer::Wrong));
    let Answer::In(last) = lab.knock("ada", "another horse battery", "own", "192.0.2.7").await else { panic!() };
    lab.host.disable_user(&ada).await.unwrap();
    assert!(!lab.is_in(&last).await);
}

#[tokio::test]
async fn the_token_to_set_up_with_is_good_for_a_quarter_of_an_hour() {
    let lab = Lab::new().await;
    let dir = tempfile::tempdir().unwrap();
    let (dir, cx) = (dir.path().join("data"), lab.host.context());
    let (left, old) = SetUp::begin(cx, &dir).unwrap();
    std::mem::forget(left);
    let (set_up, token) = SetUp::begin(cx, &dir).unwrap();
    assert_eq!(std::fs::read_to_string(set_up.file()).unwrap().trim(), token.expose());
    assert!(set_up.admits(cx, &token));
    for wrong in [old, "".into(), token.digest().into()] {
        assert!(!set_up.admits(cx, &wrong));
    }
    lab.clock.advance(SignedDuration::from_mins(15));
    assert!(!set_up.admits(cx, &token));
    let file = set_up.file().to_owned();
    drop(set_up);
    assert!(!file.exists());
}

#[tokio::test]
async fn the_admin_of_a_file_has_the_password_of_the_file() {
    let lab = Lab::new().await;
    let cx = lab.host.context();
    let (one, other) =
        (hash(cx, PASSWORD.into()).await.unwrap(), hash(cx, "another horse battery".into()).await.unwrap());
    for stored in [&one, &one, &other] {
        lab.host.keep_admin(stored).await.unwrap();
        let admin = lab.host.user_named("admin").await.unwrap();
        assert!(admin.is_admin() && admin.password_hash == *stored);
    }
    let admin = lab.host.user_named("admin").await.unwrap();
    lab.host.disable_user(&admin).await.unwrap();
    let error = lab.host.keep_admin(&other).await.unwrap_err();
    assert!(matches!(error, Error::Exposed(_)) && error.to_string().contains("admin create"), "{error}");
}

#[test]
fn a_hash_that_protects_too_little_is_refused() {
    let of = |algorithm: &str, version: u8, cost: &str| {
        format!("${algorithm}$v={version}${cost}$c2FsdHNhbHRzYWx0c2FsdA$KSF2Q4MoGIYxbWkSPn1oTDmAyXNOVsYkzwdN7bBZHpw")
    };
    for cost in ["m=47104,t=1,p=1", "m=19456,t=2,p=1", "m=12288,t=3,p=1", "m=65536,t=3,p=4"] {
        assert_eq!(check_hash(&of("argon2id", 19, cost)), Ok(()), "{cost}");
    }
    for cost in ["m=47103,t=1,p=1", "m=19455,t=2,p=1", "m=12287,t=9,p=1"] {
        assert!(check_hash(&of("argon2id", 19, cost)).unwrap_err().contains("too little"), "{cost}");
    }
    assert!(check_hash(&of("argon2id", 19, "m=1048577,t=1,p=1")).unwrap_err().contains("more than"));
    let fine = "m=47104,t=1,p=1";
    let bare = "$argon2id$v=19$m=47104,t=1,p=1".to_owned();
    for text in [of("argon2i", 19, fine), of("argon2id", 16, fine), bare, "hunter2hunter2".to_owned(), String::new()] {
        assert!(check_hash(&text).unwrap_err().contains("hash-password"), "{text}");
    }
}
