use super::*;

/// Stands where a secret may be written by mistake. No sentence may repeat it.
const PLANTED: &str = "s3cr3t-pl4nted";

fn sentence(text: &str) -> String {
    Layer::embedded("x.toml", text).unwrap_err().to_string()
}

fn app(line: &str) -> String {
    format!("[platforms.lantern.apps.default]\n{line}\n")
}

#[test]
fn a_key_nobody_knows_is_named_with_those_there_are() {
    for (text, expected) in [
        (
            "[platform.lantern]\n",
            "x.toml: there is no key `platform` here; the keys are platforms; did you mean `platforms`?",
        ),
        (
            "[platforms.lantern]\ncolour = 1\n",
            "x.toml: platforms.lantern: there is no key `colour` here; the keys are apps, scopes",
        ),
        (
            "[platforms.lantern.apps.default]\nkeep_fresh = \"always\"\n",
            "x.toml: platforms.lantern.apps.default.keep_fresh: a boolean belongs here, not a text",
        ),
        (
            "[platforms.lantern.apps.default]\nscope = []\n",
            "x.toml: platforms.lantern.apps.default: there is no key `scope` here; the keys are kind, client_id, client_secret, redirect_uri, \
             pkce, scopes, pending, required, keep_fresh, tenants; did you mean `scopes`?",
        ),
        (
            "[platforms.lantern.scopes.\"stats.read\"]\nprodukt = \"\"\n",
            "x.toml: platforms.lantern.scopes.\"stats.read\": there is no key `produkt` here; the keys are product, description, fields, \
             aliases, implied_by, abilities; did you mean `product`?",
        ),
        (
            "[platforms.lantern.scopes.stats.read]\nproduct = \"\"\n",
            "x.toml: platforms.lantern.scopes.stats: there is no key `read` here; the keys are product, description, fields, aliases, \
             implied_by, abilities. The name of a scope with dots is written in quotes",
        ),
    ] {
        assert_eq!(sentence(text), expected);
    }
}

#[test]
fn a_value_of_a_wrong_type_is_named_by_its_types_alone() {
    for (line, expected) in [
        ("scopes = \"basic\"", "scopes: a list belongs here, not a text"),
        ("scopes = [\"basic\", 7]", "scopes.1: a text in quotes belongs here, not a number"),
        ("pending = true", "pending: a list belongs here, not true or false"),
        ("kind = 0", "kind: a text in quotes belongs here, not a number"),
        (
            "kind = \"desctop\"",
            "kind: `desctop` is not a word for this; use one of desktop, web; did you mean `desktop`?",
        ),
        ("pkce = \"plain\"", "pkce: `plain` is not a word for this; use one of off, base64url, hex"),
        ("pkce = false", "pkce: a text in quotes belongs here, not true or false"),
        ("redirect_uri = 1", "redirect_uri: a text in quotes belongs here, not a number"),
    ] {
        assert_eq!(sentence(&app(line)), format!("x.toml: platforms.lantern.apps.default.{expected}"));
    }
    assert_eq!(sentence("platforms = []"), "x.toml: platforms: a table belongs here, not a list");
    assert_eq!(
        sentence("[platforms.lantern]\napps = 1.5"),
        "x.toml: platforms.lantern.apps: a table belongs here, not a number"
    );
    assert_eq!(
        sentence("[platforms.lantern.apps]\ndefault = \"x\""),
        "x.toml: platforms.lantern.apps.default: a table belongs here, not a text"
    );
    assert_eq!(
        sentence("[platforms.lantern.scopes.basic]\nfields.me = [\"stars\"]"),
        "x.toml: platforms.lantern.scopes.basic.fields.me: a table belongs here, not a list"
    );
}

#[test]
fn a_redirect_uri_is_a_whole_url() {
    assert_eq!(
        sentence(&app("redirect_uri = \"/callback\"")),
        "x.toml: platforms.lantern.apps.default.redirect_uri: this is not a URL (relative URL without a base): write a whole one, such as \
         \"https://example.com/callback\""
    );
}

#[test]
fn a_redirect_uri_is_written_as_it_is_sent() {
    for (text, sent) in [
        ("https://example.com", "https://example.com/"),
        ("https://example.com:443/back", "https://example.com/back"),
        ("https://Example.com/back", "https://example.com/back"),
        ("https://example.com/a/../back", "https://example.com/back"),
        (" https://example.com/back", "https://example.com/back"),
        ("https://example.com/b\u{e4}ck", "https://example.com/b%C3%A4ck"),
    ] {
        assert_eq!(
            sentence(&app(&format!("redirect_uri = \"{text}\""))),
            format!(
                "x.toml: platforms.lantern.apps.default.redirect_uri: this is sent as `{sent}`, and the platform compares every letter: \
                 write it as `{sent}`, and register it like that"
            )
        );
        assert!(Layer::embedded("x.toml", &app(&format!("redirect_uri = \"{sent}\""))).is_ok());
    }
}

#[test]
fn a_byte_order_mark_is_no_text() {
    assert!(Layer::embedded("x.toml", &format!("\u{feff}{}", app("kind = \"web\""))).is_ok());
}

#[test]
fn what_is_not_toml_is_shown_by_its_position() {
    for (text, expected) in [
        (app("kind = desktop"), "x.toml: line 2, column 8: this is not TOML: invalid string, expected `\"`, `'`"),
        (app("kind \"desktop\""), "x.toml: line 2, column 6: this is not TOML: expected `.`, `=`"),
        (
            "[platforms\n".to_owned(),
            "x.toml: line 1, column 11: this is not TOML: invalid table header, expected `.`, `]`",
        ),
        (
            app("pending = []\npending = []"),
            "x.toml: line 3, column 1: this is not TOML: duplicate key `pending` in table `platforms.lantern.apps.default`",
        ),
    ] {
        assert_eq!(sentence(&text), expected);
    }
}

#[test]
fn an_id_is_a_text() {
    assert_eq!(
        sentence(&app("client_id = 12345")),
        "x.toml: platforms.lantern.apps.default.client_id: put the id in quotes: client_id = \"…\""
    );
    assert!(Layer::embedded("x.toml", &app("client_id = \"0012345\"")).is_ok());
}

#[test]
fn a_secret_in_the_file_is_refused_with_what_to_write_instead() {
    let expected = "x.toml: platforms.lantern.apps.default.client_secret: a secret is never written in this file: put it into an environment \
                    variable and write { env = \"NAME\" }, or into a file and write { file = \"/path\" }";
    for value in [
        "\"text\"",
        "4711",
        "-4711",
        "47.11",
        "true",
        "[\"text\"]",
        "2026-11-22",
        "{ value = \"text\" }",
        "inf",
        "nan",
        "{}",
    ] {
        assert_eq!(sentence(&app(&format!("client_secret = {value}"))), expected, "{value}");
    }
    assert_eq!(
        sentence(&app("client_secret.env.text = \"text\"")),
        "x.toml: platforms.lantern.apps.default.client_secret: `env` takes the name of an environment variable: letters, digits and underscores, \
         no digit first"
    );
}

#[test]
fn no_sentence_repeats_a_secret_wherever_it_was_written() {
    let quoted = format!("\"{PLANTED}\"");
    let lines = [
        format!("client_secret = {quoted}"),
        format!("client_secret = {PLANTED}"),
        format!("client_secret = [{quoted}]"),
        format!("client_secret = [[{quoted}], {{ a = {quoted} }}]"),
        format!("client_secret = {{ value = {quoted} }}"),
        format!("client_secret = {{ {quoted} = 1 }}"),
        format!("client_secret = {{ env = {quoted} }}"),
        format!("client_secret = {{ env = [{quoted}] }}"),
        format!("client_secret = {{ file = {quoted} }}"),
        format!("client_secret = {{ env = \"A\", file = {quoted} }}"),
        format!("client_secret = {quoted} {quoted}"),
        format!("client_secret = \"{PLANTED}"),
        format!("client_secret {quoted}"),
        format!("client_secret = '{PLANTED}\""),
        format!("client_secret = \"\"\"{PLANTED}"),
        format!("client_secret = \"\\q{PLANTED}\""),
        format!("client_secret = {quoted}\nclient_secret = {quoted}"),
        format!("client_secrets = {quoted}"),
        format!("client_id = [{quoted}]"),
        format!("client_id = {{ secret = {quoted} }}"),
        format!("scopes = {quoted}"),
        format!("scopes = {{ a = {quoted} }}"),
        format!("redirect_uri = {quoted}"),
        format!("default = {quoted}"),
    ];
    let tables = [
        format!("client_secret = {quoted}"),
        format!("platforms = {quoted}"),
        format!("[platforms]\nclient_secret = {quoted}"),
        format!("[platforms.lantern]\nclient_secret = {quoted}"),
        format!("[platforms.lantern.apps]\nclient_secret = {quoted}"),
        format!("[platforms.lantern.scopes]\nbasic = {quoted}"),
        format!("[platforms.lantern.scopes.basic]\nproduct = [{quoted}]"),
        format!("[platforms.lantern.scopes.basic]\nfields.me = {quoted}"),
    ];
    for text in lines.iter().map(|line| app(line)).chain(tables) {
        let error = Layer::embedded("x.toml", &text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(PLANTED), "{text}\n{error:?}");
    }
}

#[test]
fn numbers_and_words_in_the_place_of_a_secret_are_not_repeated_either() {
    for secret in
        ["987654321", "99999999999999999999", "0x1234abcd", "9.87654321", "1987-06-05", "1987-06-05T04:03:02Z"]
    {
        let error = Layer::embedded("x.toml", &app(&format!("client_secret = {secret}"))).unwrap_err();
        assert!(!format!("{error:?}").contains(secret), "{error:?}");
    }
}

#[test]
fn a_file_is_read_and_named_by_its_path() {
    let folder = Folder::new("read");
    let path = folder.file("good.toml", app("kind = \"web\"").as_bytes());
    let layer = Layer::read(&path).unwrap();
    assert_eq!(layer.name().as_str(), path);

    let wrong = folder.file("wrong.toml", b"a = 1");
    assert_eq!(
        Layer::read(&wrong).unwrap_err().to_string(),
        format!("{wrong}: there is no key `a` here; the keys are platforms")
    );
}

#[test]
fn a_file_that_cannot_be_a_configuration_is_refused() {
    let folder = Folder::new("refused");
    let missing = folder.path("missing.toml");
    let latin = folder.file("latin.toml", b"# one\n# t\xe9xt\n");
    let large = folder.file("large.toml", &vec![b'\n'; 1024 * 1024 + 1]);
    let whole = folder.file("whole.toml", &vec![b'\n'; 1024 * 1024]);
    for (path, expected) in [
        (&missing, "there is no such file"),
        (&folder.0, "this is not a file"),
        (&latin, "line 2 is not text in UTF-8"),
        (&large, "the file is larger than 1 MiB, which no configuration is"),
    ] {
        assert_eq!(Layer::read(path).unwrap_err().to_string(), format!("{path}: {expected}"));
    }
    assert!(Layer::read(&whole).is_ok());
}

/// A folder of one test, gone with it.
struct Folder(String);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("connector-core-layer-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path.display().to_string())
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.0)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
