use connector_core::config::{Config, Layer};

use super::*;
use crate::testing::Example;

const CONFIG: &str = r#"
[platforms.example.apps.default]
kind = "desktop"
scopes = ["two", "one"]
pending = ["one"]
[platforms.example.scopes.one]
product = "p"
description = "a | b"
abilities = ["content.list"]
[platforms.example.scopes.two]
product = "p"
description = "d"
fields.me = { followers = "metric.followers", id = "profile.id" }
[platforms.other.scopes.read]
product = "p"
description = "d"
"#;

const EXAMPLE: &str = "\
| platform | scope | product | allows | unlocks | asked for by |
| --- | --- | --- | --- | --- | --- |
| Example | `two` | p | d | `metric.followers`, `profile.id` | default |
| Example | `one` | p | a \\| b | `content.list` | default (pending) |
";

fn with<T>(work: impl FnOnce(Docs<'_>) -> T) -> T {
    let registry = Example::default().registry().unwrap();
    let settings = Config::of(vec![Layer::embedded("test", CONFIG).unwrap()]).unwrap().settings;
    work(Docs::new(&registry, &settings))
}

#[test]
fn the_lists_follow_the_configuration() {
    with(|docs| {
        assert_eq!(docs.names(), ["platforms", "scopes", "scopes example", "scopes other", "findings"]);
        assert_eq!(docs.list("scopes example").unwrap(), EXAMPLE);
        assert!(docs.list("scopes").unwrap().ends_with("| other | `read` | p | d |  | no app |\n"));
        let platforms = docs.list("platforms").unwrap();
        let row =
            "| Example | connector-host | `account.metrics` available · `content.list` not yet | no | 2026-11-22 |";
        assert_eq!(platforms.lines().nth(2), Some(row));
        assert_eq!((docs.list("scopes nosuch"), docs.list("nosuch")), (None, None));
    });
}

#[test]
fn a_connector_whose_folder_is_at_hand_is_a_link() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("connectors/example")).unwrap();
    let platforms = with(|docs| docs.beside(dir.path()).list("platforms")).unwrap();
    assert!(platforms.contains("| [connector-host](connectors/example) |"), "{platforms}");
}

#[test]
fn blocks_are_written_anew_and_nothing_else() {
    let text = "# A\n\n<!-- generated: scopes example -->\nold\n<!-- /generated -->\n\nSay `<!-- generated: x -->`.\n<!-- generated: platforms -->\n<!-- /generated -->\n";
    with(|docs| {
        let fresh = docs.refresh(text).unwrap();
        assert_eq!(fresh.blocks, ["scopes example", "platforms"]);
        assert_eq!(fresh.stale, fresh.blocks);
        let block = docs.block("scopes example").unwrap();
        assert_eq!(block, format!("<!-- generated: scopes example -->\n{EXAMPLE}<!-- /generated -->\n"));
        let platforms = docs.block("platforms").unwrap();
        assert_eq!(fresh.text, format!("# A\n\n{block}\nSay `<!-- generated: x -->`.\n{platforms}"));
        let again = docs.refresh(&fresh.text).unwrap();
        assert_eq!((again.text, again.stale), (fresh.text, Vec::new()));
    });
}

#[test]
fn the_line_ends_of_a_file_stay_what_they_are() {
    let text = "<!-- generated: scopes example -->\r\nold\r\n<!-- /generated -->\r\n";
    with(|docs| {
        let fresh = docs.refresh(text).unwrap().text;
        assert_eq!(fresh.matches('\n').count(), fresh.matches("\r\n").count());
        assert!(docs.refresh(&fresh).unwrap().stale.is_empty());
    });
}

#[test]
fn a_block_that_is_none_is_told_with_its_line() {
    let open = |text: &str| with(|docs| docs.refresh(text).unwrap_err().to_string());
    assert_eq!(
        open("\n<!-- generated: scopes -->\n"),
        "line 2: the block `scopes` does not end: put a line `<!-- /generated -->` after it"
    );
    assert!(
        open("<!-- generated: a -->\n<!-- generated: b -->\n<!-- /generated -->").contains("line 1: the block `a`")
    );
    let unknown = open("<!-- generated: scope -->\n<!-- /generated -->");
    assert_eq!(
        unknown,
        "line 1: there is no list `scope`: use one of platforms, scopes, scopes example, scopes other, findings"
    );
}
