//! Which database a command uses, and what it never says about it.

use crate::support::{Cli, Stage};

const PASSWORD: &str = "hunter2-hunter2";

fn on(stage: &Stage, url: &str) -> Cli {
    stage.live("connections -vv").env("CONNECTOR_DATABASE_URL", url)
}

#[test]
fn a_password_of_a_database_is_never_said() {
    let stage = Stage::new();
    let nobody = format!("postgres://anna:{PASSWORD}@127.0.0.1:1/links");
    on(&stage, &nobody).run().ends(1, &["`postgres://127.0.0.1:1/links` cannot be reached"]).without(PASSWORD);
    stage.live("connections -vv --database").arg(&nobody).run().ends(1, &[]).without(PASSWORD);
    for (url, why) in [
        (format!("mysql://anna:{PASSWORD}@127.0.0.1/links"), "--database takes the URL of a PostgreSQL database"),
        (PASSWORD.to_owned(), "--database takes the URL of a PostgreSQL database"),
        (String::new(), "--database takes the URL of a PostgreSQL database"),
        (format!("postgres://anna:{PASSWORD}@127.0.0.1:1"), "names no database"),
    ] {
        on(&stage, &url).run().ends(2, &[why]).without(PASSWORD);
        stage.live("connections --log-format json --database").arg(&url).run().ends(2, &[]).without(PASSWORD);
    }
    for command in ["config show --origin", "--help", "list"] {
        stage.live(command).env("CONNECTOR_DATABASE_URL", &nobody).run().ok().without(PASSWORD);
    }
    assert!(!stage.path("data/store.db").exists(), "no other database is used instead");
}

#[test]
fn emulators_keep_their_data_apart() {
    let stage = Stage::new();
    let words = ["an emulator's data live in a directory of their own", "CONNECTOR_DATABASE_URL"];
    stage.cli("connections --database postgres://127.0.0.1:1/links").run().ends(2, &words);
}

#[test]
fn a_variable_that_other_programs_use_means_nothing() {
    let stage = Stage::new();
    stage.live("connections").env("DATABASE_URL", "postgres://127.0.0.1:1/links").run().ends(0, &["No connection yet"]);
    assert!(stage.path("data/store.db").exists());
}
