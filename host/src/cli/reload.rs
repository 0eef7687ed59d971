//! Asking the host that runs to read its configuration anew.

use std::path::Path;

use connector_core::Context;
use connector_core::http::{Policy, Request};
use http::Method;
use url::Url;

use super::exit::Exit;
use super::output::Output;
use super::setup::Setup;
use crate::error::{Error, Result};
use crate::reload::{Outcome, Reloaded};
use crate::serve::{Found, Notice, RELOAD, find};

pub(super) async fn run(setup: &Setup, output: Output) -> Result<Exit> {
    let dir = setup.data_dir()?;
    let notice = match find(&dir).await? {
        Found::Running(notice) => notice,
        Found::Nobody => return Err(nobody(&dir, "no `serve` runs on the data")),
        Found::Ended(pid) => {
            return Err(nobody(
                &dir,
                &format!("the `serve` with the process id {pid} has ended, and none runs on the data"),
            ));
        }
    };
    let reloaded = ask(&Setup::context(), &notice).await?;
    output.either(&reloaded, || text(&reloaded, notice.pid));
    Ok(if reloaded.outcome == Outcome::Refused { Exit::Usage } else { Exit::Done })
}

fn nobody(dir: &Path, what: &str) -> Error {
    Error::Machine(format!(
        "{what} in {}, so there is nothing to reload: a start reads the files anew; if one runs on other data, name its directory with --data-dir",
        dir.display()
    ))
}

async fn ask(cx: &Context, notice: &Notice) -> Result<Reloaded> {
    let failed =
        |why: String| Error::Machine(format!("the `serve` at {} (process id {}) {why}", notice.address, notice.pid));
    let url = Url::parse(&format!("http://{}{RELOAD}", notice.address)).map_err(|error| failed(error.to_string()))?;
    let request = Request::new(Method::POST, url, Policy::TOKEN).bearer(&notice.token())?;
    let answer = cx.send(request).await.map_err(|error| failed(format!("does not answer: {error}")))?;
    let reloaded = (answer.status == 200).then(|| serde_json::from_slice(&answer.body).ok()).flatten();
    reloaded.ok_or_else(|| failed(format!("answered {} and no result; is it of another version?", answer.status)))
}

fn text(reloaded: &Reloaded, pid: u32) -> String {
    let (head, lines) = match reloaded.outcome {
        Outcome::Changed => ("The configuration changed.".to_owned(), reloaded.changes.clone()),
        Outcome::Unchanged => ("The configuration says the same; nothing changed.".to_owned(), Vec::new()),
        Outcome::Refused => (
            format!("The configuration is refused; process {pid} goes on with the one it has."),
            reloaded.problems.iter().map(ToString::to_string).collect(),
        ),
    };
    let lines = lines.iter().map(|line| format!("\n  {line}"));
    std::iter::once(head).chain(lines).collect()
}
