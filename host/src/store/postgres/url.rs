//! Reads the URL of a database. What it holds is never told: it may be a password.

use std::str::FromStr as _;

use sqlx::postgres::PgConnectOptions;
use url::Url;

use crate::store::{Place, Result, StoreError};

/// The parameters the driver knows. It writes others to the log, with their values.
const PARAMETERS: [&str; 13] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "user",
    "ssl-mode",
];

/// How to connect, and the place as people may see it.
pub(super) fn read(url: &str) -> Result<(PgConnectOptions, Place)> {
    let parsed = Url::parse(url).map_err(|error| refused(format_args!("cannot be read: {error}")))?;
    if !matches!(parsed.scheme(), "postgres" | "postgresql") {
        return Err(refused("does not begin with postgres://"));
    }
    if let Some((unknown, _)) = parsed.query_pairs().find(|(name, _)| !PARAMETERS.contains(&name.as_ref())) {
        return Err(refused(format_args!(
            "has the parameter `{}`, which is none of {}",
            unknown.escape_debug(),
            PARAMETERS.join(", ")
        )));
    }
    // What the driver says names the value.
    let options =
        PgConnectOptions::from_str(url).map_err(|_| refused("has a parameter with a value that it cannot have"))?;
    let names_database = parsed.path().len() > 1 || parsed.query_pairs().any(|(name, _)| name == "dbname");
    if !names_database {
        return Err(refused("names no database"));
    }
    let place = place(&options);
    Ok((for_any_pooler(options), place))
}

fn place(options: &PgConnectOptions) -> Place {
    let database = options.get_database().unwrap_or_default();
    Place::Server(match options.get_socket() {
        Some(socket) => format!("postgres:///{database}?host={}&port={}", socket.display(), options.get_port()),
        None => format!("postgres://{}:{}/{database}", options.get_host(), options.get_port()),
    })
}

/// A pooler refuses what it does not know of at the start of a connection.
fn for_any_pooler(options: PgConnectOptions) -> PgConnectOptions {
    let options = options.extra_float_digits(None).statement_cache_capacity(0);
    match options.get_application_name() {
        Some(_) => options,
        None => options.application_name("connector-host"),
    }
}

fn refused(why: impl std::fmt::Display) -> StoreError {
    StoreError::Url(why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_without_user_password_and_parameters() {
        let cases = [
            ("postgres://anna:hunter2@db.example:6432/links", "postgres://db.example:6432/links"),
            ("postgresql://anna:hunter2@db.example/links?sslmode=require", "postgres://db.example:5432/links"),
            ("postgres://db.example/?dbname=links&user=anna&password=hunter2", "postgres://db.example:5432/links"),
            (
                "postgres://anna@localhost/links?host=/run/pg&password=hunter2",
                "postgres:///links?host=/run/pg&port=5432",
            ),
        ];
        for (url, expected) in cases {
            assert_eq!(read(url).unwrap().1.to_string(), expected);
        }
    }

    #[test]
    fn what_is_no_url_of_a_database_is_refused_without_telling_it() {
        let cases = [
            ("hunter2", "cannot be read"),
            ("postgres://anna:hunter2@db.example:port/links", "cannot be read"),
            ("mysql://anna:hunter2@db.example/links", "does not begin with postgres://"),
            ("postgres://anna:hunter2@db.example", "names no database"),
            ("postgres://anna@db.example/links?pasword=hunter2", "has the parameter `pasword`"),
            ("postgres://anna@db.example/links?sslmode=hunter2", "has a parameter with a value"),
        ];
        for (url, why) in cases {
            let error = read(url).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
