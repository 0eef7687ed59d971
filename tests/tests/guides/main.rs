//! The guides for products, followed to the letter: their files are written, their commands typed, and a person walks through the product.
//!
//! Without `node` or `php` on this machine their tests pass and say so, unless `CONNECTOR_TESTS_REQUIRE` names them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod again;
mod guide;
mod product;
mod story;
#[path = "../flows/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the flows use the rest of it")]
mod support;

use std::path::Path;
use std::process::Command;

use connector_tests::missing::is_there;

use self::guide::Guide;

const NODE: &str = "node.md";
const LARAVEL: &str = "laravel.md";

/// What starts a flow, and says its id or why there is none.
const IN_NODE: &str = "import { startFlow } from './connector.mjs';
try { process.stdout.write((await startFlow('http://127.0.0.1/', 'me')).id); }
catch (problem) { process.stdout.write(`${problem.word} ${problem.retryAfterMs / 1000}`); }";
const IN_PHP: &str = "foreach (['Problem', 'Host'] as $name) { require \"app/Services/Connector$name.php\"; }
$host = new App\\Services\\ConnectorHost(getenv('CONNECTOR_HOST_URL'), getenv('CONNECTOR_KEY'));
try { echo $host->startFlow('http://127.0.0.1/', 'me')['id']; }
catch (App\\Services\\ConnectorProblem $problem) { echo \"$problem->word $problem->retryAfter\"; }";

#[test]
fn the_product_in_node_does_what_its_guide_says() {
    if is_there("node", &["--version"], "install the package nodejs") {
        story::told(&Guide::read(NODE));
        again::sent("node", &["--input-type=module", "-e", IN_NODE], &Guide::read(NODE));
    }
}

#[test]
fn the_product_in_php_does_what_its_guide_says() {
    let has_curl = ["-r", "exit(extension_loaded('curl') ? 0 : 1);"];
    if is_there("php", &has_curl, "install the packages php-cli and php-curl") {
        story::told(&Guide::read(LARAVEL));
        again::sent("php", &["-r", IN_PHP], &Guide::read(LARAVEL));
    }
}

/// Laravel itself is no part of this machine: of its files it is only known that PHP reads them. What they call is the class that the test
/// above runs.
#[test]
fn php_reads_what_is_written_for_laravel() {
    if !is_there("php", &["--version"], "install the package php-cli") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let files = Guide::read(LARAVEL).write(dir.path());
    let files: Vec<_> =
        files.iter().filter(|name| Path::new(name).extension().is_some_and(|found| found == "php")).collect();
    assert!(files.len() >= 8, "{files:?}");
    for file in files {
        let read = Command::new("php").arg("-l").arg(dir.path().join(file)).output().unwrap();
        assert!(read.status.success(), "{file}: {}", String::from_utf8_lossy(&read.stdout));
    }
}

/// What does not depend on the language reads the same in both.
#[test]
fn the_guides_say_the_same_of_the_same() {
    let (node, laravel) = (Guide::read(NODE), Guide::read(LARAVEL));
    for heading in ["Start the host", "See what the host sees", "When a person has to act"] {
        assert_eq!(node.section(heading), laravel.section(heading), "{heading}");
    }
}
