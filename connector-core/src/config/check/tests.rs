use crate::app::{AppKind, Pkce, PlatformId};
use crate::config::{Ability, Config, Layer, Settings, Target, ValueSource};
use crate::scope::Scope;
use crate::{Error, ErrorKind};

const GOOD: &str = r#"
    [platforms.lantern.apps.default]
    kind = "desktop"
    client_id = { env = "LANTERN_ID" }
    scopes = ["stats.read", "basic", "upload"]
    pending = ["upload"]
    [platforms.lantern.scopes.basic]
    product = "Login"
    description = "Name"
    fields.me = { name = "profile.display_name", "/links/0/a~1b" = "custom.lantern.link" }
    [platforms.lantern.scopes."stats.read"]
    product = "Login"
    description = "Counts"
    fields.me = { stars = "metric.followers" }
    fields.page = { stars = "metric.followers" }
    [platforms.lantern.scopes.upload]
    product = "Posting"
    description = "Drafts"
    abilities = ["publish.draft"]
"#;

fn loaded(texts: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    let layers = texts.iter().map(|(name, text)| Layer::embedded(*name, text).unwrap()).collect();
    Config::of(layers).map_err(|problems| problems.0.iter().map(ToString::to_string).collect())
}

/// The problems of one layer over a good one.
fn problems(over: &str) -> Vec<String> {
    loaded(&[("good", GOOD), ("x.toml", over)]).err().unwrap_or_default()
}

/// Asserts the one sentence about these lines in the app `default`.
#[track_caller]
fn about_app(lines: &str, sentence: &str) {
    assert_eq!(
        problems(&format!("[platforms.lantern.apps.default]\n{lines}")),
        [format!("x.toml: platforms.lantern.apps.default.{sentence}")]
    );
}

/// Asserts the one sentence about these lines in a new scope.
#[track_caller]
fn about_scope(lines: &str, sentence: &str) {
    let text = format!("[platforms.lantern.scopes.more]\nproduct = \"p\"\ndescription = \"d\"\n{lines}");
    assert_eq!(problems(&text), [format!("x.toml: platforms.lantern.scopes.more.{sentence}")]);
}

fn good() -> Settings {
    loaded(&[("good", GOOD)]).unwrap().settings
}

#[test]
fn a_good_configuration_is_what_it_says() {
    let settings = good();
    let id: PlatformId = "lantern".parse().unwrap();
    let platform = settings.platform(&id).unwrap();
    let app = platform.app("default").unwrap();
    assert_eq!((app.kind, app.pkce, &app.client_secret), (AppKind::Desktop, None::<Pkce>, &None));
    assert_eq!(app.client_id, Some(ValueSource::Env("LANTERN_ID".to_owned())));
    let requested: Vec<_> = app.wanted.requested().iter().map(Scope::to_string).collect();
    assert_eq!(requested, ["stats.read", "basic"], "in the operator's order, without the pending one");
    let fields: Vec<_> =
        platform.catalogue.fields("me").map(|(scope, field, target)| format!("{scope} {field} {target}")).collect();
    assert_eq!(
        fields,
        [
            "basic /links/0/a~1b custom.lantern.link",
            "basic name profile.display_name",
            "stats.read stars metric.followers"
        ]
    );
    let draft: Ability = "publish.draft".parse().unwrap();
    assert_eq!(platform.catalogue.unlocking(&draft).map(Scope::as_str).collect::<Vec<_>>(), ["upload"]);
}

#[test]
fn a_platform_may_be_described_without_an_app() {
    let text = "[platforms.torch.scopes.basic]\nproduct = \"p\"\ndescription = \"d\"";
    assert_eq!(problems(text), [] as [&str; 0]);
    assert_eq!(problems("[platforms.torch]"), [] as [&str; 0]);
}

#[test]
fn names_are_identifiers() {
    assert_eq!(
        problems("[platforms.Torch]"),
        [
            "x.toml: platforms.Torch: `Torch` is not a platform id: lower-case letters, digits and underscores, a letter first"
        ]
    );
    assert_eq!(
        problems("[platforms.lantern.apps.\"my app\"]\nkind = \"web\"\nscopes = [\"basic\"]"),
        [
            "x.toml: platforms.lantern.apps.\"my app\": `my app` is not the name of an app: lower-case letters, digits and underscores, a letter first"
        ]
    );
}

#[test]
fn an_app_says_its_kind_and_its_scopes() {
    let kind = "x.toml: platforms.lantern.apps.second.kind: missing: write kind = \"desktop\" or kind = \"web\", as the app is registered";
    let scopes = "x.toml: platforms.lantern.apps.second.scopes: an app asks for one scope at least: scopes = [\"…\"]";
    assert_eq!(problems("[platforms.lantern.apps.second]"), [kind, scopes]);
    assert_eq!(problems("[platforms.lantern.apps.second]\nkind = \"web\""), [scopes]);
    assert_eq!(problems("[platforms.lantern.apps.second]\nscopes = [\"basic\"]"), [kind]);
    about_app("scopes = []\npending = []", "scopes: an app asks for one scope at least: scopes = [\"…\"]");
}

#[test]
fn scopes_of_an_app_are_known_and_named_once() {
    about_app(
        "scopes = [\"stats.raed\"]\npending = []",
        "scopes: `stats.raed` is not in the catalogue: define it in [platforms.lantern.scopes.\"stats.raed\"]; did you mean `stats.read`?",
    );
    about_app(
        "scopes = [\"live\"]\npending = []",
        "scopes: `live` is not in the catalogue: define it in [platforms.lantern.scopes.live]",
    );
    about_app("scopes = [\"basic\", \"stats.read\", \"basic\"]\npending = []", "scopes: `basic` is named twice");
    about_app(
        "scopes = [\"basic\", \"stats read\"]\npending = []",
        "scopes: `stats read` is not a scope: a scope is printable ASCII without spaces, commas, quotes or backslashes",
    );
}

#[test]
fn pending_scopes_are_a_part_of_the_list() {
    about_app(
        "pending = [\"uplaod\"]",
        "pending: `uplaod` is not in `scopes`, of which `pending` names a part; did you mean `upload`?",
    );
    about_app("pending = [\"live\"]", "pending: `live` is not in `scopes`, of which `pending` names a part");
    about_app("pending = [\"basic\", \"basic\"]", "pending: `basic` is named twice");
    about_app(
        "pending = [\"basic\", \"stats.read\", \"upload\"]",
        "pending: every scope of the app is pending, so there is nothing to ask for: leave one out of `pending`",
    );
    assert_eq!(
        problems("[platforms.lantern.apps.default]\nscopes = [\"basic\"]"),
        ["good: platforms.lantern.apps.default.pending: `upload` is not in `scopes`, of which `pending` names a part"],
        "the layer to mend is the one that named it"
    );
}

#[test]
fn required_scopes_are_a_part_of_what_is_asked_for() {
    about_app(
        "required = [\"baisc\"]",
        "required: `baisc` is not in `scopes`, of which `required` names a part; did you mean `basic`?",
    );
    about_app("required = [\"basic\", \"basic\"]", "required: `basic` is named twice");
    about_app(
        "required = [\"basic\", \"upload\"]",
        "required: `upload` is pending, so it is never asked for and cannot be required",
    );
    let config = loaded(&[("good", GOOD), ("x.toml", "[platforms.lantern.apps.default]\nrequired = [\"basic\"]")]);
    let platforms = config.unwrap().settings.platforms;
    let required = &platforms["lantern"].apps["default"].wanted.required;
    assert_eq!(required.iter().map(Scope::as_str).collect::<Vec<_>>(), ["basic"]);
}

#[test]
fn a_redirect_uri_can_be_registered() {
    about_app(
        "redirect_uri = \"myapp://back\"",
        "redirect_uri: a redirect URI begins with https:// or http://, not myapp:",
    );
    about_app(
        "redirect_uri = \"http://127.0.0.1/back#x\"",
        "redirect_uri: a redirect URI has no fragment: leave out the `#` and what follows",
    );
    about_app(
        "kind = \"web\"\nredirect_uri = \"http://example.com/\"",
        "redirect_uri: the redirect URI of a web app begins with https://",
    );
    about_app(
        "redirect_uri = \"https://me:pass@example.com/\"",
        "redirect_uri: a redirect URI carries no user name or password",
    );
    for right in [
        "redirect_uri = \"http://localhost:7000/back\"",
        "kind = \"web\"\nredirect_uri = \"https://example.com/back?x=1\"",
    ] {
        assert_eq!(problems(&format!("[platforms.lantern.apps.default]\n{right}")), [] as [&str; 0], "{right}");
    }
}

#[test]
fn a_scope_definition_says_where_it_comes_from_and_what_it_allows() {
    assert_eq!(
        problems("[platforms.lantern.scopes.more]\nproduct = \" \""),
        [
            "x.toml: platforms.lantern.scopes.more.product: missing: say the product of the developer portal that carries the scope",
            "x.toml: platforms.lantern.scopes.more.description: missing: say what the scope allows",
        ]
    );
    assert_eq!(
        problems("[platforms.lantern.scopes.\"a b\"]\nproduct = \"p\"\ndescription = \"d\""),
        [
            "x.toml: platforms.lantern.scopes.\"a b\": `a b` is not a scope: a scope is printable ASCII without spaces, commas, quotes or \
             backslashes"
        ]
    );
}

#[test]
fn abilities_and_targets_are_words_there_are() {
    about_scope(
        "abilities = [\"publish.drafts\"]",
        "abilities: `publish.drafts` is not an ability: use one of account.metrics, content.list, publish.draft, publish.direct; did you mean \
         `publish.draft`?",
    );
    about_scope("abilities = [\"content.list\", \"content.list\"]", "abilities: `content.list` is named twice");
    about_scope(
        "fields.me = { fans = \"metric.folowers\" }",
        "fields.me.fans: `folowers` is not a metric: use one of followers, following, posts, likes_received, likes_given, page_likes, views, \
         reach, engagements, followers_gained, comments, shares, saves, quotes, reposts, clicks, members, watch_time, listed, boards, karma, or \
         `custom.<platform>.<field>`; did you mean `metric.followers`?",
    );
    about_scope(
        "fields.me = { x = \"profile.bioo\" }",
        "fields.me.x: `bioo` is not a profile field: use one of id, developer_scoped_id, handle, display_name, bio, url, avatar_url, \
         avatar_small_url, avatar_large_url, verified, kind, protected, created_at, website, country; did you mean `profile.bio`?",
    );
    about_scope(
        "fields.me = { x = \"views\" }",
        "fields.me.x: `views` says nowhere to put the value: write `metric.<name>`, `profile.<name>` or `custom.<platform>.<field>`",
    );
    about_scope(
        "fields.me = { x = \"custom.torch.glow\" }",
        "fields.me.x: `custom.torch.glow` names another platform: write `custom.lantern.glow`",
    );
}

#[test]
fn a_name_belongs_to_one_scope_and_what_includes_one_is_there() {
    about_scope("aliases = [\"basic\"]", "aliases: `basic` is a name of the scope `basic` already");
    about_scope("implied_by = [\"more\"]", "implied_by: `more` is the scope itself: leave it out");
    about_scope(
        "implied_by = [\"basik\"]",
        "implied_by: `basik` is not in the catalogue, where the scope that includes this one is defined; did you mean `basic`?",
    );
}

#[test]
fn fields_are_names_or_pointers() {
    about_scope(
        "fields.me = { \"/a/~2b\" = \"metric.views\" }",
        "fields.me.\"/a/~2b\": `/a/~2b` is not a JSON pointer: write ~0 for ~ and ~1 for /",
    );
    about_scope(
        "fields.me = { \"/a~\" = \"metric.views\" }",
        "fields.me.\"/a~\": `/a~` is not a JSON pointer: write ~0 for ~ and ~1 for /",
    );
    about_scope(
        "fields.me = { \"a,b\" = \"metric.views\" }",
        "fields.me.\"a,b\": `a,b` is not the name of a field: it has no commas and no spaces",
    );
    about_scope("fields.me = { \"\" = \"metric.views\" }", "fields.me.\"\": a field has a name");
    let right = "[platforms.lantern.scopes.more]\nproduct = \"p\"\ndescription = \"d\"\nfields.me = { \"/\" = \"metric.views\", \"/a~0~1/0\" = \"metric.posts\" }";
    assert_eq!(problems(right), [] as [&str; 0]);
}

#[test]
fn a_field_has_one_scope_and_a_place_one_field() {
    about_scope(
        "fields.me = { stars = \"metric.views\" }",
        "fields.me.stars: the scope `stats.read` has this field too: a field belongs to one scope",
    );
    about_scope(
        "fields.me = { fans = \"metric.followers\" }",
        "fields.me.fans: `metric.followers` is taken by the field `stars` of the scope `stats.read`",
    );
    about_scope(
        "fields.me = { a = \"metric.views\", b = \"metric.views\" }",
        "fields.me.b: `metric.views` is taken by the field `a` of the scope `more`",
    );
    assert_eq!(
        problems(
            "[platforms.lantern.scopes.a]\nproduct = \"p\"\ndescription = \"d\"\nfields.me = { stars = \"metric.views\" }"
        ),
        [
            "x.toml: platforms.lantern.scopes.a.fields.me.stars: the scope `stats.read` has this field too: a field belongs to one scope"
        ],
        "the newcomer is named, also where it comes first by name"
    );
}

#[test]
fn everything_wrong_is_reported_at_once_with_its_layer() {
    let base = "[platforms.lantern.apps.default]\nkind = \"desktop\"\nscopes = [\"basic\"]";
    let over =
        "[platforms.lantern.apps.default]\npending = [\"live\"]\n[platforms.lantern.scopes.more]\nproduct = \"p\"";
    assert_eq!(
        loaded(&[("base.toml", base), ("over.toml", over)]).unwrap_err(),
        [
            "over.toml: platforms.lantern.scopes.more.description: missing: say what the scope allows",
            "over.toml: platforms.lantern.apps.default.pending: `live` is not in `scopes`, of which `pending` names a part",
            "base.toml: platforms.lantern.apps.default.scopes: `basic` is not in the catalogue: define it in [platforms.lantern.scopes.basic]",
        ]
    );
    let problems = Config::of(vec![Layer::embedded("base.toml", base).unwrap()]).unwrap_err();
    assert_eq!(*Error::from(problems).kind(), ErrorKind::Config);
}

#[test]
fn a_scope_with_fields_is_added_by_configuration_alone() {
    let more = "[platforms.lantern.scopes.more]\nproduct = \"p\"\ndescription = \"d\"\nfields.me = { glow = \"custom.lantern.glow\" }\n\
                [platforms.lantern.apps.default]\nscopes = [\"basic\", \"upload\", \"more\"]";
    let config = loaded(&[("good", GOOD), ("x.toml", more)]).unwrap();
    let id: PlatformId = "lantern".parse().unwrap();
    let catalogue = &config.settings.platform(&id).unwrap().catalogue;
    let glow = Target::Custom("custom.lantern.glow".parse().unwrap());
    assert!(
        catalogue.fields("me").any(|(scope, field, target)| (scope.as_str(), field, target) == ("more", "glow", &glow))
    );
}

#[test]
fn an_app_is_for_everybody_or_for_the_tenants_it_names() {
    let named =
        loaded(&[("good", GOOD), ("x.toml", "[platforms.lantern.apps.default]\ntenants = [\"shop\", \"café\"]")]);
    let id: PlatformId = "lantern".parse().unwrap();
    for (settings, others) in [(good(), true), (named.unwrap().settings, false)] {
        let app = settings.platform(&id).unwrap().app("default").unwrap().clone();
        assert_eq!(
            (app.is_for("shop"), app.is_for("café"), app.is_for("other"), app.is_for("")),
            (true, true, others, others)
        );
    }
    about_app("tenants = []", "tenants: nobody could use the app: name a tenant, or leave `tenants` out for everybody");
    about_app("tenants = [\"\"]", "tenants: no tenant is named by the empty text");
    about_app("tenants = [\"a\", \"a\"]", "tenants: `a` is named twice");
}

#[test]
fn a_registration_has_one_owner() {
    let app = |name: &str, more: &str| {
        format!(
            "[platforms.lantern.apps.{name}]\nkind = \"web\"\nscopes = [\"basic\"]\nclient_id = {{ env = \"SAME\" }}\n{more}\n"
        )
    };
    let both = |a: &str, b: &str| problems(&(app("a", a) + &app("b", b)));
    let (shop, cafe) = ("tenants = [\"shop\"]", "tenants = [\"cafe\"]");
    assert_eq!(both("", ""), [] as [String; 0]);
    assert_eq!(both(shop, shop), [] as [String; 0]);
    for (a, b) in [(shop, cafe), (shop, ""), ("", cafe)] {
        let [problem] = both(a, b).try_into().unwrap();
        assert!(problem.contains("apps.b.tenants") && problem.contains("the app `a`"), "{problem}");
    }
}
