use std::fmt;

use url::form_urlencoded;

use crate::{Error, Result};

/// Everything the browser brought back, in order, decoded exactly once. `Debug` shows the names alone.
#[derive(Clone, Default)]
pub struct CallbackParams(Vec<(String, String)>);

impl CallbackParams {
    /// Reads the query of a redirect, without its `?`. A fragment after it is not part of it.
    pub fn from_query(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// The one value of a parameter.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidCallback`](crate::ErrorKind) when it is there more than once: one of them is not the platform's.
    pub fn one(&self, name: &str) -> Result<Option<&str>> {
        let mut values = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let first = values.next();
        match values.next() {
            None => Ok(first),
            Some(_) => Err(Error::invalid_callback(format!(
                "the callback has `{name}` more than once, which no platform sends; start connecting again"
            ))),
        }
    }
}

impl fmt::Debug for CallbackParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_decoded_once() {
        let params = CallbackParams::from_query("code=AbC%2A1%214608.va&scopes=a%2Cb&plus=a%2Bb");
        assert_eq!(params.one("code").unwrap(), Some("AbC*1!4608.va"));
        assert_eq!(params.one("scopes").unwrap(), Some("a,b"));
        assert_eq!(params.one("plus").unwrap(), Some("a+b"));
        assert_eq!(params.one("state").unwrap(), None);
    }

    #[test]
    fn a_parameter_sent_twice_is_refused() {
        let error = CallbackParams::from_query("state=a&state=b").one("state").unwrap_err();
        assert_eq!(error.kind().as_str(), "invalid_callback");
    }

    #[test]
    fn debug_shows_no_value() {
        assert_eq!(format!("{:?}", CallbackParams::from_query("code=hush&state=hush")), r#"{"code", "state"}"#);
    }
}
