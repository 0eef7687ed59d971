//! What a `serve` that runs here says of itself.

use connector_core::http::{Policy, Request};
use http::Method;
use serde_json::Value;
use url::Url;

use super::{Finding, Installation, Kind};
use crate::data::Mistake;
use crate::serve::{Found, Notice, READY, find};
use crate::shell;

pub(super) async fn look(installation: &Installation) -> Vec<Finding> {
    match find(&installation.dir).await {
        Ok(Found::Running(notice)) => match ask(installation, &notice).await {
            Ok(state) => {
                [refused(installation, &notice, &state), not_ready(&notice, &state)].into_iter().flatten().collect()
            }
            Err(why) => vec![silent(&notice, &why)],
        },
        Ok(Found::Nobody | Found::Ended(_)) => Vec::new(),
        Err(error) => {
            let fix = format!("let this user read what it left there: `ls -la {}`", shell::path(&installation.dir));
            vec![Finding::new(Kind::ServeNotReady, error.to_string(), fix).at_path(&installation.dir)]
        }
    }
}

/// What it says about itself. It is on this machine, so nothing leaves that.
async fn ask(installation: &Installation, notice: &Notice) -> Result<Value, String> {
    let url = Url::parse(&format!("http://{}{READY}", notice.address)).map_err(|error| error.to_string())?;
    let answer = installation.cx.send(Request::new(Method::GET, url, Policy::PROBE)).await;
    let answer = answer.map_err(|error| format!("does not answer: {error}"))?;
    serde_json::from_slice(&answer.body).map_err(|_| format!("answers {} and no state", answer.status))
}

fn refused(installation: &Installation, notice: &Notice, state: &Value) -> Option<Finding> {
    let problems = state.pointer("/configuration/refused/problems")?;
    let problems: Vec<Mistake> = serde_json::from_value(problems.clone()).unwrap_or_default();
    let told = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let what =
        format!("{} goes on with the configuration it had, because its files are wrong now: {told}", name(notice));
    let fix = format!("mend what it names; it follows by itself, or at `{}`", installation.command("config reload"));
    Some(Finding::new(Kind::ServeConfigRefused, what, fix))
}

fn not_ready(notice: &Notice, state: &Value) -> Option<Finding> {
    let is_ready = state.get("ready").and_then(Value::as_bool) == Some(true);
    let fix = format!("see `curl http://{}{READY}` and its log for what keeps it", notice.address);
    (!is_ready).then(|| Finding::new(Kind::ServeNotReady, format!("{} does not do its work", name(notice)), fix))
}

fn silent(notice: &Notice, why: &str) -> Finding {
    let fix = format!("see its log; if it hangs, end it with `kill {}` and start it again", notice.pid);
    Finding::new(Kind::ServeNotReady, format!("{} {why}", name(notice)), fix)
}

fn name(notice: &Notice) -> String {
    format!("the `serve` that runs here (process id {}, at {})", notice.pid, notice.address)
}
