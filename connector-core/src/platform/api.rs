use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Location;

/// How calls other than OAuth's report errors. The body decides before the status does.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiErrors {
    /// Where the code is: the first JSON pointer that hits a text or number.
    #[serde(default)]
    pub code: Vec<String>,
    /// The code of success, on platforms whose every answer carries one.
    #[serde(default)]
    pub ok: Option<String>,
    /// Where the platform's words are.
    #[serde(default)]
    pub message: Vec<String>,
    /// Where its request id is.
    #[serde(default)]
    pub log_id: Vec<String>,
    /// What each code means, exactly. `reauth_required` or one of the other kinds; an unlisted code is classed by the HTTP status.
    #[serde(default)]
    pub kinds: BTreeMap<String, String>,
}

/// An endpoint that is read.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointFacts {
    /// How it is called.
    #[serde(default)]
    pub method: Method,
    /// Where it is. `{account_id}` in the path stands for the account's id.
    pub at: Location,
    /// How it is told which fields to answer. Absent: it answers all it has.
    #[serde(default)]
    pub fields: Option<FieldsParam>,
    /// A JSON pointer to the object that holds the fields, or to the list of such objects. Empty for the whole answer.
    #[serde(default)]
    pub root: String,
}

/// The HTTP method of an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// GET.
    #[default]
    Get,
    /// POST with an empty JSON object.
    Post,
}

/// The query parameter that names the fields wanted.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldsParam {
    /// Its name.
    pub param: String,
    /// What stands between the fields.
    pub separator: String,
}

/// Where the accounts of a grant are read.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountsFacts {
    /// The endpoint. Where its root is a list, each item is an account.
    pub endpoint: String,
    /// The field that holds the raw, stable id.
    pub id: String,
}

/// Where the counts of an account are read.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricsFacts {
    /// The endpoint.
    pub endpoint: String,
}
