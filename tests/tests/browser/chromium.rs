use std::path::{Path, PathBuf};
use std::process::Command;

use connector_tests::missing::skipped;
use serde_json::Value;
use url::Url;

use crate::support::Stage;
use crate::support::param;

const CHROMIUM: &str = "/usr/bin/chromium";

/// Where the scripts are.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser");

/// Where the packages of `package-lock.json` are, unless `CONNECTOR_TESTS_NODE_MODULES` says.
const MODULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/ci/browser/node_modules");

/// Chromium without a window, driven by Playwright in Node.
pub(crate) struct Chromium {
    modules: PathBuf,
}

impl Chromium {
    /// What drives it; none where something of it is not on this machine.
    pub(crate) fn here() -> Option<Self> {
        if !Path::new(CHROMIUM).exists() {
            skipped("chromium", &format!("{CHROMIUM} is not there; install the package chromium"));
            return None;
        }
        if Command::new("node").arg("--version").output().is_err() {
            skipped("node", "it does not start; install the package nodejs");
            return None;
        }
        let modules = std::env::var_os("CONNECTOR_TESTS_NODE_MODULES").map_or_else(|| MODULES.into(), PathBuf::from);
        if !["playwright-core", "axe-core"].iter().all(|name| modules.join(name).is_dir()) {
            let how = "`npm ci --ignore-scripts` on a copy of tests/tests/browser/package*.json brings it";
            skipped("playwright", &format!("it is not in {}; {how}", modules.display()));
            return None;
        }
        Some(Self { modules })
    }

    /// Runs a script on what it is told, which must go well. Gives what it said.
    pub(crate) fn run(&self, stage: &Stage, script: &str, told: &Value) -> String {
        let mut node = Command::new("node");
        node.env_clear().env("HOME", stage.path(".")).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        node.env("TMPDIR", stage.path("tmp")).env("NODE_PATH", &self.modules).env("CHROMIUM", CHROMIUM);
        node.env("KEPT", env!("CARGO_TARGET_TMPDIR")).env("TOLD", told.to_string());
        let done = node.arg(Path::new(SCRIPTS).join(script)).output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success(), "{script}:\n{said}\n{}", String::from_utf8_lossy(&done.stderr));
        said
    }
}

/// Where a browser may go that follows an address to a consent page: there, and back.
pub(crate) fn origins(authorize: &Url) -> [String; 2] {
    let back: Url = param(authorize, "redirect_uri").unwrap().parse().unwrap();
    [origin(authorize), origin(&back)]
}

pub(crate) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}
