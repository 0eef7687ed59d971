//! What happens to somebody who uses a product, and what its page says about it.

use std::time::{Duration, Instant};

use connector_core::Secret;
use connector_core::emulator::Consent;
use jiff::SignedDuration;
use serde_json::{Value, json};
use url::Url;

use crate::guide::Guide;
use crate::product::Product;
use crate::support::browser::{Browser, sent_on};
use crate::support::{MIRA, declining, person};

/// What the platform calls whom the story is about.
const NAME: &str = "Mira Okafor";

/// Follows a guide from its beginning to its end.
pub(crate) fn told(guide: &Guide) {
    let [host, setup, start, look, for_others] = guide.commands();
    let product = Product::of(guide, [&host, &setup, &start]);
    let visitor = Visitor::new(&product);
    visitor.connects();
    visitor.invites_somebody();
    visitor.asks_for_a_token();
    product.place.shell(&look).run().ends(0, &["metrics.recorded", "delivered"]);
    only_what_the_host_says_is_believed(&visitor);
    a_replaced_secret_is_no_gap(&visitor);
    visitor.is_needed_and_comes_again();
    drop(visitor);
    product.end(&for_others);
}

/// Somebody who uses a product, in a browser of their own.
struct Visitor<'p> {
    product: &'p Product,
    browser: Browser<'p>,
}

impl<'p> Visitor<'p> {
    fn new(product: &'p Product) -> Self {
        let visitor = Self { product, browser: Browser::new(&product.place.stage.web) };
        assert!(visitor.home().contains("Connect TikTok"));
        visitor
    }

    fn home(&self) -> String {
        let answer = self.browser.open(&self.product.url);
        assert_eq!(answer.status, 200);
        String::from_utf8(answer.body).unwrap()
    }

    /// Presses a button. Gives the page that follows, with its status.
    fn presses(&self, path: &str, connection: &str) -> (u16, String) {
        let answer = self.browser.submit(&self.product.at(path), &[("connection", connection)]);
        (answer.status, String::from_utf8(answer.body).unwrap())
    }

    /// Presses the button that leads to the platform, and decides there. Gives the address the browser is sent back to.
    fn goes_to_the_platform(&self, connection: &str, consent: &Consent) -> Url {
        let url = self.product.at("/connect");
        let authorize = sent_on(&url, &self.browser.submit(&url, &[("connection", connection)]));
        self.product.place.stage.consent_at(&authorize, consent)
    }

    /// Waits until the page says so.
    fn sees(&self, words: &str) {
        self.sees_often(words, 1);
    }

    fn sees_often(&self, words: &str, times: usize) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while self.home().matches(words).count() < times {
            assert!(Instant::now() < deadline, "no `{words}` {times} times: {}", self.home());
        }
    }

    fn comes_back(&self, back: &Url) {
        let home = sent_on(back, &self.browser.open(back));
        assert_eq!(home, self.product.url);
    }

    fn connects(&self) {
        let back = self.goes_to_the_platform("", &declining(MIRA));
        let declined = self.browser.open(&back);
        assert!(String::from_utf8_lossy(&declined.body).contains("did not allow"));

        let back = self.goes_to_the_platform("", &person(MIRA));
        let stranger = Browser::new(&self.product.place.stage.web);
        assert_eq!(stranger.open(&back).status, 400, "who has not begun ends nothing");
        self.comes_back(&back);
        let page = self.home();
        let followers = self.product.place.stage.tiktok.field(MIRA, "follower_count").to_string();
        assert!(
            page.contains("Mira Okafor: active") && page.contains(&format!("<td>followers<td>{followers}")),
            "{page}"
        );
        self.sees("connection.created: active");
        self.sees("metrics.recorded: counted");
    }

    fn invites_somebody(&self) {
        let (_, page) = self.presses("/invite", "");
        let link: Url = page.split("href=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().parse().unwrap();
        let elsewhere = Browser::new(&self.product.place.stage.web);
        assert_eq!(elsewhere.open(&link).status, 200);
        let authorize = sent_on(&link, &elsewhere.submit(&link, &[]));
        let back = self.product.place.stage.consent_at(&authorize, &person("jonas"));
        let returned = sent_on(&back, &elsewhere.open(&back));
        assert!(returned.as_str().starts_with(self.product.at("/linked").as_str()), "{returned}");
        let thanks = elsewhere.open(&returned);
        assert!(String::from_utf8_lossy(&thanks.body).contains("the account is connected"));
        assert!(self.home().contains("Jonas: active"));
    }

    /// The account of the story, as the host has it.
    fn shown(&self) -> Value {
        self.product.place.stage.cli("connections show --json").arg(NAME).run().ok().json()
    }

    fn connection(&self) -> String {
        self.shown()["id"].as_str().unwrap().to_owned()
    }

    fn asks_for_a_token(&self) {
        let id = self.connection();
        let (status, page) = self.presses("/token", &id);
        assert!(status == 200 && page.contains("A token of") && page.contains("user.info.stats"), "{page}");
        assert_eq!(Visitor::new(self.product).presses("/token", &id).0, 404, "it is somebody else's");
        assert_eq!(self.presses("/token", "unknown").0, 404);
    }

    fn is_needed_and_comes_again(&self) {
        let (stage, id) = (&self.product.place.stage, self.connection());
        stage.tiktok.withdraw(MIRA, None);
        stage.cli("metrics --max-age 0").arg(NAME).run().ends(3, &["reauth_required"]);
        self.sees("Mira Okafor: reauth_required");
        self.sees("connection.state_changed: reauth_required");
        let (status, page) = self.presses("/token", &id);
        assert!(status == 409 && page.contains("connected again"), "{page}");
        assert!(self.home().contains("Connect again"));
        let other = self.browser.open(&self.goes_to_the_platform(&id, &person("jonas")));
        assert_eq!(other.status, 409, "{}", String::from_utf8_lossy(&other.body));
        assert!(self.home().contains("Mira Okafor: reauth_required"), "another account changes nothing for it");
        self.comes_back(&self.goes_to_the_platform(&id, &person(MIRA)));
        assert!(self.home().contains("Mira Okafor: active"));
        self.sees("connection.state_changed: active");
        assert_eq!(stage.connections().len(), 2, "it is the same connection");
    }
}

/// What anybody could send is refused, and what comes twice is one event.
fn only_what_the_host_says_is_believed(visitor: &Visitor<'_>) {
    let product = visitor.product;
    let (secret, other) = (Secret::from(product.place.secret()), Secret::from(format!("whsec_{}", "A".repeat(44))));
    let shown = visitor.shown();
    let body = |state: &str| {
        let connection = json!({ "id": shown["id"], "state": state, "reference": shown["reference"] });
        json!({ "type": "test", "data": { "connection": connection } })
    };
    let now = product.place.stage.web.cx.now();
    let late = now - SignedDuration::from_mins(6);
    for (case, secret, at) in
        [("forged", &other, now), ("late", &secret, late), ("early", &secret, now + SignedDuration::from_mins(6))]
    {
        assert_eq!(product.told(secret, &format!("evt_{case}"), at, &body(case)), 401, "{case}");
        assert!(!visitor.home().contains(&format!("test: {case}")), "{case}");
    }
    for _ in 0..2 {
        assert_eq!(product.told(&secret, "evt_true", now, &body("true")), 204);
    }
    assert_eq!(visitor.home().matches("test: true").count(), 1, "{}", visitor.home());
}

/// The product still has the old secret while the host signs with both.
fn a_replaced_secret_is_no_gap(visitor: &Visitor<'_>) {
    let stage = &visitor.product.place.stage;
    let receivers = stage.cli("events receivers list --json").run().ok().json();
    stage.cli("events receivers rotate-secret").arg(receivers[0]["id"].as_str().unwrap()).run().ok();
    let before = visitor.home().matches("metrics.recorded").count();
    stage.cli("metrics --max-age 0").arg(NAME).run().ok();
    visitor.sees_often("metrics.recorded", before + 1);
}
