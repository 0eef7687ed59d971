use super::oauth::CallbackError;
use super::{Location, Protocol};
use crate::http::is_loopback;
use crate::{Error, ErrorKind, Result};

impl Protocol {
    /// What the types cannot say: names that must exist, pointers, words.
    pub(super) fn check(&self) -> Result<()> {
        let date = self.verified_on.parse::<jiff::civil::Date>();
        date.map_err(|_| {
            Error::config(format!("verified_on = \"{}\" is not a date: write YYYY-MM-DD", self.verified_on))
        })?;
        for (name, url) in &self.base_urls {
            let plain = url.path() == "/" && url.query().is_none() && (url.scheme() == "https" || is_loopback(url));
            ensure(plain, || format!("base_urls.{name} must be an https origin without a path"))?;
        }
        for at in self.locations() {
            ensure(self.base_urls.contains_key(&at.base), || {
                format!("base = \"{}\" names none of [base_urls]", at.base)
            })?;
            ensure(at.path.starts_with('/'), || format!("path = \"{}\" must begin with /", at.path))?;
        }
        for pointer in self.pointers() {
            ensure(pointer.is_empty() || pointer.starts_with('/'), || {
                format!("\"{pointer}\" is not a JSON pointer: it must begin with /")
            })?;
        }
        for name in self
            .accounts
            .iter()
            .map(|facts| &facts.endpoint)
            .chain(self.account_metrics.iter().map(|facts| &facts.endpoint))
        {
            self.endpoint(name)?;
        }
        self.check_kinds()
    }

    fn check_kinds(&self) -> Result<()> {
        let callback = self.oauth.authorize.iter().flat_map(|facts| facts.callback_errors.values());
        for CallbackError { kind, scope, .. } in callback {
            ensure(ErrorKind::from_word(kind).is_some(), || unknown_kind(kind, ""))?;
            ensure(!scope || kind == "config", || {
                format!("`scope = true` goes with kind = \"config\", for an operator to mend, not with `{kind}`")
            })?;
        }
        for word in self.api_errors.kinds.values() {
            let known = word == "reauth_required" || ErrorKind::from_word(word).is_some();
            ensure(known, || unknown_kind(word, ", reauth_required"))?;
        }
        Ok(())
    }

    fn locations(&self) -> impl Iterator<Item = &Location> {
        let oauth = &self.oauth;
        let oauth = oauth
            .authorize
            .iter()
            .map(|f| &f.at)
            .chain(oauth.token.iter().map(|f| &f.at))
            .chain(oauth.revoke.iter().map(|f| &f.at));
        oauth.chain(self.endpoints.values().map(|endpoint| &endpoint.at))
    }

    fn pointers(&self) -> impl Iterator<Item = &String> {
        let oauth = &self.oauth.errors;
        let api = &self.api_errors;
        let token = self.oauth.token.iter().map(|facts| &facts.answer).flat_map(|answer| {
            [&answer.access_token, &answer.expires_in, &answer.refresh_token, &answer.refresh_expires_in, &answer.scope]
                .into_iter()
                .chain(&answer.subject)
        });
        let errors = [&oauth.code, &oauth.message]
            .into_iter()
            .chain(&oauth.log_id)
            .chain(&api.code)
            .chain(&api.message)
            .chain(&api.log_id);
        token.chain(errors).chain(self.endpoints.values().map(|endpoint| &endpoint.root))
    }
}

fn unknown_kind(word: &str, more: &str) -> String {
    format!("`{word}` is no kind of error: use one of {}{more}", ErrorKind::WORDS.join(", "))
}

fn ensure(holds: bool, message: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::config(message())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "verified_on = \"2026-11-22\"\n[base_urls]\napi = \"https://api.example\"\n";

    #[test]
    fn each_fault_is_named() {
        for (rest, fault) in [
            ("[endpoints.me]\nat = { base = \"ap\", path = \"/me\" }", "base = \"ap\" names none of [base_urls]"),
            ("[endpoints.me]\nat = { base = \"api\", path = \"me\" }", "path = \"me\" must begin with /"),
            (
                "[endpoints.me]\nat = { base = \"api\", path = \"/me\" }\nroot = \"data\"",
                "\"data\" is not a JSON pointer: it must begin with /",
            ),
            ("[accounts]\nendpoint = \"me\"\nid = \"id\"", "the platform file describes no endpoint `me`"),
            ("[api_errors]\nkinds = { x = \"oops\" }", "`oops` is no kind of error"),
            (
                "[oauth.authorize]\nat = { base = \"api\", path = \"/\" }\n\
                 callback_errors = { x = { kind = \"declined\", say = \"no\", scope = true } }",
                "`scope = true` goes with kind = \"config\"",
            ),
            ("[oauth]\nscope_seperator = \",\"", "unknown field `scope_seperator`"),
        ] {
            let error = Protocol::parse(&format!("{BASE}{rest}")).unwrap_err().to_string();
            assert!(error.contains(fault), "{error}");
        }
        assert!(Protocol::parse(BASE).is_ok());
    }
}
